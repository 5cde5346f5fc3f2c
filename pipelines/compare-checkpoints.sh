#!/usr/bin/env bash
# Question  How do the neurons of several models or training checkpoints differ on the same text?
# Needs     the filters in bin/ or on PATH
# Takes     OUT-DIR TEXT MODEL...      (TEXT: one file or directory; MODEL: as -m takes it, a GGUF file too)
#           LIMIT=tokens of the comparison of predictions [2000]
# Writes    OUT-DIR/NAME/neurons.nf for each model, OUT-DIR/report.html with all of them side by side
#           OUT-DIR/compare.tsv: what each model does differently from the first; - where sizes or tokenizers differ:
#             kl       nats in the mean, from the first model's next-token distribution to this one's
#             top1     share of positions with the same most probable token
#             firings  share of the neurons' firings (pre-activation above 0) that changed
#             classes  neurons whose class changed
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PATH=${NF_BIN:-$here/../bin}:$PATH
[ $# -ge 3 ] || { echo "usage: ${0##*/} OUT-DIR TEXT MODEL..." >&2; exit 2; }
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
# classes NEURONS: layer, neuron and class, a line each.
classes() { stream-dump --format tsv --record neuron --columns layer,neuron,class "$1"; }

# predictions MODEL: the first model's logits and firings held against those of MODEL, as JSON.  Nothing is too far off to be measured.
predictions() {
    tokenize -q -m "$first" --limit "${LIMIT:-2000}" "$text" | forward-capture -q -u -m "$first" --sites ffn.active,logits |
        model-info --verify - --atol 1e6 -f json "$1"
}

models=("$@")
first=$1
printf 'model\tkl\ttop1\tfirings\tclasses\n' >"$out/compare.tsv.part"
for ((i = 1; i < $#; i++)); do
    if ! predictions "${models[i]}" >"$out/predictions.json"; then
        printf '%s\t-\t-\t-\t-\n' "${names[i]}" >>"$out/compare.tsv.part"   # of other sizes, or with another tokenizer: why is on stderr
        continue
    fi
    changed=$(diff <(classes "${neurons[0]}") <(classes "${neurons[i]}") | grep -c '^>' || true)
    jq -r --arg name "${names[i]}" --arg changed "$changed" '
        (.sites[] | select(.site == "ffn.active")) as $bits |
        [$name, .kl_mean, .top_same / .rows, $bits.bits / $bits.elements, $changed] | @tsv' "$out/predictions.json" >>"$out/compare.tsv.part"
done
rm -f "$out/predictions.json"
mv "$out/compare.tsv.part" "$out/compare.tsv"
render-report --name "$(IFS=,; echo "${names[*]}")" -o "$out/report.html" "${neurons[@]}"
