#!/usr/bin/env bash
# Question  What would the model say after each token of a prompt, if it ended earlier?
# Needs     the filters in bin/ or on PATH; jq
# Takes     MODEL-DIR PROMPT [OPTION...]: options of logit-lens, such as --mid, --include-bos, --tuned DIR
# Writes    a table on standard output: one line a point of the residual stream, the embedding first and the model's own output last; one column a position,
#           by the token read there; in each cell the most probable next token and its probability.  <ID>: the tokenizer has no such token
set -euo pipefail
PATH=${NF_BIN:-$(cd "$(dirname "$0")/.." && pwd)/bin}:$PATH
[ $# -ge 2 ] || { echo "usage: ${0##*/} MODEL-DIR PROMPT [OPTION...]" >&2; exit 2; }
model=$1 prompt=$2
shift 2

printf %s "$prompt" |
    tokenize -q -m "$model" |
    logit-lens -q -m "$model" --per-token --top-k 1 "$@" |
    stream-dump --format ndjson --record vocab,point,token |
    jq -rn 'def quoted($v): ($v[.] // "<\(.)>") | gsub("\""; "\\\"") | "\"\(.)\"";
            def padded($widths): [., $widths] | transpose | map(.[0] + " " * (.[1] - (.[0] | length))) | join("  ") | sub(" +$"; "");
            reduce inputs as $r ({vocab: [], rows: []};
              if $r.r == "vocab" then .vocab += $r.tokens
              elif $r.r == "point" then .rows += [{name: $r.name, read: [], cells: []}]
              else .vocab as $v
                | .rows[$r.point].read += [$r.token | quoted($v)]
                | .rows[$r.point].cells += ["\($r.top_ids[0] | quoted($v)) \($r.top_p[0] * 100 | round) %"]
              end)
            | select(.rows != [])
            | [["point"] + .rows[0].read] + [.rows[] | [.name] + .cells]
            | (transpose | map(map(length) | max)) as $widths
            | .[] | padded($widths)'
