#!/usr/bin/env bats
# The rooms of lib/: what a room may include, and names that mean one thing in the whole tree.

ROOT=$BATS_TEST_DIRNAME/..

# A room, and the rooms that its files may include, directly or through other files.  Each stands below those that it may include, so no
# arrow runs up.  The programs of src/ may include every room.
ROOMS='
base
tensor      base
stream      base tensor
token       base
checkpoint  base tensor
model       base tensor checkpoint
record      base tensor stream token model checkpoint
numeric     base tensor stream record
count       base tensor stream record
vocab       base tensor stream record numeric
stages      base tensor stream token record numeric
classify    base tensor stream record vocab count
reduce      base tensor stream token record numeric count stages
run         base tensor stream token record numeric checkpoint model
inspect     base tensor stream token record
report      base tensor stream token record stages
src         base tensor stream token record numeric checkpoint model count vocab stages classify reduce run inspect report
'

# forbidden_includes ROOT [ROOMS]: for each file and each room that it reaches and may not, a line with the way there.
forbidden_includes() {
    (cd "$1" && find lib src -name '*.[ch]' -exec grep -HsE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"|/\*' {} + ) |
        awk -F'"' -v table="${2:-$ROOMS}" '
        function room(file,    part) {
            split(file, part, "/")
            return part[1] == "src" ? "src" : part[2]
        }
        # file reaches what `at` includes; way is how it came there
        function follow(file, at, way,    i, n, to, next_room) {
            n = split(includes[at], to, " ")
            for (i = 1; i <= n; i++) {
                if (seen[file, to[i]]++)
                    continue
                next_room = room(to[i])
                if (next_room != room(file) && !((room(file), next_room) in may)) {
                    print way " -> " to[i] ": " room(file) " may not include " next_room
                    continue
                }
                follow(file, to[i], way " -> " to[i])
            }
        }
        BEGIN {
            rows = split(table, row, "\n")
            for (i = 1; i <= rows; i++) {
                n = split(row[i], word, " ")
                for (j = 2; j <= n; j++) {
                    if (!(word[j] in known)) print "ROOMS: " word[1] " stands above " word[j]
                    may[word[1], word[j]] = 1
                }
                if (n) known[word[1]] = 1
            }
        }
        {
            file = substr($0, 1, index($0, ":") - 1)
            folder = file; sub("/[^/]*$", "", folder)
            if (!(file in includes)) { files[++count] = file; includes[file] = "" }
            if (!(room(file) in known)) { print file ": " room(file) " is no room"; known[room(file)] = 1 }
            if ($0 !~ /#[ \t]*include/ || $2 == "version.h") next    # version.h is made by the Makefile
            includes[file] = includes[file] " " ($2 ~ "/" ? "lib/" $2 : folder "/" $2)
        }
        END { for (i = 1; i <= count; i++) follow(files[i], files[i], files[i]) }'
}

# shared_names ROOT: struct, union and enum tags, and names of static functions, that two files of lib and src define.
shared_names() {
    (cd "$1" && find lib src -name '*.[ch]' -exec grep -HnE '^(static|struct|union|enum|typedef (struct|union|enum))[^_a-zA-Z]' {} +) | awk '
        {
            split($0, place, ":")
            line = $0; sub("^[^:]*:[^:]*:(typedef )?", "", line)
            gsub(/__attribute__ *\(\(.*\)\) */, "", line)
            name = ""
            if (line ~ /^(struct|union|enum) [a-zA-Z0-9_]+( \{.*)?$/) {
                split(line, word, " ")
                name = word[1] " " word[2]
            } else if (match(line, /^static [^=;(]*[^a-zA-Z0-9_][a-zA-Z0-9_]+\(/)) {
                name = substr(line, 1, RLENGTH - 1); sub(/.*[^a-zA-Z0-9_]/, "", name)
            }
            if (name == "" || (name, place[1]) in seen) next
            seen[name, place[1]] = 1
            files[name] = files[name] " " place[1] ":" place[2]
            count[name]++
        }
        END { for (name in count) if (count[name] > 1) print name ":" files[name] }' | sort
}

@test "no file reaches a room that its own may not include" {
    run forbidden_includes "$ROOT"
    echo "$output"
    [ -z "$output" ]
    [ "$(find "$ROOT/lib" -name '*.c' | wc -l)" -gt 10 ]
}

@test "every room of the table is a folder of lib" {
    diff <(awk 'NF && $1 != "src" { print $1 }' <<<"$ROOMS" | sort) <(cd "$ROOT/lib" && printf '%s\n' */ | tr -d / | sort)
}

# plant FILE LINE...
plant() {
    mkdir -p "$BATS_TEST_TMPDIR/$(dirname "$1")"
    printf '%s\n' "${@:2}" >"$BATS_TEST_TMPDIR/$1"
}

@test "a planted include of a room above is found, direct or through other files" {
    plant src/a.c '#include "base/err.h"'
    plant lib/base/a.c '#include "stream/mp.h"'
    plant lib/base/err.h '/* none */'
    plant lib/count/b.c '#include "report/page.h"'
    plant lib/count/c.h '#include "err.h"' '#include "record/stats.h"' '  #  include "nowhere/x.h"'
    plant lib/record/stats.h '#include "vocab/unembed.h"'
    plant lib/checkpoint/family/qwen.c '#include "base/err.h"' '#include "token/bpe.h"'
    plant lib/attic/a.c '#include "base/err.h"'
    run forbidden_includes "$BATS_TEST_TMPDIR"
    echo "$output"
    [ "${#lines[@]}" -eq 8 ]
    [[ $output == *"lib/attic/a.c: attic is no room"* ]]
    [[ $output == *"lib/attic/a.c -> lib/base/err.h: attic may not include base"* ]]
    [[ $output == *"lib/base/a.c -> lib/stream/mp.h: base may not include stream"* ]]
    [[ $output == *"lib/count/b.c -> lib/report/page.h: count may not include report"* ]]
    [[ $output == *"lib/count/c.h -> lib/nowhere/x.h: count may not include nowhere"* ]]
    [[ $output == *"lib/count/c.h -> lib/record/stats.h -> lib/vocab/unembed.h: count may not include vocab"* ]]
    [[ $output == *"lib/record/stats.h -> lib/vocab/unembed.h: record may not include vocab"* ]]
    [[ $output == *"lib/checkpoint/family/qwen.c -> lib/token/bpe.h: checkpoint may not include token"* ]]
}

@test "a table whose arrows run up, or in a circle, is found" {
    run forbidden_includes "$BATS_TEST_TMPDIR" $'base\nstream base record\nrecord base stream'
    [[ $output == *"ROOMS: stream stands above record"* ]]
}

@test "no tag and no name of a static function is defined in two files" {
    run shared_names "$ROOT"
    echo "$output"
    [ -z "$output" ]
}

@test "a planted name that two files define is found" {
    plant lib/base/a.c 'struct pair {' 'enum kind { A, B };' 'static int take(int a)' 'static const char *const names[] = { "x" };' 'static bool own(void);' 'static bool own(void)'
    plant lib/base/b.h 'typedef struct pair { int a; } pair;' 'struct other;' 'static inline double *take(void)'
    plant src/c.c 'enum kind' 'static __attribute__((noinline)) void nf_x(struct pair *p)' 'static const char *const names[] = { "x" };' 'static struct pair p = { f(1) };'
    plant lib/base/d/e.c 'static void nf_x(void (*f)(void))'
    run shared_names "$BATS_TEST_TMPDIR"
    echo "$output"
    [ "${#lines[@]}" -eq 4 ]
    [ "${lines[0]}" = "enum kind: lib/base/a.c:2 src/c.c:1" ]
    [ "${lines[1]}" = "nf_x: lib/base/d/e.c:1 src/c.c:2" ]
    [ "${lines[2]}" = "struct pair: lib/base/a.c:1 lib/base/b.h:1" ]
    [ "${lines[3]}" = "take: lib/base/a.c:3 lib/base/b.h:3" ]
}
