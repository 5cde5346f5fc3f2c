#!/usr/bin/env bats
# forward-capture: every model family, switch by switch, against transformers (tests/oracle/README.txt lists the checkpoints).

load ../helpers

DIRS=("$ROOT"/tests/data/*/reference.nf)
DIRS=("${DIRS[@]%/reference.nf}")

header() { stream-dump --header --format ndjson "$1" | head -n 1; }
sites() { header "$1/reference.nf" | jq -r '[.sites[].site] | join(",")'; }

@test "there are checkpoints of all families" {
    for d in "${DIRS[@]}"; do
        jq -r .model_type "$d/config.json"
    done | sort | uniq -c | awk '$1 >= 2 { print $2 }' >"$BATS_TEST_TMPDIR/out"
    [ "$(paste -sd ' ' "$BATS_TEST_TMPDIR/out")" = "gpt2 gpt_neo gpt_neox llama mistral phi qwen2 qwen3" ]
}

# Values are up to 21, with an ulp of 2^-19 = 2e-6; two blocks and an unembedding round some ten times on the way of each.  transformers in float32
# is off by up to 5e-6.  Bits of ffn.active are equal: no pre-activation is near zero.
@test "every site of every family is that of transformers in float64" {
    for d in "${DIRS[@]}"; do
        exits 0 forward-capture -q -m "$d" --sites "$(sites "$d")" --near-zero 1e-4 <"$d/tokens.nf"
        mv "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/ours"
        exits 0 stream-diff --nan-equal --atol 1e-5 "$BATS_TEST_TMPDIR/ours" "$d/reference.nf" ||
            { echo "${d##*/}"; cat "$BATS_TEST_TMPDIR/out"; false; }
    done
}

# Attention is at most 1: e^score, of a score of up to 16 off by an ulp, so 1e-6, and 2e-6 with the sums.
@test "attention of every family is closer still" {
    for d in "${DIRS[@]}"; do
        forward-capture -q -m "$d" --sites attn.local <"$d/tokens.nf" >"$BATS_TEST_TMPDIR/ours"
        off=$(largest_difference attn.local "$BATS_TEST_TMPDIR/ours" "$d/reference.nf")
        jq -en --argjson off "$off" '$off <= 2e-6' || { echo "${d##*/}: $off"; false; }
    done
}

# largest_difference SITE STREAM STREAM: of the values of one site, whatever other sites the streams have.
largest_difference() {
    jq -n --slurpfile a <(stream-dump --format ndjson --record site --site "$1" "$2") \
        --slurpfile b <(stream-dump --format ndjson --record site --site "$1" "$3") \
        '[[$a[].data], [$b[].data] | flatten] | if (.[0] | length) != (.[1] | length) then error("not as many") else . end |
         transpose | map(.[0] - .[1] | fabs) | max'
}

# transformers in bfloat16 rounds everything, ours weights and the inputs of products: it should not be further off.  The header has how far
# transformers is; half as much again, for the largest of a thousand roundings is chance.  1e-3: bf16 keeps 8 bits, so that it was used shows; not in checkpoints
# that are stored in bf16, on processors where only weights are rounded.
@test "bf16 is as close to float64 as transformers in bfloat16" {
    local rounded=0
    for d in "${DIRS[@]}"; do
        case ,$(sites "$d"), in *,logits,*) ;; *) continue ;; esac   # a base model has none
        forward-capture -q -m "$d" --sites logits --dtype bf16 <"$d/tokens.nf" >"$BATS_TEST_TMPDIR/ours"
        off=$(largest_difference logits "$BATS_TEST_TMPDIR/ours" "$d/reference.nf")
        header "$d/reference.nf" | jq -e --argjson off "$off" '.reference.bfloat16.logits as $theirs | $off <= 1.5 * $theirs' ||
            { echo "${d##*/}: $off"; false; }
        jq -en --argjson off "$off" '$off > 1e-3' >/dev/null && rounded=$((rounded + 1))
    done
    [ "$rounded" -ge 10 ]
}

@test "the header describes the model as transformers does" {
    for d in "${DIRS[@]}"; do
        forward-capture -q -m "$d" --sites "$(sites "$d")" --near-zero 1e-4 <"$d/tokens.nf" >"$BATS_TEST_TMPDIR/ours"
        diff <(header "$BATS_TEST_TMPDIR/ours" | jq -S '.model, .sites | del(.dtype?, .weights_sha256?)') \
            <(header "$d/reference.nf" | jq -S '.model, .sites | del(.dtype?, .weights_sha256?)') || { echo "${d##*/}"; false; }
    done
}

@test "a site that a model has not is refused" {
    for d in "${DIRS[@]}"; do
        for s in resid.mid ffn.up; do
            case ,$(sites "$d"), in
            *,$s,*) exits 0 forward-capture -q -m "$d" --sites $s <"$d/tokens.nf" ;;
            *) exits 2 forward-capture -q -m "$d" --sites $s <"$d/tokens.nf" && says $s ;;
            esac || { echo "${d##*/} $s"; false; }
        done
    done
}

# The hundred stories lie in the text one after the other; stories260K.tsv has where each begins and how many bytes it has.  The reference's losses are
# means in float32 of some 300 numbers of up to 15: rounded to 1e-6 of them.
@test "a trained Llama gives, from text to loss, the losses that were published with it" {
    shared data/models/stories260K-hf/reference_loss.json
    m=$SHARED/data/models/stories260K-hf text=$SHARED/data/text/eval-mix/tinystories.txt
    while read -r from bytes; do
        tail -c +$((from + 1)) "$text" | head -c "$bytes" | jq -Rsc '{text: .}'
    done <"$ROOT/tests/oracle/stories260K.tsv" >"$BATS_TEST_TMPDIR/stories"
    tokenize -m "$m" --jsonl text --context 512 "$BATS_TEST_TMPDIR/stories" | forward-capture -q -m "$m" --sites pred |
        stream-dump --format ndjson --record batch,site >"$BATS_TEST_TMPDIR/pred"
    # only the first window of a document: the reference was cut at 512 tokens
    jq -n --slurpfile want "$m/reference_loss.json" --slurpfile got "$BATS_TEST_TMPDIR/pred" '
        [$got[] | select(.r == "site") | .data[][0]] as $loss |
        [$got[] | select(.r == "batch") | [.window, .length] | transpose[]] as $windows |
        ([0] + [foreach $windows[] as $w (0; . + $w[1])]) as $at |
        [range($windows | length) | select($windows[.][0] == 0) | $loss[$at[.]:$at[. + 1] - 1] | {n: (length + 1), nll: (add / length)}] as $docs |
        [$want[0].docs, $docs] | transpose | map(((.[0].mean_nll - .[1].nll) | fabs), (.[0].n_tokens - .[1].n)) |
        {docs: (length / 2), off: max, short: min}' >"$BATS_TEST_TMPDIR/out"
    jq -e '.docs == 100 and .off <= 2e-6 and .short == 0' "$BATS_TEST_TMPDIR/out" || { cat "$BATS_TEST_TMPDIR/out"; false; }
}
