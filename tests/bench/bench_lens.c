/*
 * bench_lens.c - the lens against the machine's own matrix products, and against logits that are written out, in one run.
 *
 *   bench_lens MODEL-DIR [ROUNDS]
 *
 * Each round measures, one after the other, over one window of 512 random tokens and all L + 1 points:
 *   products   the unembedding's matrix products alone, of the shape that the lens uses
 *   lens       nf_forward_compare(): the same products, the final norm, and all numbers of every point
 *   plain      the same numbers from logits [512, V] that are written out: one product a point, then maximum, sums and divergence row by row
 *              in libm's expf
 * and prints the medians of rounds; the ratios in elapsed time and, in brackets, in processor time of all threads, which other work on the machine
 * disturbs less.  What the blocks take is bench_forward's subject.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/prog.h"
#include "die.h"
#include "base/rng.h"
#include "model/compare.h"
#include "model/forward.h"
#include "model/streams.h"
#include "tensor/gemm.h"

enum { WINDOW = 512, TILE = 1024, MAX_ROUNDS = 101 };

/* Seconds since some moment: elapsed, and used by all threads of this process. */
static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the plain way ---- */

struct plain {
    struct nf_gemm *gemm, *tile;
    void *packed, *one;           /* the unembedding; a tile of it */
    float *base, *logits, *row;   /* [WINDOW, V], the same, [WINDOW, D] normalised */
    double *kl;
};

static void open_plain(struct plain *p, const struct nf_config *cfg, const struct nf_weights *w, struct nf_err *err)
{
    const struct nf_gemm_shape shape = { cfg->E, cfg->V, NF_F32, NF_F32, false, false }, tile = { cfg->E, TILE, NF_F32, NF_F32, false, false };
    float *u = nf_alloc(cfg->V * cfg->E, sizeof *u, err);

    p->gemm = nf_gemm_open(&shape, err);
    p->tile = nf_gemm_open(&tile, err);
    p->one = p->tile ? nf_alloc(nf_gemm_packed_size(p->tile), 1, err) : NULL;
    p->packed = p->gemm ? nf_alloc(nf_gemm_packed_size(p->gemm), 1, err) : NULL;
    p->base = nf_alloc(WINDOW * cfg->V, sizeof *p->base, err);
    p->logits = nf_alloc(WINDOW * cfg->V, sizeof *p->logits, err);
    p->row = nf_alloc(WINDOW * cfg->D, sizeof *p->row, err);
    p->kl = nf_alloc(WINDOW, sizeof *p->kl, err);
    if (!u || cfg->V < TILE || !p->packed || !p->one || !p->base || !p->logits || !p->row || !p->kl)
        nf_die_err(err);
    nf_to_f32(w->unembed.dtype, w->unembed.data, cfg->V * cfg->E, u);
    if (nf_gemm_pack(p->gemm, u, p->packed, err) < 0 || nf_gemm_pack(p->tile, u, p->one, err) < 0)
        nf_die_err(err);
    free(u);
}

static void close_plain(struct plain *p)
{
    nf_gemm_close(p->gemm);
    nf_gemm_close(p->tile);
    free(p->packed);
    free(p->one);
    free(p->base);
    free(p->logits);
    free(p->row);
    free(p->kl);
}

/* ln of the sum of e^x, and entropy, top and rank on the way: what the lens gives as well. */
static double log_sum(const float *x, size_t V, uint32_t target, double *entropy, size_t *top, size_t *rank)
{
    double sum = 0, dot = 0;

    *top = *rank = 0;
    for (size_t v = 1; v < V; v++)
        *top = x[v] > x[*top] ? v : *top;
    for (size_t v = 0; v < V; v++) {
        float e = expf(x[v] - x[*top]);

        sum += (double)e;
        dot += (double)e * (x[v] - x[*top]);
        *rank += x[v] > x[target];
    }
    *entropy = log(sum) - dot / sum;
    return log(sum) + (double)x[*top];
}

/* The lens's norm is left out: it is nothing beside the product. */
static void run_plain(struct plain *p, const struct nf_config *cfg, const uint32_t *ids, float *const *h, struct nf_err *err)
{
    size_t V = cfg->V;

    if (nf_gemm_run(p->gemm, p->packed, NULL, h[cfg->L], WINDOW, p->base, err) < 0)
        nf_die_err(err);
    for (size_t l = 0; l <= cfg->L; l++) {
        if (nf_gemm_run(p->gemm, p->packed, NULL, h[l], WINDOW, p->logits, err) < 0)
            nf_die_err(err);
#pragma omp parallel for schedule(static)
        for (size_t t = 0; t < WINDOW; t++) {
            const float *a = p->base + t * V, *b = p->logits + t * V;
            double entropy, lse_a, lse_b, kl = 0;
            size_t top, rank;

            lse_a = log_sum(a, V, ids[(t + 1) % WINDOW], &entropy, &top, &rank);
            lse_b = log_sum(b, V, ids[(t + 1) % WINDOW], &entropy, &top, &rank);
            for (size_t v = 0; v < V; v++)
                kl += (double)expf((float)(a[v] - lse_a)) * ((double)a[v] - b[v]);
            p->kl[t] = kl - lse_a + lse_b + 0 * (entropy + (double)(top + rank));
        }
    }
}

/* ---- rounds ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return v[n / 2];
}

enum way { PRODUCTS, LENS, PLAIN, WAYS };

struct bench {
    struct nf_config cfg;
    struct nf_weights w;
    struct nf_forward *f;
    struct nf_windows win;
    uint32_t ids[WINDOW], length;
    float **h;
    const float **x;
    struct nf_divergence *out;
    struct plain plain;
    double wall[WAYS][MAX_ROUNDS], cpu[WAYS][MAX_ROUNDS];
};

static void open_bench(struct bench *b, const char *dir, struct nf_err *err)
{
    struct nf_forward_opts opts = { .dtype = NF_F32 };
    struct nf_rng r = { 3 };
    size_t L;

    if (nf_config_read(dir, &b->cfg, err) < 0 || nf_weights_open(dir, &b->cfg, &b->w, err) < 0)
        nf_die_err(err);
    L = b->cfg.L;
    opts.streams = L + 1;
    b->f = nf_forward_open(&b->cfg, &b->w, &opts, WINDOW, err);
    b->h = nf_streams_open(L + 1, WINDOW * b->cfg.D, err);
    b->x = nf_alloc(L + 1, sizeof *b->x, err);
    b->out = nf_alloc((L + 1) * WINDOW, sizeof *b->out, err);
    if (!b->f || !b->h || !b->x || !b->out)
        nf_die_err(err);
    open_plain(&b->plain, &b->cfg, &b->w, err);
    for (size_t t = 0; t < WINDOW; t++)
        b->ids[t] = (uint32_t)nf_rng_below(&r, b->cfg.V);
    b->length = WINDOW;
    b->win = (struct nf_windows){ b->ids, &b->length, 1, WINDOW };
    if (nf_streams_run(b->f, &b->win, b->h, err) < 0)
        nf_die_err(err);
    b->x[0] = b->h[L];
    for (size_t l = 0; l < L; l++)
        b->x[l + 1] = b->h[l];
}

static void close_bench(struct bench *b)
{
    close_plain(&b->plain);
    nf_streams_close(b->h);
    free(b->x);
    free(b->out);
    nf_forward_close(b->f);
    nf_weights_close(&b->w);
}

static void run_way(struct bench *b, enum way way, size_t round, struct nf_err *err)
{
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    int rc = NF_OK;

    if (way == LENS)
        rc = nf_forward_compare(b->f, &b->win, b->x, b->cfg.L + 1, NULL, b->out, err);
    else if (way == PLAIN)
        run_plain(&b->plain, &b->cfg, b->ids, b->h, err);
    for (size_t i = 0; way == PRODUCTS && rc == NF_OK && i < (b->cfg.L + 1) * nf_blocks(b->cfg.V, TILE); i++)
        rc = nf_gemm_run(b->plain.tile, b->plain.one, NULL, b->h[0], WINDOW, b->plain.logits, err);
    if (rc < 0)
        nf_die_err(err);
    b->wall[way][round] = seconds(CLOCK_MONOTONIC) - wall;
    b->cpu[way][round] = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct nf_err err = NF_ERR_INIT;
    size_t rounds = argc > 2 ? nf_min(strtoul(argv[2], NULL, 10), MAX_ROUNDS) : 5;
    double wall[WAYS], cpu[WAYS];

    nf_prog_start("bench_lens", argv);
    if (argc < 2 || rounds == 0)
        nf_die(NF_EXIT_USAGE, "usage: bench_lens MODEL-DIR [ROUNDS]");
    open_bench(&b, argv[1], &err);
    for (size_t i = 0; i < rounds; i++)
        for (enum way way = PRODUCTS; way < WAYS; way++)
            run_way(&b, way, i, &err);
    for (enum way way = PRODUCTS; way < WAYS; way++) {
        wall[way] = median(b.wall[way], rounds);
        cpu[way] = median(b.cpu[way], rounds);
    }
    printf("%zu points: products alone %.2f s (%.0f GFLOP/s); lens %.2f s, %.2f (%.2f) times the products; logits written out %.2f "
           "s, %.2f (%.2f) "
           "times the lens\n",
           b.cfg.L + 1, wall[PRODUCTS],
           2e-9 * WINDOW * (double)(b.cfg.E * TILE * nf_blocks(b.cfg.V, TILE) * (b.cfg.L + 1)) / wall[PRODUCTS], wall[LENS],
           wall[LENS] / wall[PRODUCTS], cpu[LENS] / cpu[PRODUCTS], wall[PLAIN], wall[PLAIN] / wall[LENS], cpu[PLAIN] / cpu[LENS]);
    close_bench(&b);
    return NF_EXIT_OK;
}
