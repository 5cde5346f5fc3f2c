/*
 * wordpiece.h - a piece of text as the longest tokens from left to right (BERT's WordPiece).
 *
 * What follows within a piece is looked up with a prefix in front, "##".  A piece that cannot be cut so, or of too many characters, is unk.
 */
#ifndef NF_TOKEN_WORDPIECE_H
#define NF_TOKEN_WORDPIECE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "token/whole.h"

struct nf_wordpiece {
    struct nf_whole vocab; /* tokens as written; after nf_whole_index() */
    struct nf_bytes prefix;
    size_t max_chars; /* of a piece */
    uint32_t unk;
};

/*
 * nf_wordpiece_encode - the tokens of p[0..n), n >= 1, into ids [n].
 *
 *   work   scratch memory of the caller's thread
 */
int nf_wordpiece_encode(const struct nf_wordpiece *w, const unsigned char *p, size_t n, struct nf_bytes *work, uint32_t *ids,
                        size_t *count, struct nf_err *err);
void nf_wordpiece_clear(struct nf_wordpiece *w);

#endif
