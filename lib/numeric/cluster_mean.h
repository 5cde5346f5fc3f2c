/*
 * cluster_mean.h - means whose standard error is over documents. Rows of one document are not
 * independent; documents are.
 *
 * Each mean is a ratio of two sums over D documents: X_d, the sum of the values of document d, and
 * W_d, the sum of their weights. The weight of a row is 1 unless a caller sets another.
 *
 *   mean      m = sum X_d / sum W_d                                     every row counts alike
 *   se        sqrt(D / (D - 1) sum (X_d - m W_d)^2) / sum W_d           Cochran 1977, Sampling Techniques, section 6.4 (ratio estimate)
 *   doc_mean  sum (X_d / W_d) / D                                       every document counts alike
 *   doc_sd    standard deviation of X_d / W_d, divisor D - 1            doc_se = doc_sd / sqrt(D)
 *   sd        standard deviation of the values of all rows, divisor n
 *
 * Sums inside a document are doubles, in the order of its rows. Sums over documents are exact
 * integers (exact.h), so documents add up to the same bits in any order and grouping. |X_d| < 2^63,
 * and the sum of weights < 2^53.
 */
#ifndef NF_NUMERIC_CLUSTER_MEAN_H
#define NF_NUMERIC_CLUSTER_MEAN_H

#include <stddef.h>
#include <stdint.h>

#include "numeric/exact.h"
#include "record/stages.h"

/* Sums over documents of X, W, XX, XW, WW, X/W, (X/W)^2. */
struct nf_doc_sums {
    struct nf_exact of[NF_DOC_SUMS];
};

struct nf_cluster_estimate {
    uint64_t n, docs;              /* n: the sum of weights */
    double mean, sd, se;           /* NaN: n = 0; se NaN with fewer than two documents; sd NaN where rows were not kept */
    double doc_mean, doc_sd, doc_se;
};

/* nf_doc_sums_add - one more document; w > 0. */
void nf_doc_sums_add(struct nf_doc_sums *s, double x, double w);

/* nf_doc_sums_squares - sum over documents of (X - mean W)^2. */
struct nf_dd nf_doc_sums_squares(const struct nf_doc_sums *s, struct nf_dd mean);

struct nf_cluster_estimate nf_doc_sums_estimate(const struct nf_doc_sums *s, uint64_t docs);

/* The mean of one stream of rows.  A zeroed struct is empty. */
struct nf_cluster_mean {
    uint64_t docs;               /* documents that are complete */
    struct nf_doc_sums sum;      /* over them */
    struct nf_exact square;      /* over their rows: x^2 */
    double beyond;               /* sum of infinite rows, which no exact sum can hold; 0: none */
    uint64_t doc;                /* at hand: its number + 1; 0: none */
    double x, w, xx;             /* over its rows: values, their number, their squares */
};

/* nf_cluster_mean_add - a row.  Rows of a document come together.  NaN is left out. */
void nf_cluster_mean_add(struct nf_cluster_mean *t, uint64_t doc, double x);

/* nf_cluster_mean_end - the document at hand is complete. */
void nf_cluster_mean_end(struct nf_cluster_mean *t);

/* nf_cluster_mean_merge - add what another saw, of other documents; both are complete (nf_cluster_mean_end). */
void nf_cluster_mean_merge(struct nf_cluster_mean *t, const struct nf_cluster_mean *from);

struct nf_cluster_estimate nf_cluster_mean_read(const struct nf_cluster_mean *t);

#endif
