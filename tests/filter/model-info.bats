#!/usr/bin/env bats
# model-info: what it says of a checkpoint, and that --verify sees what is wrong.

load ../helpers

D=$ROOT/tests/data

# copy NAME: a fixture that may be changed, in $m.
copy() {
    m=$BATS_TEST_TMPDIR/$1
    cp -r "$D/$1" "$m"
}

@test "the numbers of every family are those of transformers" {
    for d in "$D"/*/reference.nf; do
        exits 0 model-info --verify "$d" "${d%/*}" || { echo "$d"; cat "$BATS_TEST_TMPDIR/out"; false; }
        [[ $d == */llama-base/* ]] || prints "the same top-1 in 26 of 26 rows"   # a base model has no logits
        exits 0 model-info --dtype bf16 --verify "$d" "${d%/*}" || { echo "$d"; cat "$BATS_TEST_TMPDIR/out"; false; }
    done
}

@test "parity.sh prints a row for each, and fails when one is off" {
    exits 0 "$ROOT/pipelines/parity.sh"
    [ "$(grep -c '26 of 26' "$BATS_TEST_TMPDIR/out")" -eq "$(($(find "$D" -name reference.nf | wc -l) - 1))" ]
    prints "| llama-base | llama | 26 | - | - |"
    copy qwen3-tied
    change_weight "$m/model.safetensors"
    exits 3 "$ROOT/pipelines/parity.sh" "$m" "$D/qwen2-tied"
    prints "qwen3-tied (OFF)"
}

# change_weight FILE: turn the sign of one element of the last tensor.
change_weight() {
    local size byte
    size=$(stat -c %s "$1")
    byte=$(od -An -tu1 -j $((size - 41)) -N 1 "$1")
    # shellcheck disable=SC2059  # an octal escape
    printf "\\$(printf %o $((byte ^ 128)))" | dd of="$1" bs=1 seek=$((size - 41)) conv=notrunc status=none
}

@test "one changed weight is seen, and where" {
    copy llama-linear
    change_weight "$m/model.safetensors"
    exits 3 model-info --verify "$m/reference.nf" "$m"
    prints "OFF"
    says "the reference has"
    exits 0 model-info --atol 100 --verify "$m/reference.nf" "$m"
    exits 0 model-info --verify "$D/llama-linear/reference.nf" "$D/llama-linear"
}

@test "a bit that differs far from zero is seen" {
    copy llama-plain
    forward-capture -q -m "$m" --sites ffn.active <"$m/tokens.nf" >"$m/bits.nf"
    exits 0 model-info --verify "$m/bits.nf" "$m"
    prints "0 bits"
    # the same stream with one byte of its bits turned
    zstd -dcq "$m/bits.nf" >"$m/raw.nf"
    size=$(stat -c %s "$m/raw.nf")
    at=$(grep -obUaP 'data\xc4' "$m/raw.nf" | tail -1 | cut -d: -f1)
    byte=$(od -An -tu1 -j $((at + 6)) -N 1 "$m/raw.nf")
    # shellcheck disable=SC2059
    printf "\\$(printf %o $((byte ^ 255)))" | dd of="$m/raw.nf" bs=1 seek=$((at + 6)) conv=notrunc status=none
    [ "$size" -eq "$(stat -c %s "$m/raw.nf")" ]
    exits 3 model-info --verify "$m/raw.nf" "$m"
    prints "8 bits"
    prints "OFF"
}

@test "a reference in any batches, and of some sites and layers, will do" {
    copy opt-preln
    for o in "--batch-tokens 21" "--batch-tokens 400"; do
        # shellcheck disable=SC2086
        forward-capture -q -m "$m" --sites resid.post,logits,norms,pred --layers 1 $o <"$m/tokens.nf" >"$m/ours.nf"
        exits 0 model-info -f json --verify "$m/ours.nf" "$m"
        jq -e '[.sites[] | .layers == 1 and .off == 0 and .ok] == [true, true, true, true] and .tokens == 46 and .windows == 4 and .top_same == 46' \
            "$BATS_TEST_TMPDIR/out"
    done
}

@test "a reference that does not belong is refused" {
    exits 3 model-info --verify "$D/gpt2-plain/reference.nf" "$D/gpt2-bylayer"
    says "made with a model of D = 12, gpt2-bylayer has 16"
    exits 3 model-info --verify "$D/opt-preln/tokens.nf" "$D/opt-preln"
    says "kind"
    forward-capture -q -m "$D/opt-preln" --positions 2: <"$D/opt-preln/tokens.nf" >"$BATS_TEST_TMPDIR/some"
    exits 3 model-info --verify "$BATS_TEST_TMPDIR/some" "$D/opt-preln"
    says "some positions only"
    head -c 20000 "$D/gpt2-plain/reference.nf" >"$BATS_TEST_TMPDIR/cut"
    exits 3 model-info --verify "$BATS_TEST_TMPDIR/cut" "$D/gpt2-plain"
    says "cut"
    exits 1 model-info --verify "$BATS_TEST_TMPDIR/nowhere" "$D/gpt2-plain"
    exits 2 model-info --no-weights --verify "$D/gpt2-plain/reference.nf" "$D/gpt2-plain"
    exits 2 model-info
    exits 2 model-info a b
}

@test "parameters are counted as the tensors have them" {
    for d in "$D"/*/model.safetensors; do
        # the header of a safetensors file: 8 bytes of length, then JSON; buffers, other modalities and a tied copy of the embedding do not count
        n=$(od -An -tu8 -N 8 "$d")
        tied=$(model-info -f json --no-weights "${d%/*}" | jq .tied)
        want=$(tail -c +9 "$d" | head -c "$n" | jq --argjson tied "$tied" '[to_entries[] | select(.key != "__metadata__") |
            select(.key | test("\\.(attn|attention)\\.bias$|masked_bias$|inv_freq$|^vision_tower|^multi_modal") | not) | select(($tied and (.key | test("lm_head.weight|embed_out"))) | not) |
            .value.shape | reduce .[] as $x (1; . * $x)] | add')
        [ "$(model-info -f json "${d%/*}" | jq .parameters)" -eq "$want" ] || { echo "$d: $want"; false; }
    done
}

@test "a directory without tokenizer or weights can be asked" {
    mkdir "$BATS_TEST_TMPDIR/bare"
    cp "$D/phi-half/config.json" "$BATS_TEST_TMPDIR/bare"
    exits 0 model-info --no-weights "$BATS_TEST_TMPDIR/bare"
    prints "weights not read"
    prints "none in this directory"
    exits 3 model-info "$BATS_TEST_TMPDIR/bare"
    says "no model.safetensors"
}
