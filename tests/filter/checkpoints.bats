#!/usr/bin/env bats
# Checkpoints as they are found: what plays no part is passed over and named, what is missing is named with what makes it.

load ../helpers

# copy NAME: a copy of tests/data/NAME in $m.
copy() {
    m=$BATS_TEST_TMPDIR/model
    rm -rf "$m"
    cp -r "$ROOT/tests/data/$1" "$m"
}

# with JQ: config.json of $m changed.
with() {
    jq "$1" "$m/config.json" >"$m/new"
    mv "$m/new" "$m/config.json"
}

@test "a base model is captured; predictions are refused with what makes them" {
    m=$ROOT/tests/data/llama-base
    exits 0 forward-capture -q -m "$m" --sites ffn.active,resid.post <"$m/tokens.nf"
    for site in pred logits; do
        exits 3 forward-capture -q -m "$m" --sites $site <"$m/tokens.nf"
        says "AutoModelForCausalLM"
    done
    exits 3 lesion -q -m "$m" --drop all <"$m/tokens.nf"
    says "no unembedding"
    exits 3 logit-lens -q -m "$m" <"$m/tokens.nf"
    says "no unembedding"
    forward-capture -q -m "$m" --sites ffn.active <"$m/tokens.nf" | reduce-stats >"$BATS_TEST_TMPDIR/stats"
    exits 3 classify-neurons -q -m "$m" <"$BATS_TEST_TMPDIR/stats"
    says "no unembedding"
    exits 0 model-info "$m"
    prints "no unembedding: no predictions"
}

@test "what is passed over is one line, and only under -v" {
    copy llama-bias
    with '. + {is_llama_config: true, unsloth_version: "2025.1", rope_theta: 7}'
    exits 0 forward-capture -q -m "$m" --sites resid.post <"$m/tokens.nf"
    [ ! -s "$BATS_TEST_TMPDIR/err" ]
    mv "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/ours"
    exits 0 forward-capture -v -m "$m" --sites resid.post <"$m/tokens.nf"
    [ "$(grep -c "is_llama_config, unsloth_version.*rope_theta 10000.*not rope_theta 7" "$BATS_TEST_TMPDIR/err")" -eq 1 ]
    forward-capture -q -m "$ROOT/tests/data/llama-bias" --sites resid.post <"$m/tokens.nf" |
        stream-diff - "$BATS_TEST_TMPDIR/ours"
}

@test "model-info says what is done differently, and exits 0" {
    copy llama-bias
    exits 0 model-info "$m"
    [ "$(grep -c differs "$BATS_TEST_TMPDIR/out")" -eq 0 ]
    with '. + {is_llama_config: true, rope_theta: 7}'
    exits 0 model-info "$m"
    prints "differs      keys of config.json passed over: is_llama_config"
    prints "             rope_theta 10000 of the rotary object counts, not rope_theta 7 beside it"
    exits 0 model-info -f json "$m"
    [ "$(jq '.differs | length' "$BATS_TEST_TMPDIR/out")" -eq 2 ]
}

@test "model-info describes a model whose tokenizer is refused" {
    copy llama-bias
    echo '{"model": {"type": "Nonesuch"}}' >"$m/tokenizer.json"
    exits 0 model-info "$m"
    prints "tokenizer    refused: "
    exits 0 model-info -f json "$m"
    [[ $(jq -r .tokenizer.refused "$BATS_TEST_TMPDIR/out") == *Nonesuch* ]]
}

@test "a tokenizer with more tokens than the model has rows is described" {
    copy llama-bias
    cp "$MODEL/tokenizer.json" "$m"
    exits 0 model-info "$m"
    prints "tokens have no row in the embedding"
}

@test "an adapter, a Git LFS pointer and quantised weights are called what they are" {
    copy llama-bias
    echo '{"base_model_name_or_path": "x"}' >"$m/adapter_config.json"
    exits 3 model-info "$m"
    says merge_and_unload
    copy llama-bias
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n' >"$m/model.safetensors"
    exits 3 model-info "$m"
    says "git lfs pull"
    copy llama-bias
    with '.quantization_config = {quant_method: "gptq", bits: 4}'
    exits 3 model-info "$m"
    says "the weights are quantised (gptq)"
}
