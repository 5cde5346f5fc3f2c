/*
 * coverage.h - how many n-grams cover a share of a neuron's activations.  Paper section 4.1, figures 2, 12, 13.
 */
#ifndef NF_CLASSIFY_COVERAGE_H
#define NF_CLASSIFY_COVERAGE_H

#include <stddef.h>
#include <stdint.h>

#include "classify/classify.h"

enum { NF_FEW = 256 };   /* counts below this are kept as a histogram, the others one by one */

/* A neuron's counts over the n-grams of one order, sorted into a histogram. */
struct nf_count_histogram {
    const uint32_t *few;    /* [NF_FEW]: few[c] n-grams were fired on c times; few[0] is not used */
    const uint32_t *many;   /* [n_many]: counts >= NF_FEW, descending */
    size_t n_many;
    uint64_t total;         /* sum of all counts */
    uint64_t distinct;      /* n-grams with a count > 0 */
    uint64_t lost, delta;   /* fires that belong to no count; of any one n-gram at most delta.  0, 0: exact */
};

/*
 * nf_coverage - the smallest number m of n-grams whose fires add up to the share r of all, total + lost: lo <= m <= hi.
 *
 * Exact (lo == hi) when lost is 0. Otherwise the true counts are c + e. Each e is in [0, min(delta,
 * lost)], and all e together are `lost`. N-grams without a count take part too.
 *   lo: the lost fires lie on the largest counts:  top-m sum + min(lost, m min(delta, lost))  reaches the share
 *   hi: they lie where they help least, on n-grams of their own, each once:  top-m sum (then 1 each) reaches it
 * 0 when there are no fires.
 */
void nf_coverage(const struct nf_count_histogram *t, struct nf_ratio r, uint64_t *lo, uint64_t *hi);

#endif
