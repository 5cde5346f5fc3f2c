/* test_forward.c - the forward pass against a plain one in double, and the same bits whatever the batch, threads, taps and memory. */
#include <malloc.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "../ref/ref_model.h"
#include "../ref/ref_ops.h"
#include "base/alloc.h"
#include "check.h"
#include "model/forward.h"
#include "tensor/gemm.h"

/* ---- a random model in memory ---- */

enum { LAYERS = 3, MOST_TENSORS = 22 * LAYERS + 8 };

struct model {
    struct nf_config cfg;
    struct nf_weights w;
    struct nf_layer layer[LAYERS];
    float *memory[MOST_TENSORS];
    size_t n;
};

static struct nf_tensor tensor(struct model *m, size_t rows, size_t cols, float scale, float shift)
{
    float *x = nf_alloc(rows * cols, sizeof *x, NULL);

    ref_random(m->n, rows * cols, x);
    for (size_t i = 0; i < rows * cols; i++)
        x[i] = x[i] * scale + shift;
    m->memory[m->n++] = x;
    return rows == 1 ? nf_tensor_1d(NF_F32, x, cols) : nf_tensor_2d(NF_F32, x, rows, cols);
}

static struct nf_linear linear(struct model *m, size_t out, size_t in, bool bias)
{
    struct nf_tensor w = tensor(m, out, in, (float)(2 / sqrt((double)in)), 0);

    return nf_linear_whole(w, bias ? tensor(m, 1, out, 0.5f, 0) : (struct nf_tensor){ 0 });
}

static struct nf_norm norm(struct model *m, enum nf_norm_kind kind, size_t D)
{
    struct nf_norm n = { 0 };

    if (kind != NF_NORM_NONE)
        n.gain = tensor(m, 1, D, 0.3f, 1);
    if (kind == NF_NORM_LAYER)
        n.bias = tensor(m, 1, D, 0.3f, 0);
    return n;
}

static struct nf_layer layer(struct model *m)
{
    const struct nf_config *cfg = &m->cfg;
    enum nf_norm_kind kind = cfg->norm_affine ? cfg->norm : NF_NORM_NONE;
    size_t D = cfg->D, Q = cfg->H * cfg->K, G = cfg->G * cfg->K;
    struct nf_layer l = { .attn_norm = norm(m, kind, D) };

    l.q = linear(m, Q, D, cfg->bias_qkv);
    l.k = linear(m, G, D, cfg->bias_qkv);
    l.v = linear(m, G, D, cfg->bias_qkv);
    l.q_norm = norm(m, cfg->qk_norm, cfg->K);
    l.k_norm = norm(m, cfg->qk_norm, cfg->K);
    l.o = linear(m, D, Q, cfg->bias_o);
    if (!cfg->one_norm)
        l.ffn_norm = norm(m, kind, D);
    l.ffn_in = linear(m, cfg->F, D, cfg->bias_ffn);
    if (cfg->gated)
        l.ffn_up = linear(m, cfg->F, D, cfg->bias_ffn);
    l.ffn_out = linear(m, D, cfg->F, cfg->bias_ffn);
    return l;
}

static void model_open(struct model *m, struct nf_config cfg)
{
    *m = (struct model){ .cfg = cfg, .w.layer = m->layer };
    m->w.embed = tensor(m, cfg.V, cfg.E, 1, 0);
    m->w.unembed = m->w.embed;
    if (cfg.bias_head)
        m->w.unembed_bias = tensor(m, 1, cfg.V, 1, 0);
    if (cfg.positions == NF_POS_LEARNED)
        m->w.positions = tensor(m, cfg.max_positions + cfg.position_offset, cfg.D, 1, 0);
    if (cfg.E != cfg.D) {
        m->w.project_in = linear(m, cfg.D, cfg.E, false);
        m->w.project_out = linear(m, cfg.E, cfg.D, false);
    }
    if (cfg.final_norm)
        m->w.final_norm = norm(m, cfg.norm_affine ? cfg.norm : NF_NORM_NONE, cfg.D);
    for (size_t l = 0; l < cfg.L; l++)
        m->layer[l] = layer(m);
}

static void model_close(struct model *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->memory[i]);
}

/* Sizes that are multiples of nothing; V spans two tiles of the vocabulary when `big`. */
static struct nf_config config(bool big)
{
    return (struct nf_config){ .L = LAYERS,
                               .D = 20,
                               .H = 4,
                               .G = 4,
                               .K = 5,
                               .F = 37,
                               .V = big ? 1500 : 70,
                               .E = 20,
                               .max_positions = 700,
                               .positions = NF_POS_LEARNED,
                               .position_offset = 2,
                               .act = NF_ACT_RELU,
                               .pre_norm = true,
                               .final_norm = true,
                               .norm = NF_NORM_LAYER,
                               .norm_affine = true,
                               .bias_qkv = true,
                               .bias_o = true,
                               .bias_ffn = true,
                               .scale_scores = true,
                               .tied = true,
                               .norm_eps = 1e-5 };
}

static struct nf_config post_norm(void)
{
    struct nf_config cfg = config(false);

    cfg.pre_norm = cfg.final_norm = false;
    cfg.E = 12;
    return cfg;
}

/* RMSNorm, gated, shared keys, heads that are wider than the stream, windows in two of three layers, stretched rotary positions. */
static struct nf_config llama(void)
{
    struct nf_config cfg = config(true);

    cfg.G = 2;
    cfg.K = 8;
    cfg.norm = NF_NORM_RMS;
    cfg.qk_norm = NF_NORM_RMS;
    cfg.gated = true;
    cfg.act = NF_ACT_SILU;
    cfg.bias_o = cfg.bias_ffn = false;
    cfg.positions = NF_POS_ROTARY;
    cfg.rope = (struct nf_rope_config){ NF_ROPE_LLAMA3, 8, 50, 4, 1, 3, 20 };
    cfg.window = 9;
    cfg.layer[0] = cfg.layer[2] = NF_LAYER_WINDOW;
    return cfg;
}

/* Parallel blocks with one norm, turned in part, LayerNorm of heads, GELU, a bias in the head. */
static struct nf_config phi(void)
{
    struct nf_config cfg = config(true);

    cfg.parallel = cfg.one_norm = cfg.bias_head = true;
    cfg.qk_norm = NF_NORM_LAYER;
    cfg.act = NF_ACT_GELU;
    cfg.positions = NF_POS_ROTARY;
    cfg.rope = (struct nf_rope_config){ .kind = NF_ROPE_LINEAR, .R = 4, .theta = 100, .factor = 2.5 };
    return cfg;
}

/* Scores that are divided by the layer's number and by nothing else, the other GELU. */
static struct nf_config gpt(void)
{
    struct nf_config cfg = config(false);

    cfg.scale_scores = false;
    cfg.scale_by_layer = true;
    cfg.act = NF_ACT_GELU_TANH;
    cfg.parallel = true;
    return cfg;
}

/* ---- a run that keeps what it is shown ---- */

struct seen {
    const struct nf_config *cfg;
    bool all, site[NF_SITE_COUNT];
    size_t top;                                /* layers above are not wanted */
    void *rows[NF_SITE_COUNT][LAYERS + 1];     /* [T, width] */
    size_t bytes[NF_SITE_COUNT][LAYERS + 1];   /* so far */
    uint32_t near[LAYERS][2000];
    bool in_order;
    size_t last_layer;
};

static bool wants(void *self, enum nf_site site, size_t layer)
{
    struct seen *s = self;

    if ((site == NF_SITE_PRED || site == NF_SITE_LOGITS) != (layer == s->cfg->L) || (site == NF_SITE_FFN_UP && !s->cfg->gated) ||
        (site == NF_SITE_RESID_MID && s->cfg->parallel))
        return false;
    return s->site[site] && (layer <= s->top || layer == s->cfg->L);
}

static int keep(void *self, const struct nf_rows *r)
{
    struct seen *s = self;
    size_t item = r->site == NF_SITE_FFN_ACTIVE ? 1 : sizeof(float), row = r->width * item, *at = &s->bytes[r->site][r->layer];

    if (!wants(s, r->site, r->layer) || *at != r->row * row || r->layer < s->last_layer)
        s->in_order = false;
    s->last_layer = r->layer;
    s->rows[r->site][r->layer] = realloc(s->rows[r->site][r->layer], *at + r->rows * row);
    memcpy((char *)s->rows[r->site][r->layer] + *at, r->data, r->rows * row);
    *at += r->rows * row;
    if (r->near_zero)
        memcpy(s->near[r->layer] + r->row, r->near_zero, r->rows * sizeof *r->near_zero);
    return NF_OK;
}

static struct seen *seen_open(const struct nf_config *cfg, bool all)
{
    struct seen *s = calloc(1, sizeof *s);

    s->cfg = cfg;
    s->top = cfg->L;
    s->in_order = true;
    for (size_t i = 0; i < NF_SITE_COUNT; i++)
        s->site[i] = all;
    return s;
}

static void seen_close(struct seen *s)
{
    for (size_t i = 0; i < NF_SITE_COUNT; i++)
        for (size_t l = 0; l <= LAYERS; l++)
            free(s->rows[i][l]);
    free(s);
}

static bool same(const struct seen *a, const struct seen *b)
{
    for (size_t i = 0; i < NF_SITE_COUNT; i++)
        for (size_t l = 0; l <= LAYERS; l++)
            if (a->bytes[i][l] != b->bytes[i][l] || (a->bytes[i][l] && memcmp(a->rows[i][l], b->rows[i][l], a->bytes[i][l])))
                return false;
    return true;
}

static void fill_ids(uint32_t *ids, size_t n, size_t V)
{
    for (size_t i = 0; i < n; i++)
        ids[i] = (uint32_t)((i * i + 7 * i) % V);
}

enum { NEAR_ZERO_TENTHS = 2 };

/* One run with its own forward pass.  false: bf16 is not there on this CPU. */
static bool run(const struct model *m, enum nf_dtype dtype, uint64_t memory, const struct nf_windows *win, size_t context,
                struct seen *s)
{
    const struct nf_tap tap = { s, wants, keep, NEAR_ZERO_TENTHS / 10.0f };
    struct nf_forward_opts opts = { .dtype = dtype, .batch_tokens = 2000, .memory = memory, .tap = &tap };
    struct nf_err err = NF_ERR_INIT;
    struct nf_forward *f = nf_forward_open(&m->cfg, &m->w, &opts, context, &err);

    if (!f) {
        CHECK(dtype == NF_BF16 && strstr(err.text, "no matrix product"));
        return false;
    }
    CHECK((memory == 0) == nf_forward_get_plan(f)->resident);
    CHECK(nf_forward_run(f, win, &err) == NF_OK);
    CHECK(s->in_order);
    nf_forward_close(f);
    return true;
}

/* ---- against the plain pass ---- */

static void check_site(const struct model *m, const struct nf_windows *win, const struct seen *s, enum nf_site site, size_t layer,
                       double tol)
{
    size_t width = site == NF_SITE_FFN_ACTIVE ? m->cfg.F : s->bytes[site][layer] / sizeof(float) / win->T, row = 0,
           bits = (m->cfg.F + 7) / 8;
    double *want = malloc(win->T * width * sizeof *want), *pre = malloc(win->T * m->cfg.F * sizeof *pre);
    const float *got = s->rows[site][layer];
    const uint8_t *packed = s->rows[site][layer];

    CHECK(s->bytes[site][layer] > 0);
    for (size_t w = 0; w < win->W; row += win->length[w++]) {
        size_t n = win->length[w];

        ref_forward(&m->cfg, &m->w, win->ids + row, n, site, layer, want);
        if (site == NF_SITE_FFN_ACTIVE) {
            ref_forward(&m->cfg, &m->w, win->ids + row, n, NF_SITE_FFN_PRE, layer, pre);
            for (size_t t = 0; t < n; t++)
                for (size_t i = 0; i < width; i++)   /* where the sign is not in doubt */
                    CHECK(fabs(pre[t * width + i]) < tol || (packed[(row + t) * bits + i / 8] >> i % 8 & 1) == want[t * width + i]);
        } else if (site == NF_SITE_PRED) {
            for (size_t t = 0; t < n; t++) {
                CHECK(t + 1 == n ? isnan(got[(row + t) * 4]) : fabs(got[(row + t) * 4] - want[2 * t]) <= tol);
                CHECK_NEAR(got[(row + t) * 4 + 1], want[2 * t + 1], tol);
            }
        } else {
            CHECK_NEAR(ref_distance(got + row * width, want, n * width), 0, tol);
        }
    }
    free(want);
    free(pre);
}

static void check_model(struct nf_config cfg, enum nf_dtype dtype, double tol)
{
    const uint32_t length[] = { 1, 17, 2, 40 };
    uint32_t ids[60];
    struct nf_windows win = { ids, length, 4, 60 };
    struct seen *s = seen_open(&cfg, true);
    struct model m;

    fill_ids(ids, 60, cfg.V);
    model_open(&m, cfg);
    if (run(&m, dtype, 0, &win, 40, s))
        for (enum nf_site site = 0; site < NF_SITE_COUNT; site++)
            for (size_t l = 0; l <= cfg.L; l++)
                if (wants(s, site, l))
                    check_site(&m, &win, s, site, l, tol);
    seen_close(s);
    model_close(&m);
}

/* The promise for logits of small models; values here are of order 1 to 10, so it is some hundred roundings of 2^-24 of them. */
#define PARITY 5e-5

static void every_site_equals_the_plain_pass(void)
{
    struct nf_config none = config(false), bare = config(true);

    check_model(config(false), NF_F32, PARITY);
    check_model(config(true), NF_F32, PARITY);
    check_model(post_norm(), NF_F32, PARITY);
    none.positions = NF_POS_NONE;
    none.max_positions = SIZE_MAX;
    check_model(none, NF_F32, PARITY);
    check_model(llama(), NF_F32, PARITY);
    check_model(phi(), NF_F32, PARITY);
    check_model(gpt(), NF_F32, PARITY);
    bare.bias_qkv = bare.bias_o = bare.bias_ffn = bare.norm_affine = bare.final_norm = false;
    bare.E = 28;
    check_model(bare, NF_F32, PARITY);
}

static void bf16_is_near(void)
{
    /* inputs of every product to 2^-9 relative, values up to 10, 3 layers of 2 sublayers: some 6 * 10 * 2^-9 in the worst element */
    check_model(config(false), NF_BF16, 0.15);
    check_model(post_norm(), NF_BF16, 0.15);
    check_model(llama(), NF_BF16, 0.15);
    check_model(phi(), NF_BF16, 0.15);
}

/* ---- the same bits ---- */

static void check_bits(struct nf_config cfg, enum nf_dtype dtype)
{
    enum { W = 7, T = 3 + 600 + 1 + 64 + 130 + 513 + 20 };
    const uint32_t length[W] = { 3, 600, 1, 64, 130, 513, 20 };
    static uint32_t ids[T];
    struct nf_windows win = { ids, length, W, T };
    struct seen *whole = seen_open(&cfg, true), *other;
    int before = omp_get_max_threads();
    struct model m;
    size_t row = 0;

    fill_ids(ids, T, cfg.V);
    model_open(&m, cfg);
    if (!run(&m, dtype, 0, &win, 600, whole))
        goto done;
    for (int threads = 1; threads <= 4; threads *= 4) {
        other = seen_open(&cfg, true);
        omp_set_num_threads(threads);
        run(&m, dtype, 0, &win, 600, other);
        CHECK(same(whole, other));
        seen_close(other);
    }
    omp_set_num_threads(before);

    for (size_t w = 0; w < W; row += length[w++]) {   /* each window alone */
        struct nf_windows one = { ids + row, length + w, 1, length[w] };

        other = seen_open(&cfg, true);
        run(&m, dtype, 0, &one, 600, other);
        for (size_t s = 0; s < NF_SITE_COUNT; s++)
            for (size_t l = 0; l <= LAYERS; l++) {
                size_t bytes = other->bytes[s][l] / length[w];

                CHECK(!bytes || !memcmp(other->rows[s][l], (char *)whole->rows[s][l] + row * bytes, length[w] * bytes));
            }
        seen_close(other);
    }

    other = seen_open(&cfg, false);   /* one site alone: less is looked at, other kernels are fused */
    other->site[NF_SITE_RESID_POST] = true;
    run(&m, dtype, 0, &win, 600, other);
    CHECK(memcmp(other->rows[NF_SITE_RESID_POST][LAYERS - 1], whole->rows[NF_SITE_RESID_POST][LAYERS - 1],
                 whole->bytes[NF_SITE_RESID_POST][LAYERS - 1]) == 0);
    seen_close(other);
done:
    seen_close(whole);
    model_close(&m);
}

static void threads_company_and_taps_do_not_change_a_bit(void)
{
    check_bits(config(true), NF_F32);
    check_bits(post_norm(), NF_F32);
    check_bits(llama(), NF_F32);
    check_bits(phi(), NF_F32);
    check_bits(config(true), NF_BF16);
    check_bits(llama(), NF_BF16);
}

static void layer_major_gives_the_same_bits(void)
{
    const uint32_t length[] = { 100, 30, 70 };
    uint32_t ids[200];
    struct nf_windows win = { ids, length, 3, 200 };

    fill_ids(ids, 200, 70);
    for (int i = 0; i < 4; i++) {
        struct nf_config cfg = i == 0 ? config(false) : i == 1 ? post_norm() : i == 2 ? llama() : phi();
        struct seen *resident = seen_open(&cfg, true), *major = seen_open(&cfg, true);
        const struct nf_tap tap = { resident, wants, keep, 0 };
        struct nf_forward_opts opts = { .dtype = NF_F32, .batch_tokens = 2000, .tap = &tap };
        struct nf_forward_plan plan;
        struct model m;

        model_open(&m, cfg);
        CHECK(nf_forward_plan(&cfg, &opts, 100, &plan, NULL) == NF_OK && plan.resident);
        run(&m, NF_F32, 0, &win, 100, resident);
        run(&m, NF_F32, plan.weight_bytes + plan.work_bytes - 1, &win, 100, major);   /* one byte too few to stay resident */
        CHECK(same(resident, major));
        seen_close(resident);
        seen_close(major);
        model_close(&m);
    }
}

/* ---- only what is wanted ---- */

static void work_that_nobody_wants_is_not_done(void)
{
    const uint32_t length = 30;
    uint32_t ids[30];
    struct nf_windows win = { ids, &length, 1, 30 };
    struct nf_config cfg = config(false);
    struct seen *s = seen_open(&cfg, false);
    const struct nf_tap tap = { s, wants, keep, 0 };
    struct nf_forward_opts opts = { .dtype = NF_F32, .tap = &tap };
    struct nf_forward_plan plan;
    struct model m;

    fill_ids(ids, 30, cfg.V);
    model_open(&m, cfg);
    s->site[NF_SITE_FFN_ACTIVE] = true;
    s->top = 1;
    CHECK(nf_forward_plan(&cfg, &opts, 30, &plan, NULL) == NF_OK);
    CHECK(plan.layers == 2 && !plan.unembed && plan.flops_head == 0);
    m.layer[2] = (struct nf_layer){ 0 };   /* reading any of these would be a crash */
    m.w.unembed.data = NULL;
    m.w.final_norm = (struct nf_norm){ 0 };
    run(&m, NF_F32, 0, &win, 30, s);
    CHECK(s->bytes[NF_SITE_FFN_ACTIVE][1] == 30 * 5 && s->bytes[NF_SITE_FFN_ACTIVE][2] == 0);
    seen_close(s);
    model_close(&m);
}

static void counts_what_is_near_zero(void)
{
    const uint32_t length = 50;
    uint32_t ids[50];
    struct nf_windows win = { ids, &length, 1, 50 };
    struct nf_config cfg = config(false);
    struct seen *s = seen_open(&cfg, true);
    struct model m;

    fill_ids(ids, 50, cfg.V);
    model_open(&m, cfg);
    run(&m, NF_F32, 0, &win, 50, s);
    for (size_t l = 0; l < LAYERS; l++)
        for (size_t t = 0; t < 50; t++) {
            const float *pre = (float *)s->rows[NF_SITE_FFN_PRE][l] + t * cfg.F;
            uint32_t near = 0;

            for (size_t f = 0; f < cfg.F; f++)
                near += fabsf(pre[f]) < NEAR_ZERO_TENTHS / 10.0f;
            CHECK(s->near[l][t] == near);
        }
    seen_close(s);
    model_close(&m);
}

static void predictions_agree_with_the_logits(void)
{
    const uint32_t length[] = { 80, 9 };
    uint32_t ids[89];
    struct nf_windows win = { ids, length, 2, 89 };
    struct nf_config cfg = config(true);
    struct seen *s = seen_open(&cfg, true);
    struct model m;

    fill_ids(ids, 89, cfg.V);
    model_open(&m, cfg);
    run(&m, NF_F32, 0, &win, 80, s);
    for (size_t t = 0; t < 89; t++) {
        const float *x = (float *)s->rows[NF_SITE_LOGITS][LAYERS] + t * cfg.V,
                    *pred = (float *)s->rows[NF_SITE_PRED][LAYERS] + 4 * t;
        bool last = t == 79 || t == 88;
        size_t top = 0, above = 0;

        for (size_t v = 1; v < cfg.V; v++)
            top = x[v] > x[top] ? v : top;
        for (size_t v = 0; v < cfg.V && !last; v++)
            above += x[v] > x[ids[t + 1]];
        CHECK(pred[2] == (float)top);
        CHECK(last ? isnan(pred[3]) : pred[3] == (float)above);   /* exact: the target's logit has the bits of its tile */
    }
    seen_close(s);
    model_close(&m);
}

/* ---- refusals ---- */

static void check_refused(const struct nf_windows *win, float *poison, const char *why)
{
    struct nf_config cfg = config(false);
    struct nf_forward_opts opts = { .dtype = NF_F32 };
    struct nf_err err = NF_ERR_INIT;
    struct nf_forward *f;
    struct model m;

    model_open(&m, cfg);
    if (poison)
        memcpy((void *)m.layer[1].ffn_out.w.data, poison, sizeof *poison);
    f = nf_forward_open(&cfg, &m.w, &opts, 100, &err);
    CHECK(f && nf_forward_run(f, win, &err) == NF_EFORMAT);
    CHECK(strstr(err.text, why));
    nf_forward_close(f);
    model_close(&m);
}

static void bad_windows_are_refused_by_name(void)
{
    const uint32_t length[] = { 2, 3 }, longer = 800, none = 0;
    static uint32_t ids[800];
    float nan = NAN;

    check_refused(&(struct nf_windows){ ids, &longer, 1, 800 }, NULL, "has 800 tokens; the model takes 1 to 512");
    check_refused(&(struct nf_windows){ ids, &none, 1, 0 }, NULL, "window 0 of the batch has 0 tokens");
    check_refused(&(struct nf_windows){ ids, length, 2, 4 }, NULL, "window 1 of the batch ends behind its 4 tokens");
    check_refused(&(struct nf_windows){ ids, length, 2, 5 }, &nan, "layer 1: the residual stream is NaN or infinite in window 0");
    ids[4] = 70;
    check_refused(&(struct nf_windows){ ids, length, 2, 5 }, NULL, "token id 70 (window 1 of the batch, position 2)");
}

static void nonfinite_results_go_on_when_asked(void)
{
    const uint32_t length = 3, ids[3] = { 0 };
    struct nf_config cfg = config(false);
    struct nf_forward_opts opts = { .dtype = NF_F32, .allow_nonfinite = true };
    struct nf_forward *f;
    struct model m;

    model_open(&m, cfg);
    *(float *)m.layer[1].ffn_out.w.data = NAN;
    f = nf_forward_open(&cfg, &m.w, &opts, 3, NULL);
    CHECK(f && nf_forward_run(f, &(struct nf_windows){ ids, &length, 1, 3 }, NULL) == NF_OK);
    nf_forward_close(f);
    model_close(&m);
}

static void too_little_memory_is_said(void)
{
    struct nf_config cfg = config(false);
    struct nf_forward_opts opts = { .dtype = NF_F32, .memory = 10000 };
    struct nf_forward_plan plan;
    struct nf_err err = NF_ERR_INIT;

    CHECK(nf_forward_plan(&cfg, &opts, 100, &plan, &err) == NF_EUSAGE);
    CHECK(strstr(err.text, "--memory 10000 is too small"));
}

/* Bytes that malloc() has handed out; 0 under a sanitizer. */
static size_t handed_out(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

/* What a kernel keeps beside the weights: little, but for padding where it takes rows in tiles of a fixed size. */
static size_t kernel_bytes(const struct nf_config *cfg)
{
    const struct nf_gemm_shape shape = { cfg->D, cfg->F, NF_F32, NF_F32, false, false };
    size_t before = handed_out(), bytes;
    struct nf_gemm *g = nf_gemm_open(&shape, NULL);

    bytes = handed_out() - before;
    nf_gemm_close(g);
    return bytes;
}

static void check_plan(struct nf_config cfg, enum nf_dtype dtype, size_t streams, bool tapped)
{
    size_t slack = (150 << 10) + 4 * kernel_bytes(&cfg);   /* every allocation takes whole pages */
    struct seen *s = seen_open(&cfg, true);
    const struct nf_tap tap = { s, wants, keep, 0 };
    struct nf_forward_opts opts = { .dtype = dtype, .tap = tapped ? &tap : NULL, .streams = streams };
    struct nf_forward *f;
    struct model m;
    size_t before;

    model_open(&m, cfg);
    before = handed_out();
    f = nf_forward_open(&cfg, &m.w, &opts, 100, NULL);
    CHECK(f || dtype == NF_BF16);
    if (f)
        CHECK(handed_out() - before <= nf_forward_get_plan(f)->weight_bytes + nf_forward_get_plan(f)->work_bytes + slack);
    nf_forward_close(f);
    model_close(&m);
    seen_close(s);
}

/* F so wide that a bit for each of [NF_CHUNK, F] is over the slack. */
static void the_plan_counts_what_is_allocated(void)
{
    struct nf_config cfg = config(true);

    cfg.F = 8192;
    for (int gated = 0; gated < 2; gated++)
        for (enum nf_dtype t = NF_BF16; t <= NF_F32; t++)
            for (int tapped = 0; tapped < 2; tapped++) {
                cfg.gated = gated;
                check_plan(cfg, t, 0, tapped);
                check_plan(cfg, t, 7, tapped);
            }
}

static int stop(void *self, const struct nf_rows *r)
{
    (void)self;
    (void)r;
    return NF_ESYS;
}

static void a_tap_can_end_the_run(void)
{
    const uint32_t length = 5, ids[5] = { 0 };
    struct nf_windows win = { ids, &length, 1, 5 };
    struct nf_config cfg = config(false);
    struct seen *s = seen_open(&cfg, true);
    const struct nf_tap tap = { s, wants, stop, 0 };
    struct nf_forward_opts opts = { .dtype = NF_F32, .tap = &tap };
    struct nf_forward *f;
    struct model m;

    model_open(&m, cfg);
    f = nf_forward_open(&cfg, &m.w, &opts, 5, NULL);
    CHECK(f && nf_forward_run(f, &win, NULL) == NF_ESYS);
    nf_forward_close(f);
    seen_close(s);
    model_close(&m);
}

int main(void)
{
    return RUN(every_site_equals_the_plain_pass, bf16_is_near, threads_company_and_taps_do_not_change_a_bit,
               layer_major_gives_the_same_bits, work_that_nobody_wants_is_not_done, counts_what_is_near_zero,
               predictions_agree_with_the_logits, bad_windows_are_refused_by_name, too_little_memory_is_said,
               the_plan_counts_what_is_allocated,                nonfinite_results_go_on_when_asked, a_tap_can_end_the_run);
}
