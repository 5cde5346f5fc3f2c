/*
 * trigger_suppression.h - whether the token detectors of one layer suppress their triggers, beside
 * two nulls that show what chance gives. Paper section 4.4; the nulls are ours.
 */
#ifndef NF_CLASSIFY_TRIGGER_SUPPRESSION_H
#define NF_CLASSIFY_TRIGGER_SUPPRESSION_H

#include "classify/classify_layer.h"
#include "vocab/vocab_projection.h"

/* Counts that make one suppression record, by projection. */
struct nf_suppression_counts {
    uint64_t detectors, suppressing, all_negative, majority_negative, weighted;
    uint64_t null, null_n;               /* random token sets: with a negative mean, of so many */
    uint64_t alive, alive_n;             /* random neurons */
    double percentile;                   /* sum over detectors of the mean percentile of their tokens */
};

/* A detector's numbers.  Arrays owned. */
struct nf_suppressing_detector {
    size_t neuron;
    struct nf_suppressed record;
    double *number;                      /* percentiles and values of record.by */
    struct nf_scored *extreme;           /* promoted and suppressed */
};

struct nf_trigger_suppression {
    struct nf_suppressing_detector *push;                /* [n] by neuron, ascending */
    size_t n;
    struct nf_suppression_counts tally[NF_PROJECTIONS];
};

/*
 * nf_trigger_suppression_layer - project the output rows of the layer's token detectors, and of the null neurons, on the vocabulary.
 *
 *   covered tokens   all of a detector's C; percentiles and values for the first `listed` of them as nf_hits_sort() orders them
 *   null             `draws` token sets a detector, frequency-matched (nf_hits_match): same row, other tokens
 *   null_alive       up to null_neurons random neurons of the layer that fire and are no detectors, each on its most frequent tokens,
 *                    as many as a token detector may have
 *
 * Random choices depend only on seed, layer and neuron. A layer outside the scope has no result.
 * NF_ESYS: memory. Release with nf_trigger_suppression_clear().
 */
int nf_trigger_suppression_layer(const struct nf_vocab_projection *s, const struct nf_ffn_rows *rows, const struct nf_classify *cfg,
                                 const struct nf_layer_counts *l, const struct nf_neuron_classes *judged,
                                 struct nf_trigger_suppression *out, struct nf_err *err);

/* nf_hits_sort - hits by c, descending, then by key: the order in which covered n-grams are written. */
void nf_hits_sort(struct nf_hit *hit, size_t n);

/*
 * nf_hits_match - replace each covered token by a random token of about its frequency: one whose
 * number of occurrences has as many bits. Where all of those are covered, the nearest other number
 * of bits is taken.
 *
 *   covered  the neuron's tokens, as indices of the unigram `keys`, ascending
 *   match    [covered->n] out: token ids, repetition possible
 *
 * Returns how many were matched: all, or 0 when every token of the corpus is covered.
 */
size_t nf_hits_match(const struct nf_keys *keys, const struct nf_hits *covered, uint64_t *rng, struct nf_weighted *match);

void nf_suppression_counts_add(struct nf_suppression_counts *sum, const struct nf_suppression_counts *t);
struct nf_suppression nf_suppression_counts_record(const struct nf_suppression_counts *t, enum nf_projection projection,
                                                   size_t layer);
void nf_trigger_suppression_clear(struct nf_trigger_suppression *p);

#endif
