/* attention.c - windows, heads and query blocks dealt to threads. */
#include "model/attention.h"

#include <math.h>
#include <omp.h>

#include "base/par.h"
#include "model/kernels.h"

size_t nf_attention_work(size_t K, size_t threads)
{
    return NF_ATTEND_WORK(K) * threads;
}

static size_t count_window_rows(const uint32_t *length, size_t W)
{
    size_t T = 0;

    for (size_t w = 0; w < W; w++)
        T += length[w];
    return T;
}

void nf_attend(const struct nf_attention *a, const float *qkv, const uint32_t *length, size_t W, size_t threads, float *y,
               float *log_sum, float *work)
{
    const struct nf_kernels *k = nf_kernels();
    size_t H = a->H, G = a->G, K = a->K, stride = (H + 2 * G) * K, T = count_window_rows(length, W);

#pragma omp parallel num_threads((int)threads)
    {
        float *mine = work + (size_t)omp_get_thread_num() * NF_ATTEND_WORK(K);
        size_t row = 0;

        /* Every thread walks all windows; a window's heads and blocks are dealt out, the long ones (last queries) first. */
        for (size_t w = 0; w < W; row += length[w++]) {
            size_t blocks = nf_blocks(length[w], k->query_block);

#pragma omp for schedule(dynamic) nowait
            for (size_t i = 0; i < H * blocks; i++) {
                size_t h = i % H, first = (blocks - 1 - i / H) * k->query_block;
                const float *at = qkv + row * stride, *key = at + (H + h / (H / G)) * K;

                k->attend(at + h * K, key, key + G * K, stride, first, length[w], K, a->scale, a->window, y + (row * H + h) * K,
                          H * K, log_sum ? log_sum + h * T + row : NULL, mine);
            }
        }
    }
}

static double weigh_key(const float *q, const float *k, size_t K, float scale, float log_sum)
{
    double score = 0;

    for (size_t i = 0; i < K; i++)
        score += (double)(scale * q[i]) * k[i];
    return exp(score - log_sum);
}

void nf_attend_local(const struct nf_attention *a, const float *qkv, const uint32_t *length, size_t W, const float *log_sum,
                     float *out)
{
    static const size_t back[NF_LOCAL_WIDTH - 1] = { 1, 2, 4, 5, 8, 16 };
    size_t H = a->H, K = a->K, stride = (H + 2 * a->G) * K, T = count_window_rows(length, W), row = 0;

    for (size_t w = 0; w < W; row += length[w++]) {
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < length[w] * H; i++) {
            size_t pos = i / H, h = i % H, n = 0;
            const float *at = qkv + (row + pos) * stride, *q = at + h * K, *k = at + (H + h / (H / a->G)) * K;
            float lse = log_sum[h * T + row + pos], *o = out + ((row + pos) * H + h) * NF_LOCAL_WIDTH;
            double sum = 0;

            for (size_t s = 1; s <= 16; s++) {
                if (s <= pos && s < a->window)
                    sum += weigh_key(q, k - s * stride, K, a->scale, lse);
                if (s == back[n])
                    o[n++] = (float)sum;
            }
            o[n] = pos < a->window ? (float)weigh_key(q, k - pos * stride, K, a->scale, lse) : 0;
        }
    }
}

void nf_attend_back(const struct nf_attention *a, const float *qkv, const uint32_t *length, size_t W, const float *log_sum,
                    float *out)
{
    size_t H = a->H, K = a->K, stride = (H + 2 * a->G) * K, T = count_window_rows(length, W), row = 0;

    for (size_t w = 0; w < W; row += length[w++]) {
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < length[w] * H; i++) {
            size_t pos = i / H, h = i % H;
            const float *at = qkv + (row + pos) * stride, *q = at + h * K, *k = at + (H + h / (H / a->G)) * K;
            float lse = log_sum[h * T + row + pos], *o = out + ((row + pos) * H + h) * NF_BACK_WIDTH;

            for (size_t s = 0; s < NF_BACK_WIDTH; s++)
                o[s] = s <= pos && s < a->window ? (float)weigh_key(q, k - s * stride, K, a->scale, lse) : 0;
        }
    }
}
