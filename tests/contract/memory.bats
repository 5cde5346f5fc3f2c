#!/usr/bin/env bats
# What --memory bounds in every filter that runs a model: what is resident is that, and little more.

load ../helpers

# The table of the vocabulary alone, and the blocks together, are larger than what may come on top: pages of the checkpoint must not stay.
setup_file() {
    load ../helpers
    mkdir "$BATS_FILE_TMPDIR/model"
    "$NF_TESTS/bench/make_checkpoint" opt "$BATS_FILE_TMPDIR/model" 8 256 4096 4 50272 512
    cp "$MODEL"/{tokenizer,tokenizer_config,special_tokens_map}.json "$BATS_FILE_TMPDIR/model/"
    tokenize -q -m "$MODEL" --context 128 --full-only --limit 1024 "$CORPUS/fiction" >"$BATS_FILE_TMPDIR/tokens.nf"
}

# The manuals say about 20 MiB; libraries of other systems are larger, and the table that must not stay is 49 MiB, the blocks 75.
MEMORY=48 ON_TOP=40

# stays FILTER OPTION...: its peak resident size, MiB, is within MEMORY + ON_TOP.
stays() {
    local peak
    [ -z "$NF_SAN" ] || skip "a sanitizer keeps what was freed"
    peak=$("$NF_TESTS/bench/measure" "$@" -q --memory ${MEMORY}M -m "$BATS_FILE_TMPDIR/model" <"$BATS_FILE_TMPDIR/tokens.nf" 2>&1 >"$BATS_TEST_TMPDIR/out" | tail -1 | cut -d' ' -f3)
    awk -v p="$peak" -v m=$MEMORY -v t=$ON_TOP 'BEGIN { print p; exit !(p > 1 && p < m + t) }'
}

@test "forward-capture stays within --memory" {
    stays forward-capture --sites ffn.active,resid.post
    stays forward-capture --sites pred
}

@test "lesion stays within --memory" {
    stays lesion --drop all
}

@test "logit-lens stays within --memory" {
    stays logit-lens --mid
    stays logit-lens --attribute
}
