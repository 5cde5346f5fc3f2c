/*
 * ngram_keys.h - all n-grams of one order, in the order of the stream. The counts of a layer refer
 * to them.
 */
#ifndef NF_COUNT_NGRAM_KEYS_H
#define NF_COUNT_NGRAM_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/stats.h"

/* In the order of the stream: by planes (bits of n), then by key. */
struct nf_keys {
    size_t order, k;
    uint32_t *id;                        /* [k, order], oldest token first */
    uint32_t *n, *dropped;               /* [k]: occurrences counted; at most so many more were dropped */
    size_t start[NF_BIT_COUNTERS_MAX + 2];     /* keys start[p] .. start[p+1] - 1 have p planes */
    size_t planes;                       /* of the last record */
    size_t id_cap, n_cap, dropped_cap;
    uint64_t occurrences;                /* sum of n */
    uint64_t delta;                      /* dropped occurrences of any one n-gram, at most; 0: exact */
};

/* nf_keys_add - the next ngrams record.  NF_EFORMAT: out of order, an id >= V, an n that has not so many bits. */
int nf_keys_add(struct nf_keys *keys, const struct nf_ngrams *g, size_t V, struct nf_err *err);

/* nf_keys_max - no `m` n-grams, dropped occurrences included, occur more often together than this. */
uint64_t nf_keys_max(const struct nf_keys *keys, uint64_t m);

/* nf_keys_planes - number of planes of key i. */
size_t nf_keys_planes(const struct nf_keys *keys, size_t i);

void nf_keys_clear(struct nf_keys *keys);

#endif
