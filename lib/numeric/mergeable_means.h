/*
 * mergeable_means.h - means over positions with a standard error over documents, in a form whose merging is exact.
 *
 * Each of U columns is a ratio: sum of x over sum of weights, a weight being a count (1 for a plain mean).  A document is the unit of
 * sampling and is never split between shards.  With X_d, W_d the sums over document d, in double, in the order of its positions, and
 * D the number of documents with W_d > 0:
 *
 *   mean      m = sum X_d / sum W_d                                            every position counts alike
 *   se        sqrt(D / (D - 1) sum (X_d - m W_d)^2) / sum W_d                  Cochran 1977, Sampling Techniques, ch. 6
 *   doc_mean  sum (X_d / W_d) / D                                              every document counts alike
 *   doc_se    sd of X_d / W_d (divisor D - 1) / sqrt(D)
 *
 * Their sums over documents are exact integers (exact.h), so documents add up in any order and grouping to the same bits.
 * |X_d| < 2^63 and the sum of weights < 2^53: values under 2^31, fewer than 2^32 positions, weights of at most 16.
 */
#ifndef NF_NUMERIC_MERGEABLE_MEANS_H
#define NF_NUMERIC_MERGEABLE_MEANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/stages.h"
#include "numeric/exact.h"

/* Of one column: sums over documents of X, W, XX, XW, WW, X/W, (X/W)^2. */
struct nf_doc_sums {
    struct nf_exact of[NF_DOC_SUMS];
};

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

/* nf_mergeable_means_begin - what is added to x and w from now on belongs to `doc`.  To be called before it is. */
void nf_mergeable_means_begin(struct nf_mergeable_means *m, uint32_t doc);
void nf_mergeable_means_end(struct nf_mergeable_means *m);     /* the last document is complete */

/* nf_mergeable_means_add - x [U] with weight 1 each. */
void nf_mergeable_means_add(struct nf_mergeable_means *m, const double *x);

struct nf_mergeable_mean {
    uint64_t n, docs;              /* n: the sum of weights */
    double mean, se, doc_mean, doc_se;   /* NaN: n = 0, fewer than two documents for se */
};
struct nf_mergeable_mean nf_mergeable_means_get(const struct nf_mergeable_means *m, size_t u);

/* nf_mergeable_means_difference - mean of column p less that of column p + pairs; its se counts documents that have both as one. */
void nf_mergeable_means_difference(const struct nf_mergeable_means *m, size_t p, double *difference, double *se);

/* nf_mergeable_means_fill - the record's arrays, allocated in one piece that starts at rec->n: free() it.  Borrows the sums. */
int nf_mergeable_means_fill(const struct nf_mergeable_means *m, struct nf_mergeable_means_rec *rec, struct nf_err *err);

/* nf_mergeable_means_merge - add a record whose sizes the caller has checked.  NF_EFORMAT: counts that cannot be. */
int nf_mergeable_means_merge(struct nf_mergeable_means *m, const struct nf_mergeable_means_rec *rec, struct nf_err *err);

/* nf_mergeable_means_merge_part - add to columns first .. first + n - 1, all with the same number of documents.  sums: u8[n, NF_DOC_SUMS, 5]. */
int nf_mergeable_means_merge_part(struct nf_mergeable_means *m, size_t first, size_t n, uint64_t docs, const void *sums,
                                  struct nf_err *err);

#endif
