#!/usr/bin/env bash
# Question  Which neurons fire on almost every occurrence of a few tokens and on little else, and which tokens?
# Needs     the filters in bin/ or on PATH; jq
# Takes     MODEL-DIR TEXT...
# Writes    one line a detector on standard output: layer.neuron, firings, share of them that the tokens explain, the tokens
set -euo pipefail
PATH=${NF_BIN:-$(cd "$(dirname "$0")/.." && pwd)/bin}:$PATH
[ $# -ge 2 ] || { echo "usage: ${0##*/} MODEL-DIR TEXT..." >&2; exit 2; }
model=$1
shift

tokenize -m "$model" "$@" |
    forward-capture -m "$model" -q |
    reduce-stats --orders 1 |
    classify-neurons |
    stream-dump --format ndjson --record vocab,neuron |
    jq -rn 'reduce inputs as $r ({vocab: [], rows: []};
              if $r.r == "vocab" then .vocab += $r.tokens
              elif $r.class == "token-detector" then .rows += [$r]
              else . end)
            | .vocab as $v | .rows[]
            | "\(.layer).\(.neuron)\t\(.fires)\t\(.token.share.p * 1000 | round / 10) %\t\([.token.covered[] | $v[.] | @json] | join(" "))"'
