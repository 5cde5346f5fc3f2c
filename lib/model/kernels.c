/* kernels.c - the vector kernels, compiled for each instruction set. */
#include "model/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/par.h"
#include "tensor/tensor.h"

#define NF_GELU_CUBIC 0.044715f /* Hendrycks and Gimpel 2016, arXiv:1606.08415, section 2 */
#define NF_GELU_SLOPE 1.59576912f /* 2 sqrt(2 / pi) */
#define NF_QUICK_GELU_SLOPE 1.702f  /* Hendrycks and Gimpel 2016, section 2 */

/* Vectors that are summed in float before the sum goes on in double. */
enum { RUN_VECS = 16 };

/* n <= 16 bits from bit `at` on, where at is a multiple of n or n is 1; the bits there are 0. */
static inline void put_bits(uint8_t *bits, size_t at, unsigned mask, size_t n)
{
    bits[at / 8] |= (uint8_t)(mask << at % 8);
    if (n == 16)
        bits[at / 8 + 1] = (uint8_t)(mask >> 8);
}

#define ISA_TEXT "model/kernels.inc"
#include "base/each_isa.inc"

const struct nf_kernels *nf_kernels_at(size_t i)
{
    static const struct nf_kernels *const sets[NF_ISA_COUNT] = {
        [NF_ISA_BASELINE] = &kernels_baseline,
#ifdef __x86_64__
        [NF_ISA_AVX2] = &kernels_avx2,
        [NF_ISA_AVX512] = &kernels_avx512,
#endif
    };
    size_t fastest = nf_cpu_isa();

    return i <= fastest ? sets[fastest - i] : NULL;
}

const struct nf_kernels *nf_kernels(void)
{
    return nf_kernels_at(0);
}
