#!/usr/bin/env bats
# What every filter promises, whatever it computes: statuses, messages, refusals, manuals.

load ../helpers
load nano
load filters

setup_file() {
    load ../helpers
    load nano
    export N=$BATS_FILE_TMPDIR
    make_nano "$N"
}

# on STATUS FILTER FILE: FILTER reading FILE ends with STATUS and, where that is a failure, one line that starts with its name.
on() {
    local command
    command=$(line "$2")
    # shellcheck disable=SC2086  # a command and its words
    exits "$1" $command <"$3" || return 1
    [ "$1" -eq 0 ] || says "$2: "
}

@test "every filter of src/ is under these tests" {
    [ "$(printf '%s\n' "${ALL[@]}" | sort)" = "$(cd "$ROOT/src" && printf '%s\n' *.c | sed 's/\.c$//' | sort)" ]
}

@test "every filter reads what the one before it wrote" {
    for f in "${FILTERS[@]}"; do on 0 "$f" "$(input "$f")"; done
}

# refused_cuts FILTER FILE STEP: cut at every STEP-th byte, FILE is refused with status 3 and one line.
refused_cuts() {
    local size
    size=$(stat -c %s "$2")
    # shellcheck disable=SC2016  # for the inner shell
    CUT=$2 NAME=$1 LINE=$(line "$1") NL=$'\n' xargs -P "$(nproc)" -n 100 bash -c '
        for n; do
            said=$(head -c "$n" "$CUT" | { $LINE >/dev/null; } 2>&1)
            status=$?
            [[ $status -eq 3 && $said == "$NAME: "* && $said != *"$NL"* ]] || { echo "$NAME, cut at $n: status $status: $said"; exit 1; }
        done' _ < <(seq 0 "$3" $((size - 1)))
}

@test "a stream cut at any byte is refused" {
    local step=1
    [ -z "$NF_SAN" ] || step=13    # slow programs: every 13th byte
    for f in "${FILTERS[@]}"; do refused_cuts "$f" "$(input "$f")" "$step"; done
}

@test "a raw stream cut at any byte is refused" {
    zstd -dcq "$N/tokens.nf" >"$BATS_TEST_TMPDIR/raw"
    on 0 forward-capture "$BATS_TEST_TMPDIR/raw"
    refused_cuts forward-capture "$BATS_TEST_TMPDIR/raw" 3
}

@test "a stream with one byte more, or two streams, is refused" {
    for f in "${FILTERS[@]}"; do
        { cat "$(input "$f")"; printf x; } >"$BATS_TEST_TMPDIR/more"
        on 3 "$f" "$BATS_TEST_TMPDIR/more"
        cat "$(input "$f")" "$(input "$f")" >"$BATS_TEST_TMPDIR/more"
        on 3 "$f" "$BATS_TEST_TMPDIR/more"
    done
}

# zstd's content checksum, or a field that no longer fits.  A few bits of a frame say nothing (padding): what is accepted has not changed.
@test "a changed byte is refused" {
    local size n accepted=0
    size=$(stat -c %s "$N/tokens.nf")
    for ((n = 0; n < size; n += 7)); do
        { head -c "$n" "$N/tokens.nf"; tail -c +$((n + 1)) "$N/tokens.nf" | head -c 1 | tr '\000-\377' '\001-\377\000'
          tail -c +$((n + 2)) "$N/tokens.nf"; } >"$BATS_TEST_TMPDIR/changed"
        if stream-check <"$BATS_TEST_TMPDIR/changed" >/dev/null 2>&1; then
            cmp <(zstd -dcq "$BATS_TEST_TMPDIR/changed") <(zstd -dcq "$N/tokens.nf")
            accepted=$((accepted + 1))
            continue
        fi
        on 3 stream-check "$BATS_TEST_TMPDIR/changed"
    done
    [ "$accepted" -le $((size / 700 + 1)) ]
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

# block FILE: the first fenced block after the heading SYNOPSIS.
synopsis() {
    awk '/^#+ SYNOPSIS/ { on = 1 } on && /^```/ { if (in_block) exit; in_block = 1; next } in_block' "$1"
}

@test "-h equals the SYNOPSIS of the manual" {
    for f in "${ALL[@]}"; do
        exits 0 "$f" -h
        [ -s "$BATS_TEST_TMPDIR/out" ]
        diff <(synopsis "$ROOT/src/$f.md") "$BATS_TEST_TMPDIR/out"
        exits 0 "$f" --help
    done
}

@test "every manual has its sections" {
    for f in "${ALL[@]}"; do
        for section in SYNOPSIS INPUT OUTPUT METHOD EXAMPLES; do
            grep -qE "^#+ $section" "$ROOT/src/$f.md" || { echo "$f.md has no $section"; false; }
        done
        head -1 "$ROOT/src/$f.md" | grep -q "^# $f - "
    done
}

# A ```sh block is a command, the ```text block right after it what it prints.  Run from the root of the repository.
@test "every example of every manual prints what it says" {
    local n=0 found
    for f in "${ALL[@]}"; do
        rm -rf "$BATS_TEST_TMPDIR/ex"
        mkdir "$BATS_TEST_TMPDIR/ex"
        awk -v dir="$BATS_TEST_TMPDIR/ex/" '
            /^```/ && kind   { close(file); kind = ""; next }
            /^```sh$/        { kind = "sh"; file = dir sprintf("%03d", ++n) ".sh"; next }
            /^```text$/ && n { kind = "text"; file = dir sprintf("%03d", n) ".text"; printf "" > file; next }
            /^```/           { kind = "other"; next }
            kind ~ /sh|text/ { print > file }' <(sed -n '/^#* *EXAMPLES/,$p' "$ROOT/src/$f.md")
        found=0
        for sh in "$BATS_TEST_TMPDIR"/ex/*.sh; do
            [ -e "${sh%.sh}.text" ] || { echo "$f.md: no output is given for: $(cat "$sh")"; false; }
            (cd "$ROOT" && TMPDIR=$BATS_TEST_TMPDIR bash -eu -o pipefail "$sh") >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" ||
                { echo "$f.md: status $?: $(cat "$sh" "$BATS_TEST_TMPDIR/err")"; false; }
            diff "${sh%.sh}.text" "$BATS_TEST_TMPDIR/out" || { echo "$f.md: $(cat "$sh")"; false; }
            found=$((found + 1))
        done
        [ "$found" -gt 0 ] || { echo "$f.md has no example"; false; }
        n=$((n + found))
    done
    [ "$n" -ge "${#ALL[@]}" ]
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
