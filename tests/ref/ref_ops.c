/* ref_ops.c - the plain arithmetic. */
#include "ref_ops.h"

#include <math.h>

#include "base/rng.h"

void ref_linear(const double *x, const double *w, const double *bias, size_t M, size_t K, size_t N, int relu, double *y)
{
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < N; n++) {
            double sum = bias ? bias[n] : 0;

            for (size_t k = 0; k < K; k++)
                sum += x[m * K + k] * w[n * K + k];
            y[m * N + n] = relu && sum < 0 ? 0 : sum;
        }
}

void ref_layernorm(const double *x, const double *gain, const double *bias, double eps, size_t T, size_t D, double *y)
{
    for (size_t t = 0; t < T; t++, x += D, y += D) {
        double mean = 0, var = 0;

        for (size_t d = 0; d < D; d++)
            mean += x[d] / (double)D;
        for (size_t d = 0; d < D; d++)
            var += (x[d] - mean) * (x[d] - mean) / (double)D;
        for (size_t d = 0; d < D; d++)
            y[d] = (gain ? gain[d] : 1) * (x[d] - mean) / sqrt(var + eps) + (bias ? bias[d] : 0);
    }
}

void ref_rmsnorm(const double *x, const double *gain, double eps, size_t T, size_t D, double *y)
{
    for (size_t t = 0; t < T; t++, x += D, y += D) {
        double square = 0;

        for (size_t d = 0; d < D; d++)
            square += x[d] * x[d] / (double)D;
        for (size_t d = 0; d < D; d++)
            y[d] = (gain ? gain[d] : 1) * x[d] / sqrt(square + eps);
    }
}

void ref_attention(const double *q, size_t q_stride, const double *k, const double *v, size_t kv_stride, size_t T, size_t K,
                   double scale, size_t window, double *p, double *y, size_t y_stride)
{
    for (size_t t = 0; t < T; t++) {
        double max = -INFINITY, sum = 0;

        for (size_t s = 0; s < T; s++) {
            double score = 0;

            for (size_t i = 0; i < K; i++)
                score += scale * q[t * q_stride + i] * k[s * kv_stride + i];
            p[t * T + s] = s <= t && t - s < window ? score : -INFINITY;
            max = fmax(max, p[t * T + s]);
        }
        for (size_t s = 0; s < T; s++)
            sum += exp(p[t * T + s] - max);
        for (size_t s = 0; s < T; s++)
            p[t * T + s] = exp(p[t * T + s] - max) / sum;
        for (size_t i = 0; i < K; i++) {
            y[t * y_stride + i] = 0;
            for (size_t s = 0; s <= t; s++)
                y[t * y_stride + i] += p[t * T + s] * v[s * kv_stride + i];
        }
    }
}

void ref_random(unsigned long seed, size_t n, float *x)
{
    struct nf_rng rng = { seed };

    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)(nf_rng_next(&rng) >> 41) * 0x1p-22 - 1);   /* 23 bits: exact in float */
}

void ref_widen(const float *x, size_t n, double *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i];
}

double ref_distance(const float *x, const double *y, size_t n)
{
    double worst = 0;

    for (size_t i = 0; i < n; i++) {
        double d = fabs(x[i] - y[i]);

        if (!(d <= worst))
            worst = d;
    }
    return worst;
}
