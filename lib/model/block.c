/*
 * block.c - one transformer block over the rows of many windows: h [T,D], the residual stream, becomes h''.
 *
 *   pre-norm    h'  = h  + attention(norm(h))          parallel    h'' = h + attention(norm(h)) + ffn(norm'(h))
 *               h'' = h' + ffn(norm'(h'))
 *   post-norm   h'  = norm(h + attention(h))
 *               h'' = norm'(h' + ffn(h'))
 *
 *   attention(x)   O y + b, where head i of y is softmax(scale q_i k_g' + mask) v_g over the positions up to its own, in its window
 *                  q, k, v = QKV x + b, head by head: normalised (qk_norm), then turned to their positions (rotary); head i shares
 *                  keys and values g = floor(i G / H)
 *   ffn(x)         W_out act(W_in x + b) + b;  gated: W_out (act(W_gate x) * W_up x)
 *
 * Which of these a model has is in struct nf_config.  Rows go through in chunks of NF_CHUNK; every site is offered to the tap on the way.
 * Sources: Vaswani et al. 2017, arXiv:1706.03762; Wang and Komatsuzaki 2021, GPT-J (parallel); Shazeer 2020, arXiv:2002.05202 (gated);
 * Ainslie et al. 2023, arXiv:2305.13245 (shared keys); Su et al. 2021, arXiv:2104.09864 (rotary).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/par.h"
#include "model/attention.h"
#include "model/forward_impl.h"
#include "tensor/convert.h"

/* ---- arithmetic ---- */

/* One run of one block over some rows. */
struct block_pass {
    struct nf_forward *f;
    const struct nf_block *b;
    const struct nf_edit *edit;
    size_t layer, row, rows;   /* rows row .. row + rows - 1 of the batch */
    float *x;                  /* [rows, D] their residual stream */
    struct nf_err *err;
};

static int tap(const struct block_pass *p, enum nf_site site, size_t width, const void *data)
{
    return nf_forward_tap(p->f, site, p->layer, p->row, p->rows, width, data, NULL, p->err);
}

/* The input of a sublayer: normalised in pre-norm models, the stream itself in post-norm ones. */
static struct nf_mat sublayer_input(const struct block_pass *p, const struct nf_gain *norm)
{
    const struct nf_forward *f = p->f;
    struct nf_mat h = nf_forward_mat(f, f->h, f->h16);

    if (f->cfg->pre_norm)
        nf_forward_norm(f, norm, p->x, p->rows, f->h, h);
    else if (f->h16)
        nf_copy_to(p->x, p->rows * f->cfg->D, h);
    else
        h.f32 = p->x;
    return h;
}

/* x += what the sublayer gave, NULL: zero; post-norm models normalise the sum. */
static void sublayer_output(const struct block_pass *p, const struct nf_gain *norm, const float *add)
{
    const struct nf_config *cfg = p->f->cfg;

    if (add)
        nf_add(add, p->rows * cfg->D, p->x);
    if (!cfg->pre_norm)
        nf_forward_norm(p->f, norm, p->x, p->rows, p->x, (struct nf_mat){ .f32 = p->x });
}

/* Queries and keys to what their products are made of: normalised head by head, and turned to their positions. */
static void place_heads(const struct block_pass *p, const uint32_t *length, size_t W)
{
    const struct nf_config *cfg = p->f->cfg;
    size_t H = cfg->H, G = cfg->G, K = cfg->K, stride = (H + 2 * G) * K;
    float *q = p->f->qkv_out, *k = q + H * K;
    bool centre = cfg->qk_norm == NF_NORM_LAYER;

    if (cfg->qk_norm != NF_NORM_NONE) {
        nf_normalise_heads(p->b->q_norm.gain, p->b->q_norm.bias, cfg->norm_eps, centre, p->rows, H, K, stride, q);
        nf_normalise_heads(p->b->k_norm.gain, p->b->k_norm.bias, cfg->norm_eps, centre, p->rows, G, K, stride, k);
    }
    if (cfg->positions == NF_POS_ROTARY)
        nf_rope_turn(&p->f->rope, length, W, H + G, K, stride, q);
}

/* Scores are scaled by K^-1/2: Vaswani et al. 2017, section 3.2.1. */
static float score_scale(const struct nf_config *cfg, size_t layer)
{
    double scale = cfg->scale_scores ? 1 / sqrt((double)cfg->K) : 1;

    return (float)(cfg->scale_by_layer ? scale / ((double)layer + 1) : scale);
}

/* y [rows, HK]: the output of heads that are left out becomes zero. */
static void silence_heads(const struct block_pass *p)
{
    size_t H = p->f->cfg->H, K = p->f->cfg->K;

    for (size_t i = 0; i < p->rows * H; i++)
        if (p->edit->no_head[i % H])
            memset(p->f->y + i * K, 0, K * sizeof *p->f->y);
}

/* The activations of some neurons become what the edit says. */
static void set_neurons(const struct block_pass *p, struct nf_mat act)
{
    const struct nf_edit *e = p->edit;

    for (size_t i = 0; i < p->rows; i++)
        for (size_t k = 0; k < e->neurons; k++) {
            size_t at = i * p->f->cfg->F + e->neuron[k];

            if (act.f32)
                act.f32[at] = e->value[k];
            else
                act.bf16[at] = nf_f32_to_bf16(e->value[k]);
        }
}

/* What attention adds, in f->h; parallel blocks add it later, from f->attn. */
static int attention(const struct block_pass *p, const uint32_t *length, size_t W, enum nf_depth depth)
{
    struct nf_forward *f = p->f;
    const struct nf_config *cfg = f->cfg;
    const struct nf_attention a = { cfg->H, cfg->G, cfg->K, score_scale(cfg, p->layer), nf_config_window(cfg, p->layer) };
    size_t D = cfg->D;
    bool local = nf_forward_wants(f, NF_SITE_ATTN_LOCAL, p->layer), back = nf_forward_wants(f, NF_SITE_ATTN_BACK, p->layer);
    struct nf_mat h, y = nf_forward_mat(f, f->y, f->h16);
    int rc;

    if (p->edit->no_attention) {
        if (!cfg->parallel)
            sublayer_output(p, &p->b->attn_norm, NULL);
        return NF_OK;
    }
    h = sublayer_input(p, &p->b->attn_norm);
    rc = nf_gemm_run(f->qkv, p->b->qkv.w, p->b->qkv.bias, nf_mat_data(h), p->rows, f->qkv_out, p->err);
    if (rc < 0)
        return rc;
    place_heads(p, length, W);
    nf_attend(&a, f->qkv_out, length, W, f->threads, f->y, local || back ? f->log_sum : NULL, f->attn_work);
    if (local) {
        nf_attend_local(&a, f->qkv_out, length, W, f->log_sum, f->local);
        rc = tap(p, NF_SITE_ATTN_LOCAL, cfg->H * NF_LOCAL_WIDTH, f->local);
    }
    if (rc == NF_OK && back) {
        nf_attend_back(&a, f->qkv_out, length, W, f->log_sum, f->back);
        rc = tap(p, NF_SITE_ATTN_BACK, cfg->H * NF_BACK_WIDTH, f->back);
    }
    if (rc < 0 || depth < NF_TO_MID)
        return rc;
    if (p->edit->no_head)
        silence_heads(p);
    nf_copy_to(f->y, p->rows * cfg->H * cfg->K, y);
    rc = nf_gemm_run(f->o, p->b->o.w, p->b->o.bias, nf_mat_data(y), p->rows, f->h, p->err);
    if (rc == NF_OK)
        rc = tap(p, NF_SITE_ATTN_OUT, D, f->h);
    if (rc < 0)
        return rc;
    if (f->norms)
        memcpy(f->pre, p->x, p->rows * D * sizeof *f->pre);
    if (f->attn)
        memcpy(f->attn, f->h, p->rows * D * sizeof *f->attn);
    if (cfg->parallel)
        return NF_OK;
    sublayer_output(p, &p->b->attn_norm, f->h);
    return tap(p, NF_SITE_RESID_MID, D, p->x);
}

/* Activations for a tap that needs floats. */
static int tap_act(const struct block_pass *p, enum nf_site site, struct nf_mat act)
{
    struct nf_forward *f = p->f;
    size_t F = f->cfg->F;

    if (!nf_forward_wants(f, site, p->layer))
        return NF_OK;
    if (act.bf16) {
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < p->rows; i++)
            nf_widen_bf16(act.bf16 + i * F, F, f->wide + i * F);
    }
    return tap(p, site, F, act.f32 ? act.f32 : f->wide);
}

/* Pre-activations to activations, in place, with the signs on the way. */
static int activate(const struct block_pass *p, struct nf_mat act, struct nf_mat up)
{
    struct nf_forward *f = p->f;
    const struct nf_config *cfg = f->cfg;
    size_t F = cfg->F;
    bool active = nf_forward_wants(f, NF_SITE_FFN_ACTIVE, p->layer), relu = cfg->act == NF_ACT_RELU && !cfg->gated;
    float near_zero = f->opts.tap ? f->opts.tap->near_zero : 0;
    int rc = tap_act(p, NF_SITE_FFN_PRE, act);

    if (rc == NF_OK)
        rc = tap_act(p, NF_SITE_FFN_UP, up);
    if (rc < 0)
        return rc;
    if (relu)
        nf_relu_bits(act, p->rows, F, near_zero, active ? f->bits : NULL, f->near);
    else if (active)
        nf_sign_bits(act, p->rows, F, near_zero, f->bits, f->near);
    if (active)
        rc = nf_forward_tap(f, NF_SITE_FFN_ACTIVE, p->layer, p->row, p->rows, (F + 7) / 8, f->bits, f->near, p->err);
    if (!relu)
        nf_activate(cfg->act, act, up, p->rows, F);
    return rc < 0 ? rc : tap_act(p, NF_SITE_FFN_ACT, act);
}

/* The maps into the FFN, and what becomes of them: f->act. */
static int expand(const struct block_pass *p, struct nf_mat act)
{
    struct nf_forward *f = p->f;
    const struct nf_config *cfg = f->cfg;
    bool looked_at = nf_forward_wants(f, NF_SITE_FFN_PRE, p->layer) || nf_forward_wants(f, NF_SITE_FFN_ACTIVE, p->layer) ||
                     nf_forward_wants(f, NF_SITE_FFN_ACT, p->layer);
    struct nf_gemm *in = f->relu && !looked_at ? f->relu : f->in;
    struct nf_mat h = sublayer_input(p, cfg->one_norm ? &p->b->attn_norm : &p->b->ffn_norm), up = nf_forward_mat(f, f->up, f->up16);
    int rc = nf_gemm_run(in, p->b->in.w, p->b->in.bias, nf_mat_data(h), p->rows, (void *)nf_mat_data(act), p->err);

    if (rc == NF_OK && cfg->gated)
        rc = nf_gemm_run(f->in, p->b->up.w, p->b->up.bias, nf_mat_data(h), p->rows, (void *)nf_mat_data(up), p->err);
    return rc < 0 || in == f->relu ? rc : activate(p, act, up);
}

/* `at`: first row within the chunk. */
static int feed_forward(const struct block_pass *p, size_t at, enum nf_depth depth)
{
    struct nf_forward *f = p->f;
    size_t D = f->cfg->D;
    struct nf_mat act = nf_forward_mat(f, f->act, f->act16);
    int rc = p->edit->no_ffn ? NF_OK : expand(p, act);

    if (rc < 0 || depth < NF_TO_END)
        return rc;
    if (f->cfg->parallel)
        sublayer_output(p, &p->b->attn_norm, p->edit->no_attention ? NULL : f->attn + at * D);
    if (p->edit->no_ffn) {
        sublayer_output(p, &p->b->ffn_norm, NULL);
        return NF_OK;
    }
    set_neurons(p, act);
    rc = nf_gemm_run(f->out, p->b->out.w, p->b->out.bias, nf_mat_data(act), p->rows, f->y, p->err);
    if (rc == NF_OK)
        rc = tap(p, NF_SITE_FFN_OUT, D, f->y);
    if (rc == NF_OK)
        sublayer_output(p, &p->b->ffn_norm, f->y);
    return rc;
}

/* After the block: the stream that leaves it, and the norms of all that went in. */
static int leave(const struct block_pass *p, size_t at)
{
    struct nf_forward *f = p->f;
    size_t D = f->cfg->D;
    int rc = tap(p, NF_SITE_RESID_POST, D, p->x);

    if (rc < 0 || !nf_forward_wants(f, NF_SITE_NORMS, p->layer))
        return rc;
    nf_block_norms(f->pre + at * D, f->attn + at * D, f->y, p->x, p->rows, D, f->norms);
    return tap(p, NF_SITE_NORMS, 8, f->norms);
}

static int chunk(const struct block_pass *whole, const uint32_t *length, size_t W, enum nf_depth depth)
{
    size_t D = whole->f->cfg->D;
    int rc = tap(whole, NF_SITE_RESID_PRE, D, whole->x);

    if (rc == NF_OK)
        rc = attention(whole, length, W, depth);
    for (size_t at = 0; rc == NF_OK && depth > NF_TO_MID && at < whole->rows; at += NF_CHUNK) {
        struct block_pass p = *whole;

        p.row += at;
        p.rows = nf_min(NF_CHUNK, whole->rows - at);
        p.x += at * D;
        rc = feed_forward(&p, at, depth);
        if (rc == NF_OK && depth == NF_TO_END)
            rc = leave(&p, at);
    }
    return rc;
}

static int check_stream_finite(const struct nf_forward *f, size_t layer, const struct nf_windows *win, const float *x,
                               struct nf_err *err)
{
    size_t row = f->opts.allow_nonfinite ? win->T : nf_first_nonfinite(x, win->T, f->cfg->D), w = 0;

    if (row == win->T)
        return NF_OK;
    while (row >= win->length[w])
        row -= win->length[w++];
    return nf_fail(err, NF_EFORMAT, "layer %zu: the residual stream is NaN or infinite in window %zu of the batch, position %zu",
                   layer, w, row);
}

int nf_block_run(struct nf_forward *f, size_t layer, const struct nf_block *b, const struct nf_edit *edit,
                 const struct nf_windows *win, float *x, enum nf_depth depth, struct nf_err *err)
{
    struct block_pass p = { .f = f, .b = b, .edit = edit, .layer = layer, .err = err };
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
    return rc < 0 || f->opts.allow_nonfinite ? rc : check_stream_finite(f, layer, win, x, err);
}
