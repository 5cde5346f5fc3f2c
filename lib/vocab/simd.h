/*
 * simd.h - the two inner loops of the pass over the vocabulary, in double, compiled for each instruction set.
 *
 * Sums run in 8 lanes that are added in a fixed order. Products are not fused with sums. So the
 * bits are the same on every processor.
 */
#ifndef NF_VOCAB_SIMD_H
#define NF_VOCAB_SIMD_H

#include <stddef.h>

enum { NF_SIMD_DOUBLES = 8 };

/* Power sums of one row, kept in lanes from tile to tile. */
struct nf_power_sums {
    double s[5][NF_SIMD_DOUBLES];   /* of x, x^2, x^3, x^4 with x = c - shift; of (c * length)^2 */
};

/*
 * nf_simd_powers - add a tile to the sums of a row.
 *
 *   c       [n]  in       values, n <= 2^32
 *   length  [n]  in       of each column
 *   shift        in       near the mean: what the powers are taken about
 */
void nf_simd_powers(const float *c, const double *length, size_t n, double shift, struct nf_power_sums *sums);

double nf_simd_total(const double lane[NF_SIMD_DOUBLES]);

enum { NF_GRAM_BLOCK = 32 };

/* nf_simd_gram - sum [i, j] += a[v, i] * b[v, j] over v < n, i and j < NF_GRAM_BLOCK.  Rows of a, b and sum are `width` apart. */
void nf_simd_gram(const double *a, const double *b, size_t n, size_t width, double *sum);

#endif
