/* share.c - Wilson's score interval. */
#include "record/share.h"

#include <math.h>

struct nf_share nf_wilson(uint64_t k, uint64_t n)
{
    double N = (double)n, p = (double)k / N, z2 = NF_Z95 * NF_Z95;
    double mid = (p + z2 / (2 * N)) / (1 + z2 / N);
    double half = NF_Z95 / (1 + z2 / N) * sqrt(p * (1 - p) / N + z2 / (4 * N * N));

    if (n == 0)
        return (struct nf_share){ k, n, NAN, NAN, NAN };
    return (struct nf_share){ k, n, p, k == 0 ? 0 : fmax(0, mid - half), k == n ? 1 : fmin(1, mid + half) };
}
