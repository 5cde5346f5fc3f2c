/*
 * ngram_coverage.h - what the detectors of the layers cover together: new and overlapping n-grams.  Paper section 4.3, figures 3, 4, 14, 15.
 */
#ifndef NF_CLASSIFY_NGRAM_COVERAGE_H
#define NF_CLASSIFY_NGRAM_COVERAGE_H

#include "base/err.h"
#include "record/neurons.h"
#include "classify/triggers.h"

/* Sets of keys as bits: D_l of this layer, of the previous one, and the union of all lower ones. */
struct nf_ngram_coverage {
    size_t k, words;
    uint64_t *here, *previous, *lower;
};

int nf_ngram_coverage_init(struct nf_ngram_coverage *e, size_t k, struct nf_err *err);

/* nf_ngram_coverage_add - a detector's covered n-grams that occur at least min times join D_l. */
void nf_ngram_coverage_add(struct nf_ngram_coverage *e, const struct nf_hits *covered, const uint32_t *n, uint64_t min);

/*
 * nf_ngram_coverage_layer - the layer is complete: sizes of its sets; then it becomes the previous one.
 *
 *   new_overall = |D_l \ (D_1 u .. u D_{l-1})|   new_previous = |D_l \ D_{l-1}|   cumulative = |D_1 u .. u D_l|
 */
struct nf_covered nf_ngram_coverage_layer(struct nf_ngram_coverage *e);

void nf_ngram_coverage_clear(struct nf_ngram_coverage *e);

#endif
