#!/usr/bin/env bats
# Records by their tables: what a filter writes is read and written again without a byte changed, in every kind.

load ../helpers
load nano

setup_file() {
    local T=$BATS_FILE_TMPDIR D=$ROOT/tests/data/opt-preln G=$ROOT/tests/data/llama-plain
    cd "$T"
    make_nano "$T"
    tokenize -u -m "$T/model" "$T/text" >tokens.raw
    forward-capture -q -u -m "$T/model" --sites ffn.active,ffn.act,resid.pre,resid.post,norms,attn.local,attn.back,pred,logits \
        <tokens.raw >activations.raw
    reduce-stats -q -u --measure similarity,ratios,locality,merging --cka-batch 8 <activations.raw >stats.raw
    tokenize -m "$MODEL" --context 64 --limit 8000 "$CORPUS" >many.nf
    forward-capture -q -m "$MODEL" <many.nf | reduce-stats -q -u --memory 4M >lossy-stats.raw
    classify-neurons -q -u -m "$MODEL" --scope all --full-needed 1 --listed 2 <lossy-stats.raw >neurons.raw
    classify-neurons -q -u <lossy-stats.raw >no-model-neurons.raw
    classify-neurons -q -u -m "$MODEL" --weights <many.nf >weights-neurons.raw
    forward-capture -q -m "$G" --sites ffn.active,ffn.act <"$G/tokens.nf" | reduce-stats -q |
        classify-neurons -q -u -m "$G" --scope all --full-needed 1 >gated-neurons.raw
    lesion -q -u -m "$D" --drop all --drop-head 1.0 --parallel 0:2 --neuron 0.1 --per-token <"$D/tokens.nf" >effects.raw
    logit-lens -q -u -m "$D" --mid --attribute --per-token --top-k 3 <"$D/tokens.nf" >lens.raw
}

@test "read and written by its table a record keeps its bytes" {
    cd "$BATS_FILE_TMPDIR"
    for f in *.raw; do
        "$NF_TESTS/contract/rewrite" <"$f" | cmp - "$f" || { echo "$f"; return 1; }
        exits 0 stream-check "$f"
    done
    # Every type of record of every kind was among them, but for teams: tests/unit/test_record.c.
    diff <(for f in *.raw; do stream-dump -f ndjson "$f" | jq -r .r; done | sort -u | xargs) - <<'END'
activation attribution batch cka counts doc domain_position effect fires histogram influence intervention layer lens locality lost lost_ngrams merging moments neuron ngrams part parts point position ratio run similarity site special suppression token top totals vocab window
END
}
