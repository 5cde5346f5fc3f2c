#!/usr/bin/env bats
# What -o promises in every filter: the same bytes, whole or not at all, and nothing but regular files is replaced.

load ../helpers
load nano
load filters

setup_file() {
    load ../helpers
    load nano
    export N=$BATS_FILE_TMPDIR
    make_nano "$N"
}

setup() {
    T=$BATS_TEST_TMPDIR
    mkdir "$T/d"
}

# alone NAME: the folder d holds this file and no other, a temporary one say.
alone() {
    [ "$(ls -A "$T/d")" = "$1" ] || { ls -lA "$T/d"; return 1; }
}

@test "-o FILE gets what standard output gets, and nothing goes there" {
    for f in "${ALL[@]}"; do
        $(line "$f") <"$(input "$f")" >"$T/want"
        $(line "$f") -o "$T/d/x" <"$(input "$f")" >"$T/none"
        cmp "$T/want" "$T/d/x"
        [ ! -s "$T/none" ]
        alone x
        $(line "$f") --output=- <"$(input "$f")" | cmp "$T/want"
    done
}

@test "standard output may be closed when there is -o" {
    for f in "${ALL[@]}"; do
        $(line "$f") <"$(input "$f")" >"$T/want"
        $(line "$f") -o "$T/d/x" <"$(input "$f")" >&-
        cmp "$T/want" "$T/d/x"
    done
}

@test "a new file has the mode that the umask gives; an old one keeps its own, and its owner" {
    (umask 027 && tokenize -m "$N/model" -o "$T/d/x" "$N/text")
    [ "$(stat -c %a "$T/d/x")" = 640 ]
    for mode in 600 664 444; do
        chmod "$mode" "$T/d/x"
        tokenize -m "$N/model" -o "$T/d/x" "$N/text"
        [ "$(stat -c %a "$T/d/x")" = "$mode" ]
    done
    [ "$(id -u)" -eq 0 ] || skip "giving files away needs root"
    chown 12345:23456 "$T/d/x"
    tokenize -m "$N/model" -o "$T/d/x" "$N/text"
    [ "$(stat -c %u:%g "$T/d/x")" = 12345:23456 ]
}

@test "a failed run keeps the old file" {
    echo old >"$T/d/x"
    for f in "${FILTERS[@]}"; do
        [ "$f" != stream-check ] || continue    # what it finds is its output
        head -c 100 "$(input "$f")" >"$T/cut"
        exits 3 $(line "$f") -o "$T/d/x" <"$T/cut"
        [ "$(cat "$T/d/x")" = old ]
        alone x
    done
    exits 2 tokenize -m "$N/nowhere" -o "$T/d/x" "$N/text"
    exits 2 tokenize -m "$N/model" -o "$T/d/x" --context 0 --bos sometimes "$N/text"
    alone x
}

@test "a verdict that is no success leaves the list of what was found" {
    exits 3 stream-diff -o "$T/d/x" "$N/tokens.nf" "$N/stats.nf"
    [ ! -e "$T/d/x" ]
    tokenize -m "$N/model" --bos never "$N/text" >"$T/other"
    exits 3 stream-diff -o "$T/d/x" "$N/tokens.nf" "$T/other"
    grep -q "values differ" "$T/d/x"
    says "differ"
}

@test "a folder, a FIFO, a symbolic link and a device are refused by name and stay" {
    mkdir "$T/folder"
    mkfifo "$T/fifo"
    echo old >"$T/old"
    ln -s "$T/old" "$T/link"
    ln -s "$T/gone" "$T/loose"
    local kinds=("folder: a folder" "fifo: a FIFO" "link: a symbolic link" "loose: a symbolic link")
    if mknod "$T/null" c 1 3 2>/dev/null; then kinds+=("null: a device"); fi
    for kind in "${kinds[@]}"; do
        path=$T/${kind%%: *}
        before=$(stat -c '%F %i' "$path")
        for f in "${ALL[@]}"; do
            exits 2 $(line "$f") -o "$path" <"$(input "$f")"
            says "$f: $path is ${kind#*: }: only a regular file is replaced"
        done
        [ "$(stat -c '%F %i' "$path")" = "$before" ]
    done
    [ "$(cat "$T/old")" = old ]
    [ ! -e "$T/gone" ]
}

@test "a folder that is not there is status 1" {
    exits 1 tokenize -m "$N/model" -o "$T/none/x" "$N/text"
    says "$T/none/x: No such file"
}

@test "a full disk leaves the old file" {
    [ -z "$NF_SAN" ] || skip "a sanitizer brings its own malloc"
    echo old >"$T/d/x"
    for f in "${WRITERS[@]}" render-report; do
        got=0
        FAIL_CALL=write FAIL_N=1 FAIL_MARK=$T/mark LD_PRELOAD=$NF_TESTS/fault/fail_nth.so \
            $(line "$f") -o "$T/d/x" <"$(input "$f")" 2>"$BATS_TEST_TMPDIR/err" || got=$?
        [ "$got" -eq 1 ] || { echo "$f: status $got"; false; }
        says "No space left"
        [ "$(cat "$T/d/x")" = old ]
        alone x
    done
}

# wait_for COMMAND...: until it succeeds, at most 10 s.
wait_for() {
    local n
    for ((n = 0; n < 100; n++)); do
        if "$@"; then return; fi
        sleep 0.1
    done
    return 1
}

# two_there: the old file and a temporary one.
two_there() {
    [ "$(ls -A "$T/d" | wc -l)" -eq 2 ]
}

@test "a signal leaves the old file, and no temporary one" {
    mkfifo "$T/in"
    echo old >"$T/d/x"
    for signal in TERM INT HUP; do
        # A shell ignores INT for what it runs in the background.
        env --default-signal=INT,HUP,TERM tokenize -q -m "$N/model" -o "$T/d/x" - <"$T/in" &
        pid=$!
        exec 9>"$T/in"
        wait_for two_there
        kill -"$signal" "$pid"
        got=0
        wait "$pid" || got=$?
        exec 9>&-
        [ "$got" -eq $((128 + $(kill -l "$signal"))) ]
        [ "$(cat "$T/d/x")" = old ]
        alone x
    done
}

@test "a signal that the caller ignores stays ignored" {
    mkfifo "$T/in"
    (trap '' HUP; exec tokenize -q -m "$N/model" -o "$T/d/x" - <"$T/in") &
    pid=$!
    exec 9>"$T/in"
    made() { [ -n "$(ls -A "$T/d")" ]; }
    wait_for made
    kill -HUP "$pid"
    cat "$N/text" >&9
    exec 9>&-
    wait "$pid"
    alone x
}

@test "ps has the name of the filter" {
    unset OMP_WAIT_POLICY    # then the program runs itself once more
    mkfifo "$T/in"
    tokenize -q -m "$N/model" - <"$T/in" >"$T/out" &
    pid=$!
    exec 9>"$T/in"
    named() { [ "$(ps -o comm= -p "$pid")" = tokenize ]; }
    wait_for named
    echo text >&9
    exec 9>&-
    wait "$pid"
}

@test "standard input that is a terminal is refused" {
    for f in "${FILTERS[@]}" "tokenize -m $N/model"; do
        command=$f
        [[ $f == tokenize* ]] || command=$(line "$f")
        got=0
        # script gives the program a terminal to read from, too
        script -qec "$command -o '$T/d/x'" /dev/null >"$T/out" </dev/null || got=$?
        [ "$got" -eq 2 ] || { echo "$f: status $got"; cat "$T/out"; false; }
        grep -q "standard input is a terminal" "$T/out"
    done
}
