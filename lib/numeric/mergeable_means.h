/*
 * mergeable_means.h - many clustered means (cluster_mean.h) side by side, whose sums travel in a record and merge exactly.
 *
 * There are U columns. A document is the unit of sampling and is never split between shards. Values
 * are below 2^31, there are fewer than 2^32 positions, and weights are at most 16.
 */
#ifndef NF_NUMERIC_MERGEABLE_MEANS_H
#define NF_NUMERIC_MERGEABLE_MEANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/stages.h"
#include "numeric/cluster_mean.h"

/* Of two columns a, b: sums over documents of Xa Xb, Xa Wb, Wa Xb, Wa Wb. */
struct nf_doc_cross {
    struct nf_exact of[NF_DOC_CROSS];
};

struct nf_mergeable_means {
    size_t U, pairs;               /* pairs: U / 2, columns p and p + pairs are compared; or 0 */
    bool open;                     /* x and w hold a part of document `doc` */
    uint32_t doc;
    double *x, *w;                 /* [U] sums over it */
    uint64_t *docs;                /* [U] documents with W > 0 */
    uint64_t either;               /* pairs: documents with a weight in any column */
    struct nf_doc_sums *sum;       /* [U] */
    struct nf_doc_cross *cross;    /* [pairs] */
};

int nf_mergeable_means_open(struct nf_mergeable_means *m, size_t U, bool paired, struct nf_err *err);
void nf_mergeable_means_close(struct nf_mergeable_means *m);   /* accepts a zeroed struct */
size_t nf_mergeable_means_bytes(size_t U, bool paired);

/*
 * nf_mergeable_means_begin - values added to x and w from now on belong to `doc`. Call it before
 * adding them.
 */
void nf_mergeable_means_begin(struct nf_mergeable_means *m, uint32_t doc);
void nf_mergeable_means_end(struct nf_mergeable_means *m);     /* the last document is complete */

/* nf_mergeable_means_add - x [U] with weight 1 each. */
void nf_mergeable_means_add(struct nf_mergeable_means *m, const double *x);

/* nf_mergeable_means_get - column u; sd is NaN. */
struct nf_cluster_estimate nf_mergeable_means_get(const struct nf_mergeable_means *m, size_t u);

/*
 * nf_mergeable_means_difference - mean of column p minus that of column p + pairs. Its se treats a
 * document that has both as one unit.
 */
void nf_mergeable_means_difference(const struct nf_mergeable_means *m, size_t p, double *difference, double *se);

/* nf_mergeable_means_fill - the record's arrays, allocated in one piece that starts at rec->n: free() it.  Borrows the sums. */
int nf_mergeable_means_fill(const struct nf_mergeable_means *m, struct nf_mergeable_means_rec *rec, struct nf_err *err);

/* nf_mergeable_means_merge - add a record whose sizes the caller has checked.  NF_EFORMAT: counts that cannot be. */
int nf_mergeable_means_merge(struct nf_mergeable_means *m, const struct nf_mergeable_means_rec *rec, struct nf_err *err);

/* nf_mergeable_means_merge_part - add to columns first .. first + n - 1, all with the same number of documents.  sums: u8[n, NF_DOC_SUMS, 5]. */
int nf_mergeable_means_merge_part(struct nf_mergeable_means *m, size_t first, size_t n, uint64_t docs, const void *sums,
                                  struct nf_err *err);

#endif
