/* rng.c - SplitMix64. */
#include "base/rng.h"

uint64_t nf_rng_next(struct nf_rng *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t nf_rng_below(struct nf_rng *r, uint64_t n)
{
    uint64_t reject = -n % n, x;   /* 2^64 mod n values are one too many */

    do
        x = nf_rng_next(r);
    while (x < reject);
    return x % n;
}

double nf_rng_unit(struct nf_rng *r)
{
    return (double)(nf_rng_next(r) >> 11) * 0x1p-53;
}
