/*
 * speed.h - measures how fast this machine multiplies matrices, for an estimate of time.
 */
#ifndef NF_TENSOR_SPEED_H
#define NF_TENSOR_SPEED_H

#include <stddef.h>

#include "base/err.h"
#include "tensor/tensor.h"

/*
 * nf_speed_gemm - floating point operations a second of the product [512, K] x [K, N], the best of several runs in about 0.2 s.
 * NF_F32 or NF_BF16.  0: it failed, err says why.
 */
double nf_speed_gemm(enum nf_dtype dtype, size_t K, size_t N, struct nf_err *err);

#endif
