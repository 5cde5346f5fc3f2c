# Headings, sentences, remarks and the heads of tables of a report on effects, a lens and measures of the demonstration model.
d=$(mktemp -d)
trap 'rm -r "$d"' EXIT
tokenize -q -m pipelines/demo/model --context 32 --limit 1200 pipelines/demo/corpus/letters > "$d/tokens"
lesion -q -m pipelines/demo/model --drop all --swap all --repeat 2 < "$d/tokens" > "$d/effects"
logit-lens -q -m pipelines/demo/model < "$d/tokens" > "$d/lens"
forward-capture -q -m pipelines/demo/model --sites resid.pre,resid.post,norms,attn.local,attn.back < "$d/tokens" \
    | reduce-stats -q --no-moments --measure similarity,ratios,locality,merging --cka-batch 8 > "$d/stats"
# numbers are those of one machine's kernels: # stands for them, for golden texts are compared to the byte
render-report --format markdown "$d/effects" "$d/lens" "$d/stats" | sed '/^## Where/,$d' \
    | awk '/^\|/ { if (!table++) print; next } { table = 0; print }' | sed -E '/^(#|Lad)/!s/-?[0-9][0-9,.]*(e-[0-9]+)?/#/g; /^#/!s/no (repeats|positions)/# \1/'
