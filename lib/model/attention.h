/*
 * attention.h - causal attention of many windows, and the weights it gave to nearby positions.
 *
 * qkv is [T,(H+2G)K]. A row holds the H queries of one position, then its G keys, then its G
 * values, each K wide. Query head h reads key and value h / (H / G). The windows of `length` [W]
 * lie one after the other, T rows in all. A position sees itself and the earlier positions of its
 * own window, at most the last `window` of them. Rows of a result depend only on the window's rows
 * up to theirs: not on later rows, other windows or the number of threads.
 */
#ifndef NF_MODEL_ATTENTION_H
#define NF_MODEL_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

struct nf_attention {
    size_t H, G, K;   /* H a multiple of G */
    float scale;      /* of the scores, usually K^-1/2; applied to the query first */
    size_t window;    /* positions that one attends to, itself included; SIZE_MAX: all */
};

/* nf_attention_work - floats of `work` that up to `threads` threads need. */
size_t nf_attention_work(size_t K, size_t threads);

/*
 * nf_attend - y[t,h] = sum_s p[t,s] v_s,  p[t,s] = softmax over s <= t, t - s < window, of (scale q_t) . k_s,  for every window and head.
 *
 *   threads    at most so many; each has its own part of `work`
 *   y          [T,HK] out
 *   log_sum    [H,T] out   ln sum_s e^(score); NULL: not needed
 *   work       nf_attention_work() floats, aligned to 64 bytes
 *
 * Blocks that nobody sees are skipped.  Running maximum and sum: Milakov and Gimelshein 2018, arXiv:1805.02867; in blocks: Dao et al.
 * 2022, arXiv:2205.14135, algorithm 1.  Shared keys: Ainslie et al. 2023, arXiv:2305.13245.  Checked: tests/unit/test_attention.c.
 */
void nf_attend(const struct nf_attention *a, const float *qkv, const uint32_t *length, size_t W, size_t threads, float *y,
               float *log_sum, float *work);

enum { NF_LOCAL_WIDTH = 7 };

/*
 * nf_attend_local - out[T,H,7]: the sum of p[t,s] over the 1, 2, 4, 5, 8, 16 positions before t (self excluded; fewer near the start),
 * then p[t,0].  log_sum as nf_attend() left it.
 */
void nf_attend_local(const struct nf_attention *a, const float *qkv, const uint32_t *length, size_t W, const float *log_sum,
                     float *out);

enum { NF_BACK_WIDTH = 17 };

/* nf_attend_back - out[T,H,17]: p[t,t-s] for s = 0 (the position itself) .. 16; 0 where t < s.  log_sum as nf_attend() left it. */
void nf_attend_back(const struct nf_attention *a, const float *qkv, const uint32_t *length, size_t W, const float *log_sum,
                    float *out);

#endif
