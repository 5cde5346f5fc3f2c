/*
 * cluster_mean.h - means with a standard error over documents: rows of one document are not independent, documents are.
 */
#ifndef NF_NUMERIC_CLUSTER_MEAN_H
#define NF_NUMERIC_CLUSTER_MEAN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Rows arrive document by document; sums in double, in the order of the rows.  A zeroed struct is empty.
 *
 * The mean is of rows: m = S / n with S, n the sums over documents of S_d (values) and n_d (rows).  It is a ratio of two sums over G documents, so its
 * standard error is sqrt(G / (G-1) sum_d (S_d - m n_d)^2) / n.  Source: Cochran 1977, Sampling Techniques, section 6.4 (ratio estimate).
 *
 * Beside it the mean of documents, each alike: doc_mean = sum_d (S_d / n_d) / G, and doc_sd the standard deviation of the S_d / n_d, divisor G-1, as
 * in mergeable_means.h (whose doc_se is doc_sd / sqrt(G)).  By Welford's update, so that a spread far below the mean is not lost.
 */
struct nf_cluster_mean {
    uint64_t n, docs;            /* rows; documents that are complete */
    double sum, square;          /* over rows: of x, x^2 */
    uint64_t doc;                /* at hand: its number + 1; 0: none */
    double doc_sum, doc_n;
    double ss, sn, nn;           /* over complete documents: of S_d^2, S_d n_d, n_d^2 */
    double doc_mean, doc_square; /* over complete documents: mean of S_d / n_d, sum of their squares about it */
};

struct nf_cluster_estimate {
    uint64_t n, docs;
    double mean, sd, se;         /* NaN: n = 0; sd divides by n; se NaN with fewer than two documents */
    double doc_mean, doc_sd;     /* NaN: n = 0; doc_sd divides by docs - 1, NaN with fewer than two documents */
};

void nf_cluster_mean_add(struct nf_cluster_mean *t, uint64_t doc, double x);   /* NaN is left out */
struct nf_cluster_estimate nf_cluster_mean_read(const struct nf_cluster_mean *t);

#endif
