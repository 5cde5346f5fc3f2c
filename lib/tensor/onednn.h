/*
 * onednn.h - the matrix product of gemm.h by oneDNN, versions 2 and 3.
 *
 * Where its kernel's bits depend on the number of rows (all but brgemm without AMX), rows go through it in tiles of a fixed size, one thread
 * a tile.
 */
#ifndef NF_TENSOR_ONEDNN_H
#define NF_TENSOR_ONEDNN_H

#include "tensor/gemm.h"

struct nf_onednn;

/* nf_onednn_bf16 - does this processor multiply bfloat16, and may oneDNN use it (ONEDNN_MAX_CPU_ISA)? */
bool nf_onednn_bf16(void);

/*
 * nf_onednn_bf16_fast - and is that faster than f32?  With AMX, and on AMD (Zen 5: 878 against 454 GFLOP/s).  Not on Intel without AMX: a
 * Xeon of the Sapphire Rapids kind makes 84 against 147.  A rule and not a measurement, for the choice decides the bits.
 */
bool nf_onednn_bf16_fast(void);

/* As the functions of gemm.h.  nf_onednn_kernel: what oneDNN calls the kernel it chose. */
struct nf_onednn *nf_onednn_open(const struct nf_gemm_shape *shape, struct nf_err *err);
size_t nf_onednn_packed_size(const struct nf_onednn *g);
const char *nf_onednn_kernel(const struct nf_onednn *g);
int nf_onednn_pack(const struct nf_onednn *g, const float *w, bool transposed, void *packed, struct nf_err *err);
int nf_onednn_run(struct nf_onednn *g, const void *packed, const float *bias, const void *x, size_t rows, void *y,
                  struct nf_err *err);
void nf_onednn_close(struct nf_onednn *g);

#endif
