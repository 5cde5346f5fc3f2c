#!/usr/bin/env bats
# What the README shows works as shown: its sh blocks in order, its python block where Python has the three packages.

load ../helpers

# blocks LANGUAGE: the fenced blocks of that language.
blocks() {
    awk -v fence="^\`\`\`$1\$" '$0 ~ fence { on = 1; next } /^```/ { on = 0 } on' "$ROOT/README.md"
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

@test "every file that the README links to is there" {
    cd "$ROOT"
    grep -oE '\]\([^)#]+\)' README.md | tr -d '])(' | grep -v '^https:' | while read -r file; do [ -e "$file" ] || { echo "$file"; exit 1; }; done
}
