/* simd.c - vectors of 8 doubles, whatever the processor has. */
#include "vocab/simd.h"

#include <string.h>

#include "base/par.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF   /* gcc does not fuse with -std=c11, and does not know the pragma */
#endif

typedef double vd __attribute__((vector_size(NF_SIMD_DOUBLES * sizeof(double))));
typedef float vf __attribute__((vector_size(NF_SIMD_DOUBLES * sizeof(float))));

#define INLINE static inline __attribute__((always_inline))

INLINE void powers(const float *c, const double *length, size_t n, double shift, struct nf_power_sums *sums)
{
    vd s[5], middle = shift - (vd){ 0 };

    memcpy(s, sums->s, sizeof s);
    for (size_t i = 0; i < n; i += NF_SIMD_DOUBLES) {
        size_t m = nf_min(NF_SIMD_DOUBLES, n - i);
        vf c4 = { 0 };
        vd x, x2, y = { 0 };

        if (m == NF_SIMD_DOUBLES) {
            memcpy(&c4, c + i, sizeof c4);
            memcpy(&y, length + i, sizeof y);
            x = __builtin_convertvector(c4, vd);
            y *= x;
            x -= middle;
        } else {
            memcpy(&c4, c + i, m * sizeof *c);
            memcpy(&y, length + i, m * sizeof *length);
            x = __builtin_convertvector(c4, vd);
            y *= x;
            x -= middle;
            for (size_t j = m; j < NF_SIMD_DOUBLES; j++)   /* lanes beyond the end add nothing */
                x[j] = 0;
        }
        x2 = x * x;
        s[0] += x;
        s[1] += x2;
        s[2] += x2 * x;
        s[3] += x2 * x2;
        s[4] += y * y;
    }
    memcpy(sums->s, s, sizeof s);
}

enum { ROWS = 4, VECS = 2 };   /* a register tile of the product */

INLINE void gram(const double *a, const double *b, size_t n, size_t width, double *sum)
{
    for (size_t i = 0; i < NF_GRAM_BLOCK; i += ROWS)
        for (size_t j = 0; j < NF_GRAM_BLOCK; j += VECS * NF_SIMD_DOUBLES) {
            vd s00 = { 0 }, s01 = { 0 }, s10 = { 0 }, s11 = { 0 }, s20 = { 0 }, s21 = { 0 }, s30 = { 0 }, s31 = { 0 };

            for (size_t v = 0; v < n; v++) {
                const double *x = a + v * width + i;
                vd y0, y1;

                memcpy(&y0, b + v * width + j, sizeof y0);
                memcpy(&y1, b + v * width + j + NF_SIMD_DOUBLES, sizeof y1);
                s00 += x[0] * y0;
                s01 += x[0] * y1;
                s10 += x[1] * y0;
                s11 += x[1] * y1;
                s20 += x[2] * y0;
                s21 += x[2] * y1;
                s30 += x[3] * y0;
                s31 += x[3] * y1;
            }
            {
                const vd s[ROWS][VECS] = { { s00, s01 }, { s10, s11 }, { s20, s21 }, { s30, s31 } };

                for (size_t r = 0; r < ROWS; r++)
                    for (size_t k = 0; k < VECS * NF_SIMD_DOUBLES; k++)
                        sum[(i + r) * width + j + k] += s[r][k / NF_SIMD_DOUBLES][k % NF_SIMD_DOUBLES];
            }
        }
}

#ifdef __x86_64__
#define AVX512 __attribute__((target("avx512f,avx512vl,avx512dq")))
#define AVX2 __attribute__((target("avx2")))

AVX512 static void powers_avx512(const float *c, const double *length, size_t n, double shift, struct nf_power_sums *sums)
{
    powers(c, length, n, shift, sums);
}

AVX2 static void powers_avx2(const float *c, const double *length, size_t n, double shift, struct nf_power_sums *sums)
{
    powers(c, length, n, shift, sums);
}

AVX512 static void gram_avx512(const double *a, const double *b, size_t n, size_t width, double *sum)
{
    gram(a, b, n, width, sum);
}

AVX2 static void gram_avx2(const double *a, const double *b, size_t n, size_t width, double *sum)
{
    gram(a, b, n, width, sum);
}

/* 2: AVX-512, 1: AVX2, 0: neither. */
static int detect_simd(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") ? 2
           : __builtin_cpu_supports("avx2")                                                                              ? 1
                                                                                                                         : 0;
}
#endif

static void powers_any(const float *c, const double *length, size_t n, double shift, struct nf_power_sums *sums)
{
    powers(c, length, n, shift, sums);
}

static void gram_any(const double *a, const double *b, size_t n, size_t width, double *sum)
{
    gram(a, b, n, width, sum);
}

void nf_simd_powers(const float *c, const double *length, size_t n, double shift, struct nf_power_sums *sums)
{
#ifdef __x86_64__
    int have = detect_simd();

    (have == 2 ? powers_avx512 : have == 1 ? powers_avx2 : powers_any)(c, length, n, shift, sums);
#else
    powers_any(c, length, n, shift, sums);
#endif
}

void nf_simd_gram(const double *a, const double *b, size_t n, size_t width, double *sum)
{
#ifdef __x86_64__
    int have = detect_simd();

    (have == 2 ? gram_avx512 : have == 1 ? gram_avx2 : gram_any)(a, b, n, width, sum);
#else
    gram_any(a, b, n, width, sum);
#endif
}

double nf_simd_total(const double lane[NF_SIMD_DOUBLES])
{
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}
