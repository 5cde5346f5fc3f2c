#!/usr/bin/env bash
# stages-effects.nf, stages-lens.nf: lesions and the lens of the demo's model on six of its texts.  Run from the root, with the filters on PATH.
set -eu -o pipefail

model=pipelines/demo/model
cd "$(dirname "$0")/../.."
tokens=$(mktemp)
trap 'rm -f "$tokens"' EXIT
tokenize -q -m $model --context 64 pipelines/demo/corpus/{fiction,letters,forum}/0[12].* >"$tokens"
lesion -q -m $model --drop all --swap all --repeat 2 <"$tokens" >tests/data/stages-effects.nf
logit-lens -q -m $model <"$tokens" >tests/data/stages-lens.nf
