/*
 * unigram.h - the most probable cut of one piece of text into tokens that carry a score each (Kudo 2018, arXiv:1804.10959).
 *
 * As in Hugging Face tokenizers, to the bit of its double sums: the best path by Viterbi, from left to right; of equal paths the one whose
 * last token begins first.  A character that is no token by itself may be taken for `unk` at 10 below the lowest score; neighbouring unk
 * become one token.  Source: tokenizers, models/unigram/model.rs, encode_optimized(), after SentencePiece's unigram_model.cc.
 */
#ifndef NF_TOKEN_UNIGRAM_H
#define NF_TOKEN_UNIGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

#define NF_UNIGRAM_NONE UINT32_MAX

struct nf_unigram;

struct nf_unigram *nf_unigram_open(struct nf_err *err);
void nf_unigram_close(struct nf_unigram *u); /* accepts NULL */

/* nf_unigram_add - the token of the next id; of texts that are added twice the later id counts.  An empty one is never found. */
int nf_unigram_add(struct nf_unigram *u, const char *text, size_t n, double score, struct nf_err *err);

/* nf_unigram_set - unk: its id, or NF_UNIGRAM_NONE; byte_fallback: what is unk becomes the tokens <0xNN> of its bytes, if all are there. */
void nf_unigram_set(struct nf_unigram *u, uint32_t unk, bool byte_fallback);

/* Scratch memory, one a thread; zeroed is empty. */
struct nf_unigram_work {
    void *mem;
    size_t cap;
};
void nf_unigram_work_clear(struct nf_unigram_work *w);

/*
 * nf_unigram_encode - the tokens of one piece.
 *
 *   p, n   the piece, n >= 1; a byte that is no UTF-8 is a character without a token
 *   ids    out [n]
 *   count  out: how many
 *
 * NF_ESYS; NF_EFORMAT: a character has no token, and there is no unk.
 */
int nf_unigram_encode(const struct nf_unigram *u, const unsigned char *p, size_t n, struct nf_unigram_work *w, uint32_t *ids,
                      size_t *count, struct nf_err *err);

/* nf_unigram_identify - scores, unk and bytes into a digest. */
void nf_unigram_identify(const struct nf_unigram *u, struct nf_digest *d);

#endif
