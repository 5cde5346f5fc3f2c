/* forward.c - plan, open and run the forward pass. */
#include "model/forward.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "model/attention.h"
#include "model/forward_impl.h"

/* Rows of a run when nobody says: enough for full speed (reached from 512 on), little enough to stay small (12 MiB of stream at D = 768). */
enum { BATCH_TOKENS = 4096 };
/* Layer-major: the more rows, the less often weights are packed; beyond this, packing is below 1 % of a layer's arithmetic. */
enum { BATCH_TOKENS_MOST = 262144 };

bool nf_forward_wants(const struct nf_forward *f, enum nf_site site, size_t layer)
{
    const struct nf_tap *tap = f->opts.tap;

    return tap && tap->wants(tap->self, site, layer);
}

int nf_forward_tap(const struct nf_forward *f, enum nf_site site, size_t layer, size_t row, size_t rows, size_t width,
                   const void *data, const uint32_t *near, struct nf_err *err)
{
    const struct nf_rows r = { site, layer, row, rows, width, data, near };
    int rc = nf_forward_wants(f, site, layer) ? f->opts.tap->rows(f->opts.tap->self, &r) : NF_OK;

    return rc < 0 ? nf_fail(err, (enum nf_code)rc, "layer %zu: the run was ended by its reader", layer) : NF_OK;
}

struct nf_mat nf_forward_mat(const struct nf_forward *f, float *f32, uint16_t *bf16)
{
    return f->opts.dtype == NF_BF16 ? (struct nf_mat){ NULL, bf16 } : (struct nf_mat){ f32, NULL };
}

/* ---- plan ---- */

static bool wants_site(const struct nf_tap *tap, enum nf_site site, size_t layer)
{
    return tap && tap->wants(tap->self, site, layer);
}

static bool wants_anywhere(const struct nf_config *cfg, const struct nf_tap *tap, enum nf_site site)
{
    for (size_t l = 0; l < cfg->L; l++)
        if (wants_site(tap, site, l))
            return true;
    return false;
}

static enum nf_depth depth_of(enum nf_site site)
{
    switch (site) {
    case NF_SITE_RESID_PRE:
    case NF_SITE_ATTN_LOCAL:
    case NF_SITE_ATTN_BACK:
        return NF_TO_ATTN;
    case NF_SITE_ATTN_OUT:
    case NF_SITE_RESID_MID:
        return NF_TO_MID;
    case NF_SITE_FFN_PRE:
    case NF_SITE_FFN_UP:
    case NF_SITE_FFN_ACTIVE:
    case NF_SITE_FFN_ACT:
        return NF_TO_ACT;
    default:
        return NF_TO_END;
    }
}

/* Blocks that must run for the tap, and how much of the last; no tap: all of them. */
static size_t layers_needed(const struct nf_config *cfg, const struct nf_tap *tap, bool unembed, enum nf_depth *last)
{
    size_t layers = cfg->L;

    *last = NF_TO_END;
    if (!tap || unembed)
        return layers;
    *last = NF_TO_ATTN;
    for (; layers > 0; layers--) {
        bool any = false;

        for (enum nf_site s = 0; s < NF_SITE_PRED; s++)
            if (wants_site(tap, s, layers - 1)) {
                any = true;
                *last = depth_of(s) > *last ? depth_of(s) : *last;
            }
        if (any)
            break;
    }
    return layers;
}

/* Bytes of a packed map: the library rounds its columns up to 64, and what goes into one up to 64 bytes. */
static uint64_t packed_bytes(size_t K, size_t N, size_t item)
{
    return (uint64_t)nf_blocks(K * item, 64) * 64 * nf_blocks(N, 64) * 64 + (uint64_t)N * sizeof(float);
}

/* Width of all queries, and of queries, keys and values. */
static size_t q_width(const struct nf_config *cfg)
{
    return cfg->H * cfg->K;
}

static size_t qkv_width(const struct nf_config *cfg)
{
    return (cfg->H + 2 * cfg->G) * cfg->K;
}

/* The widest row of a sublayer's input or output. */
static size_t row_width(const struct nf_config *cfg)
{
    return nf_max(nf_max(cfg->D, cfg->E), q_width(cfg));
}

static uint64_t layer_bytes(const struct nf_config *cfg, size_t item)
{
    size_t D = cfg->D, F = cfg->F;

    return packed_bytes(D, qkv_width(cfg), item) + packed_bytes(q_width(cfg), D, item) +
           (cfg->gated ? 2 : 1) * packed_bytes(D, F, item) + packed_bytes(F, D, item) + 4 * (uint64_t)(D + cfg->K) * sizeof(float);
}

static size_t vocab_tile(const struct nf_config *cfg)
{
    return nf_min(NF_VOCAB_TILE, nf_blocks(cfg->V, 64) * 64);
}

/* Floats of the widest linear map, on its way to be packed. */
static size_t slab_floats(const struct nf_config *cfg)
{
    return nf_max(nf_max(qkv_width(cfg), cfg->F) * cfg->D, nf_max(cfg->E * cfg->D, cfg->E * vocab_tile(cfg)));
}

/* Positions that a window may have. */
static size_t positions(const struct nf_config *cfg, size_t chunk)
{
    return nf_min(chunk, cfg->max_positions);
}

/* Work space for each row of a batch, and the rest of it, for a chunk of `chunk` rows. */
static uint64_t count_row_bytes(const struct nf_config *cfg, bool unembed)
{
    return cfg->D * sizeof(float) + (unembed ? cfg->E * sizeof(float) + sizeof(struct nf_running) : 0);
}

static uint64_t chunk_bytes(const struct nf_config *cfg, const struct nf_forward_opts *opts, size_t chunk, bool unembed)
{
    const struct nf_tap *tap = opts->tap;
    uint64_t D = cfg->D, wide = row_width(cfg), F = (uint64_t)NF_CHUNK * cfg->F * (cfg->gated ? 2 : 1), floats;

    floats = chunk * (wide + qkv_width(cfg) + wide) + F + NF_CHUNK * (nf_blocks(cfg->F, 32) + 1);
    floats +=
        slab_floats(cfg) + nf_attention_work(cfg->K, nf_threads()) + (unembed && cfg->bias_head ? cfg->V + 2 * vocab_tile(cfg) : 0);
    if (opts->dtype == NF_BF16)
        floats += chunk * wide / 2 + F / 2;
    if (cfg->positions == NF_POS_ROTARY)
        floats += positions(cfg, chunk) * cfg->rope.R;
    if (cfg->parallel || wants_anywhere(cfg, tap, NF_SITE_NORMS))
        floats += chunk * D;
    if (wants_anywhere(cfg, tap, NF_SITE_NORMS))
        floats += chunk * D + NF_CHUNK * 8;
    if (wants_anywhere(cfg, tap, NF_SITE_ATTN_LOCAL))
        floats += chunk * cfg->H * (NF_LOCAL_WIDTH + 1);
    if (wants_anywhere(cfg, tap, NF_SITE_ATTN_BACK))
        floats += chunk * cfg->H * (NF_BACK_WIDTH + 1);
    if (opts->streams)
        floats += nf_comparison_bytes(cfg, opts->streams, vocab_tile(cfg)) / sizeof(float);
    if (unembed)
        floats += (uint64_t)NF_CHUNK * (vocab_tile(cfg) + 4);
    if (wants_site(tap, NF_SITE_LOGITS, cfg->L))
        floats += (uint64_t)NF_LOGIT_ROWS * cfg->V;
    return floats * sizeof(float);
}

/* Pairs of positions that attend, for each position of a window of `context` tokens, summed over the layers that run. */
static double attended(const struct nf_config *cfg, size_t context, size_t layers)
{
    double sum = 0;

    for (size_t l = 0; l < layers; l++) {
        double n = (double)context, w = (double)nf_min(nf_config_window(cfg, l), context);

        sum += w * (n - (w - 1) / 2) / n;   /* the first w - 1 positions see fewer */
    }
    return sum;
}

static void count_flops(const struct nf_config *cfg, size_t context, struct nf_forward_plan *plan)
{
    double D = (double)cfg->D, F = (double)cfg->F, layers = (double)plan->layers, Q = (double)q_width(cfg);

    plan->flops_maps = layers * 2 * D * ((double)qkv_width(cfg) + Q);
    plan->flops_attention = 4 * Q * attended(cfg, context, plan->layers);
    plan->flops_ffn = layers * 2 * D * F * (cfg->gated ? 3 : 2);
    plan->flops_head = plan->unembed ? 2 * (double)cfg->E * (double)cfg->V : 0;
}

/* Rows of a run in what the memory leaves, at least one window. */
static size_t choose_batch(const struct nf_forward_opts *opts, const struct nf_forward_plan *plan, uint64_t per_row, uint64_t fixed,
                           size_t context)
{
    uint64_t left = opts->memory > fixed ? (opts->memory - fixed) / per_row : 0;

    if (opts->batch_tokens)
        return nf_max(opts->batch_tokens, context);
    if (plan->resident)
        return nf_max(opts->memory && left < BATCH_TOKENS ? left : BATCH_TOKENS, context);
    return nf_max(left < BATCH_TOKENS_MOST ? left : BATCH_TOKENS_MOST, context);
}

int nf_forward_plan(const struct nf_config *cfg, const struct nf_forward_opts *opts, size_t context, struct nf_forward_plan *plan,
                    struct nf_err *err)
{
    size_t item = nf_dtype_size(opts->dtype), chunk = nf_max(NF_CHUNK, context);
    uint64_t ends, vocab, one, all, per_row, work;
    enum nf_depth last;

    memset(plan, 0, sizeof *plan);
    plan->unembed = wants_site(opts->tap, NF_SITE_PRED, cfg->L) || wants_site(opts->tap, NF_SITE_LOGITS, cfg->L) || opts->streams;
    plan->layers = opts->no_blocks ? 0 : layers_needed(cfg, opts->tap, plan->unembed || opts->whole, &last);
    vocab = plan->unembed ? packed_bytes(cfg->E, vocab_tile(cfg), item) : 0;
    ends = cfg->E != cfg->D ? 2 * packed_bytes(cfg->D, cfg->E, item) : 0;
    one = ends + (plan->layers ? layer_bytes(cfg, item) : 0) + 2 * vocab;
    all = ends + plan->layers * layer_bytes(cfg, item) + vocab * (nf_blocks(cfg->V, vocab_tile(cfg)) + 1);
    per_row = count_row_bytes(cfg, plan->unembed);
    work = chunk_bytes(cfg, opts, chunk, plan->unembed);

    plan->resident = !opts->memory || all + work + per_row * nf_max(opts->batch_tokens, context) <= opts->memory;
    plan->weight_bytes = plan->resident ? all : one;
    plan->batch_tokens = choose_batch(opts, plan, per_row, plan->weight_bytes + work, context);
    plan->work_bytes = work + per_row * plan->batch_tokens;
    count_flops(cfg, context, plan);
    if (opts->memory && plan->weight_bytes + plan->work_bytes > opts->memory)
        return nf_fail(err, NF_EUSAGE, "--memory %llu is too small: one layer and %zu tokens need %llu bytes",
                       (unsigned long long)opts->memory, plan->batch_tokens,
                       (unsigned long long)(plan->weight_bytes + plan->work_bytes));
    return NF_OK;
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

int nf_forward_vector(const struct nf_tensor *t, size_t n, float **y, struct nf_err *err)
{
    if (!t->data)
        return NF_OK;
    *y = nf_alloc(n, sizeof **y, err);
    if (!*y)
        return NF_ESYS;
    nf_to_f32(t->dtype, t->data, n, *y);
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
static void widen_map(const struct nf_forward *f, const struct nf_linear *m, size_t width, float *to)
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
        widen_map(f, map[i], width, f->slab + (transposed ? out : out * map[i]->in));
    return (transposed ? nf_gemm_pack_transposed : nf_gemm_pack)(g, f->slab, packed, err);
}

static int open_gemms(struct nf_forward *f, struct nf_err *err)
{
    const struct nf_config *cfg = f->cfg;
    enum nf_dtype t = f->opts.dtype;
    const struct {
        struct nf_gemm **gemm;
        struct nf_gemm_shape shape;
        bool needed;
    } gemms[] = {
        { &f->qkv, { cfg->D, qkv_width(cfg), t, NF_F32, false }, true },
        { &f->o, { q_width(cfg), cfg->D, t, NF_F32, false }, true },
        { &f->in, { cfg->D, cfg->F, t, t, false }, true },
        { &f->relu, { cfg->D, cfg->F, t, t, true }, cfg->act == NF_ACT_RELU && !cfg->gated },
        { &f->out, { cfg->F, cfg->D, t, NF_F32, false }, true },
        { &f->project_in, { cfg->E, cfg->D, t, NF_F32, false }, cfg->E != cfg->D },
        { &f->project_out, { cfg->D, cfg->E, t, NF_F32, false }, cfg->E != cfg->D && f->plan.unembed },
        { &f->unembed, { cfg->E, f->tile, t, NF_F32, false }, f->plan.unembed },
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
    size_t D = cfg->D, E = cfg->E, F = cfg->F, wide = row_width(cfg), n = f->chunk, T = f->plan.batch_tokens;
    bool bf16 = f->opts.dtype == NF_BF16, norms = wants_anywhere(cfg, tap, NF_SITE_NORMS),
         local = wants_anywhere(cfg, tap, NF_SITE_ATTN_LOCAL), back = wants_anywhere(cfg, tap, NF_SITE_ATTN_BACK);
    bool head = f->plan.unembed, floats = wants_anywhere(cfg, tap, NF_SITE_FFN_PRE) || wants_anywhere(cfg, tap, NF_SITE_FFN_UP) ||
                                          wants_anywhere(cfg, tap, NF_SITE_FFN_ACT);
    const struct {
        void *p;
        bool needed;
        size_t n, size;
    } need[] = {
        { &f->x, true, T * D, sizeof *f->x },
        { &f->h, true, n * wide, sizeof *f->h },
        { &f->h16, bf16, n * wide, sizeof *f->h16 },
        { &f->qkv_out, true, n * qkv_width(cfg), sizeof *f->qkv_out },
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
        { &f->row_logits, wants_site(tap, NF_SITE_LOGITS, cfg->L), NF_LOGIT_ROWS * cfg->V, sizeof *f->row_logits },
        { &f->pred, head, NF_CHUNK * 4, sizeof *f->pred },
        { &f->running, head, T, sizeof *f->running },
    };

    for (size_t i = 0; i < sizeof need / sizeof *need; i++)
        if (room(need[i].p, need[i].needed, need[i].n, need[i].size, err) < 0)
            return NF_ESYS;
    return cfg->positions == NF_POS_ROTARY ? nf_rope_init(&cfg->rope, positions(cfg, f->chunk), &f->rope, err) : NF_OK;
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
    f->chunk = nf_max(NF_CHUNK, context);
    f->threads = nf_threads();
    f->tile = vocab_tile(cfg);
    f->packed = SIZE_MAX;
    if (check_switches(cfg, err) < 0 || nf_forward_plan(cfg, opts, context, &f->plan, err) < 0)
        goto fail;
    layers_needed(cfg, opts->tap, f->plan.unembed || opts->whole, &f->last);
    f->slab = nf_alloc(slab_floats(cfg), sizeof *f->slab, err);
    if (!f->slab || open_gemms(f, err) < 0 || open_blocks(f, err) < 0 || nf_head_open(f, err) < 0 || open_work(f, err) < 0 ||
        (opts->streams && nf_comparison_open(f, err) < 0))
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
    void *work[] = { f->slab,  f->x,     f->h,       f->h16,    f->qkv_out,    f->y,       f->act,    f->act16, f->up,
                     f->up16,  f->wide,  f->bits,    f->near,   f->attn_work,  f->log_sum, f->local,  f->pre,   f->attn,
                     f->norms, f->final, f->final16, f->logits,    f->row_logits, f->pred,  f->running, f->back };

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
    size_t longest = positions(f->cfg, f->chunk), row = 0;

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
