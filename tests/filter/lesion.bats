#!/usr/bin/env bats
# lesion: numbers against transformers, means against their rows, what changes nothing, what is refused.

load ../helpers

FIXTURES=(opt-preln opt-postln gpt2-plain gpt-neox-parallel llama-plain phi-gqa)
# every kind, for a model of two layers with at least two heads
KINDS=(--drop all --swap all --repeat "1,2" --skip "0:1,0:2" --reverse 0:2 --parallel 0:2 --move "0:1,1:0" --replace "0:1,1:0"
       --drop-attention all --drop-ffn all --drop-head all --neuron "1.0,0.3,0.11")

# the same in a model of six
SIX=(--drop all --swap all --repeat 2 --skip 1:3 --reverse 1:5 --parallel "1:4,2:5" --move 1:4 --replace 2:4 --drop-attention 1
     --drop-ffn 1 --drop-head 2.1 --neuron "0.3,4.17")

lesions() { lesion -q "$@"; }

# stats MODEL TOKENS: the moments of its activations, $BATS_TEST_TMPDIR/stats.
stats() { forward-capture -q -m "$1" --sites ffn.active,ffn.act <"$2" | reduce-stats -q >"$BATS_TEST_TMPDIR/stats"; }

records() { stream-dump --format ndjson --record intervention,effect,token "$@"; }

# texts NAME: a stream of twelve short documents of three domains, $BATS_TEST_TMPDIR/NAME.
texts() {
    local f dir=$BATS_TEST_TMPDIR/texts
    for f in "$CORPUS"/{letters,code,arithmetic}/0[1-4].*; do
        mkdir -p "$dir/$(basename "$(dirname "$f")")"
        head -c $((100 + 30 * ${f:(-5):1} % 100)) "$f" >"$dir/$(basename "$(dirname "$f")")/$(basename "$f")"
    done
    tokenize -m "$MODEL" --context 32 "$dir" >"$BATS_TEST_TMPDIR/$1"
}

# Logits of these models are off by 2.5e-6 at most (src/forward-capture.md), and KL, entropy and loss are sums of their differences weighted with
# probabilities: as much again.  5e-6, and 1e-5 of the value for what float32 and eight printed digits hold.
@test "every intervention on every family does what it does to transformers in float64" {
    for m in "${FIXTURES[@]}"; do
        d=$ROOT/tests/data/$m
        stats "$d" "$d/tokens.nf"
        lesions -m "$d" --include-bos --per-token "${KINDS[@]}" <"$d/tokens.nf" | stream-dump --format ndjson --record token >"$BATS_TEST_TMPDIR/ours"
        lesions -m "$d" --include-bos --per-token --neuron "1.0,0.3,0.11" --ablate mean --stats "$BATS_TEST_TMPDIR/stats" <"$d/tokens.nf" |
            stream-dump --format ndjson --record token | jq -c 'select(.intervention > 0)' >>"$BATS_TEST_TMPDIR/ours"
        jq -nc --rawfile reference "$ROOT/tests/oracle/lesions_reference.tsv" --arg model "$m" --argjson rtol 1e-5 --argjson floor 5e-6 \
            -f "$ROOT/tests/filter/lesion.jq" "$BATS_TEST_TMPDIR/ours" >"$BATS_TEST_TMPDIR/compared"
        want=$(awk -F '\t' -v m="$m" '$1 == m { rows += split($5, v, " "); kinds[$2] } END { n = 0; for (k in kinds) n++; print rows, n }' \
            "$ROOT/tests/oracle/lesions_reference.tsv")
        # every row of the table was compared, and none was off
        [ "$(jq -r '"\(.compared) \(.interventions)"' "$BATS_TEST_TMPDIR/compared")" = "$want" ]
        jq -e '.wrong == []' "$BATS_TEST_TMPDIR/compared" >/dev/null || { echo "$m"; head -c 600 "$BATS_TEST_TMPDIR/compared"; false; }
    done
}

# A float32 is printed with the digits that tell it from its neighbours, a float64 that holds one with all of them: the same when less than half a step apart.
@test "the model itself is what forward-capture finds, to the last bit" {
    for m in "$ROOT"/tests/data/{opt-postln,phi-gqa}; do
        forward-capture -q -m "$m" --sites pred <"$m/tokens.nf" | stream-dump --format ndjson --record site |
            jq -c '.data[] | .[:3]' >"$BATS_TEST_TMPDIR/pred"
        lesions -m "$m" --include-bos --per-token --drop 0 <"$m/tokens.nf" | records |
            jq -c 'select(.r == "token" and .intervention == 0) | [.loss_intervened, .entropy_intervened, .top_intervened]' >"$BATS_TEST_TMPDIR/own"
        jq -ne --slurpfile a "$BATS_TEST_TMPDIR/pred" --slurpfile b "$BATS_TEST_TMPDIR/own" '
            def step: if . == 0 then 0 else (fabs | log2 | floor - 23 | exp2) end;
            def equal($x; $y): $x == $y or ($x != null and $y != null and ($x - $y | fabs) < ($y | step) / 2);
            ($a | length) == ($b | length) and ([range($a | length) as $i | range(3) | equal($a[$i][.]; $b[$i][.])] | all)' >/dev/null
        [ "$(wc -l <"$BATS_TEST_TMPDIR/pred")" -gt 20 ]
    done
}

@test "the model itself changes nothing: KL 0, agreement 1" {
    texts tokens
    lesions -m "$MODEL" --drop 2 <"$BATS_TEST_TMPDIR/tokens" | records |
        jq -se '[.[] | select(.r == "effect" and .intervention == 0)]
                | length > 5 and all(.kl.mean == 0 and .kl.sd == 0 and .agree.mean == 1 and .entropy_change.mean == 0 and .loss_change.mean == 0)' >/dev/null
}

# Means, spreads and standard errors worked out from the rows: lib/numeric/cluster_mean.h.  Sums in double in another order: 1e-9 of values of order 10.
@test "means, spreads and errors are those of the rows, over all, by domain and by position" {
    texts tokens
    lesions -m "$MODEL" --per-token --drop 1 --swap 3 --drop-head 2.1 <"$BATS_TEST_TMPDIR/tokens" | records >"$BATS_TEST_TMPDIR/effects"
    jq -c '[.doc, .domain]' <(stream-dump --format ndjson --record doc "$BATS_TEST_TMPDIR/tokens") | jq -sc 'map({key: (.[0] | tostring), value: .[1]}) | from_entries' >"$BATS_TEST_TMPDIR/domains"
    jq -n --slurpfile domains "$BATS_TEST_TMPDIR/domains" '
        def near($x; $y): if $x == null or $y == null then $x == $y else ($x - $y | fabs) < 1e-9 end;
        def of($t): {kl: $t.kl, agree: (if $t.top_normal == $t.top_intervened then 1 else 0 end), entropy: $t.entropy_intervened,
                     entropy_change: ($t.entropy_intervened - $t.entropy_normal), loss: $t.loss_intervened, loss_change: $t.loss_change};
        def statistics($pairs):    # [[doc, value]]
            ($pairs | length) as $n | ($pairs | map(.[1]) | add / $n) as $m | ($pairs | group_by(.[0])) as $docs | ($docs | length) as $G
            | ($docs | map(map(.[1]) | add / length)) as $own | ($own | add / $G) as $doc_mean
            | {n: $n, docs: $G, mean: $m, sd: ($pairs | map(.[1] - $m | . * .) | add / $n | sqrt),
               se: (if $G < 2 then null else ($G / ($G - 1) * ($docs | map(map(.[1] - $m) | add | . * .) | add) | sqrt) / $n end),
               doc_mean: $doc_mean, doc_sd: (if $G < 2 then null else $own | map(. - $doc_mean | . * .) | add / ($G - 1) | sqrt end)};
        [inputs] as $all
        | [$all[] | select(.r == "token")] as $rows
        | [$all[] | select(.r == "effect")]
        | map(. as $e
            | [$rows[] | select(.intervention == $e.intervention and (
                if $e.by == "domain" then $domains[0][.doc | tostring] == $e.domain
                elif $e.by == "position" then .position >= $e.from and .position < $e.to else true end))] as $mine
            | ["kl", "agree", "entropy", "entropy_change", "loss", "loss_change"][]
            | . as $k | statistics([$mine[] | [.doc, of(.)[$k]] | select(.[1] != null)]) as $want
            | $e[$k] as $got
            | [$got.n == $want.n, ($k != "kl" or $e.docs == $want.docs), (("mean", "sd", "se", "doc_mean", "doc_sd") as $s | near($got[$s]; $want[$s]))])
        | {checked: length, wrong: map(select(all | not)) | length}' "$BATS_TEST_TMPDIR/effects" >"$BATS_TEST_TMPDIR/compared"
    # 4 interventions, 6 measures; all, 3 domains, 5 ranges of positions (BOS left out)
    jq -e '.checked == 4 * 6 * 9 and .wrong == 0' "$BATS_TEST_TMPDIR/compared" >/dev/null || { cat "$BATS_TEST_TMPDIR/compared"; false; }
}

@test "without --include-bos no prediction at BOS counts" {
    texts tokens
    for o in "" --include-bos; do
        # shellcheck disable=SC2086  # an option or none
        lesions -m "$MODEL" --per-token --drop 1 $o <"$BATS_TEST_TMPDIR/tokens" | records | jq -s 'map(select(.r == "token" and .intervention == 1)) |
            [length, (map(select(.position == 0)) | length)]' -c
    done >"$BATS_TEST_TMPDIR/counts"
    read -r tokens windows < <(stream-dump --format ndjson --header --record end "$BATS_TEST_TMPDIR/tokens" |
        jq -r 'select(.r == "end") | "\(.totals.tokens) \(.totals.windows)"')
    diff "$BATS_TEST_TMPDIR/counts" <(echo "[$((tokens - windows)),0]"; echo "[$tokens,$windows]")
}

@test "memory and threads do not change a record" {
    texts tokens
    lesions -m "$MODEL" --per-token "${SIX[@]}" <"$BATS_TEST_TMPDIR/tokens" >"$BATS_TEST_TMPDIR/want"
    for j in 1 3; do
        lesions -j $j -m "$MODEL" --per-token "${SIX[@]}" <"$BATS_TEST_TMPDIR/tokens" | cmp - "$BATS_TEST_TMPDIR/want"
    done
    # one intervention and some windows at a time; then weights that come and go
    for memory in 20M 24M 60M; do
        lesions -m "$MODEL" --memory $memory --per-token "${SIX[@]}" <"$BATS_TEST_TMPDIR/tokens" | records | sort >"$BATS_TEST_TMPDIR/got"
        cmp "$BATS_TEST_TMPDIR/got" <(records "$BATS_TEST_TMPDIR/want" | sort) || { echo "$memory"; false; }
    done
}

@test "an intervention alone is as in company" {
    texts tokens
    lesions -m "$MODEL" --per-token "${SIX[@]}" <"$BATS_TEST_TMPDIR/tokens" | records | jq -c 'select(.name == "parallel 2:5") | del(.intervention)' >"$BATS_TEST_TMPDIR/want"
    lesions -m "$MODEL" --per-token --parallel 2:5 <"$BATS_TEST_TMPDIR/tokens" | records | jq -c 'select(.name == "parallel 2:5") | del(.intervention)' |
        cmp - "$BATS_TEST_TMPDIR/want"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/want")" -gt 100 ]
}

# tensor FILE NAME: offset and length of its bytes in a safetensors file.
tensor() {
    local n
    n=$(od -An -tu8 -N8 "$1")
    tail -c +9 "$1" | head -c "$n" | jq -r --arg t "$2" --argjson n "$n" '.[$t].data_offsets | "\(.[0] + 8 + $n) \(.[1] - .[0])"'
}

# A model of $1's shape whose tensors can be written over, in $BATS_TEST_TMPDIR/changed.
changeable() {
    rm -rf "$BATS_TEST_TMPDIR/changed"
    cp -r "$1" "$BATS_TEST_TMPDIR/changed"
    W=$BATS_TEST_TMPDIR/changed/model.safetensors
}

# no_effect NAME TOKENS OPTION...: on the changed model, intervention NAME leaves every row exactly as it is, and another one does not.
no_effect() {
    local name=$1 tokens=$2
    shift 2
    lesions -m "$BATS_TEST_TMPDIR/changed" --include-bos --per-token "$@" <"$tokens" | records >"$BATS_TEST_TMPDIR/out.ndjson"
    jq -se --arg name "$name" 'map(select(.r == "token"))
        | (map(select(.name == $name)) | length > 20 and all(.kl == 0 and .top_normal == .top_intervened and .loss_normal == .loss_intervened
                                                            and .entropy_normal == .entropy_intervened))
          and (map(select(.name != $name and .intervention > 0)) | any(.kl > 0.01))' "$BATS_TEST_TMPDIR/out.ndjson" >/dev/null
}

@test "a block that adds zeros can be left out" {
    d=$ROOT/tests/data/opt-preln
    changeable "$d"
    tail -c +9 "$W" | head -c "$(od -An -tu8 -N8 "$W")" | jq -r 'keys[]' | grep -E 'layers\.1\.(self_attn\.out_proj|fc2)\.' >"$BATS_TEST_TMPDIR/names"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/names")" -eq 4 ]    # two weights, two biases
    if no_effect "drop 1" "$d/tokens.nf" --drop all; then false; fi
    while read -r name; do
        read -r at n < <(tensor "$W" "$name")
        dd if=/dev/zero of="$W" bs=65536 seek="$at" count="$n" oflag=seek_bytes iflag=count_bytes conv=notrunc status=none
    done <"$BATS_TEST_TMPDIR/names"
    no_effect "drop 1" "$d/tokens.nf" --drop all
    no_effect "swap 0" "$d/tokens.nf" --swap 0 --drop 0
    no_effect "repeat 1:2" "$d/tokens.nf" --repeat 1
}

@test "blocks that are alike can be swapped, reversed, and stand in for one another" {
    for m in opt-postln gpt-neox-parallel; do
        d=$ROOT/tests/data/$m
        changeable "$d"
        while read -r name; do
            read -r from n < <(tensor "$W" "$name")
            read -r to _ < <(tensor "$W" "${name/layers.0./layers.1.}")
            dd if="$W" of="$BATS_TEST_TMPDIR/bytes" bs=65536 skip="$from" count="$n" iflag=skip_bytes,count_bytes status=none
            dd if="$BATS_TEST_TMPDIR/bytes" of="$W" bs=65536 seek="$to" oflag=seek_bytes conv=notrunc status=none
        done < <(tail -c +9 "$W" | head -c "$(od -An -tu8 -N8 "$W")" | jq -r 'keys[]' | grep -F layers.0.)
        no_effect "swap 0" "$d/tokens.nf" --swap 0 --drop all
        no_effect "reverse 0:2" "$d/tokens.nf" --reverse 0:2 --drop all
        no_effect "replace 0:1" "$d/tokens.nf" --replace 0:1 --drop all
        no_effect "move 0:1" "$d/tokens.nf" --move 0:1 --drop all
        if cmp -s "$W" "$d/model.safetensors"; then false; fi
    done
}

# bfloat16 has 8 bits; logits of these models are off by 1 % of the largest, some 0.1.
@test "bf16 is near f32" {
    d=$ROOT/tests/data/opt-preln
    lesions -m "$d" --drop all --dtype bf16 <"$d/tokens.nf" >"$BATS_TEST_TMPDIR/bf16" 2>"$BATS_TEST_TMPDIR/err" || {
        grep -q "no matrix product" "$BATS_TEST_TMPDIR/err" && skip "no bf16 products on this processor"
        false
    }
    lesions -m "$d" --drop all <"$d/tokens.nf" >"$BATS_TEST_TMPDIR/f32"
    means() { records "$1" | jq -c 'select(.r == "effect" and .by == "all") | [.kl.mean, .entropy.mean, .loss.mean]'; }
    if cmp -s <(means "$BATS_TEST_TMPDIR/bf16") <(means "$BATS_TEST_TMPDIR/f32"); then false; fi
    paste -d, <(means "$BATS_TEST_TMPDIR/bf16") <(means "$BATS_TEST_TMPDIR/f32") | sed 's/.*/[&]/' |
        jq -se 'length == 3 and all(. as [$a, $b] | [range(3)] | all($a[.] - $b[.] | fabs < 0.1))' >/dev/null
    records "$BATS_TEST_TMPDIR/bf16" >/dev/null
    stream-check "$BATS_TEST_TMPDIR/bf16"
}

@test "rows bring their vocabulary along, in front; means alone do not" {
    texts tokens
    lesions -m "$MODEL" --per-token --drop 1 <"$BATS_TEST_TMPDIR/tokens" >"$BATS_TEST_TMPDIR/rows"
    cmp <(stream-dump --format ndjson "$BATS_TEST_TMPDIR/rows" | sed '/"r":"intervention"/,$d') \
        <(stream-dump --format ndjson --record vocab,special "$BATS_TEST_TMPDIR/tokens")
    [ "$(stream-dump --format ndjson --record vocab,special "$BATS_TEST_TMPDIR/rows" | wc -l)" -eq 3 ]    # 2 x 4096 tokens
    lesions -m "$MODEL" --drop 1 <"$BATS_TEST_TMPDIR/tokens" | stream-dump --format ndjson --record vocab,special >"$BATS_TEST_TMPDIR/context"
    [ ! -s "$BATS_TEST_TMPDIR/context" ]
}

@test "the stream passes stream-check, with rows and without" {
    texts tokens
    lesions -m "$MODEL" --per-token "${SIX[@]}" <"$BATS_TEST_TMPDIR/tokens" >"$BATS_TEST_TMPDIR/rows"
    lesions -m "$MODEL" "${SIX[@]}" <"$BATS_TEST_TMPDIR/tokens" >"$BATS_TEST_TMPDIR/means"
    exits 0 stream-check "$BATS_TEST_TMPDIR/rows" "$BATS_TEST_TMPDIR/means"
    cmp <(stream-dump --format ndjson --record effect "$BATS_TEST_TMPDIR/rows") <(stream-dump --format ndjson --record effect "$BATS_TEST_TMPDIR/means")
}

# refuses TEXT OPTION...: on a model of two layers, four heads and 37 neurons a layer.
refuses() {
    local text=$1
    shift
    exits 2 lesion -q -m "$ROOT/tests/data/opt-preln" "$@" <"$ROOT/tests/data/opt-preln/tokens.nf" && says "$text" && [ ! -s "$BATS_TEST_TMPDIR/out" ]
}

@test "what is no intervention, or not one of this model, is refused by name" {
    refuses "an intervention is required"
    exits 2 lesion --drop all <"$ROOT/tests/data/opt-preln/tokens.nf"
    says "-m MODEL is required"
    refuses "--drop 2: the model has layers 0 to 1" --drop 2
    refuses "--drop 99999999999999999999: the model has layers 0 to 1" --drop 99999999999999999999
    refuses "--drop x: a layer L, a range A-B, or all is expected" --drop x
    refuses "--drop 1x: a layer L, a range A-B, or all is expected" --drop 0,1x
    refuses "--drop -1: a layer L, a range A-B, or all is expected" --drop=-1
    refuses "--swap 1: the model has layers 0 to 1, and swaps from 0 to one less" --swap 1
    refuses "--repeat 0: a number of layers from 1 to 2 is expected" --repeat 0
    refuses "--repeat 3: a number of layers from 1 to 2 is expected" --repeat 3
    refuses "--skip 1:1: this changes nothing" --skip 1:1
    refuses "--skip 1:0: this changes nothing" --skip 1:0
    refuses "--skip 0:3: the model has layers 0 to 1" --skip 0:3
    refuses "--skip 0: A:B is expected" --skip 0
    refuses "--skip 0:1:2: A:B is expected" --skip 0:1:2
    refuses "--reverse 0:1: this changes nothing" --reverse 0:1
    refuses "--parallel 1:2: this changes nothing" --parallel 1:2
    refuses "--move 1:1: this changes nothing" --move 1:1
    refuses "--move 0:2: the model has layers 0 to 1" --move 0:2
    refuses "--replace 0:0: this changes nothing" --replace 0:0
    refuses "--replace 0:-1: A:B is expected" --replace 0:-1
    refuses "--drop-attention 2: the model has layers 0 to 1" --drop-attention 2
    refuses "--drop-ffn 2: the model has layers 0 to 1" --drop-ffn 2
    refuses "--drop-head 0.4: the model has heads 0 to 3" --drop-head 0.4
    refuses "--drop-head 2.all: the model has layers 0 to 1" --drop-head 2.all
    refuses "--drop-head 1: L.H, L.A-B, L.all or all is expected" --drop-head 1
    refuses "--drop-head 1:2: L.H, L.A-B, L.all or all is expected" --drop-head 1:2
    refuses "neuron 0.37: the model has layers 0 to 1 and neurons 0 to 36" --neuron 0.37
    refuses "neuron 4294967296.0: the model has layers 0 to 1" --neuron 4294967296.0
    refuses "--neuron -1.3: LAYER.NEURON is expected" --neuron=-1.3
    refuses "--neuron 3: LAYER.NEURON is expected" --neuron 3
    refuses "neuron 0.1: twice" --neuron 0.1,1.1,0.1
    refuses "--class dead: --neurons FILE is required" --class dead
    refuses "--neurons x: --class CLASS is required" --drop 0 --neurons x
    refuses "--ablate mean: --stats FILE is required" --neuron 0.1 --ablate mean
    refuses "--ablate mean: --neuron or --class is required" --drop 0 --ablate mean --stats x
    refuses "--stats x: is of use with --ablate mean only" --neuron 0.1 --stats x
    refuses "--ablate median: one of zero|mean is expected" --neuron 0.1 --ablate median
    refuses "--memory 1024 is too small: one layer and the streams of one window need " --drop 0 --memory 1k
    refuses "no operand is taken" --drop 0 file
}

@test "another model's tokens, and a stream that is cut, are refused" {
    texts tokens
    cp -r "$MODEL" "$BATS_TEST_TMPDIR/other"
    jq -c '.normalizer = null | .model.merges |= .[:-1]' "$MODEL/tokenizer.json" >"$BATS_TEST_TMPDIR/other/tokenizer.json"
    exits 3 lesion -q -m "$BATS_TEST_TMPDIR/other" --drop all <"$BATS_TEST_TMPDIR/tokens"
    says tokenizer
    head -c 2000 "$BATS_TEST_TMPDIR/tokens" >"$BATS_TEST_TMPDIR/cut"
    exits 3 lesion -q -m "$MODEL" --drop all <"$BATS_TEST_TMPDIR/cut"
    says "standard input"
    exits 3 stream-check "$BATS_TEST_TMPDIR/out"
}

# known: the demonstration's model with what is known of its neurons; $BATS_TEST_TMPDIR/{tokens,stats,neurons}.
known() {
    local name
    if [ ! -e "$BATS_FILE_TMPDIR/neurons" ]; then
        tokenize -q -m "$MODEL" --context 64 --limit 1500 "$CORPUS" >"$BATS_TEST_TMPDIR/tokens"
        stats "$MODEL" "$BATS_TEST_TMPDIR/tokens"
        classify-neurons -q <"$BATS_TEST_TMPDIR/stats" >"$BATS_TEST_TMPDIR/neurons"
        cp "$BATS_TEST_TMPDIR"/{tokens,stats,neurons} "$BATS_FILE_TMPDIR"
    fi
    for name in tokens stats neurons; do
        ln -sf "$BATS_FILE_TMPDIR/$name" "$BATS_TEST_TMPDIR/$name"
    done
}

# of CLASS: its neurons, as --neuron takes them.
of() { stream-dump --format ndjson --record neuron "$BATS_TEST_TMPDIR/neurons" | jq -r --arg c "$1" 'select(.classes | index($c)) | "\(.layer).\(.neuron)"' | paste -sd,; }

@test "a class is its neurons by name, and each class an intervention" {
    known
    for ablate in zero "mean --stats $BATS_TEST_TMPDIR/stats"; do
        # shellcheck disable=SC2086  # words
        lesions -m "$MODEL" --neurons "$BATS_TEST_TMPDIR/neurons" --class positional,token-detector --ablate $ablate <"$BATS_TEST_TMPDIR/tokens" |
            records >"$BATS_TEST_TMPDIR/classes"
        at=${ablate:0:4}
        at=${at/zero/}
        for c in positional token-detector; do
            n=$(of "$c" | tr , '\n' | wc -l)
            [ "$n" -gt 3 ] && [ "$n" -le 256 ]
            # shellcheck disable=SC2086
            lesions -m "$MODEL" --neuron "$(of "$c")" --ablate $ablate <"$BATS_TEST_TMPDIR/tokens" | records >"$BATS_TEST_TMPDIR/named"
            cmp <(jq -c --arg n "neurons $c${at:+ at mean}" 'select(.name == $n) | del(.name, .intervention)' "$BATS_TEST_TMPDIR/classes") \
                <(jq -c --arg n "neurons ($n)${at:+ at mean}" 'select(.name == $n) | del(.name, .intervention)' "$BATS_TEST_TMPDIR/named")
            jq -se --arg n "neurons $c${at:+ at mean}" 'map(select(.name == $n)) | (map(select(.r == "intervention").neurons) == ['"$n"'])
                and any(.by == "all" and .kl.mean > 1e-7)' "$BATS_TEST_TMPDIR/classes" >/dev/null
        done
    done
}

# They never fired on these very tokens: their zero is already zero, and so is their mean.
@test "dead neurons do nothing, to the last bit" {
    known
    for ablate in zero "mean --stats $BATS_TEST_TMPDIR/stats"; do
        # shellcheck disable=SC2086
        lesions -m "$MODEL" --per-token --include-bos --neurons "$BATS_TEST_TMPDIR/neurons" --class dead,other --ablate $ablate <"$BATS_TEST_TMPDIR/tokens" |
            records | jq -c 'select(.r == "token")' >"$BATS_TEST_TMPDIR/rows"
        jq -se '(map(select(.name | startswith("neurons dead"))) | length > 1000 and all(.kl == 0 and .loss_change == (if .loss_normal then 0 else null end)
                                                                                         and .top_normal == .top_intervened))
            and (map(select(.name | startswith("neurons other"))) | any(.kl > 1))' "$BATS_TEST_TMPDIR/rows" >/dev/null
    done
}

@test "the history has the digests of the files" {
    known
    lesions -m "$MODEL" --neurons "$BATS_TEST_TMPDIR/neurons" --class positional --ablate mean --stats "$BATS_TEST_TMPDIR/stats" <"$BATS_TEST_TMPDIR/tokens" |
        stream-dump --format ndjson --header | head -n 1 | jq -c '.history[-1].inputs | map([.kind, .sha256])' >"$BATS_TEST_TMPDIR/inputs"
    digest() { zstd -dcq <"$1" | sha256sum | cut -d' ' -f1; }
    [ "$(cat "$BATS_TEST_TMPDIR/inputs")" = "[[\"neurons\",\"$(digest "$BATS_TEST_TMPDIR/neurons")\"],[\"stats\",\"$(digest "$BATS_TEST_TMPDIR/stats")\"]]" ]
}

# denied STATUS TEXT OPTION...: on the demonstration's model.
denied() {
    local status=$1 text=$2
    shift 2
    exits "$status" lesion -q -m "$MODEL" "$@" <"$BATS_TEST_TMPDIR/tokens" && says "$text" && [ ! -s "$BATS_TEST_TMPDIR/out" ]
}

@test "files of another model, without what is expected, cut, or not there, are refused" {
    known
    t=$BATS_TEST_TMPDIR
    d=$ROOT/tests/data/opt-preln
    denied 2 "$t/neurons: no neuron of class detector" --neurons "$t/neurons" --class positional,detector
    denied 1 "$t/nowhere: " --neurons "$t/nowhere" --class dead
    denied 3 "$t/stats is a stream of kind 'stats'; 'neurons' is expected" --neurons "$t/stats" --class dead
    denied 3 "$t/neurons is a stream of kind 'neurons'; 'stats' is expected" --neuron 0.1 --ablate mean --stats "$t/neurons"
    head -c "$(($(stat -Lc %s "$t/neurons") / 2))" "$t/neurons" >"$t/cut"
    denied 3 "$t/cut ends before its END record" --neurons "$t/cut" --class dead
    forward-capture -q -m "$d" --sites ffn.active,ffn.act <"$d/tokens.nf" | reduce-stats -q >"$t/other-stats"
    classify-neurons -q <"$t/other-stats" >"$t/other-neurons"
    denied 3 "$t/other-neurons: made with another model than model: config.json" --neurons "$t/other-neurons" --class dead
    denied 3 "$t/other-stats: made with another model than model: config.json" --neuron 0.1 --ablate mean --stats "$t/other-stats"
    # the same configuration, another weight
    cp -r "$MODEL" "$t/changed"
    printf x | dd of="$t/changed/model.safetensors" bs=1 seek="$(($(stat -c %s "$t/changed/model.safetensors") - 2))" conv=notrunc status=none
    exits 3 lesion -q -m "$t/changed" --neurons "$t/neurons" --class dead <"$t/tokens"
    says "$t/neurons: made with another model than changed: weights "
    # layers without moments
    forward-capture -q -m "$MODEL" --sites ffn.act --layers 0:2 <"$t/tokens" | reduce-stats -q >"$t/some"
    denied 3 "$t/some: no moments of ffn.act of layer 3" --neuron 1.1,3.1 --ablate mean --stats "$t/some"
    exits 0 lesion -q -m "$MODEL" --neuron 1.1 --ablate mean --stats "$t/some" <"$t/tokens"
}
