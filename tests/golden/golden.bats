#!/usr/bin/env bats
# Text that people see.  <filter>/<case>.cmd is a command run from the root of the repository, <case>.txt what it prints, errors too.
# REWRITE=1 (make check-golden REWRITE=1) writes the .txt; the difference is reviewed like code.

load ../helpers

@test "every golden text is as it was" {
    local bad=0 n=0 cmd
    cd "$ROOT"
    for cmd in tests/golden/*/*.cmd; do
        got=0
        bash -u -o pipefail "$cmd" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null || got=$?
        [ "$got" -eq 0 ] || echo "status $got" >>"$BATS_TEST_TMPDIR/out"
        if [ -n "$REWRITE" ]; then
            cp "$BATS_TEST_TMPDIR/out" "${cmd%.cmd}.txt"
        elif ! diff "${cmd%.cmd}.txt" "$BATS_TEST_TMPDIR/out"; then
            echo "$cmd"
            bad=1
        fi
        n=$((n + 1))
    done
    [ "$n" -gt 5 ]
    [ "$bad" -eq 0 ]
}
