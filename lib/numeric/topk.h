/*
 * topk.h - the k highest values of each of W units, where they were, and the tokens that led there.
 *
 * Order: by value, highest first; ties by (doc, window, pos), lowest first. This is a total order
 * of positions. So the first k of a union are the first k of the parts' first k, and merging is
 * exact.
 */
#ifndef NF_NUMERIC_TOPK_H
#define NF_NUMERIC_TOPK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NF_TOP_NONE UINT32_MAX

struct nf_top_entry {
    float value;
    uint32_t doc, window, pos;
};

struct nf_top {
    size_t W, k, C;
    struct nf_top_entry *entry;   /* [W][k] */
    uint32_t *context;            /* [W][k][C] tokens, oldest first, the last at the position itself; NF_TOP_NONE: none */
    size_t *held;                 /* [W] */
    float *floor;                 /* [W] a lower value cannot enter; -inf while fewer than k are held */
};

int nf_top_open(struct nf_top *t, size_t W, size_t k, size_t C, struct nf_err *err);   /* k 0: nothing is kept */
void nf_top_close(struct nf_top *t);   /* accepts a zeroed struct */

/*
 * nf_top_offer - one position for one unit.  Call it when value >= floor[unit].
 *
 *   context  [C]  as above; copied
 */
void nf_top_offer(struct nf_top *t, size_t unit, const struct nf_top_entry *e, const uint32_t *context);

#endif
