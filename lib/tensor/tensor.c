/* tensor.c - element types, shapes, and the 16-bit floating-point formats. */
#include "tensor/tensor.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

static const struct {
    size_t size;
    const char *name;
} dtypes[] = {
    [NF_U8] = { 1, "u8" },   [NF_U16] = { 2, "u16" }, [NF_U32] = { 4, "u32" },   [NF_U64] = { 8, "u64" }, [NF_I32] = { 4, "i32" },
    [NF_I64] = { 8, "i64" }, [NF_F16] = { 2, "f16" }, [NF_BF16] = { 2, "bf16" }, [NF_F32] = { 4, "f32" }, [NF_F64] = { 8, "f64" },
};

size_t nf_dtype_size(enum nf_dtype t)
{
    return dtypes[t].size;
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
    return nf_tensor_2d(t->dtype, (const char *)t->data + first * t->shape[1] * nf_dtype_size(t->dtype), n, t->shape[1]);
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

/* Exponent and fraction moved to their places in binary32 give the value times 2^-112, whether it is normal or subnormal. */
float nf_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = (uint32_t)(h & 0x7fff) << 13;

    if ((h & 0x7c00) == 0x7c00)   /* infinity, NaN */
        return float_of(sign | 0x7f800000 | rest);
    return float_of(sign | bits_of(float_of(rest) * 0x1p112f));
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

    assert(t == NF_F16 || t == NF_BF16 || t == NF_F32 || t == NF_F64);
    switch (t) {
    case NF_F16:
        for (size_t i = 0; i < n; i++) {
            memcpy(&h, p + i * sizeof h, sizeof h);
            y[i] = nf_f16_to_f32(h);
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
    default:
        if (n)
            memcpy(y, p, n * sizeof *y);
        break;
    }
}
