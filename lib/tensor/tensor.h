/*
 * tensor.h - a view of numbers: type, shape, memory.  Row-major, last index fastest, little-endian.
 */
#ifndef NF_TENSOR_TENSOR_H
#define NF_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nf_dtype {
    NF_U8,
    NF_U16,
    NF_U32,
    NF_U64,
    NF_I32,
    NF_I64,
    NF_F16,   /* from here on: real */
    NF_BF16,
    NF_F32,
    NF_F64,
    NF_Q4_0,  /* from here on: blocks of elements that share a scale, only in checkpoints; dequant.h */
    NF_Q4_1,
    NF_Q5_0,
    NF_Q5_1,
    NF_Q8_0,
    NF_IQ4_NL,
    NF_MXFP4,
    NF_Q2_K,
    NF_Q3_K,
    NF_Q4_K,
    NF_Q5_K,
    NF_Q6_K,
    NF_IQ4_XS,
    NF_DTYPE_COUNT,
};

enum { NF_NDIM_MAX = 4 };

struct nf_tensor {
    enum nf_dtype dtype;
    size_t ndim;                 /* 0 .. NF_NDIM_MAX */
    size_t shape[NF_NDIM_MAX];
    const void *data;            /* borrowed; not aligned when it comes from a record or a checkpoint */
};

size_t nf_dtype_size(enum nf_dtype t);             /* bytes of one element, of a block type: of one block */
size_t nf_dtype_block(enum nf_dtype t);            /* elements of a block; 1: no block type */
size_t nf_dtype_bytes(enum nf_dtype t, size_t n);  /* of n elements, a whole number of blocks */
const char *nf_dtype_name(enum nf_dtype t);        /* "f32", "q4_0" */
bool nf_tensor_count(const struct nf_tensor *t, size_t *count);   /* product of the shape; false: over size_t */

/* nf_tensor_real - element i (row-major, not checked; no block type) as double; 64-bit integers from 2^53 on are rounded. */
double nf_tensor_real(const struct nf_tensor *t, size_t i);

/* nf_tensor_int - element i of an integer type, as is; NF_U64: the bits. */
int64_t nf_tensor_int(const struct nf_tensor *t, size_t i);

bool nf_dtype_real(enum nf_dtype t);               /* F16, BF16, F32, F64, block types */

/* Convenience: views of memory that the caller keeps. */
struct nf_tensor nf_tensor_1d(enum nf_dtype t, const void *data, size_t n);
struct nf_tensor nf_tensor_2d(enum nf_dtype t, const void *data, size_t rows, size_t cols);
struct nf_tensor nf_tensor_rows(const struct nf_tensor *t, size_t first, size_t n);   /* rows first .. first + n - 1 of a matrix */
struct nf_tensor nf_tensor_3d(enum nf_dtype t, const void *data, size_t a, size_t b, size_t c);

/* Exact widening, and rounding to nearest, ties to even (NaN stays NaN, overflow becomes infinity). */
float nf_f16_to_f32(uint16_t h);
uint16_t nf_f32_to_f16(float f);
float nf_bf16_to_f32(uint16_t h);
uint16_t nf_f32_to_bf16(float f);

/* nf_to_f32 - n elements of a real type from unaligned `src` into y; of a block type: a whole number of blocks. */
void nf_to_f32(enum nf_dtype t, const void *src, size_t n, float *y);

/* nf_tensor_f32 - elements first .. first + n - 1 (row-major, not checked) of a real type into y; they may begin and end within blocks. */
void nf_tensor_f32(const struct nf_tensor *t, size_t first, size_t n, float *y);

#endif
