# helpers.bash - how to call a filter; no test logic.
PATH="${NF_BIN:?run through make check}:$PATH"     # never an installed copy
export LC_ALL=C OMP_NUM_THREADS=2
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # for the tests
MODEL=$ROOT/pipelines/demo/model CORPUS=$ROOT/pipelines/demo/corpus

# exits STATUS CMD...: exactly STATUS.  Unlike `run !`, a crash never counts as a refusal.
exits() {
    local want=$1 got=0
    shift
    "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || got=$?
    if [ "$got" -ne "$want" ]; then
        printf 'wanted exit %d, got %d: %s\n' "$want" "$got" "$*"
        head -5 "$BATS_TEST_TMPDIR/err"
        return 1
    fi
}

# says TEXT: the last `exits` or `statuses` wrote exactly one line to stderr, and TEXT is in it.
says() {
    if ! grep -qF -- "$1" "$BATS_TEST_TMPDIR/err" || [ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -ne 1 ]; then
        printf 'wanted one line with [%s], got:\n' "$1"
        head -5 "$BATS_TEST_TMPDIR/err"
        return 1
    fi
}

# prints TEXT: TEXT is in what the last `exits` wrote to stdout.
prints() {
    grep -qF -- "$1" "$BATS_TEST_TMPDIR/out" || { printf 'wanted [%s] in:\n' "$1"; head -20 "$BATS_TEST_TMPDIR/out"; return 1; }
}

# statuses "A B C" 'a | b | c': the exit status of every stage.
statuses() {
    local got
    got=$(bash -c "$2; echo \"\${PIPESTATUS[*]}\" >&9" 9>&1 >/dev/null 2>"$BATS_TEST_TMPDIR/err")
    [ "$got" = "$1" ] || { printf 'wanted [%s], got [%s]: %s\n' "$1" "$got" "$2"; cat "$BATS_TEST_TMPDIR/err"; return 1; }
}

# shared PATH: skip the test where the development data is absent; sets SHARED.
shared() {
    SHARED=$ROOT/../shared
    [ -e "$SHARED/$1" ] || skip "needs ../shared/$1"
}
