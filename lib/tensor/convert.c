/* convert.c - 16-bit floating-point numbers, many at a time. */
#include "tensor/convert.h"

#include <string.h>

#include "base/cpu.h"
#include "tensor/tensor.h"

struct conversions {
    void (*widen_bf16)(const char *x, size_t n, float *y);
    void (*widen_f16)(const char *x, size_t n, float *y);
    void (*narrow_bf16)(const float *x, size_t n, uint16_t *y);
};

/* Element i of 16-bit numbers that need not be aligned. */
static inline uint16_t load_half(const char *x, size_t i)
{
    uint16_t h;

    memcpy(&h, x + i * sizeof h, sizeof h);
    return h;
}

#define ISA_TEXT "tensor/convert.inc"
#include "base/each_isa.inc"

static const struct conversions *choose_conversions(void)
{
    static const struct conversions *const sets[NF_ISA_COUNT] = {
        [NF_ISA_BASELINE] = &conversions_baseline,
#ifdef __x86_64__
        [NF_ISA_AVX2] = &conversions_avx2,
        [NF_ISA_AVX512] = &conversions_avx512,
#endif
    };

    return sets[nf_cpu_isa()];
}

void nf_widen_bf16(const void *x, size_t n, float *y)
{
    choose_conversions()->widen_bf16(x, n, y);
}

void nf_widen_f16(const void *x, size_t n, float *y)
{
    choose_conversions()->widen_f16(x, n, y);
}

void nf_narrow_bf16(const float *x, size_t n, uint16_t *y)
{
    choose_conversions()->narrow_bf16(x, n, y);
}
