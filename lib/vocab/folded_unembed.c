/* folded_unembed.c - folding and centring, column by column. */
#include "vocab/folded_unembed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "numeric/dot.h"
#include "vocab/simd.h"

enum { TILE = 256, SPAN = 64 };   /* columns worked on together; components summed by one thread */
#define NO_DIRECTION 0x1p-20

struct nf_folded_unembed {
    struct nf_output_end end;
    size_t V, E;
    float *gain;      /* [D] */
    float *project;   /* [E, D] with the gain in it, or NULL */
    double *shift;    /* [V]: mean over E of g o e_v, where it is taken off; else 0 */
    double *mean;     /* [E]: mean of the columns */
    double *length;   /* [V] */
    double *centre;   /* [E] */
};

void nf_folded_unembed_sizes(const struct nf_folded_unembed *u, size_t *V, size_t *E)
{
    *V = u->V;
    *E = u->E;
}

const double *nf_folded_unembed_length(const struct nf_folded_unembed *u)
{
    return u->length;
}

const double *nf_folded_unembed_centre(const struct nf_folded_unembed *u)
{
    return u->centre;
}

bool nf_folded_unembed_layernorm(const struct nf_folded_unembed *u)
{
    return !u->end.rms;
}

/* ---- columns ---- */

static void read_stored_row(const struct nf_folded_unembed *u, size_t v, float *y)
{
    nf_tensor_f32(&u->end.unembed, v * u->E, u->E, y);
}

/* The gain is on the columns, or in project_out. */
static double gain(const struct nf_folded_unembed *u, size_t e)
{
    return u->project ? 1 : u->gain[e];
}

static bool centred(const struct nf_folded_unembed *u)
{
    return u->end.final_norm && !u->end.rms;
}

/* u_v times scale. */
static void fold_column(const struct nf_folded_unembed *u, size_t v, double scale, float *y)
{
    read_stored_row(u, v, y);
    for (size_t e = 0; e < u->E; e++)
        y[e] = (float)((gain(u, e) * y[e] - u->shift[v] - u->mean[e]) * scale);
}

void nf_folded_unembed_columns(const struct nf_folded_unembed *u, const uint32_t *id, size_t n, bool unit, float *y)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        fold_column(u, id[i], unit ? 1 / u->length[id[i]] : 1, y + i * u->E);
}

/* sum [E] += weight[i] times row i of x [n, E]; each component is summed by one thread in the order of the rows. */
static void add_weighted_rows(const float *x, const double *weight, size_t n, size_t E, double *sum)
{
#pragma omp parallel for schedule(static)
    for (size_t first = 0; first < E; first += SPAN)
        for (size_t i = 0; i < n; i++)
            for (size_t e = first; e < nf_min(first + SPAN, E); e++)
                sum[e] += weight[i] * x[i * E + e];
}

/* ---- open ---- */

/* shift and mean. */
static void measure_means(struct nf_folded_unembed *u, float *tile, double *weight, double *sum)
{
    for (size_t i = 0; i < TILE; i++)
        weight[i] = 1;
    for (size_t first = 0; first < u->V; first += TILE) {
        size_t n = nf_min(TILE, u->V - first);

#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < n; i++) {
            float *y = tile + i * u->E;
            double total = 0;

            read_stored_row(u, first + i, y);
            for (size_t e = 0; centred(u) && !u->project && e < u->E; e++)
                total += gain(u, e) * y[e];
            u->shift[first + i] = total / (double)u->E;
            fold_column(u, first + i, 1, y);   /* mean is still 0 */
        }
        add_weighted_rows(tile, weight, n, u->E, sum);
    }
    for (size_t e = 0; e < u->E; e++)
        u->mean[e] = sum[e] / (double)u->V;
}

/* Length of a column, y [E]; 0 where it is the mean of all. */
static double measure_length(const struct nf_folded_unembed *u, const float *y)
{
    double length = sqrt(nf_dot(y, y, u->E)), before = 0;

    for (size_t e = 0; e < u->E; e++)
        before += (y[e] + u->mean[e]) * (y[e] + u->mean[e]);
    return length > NO_DIRECTION * sqrt(before) ? length : 0;
}

/* length and centre. */
static void measure_lengths(struct nf_folded_unembed *u, float *tile, double *weight)
{
    size_t kept = 0;

    for (size_t first = 0; first < u->V; first += TILE) {
        size_t n = nf_min(TILE, u->V - first);

#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < n; i++) {
            double length;

            fold_column(u, first + i, 1, tile + i * u->E);
            length = measure_length(u, tile + i * u->E);
            u->length[first + i] = length;
            weight[i] = length > 0 ? 1 / length : 0;
        }
        for (size_t i = 0; i < n; i++)
            kept += weight[i] > 0;
        add_weighted_rows(tile, weight, n, u->E, u->centre);
    }
    for (size_t e = 0; kept > 0 && e < u->E; e++)
        u->centre[e] /= (double)kept;
}

static int measure(struct nf_folded_unembed *u, struct nf_err *err)
{
    float *tile = nf_alloc(TILE * u->E, sizeof *tile, err);
    double *weight = nf_alloc(TILE, sizeof *weight, err), *sum = nf_alloc(u->E, sizeof *sum, err);
    int rc = tile && weight && sum ? NF_OK : NF_ESYS;

    if (rc == NF_OK) {
        measure_means(u, tile, weight, sum);
        measure_lengths(u, tile, weight);
    }
    free(tile);
    free(weight);
    free(sum);
    return rc;
}

static int read_final_norm(struct nf_folded_unembed *u, struct nf_err *err)
{
    const struct nf_output_end *end = &u->end;

    u->gain = nf_alloc(end->D, sizeof *u->gain, err);
    if (end->project_out.data)
        u->project = nf_alloc(u->E * end->D, sizeof *u->project, err);
    if (!u->gain || (end->project_out.data && !u->project))
        return NF_ESYS;
    for (size_t d = 0; d < end->D; d++)
        u->gain[d] = 1;
    if (end->final_norm && end->gain.data)
        nf_tensor_f32(&end->gain, 0, end->D, u->gain);
    if (u->project)
        nf_tensor_f32(&end->project_out, 0, u->E * end->D, u->project);
    for (size_t i = 0; u->project && i < u->E * end->D; i++)
        u->project[i] *= u->gain[i % end->D];
    return NF_OK;
}

struct nf_folded_unembed *nf_folded_unembed_open(const struct nf_output_end *end, size_t V, struct nf_err *err)
{
    struct nf_folded_unembed *u = nf_alloc(1, sizeof *u, err);

    if (!u)
        return NULL;
    u->end = *end;
    u->V = V;
    u->E = end->unembed.shape[1];
    u->shift = nf_alloc(V, sizeof *u->shift, err);
    u->mean = nf_alloc(u->E, sizeof *u->mean, err);
    u->length = nf_alloc(V, sizeof *u->length, err);
    u->centre = nf_alloc(u->E, sizeof *u->centre, err);
    if (!u->shift || !u->mean || !u->length || !u->centre || read_final_norm(u, err) < 0 || measure(u, err) < 0) {
        nf_folded_unembed_close(u);
        return NULL;
    }
    return u;
}

void nf_folded_unembed_close(struct nf_folded_unembed *u)
{
    if (!u)
        return;
    free(u->gain);
    free(u->project);
    free(u->shift);
    free(u->mean);
    free(u->length);
    free(u->centre);
    free(u);
}

/* ---- rows ---- */

static void take_mean_off(float *w, size_t D)
{
    double mean = 0;

    for (size_t d = 0; d < D; d++)
        mean += w[d];
    mean /= (double)D;
    for (size_t d = 0; d < D; d++)
        w[d] = (float)(w[d] - mean);
}

void nf_folded_unembed_rows(const struct nf_folded_unembed *u, size_t n, float *w, float *y)
{
    size_t D = u->end.D;

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        float *from = w + i * D, *to = y + i * u->E;

        if (centred(u))
            take_mean_off(from, D);
        if (!u->project)
            memcpy(to, from, D * sizeof *to);
        for (size_t e = 0; u->project && e < u->E; e++)
            to[e] = (float)nf_dot(u->project + e * D, from, D);
    }
}

/* ---- sums over columns ---- */

int nf_folded_unembed_sum(const struct nf_folded_unembed *u, const double *weight, double *y, struct nf_err *err)
{
    float *tile = nf_alloc(TILE * u->E, sizeof *tile, err);

    if (!tile)
        return NF_ESYS;
    memset(y, 0, u->E * sizeof *y);
    for (size_t first = 0; first < u->V; first += TILE) {
        size_t n = nf_min(TILE, u->V - first);

#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < n; i++)
            fold_column(u, first + i, 1, tile + i * u->E);
        add_weighted_rows(tile, weight + first, n, u->E, y);
    }
    free(tile);
    return NF_OK;
}

/* Columns first .. first + n - 1 as double, each padded with zeros to `width`. */
static void wide(const struct nf_folded_unembed *u, size_t first, size_t n, size_t width, float *tile, double *x)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        fold_column(u, first + i, 1, tile + i * u->E);
        for (size_t e = 0; e < u->E; e++)
            x[i * width + e] = tile[i * u->E + e];
    }
}

int nf_folded_unembed_gram(const struct nf_folded_unembed *u, double *g, struct nf_err *err)
{
    size_t E = u->E, width = nf_blocks(E, NF_GRAM_BLOCK) * NF_GRAM_BLOCK, blocks = width / NF_GRAM_BLOCK;
    float *tile = nf_alloc(TILE * E, sizeof *tile, err);
    double *x = nf_alloc(TILE * width, sizeof *x, err), *sum = nf_alloc(width, width * sizeof *sum, err);
    int rc = tile && x && sum ? NF_OK : NF_ESYS;

    for (size_t first = 0; rc == NF_OK && first < u->V; first += TILE) {
        size_t n = nf_min(TILE, u->V - first);

        wide(u, first, n, width, tile, x);
#pragma omp parallel for schedule(dynamic)
        for (size_t b = 0; b < blocks; b++)   /* the upper triangle, block row by block row */
            for (size_t c = b; c < blocks; c++)
                nf_simd_gram(x + b * NF_GRAM_BLOCK, x + c * NF_GRAM_BLOCK, n, width, sum + (b * width + c) * NF_GRAM_BLOCK);
    }
    for (size_t i = 0; rc == NF_OK && i < E; i++)
        for (size_t j = i; j < E; j++)
            g[i * E + j] = g[j * E + i] = sum[i * width + j];
    free(tile);
    free(x);
    free(sum);
    return rc;
}
