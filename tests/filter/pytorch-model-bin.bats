#!/usr/bin/env bats
# Checkpoints as torch.save() wrote them: the same model as the safetensors.

load ../helpers

setup() {
    cd "$ROOT" || return 1
    T=$BATS_TEST_TMPDIR
}

capture() {
    forward-capture -q -m "tests/data/$1" --sites resid.post,logits <tests/data/opt-preln/tokens.nf
}

@test "one legacy file with the Hub's old names, or two zip shards: the digest and every bit of the safetensors" {
    capture opt-preln >"$T/want.nf"
    for m in opt-bin opt-bin-shards; do
        capture $m >"$T/got.nf"
        stream-diff "$T/want.nf" "$T/got.nf"
        cmp <(stream-dump --header "$T/want.nf" --format ndjson | head -1 | jq .model.weights_sha256) \
            <(stream-dump --header "$T/got.nf" --format ndjson | head -1 | jq .model.weights_sha256)
    done
}

@test "a pickle that calls something is refused by name, and nothing is run" {
    cp -r tests/data/opt-bin "$T/m"
    cp tests/data/torchfile/evil.bin "$T/m/pytorch_model.bin"
    exits 3 forward-capture -q -m "$T/m" <tests/data/opt-preln/tokens.nf
    says "posix.system"
    [ ! -s "$T/out" ] || exits 3 stream-check "$T/out"
}

@test "a cut file and a missing shard are named" {
    cp -r tests/data/opt-bin-shards "$T/m"
    truncate -s -100 "$T/m/pytorch_model-00002-of-00002.bin"
    exits 3 forward-capture -q -m "$T/m" <tests/data/opt-preln/tokens.nf
    says "pytorch_model-00002-of-00002.bin"
    rm "$T/m/pytorch_model-00002-of-00002.bin"
    exits 1 forward-capture -q -m "$T/m" <tests/data/opt-preln/tokens.nf
    says "pytorch_model-00002-of-00002.bin"
}
