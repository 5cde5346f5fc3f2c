#!/usr/bin/env bats
# What a manual says is what its filter does: synopsis, sections, examples.

load ../helpers
load filters

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
