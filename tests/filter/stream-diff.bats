#!/usr/bin/env bats
# What stream-diff promises.  Streams are changed as raw bytes, where a value is easy to find.

load ../helpers

setup() {
    S=$ROOT/tests/data/streams
}

# with OFFSET BYTES FILE: the file with some bytes replaced, in $BATS_TEST_TMPDIR/b.nf.
with() {
    cp "$3" "$BATS_TEST_TMPDIR/b.nf"
    printf "%b" "$2" | dd of="$BATS_TEST_TMPDIR/b.nf" bs=1 seek="$1" conv=notrunc status=none
}

# offset TEXT FILE: of the first byte after the last TEXT in the file.
offset() {
    LC_ALL=C grep -obaF -- "$1" "$2" | tail -1 | awk -F: -v n="${#1}" '{ print $1 + n }'
}

@test "a stream is the same as itself, compressed or not, from a file or a pipe" {
    for f in tokens neurons; do exits 0 stream-diff "$S/$f.nf" "$S/$f.nf"; done
    exits 0 stream-diff --header "$S/tokens.nf" "$S/tokens.zst.nf"
    statuses "0 0" "zstd -qc '$S/neurons.nf' | stream-diff - '$S/neurons.nf'"
    [ ! -s "$BATS_TEST_TMPDIR/out" ]
}

@test "an integer is exact, whatever the tolerance" {
    with "$(offset 'fires_bos' "$S/neurons.nf")" '\x03' "$S/neurons.nf"    # 2 becomes 3
    exits 3 stream-diff --rtol 1 --atol 100 "$S/neurons.nf" "$BATS_TEST_TMPDIR/b.nf"
    prints '1 of 136 values differ'
    prints 'worst: record 5, neuron.fires_bos: 2 and 3 differ by 1, 0 allowed'
    says 'differ'
}

@test "a real is within the tolerance, or the worst is shown" {
    with "$(offset 'domain_entropy' "$S/neurons.nf")" '\xcb\x3f\xed\x62\x70' "$S/neurons.nf"    # 0.918295834 becomes 0.918266..
    exits 0 stream-diff --atol 1e-4 "$S/neurons.nf" "$BATS_TEST_TMPDIR/b.nf"
    exits 0 stream-diff --rtol 1e-4 "$S/neurons.nf" "$BATS_TEST_TMPDIR/b.nf"
    exits 3 stream-diff --atol 1e-6 "$S/neurons.nf" "$BATS_TEST_TMPDIR/b.nf"
    prints 'record 5, neuron.domain_entropy: 0.918295834 and 0.9182'
    exits 3 stream-diff "$S/neurons.nf" "$BATS_TEST_TMPDIR/b.nf"
}

@test "NaN fails unless NaN is said to be equal" {
    exits 3 stream-diff --atol 1e300 "$S/activations.nf" "$S/activations.nf"
    prints '6 of 272 values differ'
    prints 'site.data[3,0]: NaN and NaN'
    exits 0 stream-diff --nan-equal "$S/activations.nf" "$S/activations.nf"
}

@test "an element of a tensor is named by its index" {
    LC_ALL=C sed 's/\x01\x00\x00\x00\x05\x00\x00\x00/\x01\x00\x00\x00\x04\x00\x00\x00/' "$S/tokens.nf" >"$BATS_TEST_TMPDIR/b.nf"
    exits 3 stream-diff "$S/tokens.nf" "$BATS_TEST_TMPDIR/b.nf"
    prints 'worst: record 6, window.ids[1]: 5 and 4 differ by 1'
}

@test "text, keys and the number of records count" {
    LC_ALL=C sed 's/talk/walk/' "$S/tokens.nf" >"$BATS_TEST_TMPDIR/b.nf"
    exits 3 stream-diff "$S/tokens.nf" "$BATS_TEST_TMPDIR/b.nf"
    prints 'doc.domain: different text'
    LC_ALL=C sed 's/run0/run2/' "$S/neurons.nf" >"$BATS_TEST_TMPDIR/b.nf"
    exits 3 stream-diff "$S/neurons.nf" "$BATS_TEST_TMPDIR/b.nf"
    prints 'neuron.position.run0: missing in the second'
    exits 3 stream-diff "$S/neurons.nf" "$S/tokens.nf"
    says "of kind 'neurons'"
}

@test "history counts only with --header" {
    LC_ALL=C sed 's/0\.1\.0/0.1.1/' "$S/tokens.nf" >"$BATS_TEST_TMPDIR/b.nf"
    exits 0 stream-diff "$S/tokens.nf" "$BATS_TEST_TMPDIR/b.nf"
    exits 3 stream-diff --header "$S/tokens.nf" "$BATS_TEST_TMPDIR/b.nf"
    prints 'header.history[0].version: different text'
}

@test "a damaged stream is no comparison" {
    head -c 600 "$S/tokens.nf" >"$BATS_TEST_TMPDIR/cut"
    exits 3 stream-diff "$S/tokens.nf" "$BATS_TEST_TMPDIR/cut"
    says "cut ends before its END record"
    exits 2 stream-diff "$S/tokens.nf"
    exits 2 stream-diff - -
    exits 1 stream-diff "$S/tokens.nf" "$S/nowhere.nf"
}
