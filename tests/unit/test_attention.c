/* test_attention.c - attention of every instruction set against the formula, and a row's bits in any company. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "../ref/ref_ops.h"
#include "base/alloc.h"
#include "base/par.h"
#include "check.h"
#include "model/attention.h"
#include "model/kernels.h"

/* q, k and v of T rows and one head side by side, with numbers before and after that must not be read into the result */
static void check_head(const struct nf_kernels *kernels, size_t T, size_t K, size_t window)
{
    size_t stride = 3 * K + 5;
    float scale = (float)(1 / sqrt((double)K));
    float *x = nf_alloc(T * stride, sizeof *x, NULL), *y = nf_alloc(T * K, sizeof *y, NULL),
          *log_sum = nf_alloc(T, sizeof *log_sum, NULL);
    float *work = nf_alloc(NF_ATTEND_WORK(K), sizeof *work, NULL);
    double *xd = malloc(T * stride * sizeof *xd), *p = malloc(T * T * sizeof *p), *want = malloc(T * stride * sizeof *want);

    ref_random(T * 100 + K, T * stride, x);
    for (size_t i = 0; i < T * stride; i++)
        x[i] *= 3;
    ref_widen(x, T * stride, xd);
    ref_attention(xd, stride, xd + K, xd + 2 * K, stride, T, K, scale, window, p, want, stride);
    for (size_t first = 0; first < T; first += kernels->query_block)
        kernels->attend(x, x + K, x + 2 * K, stride, first, T, K, scale, window, y, K, log_sum, work);
    for (size_t t = 0; t < T; t++) {
        double score = 0;

        for (size_t i = 0; i < K; i++)
            score += scale * xd[t * stride + i] * xd[t * stride + K + i];
        /* a score is a sum of K products below 9, off by K^0.5 * 9 * (K + 1) * 2^-24 at worst, seldom a tenth of it; weights and the mean follow */
        CHECK_NEAR(ref_distance(y + t * K, want + t * stride, K), 0, 3 * 9 * sqrt((double)K) * (double)(K + 8) * 0x1p-24);
        CHECK_NEAR(exp(score - log_sum[t]), p[t * T + t], 9 * sqrt((double)K) * (double)(K + 8) * 0x1p-24);
    }
    free(x);
    free(y);
    free(log_sum);
    free(work);
    free(xd);
    free(p);
    free(want);
}

static void equals_the_formula(void)
{
    const size_t length[] = { 1, 2, 3, 15, 16, 17, 63, 64, 65, 128, 129, 200 }, width[] = { 1, 2, 6, 7, 16, 64, 80 };

    for (size_t set = 0; nf_kernels_at(set); set++)
        for (size_t i = 0; i < sizeof length / sizeof *length; i++)
            for (size_t j = 0; j < sizeof width / sizeof *width; j++)
                check_head(nf_kernels_at(set), length[i], width[j], SIZE_MAX);
}

/* Windows that end inside a block of keys, at its edges, and that leave whole blocks unseen. */
static void a_window_hides_what_is_further_back(void)
{
    const size_t length[] = { 1, 17, 64, 65, 200, 300 }, window[] = { 1, 2, 5, 63, 64, 65, 100, 128, 199, 200, 1000 };

    for (size_t set = 0; nf_kernels_at(set); set++)
        for (size_t i = 0; i < sizeof length / sizeof *length; i++)
            for (size_t j = 0; j < sizeof window / sizeof *window; j++)
                check_head(nf_kernels_at(set), length[i], 16, window[j]);
}

enum { H = 3, K = 20, D = H * K };
static const struct nf_attention plain = { H, H, K, 0.25f, SIZE_MAX };

/* Attention over windows with its own work space; log_sum may be NULL. */
static void attend(const float *qkv, const uint32_t *length, size_t W, size_t threads, float *y, float *log_sum)
{
    float *work = nf_alloc(nf_attention_work(K, threads), sizeof *work, NULL);

    nf_attend(&plain, qkv, length, W, threads, y, log_sum, work);
    free(work);
}

static void a_row_has_the_same_bits_in_any_company(void)
{
    const uint32_t length[] = { 1, 70, 3, 64, 130, 20 }, longest = 130;
    enum { W = 6, T = 1 + 70 + 3 + 64 + 130 + 20 };
    static float qkv[T * 3 * D], whole[T * D], part[T * D];
    size_t row = 0;

    ref_random(3, T * 3 * D, qkv);
    attend(qkv, length, W, 1, whole, NULL);
    for (size_t threads = 2; threads <= 4; threads += 2) {
        attend(qkv, length, W, threads, part, NULL);
        CHECK(memcmp(part, whole, sizeof part) == 0);
    }
    for (size_t w = 0; w < W; row += length[w++]) {
        attend(qkv + row * 3 * D, &length[w], 1, 2, part, NULL);
        CHECK(memcmp(part, whole + row * D, length[w] * D * sizeof *part) == 0);
    }
    /* and of a window that ends earlier */
    row = 1 + 70 + 3 + 64;
    for (uint32_t n = 1; n <= longest; n += 7) {
        attend(qkv + row * 3 * D, &n, 1, 1, part, NULL);
        CHECK(memcmp(part, whole + row * D, n * D * sizeof *part) == 0);
    }
}

static void local_sums_equal_the_weights(void)
{
    static const size_t back[] = { 1, 2, 4, 5, 8, 16 };
    const uint32_t length[] = { 1, 30, 18 };
    enum { W = 3, T = 49 };
    static float qkv[T * 3 * D], y[T * D], log_sum[H * T], local[T * H * NF_LOCAL_WIDTH], before[T * H * NF_BACK_WIDTH];
    static double x[T * 3 * D], p[30 * 30], out[T * 3 * D];
    size_t row = 0;

    ref_random(4, T * 3 * D, qkv);
    ref_widen(qkv, T * 3 * D, x);
    attend(qkv, length, W, 2, y, log_sum);
    nf_attend_local(&plain, qkv, length, W, log_sum, local);
    nf_attend_back(&plain, qkv, length, W, log_sum, before);
    for (size_t w = 0; w < W; row += length[w++])
        for (size_t h = 0; h < H; h++) {
            const double *q = x + row * 3 * D + h * K;
            size_t n = length[w];

            ref_attention(q, 3 * D, q + D, q + 2 * D, 3 * D, n, K, 0.25, SIZE_MAX, p, out, 3 * D);
            for (size_t t = 0; t < n; t++) {
                const float *got = local + ((row + t) * H + h) * NF_LOCAL_WIDTH;

                for (size_t s = 0; s < NF_BACK_WIDTH; s++)
                    CHECK_NEAR(before[((row + t) * H + h) * NF_BACK_WIDTH + s], s <= t ? p[t * n + t - s] : 0, 20 * 0x1p-24);
                for (size_t i = 0; i < 6; i++) {
                    double sum = 0;

                    for (size_t s = 1; s <= back[i] && s <= t; s++)
                        sum += p[t * n + t - s];
                    CHECK_NEAR(got[i], sum, 20 * 0x1p-24);   /* log-sum-exp below 8, in float: 2^-22; rounded scores: 2^-21 */
                }
                CHECK_NEAR(got[6], p[t * n], 20 * 0x1p-24);
            }
        }
}

/* 6 query heads, 2 of keys and values, a window of 7: each head is attention of its own on the shared keys. */
static void heads_share_keys(void)
{
    enum { Q = 6, G = 2, WIDTH = (Q + 2 * G) * K, N = 90, BACK = 7 };
    const struct nf_attention a = { Q, G, K, 0.25f, BACK };
    const uint32_t length = N;
    static float qkv[N * WIDTH], y[N * Q * K], log_sum[Q * N], local[N * Q * NF_LOCAL_WIDTH], before[N * Q * NF_BACK_WIDTH],
        work[NF_ATTEND_WORK(K)];
    static double x[N * WIDTH], p[N * N], want[N * K];

    ref_random(6, N * WIDTH, qkv);
    ref_widen(qkv, N * WIDTH, x);
    nf_attend(&a, qkv, &length, 1, 1, y, log_sum, work);
    nf_attend_local(&a, qkv, &length, 1, log_sum, local);
    nf_attend_back(&a, qkv, &length, 1, log_sum, before);
    for (size_t h = 0; h < Q; h++) {
        const double *key = x + (Q + h / 3) * K;

        ref_attention(x + h * K, WIDTH, key, key + G * K, WIDTH, N, K, 0.25, BACK, p, want, K);
        for (size_t t = 0; t < N; t++) {
            const float *got = local + (t * Q + h) * NF_LOCAL_WIDTH;
            double sum = 0;

            CHECK_NEAR(ref_distance(y + (t * Q + h) * K, want + t * K, K), 0, 20 * 0x1p-24);
            for (size_t s = 1; s <= 16 && s <= t; s++) {
                sum += p[t * N + t - s];
                CHECK_NEAR(before[(t * Q + h) * NF_BACK_WIDTH + s], p[t * N + t - s], 20 * 0x1p-24);
            }
            CHECK_NEAR(got[5], sum, 20 * 0x1p-24);
            CHECK_NEAR(got[6], p[t * N], 20 * 0x1p-24);
        }
    }
}

/* Scores near 1e4 overflow e^x unless the maximum goes first. */
static void large_scores_do_not_overflow(void)
{
    const uint32_t length = 100;
    static float qkv[100 * 3 * D], y[100 * D];

    ref_random(5, 100 * 3 * D, qkv);
    for (size_t i = 0; i < sizeof qkv / sizeof *qkv; i++)
        qkv[i] *= i / D % 3 == 2 ? 1 : 100;
    attend(qkv, &length, 1, 2, y, NULL);
    for (size_t i = 0; i < sizeof y / sizeof *y; i++)
        CHECK(fabsf(y[i]) <= 1.0001f);   /* a mean of values below 1 */
}

int main(void)
{
    return RUN(equals_the_formula, a_window_hides_what_is_further_back, heads_share_keys, a_row_has_the_same_bits_in_any_company,
               local_sums_equal_the_weights, large_scores_do_not_overflow);
}
