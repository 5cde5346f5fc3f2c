/*
 * position_cover.h - how the ranges of the positional neurons of a layer cover the positions. Paper
 * section 5.3, figure 9.
 */
#ifndef NF_CLASSIFY_POSITION_COVER_H
#define NF_CLASSIFY_POSITION_COVER_H

#include <stddef.h>

#include "base/err.h"
#include "record/neurons.h"

/* One member: a neuron and its ranges (borrowed). */
struct nf_member {
    size_t neuron, n_ranges;
    const struct nf_interval *range;
};

/*
 * nf_position_cover_score - computes the positions covered by the union, how many members cover a
 * covered position on average, the positions that only one member covers, and a greedy order of the
 * members: each adds the most positions to those before it.
 *
 *   member  [n], T > every range
 *   loss, greedy, gain  [n]  out; rec points to them
 *   rec     out: n, covered, context, multiplicity, loss, greedy, gain
 *
 * Ties go to the lowest neuron. The best cover by j members is NP-hard to find; a greedy one covers
 * at least 1 - 1/e of it (Nemhauser, Wolsey, Fisher 1978). `loss` and `covered` are exact. NF_ESYS:
 * memory.
 */
int nf_position_cover_score(const struct nf_member *member, size_t n, size_t T, size_t *loss, size_t *greedy, size_t *gain,
                  struct nf_team_rec *rec, struct nf_err *err);

#endif
