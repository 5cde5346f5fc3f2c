#!/usr/bin/env bats
# What the README and pipelines/README.md show works as shown: their sh blocks in order, the python block where Python has the three packages.

load ../helpers

# blocks LANGUAGE [FILE]: the fenced blocks of that language, in README.md or FILE.
blocks() {
    awk -v fence="^\`\`\`$1\$" '$0 ~ fence { on = 1; next } /^```/ { on = 0 } on' "$ROOT/${2:-README.md}"
}

@test "the README's commands work" {
    cd "$ROOT"
    blocks sh | sed "s|export PATH=\$PWD/bin:\$PATH|export|; s|build/|$BATS_TEST_TMPDIR/|g" >"$BATS_TEST_TMPDIR/tour.sh"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/tour.sh")" -ge 7 ]
    bash -eu -o pipefail "$BATS_TEST_TMPDIR/tour.sh" >"$BATS_TEST_TMPDIR/layers"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/layers")" -eq 7 ]
    grep -q '</html>' "$BATS_TEST_TMPDIR/report.html"
    grep -qE '^0	[0-9]+	(oscillatory|both|one|other)	0\.' "$BATS_TEST_TMPDIR/positional.tsv"
    python=${NF_PYTHON:-python3}
    "$python" -c 'import msgpack, msgpack_numpy, zstandard' 2>/dev/null || skip "python3 has no msgpack, msgpack_numpy and zstandard"
    blocks python | sed "s|build/|$BATS_TEST_TMPDIR/|" | "$python" - >"$BATS_TEST_TMPDIR/said"
    dead=$(stream-dump -f ndjson -r neuron "$BATS_TEST_TMPDIR/neurons.nf" | jq -s 'map(select(.class == "dead")) | length')
    grep -q "^$dead dead neurons in model" "$BATS_TEST_TMPDIR/said"
}

@test "the README's Python refuses a stream that was cut" {
    cd "$ROOT"
    python=${NF_PYTHON:-python3}
    "$python" -c 'import msgpack, msgpack_numpy, zstandard' 2>/dev/null || skip "python3 has no msgpack, msgpack_numpy and zstandard"
    size=$(wc -c <tests/data/neurons-fixture.nf)
    blocks python | sed "s|build/|$BATS_TEST_TMPDIR/|" >"$BATS_TEST_TMPDIR/dead.py"
    for bytes in $((size / 2)) $((size - 20)); do
        head -c "$bytes" tests/data/neurons-fixture.nf >"$BATS_TEST_TMPDIR/neurons.nf"
        exits 1 "$python" "$BATS_TEST_TMPDIR/dead.py"
        [ ! -s "$BATS_TEST_TMPDIR/out" ]
    done
}

@test "the command of pipelines/README.md works" {
    cd "$ROOT"
    blocks sh pipelines/README.md | sed "s|build/|$BATS_TEST_TMPDIR/|g" | bash -eu -
    grep -q '</html>' "$BATS_TEST_TMPDIR/letters/report.html"
}

@test "every file that a README links to is there" {
    cd "$ROOT"
    for page in README.md pipelines/README.md; do
        grep -oE '\]\([^)#]+\)' "$page" | tr -d '])(' | grep -v '^https:' | while read -r file; do
            [ -e "${page%README.md}$file" ] || { echo "$page: $file"; exit 1; }
        done
    done
}
