#!/usr/bin/env bash
# Question  Which neurons encode position, how, and over which ranges?
# Needs     the filters in bin/ or on PATH; jq
# Takes     MODEL-DIR TEXT...
# Writes    one line a positional neuron on standard output: layer.neuron, mutual information in nats, type, strength, ranges
#
# Only full-length windows count (Voita et al., section 5.1), so short documents are left out at the source.
set -euo pipefail
PATH=${NF_BIN:-$(cd "$(dirname "$0")/.." && pwd)/bin}:$PATH
[ $# -ge 2 ] || { echo "usage: ${0##*/} MODEL-DIR TEXT..." >&2; exit 2; }
model=$1
shift

tokenize -m "$model" --full-only "$@" |
    forward-capture -m "$model" -q |
    reduce-stats --orders 0 |
    classify-neurons |
    stream-dump --format ndjson --record neuron |
    jq -r 'select(.classes | index("positional"))
           | "\(.layer).\(.neuron)\t\(.position.mi)\t\(.position.type)\t\(.position.strength)\t\(.position.ranges | map("\(.[0])-\(.[1])") | join(" "))"'
