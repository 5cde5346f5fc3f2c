/* block.c - one transformer block over the rows of many windows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "model/attention.h"
#include "model/forward_impl.h"

/* ---- weights ---- */

static int alloc_packed(const struct nf_gemm *g, const struct nf_config *cfg, size_t N, struct nf_packed *p, struct nf_err *err)
{
    p->w = nf_alloc(nf_gemm_packed_size(g), 1, err);
    p->bias = cfg->bias ? nf_alloc(N, sizeof(float), err) : NULL;
    return p->w && (p->bias || !cfg->bias) ? NF_OK : NF_ESYS;
}

static int alloc_gain(const struct nf_config *cfg, struct nf_gain *n, struct nf_err *err)
{
    if (!cfg->norm_affine)
        return NF_OK;
    n->gain = nf_alloc(cfg->D, sizeof(float), err);
    n->bias = nf_alloc(cfg->D, sizeof(float), err);
    return n->gain && n->bias ? NF_OK : NF_ESYS;
}

int nf_block_alloc(struct nf_forward *f, struct nf_block *b, struct nf_err *err)
{
    const struct nf_config *cfg = f->cfg;

    if (alloc_gain(cfg, &b->attn_norm, err) < 0 || alloc_gain(cfg, &b->ffn_norm, err) < 0 ||
        alloc_packed(f->qkv, cfg, 3 * cfg->D, &b->qkv, err) < 0 || alloc_packed(f->o, cfg, cfg->D, &b->o, err) < 0 ||
        alloc_packed(f->in, cfg, cfg->F, &b->in, err) < 0 || alloc_packed(f->out, cfg, cfg->D, &b->out, err) < 0)
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
    free_packed(&b->qkv);
    free_packed(&b->o);
    free_packed(&b->in);
    free_packed(&b->out);
    free(b->attn_norm.gain);
    free(b->attn_norm.bias);
    free(b->ffn_norm.gain);
    free(b->ffn_norm.bias);
    memset(b, 0, sizeof *b);
}

/* A vector of n floats at y, where both it and the tensor exist. */
static void widen(const struct nf_tensor *t, size_t n, float *y)
{
    if (t->data && y)
        nf_to_f32(t->dtype, t->data, n, y);
}

int nf_block_pack(struct nf_forward *f, size_t layer, struct nf_block *b, struct nf_err *err)
{
    const struct nf_layer *l = &f->w->layer[layer];
    const struct nf_tensor qkv[] = { l->q.w, l->k.w, l->v.w };
    size_t D = f->cfg->D;

    widen(&l->attn_norm.gain, D, b->attn_norm.gain);
    widen(&l->attn_norm.bias, D, b->attn_norm.bias);
    widen(&l->ffn_norm.gain, D, b->ffn_norm.gain);
    widen(&l->ffn_norm.bias, D, b->ffn_norm.bias);
    if (b->qkv.bias) {
        widen(&l->q.b, D, b->qkv.bias);
        widen(&l->k.b, D, b->qkv.bias + D);
        widen(&l->v.b, D, b->qkv.bias + 2 * D);
    }
    widen(&l->o.b, D, b->o.bias);
    widen(&l->ffn_in.b, f->cfg->F, b->in.bias);
    widen(&l->ffn_out.b, D, b->out.bias);
    if (nf_forward_pack(f, f->qkv, qkv, 3, b->qkv.w, err) < 0 || nf_forward_pack(f, f->o, &l->o.w, 1, b->o.w, err) < 0 ||
        nf_forward_pack(f, f->in, &l->ffn_in.w, 1, b->in.w, err) < 0 ||
        nf_forward_pack(f, f->out, &l->ffn_out.w, 1, b->out.w, err) < 0)
        return NF_ESYS;
    return NF_OK;
}

/* ---- arithmetic ---- */

/* One run of one block over some rows. */
struct pass {
    struct nf_forward *f;
    const struct nf_block *b;
    size_t layer, row, rows;   /* rows row .. row + rows - 1 of the batch */
    float *x;                  /* [rows, D] their residual stream */
    struct nf_err *err;
};

static int tap(const struct pass *p, enum nf_site site, size_t width, const void *data)
{
    return nf_forward_tap(p->f, site, p->layer, p->row, p->rows, width, data, NULL, p->err);
}

/* The input of a sublayer: normalised in pre-norm models, the stream itself in post-norm ones. */
static struct nf_mat sublayer_input(const struct pass *p, const struct nf_gain *norm)
{
    const struct nf_forward *f = p->f;
    size_t D = f->cfg->D;
    struct nf_mat h = nf_forward_mat(f, f->h, f->h16);

    if (f->cfg->pre_norm)
        nf_layernorm_to(p->x, norm->gain, norm->bias, f->cfg->norm_eps, p->rows, D, f->h, h);
    else if (f->h16)
        nf_copy_to(p->x, p->rows * D, h);
    else
        h.f32 = p->x;
    return h;
}

/* x += what the sublayer gave; post-norm models normalise the sum. */
static void sublayer_output(const struct pass *p, const struct nf_gain *norm, const float *add)
{
    const struct nf_config *cfg = p->f->cfg;

    nf_add(add, p->rows * cfg->D, p->x);
    if (!cfg->pre_norm)
        nf_layernorm(p->x, norm->gain, norm->bias, cfg->norm_eps, p->rows, cfg->D, p->x);
}

static int attention(const struct pass *p, const uint32_t *length, size_t W, enum nf_depth depth)
{
    struct nf_forward *f = p->f;
    const struct nf_config *cfg = f->cfg;
    size_t D = cfg->D, H = cfg->H, K = cfg->K;
    bool local = nf_forward_wants(f, NF_SITE_ATTN_LOCAL, p->layer);
    float scale = (float)(1 / sqrt((double)K));   /* Vaswani et al. 2017, section 3.2.1 */
    struct nf_mat h = sublayer_input(p, &p->b->attn_norm), y = nf_forward_mat(f, f->y, f->h16);
    int rc = nf_gemm_run(f->qkv, p->b->qkv.w, p->b->qkv.bias, nf_mat_data(h), p->rows, f->qkv_out, p->err);

    if (rc < 0)
        return rc;
    nf_attention(f->qkv_out, length, W, H, K, scale, f->threads, f->y, local ? f->log_sum : NULL, f->attn_work);
    if (local) {
        nf_attention_local(f->qkv_out, length, W, H, K, scale, f->log_sum, f->local);
        rc = tap(p, NF_SITE_ATTN_LOCAL, H * NF_LOCAL_WIDTH, f->local);
    }
    if (rc < 0 || depth < NF_TO_MID)
        return rc;
    nf_copy_to(f->y, p->rows * D, y);
    rc = nf_gemm_run(f->o, p->b->o.w, p->b->o.bias, nf_mat_data(y), p->rows, f->h, p->err);
    if (rc == NF_OK)
        rc = tap(p, NF_SITE_ATTN_OUT, D, f->h);
    if (rc < 0)
        return rc;
    if (f->norms) {
        memcpy(f->pre, p->x, p->rows * D * sizeof *f->pre);
        memcpy(f->attn, f->h, p->rows * D * sizeof *f->attn);
    }
    sublayer_output(p, &p->b->attn_norm, f->h);
    return tap(p, NF_SITE_RESID_MID, D, p->x);
}

/* Activations to whoever wants floats of them. */
static int tap_act(const struct pass *p, enum nf_site site, struct nf_mat act)
{
    struct nf_forward *f = p->f;
    size_t F = f->cfg->F;

    if (!nf_forward_wants(f, site, p->layer))
        return NF_OK;
    if (act.bf16) {
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < p->rows; i++)
            nf_kernels()->from_bf16(act.bf16 + i * F, F, f->wide + i * F);
    }
    return tap(p, site, F, act.f32 ? act.f32 : f->wide);
}

/* Pre-activations to activations, in place, with the signs on the way. */
static int activate(const struct pass *p, struct nf_mat act)
{
    struct nf_forward *f = p->f;
    size_t F = f->cfg->F;
    bool active = nf_forward_wants(f, NF_SITE_FFN_ACTIVE, p->layer);
    float near_zero = f->opts.tap ? f->opts.tap->near_zero : 0;
    int rc = tap_act(p, NF_SITE_FFN_PRE, act);

    if (rc < 0)
        return rc;
    nf_relu_bits(act, p->rows, F, near_zero, active ? f->bits : NULL, f->near);
    if (active)
        rc = nf_forward_tap(f, NF_SITE_FFN_ACTIVE, p->layer, p->row, p->rows, (F + 7) / 8, f->bits, f->near, p->err);
    return rc < 0 ? rc : tap_act(p, NF_SITE_FFN_ACT, act);
}

static int feed_forward(const struct pass *p, enum nf_depth depth)
{
    struct nf_forward *f = p->f;
    bool looked_at = nf_forward_wants(f, NF_SITE_FFN_PRE, p->layer) || nf_forward_wants(f, NF_SITE_FFN_ACTIVE, p->layer) ||
                     nf_forward_wants(f, NF_SITE_FFN_ACT, p->layer);
    struct nf_mat h = sublayer_input(p, &p->b->ffn_norm), act = nf_forward_mat(f, f->act, f->act16);
    int rc = nf_gemm_run(looked_at ? f->in : f->relu, p->b->in.w, p->b->in.bias, nf_mat_data(h), p->rows, (void *)nf_mat_data(act),
                         p->err);

    if (rc == NF_OK && looked_at)
        rc = activate(p, act);
    if (rc < 0 || depth < NF_TO_END)
        return rc;
    rc = nf_gemm_run(f->out, p->b->out.w, p->b->out.bias, nf_mat_data(act), p->rows, f->y, p->err);
    if (rc == NF_OK)
        rc = tap(p, NF_SITE_FFN_OUT, f->cfg->D, f->y);
    if (rc == NF_OK)
        sublayer_output(p, &p->b->ffn_norm, f->y);
    return rc;
}

/* After the block: the stream that leaves it, and the norms of all that went in.  `at`: first row within the chunk. */
static int leave(const struct pass *p, size_t at)
{
    struct nf_forward *f = p->f;
    size_t D = f->cfg->D;
    int rc = tap(p, NF_SITE_RESID_POST, D, p->x);

    if (rc < 0 || !nf_forward_wants(f, NF_SITE_NORMS, p->layer))
        return rc;
    nf_block_norms(f->pre + at * D, f->attn + at * D, f->y, p->x, p->rows, D, f->norms);
    return tap(p, NF_SITE_NORMS, 8, f->norms);
}

static int chunk(const struct pass *whole, const uint32_t *length, size_t W, enum nf_depth depth)
{
    size_t D = whole->f->cfg->D;
    int rc = tap(whole, NF_SITE_RESID_PRE, D, whole->x);

    if (rc == NF_OK)
        rc = attention(whole, length, W, depth);
    for (size_t at = 0; rc == NF_OK && depth > NF_TO_MID && at < whole->rows; at += NF_CHUNK) {
        struct pass p = *whole;

        p.row += at;
        p.rows = nf_min(NF_CHUNK, whole->rows - at);
        p.x += at * D;
        rc = feed_forward(&p, depth);
        if (rc == NF_OK && depth == NF_TO_END)
            rc = leave(&p, at);
    }
    return rc;
}

static int check_finite(const struct nf_forward *f, size_t layer, const struct nf_windows *win, const float *x, struct nf_err *err)
{
    size_t row = f->opts.allow_nonfinite ? win->T : nf_first_nonfinite(x, win->T, f->cfg->D), w = 0;

    if (row == win->T)
        return NF_OK;
    while (row >= win->length[w])
        row -= win->length[w++];
    return nf_fail(err, NF_EFORMAT, "layer %zu: the residual stream is NaN or infinite in window %zu of the batch, position %zu",
                   layer, w, row);
}

int nf_block_run(struct nf_forward *f, size_t layer, const struct nf_block *b, const struct nf_windows *win, float *x,
                 enum nf_depth depth, struct nf_err *err)
{
    struct pass p = { .f = f, .b = b, .layer = layer, .err = err };
    size_t w = 0;
    int rc = NF_OK;

    while (rc == NF_OK && w < win->W) {
        size_t from = w;

        p.row += p.rows;
        p.rows = 0;
        p.x = x + p.row * f->cfg->D;
        do
            p.rows += win->length[w++];
        while (w < win->W && p.rows + win->length[w] <= NF_CHUNK);
        rc = chunk(&p, win->length + from, w - from, depth);
    }
    return rc < 0 || f->opts.allow_nonfinite ? rc : check_finite(f, layer, win, x, err);
}
