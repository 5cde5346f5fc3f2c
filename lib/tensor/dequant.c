/*
 * dequant.c - one function a format: unpack the bits of a block into bytes, then scale them.
 *
 * The loops have fixed lengths and no branches, so that compilers make vectors of them.  A product is stored before it is added to: not even
 * a compiler that contracts expressions makes one rounding of the two.
 */
#include "tensor/dequant.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/at.h"

typedef unsigned char byte;

static inline float half_at(const byte *p)
{
    uint16_t h;

    memcpy(&h, p, sizeof h);
    return nf_f16_to_f32(h);
}

/* ---- bits into bytes ---- */

/* q[0 .. n - 1]: the low halves of n bytes; q[n .. 2n - 1]: the high ones. */
static inline void split_nibbles(const byte *restrict p, size_t n, byte *restrict q)
{
    for (size_t i = 0; i < n; i++)
        q[i] = p[i] & 15;
    for (size_t i = 0; i < n; i++)
        q[n + i] = p[i] >> 4;
}

/* q[i] |= bit i of the 32 bits at p, times 16.  Eight bits at once: bit k of a byte is kept in byte k, where adding 0x7f carries it to the top. */
static inline void add_fifth_bits(const byte *p, byte *q)
{
    const uint64_t every = UINT64_C(0x0101010101010101), one_each = UINT64_C(0x8040201008040201);

    for (size_t i = 0; i < 4; i++) {
        uint64_t bits = (p[i] * every & one_each) + 0x7f * every, eight = nf_u8_at(q, i) | (bits >> 3 & 0x10 * every);

        memcpy(q + 8 * i, &eight, sizeof eight);
    }
}

/* Six bits a group of Q4_K and Q5_K: sc and mn of the first four lie in 8 bytes; of the last four, 4 bits in 4 bytes more, 2 on top of those. */
static inline void split_scales(const byte *p, byte *sc, byte *mn)
{
    for (size_t i = 0; i < 4; i++) {
        sc[i] = p[i] & 63;
        mn[i] = p[4 + i] & 63;
        sc[4 + i] = (byte)((p[8 + i] & 15) | (p[i] >> 6 << 4));
        mn[4 + i] = (byte)(p[8 + i] >> 4 | p[4 + i] >> 6 << 4);
    }
}

/* ---- bytes into floats ---- */

/* y[i] = d (q[i] - offset) */
static inline void unpack_scale(const byte *restrict q, size_t n, int offset, float d, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = d * (float)(q[i] - offset);
}

/* y[i] = d q[i] + m */
static inline void scale_and_shift(const byte *restrict q, size_t n, float d, float m, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = d * (float)q[i];
    for (size_t i = 0; i < n; i++)
        y[i] += m;
}

/* y[i] = d level[q[i]] */
static inline void look_up(const byte *restrict q, size_t n, const int8_t level[16], float d, float *restrict y)
{
    float value[16];

    for (size_t i = 0; i < 16; i++)
        value[i] = d * level[i];
    for (size_t i = 0; i < n; i++)
        y[i] = value[q[i]];
}

/* ---- blocks of 32 ---- */

static void read_q4_0(const byte *p, float *y)
{
    byte q[32];

    split_nibbles(p + 2, 16, q);
    unpack_scale(q, 32, 8, half_at(p), y);
}

static void read_q4_1(const byte *p, float *y)
{
    byte q[32];

    split_nibbles(p + 4, 16, q);
    scale_and_shift(q, 32, half_at(p), half_at(p + 2), y);
}

static void read_q5_0(const byte *p, float *y)
{
    byte q[32];

    split_nibbles(p + 6, 16, q);
    add_fifth_bits(p + 2, q);
    unpack_scale(q, 32, 16, half_at(p), y);
}

static void read_q5_1(const byte *p, float *y)
{
    byte q[32];

    split_nibbles(p + 8, 16, q);
    add_fifth_bits(p + 4, q);
    scale_and_shift(q, 32, half_at(p), half_at(p + 2), y);
}

static void read_q8_0(const byte *p, float *restrict y)
{
    const int8_t *q = (const int8_t *)p + 2;
    float d = half_at(p);

    for (size_t i = 0; i < 32; i++)
        y[i] = d * (float)q[i];
}

static const int8_t iq4_level[16] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 };
static const int8_t e2m1_doubled[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

static void read_iq4_nl(const byte *p, float *y)
{
    byte q[32];

    split_nibbles(p + 2, 16, q);
    look_up(q, 32, iq4_level, half_at(p), y);
}

/* 2^(e - 128); the first two are subnormal. */
static inline float half_power(byte e)
{
    uint32_t u = e < 2 ? UINT32_C(0x200000) << e : (uint32_t)(e - 1) << 23;
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

static void read_mxfp4(const byte *p, float *y)
{
    byte q[32];

    split_nibbles(p + 1, 16, q);
    look_up(q, 32, e2m1_doubled, half_power(p[0]), y);
}

/* ---- blocks of 256 ---- */

/* q of half a block of Q2_K and Q3_K: 32 bytes hold two bits each of elements i, 32 + i, 64 + i, 96 + i. */
static inline void split_pairs(const byte *restrict p, byte *restrict q)
{
    for (size_t i = 0; i < 32; i++)
        q[i] = p[i] & 3;
    for (size_t i = 0; i < 32; i++)
        q[32 + i] = p[i] >> 2 & 3;
    for (size_t i = 0; i < 32; i++)
        q[64 + i] = p[i] >> 4 & 3;
    for (size_t i = 0; i < 32; i++)
        q[96 + i] = p[i] >> 6;
}

static void read_q2_k(const byte *p, float *y)
{
    float d = half_at(p + 80), dmin = half_at(p + 82);
    byte q[256];

    split_pairs(p + 16, q);
    split_pairs(p + 48, q + 128);
    for (size_t g = 0; g < 16; g++)
        scale_and_shift(q + 16 * g, 16, d * (float)(p[g] & 15), -(dmin * (float)(p[g] >> 4)), y + 16 * g);
}

/* Group g of Q3_K: four bits in byte g % 8 of 12, two more in byte 8 + g % 4. */
static inline int q3_scale(const byte *p, size_t g)
{
    return (p[g % 8] >> 4 * (g / 8) & 15) | (p[8 + g % 4] >> 2 * (g / 4) & 3) << 4;
}

static void read_q3_k(const byte *p, float *y)
{
    float d = half_at(p + 108);
    byte q[256];

    split_pairs(p + 32, q);
    split_pairs(p + 64, q + 128);
    for (size_t j = 0; j < 8; j++)
        for (size_t i = 0; i < 32; i++)
            q[32 * j + i] |= (byte)((p[i] >> j & 1) << 2);
    for (size_t g = 0; g < 16; g++)
        unpack_scale(q + 16 * g, 16, 4, d * (float)(q3_scale(p + 96, g) - 32), y + 16 * g);
}

/* Groups of 32, whose q is known. */
static inline void scale_groups(const byte *p, const byte *q, float *y)
{
    float d = half_at(p), dmin = half_at(p + 2);
    byte sc[8], mn[8];

    split_scales(p + 4, sc, mn);
    for (size_t g = 0; g < 8; g++)
        scale_and_shift(q + 32 * g, 32, d * (float)sc[g], -(dmin * (float)mn[g]), y + 32 * g);
}

static void read_q4_k(const byte *p, float *y)
{
    byte q[256];

    for (size_t j = 0; j < 4; j++)
        split_nibbles(p + 16 + 32 * j, 32, q + 64 * j);
    scale_groups(p, q, y);
}

static void read_q5_k(const byte *p, float *y)
{
    byte q[256];

    for (size_t j = 0; j < 4; j++)
        split_nibbles(p + 48 + 32 * j, 32, q + 64 * j);
    for (size_t j = 0; j < 8; j++)
        for (size_t i = 0; i < 32; i++)
            q[32 * j + i] |= (byte)((p[16 + i] >> j & 1) << 4);
    scale_groups(p, q, y);
}

static void read_q6_k(const byte *p, float *y)
{
    float d = half_at(p + 208);
    byte q[256], top[256];

    for (size_t j = 0; j < 2; j++) {
        split_nibbles(p + 64 * j, 64, q + 128 * j);
        split_pairs(p + 128 + 32 * j, top + 128 * j);
    }
    for (size_t i = 0; i < 256; i++)
        q[i] |= (byte)(top[i] << 4);
    for (size_t g = 0; g < 16; g++)
        unpack_scale(q + 16 * g, 16, 32, d * (float)(int8_t)p[192 + g], y + 16 * g);
}

static void read_iq4_xs(const byte *p, float *y)
{
    float d = half_at(p);
    unsigned high = p[2] | (unsigned)p[3] << 8;
    byte q[32];

    for (size_t g = 0; g < 8; g++) {
        int sc = (p[4 + g / 2] >> 4 * (g % 2) & 15) | (int)(high >> 2 * g & 3) << 4;

        split_nibbles(p + 8 + 16 * g, 16, q);
        look_up(q, 32, iq4_level, d * (float)(sc - 32), y + 32 * g);
    }
}

/* ---- all of them ---- */

static const struct format {
    void (*read)(const byte *p, float *y);
    int scale[2]; /* offsets of the float16 numbers in a block; -1: none */
} formats[] = {
    [NF_Q4_0] = { read_q4_0, { 0, -1 } },     [NF_Q4_1] = { read_q4_1, { 0, 2 } },   [NF_Q5_0] = { read_q5_0, { 0, -1 } },
    [NF_Q5_1] = { read_q5_1, { 0, 2 } },      [NF_Q8_0] = { read_q8_0, { 0, -1 } },  [NF_IQ4_NL] = { read_iq4_nl, { 0, -1 } },
    [NF_MXFP4] = { read_mxfp4, { -1, -1 } },  [NF_Q2_K] = { read_q2_k, { 80, 82 } }, [NF_Q3_K] = { read_q3_k, { 108, -1 } },
    [NF_Q4_K] = { read_q4_k, { 0, 2 } },      [NF_Q5_K] = { read_q5_k, { 0, 2 } },   [NF_Q6_K] = { read_q6_k, { 208, -1 } },
    [NF_IQ4_XS] = { read_iq4_xs, { 0, -1 } },
};

void nf_dequant(enum nf_dtype t, const void *p, size_t blocks, float *y)
{
    size_t n = nf_dtype_block(t), size = nf_dtype_size(t);

    for (size_t i = 0; i < blocks; i++)
        formats[t].read((const byte *)p + i * size, y + i * n);
}

/* Exponent bytes from 253 on reach beyond float32 with the largest q; all others are finite. */
static bool mxfp4_finite(const byte *p)
{
    float y[32];

    if (p[0] < 253)
        return true;
    read_mxfp4(p, y);
    for (size_t i = 0; i < 32; i++)
        if (!isfinite(y[i]))
            return false;
    return p[0] < 255; /* 255 is the format's NaN */
}

static bool half_finite(const byte *p)
{
    return (p[1] & 0x7c) != 0x7c;
}

/* A scale is at most 65504, times at most 127 times 127: where scales are finite, so are the elements. */
size_t nf_dequant_bad(enum nf_dtype t, const void *p, size_t blocks)
{
    const struct format *f = &formats[t];
    const byte *at = p;

    for (size_t i = 0; i < blocks; i++, at += nf_dtype_size(t)) {
        if (t == NF_MXFP4 && !mxfp4_finite(at))
            return i;
        for (size_t k = 0; k < 2; k++)
            if (f->scale[k] >= 0 && !half_finite(at + f->scale[k]))
                return i;
    }
    return blocks;
}
