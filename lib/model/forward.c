/* forward.c - open, run and close the forward pass. */
#include "model/forward.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "model/attention.h"
#include "model/forward_impl.h"

enum { GEMM_HEADROOM = 32 << 20 };   /* bytes: what products take for themselves, some MiB a thread */

struct nf_mat nf_forward_mat(const struct nf_forward *f, float *f32, uint16_t *bf16)
{
    return f->inputs == NF_BF16 ? (struct nf_mat){ NULL, bf16 } : (struct nf_mat){ f32, NULL };
}

/* ---- open ---- */

/* Switches of nf_config that the pass does not have: whoever adds one takes its row away. */
static int check_switches(const struct nf_config *cfg, struct nf_err *err)
{
    unsigned layers = 0;

    for (size_t l = 0; l < cfg->L; l++)
        layers |= cfg->layer[l];
    const struct {
        bool on;
        const char *name;
    } missing[] = {
        { cfg->positions == NF_POS_ALIBI, "positions by ALiBi" },
        { cfg->branch_norm, "norms of what attention and FFN give" },
        { cfg->norm_plus_one, "gains of 1 + w" },
        { cfg->qk_norm_wide, "norms of all queries together" },
        { cfg->score_scale != 0, "a scale of scores of its own" },
        { cfg->score_cap != 0 || cfg->logit_cap != 0, "soft caps" },
        { cfg->sinks, "attention sinks" },
        { cfg->embed_scale != 0 || cfg->branch_scale != 0 || cfg->logit_divisor != 0, "multipliers" },
        { layers & NF_LAYER_UNTURNED, "layers without positions" },
        { layers & NF_LAYER_LOCAL_ROPE, "a second base of rotary positions" },
        { layers & NF_LAYER_EXPERTS, "mixtures of experts" },
    };

    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (missing[i].on)
            return nf_fail(err, NF_EFORMAT, "%s: %s: not implemented", cfg->name, missing[i].name);
    return NF_OK;
}

static int open_gemms(struct nf_forward *f, struct nf_err *err)
{
    const struct nf_config *cfg = f->cfg;
    enum nf_dtype t = f->inputs;
    bool half = f->opts.dtype == NF_BF16 && t == NF_F32;
    const struct {
        struct nf_gemm **gemm;
        struct nf_gemm_shape shape;
        bool needed;
    } gemms[] = {
        { &f->qkv, { cfg->D, nf_qkv_width(cfg), t, NF_F32, false, half }, true },
        { &f->o, { nf_q_width(cfg), cfg->D, t, NF_F32, false, half }, true },
        { &f->in, { cfg->D, cfg->F, t, t, false, half }, true },
        { &f->relu, { cfg->D, cfg->F, t, t, true, half }, cfg->act == NF_ACT_RELU && !cfg->gated },
        { &f->out, { cfg->F, cfg->D, t, NF_F32, false, half }, true },
        { &f->project_in, { cfg->E, cfg->D, t, NF_F32, false, half }, cfg->E != cfg->D },
        { &f->project_out, { cfg->D, cfg->E, t, NF_F32, false, half }, cfg->E != cfg->D && f->plan.unembed },
        { &f->unembed, { cfg->E, f->tile, t, NF_F32, false, half }, f->plan.unembed },
    };

    for (size_t i = 0; i < sizeof gemms / sizeof *gemms; i++)
        if (gemms[i].needed && !(*gemms[i].gemm = nf_gemm_open(&gemms[i].shape, err)))
            return NF_ESYS;
    return NF_OK;
}

/* Room for n items of `size` bytes where they are needed; *p stays NULL otherwise. */
static int room(void *p, bool needed, size_t n, size_t size, struct nf_err *err)
{
    void *fresh = needed ? nf_alloc(n, size, err) : NULL;

    memcpy(p, &fresh, sizeof fresh);
    return fresh || !needed ? NF_OK : NF_ESYS;
}

static int open_work(struct nf_forward *f, struct nf_err *err)
{
    const struct nf_config *cfg = f->cfg;
    const struct nf_tap *tap = f->opts.tap;
    size_t D = cfg->D, E = cfg->E, F = cfg->F, wide = nf_row_width(cfg), n = f->chunk, T = f->plan.batch_tokens;
    bool bf16 = f->inputs == NF_BF16, norms = nf_tap_anywhere(cfg, tap, NF_SITE_NORMS),
         local = nf_tap_anywhere(cfg, tap, NF_SITE_ATTN_LOCAL), back = nf_tap_anywhere(cfg, tap, NF_SITE_ATTN_BACK);
    bool head = f->plan.unembed, floats = nf_tap_anywhere(cfg, tap, NF_SITE_FFN_PRE) || nf_tap_anywhere(cfg, tap, NF_SITE_FFN_UP) ||
                                          nf_tap_anywhere(cfg, tap, NF_SITE_FFN_ACT);
    const struct {
        void *p;
        bool needed;
        size_t n, size;
    } need[] = {
        { &f->x, true, T * D, sizeof *f->x },
        { &f->h, true, n * wide, sizeof *f->h },
        { &f->h16, bf16, n * wide, sizeof *f->h16 },
        { &f->qkv_out, true, n * nf_qkv_width(cfg), sizeof *f->qkv_out },
        { &f->y, true, n * wide, sizeof *f->y },
        { &f->act, !bf16, NF_CHUNK * F, sizeof *f->act },
        { &f->act16, bf16, NF_CHUNK * F, sizeof *f->act16 },
        { &f->up, !bf16 && cfg->gated, NF_CHUNK * F, sizeof *f->up },
        { &f->up16, bf16 && cfg->gated, NF_CHUNK * F, sizeof *f->up16 },
        { &f->wide, bf16 && floats, NF_CHUNK * F, sizeof *f->wide },
        { &f->bits, true, NF_CHUNK * ((F + 7) / 8), 1 },
        { &f->near, true, NF_CHUNK, sizeof *f->near },
        { &f->attn_work, true, nf_attention_work(cfg->K, f->threads), sizeof *f->attn_work },
        { &f->log_sum, local || back, cfg->H * n, sizeof *f->log_sum },
        { &f->local, local, n * cfg->H * NF_LOCAL_WIDTH, sizeof *f->local },
        { &f->back, back, n * cfg->H * NF_BACK_WIDTH, sizeof *f->back },
        { &f->pre, norms, n * D, sizeof *f->pre },
        { &f->attn, norms || cfg->parallel, n * D, sizeof *f->attn },
        { &f->norms, norms, NF_CHUNK * 8, sizeof *f->norms },
        { &f->final, head && !bf16, T * E, sizeof *f->final },
        { &f->final16, head && bf16, T * E, sizeof *f->final16 },
        { &f->logits, head, NF_CHUNK * f->tile, sizeof *f->logits },
        { &f->row_logits, nf_tap_wants(tap, NF_SITE_LOGITS, cfg->L), NF_LOGIT_ROWS * cfg->V, sizeof *f->row_logits },
        { &f->pred, head, NF_CHUNK * 4, sizeof *f->pred },
        { &f->running, head, T, sizeof *f->running },
    };

    for (size_t i = 0; i < sizeof need / sizeof *need; i++)
        if (room(need[i].p, need[i].needed, need[i].n, need[i].size, err) < 0)
            return NF_ESYS;
    return cfg->positions == NF_POS_ROTARY ? nf_rope_init(&cfg->rope, nf_window_positions(cfg, f->chunk), &f->rope, err) : NF_OK;
}

/* Blocks whose packed weights are held at one time. */
static size_t blocks_held(const struct nf_forward *f)
{
    return f->plan.resident ? f->plan.layers : nf_min(f->plan.layers, 1);
}

static int open_blocks(struct nf_forward *f, struct nf_err *err)
{
    size_t n = blocks_held(f);

    f->block = nf_alloc(n, sizeof *f->block, err);
    for (size_t l = 0; f->block && l < n; l++)
        if (nf_block_alloc(f, &f->block[l], err) < 0 || (f->plan.resident && nf_block_pack(f, l, &f->block[l], err) < 0))
            return NF_ESYS;
    return f->block ? NF_OK : NF_ESYS;
}

struct nf_forward *nf_forward_open(const struct nf_config *cfg, const struct nf_weights *w, const struct nf_forward_opts *opts,
                                   size_t context, struct nf_err *err)
{
    struct nf_forward *f = nf_alloc(1, sizeof *f, err);

    if (!f)
        return NULL;
    f->cfg = cfg;
    f->w = w;
    f->opts = *opts;
    f->inputs = nf_forward_inputs(opts);
    f->chunk = nf_max(NF_CHUNK, context);
    f->threads = nf_threads();
    f->tile = nf_vocab_tile(cfg);
    f->packed = SIZE_MAX;
    if (check_switches(cfg, err) < 0 || nf_forward_plan(cfg, opts, context, &f->plan, err) < 0 ||
        (f->plan.unembed && nf_weights_need_unembed(cfg, w, err) < 0))
        goto fail;
    nf_tap_layers(cfg, opts->tap, f->plan.unembed || opts->whole, &f->last);
    f->slab = nf_alloc(nf_slab_floats(cfg), sizeof *f->slab, err);
    if (!f->slab || open_gemms(f, err) < 0 || open_blocks(f, err) < 0 || nf_head_open(f, err) < 0 || open_work(f, err) < 0 ||
        (opts->streams && nf_comparison_open(f, err) < 0) || nf_alloc_headroom(GEMM_HEADROOM, err) < 0)
        goto fail;
    return f;
fail:
    nf_forward_close(f);
    return NULL;
}

const struct nf_forward_plan *nf_forward_get_plan(const struct nf_forward *f)
{
    return &f->plan;
}

size_t nf_forward_width(const struct nf_forward *f)
{
    return f->cfg->D;
}

void nf_forward_close(struct nf_forward *f)
{
    if (!f)
        return;
    struct nf_gemm *gemm[] = { f->qkv, f->o, f->in, f->relu, f->out, f->project_in, f->project_out, f->unembed };
    void *work[] = { f->slab,  f->x,     f->h,       f->h16,    f->qkv_out,    f->y,       f->act,     f->act16, f->up,
                     f->up16,  f->wide,  f->bits,    f->near,   f->attn_work,  f->log_sum, f->local,   f->pre,   f->attn,
                     f->norms, f->final, f->final16, f->logits, f->row_logits, f->pred,    f->running, f->back };

    for (size_t l = 0; f->block && l < blocks_held(f); l++)
        nf_block_free(&f->block[l]);
    free(f->block);
    nf_head_close(f);
    nf_comparison_close(f);
    for (size_t i = 0; i < sizeof gemm / sizeof *gemm; i++)
        nf_gemm_close(gemm[i]);
    for (size_t i = 0; i < sizeof work / sizeof *work; i++)
        free(work[i]);
    nf_rope_clear(&f->rope);
    free(f);
}

/* ---- run ---- */

static int check_windows(const struct nf_forward *f, const struct nf_windows *win, struct nf_err *err)
{
    size_t longest = nf_window_positions(f->cfg, f->chunk), row = 0;

    for (size_t w = 0; w < win->W; row += win->length[w++]) {
        if (win->length[w] == 0 || win->length[w] > longest)
            return nf_fail(err, NF_EFORMAT, "window %zu of the batch has %u tokens; the model takes 1 to %zu", w, win->length[w],
                           longest);
        if (win->length[w] > win->T - row)
            return nf_fail(err, NF_EFORMAT, "window %zu of the batch ends behind its %zu tokens", w, win->T);
        for (size_t p = 0; p < win->length[w]; p++)
            if (win->ids[row + p] >= f->cfg->V)
                return nf_fail(err, NF_EFORMAT,
                               "token id %u (window %zu of the batch, position %zu) is not below the vocabulary's %zu",
                               win->ids[row + p], w, p, f->cfg->V);
    }
    if (row != win->T || win->T > f->plan.batch_tokens)
        return nf_fail(err, NF_EFORMAT, "a batch of %zu tokens, where windows hold %zu and %zu is the most", win->T, row,
                       f->plan.batch_tokens);
    return NF_OK;
}

/* The packed weights of a layer; not resident: packed now, unless they were the last. */
static int layer_weights(struct nf_forward *f, size_t layer, const struct nf_block **b, struct nf_err *err)
{
    *b = &f->block[f->plan.resident ? layer : 0];
    if (f->plan.resident || f->packed == layer)
        return NF_OK;
    f->packed = SIZE_MAX;
    if (nf_block_pack(f, layer, f->block, err) < 0)
        return NF_ESYS;
    f->packed = layer;
    return NF_OK;
}

static int run_block(struct nf_forward *f, size_t layer, const struct nf_edit *edit, const struct nf_windows *win, float *x,
                     enum nf_depth depth, struct nf_err *err)
{
    const struct nf_block *b;
    int rc = layer_weights(f, layer, &b, err);

    return rc < 0 ? rc : nf_block_run(f, layer, b, edit, win, x, depth, err);
}

int nf_forward_edited(struct nf_forward *f, size_t layer, const struct nf_edit *edit, const struct nf_windows *win, float *x,
                      struct nf_err *err)
{
    return run_block(f, layer, edit, win, x, NF_TO_END, err);
}

int nf_forward_block(struct nf_forward *f, size_t layer, const struct nf_windows *win, float *x, struct nf_err *err)
{
    static const struct nf_edit none = { 0 };

    return nf_forward_edited(f, layer, &none, win, x, err);
}

int nf_forward_run(struct nf_forward *f, const struct nf_windows *win, struct nf_err *err)
{
    static const struct nf_edit none = { 0 };
    int rc = check_windows(f, win, err);

    if (rc == NF_OK)
        rc = nf_forward_embed(f, win, f->x, err);
    for (size_t l = 0; rc == NF_OK && l < f->plan.layers; l++)
        rc = run_block(f, l, &none, win, f->x, l + 1 < f->plan.layers ? NF_TO_END : f->last, err);
    return rc == NF_OK ? nf_forward_head(f, win, f->x, err) : rc;
}
