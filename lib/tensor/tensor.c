/* tensor.c - element types, shapes, and the 16-bit floating-point formats. */
#include "tensor/tensor.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "tensor/dequant.h"

static const struct {
    size_t block, size;
    const char *name;
} dtypes[] = {
    [NF_U8] = { 1, 1, "u8" },        [NF_U16] = { 1, 2, "u16" },        [NF_U32] = { 1, 4, "u32" },
    [NF_U64] = { 1, 8, "u64" },      [NF_I32] = { 1, 4, "i32" },        [NF_I64] = { 1, 8, "i64" },
    [NF_F16] = { 1, 2, "f16" },      [NF_BF16] = { 1, 2, "bf16" },      [NF_F32] = { 1, 4, "f32" },
    [NF_F64] = { 1, 8, "f64" },      [NF_Q4_0] = { 32, 18, "q4_0" },    [NF_Q4_1] = { 32, 20, "q4_1" },
    [NF_Q5_0] = { 32, 22, "q5_0" },  [NF_Q5_1] = { 32, 24, "q5_1" },    [NF_Q8_0] = { 32, 34, "q8_0" },
    [NF_IQ4_NL] = { 32, 18, "iq4_nl" }, [NF_MXFP4] = { 32, 17, "mxfp4" }, [NF_Q2_K] = { 256, 84, "q2_k" },
    [NF_Q3_K] = { 256, 110, "q3_k" }, [NF_Q4_K] = { 256, 144, "q4_k" }, [NF_Q5_K] = { 256, 176, "q5_k" },
    [NF_Q6_K] = { 256, 210, "q6_k" }, [NF_IQ4_XS] = { 256, 136, "iq4_xs" },
};

size_t nf_dtype_size(enum nf_dtype t)
{
    return dtypes[t].size;
}

size_t nf_dtype_block(enum nf_dtype t)
{
    return dtypes[t].block;
}

size_t nf_dtype_bytes(enum nf_dtype t, size_t n)
{
    assert(n % dtypes[t].block == 0);
    return n / dtypes[t].block * dtypes[t].size;
}

const char *nf_dtype_name(enum nf_dtype t)
{
    return dtypes[t].name;
}

bool nf_tensor_count(const struct nf_tensor *t, size_t *count)
{
    *count = 1;
    for (size_t i = 0; i < t->ndim; i++)
        if (!nf_mul(*count, t->shape[i], count))
            return false;
    return true;
}

bool nf_dtype_real(enum nf_dtype t)
{
    return t >= NF_F16;
}

int64_t nf_tensor_int(const struct nf_tensor *t, size_t i)
{
    const unsigned char *p = (const unsigned char *)t->data + i * nf_dtype_size(t->dtype);
    uint16_t h;
    uint32_t u;
    int32_t s;
    int64_t v;

    switch (t->dtype) {
    case NF_U8:
        return *p;
    case NF_U16:
        memcpy(&h, p, sizeof h);
        return h;
    case NF_U32:
        memcpy(&u, p, sizeof u);
        return u;
    case NF_I32:
        memcpy(&s, p, sizeof s);
        return s;
    default:
        assert(!nf_dtype_real(t->dtype));
        memcpy(&v, p, sizeof v);
        return v;
    }
}

double nf_tensor_real(const struct nf_tensor *t, size_t i)
{
    const unsigned char *p = (const unsigned char *)t->data + i * nf_dtype_size(t->dtype);
    float f;
    double d;

    if (t->dtype == NF_F64) {
        memcpy(&d, p, sizeof d);
        return d;
    }
    if (nf_dtype_real(t->dtype)) {
        nf_to_f32(t->dtype, p, 1, &f);
        return f;
    }
    return t->dtype == NF_U64 ? (double)(uint64_t)nf_tensor_int(t, i) : (double)nf_tensor_int(t, i);
}

struct nf_tensor nf_tensor_1d(enum nf_dtype t, const void *data, size_t n)
{
    return (struct nf_tensor){ t, 1, { n }, data };
}

struct nf_tensor nf_tensor_2d(enum nf_dtype t, const void *data, size_t rows, size_t cols)
{
    return (struct nf_tensor){ t, 2, { rows, cols }, data };
}

struct nf_tensor nf_tensor_rows(const struct nf_tensor *t, size_t first, size_t n)
{
    return nf_tensor_2d(t->dtype, (const char *)t->data + nf_dtype_bytes(t->dtype, first * t->shape[1]), n, t->shape[1]);
}

struct nf_tensor nf_tensor_3d(enum nf_dtype t, const void *data, size_t a, size_t b, size_t c)
{
    return (struct nf_tensor){ t, 3, { a, b, c }, data };
}

static uint32_t bits_of(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

/*
 * Exponent and fraction move to their places; the exponent's bias grows by 112, and that of infinity and NaN once more.  A subnormal number
 * counts from 2^-14 down: 2^-14 is put under it and taken away.  No branch, so that many are widened at once.
 */
static inline float widen_half(uint16_t h)
{
    uint32_t rest = ((uint32_t)(h & 0x7fff) << 13) + (112u << 23), sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t small = bits_of(float_of(rest + (1u << 23)) - 0x1p-14f), large = rest + (112u << 23);
    uint32_t u = (h & 0x7c00) == 0 ? small : rest;

    u = (h & 0x7c00) == 0x7c00 ? large : u;
    return float_of(sign | u);
}

float nf_f16_to_f32(uint16_t h)
{
    return widen_half(h);
}

uint16_t nf_f32_to_f16(float f)
{
    uint32_t u = bits_of(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;

    if (a > 0x7f800000)                     /* NaN: kept, made quiet */
        return (uint16_t)(sign | 0x7e00 | (a >> 13 & 0x3ff));
    if (a >= 0x477ff000)                    /* from 65520 on: halfway to 65536, whose even neighbour is infinity */
        return (uint16_t)(sign | 0x7c00);
    if (a < 0x38800000)                     /* below 2^-14: subnormal. Adding 1/2 leaves the multiple of 2^-24, rounded to even */
        return (uint16_t)(sign | (bits_of(float_of(a) + 0.5f) - bits_of(0.5f)));
    a += 0xfff + (a >> 13 & 1);             /* round to nearest, ties to even; a carry moves into the exponent as it should */
    return (uint16_t)(sign | (a - 0x38000000) >> 13);
}

float nf_bf16_to_f32(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

uint16_t nf_f32_to_bf16(float f)
{
    uint32_t u = bits_of(f);

    if ((u & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(u >> 16 | 0x40);  /* NaN: kept, made quiet */
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

void nf_to_f32(enum nf_dtype t, const void *src, size_t n, float *y)
{
    const unsigned char *p = src;
    uint16_t h;
    double d;

    assert(nf_dtype_real(t) && n % nf_dtype_block(t) == 0);
    switch (t) {
    case NF_F16:
        for (size_t i = 0; i < n; i++) {
            memcpy(&h, p + i * sizeof h, sizeof h);
            y[i] = widen_half(h);
        }
        break;
    case NF_BF16:
        for (size_t i = 0; i < n; i++) {
            memcpy(&h, p + i * sizeof h, sizeof h);
            y[i] = nf_bf16_to_f32(h);
        }
        break;
    case NF_F64:
        for (size_t i = 0; i < n; i++) {
            memcpy(&d, p + i * sizeof d, sizeof d);
            y[i] = (float)d;
        }
        break;
    case NF_F32:
        if (n)
            memcpy(y, p, n * sizeof *y);
        break;
    default:
        nf_dequant(t, p, n / nf_dtype_block(t), y);
        break;
    }
}

/* Elements skip .. skip + n - 1 of the block at p. */
static void widen_part(enum nf_dtype t, const void *p, size_t skip, size_t n, float *y)
{
    float block[NF_BLOCK_MAX];

    nf_to_f32(t, p, nf_dtype_block(t), block);
    memcpy(y, block + skip, n * sizeof *y);
}

void nf_tensor_f32(const struct nf_tensor *t, size_t first, size_t n, float *y)
{
    size_t block = nf_dtype_block(t->dtype), skip = first % block, whole;
    const unsigned char *p = (const unsigned char *)t->data + nf_dtype_bytes(t->dtype, first - skip);

    if (skip) {
        size_t head = nf_min(n, block - skip);

        widen_part(t->dtype, p, skip, head, y);
        p += nf_dtype_size(t->dtype);
        y += head;
        n -= head;
    }
    whole = n - n % block;
    nf_to_f32(t->dtype, p, whole, y);
    if (whole < n)
        widen_part(t->dtype, p + nf_dtype_bytes(t->dtype, whole), 0, n - whole, y + whole);
}
