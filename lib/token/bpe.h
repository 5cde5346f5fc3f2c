/*
 * bpe.h - byte-pair merging of one piece of text.
 *
 * The algorithm of Sennrich, Haddow, Birch 2016 (arXiv:1508.07909, section 3.2): start from single bytes, as GPT-2 does, or from
 * characters (chars.h); while some adjacent pair is in the table, merge the pair of lowest rank, the leftmost of equals.
 */
#ifndef NF_TOKEN_BPE_H
#define NF_TOKEN_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* One row of the merge table: left + right -> id; the row's index is its rank. */
struct nf_merge {
    uint32_t left, right, id;
};

/* A byte without a token: some vocabularies leave out bytes that no UTF-8 text holds. */
#define NF_BPE_NO_BYTE UINT32_MAX

struct nf_bpe {
    struct nf_merge *merges; /* [n] in order of rank */
    size_t n, cap;
    uint32_t byte[256]; /* the id of each single byte */
    struct nf_bpe_slot *slots; /* hash of (left, right); made by nf_bpe_index() */
    size_t mask; /* number of slots - 1 */
};

/* nf_bpe_add - the next merge in order of rank. */
int nf_bpe_add(struct nf_bpe *b, struct nf_merge m, struct nf_err *err);

/* nf_bpe_index - after the last nf_bpe_add().  A pair that was added twice keeps its last rank, as in Hugging Face tokenizers. */
int nf_bpe_index(struct nf_bpe *b, struct nf_err *err);

void nf_bpe_clear(struct nf_bpe *b);

/* Scratch memory of nf_bpe_encode(), one a thread; zeroed is empty. */
struct nf_bpe_work {
    void *mem;
    size_t cap;
};

/*
 * nf_bpe_encode - the tokens of one piece.
 *
 *   p, n   the piece, 1 <= n <= NF_BPE_PIECE_MAX bytes
 *   ids    out [n]: at most one token a byte
 *   count  out: how many
 *
 * O(n log n) for long pieces.  NF_ESYS: no memory; NF_EFORMAT: a byte has no token.
 */
enum { NF_BPE_PIECE_MAX = 4 << 20 };
int nf_bpe_encode(const struct nf_bpe *b, const unsigned char *p, size_t n, struct nf_bpe_work *w, uint32_t *ids, size_t *count,
                  struct nf_err *err);

/* nf_bpe_merge - the same from ids that stand for the piece already: merges ids[0..n) in place.  NF_ESYS. */
int nf_bpe_merge(const struct nf_bpe *b, size_t n, struct nf_bpe_work *w, uint32_t *ids, size_t *count, struct nf_err *err);

void nf_bpe_work_clear(struct nf_bpe_work *w);

/* Pieces up to this length are merged by repeated scans, longer ones through a heap; the tests cross it. */
enum { NF_BPE_SHORT = 48 };

#endif
