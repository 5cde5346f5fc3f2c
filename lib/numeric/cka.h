/*
 * cka.h - unbiased linear CKA between all pairs of P representations of the same rows, taken in groups.
 *
 * A group is N rows, 4 <= N <= B, seen at each of P points as [N,D].  With K = X X^T, L = Y Y^T, diagonals set to 0 (Song et al. 2012, JMLR
 * 13; Nguyen, Raghu, Kornblith 2021, arXiv:2010.15327):
 *
 *   HSIC_1(K, L) = [ tr(K L) + (1'K1)(1'L1) / ((N-1)(N-2)) - 2 / (N-2) 1'K L 1 ] / (N (N-3))
 *                = sum over a != b of K~_ab L~_ab / (N (N-3)),
 *   K~_ab = K_ab - (r_a + r_b) / (N-2) + sum(r) / ((N-1)(N-2)),   r = K 1          (Szekely and Rizzo 2014, arXiv:1310.2926)
 *
 * The code computes the second form, because it does not cancel. K~ does not change when a vector
 * is subtracted from all rows. So the mean of the group is subtracted before the products are
 * taken, and a large common component costs no precision. All sums are in double.
 *
 *   CKA_ij = mean_g HSIC_g(i,j) / sqrt(mean_g HSIC_g(i,i) mean_g HSIC_g(j,j))      over groups g, each counted once
 *
 * Standard error: the delete-a-group jackknife (Quenouille 1956; Kott 2001, Journal of Official
 * Statistics 17). Each group belongs to one of 32 blocks. CKA_(k) is the CKA of all groups except
 * those of block k. b is the number of blocks that have groups:
 *
 *   se = sqrt((b - 1) / b sum_k (CKA_(k) - mean CKA_(.))^2)
 *
 * This needs the sums of HSIC of each block only. With one group in each block it is the ordinary
 * jackknife. A linear approximation from sums of products would need less memory, but it can be too
 * small by factors when there are few groups or some of large HSIC. Sums over groups are exact
 * (exact.h): groups add up to the same bits in any order and grouping.
 */
#ifndef NF_NUMERIC_CKA_H
#define NF_NUMERIC_CKA_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/stages.h"
#include "numeric/exact.h"

enum { NF_CKA_ROWS_MIN = 4, NF_CKA_ROWS_MAX = 4096 };

/* Of one pair: sums of HSIC over the groups of each block. */
struct nf_cka_sums {
    struct nf_exact of[NF_CKA_BLOCKS];
};

struct nf_cka {
    size_t P, D, B;
    uint64_t blocks[NF_CKA_BLOCKS];   /* groups of each */
    struct nf_cka_sums *sum;   /* [P (P + 1) / 2]: nf_cka_pair() */
    double *gram;              /* [P, B (B - 1) / 2] K~ below the diagonal */
    double *panel;             /* [blocks of 8 rows, D, 8] the centred rows of one point */
    double *row;               /* [B] r */
    double *mean;              /* [D] */
    double *hsic;              /* [P (P + 1) / 2] of the group */
};

/*
 * nf_cka_open - B: maximum number of rows of a group. nf_cka_bytes: the memory that it allocates.
 */
int nf_cka_open(struct nf_cka *c, size_t P, size_t D, size_t B, struct nf_err *err);
void nf_cka_close(struct nf_cka *c);   /* accepts a zeroed struct */
size_t nf_cka_bytes(size_t P, size_t D, size_t B);

/* nf_cka_pair - index of i <= j. */
static inline size_t nf_cka_pair(size_t i, size_t j)
{
    return j * (j + 1) / 2 + i;
}

/*
 * nf_cka_group - add a group.
 *
 *   x       the first row of point 0; finite; point p begins at x + p * stride
 *   N       rows, NF_CKA_ROWS_MIN .. B
 *   block   of the jackknife, < NF_CKA_BLOCKS: by what is drawn independently
 *
 * NF_EFORMAT: an HSIC of 2^120 or more, which the sums do not hold.
 */
int nf_cka_group(struct nf_cka *c, const float *x, size_t stride, size_t N, size_t block, struct nf_err *err);

uint64_t nf_cka_groups(const struct nf_cka *c);   /* in all blocks */

/* nf_cka_get - NaN: no groups, or a mean HSIC(i,i) that is not above 0; se: fewer than two blocks. */
void nf_cka_get(const struct nf_cka *c, size_t i, size_t j, double *cka, double *se);

#endif
