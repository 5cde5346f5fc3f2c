#!/usr/bin/env bats
# Progress: silent in a short run that is logged, a line on a terminal, JSON where it is asked for.

load ../helpers

setup() {
    tokenize -q -m "$MODEL" --limit 1500 -o "$BATS_TEST_TMPDIR/tokens.nf" "$CORPUS/fiction"
}

@test "a short run writes no progress into a log" {
    forward-capture -m "$MODEL" <"$BATS_TEST_TMPDIR/tokens.nf" 2>"$BATS_TEST_TMPDIR/err" >/dev/null
    [ ! -s "$BATS_TEST_TMPDIR/err" ]
}

@test "JSON ends with all that was done, at the rate of the whole run" {
    for f in forward-capture logit-lens "lesion --drop all"; do
        $f -m "$MODEL" --progress json <"$BATS_TEST_TMPDIR/tokens.nf" 2>"$BATS_TEST_TMPDIR/err" >/dev/null
        jq -se --arg f "${f%% *}" '(last | .ended and .done == 1500 and .program == $f and .unit == "tokens" and .peak_kib > 1000
            and .seconds > 0.02 and ((.rate * .seconds / 1500 - 1) | fabs) < 0.2)
            and (map(select(.ended)) | length) == 1' "$BATS_TEST_TMPDIR/err"
    done
}

@test "-q is silent, whatever the form" {
    forward-capture -q -m "$MODEL" --progress json <"$BATS_TEST_TMPDIR/tokens.nf" 2>"$BATS_TEST_TMPDIR/err" >/dev/null
    [ ! -s "$BATS_TEST_TMPDIR/err" ]
}

@test "the form of the progress changes no byte of the output" {
    cmp <(forward-capture -q -m "$MODEL" <"$BATS_TEST_TMPDIR/tokens.nf") \
        <(forward-capture --progress json -m "$MODEL" <"$BATS_TEST_TMPDIR/tokens.nf" 2>/dev/null)
}
