#!/usr/bin/env bats
# pipelines/logit-lens.sh: the table is what the lens says, in text.

load ../helpers

lens() { "$ROOT/pipelines/logit-lens.sh" "$@"; }

# cells: those of lines of the table, one a line.
cells() { sed 's/  \+/\n/g'; }

@test "a line a point, a column a token of the prompt, aligned" {
    lens "$MODEL" 'Dear Mary, thank you' >"$BATS_TEST_TMPDIR/table"
    cut -d' ' -f1 "$BATS_TEST_TMPDIR/table" | diff - <(printf '%s\n' point 0 1 2 3 4 5 6)
    head -n 1 "$BATS_TEST_TMPDIR/table" | cells | diff - <(printf '%s\n' point '"D"' '"ear"' '" Mary"' '","' '" thank"' '" you"')
    tail -n +2 "$BATS_TEST_TMPDIR/table" | while read -r line; do
        [ "$(cells <<<"$line" | grep -cE '^".+" [0-9]+ %$')" -eq 6 ]
    done
    # where a token of the prompt begins, a cell of every line does
    at=$(head -n 1 "$BATS_TEST_TMPDIR/table" | grep -bo ' "' | cut -d: -f1 | tail -n 1)
    [ "$(cut -c "$((at + 1))-$((at + 2))" "$BATS_TEST_TMPDIR/table" | sort -u)" = ' "' ]
}

# The logits of the run itself, their largest and its share, the text by the tokens that tokenize wrote.
@test "the last line is what the model says" {
    prompt='The rain in Spain'
    lens "$MODEL" "$prompt" --include-bos | tail -n 1 | cells | tail -n +2 >"$BATS_TEST_TMPDIR/got"
    printf %s "$prompt" | tokenize -q -m "$MODEL" >"$BATS_TEST_TMPDIR/tokens"
    forward-capture -q -m "$MODEL" --sites logits <"$BATS_TEST_TMPDIR/tokens" | stream-dump --format ndjson --record vocab,site |
        jq -nr '[inputs] | (map(select(.r == "vocab").tokens) | add) as $v | .[] | select(.r == "site") | .data[]
            | (max) as $m | "\"\($v[index($m)])\" \(100 / (map(. - $m | exp) | add) | round) %"' >"$BATS_TEST_TMPDIR/want"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/want")" -eq 5 ]    # BOS and four
    diff "$BATS_TEST_TMPDIR/got" "$BATS_TEST_TMPDIR/want"
}

@test "options of the lens, and tokens that are no plain text" {
    lens "$MODEL" $'say "x"\n' --mid >"$BATS_TEST_TMPDIR/table"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/table")" -eq 14 ]
    head -n 1 "$BATS_TEST_TMPDIR/table" | cells | diff - <(printf '%s\n' point '"s"' '"ay"' '" \""' '"x"' '"\""' '"\n"')
}

@test "what fails says so and draws no table" {
    exits 3 lens "$MODEL" ""
    grep -q "no windows" "$BATS_TEST_TMPDIR/err"
    [ ! -s "$BATS_TEST_TMPDIR/out" ]
    exits 3 lens "$BATS_TEST_TMPDIR/nowhere" x
    grep -q "tokenize: $BATS_TEST_TMPDIR/nowhere: no such directory" "$BATS_TEST_TMPDIR/err"
    [ ! -s "$BATS_TEST_TMPDIR/out" ]
    exits 2 lens "$MODEL"
    says "usage: logit-lens.sh MODEL-DIR PROMPT"
}
