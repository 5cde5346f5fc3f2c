#!/usr/bin/env bats
# What happens where the machine gives less than is asked for: status 1 and one line, never a signal, never other numbers.

load ../helpers
load nano

setup_file() {
    load ../helpers
    load nano
    export N=$BATS_FILE_TMPDIR
    make_nano "$N"
}

setup() {
    T=$BATS_TEST_TMPDIR
}

capture() { forward-capture -q -m "$N/model"; }

# one_of_two_ends COMMAND...: status 0, or 1 with one line that names the program.
one_of_two_ends() {
    local got=0
    "$@" >"$T/out" 2>"$BATS_TEST_TMPDIR/err" || got=$?
    [ "$got" -eq 0 ] && return
    # libgomp puts an empty line before its own
    [ "$got" -eq 1 ] && [ "$(grep -c . "$BATS_TEST_TMPDIR/err")" -eq 1 ] && return
    echo "status $got: $(cat "$BATS_TEST_TMPDIR/err")"
    return 1
}

@test "more threads than are possible are refused" {
    OMP_NUM_THREADS=99999 exits 1 forward-capture -q -m "$N/model" <"$N/tokens.nf"
    says "OMP_NUM_THREADS asks for 99999 threads; at most 4096 are possible"
    OMP_NUM_THREADS=99999 exits 0 forward-capture -q -j 1 -m "$N/model" <"$N/tokens.nf"    # -j goes before it
}

@test "a small stack is refused by name" {
    [ -z "$NF_SAN" ] || skip "a sanitizer has its own stack"
    for f in forward-capture lesion tokenize; do
        (ulimit -s 128 && exits 1 "$f" -h)
        says "$f: the stack is limited to less than 256 KiB (ulimit -s)"
    done
    (ulimit -s 512 && exits 0 forward-capture -q -m "$N/model" <"$N/tokens.nf")
}

@test "too little address space ends in status 1" {
    [ -z "$NF_SAN" ] || skip "a sanitizer reserves terabytes"
    local kib
    for ((kib = 60000; kib < 200000; kib += 10000)); do
        (ulimit -v "$kib" && one_of_two_ends forward-capture -q -m "$N/model" <"$N/tokens.nf") || { echo "ulimit -v $kib"; false; }
    done
}

@test "too few descriptors end in status 1" {
    [ -z "$NF_SAN" ] || skip "a sanitizer opens files of its own"
    local n
    for ((n = 6; n < 14; n++)); do
        # bats holds some, too: the shell may not even get as far as the program
        bash -c "ulimit -n $n && exec forward-capture -q -m '$N/model' -o '$T/x' <'$N/tokens.nf'" 3>&- >"$T/out" 2>"$BATS_TEST_TMPDIR/err" ||
            { got=$? && [ "$got" -eq 1 ] && [ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]; }
    done
    stream-check "$T/x"
}

# started FILTER OPTION...: runs on a pipe that the test feeds, descriptor 9; waits until its model is open.
started() {
    cp -r "$N/model" "$T/model"
    mkfifo "$T/in"
    "$@" -q -m "$T/model" -o "$T/out.nf" <"$T/in" >"$T/stdout" 2>"$BATS_TEST_TMPDIR/err" &
    pid=$!
    exec 9>"$T/in"
    head -c $(($(stat -c %s "$input") - 40)) "$input" >&9
    sleep 1    # the weights are read when the header has come
}

# ended STATUS: after the rest of the input.
ended() {
    local got=0
    tail -c 40 "$input" >&9
    exec 9>&-
    wait "$pid" || got=$?
    [ "$got" -eq "$1" ] || { echo "status $got: $(cat "$BATS_TEST_TMPDIR/err")"; return 1; }
}

@test "a checkpoint that was overwritten while it was read is noticed before the end" {
    input=$T/raw
    zstd -dcq "$N/tokens.nf" >"$input"    # raw: its header can be read before its end
    for f in forward-capture "lesion --drop all" logit-lens; do
        rm -rf "$T/model" "$T/in" "$T/out.nf"
        started $f
        printf '\1' | dd of="$T/model/model.safetensors" bs=1 seek=3000 conv=notrunc status=none
        ended 1
        says "$T/model/model.safetensors: was changed while it was read"
        [ ! -e "$T/out.nf" ]
    done
    zstd -dcq "$N/stats.nf" >"$input"
    rm -rf "$T/model" "$T/in"
    started classify-neurons
    touch "$T/model/model.safetensors"
    ended 1
    says "was changed while it was read"
}

@test "a checkpoint that another one replaces under its name stays what it was" {
    input=$T/raw
    zstd -dcq "$N/tokens.nf" >"$input"    # raw: its header can be read before its end
    started forward-capture
    cp "$T/model/model.safetensors" "$T/other"
    mv "$T/other" "$T/model/model.safetensors"
    ended 0
    diff <(stream-dump -f ndjson "$T/out.nf") <(stream-dump -f ndjson "$N/activations.nf")    # the records: the path is in the history
}

@test "a checkpoint that is cut while it is read is status 1, and leaves nothing" {
    cp -r "$MODEL" "$T/m"
    head -c 60000 "$CORPUS/fiction/01.txt" | tokenize -q -u -m "$MODEL" - >"$T/tokens.nf"
    mkfifo "$T/in"
    # One layer at a time: the weights are read again with every batch.
    forward-capture -q -m "$T/m" --memory 30M --batch-tokens 512 -o "$T/out.nf" <"$T/in" 2>"$BATS_TEST_TMPDIR/err" &
    pid=$!
    exec 9>"$T/in"
    head -c 80000 "$T/tokens.nf" >&9
    sleep 1
    truncate -s 100000 "$T/m/model.safetensors"
    got=0
    tail -c +80001 "$T/tokens.nf" >&9 2>/dev/null || true
    exec 9>&-
    wait "$pid" || got=$?
    [ "$got" -eq 1 ] || { echo "status $got: $(cat "$BATS_TEST_TMPDIR/err")"; false; }
    says "$T/m/model.safetensors: "
    [ "$(ls "$T" | grep -c out)" -eq 0 ]
}
