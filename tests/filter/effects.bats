#!/usr/bin/env bats
# classify-neurons: what the weights of a neuron say of the vocabulary.  Checkpoints: tests/data; numbers: tests/oracle/make_effects.py.

load ../helpers

setup_file() {
    load ../helpers
    export DATA=$ROOT/tests/data T=$BATS_FILE_TMPDIR
    classify-neurons --weights -m "$DATA/handmade" < <(echo | tokenize -m "$DATA/handmade") >"$T/hand.nf"
    forward-capture -q -m "$DATA/llama-plain" --sites ffn.active,ffn.act <"$DATA/llama-plain/tokens.nf" | reduce-stats >"$T/llama.nf"
}

# weights MODEL OPTION...: the records of a checkpoint of tests/data by its weights alone.
weights() {
    classify-neurons -q --weights -m "$DATA/$1" "${@:2}" <"$DATA/$1/tokens.nf"
}

# of FILE JQ: the records of FILE through jq.
of() {
    stream-dump -f ndjson "$1" | jq -c "$2"
}

# As a table like effects.tsv: every third neuron, nan where there is no gate.
table() {
    paste <(weights "$1" --null-space 5 | stream-dump -f ndjson -r neuron | jq -r --arg m "$1" 'def gate: . // "nan"; select(.neuron % 3 == 0) |
                [$m, .layer, .neuron, (.weights | .in_norm, (.gate_norm | gate), .out_norm, .cos_in_out, (.cos_gate_out | gate), (.cos_gate_in | gate)),
                 (.vocab | .mean, .var, .skew, .kurt, .logit_var, .null_share)] | @tsv') \
        <(weights "$1" --product raw | stream-dump -f ndjson -r neuron | jq -r 'select(.neuron % 3 == 0) | .vocab | [.var, .skew, .kurt] | @tsv')
}

# Tolerance: products of float vectors of up to 24 numbers, and what the moments make of them: 1e-6 of the value or of 1, whichever is larger.
# Variances and norms are small numbers: 1e-6 of themselves.
@test "every family: norms, cosines and moments are NumPy's" {
    for m in $(cut -f1 "$ROOT/tests/oracle/effects.tsv" | uniq); do
        table "$m"
    done >"$BATS_TEST_TMPDIR/ours"
    paste "$BATS_TEST_TMPDIR/ours" "$ROOT/tests/oracle/effects.tsv" | awk -F'\t' '
        function abs(x) { return x < 0 ? -x : x }
        {
            h = NF / 2
            for (i = 1; i <= 3; i++)
                if ($i != $(h + i)) { print "row " NR ": " $i " is not " $(h + i); bad = 1 }
            for (i = 4; i <= h; i++) {
                a = $i; b = $(h + i)
                if ((a == "nan") != (b == "nan")) { print "row " NR ", column " i ": " a " is not " b; bad = 1 }
                size = abs(b) > 1 || i == 4 || i == 6 || i == 11 || i == 14 || i == 16 ? abs(b) : 1
                if (a != "nan" && !(abs(a - b) <= 1e-6 * size)) { print "row " NR ", column " i ": " a " is not " b; bad = 1 }
                n++
            }
        }
        END { exit bad || NR < 180 || n < 2700 }'
}

# Neuron 1 of layer 0 writes against one letter, neuron 2 writes two; the others nothing, or are dead.  The letter a has dimensions of its own: of
# 260 cosines one is large.
@test "hand-made prediction and suppression neurons" {
    diff <(of "$T/hand.nf" 'select(.r == "neuron" and .class != "other") | [.layer, .neuron, .classes]') - <<'END'
[0,1,["suppression"]]
[0,2,["prediction"]]
END
    [ "$(of "$T/hand.nf" 'select(.r == "layer") | [.vocab.prediction, .vocab.suppression, .vocab.partition]')" = $'[1,1,null]\n[0,0,null]' ]
    of "$T/hand.nf" 'select(.r == "neuron" and .neuron == 0 and .layer == 0) | .vocab | .mean == null and .kurt == null and .frequency == null' | grep -qx true
    stream-dump -f ndjson --end "$T/hand.nf" | tail -1 | jq -e '.totals | .prediction == 1 and .suppression == 1 and .other == 30 and .neurons == 32'
}

@test "thresholds are options; the partition rule needs a wide model or a larger threshold" {
    kurt=$(of "$T/hand.nf" 'select(.r == "neuron" and .neuron == 2 and .layer == 0) | .vocab.kurt')
    var=$(of "$T/hand.nf" 'select(.r == "neuron" and .neuron == 2 and .layer == 0) | .vocab.var')
    classes() {
        classify-neurons --weights -m "$DATA/handmade" "$@" < <(echo | tokenize -m "$DATA/handmade") | stream-dump -f ndjson -r neuron |
            jq -c 'select(.layer == 0 and .neuron == 2) | .classes'
    }
    # strict inequalities: at the very value the rule does not hold
    [ "$(classes --kurtosis "$kurt")" = '["other"]' ]
    [ "$(classes --kurtosis "$kurt" --partition 0.04)" = "$(jq -nc --argjson v "$var" 'if $v > 0.04 then ["partition"] else ["other"] end')" ]
    [ "$(classes --partition 0.001)" = '["prediction"]' ]
    classify-neurons --weights -m "$MODEL" --partition 0.01 < <(echo | tokenize -m "$MODEL") >"$BATS_TEST_TMPDIR/wide.nf"
    of "$BATS_TEST_TMPDIR/wide.nf" 'select(.r == "neuron") | (.vocab.var > 0.01) == ((.classes | index("partition")) != null)' | sort -u | diff - <(echo true)
    [ "$(of "$BATS_TEST_TMPDIR/wide.nf" 'select(.r == "layer") | .vocab.partition > 0' | sort -u)" = true ]
}

# That its rows then count for nothing is tests/unit/test_logit_effect.c's to see.
@test "padding rows of the unembedding are counted, or with --vocabulary tokenizer not" {
    mkdir "$BATS_TEST_TMPDIR/m"
    "$NF_TESTS/bench/make_checkpoint" opt "$BATS_TEST_TMPDIR/m" 1 32 48 1 8300 16 >/dev/null
    cp "$MODEL"/tokenizer.json "$MODEL"/tokenizer_config.json "$MODEL"/special_tokens_map.json "$BATS_TEST_TMPDIR/m/"
    echo a | tokenize -m "$BATS_TEST_TMPDIR/m" >"$BATS_TEST_TMPDIR/tokens.nf"
    classify-neurons --weights -m "$BATS_TEST_TMPDIR/m" <"$BATS_TEST_TMPDIR/tokens.nf" >"$BATS_TEST_TMPDIR/all.nf"
    classify-neurons --weights --vocabulary tokenizer -m "$BATS_TEST_TMPDIR/m" <"$BATS_TEST_TMPDIR/tokens.nf" >"$BATS_TEST_TMPDIR/own.nf"
    [ "$(of "$BATS_TEST_TMPDIR/all.nf" 'select(.r == "run") | .vocabulary')" = 8300 ]
    [ "$(of "$BATS_TEST_TMPDIR/own.nf" 'select(.r == "run") | .vocabulary')" = 8192 ]
    exits 1 cmp -s <(of "$BATS_TEST_TMPDIR/all.nf" 'select(.r == "neuron") | .vocab') <(of "$BATS_TEST_TMPDIR/own.nf" 'select(.r == "neuron") | .vocab')
}

@test "with stats: layers without counts are there by their weights, and classes add up" {
    forward-capture -q -m "$DATA/handmade" --layers 1 < <(printf 'abcdefghabcd%.0s' {1..80} | tokenize -m "$DATA/handmade") | reduce-stats >"$BATS_TEST_TMPDIR/stats.nf"
    classify-neurons -m "$DATA/handmade" <"$BATS_TEST_TMPDIR/stats.nf" >"$BATS_TEST_TMPDIR/n.nf"
    stream-check "$BATS_TEST_TMPDIR/n.nf"
    [ "$(of "$BATS_TEST_TMPDIR/n.nf" 'select(.r == "layer") | [.layer, .fires != null, .vocab.suppression]')" = $'[0,false,1]\n[1,true,0]' ]
    [ "$(of "$BATS_TEST_TMPDIR/n.nf" 'select(.r == "neuron") | .layer' | uniq -c | awk '{ print $1 }' | tr '\n' ' ')" = "16 16 " ]
    # the same numbers with and without counts
    diff <(of "$BATS_TEST_TMPDIR/n.nf" 'select(.r == "neuron") | [.layer, .neuron, .weights, (.vocab | del(.frequency))]') \
        <(of "$T/hand.nf" 'select(.r == "neuron") | [.layer, .neuron, .weights, (.vocab | del(.frequency))]')
    of "$BATS_TEST_TMPDIR/n.nf" 'select(.r == "neuron" and .layer == 0 and .neuron == 1) | .vocab.frequency' | grep -q '[0-9]'
    exits 0 render-report -o "$BATS_TEST_TMPDIR/r.html" "$BATS_TEST_TMPDIR/n.nf"
    classify-neurons -m "$DATA/handmade" --vocabulary none <"$BATS_TEST_TMPDIR/stats.nf" >"$BATS_TEST_TMPDIR/none.nf"
    [ "$(of "$BATS_TEST_TMPDIR/none.nf" 'select(.r == "layer" or .r == "neuron") | .layer' | sort -u)" = 1 ]
    [ "$(of "$BATS_TEST_TMPDIR/none.nf" 'select(.vocab != null or .weights != null)')" = "" ]
}

# log(count + 1) of each token, correlated with the effect on its logit, by hand.
@test "correlation with the frequency of tokens" {
    printf 'aaaaaaaabbbbccd%.0s' {1..60} | tokenize -m "$DATA/handmade" | forward-capture -q -m "$DATA/handmade" | reduce-stats >"$BATS_TEST_TMPDIR/stats.nf"
    classify-neurons -m "$DATA/handmade" <"$BATS_TEST_TMPDIR/stats.nf" >"$BATS_TEST_TMPDIR/n.nf"
    # neuron 1 lowers a, the most frequent letter, neuron 2 raises b and c
    of "$BATS_TEST_TMPDIR/n.nf" 'select(.r == "neuron" and .layer == 0 and (.neuron | IN(1, 2))) | .vocab.frequency' >"$BATS_TEST_TMPDIR/f"
    # 260 tokens: a 480 times, b 240, c 120, d 60, no other.  Nine have a dimension of their own, of which LayerNorm takes 1/50 off; weights are F16.
    jq -ne --slurpfile f "$BATS_TEST_TMPDIR/f" '
        def corr($x): (([481, 241, 121, 61] | map(log)) + [0, 0, 0, 0, 0]) as $p | (($p | add) / 260) as $m | (($x | add) / 260) as $n |
            ([range(9) | $p[.] * $x[.]] | add - 260 * $m * $n) /
            (((($p | map(. * .) | add) - 260 * $m * $m) * (($x | map(. * .) | add) - 260 * $n * $n)) | sqrt);
        (corr([-49, 1, 1, 1, 1, 1, 1, 1, 1]) - $f[0] | fabs < 1e-6) and (corr([-2, 48, 48, -2, -2, -2, -2, -2, -2]) - $f[1] | fabs < 1e-6)'
    [ "$(of "$BATS_TEST_TMPDIR/n.nf" 'select(.r == "neuron" and .layer == 0 and .neuron == 1) | .classes | index("token-frequency") != null')" = true ]
    classify-neurons -m "$DATA/handmade" --frequency 1 <"$BATS_TEST_TMPDIR/stats.nf" | stream-dump -f ndjson -r layer | jq -c '.vocab["token-frequency"]' | diff - <(printf '0\n0\n')
}

@test "a gated model: gate's norms, and the mean activations that turn signs" {
    classify-neurons -m "$DATA/llama-plain" <"$T/llama.nf" >"$BATS_TEST_TMPDIR/n.nf"
    stream-check "$BATS_TEST_TMPDIR/n.nf"
    [ "$(of "$BATS_TEST_TMPDIR/n.nf" 'select(.r == "run") | .gated')" = true ]
    of "$BATS_TEST_TMPDIR/n.nf" 'select(.r == "neuron") | .weights | .gate_norm > 0 and .cos_gate_in != null' | sort -u | diff - <(echo true)
    diff <(of "$BATS_TEST_TMPDIR/n.nf" 'select(.r == "activation") | [.layer, .mean]') <(of "$T/llama.nf" 'select(.r == "moments" and .site == "ffn.act") | [.layer, .mean]')
    [ "$(of "$BATS_TEST_TMPDIR/n.nf" 'select(.r == "activation") | .layer' | wc -l)" -eq 2 ]
    exits 0 render-report -o "$BATS_TEST_TMPDIR/r.html" "$BATS_TEST_TMPDIR/n.nf"
}

@test "the result does not depend on threads" {
    OMP_NUM_THREADS=1 classify-neurons --weights -m "$MODEL" < <(echo | tokenize -m "$MODEL") |
        cmp - <(OMP_NUM_THREADS=3 classify-neurons --weights -m "$MODEL" < <(echo | tokenize -m "$MODEL"))
}

@test "options that do not fit are refused" {
    exits 2 classify-neurons --weights <"$DATA/opt-preln/tokens.nf"
    says "--weights needs a model"
    exits 2 classify-neurons --weights -m "$DATA/opt-preln" --vocabulary none <"$DATA/opt-preln/tokens.nf"
    says "leaves nothing"
    exits 3 classify-neurons --weights -m "$DATA/llama-plain" <"$T/llama.nf"
    says "stats"
    exits 3 classify-neurons -q --weights -m "$DATA/opt-preln" < <(echo | tokenize -c 16 -m "$MODEL")
    says "rows in the unembedding"
    exits 2 classify-neurons --product other <"$T/llama.nf"
}
