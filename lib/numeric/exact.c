/* exact.c - fixed-point sums of 320 bits, and double-double arithmetic on what they hold. */
#include "numeric/exact.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

typedef unsigned __int128 u128;

enum { MANTISSA = 53 };

/* |x| = m * 2^e, m an integer under 2^53. */
static uint64_t split(double x, int *e)
{
    double m = frexp(fabs(x), e);

    *e -= MANTISSA;
    return (uint64_t)ldexp(m, MANTISSA);
}

/* s += or -= w * 2^(64 * i) */
static void add_at(struct nf_exact *s, size_t i, uint64_t w, bool minus)
{
    for (; i < NF_EXACT_LIMBS && w; i++) {
        uint64_t old = s->limb[i];

        s->limb[i] = minus ? old - w : old + w;
        w = minus ? old < w : s->limb[i] < w;
    }
}

void nf_exact_add_product(struct nf_exact *s, double a, double b)
{
    int ea, eb, at;
    u128 p = (u128)split(a, &ea) * split(b, &eb);
    bool minus = signbit(a) != signbit(b);
    unsigned shift;

    at = ea + eb + NF_EXACT_FRACTION;
    if (at < 0) {
        p = at > -128 ? p >> -at : 0;
        at = 0;
    }
    shift = (unsigned)at % 64;
    add_at(s, (size_t)at / 64, (uint64_t)p << shift, minus);
    p = p >> (64 - shift - (shift == 0)) >> (shift == 0);
    add_at(s, (size_t)at / 64 + 1, (uint64_t)p, minus);
    add_at(s, (size_t)at / 64 + 2, (uint64_t)(p >> 64), minus);
}

void nf_exact_add(struct nf_exact *s, const struct nf_exact *t)
{
    uint64_t carry = 0;

    for (size_t i = 0; i < NF_EXACT_LIMBS; i++) {
        u128 sum = (u128)s->limb[i] + t->limb[i] + carry;

        s->limb[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
}

/* Knuth's two-sum: hi + lo = a + b exactly. */
static struct nf_dd two_sum(double a, double b)
{
    double s = a + b, t = s - a;

    return (struct nf_dd){ s, (a - (s - t)) + (b - t) };
}

static struct nf_dd two_product(double a, double b)
{
    double p = a * b;

    return (struct nf_dd){ p, fma(a, b, -p) };
}

struct nf_dd nf_dd_add(struct nf_dd a, struct nf_dd b)
{
    struct nf_dd s = two_sum(a.hi, b.hi);

    return two_sum(s.hi, s.lo + (a.lo + b.lo));
}

struct nf_dd nf_dd_mul(struct nf_dd a, struct nf_dd b)
{
    struct nf_dd p = two_product(a.hi, b.hi);

    return two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}

struct nf_dd nf_dd_scale(struct nf_dd a, double b)
{
    return nf_dd_mul(a, (struct nf_dd){ b, 0 });
}

struct nf_dd nf_dd_div(struct nf_dd a, double b)
{
    double q = a.hi / b;
    struct nf_dd back = two_product(-q, b), rest = nf_dd_add(a, back);

    return two_sum(q, rest.hi / b);
}

struct nf_dd nf_exact_dd(const struct nf_exact *s)
{
    bool minus = s->limb[NF_EXACT_LIMBS - 1] >> 63;
    struct nf_dd x = { 0, 0 };
    struct nf_exact m = { { 0 } };

    for (size_t i = 0; i < NF_EXACT_LIMBS; i++)
        add_at(&m, i, s->limb[i], minus);
    for (size_t i = NF_EXACT_LIMBS; i-- > 0;) {
        int e = 64 * (int)i - NF_EXACT_FRACTION;

        x = nf_dd_add(x, (struct nf_dd){ ldexp((double)(m.limb[i] >> 32), e + 32), 0 });
        x = nf_dd_add(x, (struct nf_dd){ ldexp((double)(m.limb[i] & 0xffffffffu), e), 0 });
    }
    return minus ? (struct nf_dd){ -x.hi, -x.lo } : x;
}
