#!/usr/bin/env bats
# -m FILE.gguf: a model in a GGUF file, whole or in parts, here, in a folder or in the Hub cache.

load ../helpers

DATA=$ROOT/tests/data
GGUF=$DATA/gguf

# site MODEL: what the last layers of the model say of its fixture's tokens.
site() { forward-capture -q -m "$1" --sites resid.post,ffn.pre,pred <"$DATA/llama-bias/tokens.nf"; }

@test "the same bits as the checkpoint that it was made of" {
    site "$DATA/llama-bias" >"$BATS_TEST_TMPDIR/a.nf"
    site "$GGUF/llama-bias.gguf" >"$BATS_TEST_TMPDIR/b.nf"
    site "$GGUF/llama-bias-qkv.gguf" >"$BATS_TEST_TMPDIR/c.nf"
    stream-diff --nan-equal "$BATS_TEST_TMPDIR/a.nf" "$BATS_TEST_TMPDIR/b.nf"
    stream-diff --nan-equal "$BATS_TEST_TMPDIR/a.nf" "$BATS_TEST_TMPDIR/c.nf"
    site "$DATA/llama-rope3" >"$BATS_TEST_TMPDIR/d.nf"
    exits 3 stream-diff --nan-equal "$BATS_TEST_TMPDIR/a.nf" "$BATS_TEST_TMPDIR/d.nf"
}

@test "the numbers of transformers" {
    for family in gpt2-plain gpt-neox-parallel gpt-neox-sequential llama-bias llama-linear phi-half qwen2-tied qwen3-tied; do
        exits 0 model-info --verify "$DATA/$family/reference.nf" "$GGUF/$family.gguf" || { echo "$family"; false; }
    done
}

@test "any part stands for all" {
    for part in 1 2 3; do
        model-info -f json "$GGUF/llama-rope3-parts-0000$part-of-00003.gguf" >"$BATS_TEST_TMPDIR/info"
        [ "$(jq -r .weights_sha256 "$BATS_TEST_TMPDIR/info")" = "$(model-info -f json "$GGUF/llama-rope3.gguf" | jq -r .weights_sha256)" ]
        [ "$(jq -r .name "$BATS_TEST_TMPDIR/info")" = llama-rope3-parts ]
    done
}

@test "a folder stands for the one GGUF file in it, unless it has other weights" {
    mkdir "$BATS_TEST_TMPDIR/m"
    cp "$GGUF"/llama-rope3-parts-* "$BATS_TEST_TMPDIR/m"
    cp "$GGUF/llama-bias.gguf" "$BATS_TEST_TMPDIR/m/mmproj-vision.gguf"
    cp "$DATA/llama-bias/config.json" "$BATS_TEST_TMPDIR/m"
    [ "$(model-info -f json "$BATS_TEST_TMPDIR/m" | jq -r .name)" = llama-rope3-parts ]
    cp "$GGUF/llama-bias.gguf" "$BATS_TEST_TMPDIR/m/b.gguf"
    exits 2 model-info "$BATS_TEST_TMPDIR/m"
    says "several GGUF files, of which one has to be named: b.gguf, llama-rope3-parts-00001-of-00003.gguf"
    cp "$DATA/llama-bias/model.safetensors" "$BATS_TEST_TMPDIR/m"
    [ "$(model-info -f json "$BATS_TEST_TMPDIR/m" | jq -r .name)" = m ]
}

@test "a file of a repository in the Hub cache" {
    unset HUGGINGFACE_HUB_CACHE HF_HOME XDG_CACHE_HOME
    export HF_HUB_CACHE=$BATS_TEST_TMPDIR/hub
    commit=0123456789abcdef0123456789abcdef01234567
    snapshot=$HF_HUB_CACHE/models--org--tiny-GGUF/snapshots/$commit
    mkdir -p "$snapshot" "$HF_HUB_CACHE/models--org--tiny-GGUF/refs"
    printf %s $commit >"$HF_HUB_CACHE/models--org--tiny-GGUF/refs/main"
    cp "$GGUF/llama-bias.gguf" "$GGUF/llama-linear.gguf" "$snapshot"
    [ "$(model-info -f json org/tiny-GGUF/llama-bias.gguf | jq -r .name)" = llama-bias ]
    exits 2 model-info org/tiny-GGUF/other.gguf
    says "org/tiny-GGUF/other.gguf: no file other.gguf in"
    exits 2 model-info org/tiny-GGUF
    says "several GGUF files, of which one has to be named: llama-bias.gguf, llama-linear.gguf"
    rm "$snapshot/llama-linear.gguf"
    [ "$(model-info -f json org/tiny-GGUF | jq -r .name)" = llama-bias ]
}

@test "what is no GGUF file is refused" {
    exits 2 model-info "$DATA/llama-bias/config.json"
    says "config.json: not a directory, nor a file named *.gguf"
    exits 2 model-info --revision main "$GGUF/llama-bias.gguf"
    says "is a file; only a model in the Hub cache has revisions"
    head -c 1000 "$GGUF/llama-bias.gguf" >"$BATS_TEST_TMPDIR/cut.gguf"
    exits 3 model-info "$BATS_TEST_TMPDIR/cut.gguf"
    says "cut.gguf: "
    echo nothing >"$BATS_TEST_TMPDIR/no.gguf"
    exits 3 model-info "$BATS_TEST_TMPDIR/no.gguf"
    says "no.gguf: no GGUF file"
    exits 2 model-info "$BATS_TEST_TMPDIR/absent.gguf"
    says "absent.gguf"
}
