/*
 * bench_gemm.c - our matrix product beside those of OpenBLAS and BLIS, in one run: a yardstick that is not our own.
 *
 *   bench_gemm [ROUNDS]
 *
 * One thread, float32, processor time of the fastest of ROUNDS (5), taken in turn.  Shapes are those of models of 125M to 8B parameters.
 * The two libraries are looked for when the program runs (libopenblas.so.0, libblis.so.4) and left out where they are missing; OpenBLAS is
 * told the instruction set of NF_ISA, which it may not know by the processor's number.  They pack the weights at each call, we once.
 */
#include <dlfcn.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/prog.h"
#include "base/rng.h"
#include "tensor/gemm.h"

enum { OURS, OPENBLAS, BLIS, CONTENDERS, ROWS_MAX = 2048 };
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };   /* of the CBLAS interface */

typedef void sgemm_fn(int order, int a, int b, int M, int N, int K, float alpha, const float *x, int lda, const float *w, int ldb,
                      float beta, float *y, int ldc);

static const struct {
    size_t K, N;
} shapes[] = { { 576, 1536 },  { 768, 768 },   { 768, 3072 },  { 3072, 768 },
               { 2048, 8192 }, { 8192, 2048 }, { 4096, 4096 }, { 4096, 14336 } };

/* One product of every contender. */
struct match {
    size_t K, N;
    struct nf_gemm *gemm;
    void *packed;
    float *w, *x, *y;
    sgemm_fn *sgemm[CONTENDERS];
};

static double processor_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* NULL: not installed. */
static sgemm_fn *find_sgemm(const char *library)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL), *symbol = handle ? dlsym(handle, "cblas_sgemm") : NULL;
    sgemm_fn *fn;

    memcpy(&fn, &symbol, sizeof fn);
    return fn;
}

static float *random_floats(size_t n, struct nf_rng *rng, struct nf_err *err)
{
    float *x = nf_alloc(n, sizeof *x, err);

    for (size_t i = 0; x && i < n; i++)
        x[i] = (float)nf_rng_unit(rng) - 0.5f;
    return x;
}

static int open_match(struct match *m, struct nf_err *err)
{
    const struct nf_gemm_shape shape = { m->K, m->N, NF_F32, NF_F32, false, false };
    struct nf_rng rng = { 1 };

    m->gemm = nf_gemm_open(&shape, err);
    m->packed = m->gemm ? nf_alloc(nf_gemm_packed_size(m->gemm), 1, err) : NULL;
    m->w = random_floats(m->K * m->N, &rng, err);
    m->x = random_floats(m->K * ROWS_MAX, &rng, err);
    m->y = nf_alloc(m->N * ROWS_MAX, sizeof *m->y, err);
    return m->packed && m->w && m->x && m->y ? nf_gemm_pack(m->gemm, m->w, m->packed, err) : NF_ESYS;
}

static void close_match(struct match *m)
{
    nf_gemm_close(m->gemm);
    free(m->packed);
    free(m->w);
    free(m->x);
    free(m->y);
}

static int play(struct match *m, int who, size_t rows, struct nf_err *err)
{
    int M = (int)rows, N = (int)m->N, K = (int)m->K;

    if (who == OURS)
        return nf_gemm_run(m->gemm, m->packed, NULL, m->x, rows, m->y, err);
    m->sgemm[who](ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE, M, N, K, 1, m->x, K, m->w, K, 0, m->y, N);
    return NF_OK;
}

/* One line: GFLOP/s of each, and ours as a share of the best library. */
static int compare_rows(struct match *m, size_t rows, size_t rounds, struct nf_err *err)
{
    double best[CONTENDERS] = { 0 }, flops = 2.0 * (double)rows * (double)m->K * (double)m->N, library;

    for (size_t i = 0; i <= rounds; i++)   /* the first is not counted */
        for (int who = 0; who < CONTENDERS; who++) {
            double t = processor_seconds(), rate;

            if (who != OURS && !m->sgemm[who])
                continue;
            if (play(m, who, rows, err) < 0)
                return NF_ESYS;
            rate = flops / (processor_seconds() - t) * 1e-9;
            if (i > 0 && rate > best[who])
                best[who] = rate;
        }
    library = best[OPENBLAS] > best[BLIS] ? best[OPENBLAS] : best[BLIS];
    printf("%5zu x %5zu x %5zu  %8.1f %8.1f %8.1f", rows, m->K, m->N, best[OURS], best[OPENBLAS], best[BLIS]);
    if (library > 0)
        printf("  %6.2f", best[OURS] / library);
    printf("\n");
    fflush(stdout);
    return NF_OK;
}

static int run_bench(size_t rounds, struct nf_err *err)
{
    static const size_t rows[] = { 64, 100, 512, 2048 };
    sgemm_fn *openblas = find_sgemm("libopenblas.so.0"), *blis = find_sgemm("libblis.so.4");
    int rc = NF_OK;

    for (size_t s = 0; rc == NF_OK && s < sizeof shapes / sizeof *shapes; s++) {
        struct match m = { .K = shapes[s].K, .N = shapes[s].N, .sgemm = { NULL, openblas, blis } };

        rc = open_match(&m, err);
        if (rc == NF_OK && s == 0)
            printf("instruction set %s; our product: %s; libraries:%s%s%s\n rows      K       N      ours OpenBLAS     BLIS   of "
                   "best\n",
                   nf_isa_name(nf_cpu_isa()), nf_gemm_name(m.gemm), openblas ? " OpenBLAS" : "", blis ? " BLIS" : "",
                   openblas || blis ? "" : " none (apt-get install libopenblas0-pthread libblis4-pthread)");
        for (size_t r = 0; rc == NF_OK && r < sizeof rows / sizeof *rows; r++)
            rc = compare_rows(&m, rows[r], rounds, err);
        close_match(&m);
    }
    return rc;
}

int main(int argc, char **argv)
{
    static const char *const core[NF_ISA_COUNT] = { "Nehalem", "Haswell", "SkylakeX" };
    struct nf_err err = NF_ERR_INIT;
    size_t rounds = argc > 1 ? (size_t)atoi(argv[1]) : 5;

    nf_prog_start("bench_gemm", argv);
    setenv("OPENBLAS_CORETYPE", core[nf_cpu_isa()], 0);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    setenv("BLIS_NUM_THREADS", "1", 1);
    omp_set_num_threads(1);
    if (rounds < 1)
        nf_fail(&err, NF_EUSAGE, "usage: bench_gemm [ROUNDS]");
    else
        run_bench(rounds, &err);
    return nf_prog_end(&err);
}
