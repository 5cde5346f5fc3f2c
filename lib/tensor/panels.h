/*
 * panels.h - the matrix product of gemm.h for any processor: register tiles over packed panels of weights.
 *
 * w [N,K] is cut along K into blocks of at most NF_PANEL_DEPTH and along N into panels of as many columns as a register tile has (32 with
 * AVX-512, 16 with AVX2, 8 else); a packed panel is [depth, columns].  bf16 weights stay bf16 in memory, and are widened a panel at a
 * time on their way into f32 sums.
 *
 * An element of y is a sum over k, block by block: within a block from 0 on in the order of k, each product fused with its sum (not on
 * the baseline), then added to the blocks before; last comes the bias.  Nothing else enters, so its bits depend neither on the other rows
 * and columns nor on the threads, and are the same with AVX2 and AVX-512.
 *
 * Order of loops after Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication": rows of x that stay in the
 * second cache, panels of w that pass through the first.
 */
#ifndef NF_TENSOR_PANELS_H
#define NF_TENSOR_PANELS_H

#include "base/cpu.h"
#include "tensor/gemm.h"

enum { NF_PANEL_DEPTH = 512 };

struct nf_panels;

/* As the functions of gemm.h without "panels"; weights and `x` of the run in shape->in. */
struct nf_panels *nf_panels_open(const struct nf_gemm_shape *shape, enum nf_isa isa, struct nf_err *err);
size_t nf_panels_packed_size(const struct nf_panels *p);

/* nf_panels_pack - element (n, k) of w is w[n * row + k * column]. */
void nf_panels_pack(const struct nf_panels *p, const float *w, size_t row, size_t column, void *packed);

int nf_panels_run(const struct nf_panels *p, const void *packed, const float *bias, const void *x, size_t rows, void *y,
                  struct nf_err *err);
void nf_panels_close(struct nf_panels *p);

#endif
