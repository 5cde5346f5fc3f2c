/*
 * dequant.h - the block formats of ggml, as GGUF files hold them: 32 or 256 elements that share scales.
 *
 * A block is packed bytes; half numbers and integers are little-endian.  d, m, dmin: float16.  q: the element's own bits, unsigned.  sc, mn:
 * six or four bits a group.  Every value is the float32 result of the formula, rounded after each multiplication and each sum from left
 * to right, so it is bit for bit that of gguf-py.
 *
 *   type     elements  bytes  value of an element             bits of q, elements that share sc
 *   Q4_0           32     18  d (q - 8)                       4
 *   Q4_1           32     20  d q + m                         4
 *   Q5_0           32     22  d (q - 16)                      4 + 1
 *   Q5_1           32     24  d q + m                         4 + 1
 *   Q8_0           32     34  d q                             8, signed
 *   IQ4_NL         32     18  d C[q]                          4; C: 16 fixed levels, finer around zero
 *   MXFP4          32     17  2^(e - 128) M[q]                4; M: twice the values of E2M1; e: a byte
 *   Q2_K          256     84  (d sc) q - (dmin mn)            2, 16; sc and mn have 4 bits
 *   Q3_K          256    110  (d (sc - 32)) (q - 4)           2 + 1, 16
 *   Q4_K          256    144  (d sc) q - (dmin mn)            4, 32
 *   Q5_K          256    176  (d sc) q - (dmin mn)            4 + 1, 32
 *   Q6_K          256    210  (d sc) (q - 32)                 4 + 2, 16; sc: a signed byte
 *   IQ4_XS        256    136  (d (sc - 32)) C[q]              4, 32
 *
 * Source: the documentation of GGUF and ggml (github.com/ggml-org/ggml), and the OCP Microscaling Formats specification 1.0 for MXFP4.
 * Checked: tests/unit/test_dequant.c against gguf-py.
 */
#ifndef NF_TENSOR_DEQUANT_H
#define NF_TENSOR_DEQUANT_H

#include <stddef.h>

#include "tensor/tensor.h"

enum { NF_BLOCK_MAX = 256 };   /* elements of the largest block */

/* nf_dequant - the elements of `blocks` blocks of type t at unaligned p: y [blocks * nf_dtype_block(t)]. */
void nf_dequant(enum nf_dtype t, const void *p, size_t blocks, float *y);

/* nf_dequant_bad - the first of `blocks` blocks that holds a NaN or an infinity; blocks: none does. */
size_t nf_dequant_bad(enum nf_dtype t, const void *p, size_t blocks);

#endif
