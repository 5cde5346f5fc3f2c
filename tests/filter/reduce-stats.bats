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

# ---- measures of stages; their numbers: tests/unit/test_stages_reference.c (NumPy), test_{cka,similarity,locality,merging}.c ----

STAGES=resid.pre,blocks.5.hook_resid_post,norms,attn.local,attn.back

# stages OPTIONS...: activations with what every measure needs.
stages() {
    tokenize -m "$MODEL" --context 32 "$@" "$CORPUS/letters" | forward-capture -q -m "$MODEL" --sites $STAGES
}

@test "measures of shards add up to those of the whole, whatever the batches and threads" {
    local k o=(--no-moments --cka-rows all --measure "similarity,ratios,locality,merging")
    for k in 1 2 3; do
        tokenize -m "$MODEL" --context 32 --shard $k/3 "$CORPUS/letters" | forward-capture -q -m "$MODEL" --batch-tokens $((k * 90)) \
            --sites $STAGES | reduce-stats -j $k "${o[@]}" >"$D/m$k.nf"
    done
    stages | reduce-stats "${o[@]}" >"$D/m.nf"
    stream-check "$D/m.nf"
    reduce-stats "$D/m3.nf" "$D/m1.nf" | reduce-stats "$D/m2.nf" - >"$D/merged.nf"
    exits 0 stream-diff --nan-equal "$D/m.nf" "$D/merged.nf"
    cmp <(stream-dump -f ndjson "$D/m.nf") <(stream-dump -f ndjson "$D/merged.nf")
    [ "$(stream-dump -f ndjson "$D/m.nf" | jq -r .r | grep -v vocab | sort | uniq -c | tr -s ' \n' ' ')" = \
        " 1 cka 6 influence 6 locality 6 merging 66 ratio 4 similarity 1 special 1 totals " ]
}

@test "groups of last positions: shards have their own, and all windows are accounted for" {
    stages | reduce-stats --no-moments --measure similarity --cka-batch 32 >"$D/whole.nf"
    stages --shard 1/2 | reduce-stats --no-moments --measure similarity --cka-batch 32 >"$D/1.nf"
    stages --shard 2/2 | reduce-stats --no-moments --measure similarity --cka-batch 32 >"$D/2.nf"
    reduce-stats "$D/1.nf" "$D/2.nf" >"$D/merged.nf"
    stream-check "$D/merged.nf"
    for f in whole 1 2 merged; do
        stream-dump -f ndjson -r cka "$D/$f.nf" | jq -c '[.n, .left_out, (.blocks | add)]'
        stream-dump -f ndjson -r cka "$D/$f.nf" | jq -e --argjson full "$(field full "$D/$f.nf")" '.n * 32 + .left_out == $full and .n == (.blocks | add)'
    done
    # all the rest is the same, bit for bit; the CKA is the same within its error
    cmp <(stream-dump -f ndjson -r similarity,influence "$D/whole.nf") <(stream-dump -f ndjson -r similarity,influence "$D/merged.nf")
    jq -se '.[0] as $a | .[1] as $b | [range(7) as $i | range(7) as $j | ($a.cka[$i][$j] - $b.cka[$i][$j] | fabs) <= 3 * $a.se[$i][$j]] | all' \
        <(stream-dump -f ndjson -r cka "$D/whole.nf") <(stream-dump -f ndjson -r cka "$D/merged.nf")
}

@test "resid.post of each layer serves as well as resid.pre of the next" {
    stages --limit 3000 | reduce-stats --no-moments --measure similarity --cka-batch 16 >"$D/pre.nf"
    tokenize -m "$MODEL" --context 32 --limit 3000 "$CORPUS/letters" |
        forward-capture -q -m "$MODEL" --sites blocks.0.hook_resid_pre,resid.post | reduce-stats --no-moments --measure similarity --cka-batch 16 >"$D/post.nf"
    cmp <(stream-dump -f ndjson -r cka,similarity "$D/pre.nf") <(stream-dump -f ndjson -r cka,similarity "$D/post.nf")
}

@test "a measure whose site or layer is missing is refused by name" {
    tokenize -m "$MODEL" --context 32 --limit 300 "$CORPUS/letters" >"$D/t.nf"
    forward-capture -q -m "$MODEL" --sites resid.pre --layers 0:4 <"$D/t.nf" >"$D/a.nf"
    exits 3 reduce-stats --measure similarity "$D/a.nf"
    says "similarity needs resid.pre of layer 4, which the stream lacks"
    forward-capture -q -m "$MODEL" --sites resid.pre <"$D/t.nf" >"$D/a.nf"
    exits 3 reduce-stats --measure similarity "$D/a.nf"
    says "similarity needs resid.post of layer 5, which the stream lacks"
    for m in ratios:norms locality:attn.local merging:attn.back; do
        exits 3 reduce-stats --measure "${m%:*}" "$D/a.nf"
        says "${m%:*} needs the site ${m#*:}, which the stream lacks"
    done
    exits 2 reduce-stats --measure stages "$D/a.nf"
    says "--measure stages"
    exits 2 reduce-stats --measure similarity --cka-batch 3 "$D/a.nf"
    says "--cka-batch 3"
}

@test "similarity says when its memory does not do" {
    stages --limit 3000 >"$D/a.nf"
    exits 2 reduce-stats --no-moments --measure similarity -M 1M "$D/a.nf"
    says "the measures need"
    exits 2 reduce-stats --no-moments --measure similarity -M 2M "$D/a.nf"
    says "let forward-capture take fewer --batch-tokens"
    tokenize -m "$MODEL" --context 32 --limit 3000 "$CORPUS/letters" | forward-capture -q -m "$MODEL" --sites $STAGES --batch-tokens 200 >"$D/b.nf"
    exits 0 reduce-stats --no-moments --measure similarity -M 2M "$D/b.nf"
}

@test "too few windows for a group: no CKA, and a line that says so" {
    stages --limit 300 >"$D/a.nf"
    exits 0 reduce-stats --no-moments --measure similarity "$D/a.nf"
    says "0 groups; 9 rows are in none: choose a smaller --cka-batch"
    stream-check "$BATS_TEST_TMPDIR/out"
    stream-dump -f ndjson -r cka "$BATS_TEST_TMPDIR/out" | jq -e '.n == 0 and .left_out == 9 and (.cka | flatten | all(. == null))'
}

@test "BOS: as a query with --include-bos, as a key without --exclude-bos-key" {
    local out=$BATS_TEST_TMPDIR/out
    stages --limit 3000 >"$D/a.nf"
    exits 0 reduce-stats --no-moments --measure locality "$D/a.nf"
    stream-dump -f ndjson -r locality -l 0 "$out" >"$D/key"
    exits 0 reduce-stats --no-moments --measure locality --exclude-bos-key "$D/a.nf"
    stream-dump -f ndjson -r locality -l 0 "$out" >"$D/no_key"
    stream-dump -f ndjson --header "$out" | head -1 | jq -e '.excluded | any(startswith("locality: attention on BOS"))'
    exits 0 reduce-stats --no-moments --measure locality --include-bos "$D/a.nf"
    stream-dump -f ndjson -r locality -l 0 "$out" >"$D/query"
    # taking the key away lowers every sum and leaves position 0; one query a window more
    jq -se '.[0].mean as $a | .[1].mean as $b | [range(6) as $i | $a[4][$i] > $b[4][$i] and $a[5][$i] > $b[5][$i]] + [$a[4][6] == $b[4][6]] | all' "$D/key" "$D/no_key"
    jq -se --argjson bos "$(field bos "$out")" '.[1].n[0][0] - .[0].n[0][0] == $bos' "$D/key" "$D/query"
    # a window begins with its BOS, which looks at itself
    jq -se '.[1].mean[0][6] > .[0].mean[0][6]' "$D/key" "$D/query"
}

@test "measures travel: into tables, arrays, classify-neurons" {
    tokenize -m "$MODEL" --context 32 --limit 3000 "$CORPUS/letters" | forward-capture -q -m "$MODEL" --sites ffn.active,$STAGES |
        reduce-stats --top 1 --measure similarity,ratios,locality,merging --cka-batch 16 >"$D/all.nf"
    stream-check "$D/all.nf"
    classify-neurons <"$D/all.nf" | stream-check
    cmp <(classify-neurons <"$D/all.nf" | stream-dump -f ndjson) \
        <(tokenize -m "$MODEL" --context 32 --limit 3000 "$CORPUS/letters" | forward-capture -q -m "$MODEL" | reduce-stats | classify-neurons | stream-dump -f ndjson)
    [ "$(stream-dump -f csv -r influence "$D/all.nf" | head -1)" = layer,n,docs,influence,se ]
    [ "$(stream-dump -f csv -r influence "$D/all.nf" | wc -l)" -eq 7 ]
    [ "$(stream-dump -f csv -r ratio -l 3 -c layer,of "$D/all.nf" | sed -n 4p)" = 3,block/resid.pre ]
    stream-dump -f safetensors -r cka,similarity "$D/all.nf" | head -c 4000 | grep -a -q '"similarity.mean.cos.last"'
    stream-dump -f npy -r cka --field cka "$D/all.nf" | head -c 128 | grep -a -q "(7, 7,"
}

@test "block influence is 1 - the cosine that site norms has" {
    stages --limit 3000 | reduce-stats --no-moments --measure similarity,ratios >"$D/both.nf" 2>/dev/null
    # f32 cosines in norms: 6e-8 each
    jq -se 'map(select(.r == "influence")) as $i | map(select(.of == "cos resid.pre resid.post")) as $r
        | ($i | length) == 6 and ([range(6) | ($i[.].influence - 1 + $r[.].mean | fabs) < 1e-6] | all)' <(stream-dump -f ndjson -r influence,ratio "$D/both.nf")
}

@test "stream-check finds a matrix that is not symmetric, and an impossible count of documents" {
    local at
    stages --limit 3000 | reduce-stats -u --no-moments --measure similarity,ratios --cka-batch 16 >"$D/raw.nf"
    stream-check "$D/raw.nf"
    cp "$D/raw.nf" "$D/bad.nf"
    at=$(LC_ALL=C grep -aboP '\xa3cka\x85' "$D/bad.nf" | cut -d: -f1)   # the matrix, 7 x 7: byte 100 is in its first row
    printf '\x01' | dd of="$D/bad.nf" bs=1 seek=$((at + 100)) conv=notrunc status=none
    exits 3 stream-check "$D/bad.nf"
    grep -q "cka: points" "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err"
    cp "$D/raw.nf" "$D/bad.nf"
    at=$(LC_ALL=C grep -aboP '\xa2of.{1,40}?\xa4docs' "$D/bad.nf" | head -1 | cut -d: -f1)   # a ratio: docs is a small integer behind its key
    at=$((at + $(tail -c +$((at + 1)) "$D/bad.nf" | head -c 80 | LC_ALL=C grep -aboP '\xa4docs' | cut -d: -f1) + 5))
    printf '\x7f' | dd of="$D/bad.nf" bs=1 seek=$at conv=notrunc status=none
    exits 3 stream-check "$D/bad.nf"
    grep -q "ratio: layer 0" "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err"
}
