/*
 * reals_impl.h - shared by reals.c (reads rows) and reals_records.c (records of statistics).
 */
#ifndef NF_REDUCE_REALS_IMPL_H
#define NF_REDUCE_REALS_IMPL_H

#include "numeric/histogram.h"
#include "numeric/moments.h"
#include "reduce/reals.h"
#include "numeric/topk.h"

/* The values of all units over one set of positions. */
struct nf_distribution {
    bool open;
    struct nf_moments moments;
    struct nf_histogram histogram;
    size_t seen;               /* merging: units whose histogram was read; SIZE_MAX before the moments */
};

struct nf_real_site {
    char site[16];
    size_t layer, W;
    bool by_domain;            /* pred */
    struct nf_distribution all, *domain[NF_DOMAINS_MAX];   /* domain: NULL until the domain is met */
    struct nf_top top;
    size_t row;                /* of the current batch */
    size_t seen;               /* merging: units whose top was read */
};

struct nf_reals {
    size_t k, C;
    struct nf_real_site **site;
    size_t sites, site_cap;
    uint32_t *context;         /* [C] workspace */

    const struct nf_batch_rows *rows;   /* NULL: between batches */
    const size_t *domain;
    float *x;                  /* [rows, stride] of one record */
    size_t x_cap;

    size_t in_Q;
    const size_t *in_domain;
};

/* nf_reals_distribution - that of all positions (domain SIZE_MAX) or of one domain; NULL: out of memory. */
struct nf_distribution *nf_reals_distribution(struct nf_real_site *s, size_t domain, struct nf_err *err);

/* nf_reals_find - NULL: not one of the sites. */
struct nf_real_site *nf_reals_find(struct nf_reals *r, const char *site, size_t layer);

#endif
