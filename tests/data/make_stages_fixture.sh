#!/usr/bin/env bash
# stages-effects.nf, stages-lens.nf, stages-stats.nf: lesions, the lens and measures of layers of the demo's model on six of its texts.  Run from the root, with the filters on PATH.
set -eu -o pipefail

model=pipelines/demo/model
cd "$(dirname "$0")/../.."
tokens=$(mktemp)
trap 'rm -f "$tokens"' EXIT
tokenize -q -m $model --context 64 pipelines/demo/corpus/{fiction,letters,forum}/0[12].* >"$tokens"
lesion -q -m $model --drop all --swap all --repeat 2 <"$tokens" >tests/data/stages-effects.nf
logit-lens -q -m $model <"$tokens" >tests/data/stages-lens.nf
forward-capture -q -m $model --sites resid.pre,resid.post,norms,attn.local,attn.back <"$tokens" |
    reduce-stats -q --no-moments --measure similarity,ratios,locality,merging --cka-batch 8 >tests/data/stages-stats.nf
