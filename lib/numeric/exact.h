/*
 * exact.h - sums that do not depend on the order or the grouping of what is added.
 *
 * A sum is an integer of 320 bits, two's complement, in units of 2^-160. Addition is exact, so sums
 * of parts add up to the sum of the whole, bit for bit (the fixed-point accumulator of Kulisch;
 * Neal 2015, arXiv:1505.05571, for software).
 */
#ifndef NF_NUMERIC_EXACT_H
#define NF_NUMERIC_EXACT_H

#include <stdint.h>

enum { NF_EXACT_LIMBS = 5, NF_EXACT_FRACTION = 160 };

struct nf_exact {
    uint64_t limb[NF_EXACT_LIMBS];   /* least significant first */
};

/*
 * nf_exact_add_product - s += a * b; a, b finite.
 *
 * The product is exact except for bits below 2^-160, which are cut off (towards 0). A sum outside
 * of +-2^159 wraps around; the caller must prevent it.
 */
void nf_exact_add_product(struct nf_exact *s, double a, double b);

void nf_exact_add(struct nf_exact *s, const struct nf_exact *t);

/* A number of about 106 bits, the unevaluated sum hi + lo with |lo| <= ulp(hi) / 2 (Dekker 1971). */
struct nf_dd {
    double hi, lo;
};

struct nf_dd nf_exact_dd(const struct nf_exact *s);

/* Relative error of each about 2^-104, of the operands for the sum, of the result for product and quotient. */
struct nf_dd nf_dd_add(struct nf_dd a, struct nf_dd b);
struct nf_dd nf_dd_mul(struct nf_dd a, struct nf_dd b);
struct nf_dd nf_dd_scale(struct nf_dd a, double b);
struct nf_dd nf_dd_div(struct nf_dd a, double b);

#endif
