/* simd.c - vectors of 8 doubles, whatever the processor has. */
#include "vocab/simd.h"

#include <string.h>

#include "base/cpu.h"
#include "base/par.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF   /* gcc does not fuse with -std=c11, and does not know the pragma */
#endif

typedef double vd __attribute__((vector_size(NF_SIMD_DOUBLES * sizeof(double))));
typedef float vf __attribute__((vector_size(NF_SIMD_DOUBLES * sizeof(float))));

enum { ROWS = 4, VECS = 2 };   /* a register tile of the product */

struct simd_kernels {
    void (*powers)(const float *c, const double *length, size_t n, double shift, struct nf_power_sums *sums);
    void (*gram)(const double *a, const double *b, size_t n, size_t width, double *sum);
};

#define ISA_TEXT "vocab/simd.inc"
#include "base/each_isa.inc"

static const struct simd_kernels *choose_kernels(void)
{
    static const struct simd_kernels *const sets[NF_ISA_COUNT] = {
        [NF_ISA_BASELINE] = &kernels_baseline,
#ifdef __x86_64__
        [NF_ISA_AVX2] = &kernels_avx2,
        [NF_ISA_AVX512] = &kernels_avx512,
#endif
    };

    return sets[nf_cpu_isa()];
}

void nf_simd_powers(const float *c, const double *length, size_t n, double shift, struct nf_power_sums *sums)
{
    choose_kernels()->powers(c, length, n, shift, sums);
}

void nf_simd_gram(const double *a, const double *b, size_t n, size_t width, double *sum)
{
    choose_kernels()->gram(a, b, n, width, sum);
}

double nf_simd_total(const double lane[NF_SIMD_DOUBLES])
{
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}
