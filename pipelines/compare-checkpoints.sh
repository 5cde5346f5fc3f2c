#!/usr/bin/env bash
# Question  How do the neurons of several models or training checkpoints differ on the same text?
# Needs     the filters in bin/ or on PATH
# Takes     OUT-DIR TEXT MODEL-DIR...      (TEXT: one file or directory)
# Writes    OUT-DIR/NAME/neurons.nf for each model, OUT-DIR/report.html with all of them side by side
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PATH=${NF_BIN:-$here/../bin}:$PATH
[ $# -ge 3 ] || { echo "usage: ${0##*/} OUT-DIR TEXT MODEL-DIR..." >&2; exit 2; }
out=$1 text=$2
shift 2

# names_of DEPTH MODEL...: the last DEPTH parts of each path, joined by "-".
names_of() {
    local depth=$1
    shift
    for model; do
        realpath -ms -- "$model" | awk -F/ -v d="$depth" '{ s = $NF; for (i = 1; i < d && NF - i > 1; i++) s = $(NF - i) "-" s; print s }'
    done
}

# As few parts as tell the models apart.
depth=1
until mapfile -t names < <(names_of "$depth" "$@") && [ -z "$(printf '%s\n' "${names[@]}" | sort | uniq -d)" ]; do
    depth=$((depth + 1))
    [ "$depth" -lt 64 ] || { echo "${0##*/}: the same model is given twice" >&2; exit 2; }
done

neurons=()
for model; do
    study=$out/${names[${#neurons[@]}]}
    make -s -f "$here/neurons.mk" MODEL="$model" CORPUS="$text" OUT="$study" "$study/neurons.nf"
    neurons+=("$study/neurons.nf")
done
render-report --name "$(IFS=,; echo "${names[*]}")" -o "$out/report.html" "${neurons[@]}"
