#!/usr/bin/env bats
# forward-capture: numbers against transformers, independence of company, what is chosen, what is refused.

load ../helpers

FIXTURES=(opt-preln opt-postln opt-nopos opt-bare)
SITES=(resid.pre attn.local attn.out resid.mid ffn.pre ffn.active ffn.act ffn.out resid.post norms pred logits)

capture() { forward-capture -q "$@"; }

# Values are up to 16, with an ulp of 2^-20 = 1e-6; two blocks and an unembedding round some ten times on the way of each.
# Attention: e^score, a score of up to 16 off by an ulp, so 1e-6 of shares that are at most 1; 2e-6 with the sums.
tolerance() { case $1 in attn.local) echo 2e-6 ;; ffn.active) echo 0 ;; *) echo 1e-5 ;; esac }

@test "every site of every layout is that of transformers in float64" {
    for m in "${FIXTURES[@]}"; do
        d=$ROOT/tests/data/$m
        for s in "${SITES[@]}"; do
            capture -m "$d" --sites "$s" --near-zero 1e-4 <"$d/tokens.nf" >"$BATS_TEST_TMPDIR/ours"
            exits 0 stream-diff --nan-equal --atol "$(tolerance "$s")" "$BATS_TEST_TMPDIR/ours" "$d/$s.nf" || { echo "$m $s"; cat "$BATS_TEST_TMPDIR/out"; false; }
        done
    done
}

@test "all sites at once are the sites one by one" {
    d=$ROOT/tests/data/opt-postln
    all=$(IFS=,; echo "${SITES[*]}")
    capture -m "$d" --sites "$all" <"$d/tokens.nf" >"$BATS_TEST_TMPDIR/all"
    exits 0 stream-check "$BATS_TEST_TMPDIR/all"
    for s in "${SITES[@]}"; do
        cmp <(capture -m "$d" --sites "$s" <"$d/tokens.nf" | stream-dump --format ndjson --record site) \
            <(stream-dump --format ndjson --record site --site "$s" "$BATS_TEST_TMPDIR/all") || { echo "$s"; false; }
    done
}

# rows SITE OPTION...: each row of SITE, one a line, in the order of layers, then of the corpus.
rows() {
    local site=$1
    shift
    capture -m "$MODEL" --sites "$site" "$@" | stream-dump --format ndjson --record site | jq -c '.layer as $l | .data[] | [$l, .]' | sort -s -t, -k1,1
}

@test "a row does not depend on the batch, the memory, the threads or its neighbours" {
    tokenize -m "$MODEL" --context 96 --limit 480 "$CORPUS/fiction" "$CORPUS/code" >"$BATS_TEST_TMPDIR/many"
    for s in ffn.pre attn.local pred; do
        rows $s <"$BATS_TEST_TMPDIR/many" >"$BATS_TEST_TMPDIR/want"
        for o in "--batch-tokens 1" "--batch-tokens 200" "--memory 15M" "-j 1" "-j 3"; do
            # shellcheck disable=SC2086  # options
            rows $s $o <"$BATS_TEST_TMPDIR/many" | cmp - "$BATS_TEST_TMPDIR/want" || { echo "$s $o"; false; }
        done
    done
}

@test "a window alone is as in company" {
    printf 'The cat sat on the mat and looked at the dog.' >"$BATS_TEST_TMPDIR/one"
    tokenize -m "$MODEL" "$BATS_TEST_TMPDIR/one" | rows resid.post >"$BATS_TEST_TMPDIR/alone"
    tokenize -m "$MODEL" "$CORPUS/letters/01.txt" "$BATS_TEST_TMPDIR/one" "$CORPUS/letters/02.txt" | rows resid.post >"$BATS_TEST_TMPDIR/company"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/alone")" -gt 50 ]
    [ -z "$(comm -23 <(sort -u "$BATS_TEST_TMPDIR/alone") <(sort -u "$BATS_TEST_TMPDIR/company"))" ]
}

@test "any batch gives the same statistics, byte for byte" {
    tokenize -m "$MODEL" --limit 4000 "$CORPUS" >"$BATS_TEST_TMPDIR/tokens"
    capture -m "$MODEL" <"$BATS_TEST_TMPDIR/tokens" | reduce-stats >"$BATS_TEST_TMPDIR/stats"
    for o in "--batch-tokens 600" "-j 4" "--memory 15M"; do
        # shellcheck disable=SC2086
        capture -m "$MODEL" $o <"$BATS_TEST_TMPDIR/tokens" | reduce-stats | cmp - "$BATS_TEST_TMPDIR/stats" || { echo "$o"; false; }
    done
}

@test "names of TransformerLens are the same sites" {
    d=$ROOT/tests/data/opt-preln
    while read -r ours theirs; do
        cmp <(capture -m "$d" --sites "$ours" --layers 1 <"$d/tokens.nf" | stream-dump --format ndjson --record site) \
            <(capture -m "$d" --sites "blocks.1.$theirs" <"$d/tokens.nf" | stream-dump --format ndjson --record site) || { echo "$ours"; false; }
        cmp <(capture -m "$d" --sites "$ours" <"$d/tokens.nf" | stream-dump --format ndjson --record site) \
            <(capture -m "$d" --sites "$theirs" <"$d/tokens.nf" | stream-dump --format ndjson --record site) || { echo "$ours"; false; }
    done <<-END
		resid.pre hook_resid_pre
		resid.mid hook_resid_mid
		resid.post hook_resid_post
		attn.out hook_attn_out
		ffn.out hook_mlp_out
		ffn.pre mlp.hook_pre
		ffn.act mlp.hook_post
	END
}

@test "layers and positions choose rows" {
    d=$ROOT/tests/data/opt-preln
    # windows of 1, 21, 6 and 18 tokens: positions 5 to 9 are rows 6..10 of 22, 27 of 28, and 33..37
    capture -m "$d" --sites resid.post,ffn.active --layers 1 --positions 5:10 <"$d/tokens.nf" >"$BATS_TEST_TMPDIR/some"
    exits 0 stream-check "$BATS_TEST_TMPDIR/some"
    cmp <(stream-dump --format ndjson --record site --site resid.post "$BATS_TEST_TMPDIR/some" | jq -c '.layer, .data[]') \
        <(capture -m "$d" --sites resid.post <"$d/tokens.nf" | stream-dump --format ndjson --record site |
            jq -c 'select(.layer == 1) | .layer, (.data[6:11] + .data[27:28] + .data[33:38])[]')
    exits 2 capture -m "$d" --layers 2: <"$d/tokens.nf"
    says "layers 0 to 1"
    exits 2 capture -m "$d" --sites blocks.2.hook_mlp_out <"$d/tokens.nf"
    says "layers 0 to 1"
    exits 2 capture -m "$d" --sites ffn.active,hook_q <"$d/tokens.nf"
    says "hook_q"
}

@test "near_zero counts pre-activations by size" {
    d=$ROOT/tests/data/opt-nopos
    for eps in 0.01 0.3; do
        got=$(capture -m "$d" --near-zero $eps <"$d/tokens.nf" | stream-dump --format ndjson --record site | jq -s 'map(.near_zero) | add')
        want=$(stream-dump --format ndjson --record site "$d/ffn.pre.nf" | jq -s --argjson e $eps '[.[].data[][] | select(fabs < $e)] | length')
        [ "$want" -gt 5 ] && [ "$got" -eq "$want" ] || { echo "$eps: $got, $want"; false; }
    done
}

@test "f16 halves the sites; what it cannot hold is refused" {
    d=$ROOT/tests/data/opt-preln
    capture -m "$d" --sites resid.post,pred --out-dtype f16 <"$d/tokens.nf" >"$BATS_TEST_TMPDIR/half"
    exits 0 stream-check "$BATS_TEST_TMPDIR/half"
    # values below 8: half an ulp of f16 is 2^-9
    capture -m "$d" --sites resid.post <"$d/tokens.nf" | stream-dump --format ndjson --record site | jq -c '.data' >"$BATS_TEST_TMPDIR/f32"
    stream-dump --format ndjson --record site --site resid.post "$BATS_TEST_TMPDIR/half" | jq -c '.data' >"$BATS_TEST_TMPDIR/f16"
    jq -en --slurpfile a "$BATS_TEST_TMPDIR/f32" --slurpfile b "$BATS_TEST_TMPDIR/f16" \
        '[$a, $b | flatten] | transpose | map(.[0] - .[1] | fabs) | max | . > 0 and . <= 0.001953125'
    mkdir "$BATS_TEST_TMPDIR/big"
    cp "$d/config.json" "$BATS_TEST_TMPDIR/big"
    scale_gain "$d/model.safetensors" >"$BATS_TEST_TMPDIR/big/model.safetensors"
    exits 3 capture -m "$BATS_TEST_TMPDIR/big" --sites logits --out-dtype f16 <"$d/tokens.nf"
    says "too large for f16"
}

# The final LayerNorm's gain, all 30000 in f16 (0x7753).
scale_gain() {
    local n begin end
    n=$(od -An -tu8 -N8 "$1")
    read -r begin end <<<"$(tail -c +9 "$1" | head -c $((n)) | jq -r '."model.decoder.final_layer_norm.weight".data_offsets | join(" ")')"
    head -c $((8 + n + begin)) "$1"
    for ((i = begin; i < end; i += 2)); do printf '\x53\x77'; done
    tail -c +$((8 + n + end + 1)) "$1"
}

@test "NaN in a result is refused, or handed on when asked for" {
    mkdir "$BATS_TEST_TMPDIR/nan"
    overflowing "$BATS_TEST_TMPDIR/nan"
    exits 3 capture -m "$BATS_TEST_TMPDIR/nan" --sites resid.post <"$ROOT/tests/data/opt-nopos/tokens.nf"
    says "layer 0"
    exits 3 capture -m "$BATS_TEST_TMPDIR/nan" --sites ffn.out --layers 0 <"$ROOT/tests/data/opt-nopos/tokens.nf"
    exits 0 capture -m "$BATS_TEST_TMPDIR/nan" --sites resid.post --allow-nonfinite <"$ROOT/tests/data/opt-nopos/tokens.nf"
    stream-dump --format ndjson --record site "$BATS_TEST_TMPDIR/out" | grep -q null
}

# A checkpoint of opt-nopos in one file whose fc2 of layer 0 is 3e38 throughout: finite weights, sums that are not.
overflowing() {
    local d=$ROOT/tests/data/opt-nopos f
    cp "$d/config.json" "$1/config.json"
    cp "$d"/model* "$1"
    f=$1/$(jq -r '.weight_map."model.decoder.layers.0.fc2.weight"' "$d/model.safetensors.index.json")
    local n begin end
    n=$(od -An -tu8 -N8 "$f")
    read -r begin end <<<"$(tail -c +9 "$f" | head -c $((n)) | jq -r '."model.decoder.layers.0.fc2.weight".data_offsets | join(" ")')"
    for ((i = begin; i < end; i += 4)); do printf '\x99\x76\x61\x7f'; done | dd of="$f" bs=1 seek=$((8 + n + begin)) conv=notrunc status=none
}

@test "bf16 stays within a few per cent" {
    d=$ROOT/tests/data/opt-preln
    capture -m "$d" --sites logits --dtype bf16 <"$d/tokens.nf" >"$BATS_TEST_TMPDIR/bf16"
    # bf16 keeps 8 bits, 2^-9 relative a rounding; sums of 37 products of values near 1, two blocks: 0.25 of logits up to 9
    exits 0 stream-diff --atol 0.25 "$BATS_TEST_TMPDIR/bf16" "$d/logits.nf"
    exits 3 stream-diff --atol 1e-4 "$BATS_TEST_TMPDIR/bf16" "$d/logits.nf"
}

@test "bad checkpoints and configurations are refused by name" {
    d=$ROOT/tests/data/opt-preln
    bad() {   # bad JQ TEXT: config.json changed by JQ
        rm -rf "$BATS_TEST_TMPDIR/bad"
        cp -r "$d" "$BATS_TEST_TMPDIR/bad"
        jq "$1" "$d/config.json" >"$BATS_TEST_TMPDIR/bad/config.json"
        exits 3 capture -m "$BATS_TEST_TMPDIR/bad" <"$d/tokens.nf"
        says "$2"
        [ ! -s "$BATS_TEST_TMPDIR/out" ]
    }
    bad '.attention_chunk_size = 8' attention_chunk_size
    bad '.activation_function = "tanh"' activation_function
    bad '.hidden_size = 24 | .word_embed_proj_dim = 24' model.decoder.embed_tokens.weight
    bad '.num_hidden_layers = 3' model.decoder.layers.2.
    bad '.num_hidden_layers = 1' model.decoder.layers.1.
    bad '.position_embedding_type = "none"' model.decoder.embed_positions.weight
    bad '.max_position_embeddings = 20' "20 positions"
    bad '.vocab_size = 42' model.decoder.embed_tokens.weight
    bad '.do_layer_norm_before = false' model.decoder.final_layer_norm.
    rm "$BATS_TEST_TMPDIR/bad/model.safetensors"
    exits 3 capture -m "$BATS_TEST_TMPDIR/bad" <"$d/tokens.nf"
    says "$BATS_TEST_TMPDIR/bad"
    head -c 3000 "$d/model.safetensors" >"$BATS_TEST_TMPDIR/bad/model.safetensors"
    exits 3 capture -m "$BATS_TEST_TMPDIR/bad" <"$d/tokens.nf"
    says model.safetensors
}

@test "token ids and tokenizers that do not belong to the model are refused" {
    tokenize -m "$MODEL" --limit 30 "$CORPUS/code" >"$BATS_TEST_TMPDIR/tokens"
    exits 3 capture -m "$ROOT/tests/data/opt-nopos" <"$BATS_TEST_TMPDIR/tokens"
    says "window.ids: 51 at [3], below V = 43 expected"
    cp -r "$MODEL" "$BATS_TEST_TMPDIR/other"
    jq '.model.merges |= .[:-1]' "$MODEL/tokenizer.json" >"$BATS_TEST_TMPDIR/other/tokenizer.json"
    exits 3 capture -m "$BATS_TEST_TMPDIR/other" <"$BATS_TEST_TMPDIR/tokens"
    says tokenizer
    exits 0 forward-capture -m "$ROOT/tests/data/opt-nopos" <"$ROOT/tests/data/opt-nopos/tokens.nf"
    says "has no tokenizer"
}

@test "positions that no window has are refused, not left out in silence" {
    printf 'A short text.' | tokenize -m "$MODEL" -c 64 - >"$BATS_TEST_TMPDIR/short"
    n=$(stream-dump -f ndjson -r window "$BATS_TEST_TMPDIR/short" | jq '.ids | length')
    [ "$n" -lt 60 ]
    for f in forward-capture logit-lens; do
        exits 2 "$f" -q -m "$MODEL" --positions 64: <"$BATS_TEST_TMPDIR/short"
        says "--positions from 64: the windows of standard input have at most 64 tokens"
        exits 0 "$f" -q -m "$MODEL" --positions $((n - 1)): <"$BATS_TEST_TMPDIR/short"
        exits 3 "$f" -q -m "$MODEL" --positions "$n:" <"$BATS_TEST_TMPDIR/short"
        says "no window has a position $n (--positions): the longest has $n tokens"
        exits 3 stream-check "$BATS_TEST_TMPDIR/out"
    done
}

@test "a dry run writes nothing but what it found" {
    d=$ROOT/tests/data/opt-preln
    exits 0 capture -n -m "$d" --sites ffn.active,resid.post --layers 1 --positions 5: <"$d/tokens.nf"
    prints "46 tokens in 4 windows of at most 21; 30 at selected positions"
    prints "FFN"
    prints "GFLOP/s measured"
    [ "$(awk '$1 == "all" { print $2 }' "$BATS_TEST_TMPDIR/out")" -eq $((5 + 20 * 4)) ]
}

@test "an instruction set or engine that does not exist is refused by name; a lower set gives close numbers" {
    local d=$BATS_TEST_DIRNAME/../../pipelines/demo/model isa
    tokenize -m "$d" --limit 40 "$d/../corpus/fiction" >"$BATS_TEST_TMPDIR/tokens"
    exits 2 env NF_ISA=sse forward-capture -q -m "$d" <"$BATS_TEST_TMPDIR/tokens"
    grep -q 'NF_ISA=sse: expected baseline, avx2 or avx512' "$BATS_TEST_TMPDIR/err"
    exits 2 env NF_GEMM=mkl forward-capture -q -m "$d" <"$BATS_TEST_TMPDIR/tokens"
    grep -q 'NF_GEMM=mkl: expected panels or onednn' "$BATS_TEST_TMPDIR/err"
    forward-capture -q -m "$d" --sites resid.post <"$BATS_TEST_TMPDIR/tokens" >"$BATS_TEST_TMPDIR/own"
    for isa in avx2 baseline; do
        # 1e-4: float32 sums in another order, on values of about 30; 2.1e-5 was measured
        NF_ISA=$isa forward-capture -q -m "$d" --sites resid.post <"$BATS_TEST_TMPDIR/tokens" >"$BATS_TEST_TMPDIR/$isa"
        stream-diff --atol 1e-4 "$BATS_TEST_TMPDIR/own" "$BATS_TEST_TMPDIR/$isa"
    done
}
