# nano.bash - a model so small that a stream of it can be cut at every byte: 1 layer, 8 FFN units, 8 positions, 260 tokens.

# make_nano DIR: DIR/model, and DIR/{tokens,activations,stats,neurons}.nf made by the filters themselves.
make_nano() {
    mkdir -p "$1/model"
    "$NF_TESTS/bench/make_checkpoint" opt "$1/model" 1 4 8 1 260 8 >/dev/null
    # Byte-level BPE (GPT-2's names of the bytes) with one merge and OPT's special tokens.
    jq -nc '[range(256)] | reduce .[] as $b ({v: {"<s>": 0, "<pad>": 1, "</s>": 2}, n: 0};
              if ($b >= 33 and $b <= 126) or ($b >= 161 and $b <= 172) or $b >= 174
              then .v[[$b] | implode] = $b + 3 else .v[[256 + .n] | implode] = $b + 3 | .n += 1 end)
            | .v + {"ab": 259}' >"$1/model/vocab.json"
    printf '#version: 0.2\na b\n' >"$1/model/merges.txt"
    printf 'abc abba, cab.\nb' >"$1/text"
    tokenize -m "$1/model" "$1/text" >"$1/tokens.nf"
    forward-capture -q -m "$1/model" <"$1/tokens.nf" >"$1/activations.nf"
    reduce-stats <"$1/activations.nf" >"$1/stats.nf"
    classify-neurons -m "$1/model" <"$1/stats.nf" >"$1/neurons.nf"
}
