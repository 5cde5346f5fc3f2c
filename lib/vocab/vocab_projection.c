/* vocab_projection.c - output rows on the vocabulary. */
#include "vocab/vocab_projection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/rng.h"
#include "numeric/dot.h"

enum { ROWS = 64 };   /* vocabulary rows a block */

struct nf_vocab_projection {
    struct nf_output_end end;
    size_t E;
    double *norm;    /* [V] */
    double *mean;    /* [E] of the rows */
    float *gain;     /* [D] */
    float *project;  /* [E, D] or NULL */
};

/* Rows r .. r+n-1 of E as float. */
static void read_unembed_rows(const struct nf_vocab_projection *s, size_t r, size_t n, float *y)
{
    nf_tensor_f32(&s->end.unembed, r * s->E, n * s->E, y);
}

static int measure_rows(struct nf_vocab_projection *s, struct nf_err *err)
{
    float *row = nf_alloc(s->E, sizeof *row, err);

    if (!row)
        return NF_ESYS;
    for (size_t t = 0; t < s->end.V; t++) {
        read_unembed_rows(s, t, 1, row);
        s->norm[t] = sqrt(nf_dot(row, row, s->E));
        for (size_t e = 0; e < s->E; e++)
            s->mean[e] += row[e];
    }
    for (size_t e = 0; e < s->E; e++)
        s->mean[e] /= (double)s->end.V;
    free(row);
    return NF_OK;
}

struct nf_vocab_projection *nf_vocab_projection_open(const struct nf_output_end *end, struct nf_err *err)
{
    struct nf_vocab_projection *s = nf_alloc(1, sizeof *s, err);

    if (!s)
        return NULL;
    s->end = *end;
    s->E = end->unembed.shape[1];
    s->norm = nf_alloc(end->V, sizeof *s->norm, err);
    s->mean = nf_alloc(s->E, sizeof *s->mean, err);
    s->gain = nf_alloc(end->D, sizeof *s->gain, err);
    if (end->project_out.data)
        s->project = nf_alloc(s->E * end->D, sizeof *s->project, err);
    if (!s->norm || !s->mean || !s->gain || (end->project_out.data && !s->project) || measure_rows(s, err) < 0) {
        nf_vocab_projection_close(s);
        return NULL;
    }
    if (s->project)
        nf_tensor_f32(&end->project_out, 0, s->E * end->D, s->project);
    if (end->gain.data)
        nf_tensor_f32(&end->gain, 0, end->D, s->gain);
    else
        for (size_t d = 0; d < end->D; d++)
            s->gain[d] = 1;
    return s;
}

void nf_vocab_projection_close(struct nf_vocab_projection *s)
{
    if (!s)
        return;
    free(s->norm);
    free(s->mean);
    free(s->gain);
    free(s->project);
    free(s);
}

void nf_vocab_projection_sizes(const struct nf_vocab_projection *s, size_t *V, size_t *D)
{
    *V = s->end.V;
    *D = s->end.D;
}

/* y [E] = P x, or x. */
static void through(const struct nf_vocab_projection *s, const float *x, float *y)
{
    if (!s->project) {
        memcpy(y, x, s->E * sizeof *y);
        return;
    }
    for (size_t e = 0; e < s->E; e++)
        y[e] = (float)nf_dot(s->project + e * s->end.D, x, s->end.D);
}

/* gain o (w - mean of w); RMSNorm: no mean */
static void normed(const struct nf_vocab_projection *s, const float *w, float *y)
{
    double mean = 0;

    for (size_t d = 0; !s->end.rms && d < s->end.D; d++)
        mean += w[d];
    mean /= (double)s->end.D;
    for (size_t d = 0; d < s->end.D; d++)
        y[d] = (float)(s->gain[d] * (w[d] - mean));
}

/* What the n rows are multiplied with: direct and through the norm, and two numbers of each. */
struct prepared {
    float *direct, *ln;      /* [n, E] */
    double *norm, *shift;    /* [n]: length; mean over the vocabulary of the raw projection */
};

static void prepare(const struct nf_vocab_projection *s, const float *w, size_t n, float *tmp, struct prepared *x)
{
    for (size_t i = 0; i < n; i++) {
        float *direct = x->direct + i * s->E, *ln = x->ln + i * s->E;

        through(s, w + i * s->end.D, direct);
        if (s->end.final_norm) {
            normed(s, w + i * s->end.D, tmp);
            through(s, tmp, ln);
        } else {
            memcpy(ln, direct, s->E * sizeof *ln);
        }
        x->norm[i] = sqrt(nf_dot(direct, direct, s->E));
        x->shift[i] = 0;
        for (size_t e = 0; e < s->E; e++)
            x->shift[i] += s->mean[e] * direct[e];
    }
}

static void project_rows(const struct nf_vocab_projection *s, const struct prepared *x, size_t n, const float *row, size_t first,
                         size_t k, double *p)
{
    size_t V = s->end.V;

    for (size_t i = 0; i < n; i++)
        for (size_t t = first; t < first + k; t++) {
            const float *e = row + (t - first) * s->E;
            double raw = nf_dot(e, x->direct + i * s->E, s->E), length = s->norm[t] * x->norm[i],
                   *at = p + i * NF_PROJECTIONS * V + t;

            at[NF_RAW * V] = raw;
            at[NF_CENTRED * V] = raw - x->shift[i];
            at[NF_LN * V] = s->end.final_norm ? nf_dot(e, x->ln + i * s->E, s->E) : raw;
            at[NF_COSINE * V] = length > 0 ? raw / length : 0;
        }
}

int nf_vocab_projection_project(const struct nf_vocab_projection *s, const float *w, size_t n, double *p, struct nf_err *err)
{
    size_t blocks = nf_blocks(s->end.V, ROWS);
    struct prepared x = { nf_alloc(n * s->E, sizeof *x.direct, err), nf_alloc(n * s->E, sizeof *x.ln, err),
                          nf_alloc(n, sizeof *x.norm, err), nf_alloc(n, sizeof *x.shift, err) };
    float *tmp = nf_alloc(nf_max(s->end.D, s->E), sizeof *tmp, err);
    int failed = !x.direct || !x.ln || !x.norm || !x.shift || !tmp;

    if (!failed) {
        prepare(s, w, n, tmp, &x);
#pragma omp parallel for schedule(static) reduction(| : failed)
        for (size_t b = 0; b < blocks; b++) {
            size_t first = b * ROWS, k = nf_min(ROWS, s->end.V - first);
            float *row = nf_alloc(ROWS * s->E, sizeof *row, NULL);

            failed |= !row;
            if (!row)
                continue;
            read_unembed_rows(s, first, k, row);
            project_rows(s, &x, n, row, first, k, p);
            free(row);
        }
    }
    free(x.direct);
    free(x.ln);
    free(x.norm);
    free(x.shift);
    free(tmp);
    return failed ? nf_fail(err, NF_ESYS, "out of memory: projection on the vocabulary") : NF_OK;
}

double nf_vocab_projection_mean(const double *p, const struct nf_weighted *token, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += p[token[i].id];
    return sum / (double)n;
}

double nf_vocab_projection_weighted(const double *p, const struct nf_weighted *token, size_t n)
{
    double sum = 0, weight = 0;

    for (size_t i = 0; i < n; i++) {
        sum += token[i].c * p[token[i].id];
        weight += token[i].c;
    }
    return sum / weight;
}

size_t nf_vocab_projection_negative(const double *p, const struct nf_weighted *token, size_t n)
{
    size_t negative = 0;

    for (size_t i = 0; i < n; i++)
        negative += p[token[i].id] < 0;
    return negative;
}

double nf_vocab_projection_percentile(const double *p, size_t V, uint32_t id)
{
    size_t less = 0, equal = 0;

    for (size_t t = 0; t < V; t++) {
        less += p[t] < p[id];
        equal += p[t] == p[id];
    }
    return ((double)less + (double)equal / 2) / (double)V;
}

void nf_vocab_projection_extremes(const double *p, size_t V, size_t k, struct nf_scored *high, struct nf_scored *low)
{
    size_t n = 0;

    for (size_t t = 0; t < V && k > 0; t++) {
        size_t i;

        if (n < k || p[t] > high[k - 1].value) {
            for (i = nf_min(n, k - 1); i > 0 && high[i - 1].value < p[t]; i--)
                high[i] = high[i - 1];
            high[i] = (struct nf_scored){ (uint32_t)t, p[t] };
        }
        if (n < k || p[t] < low[k - 1].value) {
            for (i = nf_min(n, k - 1); i > 0 && low[i - 1].value > p[t]; i--)
                low[i] = low[i - 1];
            low[i] = (struct nf_scored){ (uint32_t)t, p[t] };
        }
        n += n < k;
    }
}
