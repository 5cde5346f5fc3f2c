/* ops.c - rows of a block over all threads; the work inside a row is in kernels.inc. */
#include "model/ops.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/par.h"

/* Elements of one step of a loop over plain vectors. */
enum { SPAN = 4096 };

void nf_normalise(const float *x, const float *gain, const float *bias, double eps, bool centre, size_t T, size_t D, float *y)
{
    const struct nf_kernels *k = nf_kernels();

#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < T; t++)
        k->normalise(x + t * D, gain, bias, eps, centre, D, y + t * D);
}

void nf_normalise_to(const float *x, const float *gain, const float *bias, double eps, bool centre, size_t T, size_t D, float *row,
                     struct nf_mat y)
{
    const struct nf_kernels *k = nf_kernels();

    if (y.f32) {
        nf_normalise(x, gain, bias, eps, centre, T, D, y.f32);
        return;
    }
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < T; t++) {
        k->normalise(x + t * D, gain, bias, eps, centre, D, row + t * D);
        k->to_bf16(row + t * D, D, y.bf16 + t * D);
    }
}

void nf_normalise_heads(const float *gain, const float *bias, double eps, bool centre, size_t T, size_t n, size_t K, size_t stride,
                        float *x)
{
    const struct nf_kernels *k = nf_kernels();

#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < T; t++)
        for (size_t h = 0; h < n; h++)
            k->normalise(x + t * stride + h * K, gain, bias, eps, centre, K, x + t * stride + h * K);
}

void nf_copy_to(const float *x, size_t n, struct nf_mat y)
{
    const struct nf_kernels *k = nf_kernels();

    if (y.f32 == x)
        return;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += SPAN) {
        if (y.f32)
            memcpy(y.f32 + i, x + i, nf_min(SPAN, n - i) * sizeof *x);
        else
            k->to_bf16(x + i, nf_min(SPAN, n - i), y.bf16 + i);
    }
}

void nf_add(const float *x, size_t n, float *y)
{
    const struct nf_kernels *k = nf_kernels();

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += SPAN)
        k->add(x + i, nf_min(SPAN, n - i), y + i);
}

void nf_activate(enum nf_act act, struct nf_mat x, struct nf_mat up, size_t T, size_t F)
{
    const struct nf_kernels *k = nf_kernels();

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < T * F; i += SPAN) {
        size_t n = nf_min(SPAN, T * F - i);
        float a[SPAN], b[SPAN];

        if (x.f32) {
            k->act[act](x.f32 + i, up.f32 ? up.f32 + i : NULL, n, x.f32 + i);
            continue;
        }
        k->from_bf16(x.bf16 + i, n, a);
        if (up.bf16)
            k->from_bf16(up.bf16 + i, n, b);
        k->act[act](a, up.bf16 ? b : NULL, n, a);
        k->to_bf16(a, n, x.bf16 + i);
    }
}

void nf_sign_bits(struct nf_mat x, size_t T, size_t F, float eps, uint8_t *bits, uint32_t *near)
{
    const struct nf_kernels *k = nf_kernels();
    size_t width = (F + 7) / 8;

#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < T; t++) {
        uint32_t n = 0;

        for (size_t f = 0; f < F; f += SPAN) {
            size_t m = nf_min(SPAN, F - f);
            const float *v = x.f32 ? x.f32 + t * F + f : NULL;
            float wide[SPAN];

            if (!v)
                k->from_bf16(x.bf16 + t * F + f, m, wide);
            n += k->sign_bits(v ? v : wide, m, eps, bits ? bits + t * width + f / 8 : NULL);
        }
        if (near)
            near[t] = n;
    }
}

void nf_relu_bits(struct nf_mat x, size_t T, size_t F, float eps, uint8_t *bits, uint32_t *near)
{
    const struct nf_kernels *k = nf_kernels();
    size_t width = (F + 7) / 8;

#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < T; t++) {
        uint8_t *b = bits ? bits + t * width : NULL;
        uint32_t n = x.f32 ? k->relu_bits(x.f32 + t * F, F, eps, b) : k->relu_bits_bf16(x.bf16 + t * F, F, eps, b);

        if (near)
            near[t] = n;
    }
}

static float cosine_of_sums(double dot, double a2, double b2)
{
    return a2 > 0 && b2 > 0 ? (float)(dot / (sqrt(a2) * sqrt(b2))) : 0;
}

void nf_block_norms(const float *pre, const float *attn, const float *ffn, const float *post, size_t T, size_t D, float *out)
{
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < T; t++) {
        const float *p = pre + t * D, *a = attn + t * D, *f = ffn + t * D, *q = post + t * D;
        double a2 = 0, f2 = 0, b2 = 0, p2 = 0, q2 = 0, bp = 0, ap = 0, pq = 0;
        float *o = out + t * 8;

        for (size_t d = 0; d < D; d++) {
            double block = (double)a[d] + f[d];

            a2 += (double)a[d] * a[d];
            f2 += (double)f[d] * f[d];
            b2 += block * block;
            p2 += (double)p[d] * p[d];
            q2 += (double)q[d] * q[d];
            bp += block * p[d];
            ap += (double)a[d] * p[d];
            pq += (double)p[d] * q[d];
        }
        o[0] = (float)sqrt(a2);
        o[1] = (float)sqrt(f2);
        o[2] = (float)sqrt(b2);
        o[3] = (float)sqrt(p2);
        o[4] = (float)sqrt(q2);
        o[5] = cosine_of_sums(bp, b2, p2);
        o[6] = cosine_of_sums(ap, a2, p2);
        o[7] = cosine_of_sums(pq, p2, q2);
    }
}

void nf_norm_scale(const float *x, double eps, bool centre, size_t D, double *mean, double *rstd)
{
    double sum = 0, squares = 0;

    for (size_t d = 0; d < D && centre; d++)
        sum += (double)x[d];
    *mean = sum / (double)D;
    for (size_t d = 0; d < D; d++)
        squares += (x[d] - *mean) * (x[d] - *mean);
    *rstd = 1 / sqrt(squares / (double)D + eps);
}

size_t nf_first_nonfinite(const float *x, size_t T, size_t D)
{
    size_t first = T;

#pragma omp parallel for schedule(static) reduction(min : first)
    for (size_t t = 0; t < T; t++) {
        uint32_t bad = 0;

        for (size_t d = 0; d < D; d++) {
            uint32_t u;

            memcpy(&u, x + t * D + d, sizeof u);
            bad |= (u & 0x7f800000u) == 0x7f800000u;
        }
        if (bad)
            first = nf_min(first, t);
    }
    return first;
}

struct nf_running nf_running_init(float target_logit)
{
    return (struct nf_running){ .max = -INFINITY, .target = target_logit };
}

void nf_running_pred(const struct nf_running *r, float pred[4])
{
    double log_sum = log(r->sum);

    pred[0] = (float)(r->max + log_sum - r->target);
    pred[1] = (float)((log_sum - r->dot / r->sum) / 0.69314718055994531);   /* ln 2: nats to bits */
    pred[2] = (float)r->top;
    pred[3] = isnan(r->target) ? NAN : (float)r->above;
}
