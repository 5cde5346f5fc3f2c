/* speed.c - time one matrix product. */
#include "tensor/speed.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "tensor/gemm.h"

enum { ROWS = 512, RUNS_MIN = 3, RUNS_MAX = 100 };
#define ENOUGH 0.2   /* seconds */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Numbers in [-1, 1): products of zeros or denormals may run at another speed. */
static void fill_operand(float *x, size_t n, enum nf_dtype t, void *y)
{
    struct nf_rng rng = { 1 };

    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(2 * nf_rng_unit(&rng) - 1);
        if (t == NF_BF16)
            ((uint16_t *)y)[i] = nf_f32_to_bf16(x[i]);
    }
}

/* Seconds of the fastest run; 0: failed. */
static double fastest(struct nf_gemm *g, const void *packed, const void *x, void *y, struct nf_err *err)
{
    double best = 0, begin = now();

    for (int i = 0; i < RUNS_MIN || (i < RUNS_MAX && now() - begin < ENOUGH); i++) {
        double t = now();

        if (nf_gemm_run(g, packed, NULL, x, ROWS, y, err) < 0)
            return 0;
        t = now() - t;
        if (i == 0 || t < best)
            best = t;
    }
    return best;
}

double nf_speed_gemm(enum nf_dtype dtype, size_t K, size_t N, struct nf_err *err)
{
    enum nf_dtype in = dtype == NF_BF16 && nf_gemm_bf16() ? NF_BF16 : NF_F32;
    const struct nf_gemm_shape shape = { K, N, in, NF_F32, false, in != dtype };
    struct nf_gemm *g = nf_gemm_open(&shape, err);
    void *packed = g ? nf_alloc(nf_gemm_packed_size(g), 1, err) : NULL;
    float *w = nf_alloc(N * K, sizeof *w, err), *x = nf_alloc(ROWS * K, sizeof *x, err), *y = nf_alloc(ROWS * N, sizeof *y, err);
    uint16_t *half = nf_alloc(ROWS * K, sizeof *half, err);
    double t = 0;

    if (packed && w && x && y && half) {
        fill_operand(w, N * K, NF_F32, NULL);
        fill_operand(x, ROWS * K, in, half);
        if (nf_gemm_pack(g, w, packed, err) == NF_OK)
            t = fastest(g, packed, in == NF_BF16 ? (const void *)half : x, y, err);
    }
    free(packed);
    free(w);
    free(x);
    free(y);
    free(half);
    nf_gemm_close(g);
    return t > 0 ? 2.0 * ROWS * (double)K * (double)N / t : 0;
}
