/*
 * share.h - k of n, with its 95 % interval.  FORMAT.md section 4.5, "share".
 */
#ifndef NF_RECORD_SHARE_H
#define NF_RECORD_SHARE_H

#include <stdint.h>

#define NF_Z95 1.959963984540054   /* 97.5 % point of the normal distribution */

/* n == 0: p, lo and hi are NaN. */
struct nf_share {
    uint64_t k, n;       /* k <= n */
    double p, lo, hi;    /* 0 <= lo <= p <= hi <= 1 */
};

/*
 * nf_share_of - k of n with the Wilson score interval at 95 %:
 *
 *   (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
 *
 * Unlike p +- z sqrt(p(1-p)/n) it stays within 0 and 1 and has a width when k is 0 or n.
 * Source: Wilson 1927, Journal of the American Statistical Association 22, 209-212.
 */
struct nf_share nf_share_of(uint64_t k, uint64_t n);

#endif
