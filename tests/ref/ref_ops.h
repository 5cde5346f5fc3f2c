/*
 * ref_ops.h - the arithmetic of lib/tensor and lib/model written down once more, as slowly and plainly as it goes, in double.
 *
 * Same shapes and letters as lib/model/ops.h.  Not fast, not clever, not shared with the library: what a test holds the library against.
 */
#ifndef NF_TESTS_REF_OPS_H
#define NF_TESTS_REF_OPS_H

#include <stddef.h>

/* y[M,N] = x[M,K] w[N,K]^T + bias[N]; bias NULL: zero.  With relu: max(0, .). */
void ref_linear(const double *x, const double *w, const double *bias, size_t M, size_t K, size_t N, int relu, double *y);

/* y[t] = gain (x[t] - mean_t) / sqrt(var_t + eps) + bias; gain, bias NULL: one, zero.  Ba, Kiros, Hinton 2016, section 3. */
void ref_layernorm(const double *x, const double *gain, const double *bias, double eps, size_t T, size_t D, double *y);

/* y[t] = gain x[t] / sqrt(mean of x[t]^2 + eps).  Zhang and Sennrich 2019, equation 4. */
void ref_rmsnorm(const double *x, const double *gain, double eps, size_t T, size_t D, double *y);

/*
 * Causal attention of one window and head, Vaswani et al. 2017, equation 1: p[t,s] = softmax over t - window < s <= t of scale q_t . k_s,
 * y_t = sum_s p[t,s] v_s.  Rows of q, k, v, y are q_stride, kv_stride (k and v) and y_stride apart; p [T,T], zero where nothing is seen.
 */
void ref_attention(const double *q, size_t q_stride, const double *k, const double *v, size_t kv_stride, size_t T, size_t K,
                   double scale, size_t window, double *p, double *y, size_t y_stride);

/* Fill x[n] with uniform numbers in [-1, 1) from a seed, as floats exactly. */
void ref_random(unsigned long seed, size_t n, float *x);

void ref_widen(const float *x, size_t n, double *y);

/* max_i |x_i - y_i|; NaN when any is. */
double ref_distance(const float *x, const double *y, size_t n);

#endif
