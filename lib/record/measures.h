/*
 * measures.h - means of measures over all rows, by domain and by position: the records effect, lens and attribution.  FORMAT.md section 4.6.
 */
#ifndef NF_RECORD_MEASURES_H
#define NF_RECORD_MEASURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/record.h"

/* One mean, as numeric/cluster_mean.h has it. */
struct nf_measured {
    uint64_t n;
    double mean, sd, se;         /* NaN: none */
    bool by_docs;                /* the next two are known: programs before 0.1 left them out */
    double doc_mean, doc_sd;
};
extern const struct nf_record nf_measure_record;

enum nf_by { NF_BY_ALL, NF_BY_DOMAIN, NF_BY_POSITION, NF_BY };
extern const char *const nf_by_names[NF_BY];

enum { NF_MEASURES_MAX = 16 };

/* The means of one intervention, point or part, over all its rows or some of them. */
struct nf_means_rec {
    size_t of;                   /* number of the intervention, point or part */
    const char *name;            /* interventions only */
    enum nf_by by;
    const char *domain;          /* NULL: not by domain */
    size_t from, to;             /* positions from .. to-1; NF_NONE: not by position */
    uint64_t docs;
    struct nf_measured m[NF_MEASURES_MAX];
    struct nf_mem mem;
};

int nf_means_check(const void *rec, struct nf_err *err);   /* domain, from and to are those that `by` says */

#endif
