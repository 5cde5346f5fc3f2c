/*
 * locality.h - how much heads attend to the positions just before.  FORMAT.md section 4.4: locality.
 *
 * Lad et al. 2024, arXiv:2406.19384, section 5.1 and the authors' notebook attention_prev5.  A row is [H,7] of site attn.local: for a
 * query at position t the attention A[t, t-w] + .. + A[t, t-1] for w = 1, 2, 4, 5, 8, 16 (self excluded, fewer terms near the start),
 * then A[t, 0].  The columns of a head, NF_LOCAL_COLUMNS of them:
 *
 *   0 .. 5    the sums, averaged over queries
 *   6         A[t, 0], averaged over queries
 *   7 .. 12   the mean weight per offset: sum of the sums / sum of min(w, t).  The notebook's quantity: a mean over all existing A[t, t-i],
 *             so that queries with t < w count for fewer
 *
 * Rows of columns: H heads; their mean; uniform attention, A[t, s] = 1 / (t + 1), over the very same queries.
 *
 * BOS. As a query it counts or not, as everywhere in reduce-stats. As a key it counts like any
 * position, so queries with t <= w see it in the sums. (The notebook does the same, although its
 * comment says otherwise.) `exclude`: in windows that begin with a BOS it is removed from the sums
 * of these queries, from the offsets that are averaged over, and from the uniform sums.
 */
#ifndef NF_STAGES_LOCALITY_H
#define NF_STAGES_LOCALITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numeric/mergeable_means.h"

static inline size_t nf_locality_columns(size_t H)
{
    return (H + 2) * NF_LOCAL_COLUMNS;
}

/* nf_locality_row - add the query at position t; a [H,7]; exclude: position 0 is a BOS and left out as a key. */
void nf_locality_row(const float *a, size_t H, size_t t, bool exclude, struct nf_mergeable_means *m);

/* nf_locality_sinks - heads whose mean attention on position 0 is at least `threshold`. */
uint64_t nf_locality_sinks(const struct nf_mergeable_means *m, size_t H, double threshold);

#endif
