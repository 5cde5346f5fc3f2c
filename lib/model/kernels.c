/* kernels.c - the vector kernels, compiled for each instruction set. */
#include "model/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/par.h"
#include "tensor/tensor.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

/* Register tiles are arrays whose loops must be unrolled to become registers; all have at most 8 turns. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

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

#ifdef __x86_64__
#define NAME "avx512"
#define FN(name) name##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,popcnt")))
#define VEC 16
#define QV 4
#define R 6
#define FMA(a, b, c) ((FN(vf))_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define MAX(a, b) ((FN(vf))_mm512_max_ps((__m512)(a), (__m512)(b)))
#define MASK_GT(a, b) ((unsigned)_mm512_cmp_ps_mask((__m512)(a), (__m512)(b), _CMP_GT_OQ))
#define MASK_LT(a, b) ((unsigned)_mm512_cmp_ps_mask((__m512)(a), (__m512)(b), _CMP_LT_OQ))
#include "kernels.inc"
#undef NAME
#undef FN
#undef TARGET
#undef VEC
#undef QV
#undef R
#undef FMA
#undef MAX
#undef MASK_GT
#undef MASK_LT

#define NAME "avx2"
#define FN(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma,popcnt")))
#define VEC 8
#define QV 2
#define R 6
#define FMA(a, b, c) ((FN(vf))_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define MAX(a, b) ((FN(vf))_mm256_max_ps((__m256)(a), (__m256)(b)))
#define MASK_GT(a, b) ((unsigned)_mm256_movemask_ps(_mm256_cmp_ps((__m256)(a), (__m256)(b), _CMP_GT_OQ)))
#define MASK_LT(a, b) ((unsigned)_mm256_movemask_ps(_mm256_cmp_ps((__m256)(a), (__m256)(b), _CMP_LT_OQ)))
#include "kernels.inc"
#undef NAME
#undef FN
#undef TARGET
#undef VEC
#undef QV
#undef R
#undef FMA
#undef MAX
#undef MASK_GT
#undef MASK_LT
#endif

#define NAME "baseline"
#define FN(name) name##_baseline
#define TARGET
#define VEC 4
#define QV 2
#define R 4
#define FMA(a, b, c) ((a) * (b) + (c))
#define MAX(a, b) FN(select)((a) > (b), (a), (b))
#define MASK_GT(a, b) mask4((a) > (b))
#define MASK_LT(a, b) mask4((a) < (b))

typedef int32_t int4 __attribute__((vector_size(16)));

static inline unsigned mask4(int4 m)
{
    return (unsigned)((m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8));
}

#include "kernels.inc"

const struct nf_kernels *nf_kernels_at(size_t i)
{
    const struct nf_kernels *have[3] = { NULL, NULL, NULL };
    size_t n = 0;

#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        have[n++] = &kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        have[n++] = &kernels_avx2;
#endif
    have[n] = &kernels_baseline;
    return i <= n ? have[i] : NULL;
}

const struct nf_kernels *nf_kernels(void)
{
    return nf_kernels_at(0);
}
