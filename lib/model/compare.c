/* compare.c - several streams through the tiles of the vocabulary side by side. */
#include "model/compare.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/par.h"
#include "model/forward_impl.h"

struct nf_comparison {
    float *final;                /* [streams, NF_CHUNK, E] what the unembedding takes; one of the two */
    uint16_t *final16;
    float *base, *weight;        /* [NF_CHUNK, tile] logits of the base, and e^(logit - maximum so far) */
    float *fade;                 /* [NF_CHUNK] what sums under the base's old maximum are multiplied by */
    struct nf_running *running;  /* [streams, NF_CHUNK] */
    double *gap;                 /* [streams, NF_CHUNK] C */
    size_t k;                    /* most probable tokens that are wanted; 0: none */
    uint32_t *top;               /* [n, T, k] the caller's */
    float *top_p;                /* logits until all tiles are seen */
};

uint64_t nf_comparison_bytes(const struct nf_config *cfg, size_t streams, size_t tile)
{
    uint64_t rows = (uint64_t)streams * NF_CHUNK;

    return rows * (cfg->E * sizeof(float) + sizeof(struct nf_running) + sizeof(double)) +
           2 * (uint64_t)NF_CHUNK * (tile + 1) * sizeof(float);
}

int nf_comparison_open(struct nf_forward *f, struct nf_err *err)
{
    size_t rows = f->opts.streams * NF_CHUNK;
    struct nf_comparison *c = f->comparison = nf_alloc(1, sizeof *c, err);

    if (!c)
        return NF_ESYS;
    if (f->inputs == NF_BF16)
        c->final16 = nf_alloc(rows * f->cfg->E, sizeof *c->final16, err);
    else
        c->final = nf_alloc(rows * f->cfg->E, sizeof *c->final, err);
    c->base = nf_alloc(NF_CHUNK * f->tile, sizeof *c->base, err);
    c->weight = nf_alloc(NF_CHUNK * f->tile, sizeof *c->weight, err);
    c->fade = nf_alloc(NF_CHUNK, sizeof *c->fade, err);
    c->running = nf_alloc(rows, sizeof *c->running, err);
    c->gap = nf_alloc(rows, sizeof *c->gap, err);
    return (c->final || c->final16) && c->base && c->weight && c->fade && c->running && c->gap ? NF_OK : NF_ESYS;
}

void nf_comparison_close(struct nf_forward *f)
{
    struct nf_comparison *c = f->comparison;

    if (!c)
        return;
    free(c->final);
    free(c->final16);
    free(c->base);
    free(c->weight);
    free(c->fade);
    free(c->running);
    free(c->gap);
    free(c);
}

/* Some rows of all streams. */
struct part {
    struct nf_forward *f;
    const struct nf_windows *win;
    const struct nf_lens *lens;   /* NULL: none */
    size_t n, row, rows;
    struct nf_err *err;
};

static struct nf_mat final_of(const struct part *p, size_t stream)
{
    const struct nf_comparison *c = p->f->comparison;
    size_t at = stream * NF_CHUNK * p->f->cfg->E;

    return nf_forward_mat(p->f, c->final + at, c->final16 ? c->final16 + at : NULL);
}

/* Mean and 1 / standard deviation of a row; RMSNorm's lens knows neither. */
static void scale_of(const struct nf_forward *f, const float *x, double *mean, double *rstd)
{
    *mean = 0;
    *rstd = 1;
    if (f->cfg->norm == NF_NORM_LAYER)
        nf_norm_scale(x, f->cfg->norm_eps, true, f->cfg->D, mean, rstd);
}

/* nf_head_final() of another stream, by the lens. */
static void lens_final(const struct part *p, const float *base, const float *x, struct nf_mat to)
{
    const struct nf_forward *f = p->f;
    const float *gain = f->final_norm.gain, *bias = p->lens->no_bias ? NULL : f->final_norm.bias;
    size_t D = f->cfg->D;

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->rows; i++) {
        double mean, rstd, ignored;

        scale_of(f, x + i * D, &mean, &rstd);
        if (p->lens->cached)
            scale_of(f, base + i * D, &ignored, &rstd);
        for (size_t d = 0; d < D; d++)
            f->h[i * D + d] = (float)((x[i * D + d] - mean) * rstd * (gain ? gain[d] : 1) + (bias ? bias[d] : 0));
    }
    nf_copy_to(f->h, p->rows * D, to);
}

static int final_stream(const struct part *p, size_t s, const float *const *x)
{
    size_t at = p->row * p->f->cfg->D;

    if (s == 0 || !p->lens || (!p->lens->cached && !p->lens->no_bias))
        return nf_head_final(p->f, x[s] + at, p->rows, final_of(p, s), p->err);
    if (!p->lens->cached && p->f->cfg->norm == NF_NORM_RMS)   /* which has no bias to leave out */
        return nf_head_final(p->f, x[s] + at, p->rows, final_of(p, s), p->err);
    lens_final(p, x[0] + at, x[s] + at, final_of(p, s));
    return NF_OK;
}

/* Logits of a stream for a packed tile. */
static int stream_logits(const struct part *p, size_t s, const void *packed, size_t tile, float *logits)
{
    bool bias = s == 0 || !p->lens || !p->lens->no_bias;

    return nf_head_logits(p->f, packed, tile, bias, final_of(p, s), p->rows, logits, p->err);
}

/* The logit of the next token, which must be known before the first tile: all of a chunk's are a tile of their own. */
static int start_part(const struct part *p, const bool *last)
{
    struct nf_forward *f = p->f;
    struct nf_comparison *c = f->comparison;
    size_t targets = nf_min(p->rows, p->win->T - p->row - 1), tile = nf_head_tiles(f);
    const void *packed;

    if (nf_head_targets(f, p->win->ids + p->row + 1, targets, &packed, p->err) < 0)
        return NF_ESYS;
    for (size_t s = 0; s < p->n; s++) {
        if (stream_logits(p, s, packed, tile, f->logits) < 0)
            return NF_ESYS;
        for (size_t i = 0; i < p->rows; i++) {
            c->running[s * NF_CHUNK + i] = nf_running_init(last[i] ? NAN : f->logits[i * f->tile + i]);
            c->gap[s * NF_CHUNK + i] = 0;
        }
    }
    return NF_OK;
}

void nf_forward_keep_top(struct nf_forward *f, size_t k, uint32_t *id, float *p)
{
    assert(k <= f->cfg->V);
    f->comparison->k = k;
    f->comparison->top = id;
    f->comparison->top_p = p;
}

/* Logits x of columns first .. into the k highest so far, of which there are min(k, first); ids come in ascending order. */
static void take_top(const float *x, size_t columns, size_t first, size_t k, uint32_t *id, float *logit)
{
    for (size_t c = 0; c < columns; c++) {
        size_t n = nf_min(k, first + c), at = n;

        if (n == k && !(x[c] > logit[k - 1]))
            continue;
        for (; at > 0 && x[c] > logit[at - 1]; at--)
            if (at < k) {
                logit[at] = logit[at - 1];
                id[at] = id[at - 1];
            }
        logit[at] = x[c];
        id[at] = (uint32_t)(first + c);
    }
}

/* Of row i of stream s. */
static size_t top_of(const struct part *p, size_t s, size_t i)
{
    return (s * p->win->T + p->row + i) * p->f->comparison->k;
}

static void take_tops(const struct part *p, size_t s, const float *logits, size_t first, size_t columns)
{
    struct nf_comparison *c = p->f->comparison;

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < (c->k ? p->rows : 0); i++)
        take_top(logits + i * p->f->tile, columns, first, c->k, c->top + top_of(p, s, i), c->top_p + top_of(p, s, i));
}

static int base_tile(const struct part *p, size_t tile, const void *packed, size_t first, size_t columns)
{
    struct nf_forward *f = p->f;
    struct nf_comparison *c = f->comparison;
    const struct nf_kernels *k = nf_kernels();

    if (stream_logits(p, 0, packed, tile, c->base) < 0)
        return NF_ESYS;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->rows; i++) {
        const float *a = c->base + i * f->tile;
        float before = c->running[i].max;

        k->run(&c->running[i], a, columns, (uint32_t)first);
        c->fade[i] = expf(before - c->running[i].max);
        k->weigh(a, c->running[i].max, columns, c->weight + i * f->tile);
    }
    take_tops(p, 0, c->base, first, columns);
    return NF_OK;
}

static int other_tile(const struct part *p, size_t s, size_t tile, const void *packed, size_t first, size_t columns)
{
    struct nf_forward *f = p->f;
    struct nf_comparison *c = f->comparison;
    const struct nf_kernels *k = nf_kernels();

    if (stream_logits(p, s, packed, tile, f->logits) < 0)
        return NF_ESYS;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->rows; i++) {
        const float *b = f->logits + i * f->tile;
        double *gap = &c->gap[s * NF_CHUNK + i];

        k->run(&c->running[s * NF_CHUNK + i], b, columns, (uint32_t)first);
        *gap = *gap * c->fade[i] + k->weighted_gap(c->weight + i * f->tile, c->base + i * f->tile, b, columns);
    }
    take_tops(p, s, f->logits, first, columns);
    return NF_OK;
}

/* ln of the sum of e^logit, with the running sums of one row. */
static double log_sum(const struct nf_running *r)
{
    return r->max + log(r->sum);
}

static int finish_part(const struct part *p, size_t s, struct nf_divergence *out)
{
    const struct nf_comparison *c = p->f->comparison;

    for (size_t i = 0; i < p->rows; i++) {
        const struct nf_running *base = &c->running[i], *own = &c->running[s * NF_CHUNK + i];
        double kl = s == 0 ? 0 : c->gap[s * NF_CHUNK + i] / base->sum - log_sum(base) + log_sum(own);
        float pred[4];

        nf_running_pred(own, pred);
        for (size_t k = 0; k < c->k; k++)
            c->top_p[top_of(p, s, i) + k] = (float)exp(c->top_p[top_of(p, s, i) + k] - log_sum(own));
        out[p->row + i] = (struct nf_divergence){ .kl = kl < 0 ? 0 : (float)kl,
                                                  .entropy = pred[1],
                                                  .loss = pred[0],
                                                  .top = own->top,
                                                  .rank = isnan(own->target) ? 0 : own->above };
        if (!p->f->opts.allow_nonfinite && !(isfinite(kl) && isfinite(pred[1])))
            return nf_fail(p->err, NF_EFORMAT, "row %zu of the batch: a logit of stream %zu is NaN or infinite", p->row + i, s);
    }
    return NF_OK;
}

static int compare_part(const struct part *p, const float *const *x, const bool *last, struct nf_divergence *out)
{
    struct nf_forward *f = p->f;
    size_t first, columns;
    const void *packed;
    int rc = NF_OK;

    for (size_t s = 0; s < p->n && rc == NF_OK; s++)
        rc = final_stream(p, s, x);
    if (rc == NF_OK)
        rc = start_part(p, last);
    for (size_t tile = 0; rc == NF_OK && tile < nf_head_tiles(f); tile++) {
        rc = nf_head_tile(f, tile, &first, &columns, &packed, p->err);
        if (rc == NF_OK)
            rc = base_tile(p, tile, packed, first, columns);
        for (size_t s = 1; rc == NF_OK && s < p->n; s++)
            rc = other_tile(p, s, tile, packed, first, columns);
    }
    for (size_t s = 0; rc == NF_OK && s < p->n; s++)
        rc = finish_part(p, s, out + s * p->win->T);
    return rc;
}

int nf_forward_compare(struct nf_forward *f, const struct nf_windows *win, const float *const *x, size_t n,
                       const struct nf_lens *lens, struct nf_divergence *out, struct nf_err *err)
{
    struct part p = { .f = f, .win = win, .lens = lens, .n = n, .err = err };
    size_t step = nf_min(NF_CHUNK, f->tile), end = 0, w = 0;
    bool last[NF_CHUNK];
    int rc = NF_OK;

    for (; rc == NF_OK && p.row < win->T; p.row += step) {
        p.rows = nf_min(step, win->T - p.row);
        for (size_t i = 0; i < p.rows; i++) {
            while (p.row + i >= end)
                end += win->length[w++];
            last[i] = p.row + i + 1 == end;
        }
        rc = compare_part(&p, x, last, out);
    }
    return rc;
}
