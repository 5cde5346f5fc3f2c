#!/usr/bin/env bats
# A stream that ends too early, or of which a byte was changed, is refused by every filter.

load ../helpers
load nano
load filters

setup_file() {
    load ../helpers
    load nano
    export N=$BATS_FILE_TMPDIR
    make_nano "$N"
}

# refused_cuts FILTER FILE STEP: cut at every STEP-th byte, FILE is refused with status 3 and one line.
refused_cuts() {
    # shellcheck disable=SC2046  # a command and its words
    "$NF_TESTS/contract/cut" "$2" "$3" $(line "$1")
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
