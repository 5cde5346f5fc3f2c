/* bit_counters.c - ripple and carry-save addition of bit rows. */
#include "count/bit_counters.h"

#include <string.h>

enum { PLANES = 64 };

/* Eight words at a time: the compiler keeps a line in vector registers. */
#define EACH_WORD(w) for (size_t w = 0; w < NF_LINE_WORDS; w++)

static bool is_zero(const uint64_t *line)
{
    uint64_t any = 0;

    EACH_WORD(w)
        any |= line[w];
    return !any;
}

/* sum planes [..][8] from `p` up += carry; the last carry is known to be zero. */
static void ripple(uint64_t sum[][NF_LINE_WORDS], size_t p, size_t n, uint64_t *carry)
{
    for (; p < n; p++)
        EACH_WORD(w)
        {
            uint64_t old = sum[p][w];

            sum[p][w] = old ^ carry[w];
            carry[w] &= old;
        }
}

/* Full adder: a + b + c = sum + 2 * carry; sum replaces a. */
static void full_add(uint64_t *a, const uint64_t *b, const uint64_t *c, uint64_t *carry)
{
    EACH_WORD(w)
    {
        uint64_t half = a[w] ^ b[w];

        carry[w] = (a[w] & b[w]) | (half & c[w]);
        a[w] = half ^ c[w];
    }
}

/* Four rows cost three full adders and one ripple from plane 2 on, instead of four ripples. */
static void sum_line(const uint64_t *rows, const uint32_t *index, size_t m, size_t words, size_t n, uint64_t sum[][NF_LINE_WORDS])
{
    uint64_t two[2][NF_LINE_WORDS], four[NF_LINE_WORDS];
    size_t i = 0;

    memset(sum, 0, n * sizeof *sum);
    for (; i + 4 <= m; i += 4) {
        full_add(sum[0], rows + index[i] * words, rows + index[i + 1] * words, two[0]);
        full_add(sum[0], rows + index[i + 2] * words, rows + index[i + 3] * words, two[1]);
        full_add(sum[1], two[0], two[1], four);
        ripple(sum, 2, n, four);
    }
    for (; i < m; i++) {
        memcpy(four, rows + index[i] * words, sizeof four);
        ripple(sum, 0, n, four);
    }
}

void nf_bit_counters_sum(const uint64_t *rows, const uint32_t *index, size_t m, size_t words, uint64_t *sum)
{
    uint64_t line[PLANES][NF_LINE_WORDS];
    size_t n = nf_bit_counters_bits(m);

    for (size_t offset = 0; offset < words; offset += NF_LINE_WORDS) {
        sum_line(rows + offset, index, m, words, n, line);
        for (size_t p = 0; p < n; p++)
            memcpy(sum + p * words + offset, line[p], sizeof line[p]);
    }
}

bool nf_bit_counters_add(uint64_t *const *to, size_t n_to, const uint64_t *const *by, size_t n_by, size_t words)
{
    bool fits = true;

    for (size_t offset = 0; offset < words; offset += NF_LINE_WORDS) {
        uint64_t carry[NF_LINE_WORDS] = { 0 };
        size_t p = 0;

        for (; p < n_by; p++) {
            uint64_t *a = to[p] + offset;
            const uint64_t *b = by[p] + offset;

            EACH_WORD(w)
            {
                uint64_t half = a[w] ^ b[w], over = (a[w] & b[w]) | (half & carry[w]);

                a[w] = half ^ carry[w];
                carry[w] = over;
            }
        }
        for (; p < n_to && !is_zero(carry); p++)
            EACH_WORD(w)
            {
                uint64_t old = to[p][offset + w];

                to[p][offset + w] = old ^ carry[w];
                carry[w] &= old;
            }
        fits &= is_zero(carry);
    }
    return fits;
}

void nf_bit_counters_get(const uint64_t *const *plane, size_t n, size_t F, uint64_t *count)
{
    for (size_t p = 0; p < n; p++)
        for (size_t f = 0; f < F; f++)
            count[f] += (plane[p][f / 64] >> f % 64 & 1) << p;
}

bool nf_bit_counters_put(const uint64_t *count, size_t F, size_t n, size_t words, uint64_t *planes)
{
    uint64_t all = 0;

    memset(planes, 0, n * words * sizeof *planes);
    for (size_t f = 0; f < F; f++) {
        for (size_t p = 0; p < n; p++)
            planes[p * words + f / 64] |= (count[f] >> p & 1) << f % 64;
        all |= count[f];
    }
    return nf_bit_counters_bits(all) <= n;
}
