/*
 * stats.h - kind "stats": counts of firings and triggers, moments, top positions.  FORMAT.md section 4.4.
 *
 * Every struct is a view of one record (record.h); only struct nf_totals owns what it holds.
 *
 * Order of the records: totals; then for each order lost_ngrams?, ngrams..; then for each layer, ascending: fires, position..,
 * domain_position.., for each order counts.., lost?; then, by site in byte order and layer ascending: moments, histogram.., top..; then
 * the measures (stages.h).
 * Long tables are cut into records by `first`; the counts records of a layer are cut exactly where the ngrams records were, so the
 * i-th counts record of (layer, order) belongs to the i-th ngrams record of that order.
 */
#ifndef NF_RECORD_STATS_H
#define NF_RECORD_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "record/record.h"
#include "stream/writer.h"
#include "tensor/tensor.h"

enum {
    NF_DOMAINS_MAX = 256,
    NF_STATS_LAYERS_MAX = 4096,
    NF_BIT_COUNTERS_MAX = 32,        /* a count of occurrences fits in 32 bits */
};

/* "totals": what was counted over.  Who fills one in takes the memory from `mem`. */
struct nf_totals {
    uint64_t tokens;                     /* positions counted, BOS left out */
    uint64_t bos, windows, full;         /* full: windows of `context` tokens */
    uint64_t docs;                       /* that have windows here */
    size_t context;
    size_t from, to;                     /* the positions of a window that were captured, [from, to); to <= context */
    size_t Q;                            /* domains, in byte order of their names */
    char *domain[NF_DOMAINS_MAX];
    uint64_t domain_tokens[NF_DOMAINS_MAX], domain_full[NF_DOMAINS_MAX];
    size_t n_layers, *layers;            /* ascending; none when the stream has no ffn.active */
    bool order[NF_ORDERS];               /* [n-1]: n-grams of n tokens were counted */
    size_t n_ngram_layers, *ngram_layers;  /* layers that have counts records; ascending, a subset of layers */
    size_t F;                            /* 0 without ffn.active */
    size_t bin;                          /* positions a bin of domain_position */
    struct nf_mem mem;
};
extern const struct nf_record nf_totals_record;

/* "ngrams": n-grams of one order whose n has the same number of bits, by key, ascending. */
struct nf_ngrams {
    size_t order;          /* 1 .. 3 */
    size_t planes;         /* bits of each n */
    size_t first;          /* index of the first key among those of the same order and planes */
    size_t k;
    const void *keys;      /* u4[k, order], oldest token first */
    const void *n;         /* u4[k]: occurrences counted */
    const void *dropped;   /* u4[k]: at most so many further occurrences were dropped; NULL: none of any (exact) */
};
extern const struct nf_record nf_ngrams_record;

/* "counts": bit planes of the n-grams with the same order, planes and first. */
struct nf_counts {
    size_t layer, order, planes, first, k;
    const unsigned char *bits;   /* u1[k, planes, row_bytes], bit order little; plane p weighs 2^p */
    size_t F, row_bytes;         /* row_bytes: (F+7)/8 */
};
extern const struct nf_record nf_counts_record;

/*
 * "lost_ngrams", "lost": present for an order when memory ran out for it (lib/count/ngrams.h has the proof).
 *
 * For an n-gram g in the stream and a neuron f: true N(g) is in [n, n + dropped(g)], and
 * true c(f, g) in [c, c + min(dropped(g), lost fires of f)].  For one that is not in the stream: n = c = 0 and dropped = delta.
 */
struct nf_lost_ngrams {
    size_t order;
    uint64_t delta, occurrences;   /* bound for any one n-gram; all that were dropped, together */
};
struct nf_lost {
    size_t layer, order, F;
    const void *fires;             /* u8[F]: fires at dropped occurrences */
};
extern const struct nf_record nf_lost_ngrams_record;
extern const struct nf_record nf_lost_record;

/* "fires": always exact. */
struct nf_fires {
    size_t layer, F, Q;
    const void *all, *bos;   /* u8[F]: fires at positions that are not BOS; at BOS */
    const void *domain;      /* u8[Q, F]; BOS left out */
    uint64_t near_zero;
};
extern const struct nf_record nf_fires_record;

/* "position" and "domain_position": fires over the full windows, BOS position included; always exact. */
struct nf_position {
    size_t layer, first, P, F;           /* positions first .. first + P - 1 */
    const void *counts;                  /* u4[P, F] */
};
struct nf_domain_position {
    size_t layer, domain, first, B, F;   /* bins first .. first + B - 1; bin b: positions b * bin .. (b + 1) * bin - 1 */
    const void *counts;                  /* u4[B, F] */
};
extern const struct nf_record nf_position_record;
extern const struct nf_record nf_domain_position_record;

/* "moments": one site of one layer, W units.  For `pred` W = 4, once for all domains (domain SIZE_MAX) and once for each. */
enum { NF_MOMENT_ORDERS = 4, NF_SUM_LIMBS = 5 };
struct nf_moments_rec {
    char site[16];
    size_t layer, domain, W, q;
    const void *n;                                /* u8[W] */
    const void *min, *max, *mean, *var, *skew, *kurt;   /* f8[W]; NaN where undefined; var divides by n, kurt of a Gaussian is 3 */
    const void *quantiles;                        /* f8[q]: the levels */
    const void *values;                           /* f8[q, W] */
    const void *sums;                             /* u8[W, 4, 5]: exact sums of x .. x^4 in units of 2^-160 (lib/numeric/exact.h) */
};
extern const struct nf_record nf_moments_record;

/* "histogram": the non-empty bins of units first .. first + w - 1, one unit after the other. */
struct nf_histogram_rec {
    char site[16];
    size_t layer, domain, first, w, b;
    const void *used;      /* u4[w]: bins of each unit; their sum is b */
    const void *bins;      /* i4[b]: ascending within a unit (lib/numeric/histogram.h) */
    const void *counts;    /* u8[b] */
};
extern const struct nf_record nf_histogram_record;

/* "top": the k highest positions of units first .. first + w - 1, highest first; ties by (doc, window, pos), lowest first. */
struct nf_top_rec {
    char site[16];
    size_t layer, first, w, k, C;
    const void *values;              /* f4[w, k]; NaN where there is none */
    const void *doc, *window, *pos;  /* u4[w, k]; 0xffffffff where there is none */
    const void *context;             /* u4[w, k, C]: tokens up to and including it, oldest first; 0xffffffff: none */
};
extern const struct nf_record nf_top_record;

#endif
