#!/usr/bin/env bats
# -m NAME --revision REV: a model in the Hub cache, as huggingface_hub lays it out.

load ../helpers

A=0123456789abcdef0123456789abcdef01234567
B=89abcdef0123456789abcdef0123456789abcdef
TOKENS=$ROOT/tests/data/opt-preln/tokens.nf

# cached REPOSITORY COMMIT DIR: the files of DIR as that snapshot, links to blobs.
cached() {
    local repo=$HF_HUB_CACHE/$1 f
    mkdir -p "$repo/blobs" "$repo/refs" "$repo/snapshots/$2"
    for f in "$3"/config.json "$3"/model.safetensors; do
        cp "$f" "$repo/blobs/$2-${f##*/}"
        ln -s "../../blobs/$2-${f##*/}" "$repo/snapshots/$2/${f##*/}"
    done
}

setup() {
    unset HUGGINGFACE_HUB_CACHE HF_HOME XDG_CACHE_HOME
    export HF_HUB_CACHE=$BATS_TEST_TMPDIR/hub
    cached models--facebook--opt-tiny $A "$ROOT/tests/data/opt-preln"
    cached models--facebook--opt-tiny $B "$ROOT/tests/data/opt-bare"
    cached models--bare $B "$ROOT/tests/data/opt-bare"
    mkdir -p "$HF_HUB_CACHE/models--facebook--opt-tiny/refs/refs/pr"
    printf %s $A >"$HF_HUB_CACHE/models--facebook--opt-tiny/refs/main"
    printf '%s\n' $B >"$HF_HUB_CACHE/models--facebook--opt-tiny/refs/step3000"
    printf %s $B >"$HF_HUB_CACHE/models--facebook--opt-tiny/refs/refs/pr/7"
    printf %s $B >"$HF_HUB_CACHE/models--bare/refs/main"
}

# of ARGUMENT...: name, revision and digest of the weights of what model-info opens.
of() { model-info -f json "$@" | jq -r '[.name, .revision, .weights_sha256[:8]] | join(" ")'; }

@test "a name is the snapshot that its revision points to" {
    preln=$(model-info -f json "$ROOT/tests/data/opt-preln" | jq -r '.weights_sha256[:8]')
    bare=$(model-info -f json "$ROOT/tests/data/opt-bare" | jq -r '.weights_sha256[:8]')
    [ "$preln" != "$bare" ]
    [ "$(of facebook/opt-tiny)" = "opt-tiny $A $preln" ]
    [ "$(of facebook/opt-tiny --revision main)" = "opt-tiny $A $preln" ]
    [ "$(of facebook/opt-tiny --revision step3000)" = "opt-tiny $B $bare" ]
    [ "$(of facebook/opt-tiny --revision $B)" = "opt-tiny $B $bare" ]
    [ "$(of facebook/opt-tiny --revision refs/pr/7)" = "opt-tiny $B $bare" ]
    [ "$(of bare)" = "bare $B $bare" ]
}

@test "the cache is where huggingface_hub has it" {
    hub=$HF_HUB_CACHE
    unset HF_HUB_CACHE
    HUGGINGFACE_HUB_CACHE=$hub of bare
    mkdir -p "$BATS_TEST_TMPDIR/home/.cache/huggingface" "$BATS_TEST_TMPDIR/xdg/huggingface"
    HF_HOME=${hub%/hub} of bare
    ln -s "$hub" "$BATS_TEST_TMPDIR/xdg/huggingface/hub"
    XDG_CACHE_HOME=$BATS_TEST_TMPDIR/xdg HOME=/nowhere of bare
    ln -s "$hub" "$BATS_TEST_TMPDIR/home/.cache/huggingface/hub"
    HOME=$BATS_TEST_TMPDIR/home of bare
    # shellcheck disable=SC2088  # as a user's environment may have it
    HOME=${hub%/hub} HF_HUB_CACHE='~/hub' of bare
    HF_HUB_CACHE=$BATS_TEST_TMPDIR/empty HF_HOME=${hub%/hub} exits 2 model-info bare
    says "$BATS_TEST_TMPDIR/empty"
}

@test "every filter that takes a model takes a name" {
    ln -s "$ROOT/pipelines/demo/model/tokenizer.json" "$HF_HUB_CACHE/models--bare/snapshots/$B/tokenizer.json"
    echo hello | tokenize -m bare --context 20 | stream-check -
    forward-capture -q -m facebook/opt-tiny <"$TOKENS" >"$BATS_TEST_TMPDIR/a"
    stream-dump --header --format ndjson "$BATS_TEST_TMPDIR/a" | head -1 | jq -e --arg a $A '.model.revision == $a and .model.name == "opt-tiny"'
    reduce-stats <"$BATS_TEST_TMPDIR/a" | classify-neurons -m facebook/opt-tiny | stream-check -
    reduce-stats <"$BATS_TEST_TMPDIR/a" >"$BATS_TEST_TMPDIR/s"
    exits 3 classify-neurons -m facebook/opt-tiny --revision step3000 <"$BATS_TEST_TMPDIR/s"
    says "made with another model than opt-tiny: config.json"
}

@test "what is not there is said, with what is" {
    exits 2 model-info facebook/opt-other
    says "facebook/opt-other: no such directory, and not in the Hub cache $HF_HUB_CACHE (nothing is downloaded)"
    exits 2 model-info facebook/opt-tiny --revision step4000
    says "revision step4000 is not in the Hub cache (nothing is downloaded); there: main, refs, step3000"
    exits 2 model-info facebook/opt-tiny --revision ${A/0/1}
    says "is not in the Hub cache"
    exits 2 model-info facebook/opt-tiny --revision 0123456
    says "revision 0123456"
    exits 2 model-info "$ROOT/tests/data/opt-preln" --revision main
    says "is a directory"
}

@test "a name cannot leave the cache" {
    for name in ../x a/../b a/b/c /etc a//b a/ "a b" . ..; do
        [ ! -d "$name" ] || continue
        exits 2 model-info "$name"
        says "not the name of a model"
    done
    for revision in ../main a/../b /etc "a b" ..; do
        exits 2 model-info bare --revision "$revision"
        says "not the name of a branch"
    done
}

@test "a snapshot in part is refused" {
    rm "$HF_HUB_CACHE/models--bare/blobs/$B-model.safetensors"
    exits 3 model-info bare
    says "$HF_HUB_CACHE/models--bare/snapshots/$B/model.safetensors: a link to a file that is not there"
    rm -r "$HF_HUB_CACHE/models--bare/snapshots"
    exits 3 model-info bare
    says "commit $B is not in the Hub cache"
    printf 'not a commit' >"$HF_HUB_CACHE/models--bare/refs/main"
    exits 3 model-info bare
    says "the name of a commit is expected"
}
