/*
 * trigger_suppression.h - suppression of triggers, for the token detectors of one layer and for what could be chance.  Paper section 4.4; nulls are ours.
 */
#ifndef NF_CLASSIFY_TRIGGER_SUPPRESSION_H
#define NF_CLASSIFY_TRIGGER_SUPPRESSION_H

#include "classify/classify_layer.h"
#include "vocab/vocab_projection.h"

/* Counts that make one suppression record, by projection. */
struct nf_push_tally {
    uint64_t detectors, suppressing, all_negative, majority_negative, weighted;
    uint64_t null, null_n;               /* random token sets: with a negative mean, of so many */
    uint64_t alive, alive_n;             /* random neurons */
    double percentile;                   /* sum over detectors of the mean percentile of their tokens */
};

/* A detector's numbers.  Arrays owned. */
struct nf_push {
    size_t neuron;
    struct nf_suppressed record;
    double *number;                      /* percentiles and values of record.by */
    struct nf_scored *extreme;           /* promoted and suppressed */
};

struct nf_pushes {
    struct nf_push *push;                /* [n] by neuron, ascending */
    size_t n;
    struct nf_push_tally tally[NF_PROJECTIONS];
};

/*
 * nf_push_layer - project the output rows of the layer's token detectors, and of the null neurons, on the vocabulary.
 *
 *   covered tokens   all of a detector's C; percentiles and values for the first `listed` of them as nf_push_sort() orders them
 *   null             `draws` token sets a detector, frequency-matched (nf_suppress_match): same row, other tokens
 *   null_alive       up to null_neurons random neurons of the layer that fire and are no detectors, each on its most frequent tokens,
 *                    as many as a token detector may have
 *
 * Random choices depend on seed, layer and neuron alone.  Nothing for a layer outside the scope.  NF_ESYS: memory.  Release with nf_push_clear().
 */
int nf_push_layer(const struct nf_suppress *s, const struct nf_ffn_rows *rows, const struct nf_classify *cfg,
                  const struct nf_layer_counts *l, const struct nf_judged *judged, struct nf_pushes *out, struct nf_err *err);

/* nf_push_sort - hits by c, descending, then by key: the order in which covered n-grams are written. */
void nf_push_sort(struct nf_hit *hit, size_t n);

void nf_push_add(struct nf_push_tally *sum, const struct nf_push_tally *t);
struct nf_suppression nf_push_record(const struct nf_push_tally *t, enum nf_projection projection, size_t layer);
void nf_push_clear(struct nf_pushes *p);

#endif
