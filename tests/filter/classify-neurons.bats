#!/usr/bin/env bats
# classify-neurons on a checkpoint whose neurons were set by hand (tests/data/make_handmade.py says which does what).

load ../helpers

# 56000 letters a to h, as good as random, in two domains: 220 windows of 256, 218 of them full.
letters() {
    awk -v s="$1" 'BEGIN {
        for (i = 0; i < 28000; i++) {
            s = s * 16807 % 2147483647
            printf "%s", substr("abcdefgh", int(s / 2147483647 * 8) + 1, 1)
        }
    }'
}

setup_file() {
    load ../helpers
    export HAND=$ROOT/tests/data/handmade D=$BATS_FILE_TMPDIR
    mkdir -p "$D/text/x" "$D/text/y"
    letters 7 >"$D/text/x/1.txt"
    letters 11 >"$D/text/y/1.txt"
    tokenize -m "$HAND" "$D/text" | forward-capture -q -m "$HAND" >"$D/act.nf"
    reduce-stats <"$D/act.nf" >"$D/stats.nf"
    classify-neurons -m "$HAND" <"$D/stats.nf" >"$D/neurons.nf"
}

# of FILE JQ: the records of FILE through jq.
of() {
    stream-dump -f ndjson "$1" | jq -c "$2"
}

# same FILE JQ, wanted lines on stdin
same() {
    diff <(of "$1" "$2") -
}

@test "each neuron set by hand has its label" {
    same "$D/neurons.nf" 'select(.r == "neuron" and .layer == 0) | [.neuron, .classes]' <<'END'
[0,["dead"]]
[1,["token-detector","bigram-detector","suppression"]]
[2,["token-detector","bigram-detector","prediction"]]
[3,["other"]]
[4,["bigram-detector","trigram-detector"]]
[5,["trigram-detector"]]
[6,["positional"]]
[7,["positional"]]
[8,["positional"]]
[9,["other"]]
[10,["positional"]]
[11,["first-positions"]]
[12,["first-positions"]]
[13,["positional"]]
[14,["bigram-detector"]]
[15,["dead"]]
END
    [ "$(of "$D/neurons.nf" 'select(.r == "neuron") | .undecided[]')" = "" ]
}

# What triggers them: of the tokens, 100 + n is the n-th letter from 'a' = 101 on.
@test "detectors show what they detect, near misses what they do not" {
    same "$D/neurons.nf" 'select(.r == "neuron" and .layer == 0 and (.neuron | IN(1, 2, 3, 4, 5, 14))) |
        [.neuron, .token.m, .token.covered, .token.detector, .bigram.m, (.bigram.covered | length), .trigram.m]' <<'END'
[1,1,[101],true,8,8,null]
[2,2,[102,103],true,16,16,null]
[3,1,[],false,8,0,null]
[4,1,[],false,1,1,8]
[5,1,[],false,1,0,1]
[14,2,[107],false,9,9,null]
END
    [ "$(of "$D/neurons.nf" 'select(.neuron == 4 and .layer == 0) | .bigram | [.covered, .c == .n, .share.p]')" = '[[[104,105]],true,1]' ]
    [ "$(of "$D/neurons.nf" 'select(.neuron == 5 and .layer == 0) | .trigram.covered')" = '[[106,107,108]]' ]
    # 3 fires on d before position 200 of 256: on about 200/256 of its occurrences
    of "$D/neurons.nf" 'select(.neuron == 3 and .layer == 0) | .token.top[0] | .[0] == 104 and .[1] < 0.95 * .[2] and .[1] > 0.7 * .[2]' | grep -qx true
}

@test "positional neurons have type, strength and ranges" {
    same "$D/neurons.nf" 'select(.r == "neuron" and (.classes | index("positional"))) |
        [.neuron, .position.type, .position.strength, .position.stable, .position.cycles]' <<'END'
[6,"both","strong",true,0]
[7,"oscillatory","strong",true,3]
[8,"oscillatory","strong",true,3]
[10,"one","strong",true,0]
[13,"other","strong",true,0]
END
    same "$D/neurons.nf" 'select(.r == "neuron" and (.neuron | IN(6, 7, 8)) and .layer == 0) | .position.ranges' <<'END'
[[0,100]]
[[0,32],[64,96],[128,160],[192,224]]
[[32,64],[96,128],[160,192],[224,256]]
END
    # A perfect indicator of 100 of 256 positions: its entropy in nats, less the bias 255/(2 N 256).
    of "$D/neurons.nf" 'select(.neuron == 6 and .layer == 0) | .position | (100/256) as $p |
        (-($p*($p|log)) - (1-$p)*((1-$p)|log) - 255/512/.full - .mi) | fabs < 1e-12' | grep -qx true
}

@test "square waves that take turns are a team without overlap" {
    same "$D/neurons.nf" 'select(.r == "team") | [.type, .strength, .neurons, .covered, .multiplicity, .loss, .greedy, .gain]' <<'END'
["oscillatory","strong",[7,8],256,1,[128,128],[7,8],[128,128]]
END
}

@test "dead by both conventions" {
    [ "$(of "$D/neurons.nf" 'select(.r == "layer") | [.dead.k, .dead_with_bos.k, .alive]')" = $'[3,2,14]\n[14,14,2]' ]
    exits 0 classify-neurons --ignore-bos <"$D/stats.nf"
    [ "$(of "$BATS_TEST_TMPDIR/out" 'select(.neuron == 12 and .layer == 0) | .classes')" = '["dead"]' ]
}

@test "covered tokens: new, overlapping, cumulative" {
    exits 0 classify-neurons --scope all <"$D/stats.nf"
    same "$BATS_TEST_TMPDIR/out" 'select(.r == "layer") | [.detectors.token, .detectors.trigram, (.covered.token | .total, .new_overall, .new_previous, .in_lower, .in_previous, .cumulative)]' <<'END'
[2,2,3,3,3,0,0,3]
[2,0,2,1,1,1,1,4]
END
    [ "$(of "$D/neurons.nf" 'select(.r == "layer" and .layer == 1) | [.cover1, .detectors, .covered]')" = '[null,null,null]' ]
}

# Output rows: -0.02 on a (its own token), +0.02 on b and c (its own).  Letters are the only tokens with those dimensions.
@test "suppression of triggers, in each projection" {
    same "$D/neurons.nf" 'select(.r == "suppression" and .scope == "all") | [.projection, .suppressing.k, .suppressing.n, .all_negative.k, .null.n]' <<'END'
["raw",1,2,1,200]
["centred",1,2,1,200]
["ln",1,2,1,200]
["cosine",1,2,1,200]
END
    of "$D/neurons.nf" 'select(.neuron == 1 and .layer == 0) | .suppress | (.raw.mean + 0.02 | fabs < 1e-5) and .suppressed[0][0] == 101 and
        (.raw.percentiles[0] * 260 - 0.5 | fabs < 1e-9) and (.centred.mean - .raw.mean - 0.02/260 | fabs < 1e-6)' | grep -qx true
    of "$D/neurons.nf" 'select(.neuron == 2 and .layer == 0) | .suppress | (.raw.mean - 0.02 | fabs < 1e-5) and ([.promoted[:2][][0]] == [102, 103])' | grep -qx true
    exits 0 classify-neurons <"$D/stats.nf"
    [ "$(of "$BATS_TEST_TMPDIR/out" 'select(.r == "suppression" or .suppress != null)')" = "" ]
    [ "$(of "$BATS_TEST_TMPDIR/out" 'select(.r == "run") | .suppression')" = false ]
}

@test "thresholds are options, and travel in the header" {
    exits 0 classify-neurons --max-tokens 1 --mi 0.1 <"$D/stats.nf"
    [ "$(of "$BATS_TEST_TMPDIR/out" 'select(.r == "neuron" and .neuron == 2 and .layer == 0) | .class')" = '"bigram-detector"' ]
    [ "$(of "$BATS_TEST_TMPDIR/out" 'select(.r == "neuron" and .neuron == 13 and .layer == 0) | .class')" = '"other"' ]
    stream-dump --header -f ndjson "$BATS_TEST_TMPDIR/out" | head -1 | jq -e '.thresholds | .["max-tokens"] == 1 and .mi == 0.1 and .rate == 0.95'
    exits 0 classify-neurons --min-count 300 <"$D/stats.nf"
    [ "$(of "$BATS_TEST_TMPDIR/out" 'select(.r == "neuron" and .neuron == 5 and .layer == 0) | .class')" = '"other"' ]
}

@test "with counts lost to a small memory a neuron is undecided or right, never wrong" {
    tokenize -m "$MODEL" "$CORPUS/code" | forward-capture -q -m "$MODEL" --layers 1:3 >"$BATS_TEST_TMPDIR/act.nf"
    reduce-stats <"$BATS_TEST_TMPDIR/act.nf" | classify-neurons >"$BATS_TEST_TMPDIR/whole.nf"
    reduce-stats --memory 2M <"$BATS_TEST_TMPDIR/act.nf" | classify-neurons >"$BATS_TEST_TMPDIR/lossy.nf"
    of "$BATS_TEST_TMPDIR/lossy.nf" 'select(.r == "run") | .exact' | grep -qx false
    of "$BATS_TEST_TMPDIR/whole.nf" 'select(.r == "neuron") | [.classes, .cover]' >"$BATS_TEST_TMPDIR/whole"
    of "$BATS_TEST_TMPDIR/lossy.nf" 'select(.r == "neuron") | [.classes, .cover, .undecided]' >"$BATS_TEST_TMPDIR/lossy"
    # rules: left open, or the same answer; covering numbers: within [lo, hi]
    jq -n --slurpfile t "$BATS_TEST_TMPDIR/whole" --slurpfile s "$BATS_TEST_TMPDIR/lossy" '
        def has($list; $c): ($list | index($c)) != null;
        [range($t | length) as $i | $t[$i] as $t | $s[$i] as $s |
            (["token-detector", "bigram-detector", "trigram-detector"] | all(. as $c | has($s[2]; $c) or has($t[0]; $c) == has($s[0]; $c))),
            ([0, 1, 2] | all(. as $o | $s[1][$o][0] <= $t[1][$o][0] and $t[1][$o][0] <= $s[1][$o][1]))] |
        length == 4096 and all' | grep -qx true
    of "$BATS_TEST_TMPDIR/lossy.nf" 'select(.r == "neuron") | .undecided[]' | grep -q trigram
    of "$BATS_TEST_TMPDIR/lossy.nf" 'select(.r == "layer" and .layer == 2) | .detectors.token > 0' | grep -qx true
}

@test "the result does not depend on threads" {
    OMP_NUM_THREADS=1 classify-neurons -m "$HAND" <"$D/stats.nf" | cmp - <(OMP_NUM_THREADS=4 classify-neurons -m "$HAND" <"$D/stats.nf")
}

@test "without full windows the positional rules are undecided" {
    tokenize -m "$HAND" -c 256 --split line <(fold -w 100 "$D/text/x/1.txt") | forward-capture -q -m "$HAND" | reduce-stats | classify-neurons >"$BATS_TEST_TMPDIR/out"
    [ "$(of "$BATS_TEST_TMPDIR/out" 'select(.r == "neuron" and .neuron == 6 and .layer == 0) | [.class, .undecided]')" = '["other",["positional"]]' ]
    [ "$(of "$BATS_TEST_TMPDIR/out" 'select(.r == "neuron" and .neuron == 0 and .layer == 0) | [.class, .undecided]')" = '["dead",[]]' ]
}

@test "another model than the one that fired is refused" {
    exits 3 classify-neurons -m "$MODEL" <"$D/stats.nf"
    says "made with another model than model: config.json"
    cp -r "$HAND" "$BATS_TEST_TMPDIR/m"
    printf '\001' | dd of="$BATS_TEST_TMPDIR/m/model.safetensors" bs=1 seek=98000 conv=notrunc status=none
    exits 3 classify-neurons -m "$BATS_TEST_TMPDIR/m" <"$D/stats.nf"
    says "made with another model than m: weights"
    exits 2 classify-neurons -m "$BATS_TEST_TMPDIR/none" <"$D/stats.nf"
}

@test "other input is refused" {
    exits 3 classify-neurons <"$D/act.nf"
    says "activations"
    forward-capture -q -m "$HAND" --sites resid.pre < <(tokenize -m "$HAND" "$D/text") | reduce-stats >"$BATS_TEST_TMPDIR/resid.nf"
    exits 3 classify-neurons <"$BATS_TEST_TMPDIR/resid.nf"
    says "ffn.active was not captured"
}

@test "options that do not fit are refused" {
    exits 2 classify-neurons --rate 1.5 <"$D/stats.nf"
    says "from 0.5 to 1"
    exits 2 classify-neurons --osc-low 0.7 <"$D/stats.nf"
    says "not below --osc-high"
    exits 2 classify-neurons --smooth 16 <"$D/stats.nf"
    exits 2 classify-neurons --edge-strong 0.1 <"$D/stats.nf"
    exits 2 classify-neurons --dormant 0.5 <"$D/stats.nf"
    exits 2 classify-neurons --scope top <"$D/stats.nf"
    exits 2 classify-neurons "$D/stats.nf"
}
