/*
 * gemm.h - the matrix product, and the one place that chooses who computes it.
 *
 *   y[m,n] = act(sum_k x[m,k] * w[n,k] + bias[n])
 *
 * Weights are packed once into the layout that the product likes.  One nf_gemm is the product of one shape and type; all layers share
 * it, each with packed weights of its own.
 *
 * A row of y depends on its row of x alone, bit for bit: not on `rows`, the other rows or the number of threads.
 * Checked: tests/unit/test_gemm.c, with every engine and instruction set that the machine has.
 *
 * | engine | what | chosen for |
 * |---|---|---|
 * | panels | tensor/panels.h, any processor; the same bits with AVX2 and AVX-512 | f32; bf16 where the processor does not multiply it faster than f32 |
 * | onednn | oneDNN 2 or 3 | bf16 where it does |
 *
 * Measured with one thread on a Xeon (Sapphire Rapids), AVX-512 and pinned to AVX2, shapes of models of 125M to 8B parameters, 64 to 2048
 * rows: `make bench` prints the panels beside OpenBLAS, BLIS and oneDNN.
 * The environment variable NF_GEMM names an engine for all products: panels or onednn.
 */
#ifndef NF_TENSOR_GEMM_H
#define NF_TENSOR_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cpu.h"
#include "base/err.h"
#include "tensor/tensor.h"

struct nf_gemm_shape {
    size_t K, N;             /* columns of x and of y */
    enum nf_dtype in, out;   /* x and packed w (but see half): NF_F32 or NF_BF16; y: NF_F32, or NF_BF16 when `in` is.  Sums are f32 */
    bool relu;               /* act(x) = max(x, 0), NaN stays; false: act(x) = x */
    bool half;               /* packed w is bf16 though x is f32: half the memory, and x is not rounded.  Panels only */
};

enum nf_gemm_engine { NF_GEMM_PANELS, NF_GEMM_ONEDNN, NF_GEMM_AUTO };

struct nf_gemm;

/* nf_gemm_bf16 - are products of bf16 with bf16 faster than those of f32?  If not, `half` saves as much memory and x stays exact. */
bool nf_gemm_bf16(void);

/* NULL: NF_ESYS, memory, or the library has no kernel for the types on this CPU; NF_EUSAGE: NF_GEMM names no engine. */
struct nf_gemm *nf_gemm_open(const struct nf_gemm_shape *shape, struct nf_err *err);

/* nf_gemm_open_with - by this engine, whatever NF_GEMM says, and with this instruction set (panels). */
struct nf_gemm *nf_gemm_open_with(const struct nf_gemm_shape *shape, enum nf_gemm_engine engine, enum nf_isa isa,
                                  struct nf_err *err);

const char *nf_gemm_name(const struct nf_gemm *g);     /* engine and kernel: "panels avx2", "onednn brgemm:avx512_core_bf16" */
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
