/* logit_effect.c - one pass over the vocabulary for each layer. */
#include "vocab/logit_effect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "numeric/dot.h"
#include "numeric/eigen.h"
#include "vocab/simd.h"
#include "tensor/gemm.h"

enum { TILE = 1024, CHUNK = 256 };   /* columns of a tile; rows multiplied with it at a time: 1 MiB of products */

struct nf_logit_effects {
    const struct nf_vocab_rules *rules;
    const struct nf_folded_unembed *u;
    const struct nf_ffn_rows *rows;
    size_t V, E, D, F;
    uint32_t *id;            /* [kept]: columns that have a direction, ascending */
    double *length;          /* [kept]: what turns a value into an effect on the logit */
    size_t kept, k;          /* k: rows of weakest */
    double *weakest;         /* [k, E] */
    double *direction;       /* [E]: sum over v of d_v u_v with d the log frequencies, of mean 0 and length 1; NULL: not known */
    struct nf_gemm *gemm;
    void *packed;
    float *tile;             /* [TILE, E] */
    float *value;            /* [CHUNK, TILE] */
    float *w, *y;            /* [F, D], [F, E]: output rows; as the columns meet them, of length 1 unless raw_product */
    double *norm, *shift;    /* [F]: length of the rows y had; mean over the columns */
    float *in, *gate, *gain; /* [CHUNK, D], [CHUNK, D], [D] */
    struct nf_power_sums *sums;   /* [F] */
};

/* ---- open ---- */

static int keep_columns(struct nf_logit_effects *e, struct nf_err *err)
{
    const double *length = nf_folded_unembed_length(e->u);

    e->id = nf_alloc(e->V, sizeof *e->id, err);
    e->length = nf_alloc(e->V, sizeof *e->length, err);
    if (!e->id || !e->length)
        return NF_ESYS;
    for (size_t v = 0; v < e->V; v++)
        if (length[v] > 0) {
            e->length[e->kept] = e->rules->raw_product ? 1 : length[v];
            e->id[e->kept++] = (uint32_t)v;
        }
    return NF_OK;
}

static int find_weakest(struct nf_logit_effects *e, struct nf_err *err)
{
    size_t k = nf_min(e->rules->null_space, e->E);
    double *g, *value;
    int rc;

    if (k == 0)
        return NF_OK;
    g = nf_alloc(e->E, e->E * sizeof *g, err);
    value = nf_alloc(k, sizeof *value, err);
    e->weakest = nf_alloc(k, e->E * sizeof *e->weakest, err);
    rc = g && value && e->weakest ? nf_folded_unembed_gram(e->u, g, err) : NF_ESYS;
    if (rc == NF_OK)
        rc = nf_eigen_lowest(g, e->E, k, value, e->weakest, err);
    e->k = k;
    free(g);
    free(value);
    return rc;
}

static int find_direction(struct nf_logit_effects *e, const uint64_t *counts, struct nf_err *err)
{
    double *d = counts ? nf_alloc(e->V, sizeof *d, err) : NULL, mean = 0, norm;
    int rc;

    if (!counts)
        return NF_OK;
    e->direction = nf_alloc(e->E, sizeof *e->direction, err);
    if (!d || !e->direction) {
        free(d);
        return NF_ESYS;
    }
    for (size_t v = 0; v < e->V; v++) {
        d[v] = log((double)counts[v] + 1);   /* less log of the total, which the mean takes off */
        mean += d[v];
    }
    for (size_t v = 0; v < e->V; v++)
        d[v] -= mean / (double)e->V;
    norm = sqrt(nf_dot_double(d, d, e->V));
    for (size_t v = 0; v < e->V; v++)
        d[v] = norm > 0 ? d[v] / norm : NAN;   /* all tokens as frequent: no direction */
    rc = nf_folded_unembed_sum(e->u, d, e->direction, err);
    free(d);
    return rc;
}

static int open_product(struct nf_logit_effects *e, struct nf_err *err)
{
    const struct nf_gemm_shape shape = { e->E, TILE, NF_F32, NF_F32, false, false };

    e->gemm = nf_gemm_open(&shape, err);
    e->packed = e->gemm ? nf_alloc(nf_gemm_packed_size(e->gemm), 1, err) : NULL;
    e->tile = nf_alloc(TILE * e->E, sizeof *e->tile, err);
    e->value = nf_alloc(CHUNK * TILE, sizeof *e->value, err);
    e->w = nf_alloc(e->F, e->D * sizeof *e->w, err);
    e->y = nf_alloc(e->F, e->E * sizeof *e->y, err);
    e->norm = nf_alloc(e->F, sizeof *e->norm, err);
    e->shift = nf_alloc(e->F, sizeof *e->shift, err);
    e->in = nf_alloc(CHUNK, e->D * sizeof *e->in, err);
    e->gate = nf_alloc(CHUNK, e->D * sizeof *e->gate, err);
    e->gain = nf_alloc(e->D, sizeof *e->gain, err);
    e->sums = nf_alloc(e->F, sizeof *e->sums, err);
    return e->packed && e->tile && e->value && e->w && e->y && e->norm && e->shift && e->in && e->gate && e->gain && e->sums
               ? NF_OK
               : NF_ESYS;
}

struct nf_logit_effects *nf_logit_effects_open(const struct nf_vocab_rules *rules, const struct nf_folded_unembed *u,
                                               const struct nf_ffn_rows *rows, size_t D, size_t F, const uint64_t *counts,
                                               struct nf_err *err)
{
    struct nf_logit_effects *e = nf_alloc(1, sizeof *e, err);

    if (!e)
        return NULL;
    e->rules = rules;
    e->u = u;
    e->rows = rows;
    e->D = D;
    e->F = F;
    nf_folded_unembed_sizes(u, &e->V, &e->E);
    if (keep_columns(e, err) < 0 || find_weakest(e, err) < 0 || find_direction(e, counts, err) < 0 || open_product(e, err) < 0) {
        nf_logit_effects_close(e);
        return NULL;
    }
    return e;
}

void nf_logit_effects_close(struct nf_logit_effects *e)
{
    if (!e)
        return;
    free(e->id);
    free(e->length);
    free(e->weakest);
    free(e->direction);
    nf_gemm_close(e->gemm);
    free(e->packed);
    free(e->tile);
    free(e->value);
    free(e->w);
    free(e->y);
    free(e->norm);
    free(e->shift);
    free(e->in);
    free(e->gate);
    free(e->gain);
    free(e->sums);
    free(e);
}

size_t nf_logit_effects_no_direction(const struct nf_logit_effects *e)
{
    return e->V - e->kept;
}

/* ---- norms and cosines ---- */

/* The gain of the norm before, and for LayerNorm no mean. */
static void fold(const struct nf_logit_effects *e, float *w)
{
    double mean = 0;

    for (size_t d = 0; d < e->D; d++)
        w[d] *= e->gain[d];
    for (size_t d = 0; nf_folded_unembed_layernorm(e->u) && d < e->D; d++)
        mean += w[d];
    mean /= (double)e->D;
    for (size_t d = 0; d < e->D; d++)
        w[d] = (float)(w[d] - mean);
}

static double compute_cosine(const float *x, const float *y, size_t n, double nx, double ny)
{
    return nx > 0 && ny > 0 ? nf_dot(x, y, n) / (nx * ny) : NAN;
}

static void measure_reading(struct nf_logit_effects *e, size_t layer, struct nf_logit_effect *effect)
{
    const struct nf_ffn_rows *r = e->rows;
    size_t D = e->D;

    r->gain(r->ctx, layer, e->gain);
    for (size_t first = 0; first < e->F; first += CHUNK) {
        size_t n = nf_min(CHUNK, e->F - first);

        r->rows(r->ctx, layer, NF_FFN_IN, first, n, e->in);
        if (r->gated)
            r->rows(r->ctx, layer, NF_FFN_GATE, first, n, e->gate);
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < n; i++) {
            struct nf_logit_effect *x = &effect[first + i];
            float *in = e->in + i * D, *gate = e->gate + i * D;
            const float *out = e->w + (first + i) * D;

            fold(e, in);
            x->in_norm = sqrt(nf_dot(in, in, D));
            x->cos_in_out = compute_cosine(in, out, D, x->in_norm, x->out_norm);
            x->gated = r->gated;
            x->gate_norm = x->cos_gate_out = x->cos_gate_in = NAN;
            if (!r->gated)
                continue;
            fold(e, gate);
            x->gate_norm = sqrt(nf_dot(gate, gate, D));
            x->cos_gate_out = compute_cosine(gate, out, D, x->gate_norm, x->out_norm);
            x->cos_gate_in = compute_cosine(gate, in, D, x->gate_norm, x->in_norm);
        }
    }
}

/* ---- the pass over the vocabulary ---- */

static double null_share(const struct nf_logit_effects *e, const float *y, double norm)
{
    double sum = 0;

    for (size_t i = 0; i < e->k; i++) {
        double c = nf_dot_mixed(y, e->weakest + i * e->E, e->E);

        sum += c * c;
    }
    return e->k > 0 && norm > 0 ? fmin(sqrt(sum) / norm, 1) : NAN;
}

/* Rows of the layer, their lengths and means; everything that is a product with E numbers and not with V. */
static void begin_layer(struct nf_logit_effects *e, size_t layer, struct nf_logit_effect *effect)
{
    const double *centre = nf_folded_unembed_centre(e->u);

    for (size_t first = 0; first < e->F; first += CHUNK)
        e->rows->rows(e->rows->ctx, layer, NF_FFN_OUT, first, nf_min(CHUNK, e->F - first), e->w + first * e->D);
    nf_folded_unembed_rows(e->u, e->F, e->w, e->y);
#pragma omp parallel for schedule(static)
    for (size_t f = 0; f < e->F; f++) {
        const float *w = e->w + f * e->D;
        float *y = e->y + f * e->E;
        double norm = sqrt(nf_dot(y, y, e->E));

        effect[f].out_norm = sqrt(nf_dot(w, w, e->D));
        effect[f].null_share = null_share(e, y, norm);
        e->norm[f] = norm;
        for (size_t i = 0; !e->rules->raw_product && norm > 0 && i < e->E; i++)
            y[i] = (float)(y[i] / norm);
        e->shift[f] = e->rules->raw_product ? 0 : nf_dot_mixed(y, centre, e->E);
        effect[f].frequency = e->direction ? nf_dot_mixed(y, e->direction, e->E) : NAN;
    }
    memset(e->sums, 0, e->F * sizeof *e->sums);
}

static int pack_output_tile(struct nf_logit_effects *e, size_t first, size_t n, struct nf_err *err)
{
    nf_folded_unembed_columns(e->u, e->id + first, n, !e->rules->raw_product, e->tile);
    memset(e->tile + n * e->E, 0, (TILE - n) * e->E * sizeof *e->tile);
    return nf_gemm_pack(e->gemm, e->tile, e->packed, err);
}

static int add_tile(struct nf_logit_effects *e, size_t first, size_t n, struct nf_err *err)
{
    for (size_t row = 0; row < e->F; row += CHUNK) {
        size_t rows = nf_min(CHUNK, e->F - row);

        if (nf_gemm_run(e->gemm, e->packed, NULL, e->y + row * e->E, rows, e->value, err) < 0)
            return NF_ESYS;
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < rows; i++)
            nf_simd_powers(e->value + i * TILE, e->length + first, n, e->shift[row + i], &e->sums[row + i]);
    }
    return NF_OK;
}

/* Moments about the mean out of power sums about the shift, which is next to it. */
static void end_neuron(const struct nf_logit_effects *e, size_t f, struct nf_logit_effect *x)
{
    double n = (double)e->kept, s[5], m, m2, m3, m4, square;

    for (size_t p = 0; p < 5; p++)
        s[p] = nf_simd_total(e->sums[f].s[p]) / n;
    m = s[0];
    m2 = s[1] - m * m;
    m3 = s[2] - 3 * m * s[1] + 2 * m * m * m;
    m4 = s[3] - 4 * m * s[2] + 6 * m * m * s[1] - 3 * m * m * m * m;
    square = s[4] * n;   /* of the effect on all logits, of columns without direction too: theirs is 0 */
    x->mean = x->var = x->skew = x->kurt = x->logit_var = NAN;
    if (e->kept > 0 && e->norm[f] > 0) {
        x->mean = e->shift[f] + m;
        x->var = fmax(m2, 0);
        x->skew = m2 > 0 ? m3 / (m2 * sqrt(m2)) : NAN;
        x->kurt = m2 > 0 ? m4 / (m2 * m2) : NAN;
        x->logit_var = square / (double)e->V * (e->rules->raw_product ? 1 : e->norm[f] * e->norm[f]);
    }
    x->frequency = square > 0 ? fmax(fmin(x->frequency / sqrt(square), 1), -1) : NAN;
    if (!e->direction || isnan(e->direction[0]))
        x->frequency = NAN;   /* fmin and fmax drop NaN */
}

int nf_logit_effects_layer(struct nf_logit_effects *e, size_t layer, struct nf_logit_effect *effect, struct nf_err *err)
{
    begin_layer(e, layer, effect);
    measure_reading(e, layer, effect);
    for (size_t first = 0; first < e->kept; first += TILE) {
        size_t n = nf_min(TILE, e->kept - first);

        if (pack_output_tile(e, first, n, err) < 0 || add_tile(e, first, n, err) < 0)
            return NF_ESYS;
    }
    for (size_t f = 0; f < e->F; f++)
        end_neuron(e, f, &effect[f]);
    return NF_OK;
}

/* ---- classes ---- */

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Squared norms of what a neuron reads and writes. */
static double norms(const struct nf_logit_effect *x)
{
    return x->in_norm * x->in_norm + (isnan(x->gate_norm) ? 0 : x->gate_norm * x->gate_norm) + x->out_norm * x->out_norm;
}

/* The value that a share q of v [n] is below; sorts v.  NaN: n == 0. */
static double quantile(double *v, size_t n, double q)
{
    if (n == 0)
        return NAN;
    qsort(v, n, sizeof *v, ascending);
    return v[nf_min(n - 1, (size_t)(q * (double)n))];
}

/* What the layer asks of an entropy neuron. */
static int find_limits(const struct nf_vocab_rules *rules, const struct nf_logit_effect *effect, size_t F,
                       struct nf_logit_effect_summary *s, struct nf_err *err)
{
    double *v = nf_alloc(F, sizeof *v, err);
    size_t n = 0;

    if (!v)
        return NF_ESYS;
    for (size_t f = 0; f < F; f++)
        v[f] = norms(&effect[f]);
    s->norm_limit = quantile(v, F, rules->entropy_norm);
    for (size_t f = 0; f < F; f++)
        if (!isnan(effect[f].var))
            v[n++] = effect[f].var;
    s->var_limit = rules->entropy_var * quantile(v, n, 0.5);
    free(v);
    return NF_OK;
}

/* Comparisons with NaN are false. */
static unsigned judge(const struct nf_vocab_rules *rules, const struct nf_logit_effect *x, const struct nf_logit_effect_summary *s)
{
    unsigned set = 0;

    if (x->kurt > rules->kurtosis && x->skew > 0)
        set |= 1u << NF_PREDICTION;
    if (x->kurt > rules->kurtosis && x->skew < 0)
        set |= 1u << NF_SUPPRESSION;
    if (s->partition && x->var > rules->partition)
        set |= 1u << NF_PARTITION;
    if (s->entropy && norms(x) >= s->norm_limit && x->var <= s->var_limit && x->kurt <= rules->kurtosis)
        set |= 1u << NF_ENTROPY;
    if (fabs(x->frequency) >= rules->frequency)
        set |= 1u << NF_TOKEN_FREQUENCY;
    return set;
}

int nf_logit_effects_classify(const struct nf_logit_effects *e, const struct nf_logit_effect *effect, size_t layer, size_t L,
                              unsigned *classes, struct nf_logit_effect_summary *summary, struct nf_err *err)
{
    const struct nf_vocab_rules *rules = e->rules;

    *summary = (struct nf_logit_effect_summary){ .partition = rules->raw_product || rules->partition * (double)e->E >= 2,
                                                 .entropy = L - layer <= rules->entropy_layers,
                                                 .frequency = e->direction && !isnan(e->direction[0]),
                                                 .norm_limit = NAN,
                                                 .var_limit = NAN };
    if (summary->entropy && find_limits(rules, effect, e->F, summary, err) < 0)
        return NF_ESYS;
    for (size_t f = 0; f < e->F; f++) {
        classes[f] = judge(rules, &effect[f], summary);
        for (size_t c = 0; c < NF_CLASSES; c++)
            summary->count[c] += classes[f] >> c & 1;
    }
    return NF_OK;
}
