/*
 * measures.h - means of measures, over all rows, by domain and by position: the records of effects and lens.  FORMAT.md section 4.6.
 */
#ifndef NF_RECORD_MEASURES_H
#define NF_RECORD_MEASURES_H

#include <stddef.h>
#include <stdint.h>

#include "stream/writer.h"

/* One mean, as numeric/cluster_mean.h has it. */
struct nf_measured {
    uint64_t n;
    double mean, sd, se, doc_mean, doc_sd;   /* NaN: written as nil */
};

/* Which rows: all, those of a domain, or those at positions from .. to-1. */
struct nf_measure_group {
    const char *name;      /* of the thing; NULL: it is not written */
    const char *domain;    /* NULL: not by domain */
    size_t from, to;       /* to 0: not by position */
    uint64_t docs;
};

/*
 * nf_measures_write - one record {r: type, key: thing, name, by, .., docs, NAME: {n, mean, sd, se, doc_mean, doc_sd}, ..}.
 *
 *   name, m  [measures]
 */
void nf_measures_write(struct nf_writer *out, const char *type, const char *key, size_t thing, const struct nf_measure_group *g,
                       const char *const *name, const struct nf_measured *m, size_t measures);

#endif
