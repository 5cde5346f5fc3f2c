#!/usr/bin/env bash
# Question  How far are the numbers from those of transformers, model by model?
# Needs     the filters in bin/ or on PATH; jq
# Takes     [-d f32|bf16] DIR...: checkpoints, each with a reference.nf beside it (pipelines/reference.py); by default those of the tests
# Writes    a table in Markdown on standard output; status 3 when a site of a model is further off than it may be
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$root/bin:$PATH

dtype=f32
if [ "${1:-}" = -d ]; then
    dtype=${2:?-d expects f32 or bf16}
    shift 2
fi
if [ $# -eq 0 ]; then
    set -- "$root"/tests/data/*/reference.nf
    set -- "${@%/reference.nf}"
fi

status=0
all=$(mktemp)
trap 'rm -f "$all"' EXIT
for dir; do
    family=$(model-info --no-weights -f json "$dir" | jq -r .family)
    got=0
    table=$(model-info --dtype "$dtype" -f json --verify "$dir/reference.nf" "$dir" 2>/dev/null) || got=$?
    [ "$got" -eq 0 ] || status=3
    jq -c --arg family "$family" --argjson off "$([ "$got" -eq 0 ] && echo false || echo true)" '. + {family: $family, failed: $off}' <<<"$table" >>"$all"
done

short='def short: if . == 0 then "0" else (. as $x | ($x | log10 | floor) as $e | ($x / pow(10; $e) * 10 | round / 10 | tostring) + "e" + ($e | tostring)) end;'

echo '| checkpoint | family | tokens | logits | of up to | worst other site | relative to its largest value | same top-1 | total variation, mean |'
echo '|---|---|---|---|---|---|---|---|---|'
jq -r "$short"'
    def relative: .off / ([.largest, 1e-30] | max);
    (.sites | map(select(.site == "logits"))[0]) as $l |
    (.sites | map(select(.site != "logits" and .site != "ffn.active")) | max_by(relative)) as $w |
    "| \(.name)\(if .failed then " (OFF)" else "" end) | \(.family) | \(.tokens) | \(if $l then $l.off | short else "-" end) | \(if $l then $l.largest * 10 | round / 10 else "-" end) | \($w.site) \($w.off | short) | \($w | relative | short) | \(if $l then "\(.top_same) of \(.rows) | \(.tv_mean | short)" else "- | -" end) |"' "$all"   # a base model has no logits

# The largest difference of each site, family by family; "-": no checkpoint of the family has it.
echo
jq -rs "$short"'
    (map(.sites[].site) | unique | map(select(. != "ffn.active"))) as $sites |
    "| family | \($sites | join(" | ")) |", "|---|\($sites | map("---|") | add)",
    (group_by(.family)[] | . as $runs |
        "| \($runs[0].family) | \($sites | map(. as $s | [$runs[].sites[] | select(.site == $s) | .off] | if length == 0 then "-" else max | short end) | join(" | ")) |")' "$all"
exit $status
