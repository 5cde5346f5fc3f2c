#!/usr/bin/env bats
# The how-to pages of CONTRIBUTING.md, followed: each example in tests/howto does what the page says.

load ../helpers
load nano

setup() {
    PATH=$NF_TESTS/howto:$PATH
}

@test "the example of a filter does its job" {
    tokenize -m "$MODEL" --context 64 "$CORPUS" | select-domain --domain letters >"$BATS_TEST_TMPDIR/letters.nf"
    stream-check --kind tokens "$BATS_TEST_TMPDIR/letters.nf"
    # The same as reading that folder alone, but for the numbers of the documents: END's totals and every id.
    for run in "stream-dump -f ndjson --header" "stream-dump -f ndjson -r window"; do
        diff <($run "$BATS_TEST_TMPDIR/letters.nf" | jq -c 'select(.r == "end").totals, .ids // empty') \
             <(tokenize -m "$MODEL" --context 64 "$CORPUS/letters" | $run | jq -c 'select(.r == "end").totals, .ids // empty')
    done
    exits 0 select-domain --domain nowhere <"$BATS_TEST_TMPDIR/letters.nf"
    [ "$(stream-dump -f ndjson --header "$BATS_TEST_TMPDIR/out" | jq -c 'select(.r == "end").totals.windows')" -eq 0 ]
}

@test "the example of a filter behaves as every filter does" {
    make_nano "$BATS_TEST_TMPDIR"
    in=$BATS_TEST_TMPDIR/tokens.nf
    exits 2 select-domain <"$in"
    says "select-domain: --domain NAME is missing"
    exits 3 select-domain --domain x <"$BATS_TEST_TMPDIR/stats.nf"
    size=$(wc -c <"$in")
    for ((n = 0; n < size; n += 7)); do
        head -c "$n" "$in" >"$BATS_TEST_TMPDIR/cut"
        exits 3 select-domain --domain x <"$BATS_TEST_TMPDIR/cut"
        exits 3 stream-check "$BATS_TEST_TMPDIR/out"     # its output has no END either
    done
    statuses "1" "select-domain --domain x <'$in' >/dev/full"
    says "No space left"
}

@test "the example of a filter has a manual, and its example prints what it says" {
    exits 0 select-domain -h
    page=$ROOT/tests/howto/select-domain.md
    diff <(awk '/^## SYNOPSIS/ { on = 1 } on && /^```/ { if (n++) exit; next } n' "$page") "$BATS_TEST_TMPDIR/out"
    awk '/^```sh/ { on = 1; next } /^```/ { on = 0 } on' "$page" >"$BATS_TEST_TMPDIR/example.sh"
    awk '/^```text/ { on = 1; next } /^```/ { on = 0 } on' "$page" >"$BATS_TEST_TMPDIR/expected"
    [ -s "$BATS_TEST_TMPDIR/expected" ]
    diff "$BATS_TEST_TMPDIR/expected" <(cd "$ROOT" && bash -eu -o pipefail "$BATS_TEST_TMPDIR/example.sh")
}

@test "the example of a figure writes its sentence and table, as page and as text" {
    in=$ROOT/tests/data/neurons-fixture.nf
    rare=$(stream-dump -f ndjson -r layer "$in" | jq -s 'map(.bands.rare) | add')
    [ "$rare" -gt 0 ]
    exits 0 rare-figure markdown <"$in"
    prints "fixture: $rare of 96 ("
    diff <(grep -oE '^\| fixture \| [0-9]+ \| [0-9]+' "$BATS_TEST_TMPDIR/out" | awk '{ print $4, $6 }') \
         <(stream-dump -f ndjson -r layer "$in" | jq -r '"\(.layer) \(.bands.rare)"')
    exits 0 rare-figure <"$in"
    prints '<article class="figure" id="figure-X1">'
    prints "<td>fixture</td><td class=\"r\">0</td><td class=\"r\">2</td>"
}
