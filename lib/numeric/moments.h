/*
 * moments.h - mean, variance, skewness and kurtosis of W units, in a form whose merging is exact.
 *
 * Windows are never split between shards, so a window is the unit of rounding. Inside a window, s
 * is the first value cut to 12 significant bits, and d = x - s. The sums D_k of d^k (k = 1 .. 4)
 * are doubles, in the order of the positions. At the end of the window
 *
 *   S_k = sum of x^k = sum over j of C(k, j) s^(k-j) D_j,   D_0 = n
 *
 * goes into four exact sums (exact.h). The powers of s have at most 48 bits, so every term is a
 * product of two doubles, exact except for bits below 2^-160. Windows can then be added in any
 * order and grouping.
 *
 * Error. Each D_k has a relative error of at most (T + 4) 2^-53 of the sum of |d|^k. The S_k of a
 * window are the moments of numbers that have exactly the computed D_k. Moments about the overall
 * mean m use (s - m)^(k-j) D_j. So a large mean with a small variance costs no precision: only the
 * spread of the first values of windows about m matters, not m itself. The final step, from S_k to
 * central moments, is in double-double: relative error about 2^-100 (m / sd)^k.
 *
 * |x| < 2^31 and n < 2^32, so that no sum overflows.
 */
#ifndef NF_NUMERIC_MOMENTS_H
#define NF_NUMERIC_MOMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "numeric/exact.h"

enum {
    NF_UNITS = 16,           /* units are taken in groups of this many; rows are padded to a multiple with NaN */
    NF_MOMENT_MAX_EXP = 31,  /* |x| < 2^31 */
};

/* The group of units inside one window. */
struct nf_window_sums {
    double shift[NF_UNITS], d[4][NF_UNITS], n[NF_UNITS];
};

struct nf_moments {
    size_t W;
    uint64_t *n;                    /* [W] */
    float *min, *max;               /* [W] +inf, -inf while n = 0 */
    struct nf_exact (*sum)[4];      /* [W] of x, x^2, x^3, x^4 */
    struct nf_window_sums *open;    /* [groups] the current window */
};

int nf_moments_open(struct nf_moments *m, size_t W, struct nf_err *err);
void nf_moments_close(struct nf_moments *m);   /* accepts a zeroed struct */

/*
 * nf_moments_rows - rows of the current window, one group of units.
 *
 *   x      [rows, stride]  in   at the first unit of the group; NaN: not counted
 *   start                       a window begins with the first of them
 *   end                         it ends with the last of them
 */
void nf_moments_rows(struct nf_moments *m, size_t group, const float *x, size_t rows, size_t stride, bool start, bool end);

/* Population moments of one unit: var divides by n; kurt is not excess (Gaussian: 3).  NaN where undefined (n = 0; var = 0). */
struct nf_summary {
    double min, max, mean, var, skew, kurt;
};
struct nf_summary nf_moments_get(const struct nf_moments *m, size_t unit);

#endif
