/*
 * detect.h - is a neuron a detector of tokens, bigrams or trigrams?  Paper sections 4.2 and A.2.
 */
#ifndef NF_CLASSIFY_DETECT_H
#define NF_CLASSIFY_DETECT_H

#include "classify/classify.h"

/* What is known of one neuron and order. */
struct nf_detect {
    uint64_t activations;          /* counted and lost fires */
    uint64_t cover_lo, cover_hi;   /* nf_coverage() */
    uint64_t sure;                 /* fires on n-grams surely in C */
    uint64_t possible;             /* fires on n-grams that may be in C, the lost ones not included */
    uint64_t lost;
};

/*
 * nf_detect - the three conditions, in integers:
 *
 *   1. m <= most                               covered by few n-grams
 *   2. C = { g : c(g) >= rate N(g) }           over all n-grams, not only those m (nf_triggers)
 *   3. sum over C of c >= explain activations
 *
 * NF_OPEN when lost counts allow both answers; never a guess.  Without activations: NF_NO.
 */
enum nf_verdict nf_detect(const struct nf_detect *d, uint64_t most, struct nf_ratio explain);

#endif
