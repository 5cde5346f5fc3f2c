/*
 * bit_counters.h - counters of all neurons at once, as bit planes.
 *
 * A **bit row** has one bit a neuron, in `words` 64-bit words: bit f is bit f % 64 of word f / 64; the bits from F on are 0.  On a
 * little-endian machine these are the bytes of a packed row of FORMAT.md (bitorder "little").
 * A **number** is a stack of bit rows: the count of neuron f is the sum over p of bit f of plane p, times 2^p.
 *
 * Adding a bit row to a number is a ripple of xor and and over its planes, for all neurons at once.
 * So exact counts of every neuron cost a few word operations a row instead of one memory access a
 * firing. The carry-save trick of Harley and Seal (Warren, Hacker's Delight, 2nd edition, section
 * 5-1) makes the sum of many rows cheap.
 *
 * Rows are aligned to 64 bytes and `words` is a multiple of 8 (nf_bit_counters_words()).  Nothing here allocates or fails.
 */
#ifndef NF_COUNT_BIT_COUNTERS_H
#define NF_COUNT_BIT_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NF_LINE_WORDS = 8 };   /* one cache line */

/* Words of a bit row of F neurons. */
static inline size_t nf_bit_counters_words(size_t F)
{
    return (F + 511) / 512 * NF_LINE_WORDS;
}

/* Planes that hold every number up to n: bits of n. */
static inline size_t nf_bit_counters_bits(uint64_t n)
{
    return n ? 64 - (size_t)__builtin_clzll(n) : 0;
}

/*
 * nf_bit_counters_sum - the sum of m of the bit rows of a matrix.
 *
 *   rows   [.., words]                   in    bit rows
 *   index  [m]                           in    which of them
 *   sum    [nf_bit_counters_bits(m)][words]    out   planes
 */
void nf_bit_counters_sum(const uint64_t *rows, const uint32_t *index, size_t m, size_t words, uint64_t *sum);

/*
 * nf_bit_counters_add - to += by.
 *
 *   to    [n_to]  in, out   planes, each [words]
 *   by    [n_by]  in        planes, n_by <= n_to
 *
 * Returns false when some sum does not fit in n_to planes (then `to` holds it modulo 2^n_to).
 */
bool nf_bit_counters_add(uint64_t *const *to, size_t n_to, const uint64_t *const *by, size_t n_by, size_t words);

/* nf_bit_counters_get - count[f] += the number of neuron f, f in [0, F). */
void nf_bit_counters_get(const uint64_t *const *plane, size_t n, size_t F, uint64_t *count);

/* nf_bit_counters_put - the planes [n][words] of the numbers count[0..F); false when one is 2^n or more. */
bool nf_bit_counters_put(const uint64_t *count, size_t F, size_t n, size_t words, uint64_t *planes);

#endif
