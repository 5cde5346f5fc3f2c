/*
 * share.h - k of n, and the interval that goes with every share.  FORMAT.md section 4.5.
 */
#ifndef NF_RECORD_SHARE_H
#define NF_RECORD_SHARE_H

#include <stdint.h>

#include "record/record.h"

#define NF_Z95 1.959963984540054   /* 0.975 quantile of the normal distribution */

/* k of n, with the Wilson 95 % interval; p, lo, hi NaN when n == 0. */
struct nf_share {
    uint64_t k, n;
    double p, lo, hi;
};
extern const struct nf_record nf_share_record;

/*
 * nf_wilson - k of n with its 95 % score interval, limits kept in [0, 1]; all NaN when n == 0.
 *
 *   (p + z^2/2n -+ z sqrt(p (1-p) / n + z^2/4n^2)) / (1 + z^2/n)
 *
 * Source: Wilson 1927, J. Am. Stat. Assoc. 22, 209-212.  Checked against SciPy's binomtest().proportion_ci("wilson").
 */
struct nf_share nf_wilson(uint64_t k, uint64_t n);

#endif
