/*
 * gemm.h - the one wrapper round the matrix product library (oneDNN, versions 2 and 3).
 *
 *   y[m,n] = act(sum_k x[m,k] * w[n,k] + bias[n])
 *
 * Weights are packed once into the layout that the library's kernel likes.  One nf_gemm is the kernel of one shape and type; all layers
 * share it, each with packed weights of its own.
 *
 * A row of y depends on its row of x alone, bit for bit: not on `rows`, the other rows or the number of threads.  Where the library's
 * kernel cannot promise it (no AVX-512), rows go through it in tiles of a fixed size, one thread a tile.
 * Checked: tests/unit/test_gemm.c.
 */
#ifndef NF_TENSOR_GEMM_H
#define NF_TENSOR_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "tensor/tensor.h"

struct nf_gemm_shape {
    size_t K, N;             /* columns of x and of y */
    enum nf_dtype in, out;   /* x and packed w: NF_F32 or NF_BF16; y: NF_F32, or NF_BF16 when `in` is.  Sums are f32 */
    bool relu;               /* act(x) = max(x, 0); false: act(x) = x */
};

struct nf_gemm;

/* NULL: NF_ESYS, memory, or the library has no kernel for the types on this CPU. */
struct nf_gemm *nf_gemm_open(const struct nf_gemm_shape *shape, struct nf_err *err);

size_t nf_gemm_packed_size(const struct nf_gemm *g);   /* bytes of packed weights */

/*
 * nf_gemm_pack - w [N,K] float, row-major, into `packed` (nf_gemm_packed_size() bytes, aligned to 64); rounded to nearest even for bf16.
 */
int nf_gemm_pack(const struct nf_gemm *g, const float *w, void *packed, struct nf_err *err);

/* nf_gemm_pack_transposed - the same from the transpose of w, [K,N]. */
int nf_gemm_pack_transposed(const struct nf_gemm *g, const float *w, void *packed, struct nf_err *err);

/*
 * nf_gemm_run - y [rows,N] from x [rows,K], both aligned to their element; bias [N] float, NULL: zero.  rows == 0 does nothing.
 * NF_ESYS: memory, or the library failed.  One caller at a time for one nf_gemm.
 */
int nf_gemm_run(struct nf_gemm *g, const void *packed, const float *bias, const void *x, size_t rows, void *y, struct nf_err *err);

void nf_gemm_close(struct nf_gemm *g);   /* accepts NULL */

#endif
