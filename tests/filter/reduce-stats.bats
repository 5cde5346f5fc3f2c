#!/usr/bin/env bats
# What reduce-stats promises: shards that add up, bounded memory, refusals that name the cause.
# The numbers themselves: tests/unit/test_reduce.c (brute force) and test_stats_reference.c (NumPy).

load ../helpers

setup_file() {
    load ../helpers
    export D=$BATS_FILE_TMPDIR
    tokenize -m "$MODEL" --context 64 --limit 3000 "$CORPUS" >"$D/tokens.nf"
    forward-capture -q -m "$MODEL" --sites ffn.active,ffn.act,norms,pred --layers 1:4 <"$D/tokens.nf" >"$D/few.nf"
    forward-capture -q -m "$MODEL" <"$D/tokens.nf" >"$D/activations.nf"
    reduce-stats <"$D/activations.nf" >"$D/stats.nf"
}

# field NAME FILE: a field of the totals record.
field() {
    stream-dump -f tsv -r totals -c "$1" "$2" | tail -1
}

@test "shards, in any order and grouping, add up to the whole" {
    for k in 1 2 3; do
        tokenize -m "$MODEL" --context 64 --shard $k/3 "$CORPUS/letters" "$CORPUS/code" | forward-capture -q -m "$MODEL" \
            --sites ffn.active,resid.post,pred --batch-tokens $((k * 100)) | reduce-stats -j $k >"$D/$k.nf"
    done
    tokenize -m "$MODEL" --context 64 "$CORPUS/letters" "$CORPUS/code" | forward-capture -q -m "$MODEL" --sites ffn.active,resid.post,pred |
        reduce-stats >"$D/whole.nf"
    reduce-stats "$D/3.nf" "$D/1.nf" >"$D/31.nf"
    reduce-stats "$D/2.nf" - <"$D/31.nf" >"$D/231.nf"
    exits 0 stream-diff --nan-equal "$D/whole.nf" "$D/231.nf"
    cmp <(stream-dump -f ndjson "$D/whole.nf") <(stream-dump -f ndjson "$D/231.nf")
    reduce-stats <"$D/whole.nf" >"$D/again.nf"
    exits 0 stream-diff --nan-equal "$D/whole.nf" "$D/again.nf"
    # the history names what was merged
    stream-dump -f ndjson --header "$D/231.nf" | head -1 | jq -e '.history[-1].inputs | length == 2 and all(.kind == "stats" and (.sha256 | length) == 64)'
}

@test "what was written passes stream-check, whatever the sites" {
    exits 0 reduce-stats "$D/few.nf"
    stream-check "$BATS_TEST_TMPDIR/out"
    exits 0 reduce-stats --orders 0 --top 0 --include-bos "$D/few.nf"
    stream-check "$BATS_TEST_TMPDIR/out"
    [ -z "$(stream-dump -f ndjson -r ngrams,counts,top "$BATS_TEST_TMPDIR/out")" ]
}

@test "BOS positions are left out, or put in with --include-bos" {
    local bos n with
    reduce-stats "$D/few.nf" >"$D/without.nf"
    reduce-stats --include-bos "$D/few.nf" >"$D/with.nf"
    bos=$(field bos "$D/with.nf")
    n=$(stream-dump -f ndjson -r moments -s norms -l 1 "$D/without.nf" | jq '.n[0]')
    with=$(stream-dump -f ndjson -r moments -s norms -l 1 "$D/with.nf" | jq '.n[0]')
    [ "$bos" -gt 0 ] && [ "$with" -eq $((n + bos)) ] && [ "$n" -eq "$(field tokens "$D/with.nf")" ]
}

@test "n-grams of chosen lengths and layers" {
    exits 0 reduce-stats --orders 1,3 --ngram-layers :2 "$D/activations.nf"
    [ "$(stream-dump -f ndjson -r counts "$BATS_TEST_TMPDIR/out" | jq -c '[.layer, .order]' | sort -u | tr '\n' ' ')" = "[0,1] [0,3] [1,1] [1,3] " ]
    [ "$(field tokens "$BATS_TEST_TMPDIR/out")" = "$(field tokens "$D/stats.nf")" ]
}

@test "little memory: the bounds are in the stream, and hold" {
    local over
    exits 0 reduce-stats --memory 2M "$D/activations.nf"
    stream-check "$BATS_TEST_TMPDIR/out"
    # key -> [n, dropped], and every exact n is within them; n-grams that are gone are within delta
    stream-dump -f ndjson -r ngrams "$D/stats.nf" | jq -c '. as $r | range(.n | length) | [$r.keys[.], $r.n[.]]' | sort >"$D/exact"
    stream-dump -f ndjson -r ngrams "$BATS_TEST_TMPDIR/out" |
        jq -c '. as $r | range(.n | length) | [$r.keys[.], $r.n[.], ($r.dropped // [])[.] // 0]' | sort >"$D/bounded"
    stream-dump -f ndjson -r lost_ngrams "$BATS_TEST_TMPDIR/out" | jq -s 'map({(.order | tostring): .delta}) | add' >"$D/delta"
    [ "$(jq '.["3"]' "$D/delta")" -gt 0 ]
    over=$(jq -n --slurpfile exact "$D/exact" --slurpfile bounded "$D/bounded" --slurpfile delta "$D/delta" '
        ($bounded | map({(.[0] | tostring): .}) | add) as $b
        | [$exact[] | ($b[.[0] | tostring] // [.[0], 0, $delta[0][.[0] | length | tostring]]) as $g
           | select(.[1] < $g[1] or .[1] > $g[1] + $g[2])] | length')
    [ "$over" -eq 0 ]
    [ "$(wc -l <"$D/bounded")" -lt "$(wc -l <"$D/exact")" ]
}

@test "memory does not grow with the corpus" {
    local one ten
    [ -z "$NF_SAN" ] || skip "a sanitizer keeps what was freed"
    for _ in {1..10}; do cat "$CORPUS"/fiction/*; done >"$D/ten.txt"
    cat "$CORPUS"/fiction/* >"$D/one.txt"
    for n in one ten; do
        tokenize -m "$MODEL" --context 64 "$D/$n.txt" | forward-capture -q -m "$MODEL" --layers :2 >"$D/$n.nf"
        declare $n="$("$NF_TESTS/bench/measure" reduce-stats --memory 4M "$D/$n.nf" 2>&1 >"$D/out" | tail -1 | cut -d' ' -f3)"
    done
    # MiB; 4 is what one reader's buffers vary by
    awk -v a="$one" -v b="$ten" 'BEGIN { print a, b; exit !(a > 1 && b < a + 4) }'
}

@test "streams of other runs are not merged, and the field is named" {
    tokenize -m "$MODEL" --context 32 --limit 500 "$CORPUS" | forward-capture -q -m "$MODEL" | reduce-stats >"$D/other.nf"
    exits 3 reduce-stats "$D/stats.nf" "$D/other.nf"
    says "$D/other.nf: context differs"
    reduce-stats --bin 8 "$D/activations.nf" >"$D/other.nf"
    exits 3 reduce-stats "$D/stats.nf" "$D/other.nf"
    says "totals.bin differs"
    exits 3 reduce-stats "$D/stats.nf" "$D/activations.nf"
    says "$D/activations.nf"
}

@test "a stream that is cut is refused, and nothing downstream takes what was written" {
    head -c 100000 "$D/activations.nf" >"$BATS_TEST_TMPDIR/cut.nf"
    statuses "3 3" "reduce-stats '$BATS_TEST_TMPDIR/cut.nf' | stream-check"
    exits 3 reduce-stats "$D/stats.nf" "$BATS_TEST_TMPDIR/cut.nf"
    says "cut.nf"
    exits 3 reduce-stats <"$D/tokens.nf"
    says "tokens"
}

@test "memory that does not hold the exact counts is refused" {
    tokenize -m "$MODEL" --context 512 --full-only --limit 4096 "$CORPUS" | forward-capture -q -m "$MODEL" >"$D/long.nf"
    exits 2 reduce-stats --memory 1M "$D/long.nf"
    says "does not hold the counts by position and domain"
    exits 2 reduce-stats --memory 1M "$D/few.nf"
    says "the sites up to ffn.act need"
}

@test "options out of range are refused" {
    exits 2 reduce-stats --orders 4
    says "--orders 4"
    exits 2 reduce-stats --orders ''
    exits 2 reduce-stats --memory 10
    exits 2 reduce-stats --bin 0
    exits 1 reduce-stats /nonexistent
    says "/nonexistent"
}
