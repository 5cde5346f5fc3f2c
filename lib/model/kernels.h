/*
 * kernels.h - the vector kernels under ops.h and attention.h. One text (kernels.inc) is compiled
 * for several instruction sets: AVX-512, AVX2 with FMA, and the compiler's baseline (any
 * processor). The program chooses when it runs.
 *
 * Sizes may be any number. Pointers are aligned to their element, `work` to 64 bytes. Instruction
 * sets may differ in the last bits of a result. On one machine the result of a row depends on that
 * row alone.
 */
#ifndef NF_MODEL_KERNELS_H
#define NF_MODEL_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/config.h"

/* Queries that share one attention block, at most: the room that `work` must have (NF_ATTEND_WORK floats for head width K). */
enum { NF_QUERY_BLOCK = 64, NF_KEY_BLOCK = 64 };
#define NF_ATTEND_WORK(K) ((2 * (size_t)(K) + NF_KEY_BLOCK) * NF_QUERY_BLOCK)

/* One row's running view of its logits, tile after tile; nf_running_init() in ops.h. */
struct nf_running {
    float max, target;      /* greatest logit so far; logit of the target (NaN: no target) */
    uint32_t top;           /* its index, lowest of equals */
    uint32_t above;         /* logits > target */
    double sum, dot;        /* sum of e^(x - max), sum of e^(x - max) (x - max) */
};

struct nf_kernels {
    const char *name;       /* "avx512", "avx2", "baseline" */
    size_t query_block;     /* <= NF_QUERY_BLOCK */

    /* Causal attention of one head on queries first .. first + query_block - 1 (those below T); see attention.h.  log_sum [T] or NULL. */
    void (*attend)(const float *q, const float *k, const float *v, size_t stride, size_t first, size_t T, size_t K, float scale,
                   size_t window, float *y, size_t y_stride, float *log_sum, float *work);

    /* y[i] = e^x[i], at most 2 ulp from exact for -87.3 < x < 88.7; 0 below.  x may be y. */
    void (*exp)(const float *x, size_t n, float *y);

    /* Take logits x[n] of columns first .. first + n - 1 into account. */
    void (*run)(struct nf_running *r, const float *x, size_t n, uint32_t first);

    /* w[i] = e^(a[i] - max), and the sum of w[i] (a[i] - b[i]): what the divergence of two rows of logits is made of; compare.h. */
    void (*weigh)(const float *a, float max, size_t n, float *w);
    double (*weighted_gap)(const float *w, const float *a, const float *b, size_t n);

    /* y = gain (x - mean) rstd + bias for one row; sums in double; not centred: mean taken as 0.  gain, bias may be NULL, y may be x. */
    void (*normalise)(const float *x, const float *gain, const float *bias, double eps, bool centre, size_t D, float *y);

    /* y = act(x), times `up` [n] unless it is NULL; y may be x or up. */
    void (*act[NF_ACT_COUNT])(const float *x, const float *up, size_t n, float *y);

    /* The pairs (x[i], x[half + i]), i < half, turn by angles given as [half] cosines and sines. */
    void (*rotate)(float *x, const float *cosine, const float *sine, size_t half);

    uint32_t (*sign_bits)(const float *x, size_t n, float eps, uint8_t *bits);   /* as relu_bits, x stays */

    /* bit i of bits = x[i] > 0; returns how many |x[i]| < eps; x becomes max(x, 0).  bits may be NULL; unused bits of the last byte 0. */
    uint32_t (*relu_bits)(float *x, size_t n, float eps, uint8_t *bits);
    uint32_t (*relu_bits_bf16)(uint16_t *x, size_t n, float eps, uint8_t *bits);

    void (*add)(const float *x, size_t n, float *y);            /* y += x */
    void (*to_bf16)(const float *x, size_t n, uint16_t *y);     /* to nearest, ties to even; NaN stays NaN */
    void (*from_bf16)(const uint16_t *x, size_t n, float *y);
};

/* nf_kernels - the fastest set that this machine has. */
const struct nf_kernels *nf_kernels(void);

/* nf_kernels_at - the i-th set that this machine has, fastest first; NULL: no more (tests try them all). */
const struct nf_kernels *nf_kernels_at(size_t i);

#endif
