#!/usr/bin/env bats
# What every filter promises, whatever it computes: statuses, messages, refusals.

load ../helpers
load nano
load filters

setup_file() {
    load ../helpers
    load nano
    export N=$BATS_FILE_TMPDIR
    make_nano "$N"
}

@test "every filter of src/ is under these tests" {
    [ "$(printf '%s\n' "${ALL[@]}" | sort)" = "$(cd "$ROOT/src" && printf '%s\n' *.c | sed 's/\.c$//' | sort)" ]
}

@test "every filter reads what the one before it wrote" {
    for f in "${FILTERS[@]}"; do on 0 "$f" "$(input "$f")"; done
}

@test "a stream with one byte more, or two streams, is refused" {
    for f in "${FILTERS[@]}"; do
        { cat "$(input "$f")"; printf x; } >"$BATS_TEST_TMPDIR/more"
        on 3 "$f" "$BATS_TEST_TMPDIR/more"
        cat "$(input "$f")" "$(input "$f")" >"$BATS_TEST_TMPDIR/more"
        on 3 "$f" "$BATS_TEST_TMPDIR/more"
    done
}

@test "what is no stream is refused" {
    for f in "${FILTERS[@]}"; do
        on 3 "$f" /dev/null
        on 3 "$f" "$ROOT/LICENSE"
        printf '\x28\xb5\x2f\xfd' >"$BATS_TEST_TMPDIR/x"
        on 3 "$f" "$BATS_TEST_TMPDIR/x"
        zstd -qc "$ROOT/LICENSE" >"$BATS_TEST_TMPDIR/x"
        on 3 "$f" "$BATS_TEST_TMPDIR/x"
    done
}

@test "a stream of the wrong kind is refused, and both kinds are named" {
    for f in forward-capture reduce-stats classify-neurons; do
        for kind in tokens activations stats neurons; do
            [ "$kind" = "${INPUT[$f]}" ] && continue
            [ "$f $kind" = "reduce-stats stats" ] && continue    # merging
            on 3 "$f" "$N/$kind.nf"
            says "$kind"
            says "${INPUT[$f]}"
        done
    done
}

@test "a stream of another version is refused" {
    zstd -dcq "$N/tokens.nf" | LC_ALL=C sed '1s/version\x01/version\x02/' >"$BATS_TEST_TMPDIR/v2"
    on 3 forward-capture "$BATS_TEST_TMPDIR/v2"
    says version
}

@test "a refused input leaves an output that the next filter refuses too" {
    local chain=(forward-capture reduce-stats classify-neurons render-report) i
    for ((i = 0; i < 3; i++)); do
        f=${chain[i]} next=${chain[i + 1]} size=$(stat -c %s "$(input "${chain[i]}")")
        head -c $((size - 5)) "$(input "$f")" >"$BATS_TEST_TMPDIR/cut"
        statuses "3 3" "$(line "$f") <'$BATS_TEST_TMPDIR/cut' | $(line "$next")"
    done
}

@test "a full disk is reported" {
    for f in "${WRITERS[@]}" stream-dump render-report; do
        statuses "0 1" "cat '$(input "$f")' | $(line "$f") >/dev/full"
        says "No space left"
    done
}

@test "a reader that leaves ends the writer by SIGPIPE, silently" {
    for f in "${WRITERS[@]}" stream-dump render-report; do
        statuses "141 0" "trap '' PIPE; { sleep 0.3; exec $(line "$f") <'$(input "$f")'; } | true"
        [ ! -s "$BATS_TEST_TMPDIR/err" ]
    done
}

@test "a closed standard output is reported" {
    for f in "${WRITERS[@]}" stream-dump; do
        statuses "1" "$(line "$f") <'$(input "$f")' >&-"
    done
}

@test "a binary stream is not written to a terminal" {
    for f in "${WRITERS[@]}"; do
        got=0
        script -qec "$(line "$f") <'$(input "$f")'" /dev/null >"$BATS_TEST_TMPDIR/out" </dev/null || got=$?
        [ "$got" -eq 2 ] || { echo "$f: status $got"; false; }
        grep -q terminal "$BATS_TEST_TMPDIR/out"
    done
}

@test "an unknown option, and an operand where there is none, are status 2" {
    for f in "${ALL[@]}"; do
        exits 2 "$f" --no-such-option
        says "--no-such-option"
        exits 2 "$f" -j nine
        says "nine"
    done
    for f in forward-capture stream-diff; do exits 2 "$f" a b c; says "$f: "; done
}

@test "an option out of range names the range" {
    for f in "${ALL[@]}"; do
        exits 2 "$f" --threads 5000
        says "0 to 4096"
    done
}

@test "--version names the program" {
    for f in "${ALL[@]}"; do exits 0 "$f" --version; prints "$f (neurofilters) "; done
}

@test "the number of threads, and the run, do not change a byte" {
    tokenize -m "$MODEL" --limit 6000 "$CORPUS" >"$BATS_TEST_TMPDIR/tokens"
    forward-capture -q -m "$MODEL" <"$BATS_TEST_TMPDIR/tokens" >"$BATS_TEST_TMPDIR/activations"
    reduce-stats <"$BATS_TEST_TMPDIR/activations" >"$BATS_TEST_TMPDIR/stats"
    classify-neurons -m "$MODEL" <"$BATS_TEST_TMPDIR/stats" >"$BATS_TEST_TMPDIR/neurons"
    for j in 1 3 4; do
        cmp "$BATS_TEST_TMPDIR/tokens" <(tokenize -j $j -m "$MODEL" --limit 6000 "$CORPUS")
        cmp "$BATS_TEST_TMPDIR/activations" <(forward-capture -q -j $j -m "$MODEL" <"$BATS_TEST_TMPDIR/tokens")
        cmp "$BATS_TEST_TMPDIR/stats" <(reduce-stats -j $j <"$BATS_TEST_TMPDIR/activations")
        cmp "$BATS_TEST_TMPDIR/neurons" <(classify-neurons -j $j -m "$MODEL" <"$BATS_TEST_TMPDIR/stats")
    done
}

@test "the locale and the folder do not change a byte" {
    local f
    for f in "${WRITERS[@]}"; do
        cmp <(cd / && TZ=Asia/Tokyo LC_ALL=C.UTF-8 bash -c "$(line "$f")" <"$(input "$f")") <(bash -c "$(line "$f")" <"$(input "$f")")
    done
}

@test "a missing or unreadable model is named" {
    for f in tokenize forward-capture classify-neurons; do
        in=$(input "$f")
        exits 2 "$f" -m "$N/nowhere" <"$in"
        says "$N/nowhere"
        mkdir -p "$BATS_TEST_TMPDIR/empty"
        got=0
        "$f" -m "$BATS_TEST_TMPDIR/empty" <"$in" >/dev/null 2>"$BATS_TEST_TMPDIR/err" || got=$?
        [ "$got" -eq 1 ] || [ "$got" -eq 3 ]
        says "$BATS_TEST_TMPDIR/empty"
    done
}

@test "a tokenizer that is not the model's is refused" {
    cp -r "$N/model" "$BATS_TEST_TMPDIR/other"
    jq -c '.["ba"] = 259 | del(.ab)' "$N/model/vocab.json" >"$BATS_TEST_TMPDIR/other/vocab.json"
    printf '#version: 0.2\nb a\n' >"$BATS_TEST_TMPDIR/other/merges.txt"
    exits 3 forward-capture -q -m "$BATS_TEST_TMPDIR/other" <"$N/tokens.nf"
    says tokenizer
}

@test "an empty corpus is a message" {
    : >"$BATS_TEST_TMPDIR/empty"
    mkdir "$BATS_TEST_TMPDIR/none"
    exits 3 tokenize -m "$N/model" "$BATS_TEST_TMPDIR/empty"
    says "tokenize: "
    exits 3 tokenize -m "$N/model" "$BATS_TEST_TMPDIR/none"
    says "tokenize: "
}
