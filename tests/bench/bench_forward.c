/*
 * bench_forward.c - the forward pass against the machine's own matrix products, in one run.
 *
 *   bench_forward MODEL-DIR [ROUNDS]
 *
 * Each round measures, one after the other, over the same batch of windows of 512 random tokens:
 *   gemm   the linear maps of all blocks alone (q k v, o, into and out of the FFN), each with packed weights of its own
 *   bare   the forward pass to the last residual stream, nothing else tapped
 *   active the same, with ffn.active of every layer tapped
 *   bf16   the bare pass and the linear maps in bf16
 * and prints the medians over rounds.  Rates count the arithmetic of the linear maps only, in every line, so attention, norms and
 * everything else count as time lost.  Ratios are given in elapsed time and, in brackets, in processor time of all threads, which other
 * work on the machine disturbs less.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/prog.h"
#include "die.h"
#include "base/rng.h"
#include "model/forward.h"
#include "tensor/gemm.h"

enum { WINDOW = 512, MAX_ROUNDS = 101, SHAPES = 4 };

struct pass {
    struct nf_forward *forward;
    struct nf_tap tap;
    const struct nf_config *cfg;
    bool active;
};

/* Seconds since some moment: elapsed, and used by all threads of this process. */
struct moment {
    double wall, cpu;
};

static double seconds_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct moment now(void)
{
    return (struct moment){ seconds_of(CLOCK_MONOTONIC), seconds_of(CLOCK_PROCESS_CPUTIME_ID) };
}

static struct moment since(struct moment from)
{
    struct moment t = now();

    return (struct moment){ t.wall - from.wall, t.cpu - from.cpu };
}

static bool wants(void *self, enum nf_site site, size_t layer)
{
    const struct pass *p = self;

    return (site == NF_SITE_RESID_POST && layer == p->cfg->L - 1) || (p->active && site == NF_SITE_FFN_ACTIVE);
}

static int ignore(void *self, const struct nf_rows *rows)
{
    (void)self;
    (void)rows;
    return NF_OK;
}

static void open_pass(struct pass *p, const struct nf_config *cfg, const struct nf_weights *w, enum nf_dtype dtype, bool active,
                      struct nf_err *err)
{
    struct nf_forward_opts opts = { .dtype = dtype, .tap = &p->tap };

    *p = (struct pass){ .tap = { p, wants, ignore, 0 }, .cfg = cfg, .active = active };
    p->forward = nf_forward_open(cfg, w, &opts, WINDOW, err);
    if (!p->forward)
        nf_die_err(err);
}

static struct moment run_pass(struct pass *p, const struct nf_windows *win, struct nf_err *err)
{
    struct moment t = now();

    if (nf_forward_run(p->forward, win, err) < 0)
        nf_die_err(err);
    return since(t);
}

/* The linear maps alone: one kernel a shape, one set of packed weights a layer and map. */
struct maps {
    struct nf_gemm *gemm[SHAPES];
    size_t K[SHAPES], N[SHAPES], times[SHAPES];
    void **packed[SHAPES];   /* [L * times] */
    size_t L;
    void *x, *y;
};

static void open_maps(struct maps *m, const struct nf_config *cfg, enum nf_dtype dtype, size_t rows, struct nf_err *err)
{
    struct nf_rng r = { 2 };
    enum nf_dtype in = dtype == NF_BF16 && nf_gemm_bf16() ? NF_BF16 : NF_F32;   /* as the forward pass does */
    size_t D = cfg->D, F = cfg->F, Q = cfg->H * cfg->K, X = Q + 2 * cfg->G * cfg->K, widest = nf_max(nf_max(F, X), nf_max(D, Q)),
           most = D * nf_max(F, X);
    float *w = nf_alloc(most, sizeof *w, err);

    *m = (struct maps){ .K = { D, Q, D, F }, .N = { X, D, F, D }, .times = { 1, 1, cfg->gated ? 2 : 1, 1 }, .L = cfg->L };
    m->x = nf_alloc(rows * widest, sizeof(float), err);
    m->y = nf_alloc(rows * widest, sizeof(float), err);
    if (!w || !m->x || !m->y)
        nf_die_err(err);
    for (size_t i = 0; i < most; i++)
        w[i] = (float)nf_rng_unit(&r) - 0.5f;
    for (size_t i = 0; i < rows * widest; i++) {
        float x = w[i % most];

        if (in == NF_BF16)
            ((uint16_t *)m->x)[i] = nf_f32_to_bf16(x);
        else
            ((float *)m->x)[i] = x;
    }
    for (size_t s = 0; s < SHAPES; s++) {
        struct nf_gemm_shape shape = { m->K[s], m->N[s], in, NF_F32, false, in != dtype };

        m->gemm[s] = nf_gemm_open(&shape, err);
        m->packed[s] = nf_alloc(cfg->L * m->times[s], sizeof(void *), err);
        if (!m->gemm[s] || !m->packed[s])
            nf_die_err(err);
        for (size_t i = 0; i < cfg->L * m->times[s]; i++) {
            m->packed[s][i] = nf_alloc(nf_gemm_packed_size(m->gemm[s]), 1, err);
            if (!m->packed[s][i] || nf_gemm_pack(m->gemm[s], w, m->packed[s][i], err) < 0)
                nf_die_err(err);
        }
    }
    free(w);
}

static struct moment run_maps(struct maps *m, size_t rows, struct nf_err *err)
{
    struct moment t = now();

    for (size_t l = 0; l < m->L; l++)
        for (size_t s = 0; s < SHAPES; s++)
            for (size_t i = 0; i < m->times[s]; i++)
                if (nf_gemm_run(m->gemm[s], m->packed[s][l * m->times[s] + i], NULL, m->x, rows, m->y, err) < 0)
                    nf_die_err(err);
    return since(t);
}

static void close_maps(struct maps *m)
{
    for (size_t s = 0; s < SHAPES; s++) {
        for (size_t i = 0; i < m->L * m->times[s]; i++)
            free(m->packed[s][i]);
        free(m->packed[s]);
        nf_gemm_close(m->gemm[s]);
    }
    free(m->x);
    free(m->y);
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

/* One type: time of the maps, the bare pass and the tapped one in turn, so that all see the same machine. */
static void measure(const struct nf_config *cfg, const struct nf_weights *w, enum nf_dtype dtype, size_t rounds,
                    struct moment seconds[3], size_t *tokens, struct nf_err *err)
{
    static double wall[3][MAX_ROUNDS], cpu[3][MAX_ROUNDS];
    struct pass bare, active;
    struct maps maps;
    struct nf_rng r = { 3 };
    struct nf_windows win;
    uint32_t *ids, *length;
    size_t W;

    open_pass(&bare, cfg, w, dtype, false, err);
    open_pass(&active, cfg, w, dtype, true, err);
    W = nf_forward_get_plan(bare.forward)->batch_tokens / WINDOW;
    ids = nf_alloc(W * WINDOW, sizeof *ids, err);
    length = nf_alloc(W, sizeof *length, err);
    if (!ids || !length)
        nf_die_err(err);
    for (size_t i = 0; i < W * WINDOW; i++)
        ids[i] = (uint32_t)nf_rng_below(&r, cfg->V);
    for (size_t i = 0; i < W; i++)
        length[i] = WINDOW;
    win = (struct nf_windows){ ids, length, W, W * WINDOW };
    open_maps(&maps, cfg, dtype, win.T, err);
    for (size_t i = 0; i <= rounds; i++) {   /* the first is not counted */
        struct moment t[3] = { run_maps(&maps, win.T, err), run_pass(&bare, &win, err), run_pass(&active, &win, err) };

        for (int k = 0; k < 3 && i > 0; k++) {
            wall[k][i - 1] = t[k].wall;
            cpu[k][i - 1] = t[k].cpu;
        }
    }
    for (int k = 0; k < 3; k++)
        seconds[k] = (struct moment){ median(wall[k], rounds), median(cpu[k], rounds) };
    *tokens = win.T;
    close_maps(&maps);
    nf_forward_close(bare.forward);
    nf_forward_close(active.forward);
    free(ids);
    free(length);
}

static void print(const char *type, const struct moment s[3], double tokens, double flops)
{
    printf("%-5s GEMM alone            %7.1f GFLOP/s\n", type, flops * tokens / s[0].wall * 1e-9);
    printf("%-5s bare forward          %7.1f GFLOP/s  %8.0f tokens/s  %5.1f %% (%.1f %%) of GEMM alone\n", type,
           flops * tokens / s[1].wall * 1e-9, tokens / s[1].wall, 100 * s[0].wall / s[1].wall, 100 * s[0].cpu / s[1].cpu);
    printf("%-5s ffn.active tapped     %7.1f GFLOP/s  %8.0f tokens/s  %+5.1f %% (%+.1f %%) time over bare\n", type,
           flops * tokens / s[2].wall * 1e-9, tokens / s[2].wall, 100 * (s[2].wall / s[1].wall - 1),
           100 * (s[2].cpu / s[1].cpu - 1));
}

int main(int argc, char **argv)
{
    static const char *const type_name[2] = { "f32", "bf16" };
    static const enum nf_dtype type[2] = { NF_F32, NF_BF16 };
    struct nf_err err = NF_ERR_INIT;
    struct nf_config cfg;
    struct nf_weights w;
    size_t rounds = argc > 2 ? (size_t)atoi(argv[2]) : 5, tokens[2];
    struct moment s[2][3];
    struct nf_forward_plan plan;
    double flops;

    nf_prog_start("bench_forward", argv);
    if (argc < 2 || rounds < 1 || rounds > MAX_ROUNDS)
        nf_die(NF_EXIT_USAGE, "usage: bench_forward MODEL-DIR [ROUNDS]");
    if (nf_config_read(argv[1], &cfg, &err) < 0 || nf_weights_open(argv[1], &cfg, &w, &err) < 0)
        nf_die_err(&err);
    if (nf_forward_plan(&cfg, &(struct nf_forward_opts){ .dtype = NF_F32 }, WINDOW, &plan, &err) < 0)
        nf_die_err(&err);
    flops = plan.flops_maps + plan.flops_ffn;
    for (int k = 0; k < 2; k++) {
        measure(&cfg, &w, type[k], rounds, s[k], &tokens[k], &err);
        print(type_name[k], s[k], (double)tokens[k], flops);
    }
    printf("bf16 bare forward           %.2f (%.2f) times f32\n",
           (double)tokens[1] / s[1][1].wall / ((double)tokens[0] / s[0][1].wall),
           (double)tokens[1] / s[1][1].cpu / ((double)tokens[0] / s[0][1].cpu));
    nf_weights_close(&w);
    return NF_EXIT_OK;
}
