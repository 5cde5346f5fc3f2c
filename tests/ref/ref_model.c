/* ref_model.c - the OPT decoder as the paper and Hugging Face's modeling_opt.py describe it, and nothing clever. */
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

static void norm(const struct nf_config *cfg, const struct nf_norm *n, const double *x, size_t T, double *y)
{
    double *g = widened(&n->gain), *b = widened(&n->bias);

    ref_layernorm(x, g, b, cfg->norm_eps, T, cfg->D, y);
    free(g);
    free(b);
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

static void attention(const struct nf_config *cfg, const struct nf_layer *l, size_t layer, const double *x, size_t T,
                      const struct wish *wish, double *y)
{
    size_t D = cfg->D, K = cfg->K, H = cfg->H;
    double *q = doubles(T * D), *k = doubles(T * D), *v = doubles(T * D), *z = doubles(T * D), *p = doubles(T * T),
           *local = doubles(T * H * 7);

    linear(&l->q, x, T, D, D, q);
    linear(&l->k, x, T, D, D, k);
    linear(&l->v, x, T, D, D, v);
    for (size_t h = 0; h < H; h++) {
        ref_attention(q + h * K, k + h * K, v + h * K, D, T, K, 1 / sqrt((double)K), p, z + h * K);
        local_sums(p, T, h, H, local);
    }
    grant(wish, NF_SITE_ATTN_LOCAL, layer, local, T * H * 7);
    linear(&l->o, z, T, D, D, y);
    free(q);
    free(k);
    free(v);
    free(z);
    free(p);
    free(local);
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

static void ffn(const struct nf_config *cfg, const struct nf_layer *l, size_t layer, const double *x, size_t T,
                const struct wish *wish, double *y)
{
    size_t F = cfg->F;
    double *a = doubles(T * F), *active = doubles(T * F);

    linear(&l->ffn_in, x, T, cfg->D, F, a);
    grant(wish, NF_SITE_FFN_PRE, layer, a, T * F);
    for (size_t i = 0; i < T * F; i++) {
        active[i] = a[i] > 0;
        a[i] *= active[i];
    }
    grant(wish, NF_SITE_FFN_ACTIVE, layer, active, T * F);
    grant(wish, NF_SITE_FFN_ACT, layer, a, T * F);
    linear(&l->ffn_out, a, T, F, cfg->D, y);
    free(a);
    free(active);
}

static void block(const struct nf_config *cfg, const struct nf_layer *l, size_t layer, double *x, size_t T, const struct wish *wish)
{
    size_t n = T * cfg->D;
    double *pre = doubles(n), *h = doubles(n), *a = doubles(n), *f = doubles(n), *all = doubles(T * 8);

    memcpy(pre, x, n * sizeof *x);
    grant(wish, NF_SITE_RESID_PRE, layer, x, n);
    memcpy(h, x, n * sizeof *x);
    if (cfg->pre_norm)
        norm(cfg, &l->attn_norm, x, T, h);
    attention(cfg, l, layer, h, T, wish, a);
    grant(wish, NF_SITE_ATTN_OUT, layer, a, n);
    for (size_t i = 0; i < n; i++)
        x[i] += a[i];
    if (!cfg->pre_norm)
        norm(cfg, &l->attn_norm, x, T, x);
    grant(wish, NF_SITE_RESID_MID, layer, x, n);
    memcpy(h, x, n * sizeof *x);
    if (cfg->pre_norm)
        norm(cfg, &l->ffn_norm, x, T, h);
    ffn(cfg, l, layer, h, T, wish, f);
    grant(wish, NF_SITE_FFN_OUT, layer, f, n);
    for (size_t i = 0; i < n; i++)
        x[i] += f[i];
    if (!cfg->pre_norm)
        norm(cfg, &l->ffn_norm, x, T, x);
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
    double *e = doubles(T * cfg->E), *logits = doubles(T * V), *u = widened(&w->unembed), *pred = doubles(T * 2);

    if (cfg->final_norm)
        norm(cfg, &w->final_norm, x, T, x);
    if (w->project_out.w.data)
        linear(&w->project_out, x, T, cfg->D, cfg->E, e);
    else
        memcpy(e, x, T * cfg->E * sizeof *e);
    ref_linear(e, u, NULL, T, cfg->E, V, 0, logits);
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
