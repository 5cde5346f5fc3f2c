/*
 * rng.h - a seeded generator, the same on every machine.
 *
 * SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", figure 14): one 64-bit word of state, period 2^64.
 */
#ifndef NF_BASE_RNG_H
#define NF_BASE_RNG_H

#include <stdint.h>

struct nf_rng {
    uint64_t state;   /* any seed */
};

uint64_t nf_rng_next(struct nf_rng *r);

/* nf_rng_below - uniform in [0, n), n > 0, without modulo bias. */
uint64_t nf_rng_below(struct nf_rng *r, uint64_t n);

/* nf_rng_unit - uniform in [0, 1), 53 bits. */
double nf_rng_unit(struct nf_rng *r);

#endif
