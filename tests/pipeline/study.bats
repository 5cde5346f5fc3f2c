#!/usr/bin/env bats
# The study of pipelines/neurons.mk on the embedded model: right, resumable, the same in shards.

load ../helpers

study() {
    make -s -f "$ROOT/pipelines/neurons.mk" MODEL="$MODEL" CORPUS="$CORPUS" PATH="$PATH" "$@"
}

setup_file() {
    load ../helpers
    export DEMO=$BATS_FILE_TMPDIR/demo
    study OUT="$DEMO"
}

@test "the study ends with a report, as a page and as text" {
    stream-check --kind stats "$DEMO/stats.nf"
    stream-check --kind neurons "$DEMO/neurons.nf"
    grep -q '</html>' "$DEMO/report.html"
    grep -q 'dead' "$DEMO/report.md"
}

@test "every neuron of the study is as found by brute force" {
    tokenize -m "$MODEL" "$CORPUS" | forward-capture -m "$MODEL" -q >"$BATS_TEST_TMPDIR/acts.nf"
    "$NF_TESTS/oracle/brute_neurons" "$BATS_TEST_TMPDIR/acts.nf" "$DEMO/neurons.nf" 16
}

# The reference ran PyTorch's kernels: a pre-activation within float32 rounding of zero may fall on the other side.  Of 1.5e8 decisions
# a few dozen do; a count of classes moves by one neuron at most when one sits on its threshold.
# Layers outside the scope of the n-gram rules have no detectors: an empty field here, 0 there.
@test "the study agrees with transformers, tokenizers and NumPy" {
    stream-dump --format tsv --record layer \
        --columns layer,dead.k,fires,detectors.token,detectors.bigram,detectors.trigram "$DEMO/neurons.nf" | tail -n +2 >"$BATS_TEST_TMPDIR/ours"
    grep -v '^#' "$ROOT/tests/oracle/demo_reference.tsv" | tail -n +2 | cut -f1-6 >"$BATS_TEST_TMPDIR/theirs"
    stream-dump --format ndjson --record neuron "$DEMO/neurons.nf" | jq -r 'select(.classes | index("positional")) | .layer' |
        sort -n | uniq -c | awk '{ print $2 "\t" $1 }' >"$BATS_TEST_TMPDIR/positional"
    grep -v '^#' "$ROOT/tests/oracle/demo_reference.tsv" | awk 'NR > 1 && $7 > 0 { print $1 "\t" $7 }' | diff - "$BATS_TEST_TMPDIR/positional"
    paste "$BATS_TEST_TMPDIR/ours" "$BATS_TEST_TMPDIR/theirs" | awk -F'\t' '
        function near(a, b, tol) { d = a - b; return (d < 0 ? -d : d) <= tol }
        NF != 12 { print "fields: " $0; bad = 1 }
        $1 != $7 || !near($2, $8, 1) || !near($3, $9, 1e-6 * $9) || !near($4, $10, 1) || !near($5, $11, 1) || !near($6, $12, 1) { print; bad = 1 }
        END { exit bad || NR != 6 }'
}

# Made from the activations that this program captured; another processor may round a pre-activation within 1e-6 of zero to the other side.  One such
# changes a count by 1, a covering number by 1, the information by at most ln(263) / (512 * 263) = 4e-5 nats, a run by the width of the moving average.
# Projections: w times the norm's gain is rounded to float, 256 terms of size 0.01.
@test "each class, covering number, type and projection is as NumPy finds it" {
    stream-dump --format ndjson --record layer,neuron "$DEMO/neurons.nf" | jq -rn -f "$ROOT/tests/oracle/neurons_reference.jq" >"$BATS_TEST_TMPDIR/ours"
    diff <(cut -f1-3 "$BATS_TEST_TMPDIR/ours" | grep -v ^layer | sort) <(cut -f1-3 "$ROOT/tests/oracle/neurons_reference.tsv" | grep -v ^layer | sort)
    paste <(sort "$BATS_TEST_TMPDIR/ours") <(sort "$ROOT/tests/oracle/neurons_reference.tsv") | awk -F'\t' '
        function tolerance(kind, i, x) {
            if (kind == "layer") return i == 3 ? 1e-6 * x : 1
            if (kind == "cover") return 1
            if (kind == "position") return i == 4 ? 1e-4 : 17
            return 1e-7
        }
        {
            h = NF / 2
            for (i = 1; i <= h; i++) {
                a = $i; b = $(i + h)
                if (a ~ /^-?[0-9.]/ ? (a - b) ^ 2 > tolerance($1, i, b) ^ 2 || b == "" : a != b) { print "field " i ": " $0; bad = 1 }
            }
        }
        END { exit bad || NR < 100 }'
}

@test "shards merged are the whole, byte for byte but for the history" {
    study OUT="$BATS_TEST_TMPDIR/s" SHARDS=3 "$BATS_TEST_TMPDIR/s/neurons.nf"
    for kind in stats neurons; do
        cmp <(stream-dump --format ndjson "$DEMO/$kind.nf") <(stream-dump --format ndjson "$BATS_TEST_TMPDIR/s/$kind.nf")
    done
}

@test "a stage that fails leaves no file, and its make says so" {
    run study OUT="$BATS_TEST_TMPDIR/f" TOKENIZE="--context 9999"
    [ "$status" -ne 0 ]
    [ -z "$(find "$BATS_TEST_TMPDIR/f" -type f)" ]
}

# killed SIGNAL DIR: start the study in a process group of its own, and kill the group in the middle of the first stage.
killed() {
    local pid
    setsid make -s -f "$ROOT/pipelines/neurons.mk" MODEL="$MODEL" CORPUS="$CORPUS" PATH="$PATH" OUT="$2" >/dev/null 2>&1 3>&- &
    pid=$!
    until [ -e "$2/stats.nf.part" ]; do sleep 0.02; done
    kill "-$1" -- "-$pid"
    wait "$pid" || true
    while kill -0 -- "-$pid" 2>/dev/null; do sleep 0.02; done
}

@test "an interrupted stage leaves no file, and the next run finishes" {
    killed TERM "$BATS_TEST_TMPDIR/i"
    [ -z "$(find "$BATS_TEST_TMPDIR/i" -type f)" ]
    killed KILL "$BATS_TEST_TMPDIR/i"    # nobody can clean up: the part stays, not under the name of the whole
    [ ! -e "$BATS_TEST_TMPDIR/i/stats.nf" ]
    study OUT="$BATS_TEST_TMPDIR/i" LIMIT=4096
    [ -z "$(find "$BATS_TEST_TMPDIR/i" -name '*.part')" ]
    stream-check "$BATS_TEST_TMPDIR/i/neurons.nf"
}

@test "what is there is not made again" {
    run study OUT="$DEMO" -n
    [ -z "$output" ]
}

@test "each one-question pipeline answers on the embedded model" {
    "$ROOT/pipelines/dead-neurons.sh" "$MODEL" "$CORPUS/fiction" >"$BATS_TEST_TMPDIR/out"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 7 ]
    "$ROOT/pipelines/positional-neurons.sh" "$MODEL" "$CORPUS" >"$BATS_TEST_TMPDIR/out"
    grep -qE '^0\.[0-9]+	0\.[0-9]+	(oscillatory|both|one|other)	(strong|weak)' "$BATS_TEST_TMPDIR/out"
    "$ROOT/pipelines/token-detectors.sh" "$MODEL" "$CORPUS" >"$BATS_TEST_TMPDIR/out"
    grep -qE '^1\.[0-9]+	[0-9]+	9[5-9.0-9]* %	"' "$BATS_TEST_TMPDIR/out"
    "$ROOT/pipelines/compare-checkpoints.sh" "$BATS_TEST_TMPDIR/cmp" "$CORPUS/fiction" "$MODEL"
    grep -q '</html>' "$BATS_TEST_TMPDIR/cmp/report.html"
}
