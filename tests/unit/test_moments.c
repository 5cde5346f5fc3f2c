/* test_moments.c - exact sums, moments, histograms and highest values by themselves. */
#include "check.h"

#include <math.h>
#include <stdint.h>

#include "base/rng.h"
#include "numeric/exact.h"
#include "numeric/histogram.h"
#include "numeric/moments.h"
#include "numeric/topk.h"

static double value(const struct nf_exact *s)
{
    return nf_exact_dd(s).hi;
}

static void products_are_exact(void)
{
    struct nf_exact s = { { 0 } };
    struct nf_dd x;

    nf_exact_add_product(&s, 3, -7);
    CHECK(value(&s) == -21);
    nf_exact_add_product(&s, 0x1p-150, 0x1p-10);   /* the last bit there is */
    x = nf_exact_dd(&s);
    CHECK(x.hi == -21 && x.lo == 0x1p-160);
    nf_exact_add_product(&s, -0x1p-150, 0x1p-11);  /* half of it: cut off */
    CHECK(nf_exact_dd(&s).lo == 0x1p-160);
    nf_exact_add_product(&s, 21, 1);
    CHECK(value(&s) == 0x1p-160);
    nf_exact_add_product(&s, -0x1p-80, 0x1p-80);
    for (size_t i = 0; i < NF_EXACT_LIMBS; i++)
        CHECK(s.limb[i] == 0);
    nf_exact_add_product(&s, 0x1p60 + 1 - 1, -0x1p98);
    CHECK(value(&s) == -0x1p158);
}

/* Random products at every place of the 320 bits, then the same subtracted in another order: zero. */
static void order_does_not_matter(void)
{
    enum { N = 2000 };
    struct nf_rng rng = { 1 };
    static double a[N], b[N];
    struct nf_exact s = { { 0 } }, parts[3] = { { { 0 } } };

    for (size_t i = 0; i < N; i++) {
        a[i] = ldexp(nf_rng_unit(&rng) - 0.5, (int)nf_rng_below(&rng, 130) - 60);
        b[i] = ldexp(nf_rng_unit(&rng), (int)nf_rng_below(&rng, 120) - 60);
        nf_exact_add_product(&s, a[i], b[i]);
    }
    for (size_t i = N; i-- > 0;)
        nf_exact_add_product(&parts[i % 3], a[i], b[i]);
    nf_exact_add(&parts[0], &parts[2]);
    nf_exact_add(&parts[1], &parts[0]);
    CHECK(memcmp(&s, &parts[1], sizeof s) == 0);
    for (size_t i = 0; i < N; i++)
        nf_exact_add_product(&s, -a[i], b[i]);
    CHECK(value(&s) == 0);
}

static void double_double_keeps_106_bits(void)
{
    struct nf_dd third = nf_dd_div((struct nf_dd){ 1, 0 }, 3), one = nf_dd_scale(third, 3);
    struct nf_dd square = nf_dd_mul((struct nf_dd){ 1, 0x1p-60 }, (struct nf_dd){ 1, 0x1p-60 });

    CHECK_NEAR(nf_dd_add(one, (struct nf_dd){ -1, 0 }).hi, 0, 0x1p-103);
    CHECK(square.hi == 1 && square.lo == 0x1p-59);
}

/* Moments of known distributions: units 0..3 of one group, in windows of 100. */
static void known_moments(void)
{
    struct nf_moments m;
    struct nf_err err = NF_ERR_INIT;
    static float x[100][NF_UNITS];
    struct nf_summary s;

    CHECK(nf_moments_open(&m, 5, &err) == NF_OK);
    for (size_t i = 0; i < 100; i++)
        for (size_t u = 0; u < NF_UNITS; u++)
            x[i][u] = u == 0 ? (float)(i % 2) : u == 1 ? 1e6f + (float)(i % 2) / 16 : u == 2 ? 0.1f : u == 3 ? (i ? 0 : 100) : NAN;
    for (int window = 0; window < 3; window++) {
        nf_moments_rows(&m, 0, x[0], 40, NF_UNITS, true, false);
        nf_moments_rows(&m, 0, x[40], 60, NF_UNITS, false, true);
    }
    s = nf_moments_get(&m, 0);   /* fair coin */
    CHECK(m.n[0] == 300 && s.mean == 0.5 && s.var == 0.25 && s.skew == 0 && s.kurt == 1 && s.min == 0 && s.max == 1);
    s = nf_moments_get(&m, 1);   /* the same, a million away and 16 times smaller: nothing is lost */
    CHECK(s.mean == 1e6 + 1.0 / 32 && s.var == 1.0 / 1024);
    CHECK_NEAR(s.skew, 0, 1e-9);
    CHECK_NEAR(s.kurt, 1, 1e-9);
    s = nf_moments_get(&m, 2);   /* constant */
    CHECK(s.var == 0 && isnan(s.skew) && isnan(s.kurt) && s.mean == (double)0.1f);
    s = nf_moments_get(&m, 3);   /* 1 of 100: skew (1 - 2p) / sqrt(pq), kurtosis 1/(pq) - 3 */
    CHECK_NEAR(s.skew, 0.98 / sqrt(0.0099), 1e-12);
    CHECK_NEAR(s.kurt, 1 / 0.0099 - 3, 1e-10);
    s = nf_moments_get(&m, 4);   /* never counted */
    CHECK(m.n[4] == 0 && isnan(s.mean) && isnan(s.min));
    nf_moments_close(&m);
}

static void bins_tile_the_line(void)
{
    CHECK(nf_histogram_bin(0) == 0 && nf_histogram_bin(-0x1.fp-25f) == 0 && nf_histogram_bin(0x1p-24f) == 1);
    CHECK(nf_histogram_bin(-0x1p-24f) == -1 && nf_histogram_bin(nextafterf(0x1p31f, 0)) == NF_BIN_MAX);
    for (int i = 1; i <= NF_BIN_MAX; i++) {
        float low = (float)nf_histogram_edge(i), high = (float)nf_histogram_edge(i + 1);

        CHECK(nf_histogram_bin(low) == i && nf_histogram_bin(nextafterf(high, 0)) == i && nf_histogram_bin(-low) == -i);
        CHECK(high > low && (high - low) / low <= 1.0f / NF_BINS_AN_OCTAVE);
    }
}

static void ties_go_to_the_first(void)
{
    struct nf_top t;
    struct nf_err err = NF_ERR_INIT;
    const struct nf_top_entry in[] = { { 1, 5, 0, 0 }, { 2, 9, 1, 1 }, { 2, 9, 0, 7 },
                                       { 1, 4, 9, 9 }, { 0, 0, 0, 0 }, { 2, 9, 1, 0 } };

    CHECK(nf_top_open(&t, 2, 4, 1, &err) == NF_OK);
    for (uint32_t i = 0; i < 6; i++)
        nf_top_offer(&t, 1, &in[i], &i);
    CHECK(t.held[0] == 0 && t.held[1] == 4 && t.floor[1] == 1 && t.floor[0] == -INFINITY);
    CHECK(t.context[4] == 2 && t.context[5] == 5 && t.context[6] == 1 && t.context[7] == 3);
    nf_top_close(&t);
}

int main(void)
{
    return RUN(products_are_exact, order_does_not_matter, double_double_keeps_106_bits, known_moments, bins_tile_the_line,
               ties_go_to_the_first);
}
