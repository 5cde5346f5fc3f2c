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

neurons=()
for model; do
    make -s -f "$here/neurons.mk" MODEL="$model" CORPUS="$text" OUT="$out/$(basename "$model")" "$out/$(basename "$model")/neurons.nf"
    neurons+=("$out/$(basename "$model")/neurons.nf")
done
render-report -o "$out/report.html" "${neurons[@]}"
