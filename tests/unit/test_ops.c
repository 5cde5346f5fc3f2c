/* test_ops.c - the row kernels of every instruction set that this machine has, against plain loops and libm. */
#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "../ref/ref_ops.h"
#include "base/rng.h"
#include "check.h"
#include "model/ops.h"
#include "tensor/tensor.h"

enum { MOST = 70 };

/* Every kernel set, every length 0 .. MOST, at an address that is aligned to the element only. */
#define FOR_ALL(k, n)                                                                      \
    for (size_t set_ = 0; nf_kernels_at(set_); set_++)                                     \
        for (size_t once_ = 1, n = 0; n <= MOST; n += once_)                               \
            for (const struct nf_kernels *k = nf_kernels_at(set_); k; k = NULL)

static double ulp(double x)
{
    return x < FLT_MIN ? (double)FLT_TRUE_MIN : ldexp(1, ilogb(x) - 23);
}

static void exp_is_within_two_ulp(void)
{
    enum { N = 1 << 16 };
    static float x[N], y[N];

    for (size_t set = 0; nf_kernels_at(set); set++) {
        double worst = 0;

        for (size_t i = 0; i < N; i++)
            x[i] = (float)(-87.3 + 176.0 * (double)i / N);
        nf_kernels_at(set)->exp(x, N, y);
        for (size_t i = 0; i < N; i++) {
            double want = exp((double)x[i]), off = fabs(y[i] - want) / ulp(want);

            if (!(off <= worst))
                worst = off;
        }
        printf("# exp, %s: %.2f ulp\n", nf_kernels_at(set)->name, worst);
        CHECK_NEAR(worst, 0, 2);   /* the promise of kernels.h */
    }
}

static void exp_ends_at_zero(void)
{
    const float x[] = { 0, -87.4f, -1e9f, -INFINITY, -0.0f };
    float y[5];

    for (size_t set = 0; nf_kernels_at(set); set++) {
        nf_kernels_at(set)->exp(x, 5, y);
        CHECK(y[0] == 1 && y[1] == 0 && y[2] == 0 && y[3] == 0 && y[4] == 1);
    }
}

static void layernorm_equals_the_formula(void)
{
    float x[MOST + 1], gain[MOST + 1], bias[MOST + 1], y[MOST + 1];
    double xd[MOST], gd[MOST], bd[MOST], want[MOST];

    FOR_ALL(k, D)
    {
        for (int affine = 0; affine < 2 && D > 0; affine++) {
            const float *g = affine ? gain + 1 : NULL, *b = affine ? bias + 1 : NULL;

            ref_random(D, D, x + 1);
            ref_random(D + 100, D, gain + 1);
            ref_random(D + 200, D, bias + 1);
            for (size_t d = 0; d < D; d++)
                x[1 + d] += 30;   /* a mean far from 0 must not cost accuracy: the sums are double */
            ref_widen(x + 1, D, xd);
            ref_widen(gain + 1, D, gd);
            ref_widen(bias + 1, D, bd);
            ref_layernorm(xd, affine ? gd : NULL, affine ? bd : NULL, 1e-5, 1, D, want);
            k->normalise(x + 1, g, b, 1e-5, true, D, y + 1);
            /* rounding of the normalised value (at most sqrt(D) < 9), of the product and of the sum: 2^-24 of below 10 each */
            CHECK_NEAR(ref_distance(y + 1, want, D), 0, 3 * 10 * 0x1p-24);
        }
    }
}

static void rmsnorm_equals_the_formula(void)
{
    float x[MOST + 1], gain[MOST + 1], y[MOST + 1];
    double xd[MOST], gd[MOST], want[MOST];

    FOR_ALL(k, D)
    {
        ref_random(D, D, x + 1);
        ref_random(D + 100, D, gain + 1);
        ref_widen(x + 1, D, xd);
        ref_widen(gain + 1, D, gd);
        ref_rmsnorm(xd, gd, 1e-6, 1, D, want);
        k->normalise(x + 1, gain + 1, NULL, 1e-6, false, D, y + 1);
        CHECK_NEAR(ref_distance(y + 1, want, D), 0, 2 * 10 * 0x1p-24);   /* two roundings of values below sqrt(D) */
    }
}

/* The formulas of ops.h in double. */
static double act(enum nf_act kind, double x)
{
    switch (kind) {
    case NF_ACT_RELU:
        return x > 0 ? x : 0;
    case NF_ACT_GELU:
        return x * erfc(-x / sqrt(2)) / 2;
    case NF_ACT_GELU_TANH:
        return x / 2 * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case NF_ACT_RELU2:
        return x > 0 ? x * x : 0;
    case NF_ACT_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    default:
        return x / (1 + exp(-x));
    }
}

static void activations_equal_their_formulas(void)
{
    enum { N = 1 << 15 };
    static float x[N], y[N];

    for (size_t i = 0; i < N; i++)
        x[i] = (float)(-20 + 40.0 * (double)i / N);
    for (size_t set = 0; nf_kernels_at(set); set++)
        for (enum nf_act a = 0; a < NF_ACT_COUNT; a++) {
            double worst = 0;

            nf_kernels_at(set)->act[a](x, NULL, N, y);
            for (size_t i = 0; i < N; i++)
                worst = fmax(worst, fabs(y[i] - act(a, (double)x[i])) / fmax(1, fmax(fabs((double)x[i]), act(a, (double)x[i]))));
            printf("# activation %d, %s: %.2g of max(1, |x|, act(x))\n", (int)a, nf_kernels_at(set)->name, worst);
            CHECK(worst < 4 * 0x1p-24);   /* a probability below 1, off by some roundings, times x, and that product's rounding */
        }
}

static void activations_of_any_length_and_at_the_ends(void)
{
    const float far[] = { -1e30f, -INFINITY, 1e30f, -100, 100, 0, -0.0f };
    float x[MOST + 1], up[MOST + 1], y[MOST + 1], z[7];

    FOR_ALL(k, n)
    {
        for (enum nf_act a = 0; a < NF_ACT_COUNT; a++) {
            ref_random(n, n, x + 1);
            ref_random(n + 50, n, up + 1);
            memcpy(y, x, sizeof y);
            y[0] = 77;
            k->act[a](y + 1, up + 1, n, y + 1);   /* in place, gated */
            for (size_t i = 0; i < n; i++)
                CHECK_NEAR(y[1 + i], act(a, (double)x[1 + i]) * up[1 + i], 6 * 0x1p-24);
            CHECK(y[0] == 77);
        }
        for (enum nf_act a = 0; a < NF_ACT_COUNT; a++) {
            k->act[a](far, NULL, 7, z);
            CHECK(fabsf(z[0]) < 1e-8f && fabsf(z[3]) < 1e-30f && z[5] == 0 && z[6] == 0);
            CHECK(a == NF_ACT_RELU2 ? z[2] == INFINITY && z[4] == 10000 : z[2] == 1e30f && z[4] == 100);
        }
    }
}

static void nan_stays_nan(void)
{
    const float x[] = { NAN, 1 };
    float y[2];

    for (size_t set = 0; nf_kernels_at(set); set++)
        for (enum nf_act a = 0; a < NF_ACT_COUNT; a++) {
            if (nf_act_is_off(a))
                continue;   /* 0, as in the fused product; a stream that is NaN is refused behind the block */
            nf_kernels_at(set)->act[a](x, NULL, 2, y);
            CHECK(isnan(y[0]) && !isnan(y[1]));
        }
}

static void pairs_turn_by_their_angles(void)
{
    float x[2 * MOST + 1], y[2 * MOST + 1], c[MOST], s[MOST];

    FOR_ALL(k, half)
    {
        ref_random(half, 2 * half, x + 1);
        for (size_t i = 0; i < half; i++) {
            c[i] = cosf((float)i);
            s[i] = sinf((float)i);
        }
        memcpy(y, x, sizeof y);
        k->rotate(y + 1, c, s, half);
        for (size_t i = 0; i < half; i++) {
            double a = x[1 + i], b = x[1 + half + i];

            CHECK_NEAR(y[1 + i], a * c[i] - b * s[i], 3 * 0x1p-24);
            CHECK_NEAR(y[1 + half + i], b * c[i] + a * s[i], 3 * 0x1p-24);
        }
    }
}

static void relu_bits_equals_a_loop(void)
{
    float x[MOST + 1], y[MOST + 1];
    uint16_t h[MOST + 1];
    uint8_t bits[MOST / 8 + 2], bits16[MOST / 8 + 2];

    FOR_ALL(k, n)
    {
        uint32_t near = 0, got, got16;

        ref_random(n, n, x + 1);
        for (size_t i = 0; i < n; i++) {
            if (i % 7 == 3)
                x[1 + i] = i % 2 ? 0.0f : -0.0f;
            h[1 + i] = nf_f32_to_bf16(x[1 + i]);
            x[1 + i] = nf_bf16_to_f32(h[1 + i]);
            near += fabsf(x[1 + i]) < 0.25f;
        }
        memcpy(y, x, sizeof y);
        memset(bits, 0xff, sizeof bits);
        memset(bits16, 0xff, sizeof bits16);
        CHECK(k->sign_bits(y + 1, n, 0.25f, bits16) == near && memcmp(y, x, sizeof y) == 0);
        got = k->relu_bits(y + 1, n, 0.25f, bits);
        CHECK(memcmp(bits, bits16, sizeof bits) == 0);
        got16 = k->relu_bits_bf16(h + 1, n, 0.25f, bits16);
        CHECK(got == near && got16 == near);
        for (size_t i = 0; i < (n + 7) / 8 * 8; i++) {
            unsigned want = i < n && x[1 + i] > 0;

            CHECK((bits[i / 8] >> i % 8 & 1u) == want && (bits16[i / 8] >> i % 8 & 1u) == want);
        }
        CHECK(bits[(n + 7) / 8] == 0xff);   /* not a byte further */
        for (size_t i = 0; i < n; i++)
            CHECK(y[1 + i] == (x[1 + i] > 0 ? x[1 + i] : 0) && nf_bf16_to_f32(h[1 + i]) == y[1 + i]);
    }
}

static void bf16_rounds_as_the_scalar_does(void)
{
    float x[MOST + 1], back[MOST + 1];
    uint16_t h[MOST + 1];
    struct nf_rng rng = { 5 };

    FOR_ALL(k, n)
    {
        for (size_t i = 0; i < n; i++) {
            uint32_t u = (uint32_t)nf_rng_next(&rng);   /* any bits: NaN, infinities and denormals too */

            memcpy(&x[1 + i], &u, sizeof u);
        }
        if (n > 2) {
            x[1] = NAN;
            x[2] = FLT_MAX;   /* rounds to infinity */
        }
        k->to_bf16(x + 1, n, h + 1);
        k->from_bf16(h + 1, n, back + 1);
        for (size_t i = 0; i < n; i++) {
            CHECK(isnan(x[1 + i]) ? isnan(back[1 + i]) : h[1 + i] == nf_f32_to_bf16(x[1 + i]));
            CHECK(isnan(x[1 + i]) || back[1 + i] == nf_bf16_to_f32(h[1 + i]));
        }
    }
}

static void add_adds(void)
{
    float x[MOST + 1], y[MOST + 1], z[MOST + 1];

    FOR_ALL(k, n)
    {
        ref_random(1, n, x + 1);
        ref_random(2, n, y + 1);
        memcpy(z, y, sizeof z);
        k->add(x + 1, n, z + 1);
        for (size_t i = 0; i < n; i++)
            CHECK(z[1 + i] == x[1 + i] + y[1 + i]);
    }
}

/* Loss, entropy, top-1 and rank in the plainest way. */
static void plain_pred(const float *x, size_t V, size_t target, double pred[4])
{
    double max = -INFINITY, sum = 0, entropy = 0, above = 0;

    pred[2] = 0;
    for (size_t v = 0; v < V; v++) {
        if (x[v] > max)
            pred[2] = (double)v;
        max = fmax(max, x[v]);
        above += x[v] > x[target];
    }
    for (size_t v = 0; v < V; v++)
        sum += exp(x[v] - max);
    for (size_t v = 0; v < V; v++) {
        double p = exp(x[v] - max) / sum;

        entropy -= p > 0 ? p * log2(p) : 0;
    }
    pred[0] = max + log(sum) - x[target];
    pred[1] = entropy;
    pred[3] = above;
}

static void running_logits_equal_the_whole_row(void)
{
    enum { V = 1000 };
    static float x[V];
    const size_t tile[] = { 1, 7, 64, 333, V };

    for (size_t set = 0; nf_kernels_at(set); set++)
        for (size_t t = 0; t < 5; t++)
            for (unsigned seed = 0; seed < 6; seed++) {
                float scale = seed == 3 ? 1000 : seed == 4 ? 0 : 12, got[4];   /* 4: all logits equal */
                size_t target = seed * 167;
                struct nf_running r;
                double want[4];

                ref_random(seed, V, x);
                for (size_t v = 0; v < V; v++)
                    x[v] *= scale;
                if (seed == 5)
                    x[V / 2] = -INFINITY;   /* probability 0 adds nothing */
                plain_pred(x, V, target, want);
                r = nf_running_init(x[target]);
                for (size_t v = 0; v < V; v += tile[t])
                    nf_kernels_at(set)->run(&r, x + v, v + tile[t] < V ? tile[t] : V - v, (uint32_t)v);
                nf_running_pred(&r, got);
                /* log-sum-exp: terms to 2 ulp, 16 of them summed in float: 2^-19 relative; logits and results in float: 2^-23 of each */
                CHECK_NEAR(got[0], want[0], 0x1p-19 + fabs(want[0]) * 0x1p-23);
                CHECK_NEAR(got[1], want[1], 16 * 0x1p-19);   /* the same, times ln(1/p) up to 16 */
                CHECK(got[2] == want[2] && got[3] == want[3]);
            }
}

static void no_target_is_nan(void)
{
    const float x[3] = { 1, 2, 3 };
    struct nf_running r = nf_running_init(NAN);
    float pred[4];

    nf_kernels()->run(&r, x, 3, 0);
    nf_running_pred(&r, pred);
    CHECK(isnan(pred[0]) && isnan(pred[3]) && pred[2] == 2 && pred[1] > 0);
}

static void block_norms_by_hand(void)
{
    const float pre[] = { 3, 4 }, attn[] = { 0, 2 }, ffn[] = { 1, 0 }, post[] = { 4, 6 }, zero[] = { 0, 0 };
    float n[8];

    nf_block_norms(pre, attn, ffn, post, 1, 2, n);
    CHECK_NEAR(n[0], 2, 1e-6);
    CHECK_NEAR(n[1], 1, 1e-6);
    CHECK_NEAR(n[2], sqrt(5), 1e-6);
    CHECK_NEAR(n[3], 5, 1e-6);
    CHECK_NEAR(n[4], sqrt(52), 1e-6);
    CHECK_NEAR(n[5], 11 / (5 * sqrt(5)), 1e-6);
    CHECK_NEAR(n[6], 0.8, 1e-6);
    CHECK_NEAR(n[7], 36 / (5 * sqrt(52)), 1e-6);
    nf_block_norms(zero, attn, ffn, post, 1, 2, n);
    CHECK(n[5] == 0 && n[6] == 0 && n[7] == 0);
}

static void finds_the_first_nonfinite_row(void)
{
    float x[40] = { 0 };

    CHECK(nf_first_nonfinite(x, 10, 4) == 10);
    x[37] = NAN;
    CHECK(nf_first_nonfinite(x, 10, 4) == 9);
    x[22] = -INFINITY;
    CHECK(nf_first_nonfinite(x, 10, 4) == 5);
}

/* 2^15 numbers: several spans, rows shared out among threads. */
static void threads_do_not_change_a_bit(void)
{
    enum { T = 64, D = 512 };
    static float x[T * D], one[T * D], many[T * D];
    static uint8_t bits1[T * D / 8], bits4[T * D / 8];
    int before = omp_get_max_threads();

    ref_random(7, T * D, x);
    for (int pass = 0; pass < 2; pass++) {
        float *y = pass ? many : one;

        omp_set_num_threads(pass ? 4 : 1);
        nf_normalise(x, NULL, NULL, 1e-5, true, T, D, y);
        nf_add(x, T * D, y);
        nf_relu_bits((struct nf_mat){ y, NULL }, T, D, 0, pass ? bits4 : bits1, NULL);
    }
    omp_set_num_threads(before);
    CHECK(memcmp(one, many, sizeof one) == 0 && memcmp(bits1, bits4, sizeof bits1) == 0);
}

int main(void)
{
    return RUN(exp_is_within_two_ulp, exp_ends_at_zero, layernorm_equals_the_formula, rmsnorm_equals_the_formula,
               activations_equal_their_formulas, activations_of_any_length_and_at_the_ends, nan_stays_nan,
               pairs_turn_by_their_angles, relu_bits_equals_a_loop, bf16_rounds_as_the_scalar_does, add_adds,
               running_logits_equal_the_whole_row, no_target_is_nan, block_norms_by_hand, finds_the_first_nonfinite_row,
               threads_do_not_change_a_bit);
}
