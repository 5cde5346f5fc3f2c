/* share.c - the Wilson interval. */
#include "record/share.h"

#include <math.h>

struct nf_share nf_share_of(uint64_t k, uint64_t n)
{
    struct nf_share s = { k, n, NAN, NAN, NAN };
    double m = (double)n, z2 = NF_Z95 * NF_Z95, mid, half;

    if (n == 0)
        return s;
    s.p = (double)k / m;
    mid = s.p + z2 / (2 * m);
    half = NF_Z95 * sqrt(s.p * (1 - s.p) / m + z2 / (4 * m * m));
    /* At the ends the interval touches 0 or 1 exactly; rounding must not move it past p. */
    s.lo = k == 0 ? 0 : fmin(s.p, (mid - half) / (1 + z2 / m));
    s.hi = k == n ? 1 : fmax(s.p, (mid + half) / (1 + z2 / m));
    return s;
}
