/*
 * grouped_means.h - measures of many items (interventions, points of a lens): means over all rows,
 * by domain and by position.
 */
#ifndef NF_RUN_GROUPED_MEANS_H
#define NF_RUN_GROUPED_MEANS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "numeric/cluster_mean.h"
#include "stream/writer.h"

/*
 * Positions are grouped by powers of two: bin 0 is position 0, bin b holds positions 2^(b-1) .. 2^b
 * - 1. Position 0 is that of BOS in windows that begin with one.
 */
enum { NF_POSITION_BINS = 33 };

struct nf_grouped_means {
    size_t things, measures;
    struct nf_cluster_mean *all;                     /* [things, measures] */
    struct nf_cluster_mean *bin[NF_POSITION_BINS];      /* [things, measures] each; NULL: no row */
    struct nf_cluster_mean **domain;                 /* [domains] the same; NULL: no row */
    size_t domains, domains_cap;
};

int nf_grouped_means_init(struct nf_grouped_means *t, size_t things, size_t measures, struct nf_err *err);
void nf_grouped_means_clear(struct nf_grouped_means *t);   /* accepts a zeroed struct */

/* nf_grouped_means_add - one row of one thing: x [measures], NaN where a measure has none.  Rows of a document come together. */
int nf_grouped_means_add(struct nf_grouped_means *t, size_t thing, uint64_t doc, size_t domain, size_t position, const double *x,
                   struct nf_err *err);

/*
 * nf_grouped_means_write - thing by thing, records of all rows, of each domain, of each bin of positions: record/measures.h.
 *
 *   type, key  of the record, and its field that holds the thing's number
 *   thing      [things] names of the things; NULL: they are not written
 *   domain     [domains] their names
 *   name       [measures] theirs
 */
void nf_grouped_means_write(const struct nf_grouped_means *t, struct nf_writer *out, const char *type, const char *key,
                      const char *const *thing, char *const *domain, const char *const *name);

#endif
