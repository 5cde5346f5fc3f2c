/*
 * bench_lesion.c - dropping and swapping every block, against the machine's own matrix products and against the plain way, in one run.
 *
 *   bench_lesion MODEL-DIR [ROUNDS]
 *
 * Each round measures, one after the other, over one window of 512 random tokens:
 *   gemm    the linear maps of one block, and the unembedding in tiles as wide as the model's width is, alone, with packed weights
 *   pass    a whole forward pass with loss and entropy, which is what the plain way takes for each intervention and for the model itself
 *   lesion  the model itself, every drop and every swap, and their comparison
 * and prints medians.  The arithmetic of lesions is that of the linear maps: dropping block l takes the L-1-l blocks behind it, swapping l and
 * l+1 takes L-l, the model itself L, and each of the 2L streams an unembedding.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/prog.h"
#include "die.h"
#include "base/rng.h"
#include "model/compare.h"
#include "model/lesion.h"
#include "tensor/gemm.h"

enum { T = 512, MAX_ROUNDS = 51, SHAPES = 5, HEAD = 4 };

struct bench {
    struct nf_config cfg;
    struct nf_weights w;
    struct nf_forward *forward;
    struct nf_lesion *lesion;    /* [n] */
    size_t n;
    uint32_t ids[T], length[1];
    struct nf_windows win;
    float **h, **x;              /* [L+1], [n] streams */
    struct nf_divergence *row;   /* [n+1, T] */
    struct nf_gemm *gemm[SHAPES];
    void *packed[SHAPES];
    float *in, *out;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *need(size_t n, size_t size, struct nf_err *err)
{
    void *p = nf_alloc(n, size, err);

    if (!p)
        nf_die_err(err);
    return p;
}

/* Shapes of a block's maps (q k v together), then a tile of the unembedding. */
static void open_maps(struct bench *b, struct nf_err *err)
{
    size_t D = b->cfg.D, F = b->cfg.F, Q = b->cfg.H * b->cfg.K, X = Q + 2 * b->cfg.G * b->cfg.K, widest = X > F ? X : F;
    const size_t K[SHAPES] = { D, Q, D, F, b->cfg.E }, N[SHAPES] = { X, D, F, D, D };
    float *w = need(D * widest, sizeof *w, err);
    struct nf_rng r = { 2 };

    for (size_t i = 0; i < D * widest; i++)
        w[i] = (float)nf_rng_unit(&r) - 0.5f;
    b->in = need(T * widest, sizeof *b->in, err);
    b->out = need(T * widest, sizeof *b->out, err);
    for (size_t i = 0; i < T * widest; i++)
        b->in[i] = w[i % (D * widest)];
    for (size_t s = 0; s < SHAPES; s++) {
        struct nf_gemm_shape shape = { K[s], N[s], NF_F32, NF_F32, false, false };

        b->gemm[s] = nf_gemm_open(&shape, err);
        if (!b->gemm[s])
            nf_die_err(err);
        b->packed[s] = need(nf_gemm_packed_size(b->gemm[s]), 1, err);
        if (nf_gemm_pack(b->gemm[s], w, b->packed[s], err) < 0)
            nf_die_err(err);
    }
    free(w);
}

/* Seconds of a product, as the mean of some. */
static double gemm_seconds(struct bench *b, size_t shape, struct nf_err *err)
{
    enum { TIMES = 6 };
    double t = now();

    for (int i = 0; i < TIMES; i++)
        if (nf_gemm_run(b->gemm[shape], b->packed[shape], NULL, b->in, T, b->out, err) < 0)
            nf_die_err(err);
    return (now() - t) / TIMES;
}

static void make_lesions(struct bench *b, struct nf_err *err)
{
    size_t L = b->cfg.L;

    b->lesion = need(2 * L, sizeof *b->lesion, err);
    for (size_t l = 0; l < L; l++)
        if (nf_lesion_make(NF_LESION_DROP, l, 0, &b->cfg, &b->lesion[b->n++], err) < 0 ||
            (l + 1 < L && nf_lesion_make(NF_LESION_SWAP, l, 0, &b->cfg, &b->lesion[b->n++], err) < 0))
            nf_die_err(err);
}

static bool wants_pred(void *self, enum nf_site site, size_t layer)
{
    const struct bench *b = self;

    return site == NF_SITE_PRED && layer == b->cfg.L;
}

static int ignore(void *self, const struct nf_rows *rows)
{
    (void)self;
    (void)rows;
    return NF_OK;
}

static double plain_pass(struct bench *b, struct nf_forward *f, struct nf_err *err)
{
    double t = now();

    if (nf_forward_run(f, &b->win, err) < 0)
        nf_die_err(err);
    return now() - t;
}

static double all_lesions(struct bench *b, struct nf_err *err)
{
    size_t L = b->cfg.L, bytes = T * b->cfg.D * sizeof(float);
    const float **streams = need(b->n + 1, sizeof *streams, err);
    double t = now();
    int rc = nf_forward_embed(b->forward, &b->win, b->h[0], err);

    for (size_t l = 0; l < L && rc == NF_OK; l++) {
        memcpy(b->h[l + 1], b->h[l], bytes);
        rc = nf_forward_block(b->forward, l, &b->win, b->h[l + 1], err);
    }
    streams[0] = b->h[L];
    for (size_t i = 0; i < b->n; i++)
        streams[i + 1] = b->x[i];
    if (rc < 0 || nf_lesions_run(b->forward, &b->win, (const float *const *)b->h, b->lesion, b->n, b->x, NULL, err) < 0 ||
        nf_forward_compare(b->forward, &b->win, streams, b->n + 1, NULL, b->row, err) < 0)
        nf_die_err(err);
    free(streams);
    return now() - t;
}

static void open_bench(struct bench *b, const char *dir, struct nf_err *err)
{
    struct nf_forward_opts opts = { .batch_tokens = T };
    struct nf_rng r = { 3 };

    if (nf_config_read(dir, &b->cfg, err) < 0 || nf_weights_open(dir, &b->cfg, &b->w, err) < 0)
        nf_die_err(err);
    make_lesions(b, err);
    opts.streams = b->n + 1;
    b->forward = nf_forward_open(&b->cfg, &b->w, &opts, T, err);
    if (!b->forward)
        nf_die_err(err);
    b->length[0] = T;
    for (size_t i = 0; i < T; i++)
        b->ids[i] = (uint32_t)nf_rng_below(&r, b->cfg.V);
    b->win = (struct nf_windows){ b->ids, b->length, 1, T };
    b->h = need(b->cfg.L + 1, sizeof *b->h, err);
    b->x = need(b->n, sizeof *b->x, err);
    for (size_t i = 0; i <= b->cfg.L; i++)
        b->h[i] = need(T * b->cfg.D, sizeof(float), err);
    for (size_t i = 0; i < b->n; i++)
        b->x[i] = need(T * b->cfg.D, sizeof(float), err);
    b->row = need((b->n + 1) * T, sizeof *b->row, err);
    open_maps(b, err);
}

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

static void report(const struct bench *b, double block, double head, double pass, double lesion)
{
    size_t L = b->cfg.L, blocks = L + L * (L - 1) / 2 + (L - 1) * (L + 2) / 2;
    double gemm = (double)blocks * block + (double)(2 * L) * head, plain = (double)(2 * L) * pass;

    printf(
        "lesion --drop all --swap all %7.1f tokens/s: %zu blocks and %zu unembeddings; products alone take %.1f %% of the time\n",
        T / lesion, blocks, 2 * L, 100 * gemm / lesion);
    printf("                             %.2f times as fast as a whole pass for each of them and the model; %.2f times with the "
           "model anew for each\n",
           plain / lesion, (double)(2 * (2 * L - 1)) * pass / lesion);
}

int main(int argc, char **argv)
{
    static struct bench b;
    static double seconds[4][MAX_ROUNDS];
    size_t rounds = argc > 2 ? (size_t)atoi(argv[2]) : 5;
    struct nf_err err = NF_ERR_INIT;
    struct nf_tap tap = { &b, wants_pred, ignore, 0 };
    struct nf_forward *plain;

    nf_prog_start("bench_lesion", argv);
    if (argc < 2 || rounds < 1 || rounds > MAX_ROUNDS)
        nf_die(NF_EXIT_USAGE, "usage: bench_lesion MODEL-DIR [ROUNDS]");
    open_bench(&b, argv[1], &err);
    plain = nf_forward_open(&b.cfg, &b.w, &(struct nf_forward_opts){ .batch_tokens = T, .tap = &tap }, T, &err);
    if (!plain)
        nf_die_err(&err);
    plain_pass(&b, plain, &err);
    for (size_t i = 0; i < rounds; i++) {
        for (size_t s = 0; s < HEAD; s++)
            seconds[0][i] += gemm_seconds(&b, s, &err);
        seconds[1][i] = gemm_seconds(&b, HEAD, &err) * (double)b.cfg.V / (double)b.cfg.D;
        seconds[2][i] = plain_pass(&b, plain, &err);
        seconds[3][i] = all_lesions(&b, &err);
    }
    report(&b, median(seconds[0], rounds), median(seconds[1], rounds), median(seconds[2], rounds), median(seconds[3], rounds));
    return NF_EXIT_OK;
}
