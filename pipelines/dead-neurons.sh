#!/usr/bin/env bash
# Question  Which FFN neurons never fire on this text, layer by layer?
# Needs     the filters in bin/ or on PATH
# Takes     MODEL-DIR TEXT...
# Writes    a table on standard output: layer, neurons, dead, share with its 95 % interval, mean firing rate of the others
#
# Only firing counts are kept (--orders 0), so memory is small whatever the corpus.
set -euo pipefail
PATH=${NF_BIN:-$(cd "$(dirname "$0")/.." && pwd)/bin}:$PATH
[ $# -ge 2 ] || { echo "usage: ${0##*/} MODEL-DIR TEXT..." >&2; exit 2; }
model=$1
shift

tokenize -m "$model" "$@" |
    forward-capture -m "$model" -q |
    reduce-stats --orders 0 |
    classify-neurons |
    stream-dump --format tsv --record layer --columns layer,neurons,dead.k,dead.p,dead.lo,dead.hi,mean_freq
