#!/usr/bin/env bats
# The rooms of lib/: a file includes its own room and those below it.  lib/README.md has a sentence about each.

ROOT=$BATS_TEST_DIRNAME/..

# upward_includes ROOT: prints every #include that the layers forbid.
upward_includes() {
    (cd "$1" && grep -rnsE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' lib src --include='*.[ch]') | awk -F'[:"]' '
        BEGIN {
            split("base stream tensor token record checkpoint numeric model run count stages reduce vocab classify inspect report src", name, " ")
            split("0    1      1      1     2      2          3       3     4   4     4      5      4     5        3       5      6", level, " ")
            for (i in name) rank[name[i]] = level[i]
            apart["token"]; apart["model"]; apart["inspect"]; apart["report"]
        }
        {
            split($1, path, "/"); from = path[1] == "src" ? "src" : path[2]
            n = split($4, inc, "/"); to = n > 1 ? inc[1] : from
            if ($4 == "version.h") next     # made by the Makefile
            if (!(from in rank) || !(to in rank) || rank[to] > rank[from] || (from != to && from in apart && to in apart))
                print $1 ":" $2 ": " from " includes " $4
        }'
}

@test "no file includes a layer above its own" {
    run upward_includes "$ROOT"
    echo "$output"
    [ -z "$output" ]
    [ "$(find "$ROOT/lib" -name '*.c' | wc -l)" -gt 10 ]
}

@test "a planted upward include is found" {
    mkdir -p "$BATS_TEST_TMPDIR/lib/base" "$BATS_TEST_TMPDIR/lib/checkpoint/family" "$BATS_TEST_TMPDIR/lib/count" "$BATS_TEST_TMPDIR/src"
    echo '#include "base/err.h"' >"$BATS_TEST_TMPDIR/src/a.c"
    echo '#include "stream/mp.h"' >"$BATS_TEST_TMPDIR/lib/base/a.c"
    echo '#include "report/page.h"' >"$BATS_TEST_TMPDIR/lib/count/b.c"
    printf '#include "err.h"\n#include "record/stats.h"\n  #  include "nowhere/x.h"\n' >"$BATS_TEST_TMPDIR/lib/count/c.h"
    printf '#include "checkpoint/family.h"\n#include "model/forward.h"\n' >"$BATS_TEST_TMPDIR/lib/checkpoint/family/d.c"
    run upward_includes "$BATS_TEST_TMPDIR"
    echo "$output"
    [ "${#lines[@]}" -eq 4 ]
    [[ $output == *"lib/checkpoint/family/d.c:2: checkpoint includes model/forward.h"* ]]
    [[ $output == *"lib/base/a.c:1: base includes stream/mp.h"* ]]
    [[ $output == *"lib/count/b.c:1: count includes report/page.h"* ]]
    [[ $output == *"lib/count/c.h:3: count includes nowhere/x.h"* ]]
}
