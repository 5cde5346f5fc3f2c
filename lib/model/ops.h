/*
 * ops.h - the arithmetic of one transformer block, row by row, over all threads.
 *
 * Shape letters: T rows (positions), D residual width, H heads, K = D / H, F FFN width, V
 * vocabulary. Row-major: x[T,D] at (t,d) is x[t * D + d]. float32 in memory, sums of rows in
 * double. Rows are independent, so no result depends on the number of threads. Nothing here
 * allocates, prints or fails: nf_weights_open() has checked the shapes.
 */
#ifndef NF_MODEL_OPS_H
#define NF_MODEL_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/kernels.h"

/* The two types that a matrix product takes: exactly one is not NULL. */
struct nf_mat {
    float *f32;
    uint16_t *bf16;
};

/*
 * nf_normalise - y[t,d] = gain[d] (x[t,d] - mean_t) / sqrt(var_t + eps) + bias[d],  var_t = sum_d (x[t,d] - mean_t)^2 / D
 *
 *   gain, bias  [D] in   NULL: one, zero
 *   centre      false: mean_t is taken as 0 (RMSNorm)
 *   y           [T,D] out   may be x
 *
 * Source: LayerNorm, Ba, Kiros, Hinton 2016, arXiv:1607.06450, section 3; RMSNorm, Zhang and Sennrich 2019, arXiv:1910.07467, section 3.
 */
void nf_normalise(const float *x, const float *gain, const float *bias, double eps, bool centre, size_t T, size_t D, float *y);

/* nf_normalise_to - the same into `y`, by way of a float row in `row` [T,D] when y is bf16. */
void nf_normalise_to(const float *x, const float *gain, const float *bias, double eps, bool centre, size_t T, size_t D, float *row,
                     struct nf_mat y);

/* nf_normalise_heads - each of the first n heads, K wide, of every row of x [T,stride], in place. */
void nf_normalise_heads(const float *gain, const float *bias, double eps, bool centre, size_t T, size_t n, size_t K, size_t stride,
                        float *x);

/* nf_copy_to - y = x [n], rounded to nearest, ties to even, for bf16; float may be x itself. */
void nf_copy_to(const float *x, size_t n, struct nf_mat y);

/* nf_add - y[n] += x[n]. */
void nf_add(const float *x, size_t n, float *y);

/*
 * nf_activate - x[T,F] becomes act(x), times up[T,F] where up is given (gated FFN: Shazeer 2020, arXiv:2002.05202).
 *
 *   RELU        max(x, 0)
 *   GELU        x Phi(x), Phi the normal distribution function       Hendrycks and Gimpel 2016, arXiv:1606.08415
 *   GELU_TANH   x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))         the same, section 2
 *   SILU        x / (1 + e^-x)                                        Elfwing et al. 2017, arXiv:1702.03118
 *   RELU2       max(x, 0)^2                                           So et al. 2021, arXiv:2109.08668
 *   QUICK_GELU  x / (1 + e^-1.702x)                                   Hendrycks and Gimpel 2016, section 2
 *
 * x and up of the same type; bf16: computed in float and rounded to bf16 once.
 */
void nf_activate(enum nf_act act, struct nf_mat x, struct nf_mat up, size_t T, size_t F);

/*
 * nf_relu_bits - x[T,F] becomes max(x, 0); before that
 *
 *   bits  [T, ceil(F/8)] out   bit f % 8 of byte f / 8 is x[t,f] > 0; may be NULL
 *   near  [T] out              how many f have |x[t,f]| < eps; may be NULL
 *
 * nf_sign_bits - the same, x stays.
 */
void nf_relu_bits(struct nf_mat x, size_t T, size_t F, float eps, uint8_t *bits, uint32_t *near);
void nf_sign_bits(struct nf_mat x, size_t T, size_t F, float eps, uint8_t *bits, uint32_t *near);

/*
 * nf_block_norms - out[T,8] from the streams of one block, all [T,D]; sums in double.
 *
 * |attn|, |ffn|, |attn + ffn|, |pre|, |post|, cos(attn + ffn, pre), cos(attn, pre), cos(pre, post); a cosine with a zero vector is 0.
 */
void nf_block_norms(const float *pre, const float *attn, const float *ffn, const float *post, size_t T, size_t D, float *out);

/* nf_norm_scale - mean (0 when not centred) and 1 / sqrt(var + eps) of one row [D], as nf_normalise() has them up to rounding; sums in double. */
void nf_norm_scale(const float *x, double eps, bool centre, size_t D, double *mean, double *rstd);

/* nf_first_nonfinite - the first t whose row x[t,D] holds NaN or an infinity; T: none. */
size_t nf_first_nonfinite(const float *x, size_t T, size_t D);

/*
 * Running logits of one position: start, then kernels->run() with every tile of the vocabulary in order, then read.
 *
 * With m the maximum, s = sum e^(x - m), d = sum e^(x - m) (x - m):  log-sum-exp = m + ln s;  loss = lse - x[target];
 * entropy = ln s - d / s, of the softmax, since -sum p ln p = lse - sum p x.  s and d are rescaled when m grows, as in Milakov and
 * Gimelshein 2018, arXiv:1805.02867.
 */
struct nf_running nf_running_init(float target_logit);          /* NaN: no target */
void nf_running_pred(const struct nf_running *r, float pred[4]);   /* loss (nats), entropy (bits), top-1 id, rank of the target */

#endif
