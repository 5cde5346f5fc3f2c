#!/usr/bin/env bats
# The documents can be read by people in a hurry, and name only what exists.

ROOT=$BATS_TEST_DIRNAME/../..

# pages: the documents that these rules hold for, but for the model card of the demonstration, which is text of a test.
pages() {
    (cd "$ROOT" && find README.md CONTRIBUTING.md SECURITY.md CHANGELOG.md src lib pipelines tests -name '*.md' \
        ! -path 'pipelines/demo/model/*' ! -path 'tests/golden/*' | sort)
}

# wordy FILE...: lines over 100 columns and paragraphs over 80 words, outside of tables, code and links.  A list item is a paragraph.
wordy() {
    awk '
        function end() { if (n > 80) print FILENAME ":" first ": a paragraph of " n " words"; n = 0 }
        FNR == 1         { end(); code = 0 }
        /^```/           { end(); code = !code; next }
        code || /^\||^#|^    |^!\[/ { end(); next }
        length($0) > 100 { print FILENAME ":" FNR ": a line of " length($0) " columns" }
        /^[[:space:]]*$/ { end(); next }
        /^[[:space:]]*([-*]|[0-9]+\.) / { end() }
                         { if (n == 0) first = FNR; n += NF }
        END              { end() }' "$@"
}

@test "no paragraph is over 80 words and no line of prose over 100 columns" {
    cd "$ROOT"
    mapfile -t files < <(pages)
    [ "${#files[@]}" -ge 14 ]
    run wordy "${files[@]}"
    echo "$output"
    [ -z "$output" ]
}

@test "a long paragraph and a long line are found" {
    {
        for ((i = 0; i < 81; i++)); do echo "word"; done
        echo
        printf '%0101d\n\n' 1
        echo '```'
        printf '%0101d\n' 1
        echo '```'
        printf '| %0101d |\n' 1
    } >"$BATS_TEST_TMPDIR/page.md"
    run wordy "$BATS_TEST_TMPDIR/page.md"
    echo "$output"
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[0]} == *"page.md:1: a paragraph of 81 words" ]]
    [[ ${lines[1]} == *"page.md:83: a line of 101 columns" ]]
}

# missing ROOT FILE...: functions and files that a document names and that are not there.  A path starts in ROOT, lib/ or the document's folder;
# NAME and SUBJECT stand for a name.
missing() {
    local root=$1 page name path
    shift
    for page; do
        grep -oE '\bnf_[a-z0-9_]+' "$root/$page" | sort -u | while read -r name; do
            grep -rqwE "$name" "$root"/lib "$root"/src --include='*.h' --include='*.c' || echo "$page: $name"
        done
        grep -oE '\b(lib|src|tests|pipelines|[a-z]+)/[A-Za-z0-9_/.-]+\.(c|h|md|py|bats|bash|sh|mk|json|txt|inc)\b' "$root/$page" | sort -u |
            grep -vE '(NAME|SUBJECT)' | while read -r path; do
                [ -e "$root/$path" ] || [ -e "$root/lib/$path" ] || [ -e "$root/$(dirname "$page")/$path" ] || echo "$page: $path"
            done
    done
}

@test "what the map of lib and the how-to pages name exists" {
    cd "$ROOT"
    run missing "$ROOT" lib/README.md CONTRIBUTING.md
    echo "$output"
    [ -z "$output" ]
}

# The rows of its first table.
rooms() {
    awk -F'|' '/^\| room /, /^$/ { gsub(/ /, "", $2); print $2 }' "$ROOT/lib/README.md" | grep -vE '^(room|-*)$'
}

@test "the map of lib has every room, and no other, in the order of the tests of rooms" {
    cd "$ROOT"
    diff <(rooms | sort) <(find lib -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort)
    diff <(rooms) <(sed -n "/^ROOMS='/,/^src /p" tests/rooms.bats | awk '!/^ROOMS/ && $1 != "src" { print $1 }')
}

@test "a name that does not exist is found" {
    mkdir -p "$BATS_TEST_TMPDIR"/{lib/base,src}
    echo 'int nf_there(void);' >"$BATS_TEST_TMPDIR/lib/base/a.h"
    echo 'See base/a.h, `nf_there`, `nf_gone` and lib/base/gone.h.' >"$BATS_TEST_TMPDIR/page.md"
    run missing "$BATS_TEST_TMPDIR" page.md
    echo "$output"
    [ "${#lines[@]}" -eq 2 ]
}
