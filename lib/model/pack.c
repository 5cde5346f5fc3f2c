/* pack.c - tensors of the checkpoint to what the kernels take. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "model/forward_impl.h"

int nf_forward_vector(const struct nf_tensor *t, size_t n, float **y, struct nf_err *err)
{
    if (!t->data)
        return NF_OK;
    *y = nf_alloc(n, sizeof **y, err);
    if (!*y)
        return NF_ESYS;
    nf_tensor_f32(t, 0, n, *y);
    return NF_OK;
}

enum { PACK_ROWS = 16 };          /* rows of a map that a thread widens at a time */
enum { PACK_FLOATS = 1 << 18 };   /* of a map whose pages are in memory together, on the way to its packed form */

/* Rows from .. end - 1 of a map, one after the other, into [out, in]. */
static void widen_rows(const struct nf_linear *m, size_t from, size_t end, float *to)
{
#pragma omp parallel for schedule(static)
    for (size_t r = from; r < end; r += PACK_ROWS)
        nf_linear_rows(m, r, nf_min(PACK_ROWS, end - r), to + r * m->in);
}

/* Columns from .. end - 1 of a map that is stored transposed, into [in, width], the map's part from `to` on. */
static void widen_columns(const struct nf_linear *m, size_t from, size_t end, size_t width, float *to)
{
#pragma omp parallel for schedule(static)
    for (size_t c = from; c < end; c++)
        nf_linear_columns(m, c, 1, to + c * width);
}

/* A map as it is stored, in floats: into [out, in], or its part of [in, width]. */
static void widen(const struct nf_forward *f, const struct nf_linear *m, size_t width, float *to)
{
    size_t stored = m->transposed ? m->in : m->out, each = m->transposed ? m->out : m->in;
    size_t step = nf_max(PACK_FLOATS / each, PACK_ROWS);

    for (size_t from = 0; from < stored; from += step) {
        size_t end = nf_min(stored, from + step);

        if (m->transposed)
            widen_columns(m, from, end, width, to);
        else
            widen_rows(m, from, end, to);
        nf_weights_drop(f->w, &m->w);
    }
}

int nf_forward_pack(struct nf_forward *f, const struct nf_gemm *g, const struct nf_linear *const *map, size_t n, void *packed,
                    struct nf_err *err)
{
    bool transposed = map[0]->transposed;
    size_t width = 0, out = 0;

    for (size_t i = 0; i < n; i++)
        width += map[i]->out;
    for (size_t i = 0; i < n; out += map[i++]->out)
        widen(f, map[i], width, f->slab + (transposed ? out : out * map[i]->in));
    return (transposed ? nf_gemm_pack_transposed : nf_gemm_pack)(g, f->slab, packed, err);
}

/* ---- a block ---- */

static int alloc_packed(const struct nf_gemm *g, const struct nf_linear *l, size_t N, struct nf_packed *p, struct nf_err *err)
{
    if (!l->w.data)
        return NF_OK;
    p->w = nf_alloc(nf_gemm_packed_size(g), 1, err);
    p->bias = l->b.data ? nf_alloc(N, sizeof(float), err) : NULL;
    return p->w && (p->bias || !l->b.data) ? NF_OK : NF_ESYS;
}

static int alloc_gain(const struct nf_norm *n, size_t D, struct nf_gain *g, struct nf_err *err)
{
    g->gain = n->gain.data ? nf_alloc(D, sizeof(float), err) : NULL;
    g->bias = n->bias.data ? nf_alloc(D, sizeof(float), err) : NULL;
    return (g->gain || !n->gain.data) && (g->bias || !n->bias.data) ? NF_OK : NF_ESYS;
}

/* All layers have the same tensors as the first. */
int nf_block_alloc(struct nf_forward *f, struct nf_block *b, struct nf_err *err)
{
    const struct nf_config *cfg = f->cfg;
    const struct nf_layer *l = f->w->layer;

    if (alloc_gain(&l->attn_norm, cfg->D, &b->attn_norm, err) < 0 || alloc_gain(&l->q_norm, cfg->K, &b->q_norm, err) < 0 ||
        alloc_gain(&l->k_norm, cfg->K, &b->k_norm, err) < 0 || alloc_gain(&l->ffn_norm, cfg->D, &b->ffn_norm, err) < 0 ||
        alloc_packed(f->qkv, &l->q, l->q.out + l->k.out + l->v.out, &b->qkv, err) < 0 ||
        alloc_packed(f->o, &l->o, cfg->D, &b->o, err) < 0 || alloc_packed(f->in, &l->ffn_in, cfg->F, &b->in, err) < 0 ||
        alloc_packed(f->in, &l->ffn_up, cfg->F, &b->up, err) < 0 || alloc_packed(f->out, &l->ffn_out, cfg->D, &b->out, err) < 0)
        return NF_ESYS;
    return NF_OK;
}

static void free_packed(struct nf_packed *p)
{
    free(p->w);
    free(p->bias);
}

void nf_block_free(struct nf_block *b)
{
    struct nf_packed *maps[] = { &b->qkv, &b->o, &b->in, &b->up, &b->out };
    struct nf_gain *gains[] = { &b->attn_norm, &b->q_norm, &b->k_norm, &b->ffn_norm };

    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        free_packed(maps[i]);
    for (size_t i = 0; i < sizeof gains / sizeof *gains; i++) {
        free(gains[i]->gain);
        free(gains[i]->bias);
    }
    memset(b, 0, sizeof *b);
}

static void widen_gain(const struct nf_norm *n, size_t D, struct nf_gain *g)
{
    if (g->gain)
        nf_tensor_f32(&n->gain, 0, D, g->gain);
    if (g->bias)
        nf_tensor_f32(&n->bias, 0, D, g->bias);
}

/* n maps of the same input as one; their biases one after the other. */
static int pack_maps(struct nf_forward *f, const struct nf_gemm *g, const struct nf_linear *const *map, size_t n,
                     struct nf_packed *p, struct nf_err *err)
{
    float *bias = p->bias;

    for (size_t i = 0; i < n && bias; bias += map[i++]->out)
        nf_linear_bias(map[i], bias);
    return p->w ? nf_forward_pack(f, g, map, n, p->w, err) : NF_OK;
}

int nf_block_pack(struct nf_forward *f, size_t layer, struct nf_block *b, struct nf_err *err)
{
    const struct nf_layer *l = &f->w->layer[layer];
    const struct nf_linear *qkv[] = { &l->q, &l->k, &l->v }, *o = &l->o, *in = &l->ffn_in, *up = &l->ffn_up, *out = &l->ffn_out;

    widen_gain(&l->attn_norm, f->cfg->D, &b->attn_norm);
    widen_gain(&l->q_norm, f->cfg->K, &b->q_norm);
    widen_gain(&l->k_norm, f->cfg->K, &b->k_norm);
    widen_gain(&l->ffn_norm, f->cfg->D, &b->ffn_norm);
    if (pack_maps(f, f->qkv, qkv, 3, &b->qkv, err) < 0 || pack_maps(f, f->o, &o, 1, &b->o, err) < 0 ||
        pack_maps(f, f->in, &in, 1, &b->in, err) < 0 || pack_maps(f, f->in, &up, 1, &b->up, err) < 0 ||
        pack_maps(f, f->out, &out, 1, &b->out, err) < 0)
        return NF_ESYS;
    return NF_OK;
}
