/*
 * triggers.h - the n-grams on which the neurons of one layer fired: the counts of one order, taken
 * as they stream by.
 *
 * For each neuron this keeps the histogram of its counts (for the covering number), sums over the
 * n-grams on whose occurrences it fires nearly always (for the detector rules), those n-grams while
 * it may still be a detector, and its most frequent triggers.
 *
 * Notation of the paper, section 4: c(g) fires of the neuron on n-gram g, N(g) occurrences of g, C = { g : c(g) >= rate N(g) }.
 * With dropped occurrences (FORMAT.md 4.4) membership in C is sure, possible, or excluded.
 */
#ifndef NF_CLASSIFY_TRIGGERS_H
#define NF_CLASSIFY_TRIGGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classify/coverage.h"
#include "count/ngram_keys.h"

/* Fires on an n-gram, by its index among the keys. */
struct nf_hit {
    uint32_t key, c;
};

struct nf_hits {
    struct nf_hit *hit;
    size_t n, cap;
};

struct nf_many {
    uint32_t *c;
    size_t n, cap;
};

struct nf_triggers {
    size_t F, order, top_max;
    struct nf_ratio rate;
    uint64_t most;                        /* covering n-grams of a detector */
    double cover;
    uint64_t min_count[NF_VARIANTS];      /* [0]: the rule; the others: variants of it */
    const struct nf_keys *keys;
    size_t seen;                          /* keys whose counts came */

    uint32_t *few;                        /* [F, NF_FEW] */
    struct nf_many *many;                 /* [F]; in the order of the stream, sorted by nf_triggers_histogram() */
    uint64_t *total, *distinct;           /* [F] */
    uint64_t *sure;                       /* [F, NF_VARIANTS]: fires on n-grams that are surely in C */
    uint32_t *sure_n;                     /* [F, NF_VARIANTS]: how many */
    uint64_t *possible;                   /* [F, NF_VARIANTS]: fires on n-grams that may be in C */
    uint64_t *limit;                      /* [F]: more distinct n-grams than this exclude a detector */
    uint64_t *candidate;                  /* bit f: within the limit so far */
    uint64_t *room;                       /* bit f: fewer than top_max triggers so far */
    struct nf_hits *covered;              /* [F]: the sure members of C; complete for candidates, otherwise empty */
    struct nf_hit *top;                   /* [F, top_max]: c descending, then in the order of the keys */
    uint8_t *n_top;                       /* [F] */
};

/* nf_triggers_init - room for F neurons.  NF_ESYS.  Release with nf_triggers_clear(), which accepts a half-made struct. */
int nf_triggers_init(struct nf_triggers *t, size_t F, size_t order, const struct nf_classify *cfg, struct nf_err *err);

/*
 * nf_triggers_begin - a new layer.
 *
 *   keys    kept until the layer is done
 *   fires   [F]: all fires of each neuron outside BOS
 *   tokens  positions outside BOS; all but those too near the start of a window end an n-gram
 *
 * Lists are kept only for neurons that may still be detectors. The top `most` n-grams of a detector
 * have the share `cover` of its activations A. So A is at most the occurrences of any `most`
 * n-grams, divided by `cover`. Each further n-gram has at least one activation, so there are at
 * most most + (1 - cover) A different ones. Lost counts do not change that.
 */
void nf_triggers_begin(struct nf_triggers *t, const struct nf_keys *keys, const uint64_t *fires, uint64_t tokens);

/*
 * nf_triggers_add - the next counts record of the layer.
 *
 * NF_EFORMAT: not the next keys, or a neuron that fired more often on an n-gram than that occurred.  NF_ESYS: memory.
 * The result does not depend on the number of threads: every neuron's numbers are made by one of them, in the order of the stream.
 */
int nf_triggers_add(struct nf_triggers *t, const struct nf_counts *c, struct nf_err *err);

/* nf_triggers_histogram - neuron f's counts for nf_coverage(); sorts `many`.  For one f no two threads at a time. */
struct nf_count_histogram nf_triggers_histogram(struct nf_triggers *t, size_t f, uint64_t lost);

bool nf_triggers_candidate(const struct nf_triggers *t, size_t f);

void nf_triggers_clear(struct nf_triggers *t);

#endif
