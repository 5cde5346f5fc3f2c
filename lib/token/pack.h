/*
 * pack.h - the tokens of one document as windows: sequences that the model sees each on its own.
 */
#ifndef NF_TOKEN_PACK_H
#define NF_TOKEN_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct nf_pack {
    size_t context; /* tokens of a full window, BOS included */
    bool bos; /* every window begins with BOS */
    uint32_t bos_id;
    bool full_only; /* a window shorter than context is left out */
    /* state, of the document in progress */
    uint64_t taken; /* tokens of the document so far */
    uint64_t windows; /* windows so far */
    /* the window that nf_pack_next() made */
    uint64_t start; /* index in the document's tokens of the first one after BOS */
    size_t T;
    uint32_t *ids; /* [T]; owned */
};

/* nf_pack_init - context and bos set, room for a window made: context >= 2 with bos.  nf_pack_begin - the next document. */
int nf_pack_init(struct nf_pack *p, struct nf_err *err);
void nf_pack_begin(struct nf_pack *p);
void nf_pack_clear(struct nf_pack *p);

/*
 * nf_pack_next - the next window of ids[0..n), the tokens of the document that no window has taken yet.
 *
 *   last   the document ends with ids[n-1]
 *   used   out: tokens taken from ids, also when there is no window
 *
 * A BOS that the text itself holds where a window begins serves as that window's BOS: it is never doubled.  There is no window of BOS alone.
 *
 * Returns NF_OK with start, T and ids filled and `windows` counting this one; NF_EOF: no window yet, or no more when `last`.
 */
int nf_pack_next(struct nf_pack *p, const uint32_t *ids, size_t n, bool last, size_t *used);

#endif
