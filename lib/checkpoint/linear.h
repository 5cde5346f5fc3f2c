/*
 * linear.h - a linear map y = W x + b, W [out, in], as it lies in a checkpoint.
 */
#ifndef NF_CHECKPOINT_LINEAR_H
#define NF_CHECKPOINT_LINEAR_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/tensor.h"

/*
 * Rows of a stored matrix or, transposed, its columns.  A map that the architecture does not have has w.data NULL; one without bias has b.data
 * NULL.
 *
 * Row n of W is the stored row (column) first + n / run * jump + n % run, and its bias the same element of b.  Query, key and value in
 * one fused matrix are three maps: GPT-2's [D, 3D], transposed, has run = jump = D and first = 0, D, 2D; GPT-NeoX's [3HK, D], head by
 * head, has run = K, jump = 3K and first = 0, K, 2K.  A matrix of its own: first = 0, run = jump = out.
 *
 * A matrix of blocks (dequant.h) is stored by rows, never transposed: a row is a whole number of blocks.
 */
struct nf_linear {
    struct nf_tensor w, b; /* as stored, whole; borrowed */
    size_t out, in;
    size_t first, run, jump;
    bool transposed;
    size_t paired; /* 0: no; else the width of a head, whose row i lies beside row i + paired / 2 (GGUF files of Llama) */
};

/* nf_linear_whole - W stored alone, [out, in]; b may have data NULL. */
struct nf_linear nf_linear_whole(struct nf_tensor w, struct nf_tensor b);

/* nf_linear_rows - rows row .. row + n - 1 of W as float: y [n, in].  nf_linear_columns - columns column .. column + n - 1: y [n, out]. */
void nf_linear_rows(const struct nf_linear *l, size_t row, size_t n, float *y);
void nf_linear_columns(const struct nf_linear *l, size_t column, size_t n, float *y);

void nf_linear_bias(const struct nf_linear *l, float *y); /* y [out]; zero where there is none */

#endif
