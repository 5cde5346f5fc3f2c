/*
 * chars.h - the text of a BPE that starts from characters, as SentencePiece's does: its symbols, and where it may be cut.
 *
 * Such a tokenizer has no pattern that cuts text into pieces: by definition a whole document is merged as one.  The same tokens come
 * from pieces.  Call two characters joined when some merge (l, r) has the first as the last character of l and the second as the first
 * character of r.  A merge replaces two neighbours by one token that holds the characters of both in their order, so the merge that first
 * takes the boundary between two characters a, b into a token has an l that ends in a and an r that begins with b: if a and b are not
 * joined, no merge ever crosses that boundary.  Which pairs are neighbours on one side of it then never depends on the other side, and
 * "the lowest rank, the leftmost of equals" over both sides merges on each side in the same order as on that side alone.  Text is therefore
 * cut between all characters that are not joined, and merged piece by piece.  Characters without a token, and bytes that are no UTF-8, are
 * joined to nothing: no merge has what stands for them as a side (the loader sees to it).
 */
#ifndef NF_TOKEN_CHARS_H
#define NF_TOKEN_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NF_CHARS_BLANK 0x2581 /* how the vocabulary writes a blank */
#define NF_CHARS_NONE UINT32_MAX

/* Pairs of near characters, ASCII and the blank, are in a table. */
enum { NF_CHARS_NEAR = 129, NF_CHARS_PAGE = 256, NF_CHARS_PAGES = 0x110000 / NF_CHARS_PAGE };

struct nf_chars {
    uint32_t *page[NF_CHARS_PAGES]; /* the id of each character, NF_CHARS_NONE: no token; a page NULL: none of its characters */
    uint32_t byte[256]; /* with byte_fallback: the token of each byte; else NF_CHARS_NONE */
    uint32_t unk; /* what a character without a token becomes, where there is no fallback; or NF_CHARS_NONE */
    bool fuse_unk; /* several such in a row become one */
    unsigned char near[NF_CHARS_NEAR][NF_CHARS_NEAR]; /* 1: joined */
    uint64_t *far; /* hash of the joined pairs that are not both near; 0: free */
    size_t far_n, far_mask; /* pairs; slots - 1 */
};

struct nf_chars *nf_chars_open(struct nf_err *err);
void nf_chars_close(struct nf_chars *c); /* accepts NULL */

/* nf_chars_add - character u has token id. */
int nf_chars_add(struct nf_chars *c, uint32_t u, uint32_t id, struct nf_err *err);

/*
 * nf_chars_join - some merge has u as the last character of its left side and v as the first of its right.
 * After the last nf_chars_add(): a pair with a character that has no token is left out, since no text is merged there.
 */
int nf_chars_join(struct nf_chars *c, uint32_t u, uint32_t v, struct nf_err *err);

/* nf_chars_id - the token of character u, or NF_CHARS_NONE. */
uint32_t nf_chars_id(const struct nf_chars *c, uint32_t u);

/*
 * nf_chars_next - the piece that begins at `from`.
 *
 *   text, n   any bytes; from < n, at the start of a character
 *   last      the text ends at n; false: n is the end of a whole character, and a piece that reaches it is not given out
 *   end       out: the piece is text[from .. end)
 *
 * Returns NF_OK, or NF_EOF when it takes more text to tell.
 */
int nf_chars_next(const struct nf_chars *c, const unsigned char *text, size_t n, size_t from, bool last, size_t *end);

/*
 * nf_chars_symbols - the tokens of the characters of a piece, before merging.
 *
 *   p, n   the piece, n >= 1
 *   ids    out [n]: at most one a byte
 *   count  out: how many
 *
 * NF_EFORMAT: a character has no token, and there is neither a fallback nor an unk token.
 */
int nf_chars_symbols(const struct nf_chars *c, const unsigned char *p, size_t n, uint32_t *ids, size_t *count, struct nf_err *err);

/* nf_chars_unknown - whether the piece is a character that becomes `unk`; it is a piece of its own. */
bool nf_chars_unknown(const struct nf_chars *c, const unsigned char *p, size_t n);

#endif
