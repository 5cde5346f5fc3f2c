/* rope.c - tables of angles, and the turning of heads. */
#include "model/rope.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "model/kernels.h"

/* In float32, step by step as transformers has it. */
static float stretched(const struct nf_rope_config *c, float f)
{
    float factor = (float)c->factor, wave = (float)(2 * M_PI) / f, s, slow;

    if (c->kind == NF_ROPE_LINEAR)
        return f / factor;
    if (c->kind == NF_ROPE_DEFAULT || wave < (float)((double)c->original / c->high))
        return f;
    if (wave > (float)((double)c->original / c->low))
        return f / factor;
    s = ((float)c->original / wave - (float)c->low) / (float)(c->high - c->low);
    slow = (1 - s) * f / factor;
    return slow + s * f;
}

int nf_rope_init(const struct nf_rope_config *cfg, size_t positions, struct nf_rope *r, struct nf_err *err)
{
    size_t half = cfg->R / 2;

    *r = (struct nf_rope){ half, positions, nf_alloc(positions * half, sizeof(float), err),
                           nf_alloc(positions * half, sizeof(float), err) };
    if (!r->cosine || !r->sine)
        return NF_ESYS;
    for (size_t i = 0; i < half; i++) {
        float f = stretched(cfg, 1 / (float)pow(cfg->theta, (double)((float)(2 * i) / (float)cfg->R)));

        for (size_t p = 0; p < positions; p++) {
            float angle = (float)p * f;

            r->cosine[p * half + i] = (float)cos(angle);
            r->sine[p * half + i] = (float)sin(angle);
        }
    }
    return NF_OK;
}

void nf_rope_clear(struct nf_rope *r)
{
    free(r->cosine);
    free(r->sine);
    *r = (struct nf_rope){ 0 };
}

void nf_rope_turn(const struct nf_rope *r, const uint32_t *length, size_t W, size_t heads, size_t K, size_t stride, float *x)
{
    const struct nf_kernels *k = nf_kernels();

#pragma omp parallel
    {
        float *at = x;

        for (size_t w = 0; w < W; at += length[w++] * stride) {
#pragma omp for schedule(static) nowait
            for (size_t p = 0; p < length[w]; p++)
                for (size_t h = 0; h < heads; h++)
                    k->rotate(at + p * stride + h * K, r->cosine + p * r->half, r->sine + p * r->half, r->half);
        }
    }
}
