#!/usr/bin/env bats
# --dry-run of the filters that run a model: the input is counted, the cost added up, nothing computed.

load ../helpers

M=$ROOT/tests/data/opt-preln

setup() {
    TOKENS=$M/tokens.nf
}

# dry FILTER OPTION...: its JSON.
dry() { "$1" -q --dry-run --format json -m "$M" "${@:2}" <"$TOKENS"; }

@test "tokens, windows and rows are those of the run" {
    totals() { stream-dump -f ndjson --header | jq -c 'select(.r == "end").totals | [.tokens, .windows]'; }
    want=$(forward-capture -q -m "$M" <"$TOKENS" | totals)
    for f in forward-capture logit-lens "lesion --drop all"; do
        [ "$(dry $f | jq -c '[.tokens, .windows]')" = "$want" ]
    done
    rows=$(forward-capture -q -m "$M" --positions 5: <"$TOKENS" | stream-dump -f ndjson --header | jq 'select(.r == "end").totals.rows')
    [ "$(dry forward-capture --positions 5: | jq .rows)" -eq "$rows" ]
    [ "$(dry logit-lens --positions 5: | jq .rows)" -eq "$rows" ]
}

@test "captured streams cost no block" {
    forward-capture -q -m "$M" --sites resid.pre,resid.post <"$TOKENS" >"$BATS_TEST_TMPDIR/a"
    TOKENS=$BATS_TEST_TMPDIR/a
    dry logit-lens | jq -e '.tokens == 46 and .windows == 4 and .blocks == 0 and .flop_shares.maps == 0 and .flop_shares.unembedding == 1'
}

@test "the work of interventions is that of the blocks that run" {
    # Per token: blocks of the base pass, then of each intervention from its first change on; an unembedding of each stream.
    block() { dry lesion "$@" | jq -r '.flop_per_token * (1 - .flop_shares.unembedding)'; }
    head() { dry lesion "$@" | jq -r '.flop_per_token * .flop_shares.unembedding'; }
    near() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0.9999 * b && a < 1.0001 * b) }' || { echo "$1, $2"; false; }; }
    one=$(dry logit-lens | jq -r '.flop_per_token * (1 - .flop_shares.unembedding)')    # both blocks, once
    near "$(block --drop 0)" "$(jq -n "$one * 1.5")"      # block 1 again
    near "$(block --drop 1)" "$one"                       # nothing
    near "$(block --swap 0)" "$(jq -n "$one * 2")"
    near "$(block --repeat 2)" "$(jq -n "$one * 2.5")"    # 0 0 1 1: the second block 0, twice block 1
    near "$(head --drop all)" "$(jq -n "$(head --drop 0) * 1.5")"    # three streams instead of two
}

@test "text and JSON say the same" {
    for f in forward-capture logit-lens "lesion --drop all"; do
        $f -q -n -m "$M" <"$TOKENS" >"$BATS_TEST_TMPDIR/text"
        dry $f >"$BATS_TEST_TMPDIR/json"
        grep -q "^input  *$(jq .tokens "$BATS_TEST_TMPDIR/json") tokens in $(jq .windows "$BATS_TEST_TMPDIR/json") windows" "$BATS_TEST_TMPDIR/text"
        grep -q "batches of $(jq .batch_tokens "$BATS_TEST_TMPDIR/json") tokens" "$BATS_TEST_TMPDIR/text"
        grep -q "$(jq '.flop_per_token / 1e6 * 10 | round / 10' "$BATS_TEST_TMPDIR/json") MFLOP/token in $(jq .blocks "$BATS_TEST_TMPDIR/json") blocks" "$BATS_TEST_TMPDIR/text"
    done
}

@test "input that is cut is refused, and memory that is too small" {
    head -c 300 "$TOKENS" >"$BATS_TEST_TMPDIR/cut"
    for f in forward-capture logit-lens "lesion --drop all"; do
        exits 3 $f -q -n -m "$M" <"$BATS_TEST_TMPDIR/cut"
        exits 2 $f -q -n -m "$M" --memory 1k <"$TOKENS"
        says "too small"
    done
}
