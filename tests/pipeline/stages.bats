#!/usr/bin/env bats
# pipelines/stages.mk: two models of different families, from text to tables.

load ../helpers

study() {
    make -s -f "$ROOT/pipelines/stages.mk" CORPUS="$BATS_FILE_TMPDIR/text" LIMIT=1500 CONTEXT=64 REDUCE="--cka-batch 8" PATH="$PATH" "$@"
}

setup_file() {
    load ../helpers
    mkdir -p "$BATS_FILE_TMPDIR/text/letters" "$BATS_FILE_TMPDIR/llama"
    cp "$CORPUS"/letters/0[12].txt "$BATS_FILE_TMPDIR/text/letters"
    # a second model that reads the same text: the tokenizer of the first, random weights
    "$NF_TESTS/bench/make_checkpoint" llama "$BATS_FILE_TMPDIR/llama" 3 32 48 4 8192 64
    cp "$MODEL"/tokenizer*.json "$MODEL/special_tokens_map.json" "$BATS_FILE_TMPDIR/llama"
    study MODELS="$MODEL $BATS_FILE_TMPDIR/llama" OUT="$BATS_FILE_TMPDIR/out"
}

@test "every stream is whole and of its kind" {
    for m in model llama; do
        stream-check --kind effects "$BATS_FILE_TMPDIR/out/$m/lesion.nf"
        stream-check --kind lens "$BATS_FILE_TMPDIR/out/$m/lens.nf"
        stream-check --kind stats "$BATS_FILE_TMPDIR/out/$m/stats.nf"
        stream-check --kind neurons "$BATS_FILE_TMPDIR/out/$m/neurons.nf"
    done
}

@test "tables have a row for each intervention and point" {
    # 6 layers: the model, 6 drops, 5 swaps, 4 blocks of 3 repeated; 3 layers: 1 + 3 + 2 + 1; points are one more than layers; a line of names
    [ "$(wc -l <"$BATS_FILE_TMPDIR/out/model/lesion.tsv")" -eq 17 ]
    [ "$(wc -l <"$BATS_FILE_TMPDIR/out/llama/lesion.tsv")" -eq 8 ]
    [ "$(wc -l <"$BATS_FILE_TMPDIR/out/model/lens.tsv")" -eq 8 ]
    # the first block is the one that a trained model cannot do without
    awk -F'\t' '$2 == "drop" { kl[$3] = $5 } END { for (l in kl) if (l > 0 && kl[l] > kl[0] / 3) exit 1 }' "$BATS_FILE_TMPDIR/out/model/lesion.tsv"
    # and the last point is the model itself
    awk -F'\t' '$1 == 6 { exit !($4 == 0 && $6 == 1) }' "$BATS_FILE_TMPDIR/out/model/lens.tsv"
}

@test "one report holds all models, and every figure of the stages" {
    grep -q '</html>' "$BATS_FILE_TMPDIR/out/report.html"
    head -1 "$BATS_FILE_TMPDIR/out/report.md" | grep -qx '# Stages of inference of model and llama'
    [ "$(grep -o '^### Figure [^:]*' "$BATS_FILE_TMPDIR/out/report.md" | cut -d' ' -f3 | xargs)" = "S1 S2 S3 S4 S5 S6 S7 S8 S9 S10" ]
    grep -q '^| llama | swap 1 |' "$BATS_FILE_TMPDIR/out/report.md"
}

@test "what is there is not made again" {
    before=$(stat -c %Y%i "$BATS_FILE_TMPDIR"/out/*/* "$BATS_FILE_TMPDIR"/out/report.*)
    study MODELS="$MODEL $BATS_FILE_TMPDIR/llama" OUT="$BATS_FILE_TMPDIR/out"
    [ "$before" = "$(stat -c %Y%i "$BATS_FILE_TMPDIR"/out/*/* "$BATS_FILE_TMPDIR"/out/report.*)" ]
}

@test "models of one name are refused" {
    got=0
    study MODELS="a/x b/x" OUT="$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || got=$?
    [ "$got" -eq 2 ]
    grep -q "same name" "$BATS_TEST_TMPDIR/err"
}
