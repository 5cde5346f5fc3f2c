/*
 * attention.h - causal attention of many windows, and where it looked.
 *
 * qkv is [T,3D]: a row holds query, key and value of one position, each D wide; head h is the K columns from h * K.  The windows of
 * `length` [W] lie one after the other, T rows in all; a position sees itself and the earlier ones of its own window.
 * Rows of a result depend on the window's rows up to theirs only: not on later ones, other windows or the number of threads.
 */
#ifndef NF_MODEL_ATTENTION_H
#define NF_MODEL_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

/* nf_attention_work - floats of `work` that up to `threads` threads need. */
size_t nf_attention_work(size_t K, size_t threads);

/*
 * nf_attention - y[t] = sum_s p[t,s] v_s,  p[t,s] = softmax over s <= t of (scale q_t) . k_s,  for every window and head.
 *
 *   scale      usually K^-1/2; applied to q first, as Hugging Face's OPT does
 *   threads    at most so many; each has its own part of `work`
 *   y          [T,D] out
 *   log_sum    [H,T] out   ln sum_s e^(score); NULL if not wanted
 *   work       nf_attention_work() floats, aligned to 64 bytes
 *
 * Blocks above the diagonal are skipped.  Running maximum and sum: Milakov and Gimelshein 2018, arXiv:1805.02867; in blocks: Dao et al.
 * 2022, arXiv:2205.14135, algorithm 1.  Checked: tests/unit/test_attention.c.
 */
void nf_attention(const float *qkv, const uint32_t *length, size_t W, size_t H, size_t K, float scale, size_t threads, float *y,
                  float *log_sum, float *work);

enum { NF_LOCAL_WIDTH = 7 };

/*
 * nf_attention_local - out[T,H,7]: the sum of p[t,s] over the 1, 2, 4, 5, 8, 16 positions before t (self excluded; fewer near the start),
 * then p[t,0].  log_sum as nf_attention() left it.
 */
void nf_attention_local(const float *qkv, const uint32_t *length, size_t W, size_t H, size_t K, float scale, const float *log_sum,
                        float *out);

#endif
