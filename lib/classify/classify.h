/*
 * classify.h - the thresholds of Voita, Ferrando, Nalmpantis 2023 (arXiv 2309.04827, "the paper"),
 * and of rules that the paper leaves open.
 *
 * "ours": the paper gives no number; the comment says where ours comes from.
 */
#ifndef NF_CLASSIFY_CLASSIFY_H
#define NF_CLASSIFY_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/neurons.h"
#include "vocab/vocab_rules.h"

/* An exact threshold: x / y >= num / den is tested as x * den >= num * y in integers. */
struct nf_ratio {
    uint64_t num, den;   /* num <= den <= 10^6 */
};

/* nf_ratio - a share as typed, to six decimals, in lowest terms: 0.95 is 19/20. */
struct nf_ratio nf_ratio(double share);

/* nf_ratio_need - the smallest x with x / y >= r.  y < 2^44. */
static inline uint64_t nf_ratio_need(struct nf_ratio r, uint64_t y)
{
    return (r.num * y + r.den - 1) / r.den;
}

/* The n-gram rules, the bands, and the suppression of triggers. */
struct nf_ngram_rules {
    /* N-gram detectors.  Paper sections 4.1, 4.2, A.2. */
    double cover;              /* share of a neuron's activations that covering n-grams must explain: 0.95, 4.1 */
    double rate;               /* share of an n-gram's occurrences on which the neuron must fire: 0.95, 4.2 */
    double explain;            /* share of the activations that such n-grams must explain: 0.95, 4.2 */
    uint64_t most[NF_ORDERS];  /* covering n-grams of a detector: 5 tokens (4.2), 50 trigrams (A.2), 50 bigrams (ours) */
    uint64_t min_count;        /* occurrences of an n-gram that may count as covered: 1, no minimum is stated */
    bool all_layers;           /* false: the bottom half, as in figures 2, 12, 13 */
    bool ignore_bos;           /* dead: never at a text position; false: never at any position, section 3 read literally */

    /* Bands of the firing frequency (mri-compressor's). */
    double dormant, rare, hyperactive;   /* < 0.01, < 0.10, > 0.99 */

    /* Suppression.  Section 4.4 and, for the nulls, ours. */
    uint64_t draws;            /* random token sets a detector */
    uint64_t null_neurons;     /* random firing neurons a layer */
    uint64_t seed;

    /* How much evidence is written. */
    uint64_t top;              /* most frequent triggers */
    uint64_t listed;           /* covered n-grams */
    uint64_t extremes;         /* promoted and suppressed tokens */
};

/* The rules of positional neurons. */
struct nf_position_rules {
    /* Positional neurons.  Section 5.1. */
    double mi;                 /* nats, corrected for bias: 0.05 */
    uint64_t full_needed;      /* ours: full windows from which the correction is small, 1/(2 N) = 0.0025 nats at 200 */

    /* Types (section 5.2, in words).  All numbers are ours, from the curves of figure 7. */
    uint64_t skip;             /* first positions left out: every type may spike there */
    uint64_t smooth;           /* width of the moving average, odd */
    double high, low;          /* hysteresis, shares of the range of the smoothed curve */
    double swing;              /* least range of an oscillation */
    uint64_t cycles;           /* least number of full cycles */
    uint64_t run;              /* least length of an interval at 0 or at 1 */
    double edge_strong, edge_weak;   /* what counts as 0 (and 1 minus it as 1) */
    double rough;              /* greatest rms about the smoothed curve of a strong `other` */
    uint64_t first;            /* first-positions: fires only before this; a perfect indicator of fewer than 18 has I < 0.05 */
    double first_share;        /* ... up to this share */
    uint64_t first_fires;      /* ... and it fired so often in full windows */
    double stable_rms;         /* greatest rms between a domain's curve and the pooled one */
    uint64_t stable_full;      /* full windows that a domain needs to be compared */
};

struct nf_classify {
    struct nf_ngram_rules ngram;
    struct nf_position_rules position;
    struct nf_vocab_rules vocab;
};

struct nf_classify nf_classify_defaults(void);

/* nf_classify_check - thresholds that must fit together; NF_EUSAGE names both. */
int nf_classify_check(const struct nf_classify *c, struct nf_err *err);

#endif
