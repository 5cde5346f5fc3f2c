/*
 * merges.h - the merges of a BPE that is written as tokens and scores, as SentencePiece and GGUF write it.
 */
#ifndef NF_TOKEN_MERGES_H
#define NF_TOKEN_MERGES_H

#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

/*
 * nf_merges_from_scores - every split of a token into two tokens is a merge; the higher the score of the token, the earlier.
 *
 *   tokens  [n] their texts by id, in UTF-8.  Of a text that stands there twice the later id and score count
 *   scores  [n] one a token
 *
 * Among equal scores the longer left side goes first, then the longer right side (in characters), then the token that comes first, then
 * the sides of lower id.  Source: transformers 5, tokenization_utils_base.py, generate_merges() with scores, which is how it reads GGUF.
 *
 * Returns an array of [left, right] for `merges` of a model in tokenizer.json (new reference), or NULL: NF_ESYS; NF_EFORMAT: a token is no
 * UTF-8, a score NaN.
 */
json_t *nf_merges_from_scores(const char *const *tokens, const float *scores, size_t n, struct nf_err *err);

#endif
