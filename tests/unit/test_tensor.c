/* test_tensor.c - lib/tensor: shapes, and the 16-bit formats over all their values. */
#include "check.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/rng.h"
#include "tensor/convert.h"
#include "tensor/tensor.h"

/* IEEE 754-2008 section 3.4 by its definition: (-1)^s * 2^(E - bias) * (1 + T / 2^t), subnormal where E = 0. */
static double value(uint16_t h, int fraction_bits, int exponent_bits)
{
    int bias = (1 << (exponent_bits - 1)) - 1, e = h >> fraction_bits & ((1 << exponent_bits) - 1);
    double t = h & ((1 << fraction_bits) - 1), unit = ldexp(1, -fraction_bits), v;

    if (e == (1 << exponent_bits) - 1)
        v = t > 0 ? NAN : INFINITY;
    else
        v = e ? ldexp(1 + t * unit, e - bias) : ldexp(t * unit, 1 - bias);
    return h >> 15 ? -v : v;
}

static void half_widens_exactly(void)
{
    for (uint32_t h = 0; h < 65536; h++) {
        double want = value((uint16_t)h, 10, 5);
        float got = nf_f16_to_f32((uint16_t)h);

        CHECK(isnan(want) ? isnan(got) : got == want && !signbit(got) == !signbit(want));
    }
}

static void bfloat_widens_exactly(void)
{
    for (uint32_t h = 0; h < 65536; h++) {
        double want = value((uint16_t)h, 7, 8);
        float got = nf_bf16_to_f32((uint16_t)h);

        CHECK(isnan(want) ? isnan(got) : got == want && !signbit(got) == !signbit(want));
    }
}

static void every_value_survives_widening_and_rounding(void)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float f = nf_f16_to_f32((uint16_t)h), b = nf_bf16_to_f32((uint16_t)h);

        CHECK(isnan(f) ? isnan(nf_f16_to_f32(nf_f32_to_f16(f))) : nf_f32_to_f16(f) == h);
        CHECK(isnan(b) ? isnan(nf_bf16_to_f32(nf_f32_to_bf16(b))) : nf_f32_to_bf16(b) == h);
    }
}

/* Between each value and the next: the midpoint goes to the even one, its neighbours in binary32 to the nearer one. */
static void rounds_to_nearest_ties_to_even(uint16_t infinity, double after_largest, float (*widen)(uint16_t),
                                           uint16_t (*narrow)(float))
{
    for (uint16_t h = 0; h < infinity; h++) {
        uint16_t up = (uint16_t)(h + 1);
        double hi = up == infinity ? after_largest : widen(up);
        float mid = (float)((widen(h) + hi) / 2);   /* exact: one bit more than the format */

        CHECK(narrow(mid) == (h & 1 ? up : h));
        CHECK(narrow(nextafterf(mid, -INFINITY)) == h);
        CHECK(narrow(nextafterf(mid, INFINITY)) == up);
        CHECK(narrow(-mid) == (0x8000 | (h & 1 ? up : h)));
    }
}

static void half_rounds(void)
{
    rounds_to_nearest_ties_to_even(0x7c00, 65536, nf_f16_to_f32, nf_f32_to_f16);
    CHECK(nf_f32_to_f16(INFINITY) == 0x7c00 && nf_f32_to_f16(-3e38f) == 0xfc00);
}

static void bfloat_rounds(void)
{
    rounds_to_nearest_ties_to_even(0x7f80, 0x1p128, nf_bf16_to_f32, nf_f32_to_bf16);
    CHECK(nf_f32_to_bf16(INFINITY) == 0x7f80);
}

static void arrays_convert_from_unaligned_memory(void)
{
    unsigned char raw[1 + 2 * 8] = { 0 };
    double d[2] = { 1.5, -2 };
    uint16_t h[2] = { 0x3e00, 0xc000 }, b[2] = { 0x3fc0, 0xc000 };
    float f[2] = { 1.5f, -2 }, y[2];
    const struct {
        enum nf_dtype t;
        const void *p;
    } in[] = { { NF_F64, d }, { NF_F16, h }, { NF_BF16, b }, { NF_F32, f } };

    for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
        memcpy(raw + 1, in[i].p, 2 * nf_dtype_size(in[i].t));
        y[0] = y[1] = 0;
        nf_to_f32(in[i].t, raw + 1, 2, y);
        CHECK(y[0] == 1.5f && y[1] == -2);
    }
}

/* Every value, in rows of every length up to some vectors, gives the bits that it gives alone. */
static void rows_convert_as_one_number_does(void)
{
    enum { LENGTH = 40 };
    static unsigned char raw[1 + 2 * 65536];
    static float y[65536];
    uint16_t *back = (uint16_t *)calloc(65536, sizeof *back);

    for (uint32_t h = 0; h < 65536; h++)
        memcpy(raw + 1 + 2 * h, &(uint16_t){ (uint16_t)h }, 2);
    for (uint32_t from = 0, n = 0; from + n <= 65536; from += n, n = (n + 1) % LENGTH) {
        nf_to_f32(NF_BF16, raw + 1 + 2 * from, n, y + from);
        nf_narrow_bf16(y + from, n, back + from);
        for (uint32_t h = from; h < from + n; h++) {
            float want = nf_bf16_to_f32((uint16_t)h);

            CHECK(memcmp(&want, y + h, sizeof want) == 0);
            CHECK(back[h] == nf_f32_to_bf16(want));
        }
        nf_to_f32(NF_F16, raw + 1 + 2 * from, n, y + from);
        for (uint32_t h = from; h < from + n; h++)
            CHECK(isnan(y[h]) ? isnan(nf_f16_to_f32((uint16_t)h)) : y[h] == nf_f16_to_f32((uint16_t)h));
    }
    free(back);
}

/* Floats round the middle between two bfloat16 numbers, and any bits (NaN and infinity too), in one row. */
static void a_row_of_floats_rounds_as_one_does(void)
{
    enum { N = 2 * 4000 + 3 };
    static float x[N];
    static uint16_t y[N];
    struct nf_rng rng = { 5 };

    for (uint32_t i = 0; i < N; i++) {
        uint32_t u = i % 2 ? (0x3f80u + i * 7919u % 0x4000u) << 16 | (0x7fffu + i % 3) : (uint32_t)nf_rng_next(&rng);

        memcpy(x + i, &u, sizeof u);
    }
    nf_narrow_bf16(x, N, y);
    for (uint32_t i = 0; i < N; i++)
        CHECK(y[i] == nf_f32_to_bf16(x[i]));
}

static void counts_are_checked_products(void)
{
    struct nf_tensor t = nf_tensor_3d(NF_F32, NULL, 3, 4, 5), scalar = { NF_F32, 0, { 0 }, NULL };
    size_t n;

    CHECK(nf_tensor_count(&t, &n) && n == 60);
    CHECK(nf_tensor_count(&scalar, &n) && n == 1);
    t.shape[0] = SIZE_MAX / 10;
    CHECK(!nf_tensor_count(&t, &n));
}

int main(void)
{
    return RUN(half_widens_exactly, bfloat_widens_exactly, every_value_survives_widening_and_rounding, half_rounds, bfloat_rounds,
               arrays_convert_from_unaligned_memory, rows_convert_as_one_number_does, a_row_of_floats_rounds_as_one_does,
               counts_are_checked_products);
}
