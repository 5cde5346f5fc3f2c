/*
 * whole.h - finds pieces that are whole tokens. With ignore_merges such a piece is that token,
 * whatever the merges are.
 */
#ifndef NF_TOKEN_WHOLE_H
#define NF_TOKEN_WHOLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct nf_whole_entry {
    size_t at, n;   /* in bytes */
    uint32_t id;
};

struct nf_whole {
    struct nf_bytes bytes;   /* of all entries, one after the other */
    struct nf_whole_entry *entries;
    size_t n, cap;
    uint32_t *slots;         /* hash: index into entries + 1, 0: free; made by nf_whole_index() */
    size_t mask, longest;    /* slots - 1; bytes of the longest entry */
};

/* nf_whole_add - a piece of n bytes, not yet there, and its id.  nf_whole_index - after the last nf_whole_add(). */
int nf_whole_add(struct nf_whole *w, const void *p, size_t n, uint32_t id, struct nf_err *err);
int nf_whole_index(struct nf_whole *w, struct nf_err *err);

/* nf_whole_find - the piece's id, or -1. */
int64_t nf_whole_find(const struct nf_whole *w, const void *p, size_t n);

void nf_whole_clear(struct nf_whole *w);   /* a zeroed struct is empty, and may be asked without nf_whole_index() */

#endif
