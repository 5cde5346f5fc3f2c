/* ref_model.c - the decoder as the papers and Hugging Face's modeling files describe it, switch by switch, and nothing clever. */
#include "ref_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ref_ops.h"

/* What a caller asked for, filled on the way. */
struct wish {
    enum nf_site site;
    size_t layer;
    double *out;
};

static void grant(const struct wish *wish, enum nf_site site, size_t layer, const double *x, size_t n)
{
    if (wish->site == site && wish->layer == layer)
        memcpy(wish->out, x, n * sizeof *x);
}

static double *doubles(size_t n)
{
    return calloc(n + 1, sizeof(double));
}

static double *widened(const struct nf_tensor *t)
{
    size_t n = 0;
    double *y;

    if (!t->data)
        return NULL;
    nf_tensor_count(t, &n);
    y = doubles(n);
    ref_widen(t->data, n, y);
    return y;
}

static void linear(const struct nf_linear *l, const double *x, size_t T, size_t in, size_t out, double *y)
{
    double *w = widened(&l->w), *b = widened(&l->b);

    ref_linear(x, w, b, T, in, out, 0, y);
    free(w);
    free(b);
}

/* Rows of D, by the family's norm or another. */
static void norm_by(enum nf_norm_kind kind, double eps, const struct nf_norm *n, const double *x, size_t T, size_t D, double *y)
{
    double *g = widened(&n->gain), *b = widened(&n->bias);

    if (kind == NF_NORM_RMS)
        ref_rmsnorm(x, g, eps, T, D, y);
    else
        ref_layernorm(x, g, b, eps, T, D, y);
    free(g);
    free(b);
}

static void norm(const struct nf_config *cfg, const struct nf_norm *n, const double *x, size_t T, double *y)
{
    norm_by(cfg->norm, cfg->norm_eps, n, x, T, cfg->D, y);
}

/* Su et al. 2021, equation 34, with the pairs (i, i + R/2); the angle in float, as transformers has it. */
static void turn(const struct nf_rope_config *r, double *x, size_t position)
{
    for (size_t i = 0; i < r->R / 2; i++) {
        float f = (float)(1 / pow(r->theta, 2 * (double)i / (double)r->R)), angle;
        double turns = (double)r->original * f / (2 * M_PI), s = (turns - r->low) / (r->high - r->low), a = x[i],
               b = x[i + r->R / 2];

        if (r->kind == NF_ROPE_LINEAR)
            f = (float)(f / r->factor);
        if (r->kind == NF_ROPE_LLAMA3)
            f = (float)(turns > r->high ? f : turns < r->low ? f / r->factor : (1 - s) * f / r->factor + s * f);
        angle = (float)position * f;
        x[i] = a * cos(angle) - b * sin(angle);
        x[i + r->R / 2] = b * cos(angle) + a * sin(angle);
    }
}

/* Queries or keys [T, n heads of K]: normalised, turned. */
static void place(const struct nf_config *cfg, const struct nf_norm *n, double *x, size_t T, size_t heads)
{
    for (size_t t = 0; t < T; t++)
        for (size_t h = 0; h < heads; h++) {
            double *head = x + (t * heads + h) * cfg->K;

            if (cfg->qk_norm != NF_NORM_NONE)
                norm_by(cfg->qk_norm, cfg->norm_eps, n, head, 1, cfg->K, head);
            if (cfg->positions == NF_POS_ROTARY)
                turn(&cfg->rope, head, t);
        }
}

static void local_sums(const double *p, size_t T, size_t h, size_t H, double *out)
{
    static const size_t back[] = { 1, 2, 4, 5, 8, 16 };

    for (size_t t = 0; t < T; t++) {
        double *o = out + (t * H + h) * 7;

        for (size_t i = 0; i < 6; i++) {
            o[i] = 0;
            for (size_t s = 1; s <= back[i] && s <= t; s++)
                o[i] += p[t * T + t - s];
        }
        o[6] = p[t * T];
    }
}

static void looks_back(const double *p, size_t T, size_t h, size_t H, double *out)
{
    for (size_t t = 0; t < T; t++)
        for (size_t s = 0; s < 17; s++)
            out[(t * H + h) * 17 + s] = s <= t ? p[t * T + t - s] : 0;
}

static void attention(const struct nf_config *cfg, const struct nf_layer *l, size_t layer, const double *x, size_t T,
                      const struct wish *wish, double *y)
{
    size_t K = cfg->K, H = cfg->H, G = cfg->G;
    double *q = doubles(T * H * K), *k = doubles(T * G * K), *v = doubles(T * G * K), *z = doubles(T * H * K), *p = doubles(T * T),
           *local = doubles(T * H * 7), *back = doubles(T * H * 17), scale = cfg->scale_scores ? 1 / sqrt((double)K) : 1;

    if (cfg->scale_by_layer)
        scale /= (double)layer + 1;
    linear(&l->q, x, T, cfg->D, H * K, q);
    linear(&l->k, x, T, cfg->D, G * K, k);
    linear(&l->v, x, T, cfg->D, G * K, v);
    place(cfg, &l->q_norm, q, T, H);
    place(cfg, &l->k_norm, k, T, G);
    for (size_t h = 0; h < H; h++) {
        size_t g = h / (H / G) * K;

        ref_attention(q + h * K, H * K, k + g, v + g, G * K, T, K, scale, nf_config_window(cfg, layer), p, z + h * K, H * K);
        local_sums(p, T, h, H, local);
        looks_back(p, T, h, H, back);
    }
    grant(wish, NF_SITE_ATTN_LOCAL, layer, local, T * H * 7);
    grant(wish, NF_SITE_ATTN_BACK, layer, back, T * H * 17);
    linear(&l->o, z, T, H * K, cfg->D, y);
    free(q);
    free(k);
    free(v);
    free(z);
    free(p);
    free(local);
    free(back);
}

static double dot(const double *a, const double *b, size_t n)
{
    double s = 0;

    for (size_t i = 0; i < n; i++)
        s += a[i] * b[i];
    return s;
}

static void norms(const double *pre, const double *attn, const double *ffn, const double *post, size_t T, size_t D, double *out)
{
    double *block = doubles(D);

    for (size_t t = 0; t < T; t++, pre += D, attn += D, ffn += D, post += D, out += 8) {
        for (size_t d = 0; d < D; d++)
            block[d] = attn[d] + ffn[d];
        out[0] = sqrt(dot(attn, attn, D));
        out[1] = sqrt(dot(ffn, ffn, D));
        out[2] = sqrt(dot(block, block, D));
        out[3] = sqrt(dot(pre, pre, D));
        out[4] = sqrt(dot(post, post, D));
        out[5] = dot(block, pre, D) / (out[2] * out[3]);
        out[6] = dot(attn, pre, D) / (out[0] * out[3]);
        out[7] = dot(pre, post, D) / (out[3] * out[4]);
    }
    free(block);
}

static double act(enum nf_act kind, double x)
{
    switch (kind) {
    case NF_ACT_RELU:
        return x > 0 ? x : 0;
    case NF_ACT_GELU:
        return x * (1 + erf(x / sqrt(2))) / 2;
    case NF_ACT_RELU2:
        return x > 0 ? x * x : 0;
    case NF_ACT_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case NF_ACT_GELU_TANH:
        return x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2;
    default:
        return x / (1 + exp(-x));
    }
}

static void ffn(const struct nf_config *cfg, const struct nf_layer *l, size_t layer, const double *x, size_t T,
                const struct wish *wish, double *y)
{
    size_t F = cfg->F;
    double *a = doubles(T * F), *up = doubles(T * F), *active = doubles(T * F);

    linear(&l->ffn_in, x, T, cfg->D, F, a);
    if (cfg->gated)
        linear(&l->ffn_up, x, T, cfg->D, F, up);
    grant(wish, NF_SITE_FFN_PRE, layer, a, T * F);
    grant(wish, NF_SITE_FFN_UP, layer, up, T * F);
    for (size_t i = 0; i < T * F; i++) {
        active[i] = a[i] > 0;
        a[i] = act(cfg->act, a[i]) * (cfg->gated ? up[i] : 1);
    }
    grant(wish, NF_SITE_FFN_ACTIVE, layer, active, T * F);
    grant(wish, NF_SITE_FFN_ACT, layer, a, T * F);
    linear(&l->ffn_out, a, T, F, cfg->D, y);
    free(a);
    free(up);
    free(active);
}

/* What goes into a sublayer: the stream, normalised in pre-norm models. */
static void enter(const struct nf_config *cfg, const struct nf_norm *n, const double *x, size_t T, double *h)
{
    memcpy(h, x, T * cfg->D * sizeof *x);
    if (cfg->pre_norm)
        norm(cfg, n, x, T, h);
}

/* The stream after a sublayer. */
static void add(const struct nf_config *cfg, const struct nf_norm *n, const double *y, size_t T, double *x)
{
    for (size_t i = 0; i < T * cfg->D; i++)
        x[i] += y[i];
    if (!cfg->pre_norm)
        norm(cfg, n, x, T, x);
}

static void block(const struct nf_config *cfg, const struct nf_layer *l, size_t layer, double *x, size_t T, const struct wish *wish)
{
    size_t n = T * cfg->D;
    double *pre = doubles(n), *h = doubles(n), *a = doubles(n), *f = doubles(n), *all = doubles(T * 8);

    memcpy(pre, x, n * sizeof *x);
    grant(wish, NF_SITE_RESID_PRE, layer, x, n);
    enter(cfg, &l->attn_norm, x, T, h);
    attention(cfg, l, layer, h, T, wish, a);
    grant(wish, NF_SITE_ATTN_OUT, layer, a, n);
    add(cfg, &l->attn_norm, a, T, x);
    if (!cfg->parallel)
        grant(wish, NF_SITE_RESID_MID, layer, x, n);
    enter(cfg, cfg->one_norm ? &l->attn_norm : &l->ffn_norm, cfg->parallel ? pre : x, T, h);
    ffn(cfg, l, layer, h, T, wish, f);
    grant(wish, NF_SITE_FFN_OUT, layer, f, n);
    add(cfg, &l->ffn_norm, f, T, x);
    grant(wish, NF_SITE_RESID_POST, layer, x, n);
    norms(pre, a, f, x, T, cfg->D, all);
    grant(wish, NF_SITE_NORMS, layer, all, T * 8);
    free(pre);
    free(h);
    free(a);
    free(f);
    free(all);
}

static void embed(const struct nf_config *cfg, const struct nf_weights *w, const uint32_t *ids, size_t T, double *x)
{
    double *table = widened(&w->embed), *positions = widened(&w->positions), *e = doubles(T * cfg->E);

    for (size_t t = 0; t < T; t++)
        memcpy(e + t * cfg->E, table + ids[t] * cfg->E, cfg->E * sizeof *e);
    if (w->project_in.w.data)
        linear(&w->project_in, e, T, cfg->E, cfg->D, x);
    else
        memcpy(x, e, T * cfg->D * sizeof *x);
    for (size_t t = 0; positions && t < T; t++)
        for (size_t d = 0; d < cfg->D; d++)
            x[t * cfg->D + d] += positions[(t + cfg->position_offset) * cfg->D + d];
    free(table);
    free(positions);
    free(e);
}

static void head(const struct nf_config *cfg, const struct nf_weights *w, const uint32_t *ids, double *x, size_t T,
                 const struct wish *wish)
{
    size_t V = cfg->V;
    double *e = doubles(T * cfg->E), *logits = doubles(T * V), *u = widened(&w->unembed), *bias = widened(&w->unembed_bias),
           *pred = doubles(T * 2);

    if (cfg->final_norm)
        norm(cfg, &w->final_norm, x, T, x);
    if (w->project_out.w.data)
        linear(&w->project_out, x, T, cfg->D, cfg->E, e);
    else
        memcpy(e, x, T * cfg->E * sizeof *e);
    ref_linear(e, u, bias, T, cfg->E, V, 0, logits);
    grant(wish, NF_SITE_LOGITS, cfg->L, logits, T * V);
    for (size_t t = 0; t < T; t++) {
        const double *row = logits + t * V;
        double sum = 0, *p = pred + 2 * t;

        for (size_t v = 0; v < V; v++)
            sum += exp(row[v]);
        p[0] = t + 1 < T ? log(sum) - row[ids[t + 1]] : NAN;
        for (size_t v = 0; v < V; v++)
            p[1] -= exp(row[v]) / sum * log2(exp(row[v]) / sum);
    }
    grant(wish, NF_SITE_PRED, cfg->L, pred, T * 2);
    free(e);
    free(logits);
    free(u);
    free(bias);
    free(pred);
}

void ref_forward(const struct nf_config *cfg, const struct nf_weights *w, const uint32_t *ids, size_t T, enum nf_site site,
                 size_t layer, double *out)
{
    const struct wish wish = { site, layer, out };
    double *x = doubles(T * cfg->D);

    embed(cfg, w, ids, T, x);
    for (size_t l = 0; l < cfg->L; l++)
        block(cfg, &w->layer[l], l, x, T, &wish);
    head(cfg, w, ids, x, T, &wish);
    free(x);
}
