#!/usr/bin/env bats
# Every failing read, write and allocation ends in status 1, one line, and a stream that is refused.

load ../helpers
load nano

setup_file() {
    load ../helpers
    load nano
    export N=$BATS_FILE_TMPDIR
    make_nano "$N"
    forward-capture -q -m "$N/model" --sites ffn.act <"$N/tokens.nf" | reduce-stats >"$N/means.nf"
}

setup() {
    [ -z "$NF_SAN" ] || skip "a sanitizer brings its own malloc"
}

# walk CALL INPUT OUTPUT? CMD...: fail the 1st, 2nd, ... CALL until CMD ends before it comes; past the 50th in steps of 2 %.
walk() {
    local call=$1 in=$2 is_stream=$3 n mark=$BATS_TEST_TMPDIR/mark out=$BATS_TEST_TMPDIR/out err=$BATS_TEST_TMPDIR/err got
    shift 3
    "$@" <"$in" >"$BATS_TEST_TMPDIR/good"
    for ((n = 1; ; n += 1 + n / 50)); do
        rm -f "$mark"
        got=0
        FAIL_CALL=$call FAIL_N=$n FAIL_MARK=$mark OMP_WAIT_POLICY=passive LD_PRELOAD=$NF_TESTS/fault/fail_nth.so \
            "$@" <"$in" >"$out" 2>"$err" || got=$?
        if [ ! -e "$mark" ]; then
            [ "$got" -eq 0 ] && [ "$n" -gt 1 ]
            return
        fi
        if [ "$got" -eq 0 ] && cmp "$out" "$BATS_TEST_TMPDIR/good"; then
            continue    # it could do without
        fi
        if [ "$got" -ne 1 ] || [ "$(wc -l <"$err")" -ne 1 ]; then
            echo "$1, $call $n: status $got: $(cat "$err")"
            return 1
        fi
        if [ "$is_stream" = stream ] && [ -s "$out" ] && stream-check "$out" 2>/dev/null; then
            echo "$1, $call $n: a whole stream was left"
            return 1
        fi
    done
}

each() {
    walk "$1" "$N/text" stream tokenize -j1 -m "$N/model" -
    walk "$1" "$N/tokens.nf" stream forward-capture -j1 -q -m "$N/model"
    walk "$1" "$N/tokens.nf" stream lesion -j1 -q -m "$N/model" --drop 0 --per-token
    walk "$1" "$N/tokens.nf" stream lesion -j1 -q -m "$N/model" --neurons "$N/neurons.nf" --class positional --ablate mean --stats "$N/means.nf"
    walk "$1" "$N/activations.nf" stream reduce-stats -j1
    walk "$1" "$N/stats.nf" stream classify-neurons -j1 -m "$N/model"
    forward-capture -q -m "$N/model" --sites resid.pre,resid.post <"$N/tokens.nf" >"$N/streams.nf"
    walk "$1" "$N/streams.nf" stream logit-lens -j1 -q -m "$N/model"
    walk "$1" "$N/tokens.nf" stream logit-lens -j1 -q --attribute --mid --per-token --top-k 3 -m "$N/model"
}

@test "a failing read" {
    each read
    walk read "$N/neurons.nf" text stream-check
    walk read "$N/neurons.nf" text stream-dump
}

@test "a failing write" {
    each write
}

@test "a failing allocation" {
    each malloc
    walk malloc "$N/neurons.nf" text stream-check
    walk malloc "$N/neurons.nf" text stream-dump
    walk malloc "$N/neurons.nf" text render-report
    lesion -q -m "$N/model" --drop all <"$N/tokens.nf" >"$N/effects.nf"
    logit-lens -q -m "$N/model" <"$N/tokens.nf" >"$N/lens.nf"
    forward-capture -q -m "$N/model" --sites resid.pre,resid.post,norms,attn.local,attn.back <"$N/tokens.nf" |
        reduce-stats -q --no-moments --measure similarity,ratios,locality,merging --cka-batch 4 >"$N/measures.nf"
    walk malloc /dev/null text render-report -f markdown "$N/effects.nf" "$N/lens.nf" "$N/measures.nf"
}
