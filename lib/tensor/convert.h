/*
 * convert.h - rows of numbers from one floating-point type to another, with the vectors of nf_cpu_isa().
 *
 * The same bits as the functions of tensor.h for one number, on every instruction set. Pointers need no alignment.
 */
#ifndef NF_TENSOR_CONVERT_H
#define NF_TENSOR_CONVERT_H

#include <stddef.h>
#include <stdint.h>

void nf_widen_bf16(const void *x, size_t n, float *y);       /* exact */
void nf_widen_f16(const void *x, size_t n, float *y);        /* exact */
void nf_narrow_bf16(const float *x, size_t n, uint16_t *y);  /* to nearest, ties to even; NaN stays NaN */

#endif
