/*
 * firings_impl.h - shared by firings.c (counts) and firings_records.c (records of counts).
 */
#ifndef NF_COUNT_FIRINGS_IMPL_H
#define NF_COUNT_FIRINGS_IMPL_H

#include "count/counter_pool.h"
#include "count/firings.h"
#include "count/ngrams.h"

/* The rows of a batch that one counter gets. */
struct nf_firing_group {
    bool ngram;              /* a counter of the n-gram table; else of `fixed` */
    uint32_t counter;
    size_t first, m;         /* index[first .. first + m - 1] */
};

/* N-grams that one ngrams record, and one counts record a layer, hold. */
struct nf_ngram_run {
    size_t order, planes, first, k;
    size_t at;               /* of the first one: in sorted[order - 1], or among the pending of a merge */
};

struct nf_firings {
    const struct nf_totals *t;
    size_t positions, bins;              /* captured positions; bins of domain_position */
    struct nf_budget budget;
    struct nf_counter_pool fixed;            /* BOS, positions, then for each domain: all, bins */
    size_t domains;                      /* that have counters */
    struct nf_ngram_table ngrams;
    uint64_t *near_zero;                 /* [n_layers] */
    uint64_t *scratch;                   /* [threads][32][words] */
    uint64_t *count;                     /* [F] workspace */

    /* the current batch */
    uint64_t batch;
    size_t R, layer, row;                /* its rows; what comes next */
    uint64_t *rows;                      /* [R][words] of one layer */
    size_t rows_cap;
    struct nf_firing_group *group;
    size_t groups, group_cap;
    uint32_t *index;
    size_t n_index, index_cap;
    uint64_t *target;                    /* [R] counter << 32 | row, of one key space */
    size_t n_target, target_cap;

    /* writing and merging */
    uint32_t *sorted[NF_ORDERS];
    size_t n_sorted[NF_ORDERS];
    struct nf_ngram_run *run;
    size_t runs, run_cap;
    const struct nf_totals *in;
    size_t in_domain[NF_DOMAINS_MAX];
    size_t in_lost, seen_fires, seen_position, seen_bins, seen_counts, seen_lost;   /* records or rows so far */
    bool in_order[NF_ORDERS];            /* orders that came with lost_ngrams */
    uint32_t in_delta[NF_ORDERS];
};

enum { NF_COUNTER_BOS = 0 };

static inline uint32_t nf_firings_position(const struct nf_firings *f, size_t p)
{
    return (uint32_t)(1 + p - f->t->from);
}

static inline uint32_t nf_firings_domain(const struct nf_firings *f, size_t q)
{
    return (uint32_t)(1 + f->positions + q * (1 + f->bins));
}

static inline uint32_t nf_firings_bin(const struct nf_firings *f, size_t q, size_t bin)
{
    return (uint32_t)(nf_firings_domain(f, q) + 1 + bin);
}

/* nf_firings_domains - counters for the first Q domains. */
int nf_firings_domains(struct nf_firings *f, size_t Q, struct nf_err *err);

/* nf_firings_raise - by more positions for a counter of `fixed`. */
int nf_firings_raise(struct nf_firings *f, uint32_t counter, uint64_t by, struct nf_err *err);

/* nf_firings_ngram_layer - the index of layer index i among the n-gram layers; SIZE_MAX: none. */
size_t nf_firings_ngram_layer(const struct nf_firings *f, size_t i);

#endif
