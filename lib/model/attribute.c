/* attribute.c - products of parts of the stream with the direction of the next token. */
#include "model/attribute.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "model/ops.h"

struct nf_attribute {
    const struct nf_config *cfg;
    const struct nf_weights *w;
    size_t T;             /* of the batch at hand */
    float *mean;          /* [E] mean row of the unembedding */
    float *gain, *bias;   /* [D] of the final norm: one and zero where there is none */
    float *project;       /* [E, D] project_out; NULL: none, and E is D */
    float *project_bias;  /* [E] of it: zero where there is none */
    float *row;           /* [E] of the token at hand */
    double mean_bias;     /* of the unembedding */
    float *toward;        /* [T,D] gain (u[next] - mean u), centred where the norm centres; NaN: no next token */
    float *part;          /* [parts, T] */
};

size_t nf_attribute_parts(const struct nf_config *cfg)
{
    return 2 * cfg->L + 3;
}

/* Embedding, then block by block, then biases and total. */
static size_t index_of(const struct nf_config *cfg, enum nf_part_kind kind, size_t layer)
{
    switch (kind) {
    case NF_PART_EMBED:
        return 0;
    case NF_PART_ATTN:
        return 1 + 2 * layer;
    case NF_PART_FFN:
        return 2 + 2 * layer;
    case NF_PART_BIAS:
        return 1 + 2 * cfg->L;
    default:
        return 2 + 2 * cfg->L;
    }
}

struct nf_part nf_attribute_part(const struct nf_config *cfg, size_t i)
{
    for (enum nf_part_kind kind = NF_PART_EMBED; kind <= NF_PART_TOTAL; kind++)
        if (kind != NF_PART_ATTN && kind != NF_PART_FFN && i == index_of(cfg, kind, 0))
            return (struct nf_part){ kind, 0 };
    return (struct nf_part){ i % 2 ? NF_PART_ATTN : NF_PART_FFN, (i - 1) / 2 };
}

uint64_t nf_attribute_token_bytes(const struct nf_config *cfg)
{
    return (cfg->D + nf_attribute_parts(cfg)) * sizeof(float);
}

/* Row `id` of the unembedding as float. */
static void unembed_row(const struct nf_attribute *a, size_t id, float *y)
{
    const struct nf_tensor *t = &a->w->unembed;

    nf_tensor_f32(t, id * t->shape[1], t->shape[1], y);
}

static double unembed_bias(const struct nf_attribute *a, size_t id)
{
    const struct nf_tensor *b = &a->w->unembed_bias;
    float y = 0;

    if (b->data)
        nf_tensor_f32(b, id, 1, &y);
    return (double)y;
}

enum { TABLE_ROWS = 64 };   /* of the unembedding, whose pages are in memory together: as in head.c */

static int find_mean(struct nf_attribute *a, struct nf_err *err)
{
    size_t E = a->cfg->E, V = a->cfg->V;
    double *sum = nf_alloc(E, sizeof *sum, err);

    for (size_t first = 0; sum && first < V; first += TABLE_ROWS) {
        const struct nf_tensor rows = nf_tensor_rows(&a->w->unembed, first, nf_min(TABLE_ROWS, V - first));

        for (size_t v = first; v < first + rows.shape[0]; v++) {
            unembed_row(a, v, a->mean);
            for (size_t e = 0; e < E; e++)
                sum[e] += (double)a->mean[e];
            a->mean_bias += unembed_bias(a, v);
        }
        nf_weights_drop(a->w, &rows);
    }
    for (size_t e = 0; sum && e < E; e++)
        a->mean[e] = (float)(sum[e] / (double)V);
    a->mean_bias /= (double)V;
    free(sum);
    return sum ? NF_OK : NF_ESYS;
}

static int check_attributable(const struct nf_config *cfg, struct nf_err *err)
{
    if (!cfg->pre_norm)
        return nf_fail(err, NF_EUSAGE, "%s normalises after each sum: its last stream is not a sum of what the blocks add",
                       cfg->architecture);
    return NF_OK;
}

/* A vector of the model as float; left as it is where there is none. */
static void read_vector(const struct nf_tensor *t, size_t n, float *y)
{
    if (t->data)
        nf_tensor_f32(t, 0, n, y);
}

/* What the last stream goes through: final norm and projection. */
static int open_end(struct nf_attribute *a, struct nf_err *err)
{
    size_t D = a->cfg->D, E = a->cfg->E;

    a->gain = nf_alloc(D, sizeof *a->gain, err);
    a->bias = nf_alloc(D, sizeof *a->bias, err);
    a->project_bias = nf_alloc(E, sizeof *a->project_bias, err);
    a->project = E == D ? NULL : nf_alloc(E * D, sizeof *a->project, err);
    if (!a->gain || !a->bias || !a->project_bias || (E != D && !a->project))
        return NF_ESYS;
    for (size_t d = 0; d < D; d++)
        a->gain[d] = 1;
    read_vector(&a->w->final_norm.gain, D, a->gain);
    read_vector(&a->w->final_norm.bias, D, a->bias);
    if (!a->project)
        return NF_OK;
    nf_linear_rows(&a->w->project_out, 0, E, a->project);
    nf_linear_bias(&a->w->project_out, a->project_bias);
    return NF_OK;
}

struct nf_attribute *nf_attribute_open(const struct nf_config *cfg, const struct nf_weights *w, size_t T, struct nf_err *err)
{
    struct nf_attribute *a = check_attributable(cfg, err) < 0 ? NULL : nf_alloc(1, sizeof *a, err);

    if (!a)
        return NULL;
    a->cfg = cfg;
    a->w = w;
    a->toward = nf_alloc(T * cfg->D, sizeof *a->toward, err);
    a->part = nf_alloc(T * nf_attribute_parts(cfg), sizeof *a->part, err);
    a->mean = nf_alloc(cfg->E, sizeof *a->mean, err);
    a->row = nf_alloc(cfg->E, sizeof *a->row, err);
    if (!a->toward || !a->part || !a->mean || !a->row || open_end(a, err) < 0 || find_mean(a, err) < 0) {
        nf_attribute_close(a);
        return NULL;
    }
    return a;
}

void nf_attribute_close(struct nf_attribute *a)
{
    if (!a)
        return;
    free(a->mean);
    free(a->gain);
    free(a->bias);
    free(a->project);
    free(a->project_bias);
    free(a->row);
    free(a->toward);
    free(a->part);
    free(a);
}

static float *part_of(struct nf_attribute *a, enum nf_part_kind kind, size_t layer)
{
    return a->part + index_of(a->cfg, kind, layer) * a->T;
}

/* Coordinate d, before the projection, of the direction in a->row. */
static double pulled_back(const struct nf_attribute *a, size_t d)
{
    size_t D = a->cfg->D;
    double sum = 0;

    if (!a->project)
        return (double)a->row[d];
    for (size_t e = 0; e < a->cfg->E; e++)
        sum += (double)a->row[e] * a->project[e * D + d];
    return sum;
}

/* The direction of token `next`, and what the biases give it. */
static float aim_at_token(const struct nf_attribute *a, size_t next, float *toward)
{
    bool centred = a->cfg->final_norm && a->cfg->norm == NF_NORM_LAYER;
    double bias = unembed_bias(a, next) - a->mean_bias, sum = 0;
    size_t D = a->cfg->D;

    unembed_row(a, next, a->row);
    for (size_t e = 0; e < a->cfg->E; e++) {
        a->row[e] -= a->mean[e];
        bias += (double)a->row[e] * a->project_bias[e];
    }
    for (size_t d = 0; d < D; d++) {
        double u = pulled_back(a, d);

        bias += u * a->bias[d];
        toward[d] = (float)(u * a->gain[d]);
        sum += (double)toward[d];
    }
    for (size_t d = 0; d < D && centred; d++)
        toward[d] = (float)(toward[d] - sum / (double)D);
    return (float)bias;
}

void nf_attribute_start(struct nf_attribute *a, const struct nf_windows *win)
{
    size_t row = 0;

    a->T = win->T;
    for (size_t w = 0; w < win->W; row += win->length[w++])
        for (size_t t = row; t < row + win->length[w]; t++) {
            float *to = a->toward + t * a->cfg->D;

            if (t % TABLE_ROWS == 0)
                nf_weights_drop(a->w, &a->w->unembed);
            if (t + 1 < row + win->length[w]) {
                part_of(a, NF_PART_BIAS, 0)[t] = aim_at_token(a, win->ids[t + 1], to);
                continue;
            }
            part_of(a, NF_PART_BIAS, 0)[t] = NAN;
            for (size_t d = 0; d < a->cfg->D; d++)
                to[d] = NAN;
        }
    nf_weights_drop(a->w, &a->w->unembed);
}

void nf_attribute_rows(struct nf_attribute *a, enum nf_part_kind kind, size_t layer, size_t row, size_t rows, const float *x)
{
    float *part = part_of(a, kind, layer);
    size_t D = a->cfg->D;

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < rows; i++) {
        const float *to = a->toward + (row + i) * D;
        double sum = 0;

        for (size_t d = 0; d < D; d++)
            sum += (double)x[i * D + d] * to[d];
        part[row + i] = (float)sum;
    }
}

void nf_attribute_finish(struct nf_attribute *a, const float *last)
{
    size_t n = index_of(a->cfg, NF_PART_BIAS, 0);
    float *total = part_of(a, NF_PART_TOTAL, 0);
    const float *bias = part_of(a, NF_PART_BIAS, 0);

    nf_attribute_rows(a, NF_PART_TOTAL, 0, 0, a->T, last);
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < a->T; t++) {
        double mean, scale = 1;

        if (a->cfg->final_norm)
            nf_norm_scale(last + t * a->cfg->D, a->cfg->norm_eps, a->cfg->norm == NF_NORM_LAYER, a->cfg->D, &mean, &scale);
        for (size_t c = 0; c < n; c++)
            a->part[c * a->T + t] = (float)(a->part[c * a->T + t] * scale);
        total[t] = (float)(total[t] * scale + bias[t]);
    }
}

const float *nf_attribute_of(const struct nf_attribute *a, size_t component)
{
    return a->part + component * a->T;
}
