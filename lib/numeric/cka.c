/* cka.c - Gram matrices of a group, centred, and their products. */
#include "numeric/cka.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"

enum { PANEL = 8, TILE = 4 };    /* a tile of the Gram matrix is TILE rows by PANEL */

_Static_assert(sizeof(struct nf_cka_sums) == NF_CKA_BLOCKS * NF_EXACT_LIMBS * sizeof(uint64_t),
               "the sums of a cka record are struct nf_cka_sums");

static size_t count_pairs(size_t n)
{
    return n * (n - 1) / 2;
}

size_t nf_cka_bytes(size_t P, size_t D, size_t B)
{
    return count_pairs(P + 1) * (sizeof(struct nf_cka_sums) + sizeof(double)) +
           (P * count_pairs(B) + nf_blocks(B, PANEL) * PANEL * D + B + D) * sizeof(double);
}

int nf_cka_open(struct nf_cka *c, size_t P, size_t D, size_t B, struct nf_err *err)
{
    *c = (struct nf_cka){ .P = P, .D = D, .B = B };
    c->sum = nf_alloc(count_pairs(P + 1), sizeof *c->sum, err);
    c->gram = nf_alloc(P * count_pairs(B), sizeof *c->gram, err);
    c->panel = nf_alloc(nf_blocks(B, PANEL) * PANEL * D, sizeof *c->panel, err);
    c->row = nf_alloc(B, sizeof *c->row, err);
    c->mean = nf_alloc(D, sizeof *c->mean, err);
    c->hsic = nf_alloc(count_pairs(P + 1), sizeof *c->hsic, err);
    return c->sum && c->gram && c->panel && c->row && c->mean && c->hsic ? NF_OK : NF_ESYS;
}

void nf_cka_close(struct nf_cka *c)
{
    free(c->sum);
    free(c->gram);
    free(c->panel);
    free(c->row);
    free(c->mean);
    free(c->hsic);
    *c = (struct nf_cka){ 0 };
}

/* ---- one group ---- */

/* Rows less their mean, PANEL of them side by side; rows beyond N are 0. */
static void fill_panels(struct nf_cka *c, const float *x, size_t N)
{
    size_t D = c->D;

    memset(c->mean, 0, D * sizeof *c->mean);
    for (size_t a = 0; a < N; a++)
        for (size_t d = 0; d < D; d++)
            c->mean[d] += x[a * D + d];
    for (size_t d = 0; d < D; d++)
        c->mean[d] /= (double)N;
    for (size_t a = 0; a < nf_blocks(N, PANEL) * PANEL; a++)
        for (size_t d = 0; d < D; d++)
            c->panel[(a / PANEL * D + d) * PANEL + a % PANEL] = a < N ? x[a * D + d] - c->mean[d] : 0;
}

/* A vector of doubles lowers to what the processor has: each sum runs over d in order whatever its width, so the bits are the same. */
typedef double lane4 __attribute__((vector_size(32), aligned(32)));

/* Products of TILE rows of one panel with all of another: y[i,j] = sum over d of a[d,i] b[d,j]. */
static inline __attribute__((always_inline)) void tile(const double *a, const double *b, size_t D, double *y)
{
    lane4 sum[TILE][2] = { { { 0 } } };

    for (size_t d = 0; d < D; d++) {
        const lane4 *q = (const lane4 *)(const void *)(b + d * PANEL);

        /* all of it, so that the sums stay in registers */
#pragma GCC unroll 4
        for (size_t i = 0; i < TILE; i++) {
            sum[i][0] += a[d * PANEL + i] * q[0];
            sum[i][1] += a[d * PANEL + i] * q[1];
        }
    }
    memcpy(y, sum, sizeof sum);
}

static void tile_any(const double *a, const double *b, size_t D, double *y)
{
    tile(a, b, D, y);
}

#if defined __x86_64__
__attribute__((target("avx2"))) static void tile_avx2(const double *a, const double *b, size_t D, double *y)
{
    tile(a, b, D, y);
}
#endif

typedef void tile_fn(const double *a, const double *b, size_t D, double *y);

static tile_fn *choose_tile(void)
{
#if defined __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return tile_avx2;
#endif
    return tile_any;
}

/* K below the diagonal, row a at a (a - 1) / 2. */
static void products(const struct nf_cka *c, size_t N, double *k)
{
    tile_fn *multiply = choose_tile();

#pragma omp parallel for schedule(dynamic)
    for (size_t t = 0; t < nf_blocks(N, TILE); t++) {
        size_t first = t * TILE;
        const double *a = c->panel + first / PANEL * PANEL * c->D + first % PANEL;
        double y[TILE * PANEL];

        for (size_t b = 0; b * PANEL < nf_min(first + TILE, N); b++) {
            multiply(a, c->panel + b * PANEL * c->D, c->D, y);
            for (size_t i = first; i < nf_min(first + TILE, N); i++)
                for (size_t j = b * PANEL; j < nf_min(b * PANEL + PANEL, i); j++)
                    k[count_pairs(i) + j] = y[(i - first) * PANEL + j - b * PANEL];
        }
    }
}

static void centre(double *row, size_t N, double *k)
{
    double n = (double)N, total = 0;

    memset(row, 0, N * sizeof *row);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < i; j++) {
            row[i] += k[count_pairs(i) + j];
            row[j] += k[count_pairs(i) + j];
        }
    for (size_t i = 0; i < N; i++)
        total += row[i];
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < i; j++)
            k[count_pairs(i) + j] += total / ((n - 1) * (n - 2)) - (row[i] + row[j]) / (n - 2);
}

static double dot_doubles(const double *a, const double *b, size_t n)
{
    double lane[8] = { 0 }, sum = 0;

    for (size_t i = 0; i < n / 8 * 8; i += 8)
        for (size_t l = 0; l < 8; l++)
            lane[l] += a[i + l] * b[i + l];
    for (size_t i = n / 8 * 8; i < n; i++)
        lane[i % 8] += a[i] * b[i];
    for (size_t l = 0; l < 8; l++)
        sum += lane[l];
    return sum;
}

static int add_group(struct nf_cka *c, size_t block, struct nf_err *err)
{
    for (size_t i = 0; i < count_pairs(c->P + 1); i++)
        if (!(fabs(c->hsic[i]) < 0x1p120))
            return nf_fail(err, NF_EFORMAT, "cka: an HSIC of %g: values of that size are not summed", c->hsic[i]);
    for (size_t i = 0; i < count_pairs(c->P + 1); i++)
        nf_exact_add_product(&c->sum[i].of[block], c->hsic[i], 1);
    c->blocks[block]++;
    return NF_OK;
}

int nf_cka_group(struct nf_cka *c, const float *x, size_t stride, size_t N, size_t block, struct nf_err *err)
{
    size_t n = count_pairs(N);

    for (size_t p = 0; p < c->P; p++) {
        double *k = c->gram + p * count_pairs(c->B);

        fill_panels(c, x + p * stride, N);
        products(c, N, k);
        centre(c->row, N, k);
    }
#pragma omp parallel for schedule(dynamic)
    for (size_t j = 0; j < c->P; j++)
        for (size_t i = 0; i <= j; i++)
            c->hsic[nf_cka_pair(i, j)] = 2 * dot_doubles(c->gram + i * count_pairs(c->B), c->gram + j * count_pairs(c->B), n) /
                                         ((double)N * ((double)N - 3));
    return add_group(c, block, err);
}

/* ---- the result ---- */

uint64_t nf_cka_groups(const struct nf_cka *c)
{
    uint64_t n = 0;

    for (size_t k = 0; k < NF_CKA_BLOCKS; k++)
        n += c->blocks[k];
    return n;
}

/* The sum over all blocks but one (NF_CKA_BLOCKS: over all). */
static double sum_without(const struct nf_cka *c, size_t i, size_t j, size_t block)
{
    struct nf_exact sum = { { 0 } };

    for (size_t k = 0; k < NF_CKA_BLOCKS; k++)
        if (k != block)
            nf_exact_add(&sum, &c->sum[nf_cka_pair(i, j)].of[k]);
    return nf_exact_dd(&sum).hi;
}

static double cka_without(const struct nf_cka *c, size_t i, size_t j, size_t block)
{
    double a = sum_without(c, i, j, block), b = sum_without(c, i, i, block), d = sum_without(c, j, j, block);

    return b > 0 && d > 0 ? a / sqrt(b * d) : NAN;   /* b, d < 2^153: no overflow */
}

void nf_cka_get(const struct nf_cka *c, size_t i, size_t j, double *cka, double *se)
{
    double without[NF_CKA_BLOCKS], mean = 0, squares = 0;
    size_t b = 0;

    *cka = cka_without(c, i, j, NF_CKA_BLOCKS);
    *se = NAN;
    for (size_t k = 0; k < NF_CKA_BLOCKS; k++)
        if (c->blocks[k])
            without[b++] = cka_without(c, i, j, k);
    if (b < 2 || isnan(*cka))
        return;
    for (size_t k = 0; k < b; k++)
        mean += without[k] / (double)b;
    for (size_t k = 0; k < b; k++)
        squares += (without[k] - mean) * (without[k] - mean);
    *se = i == j ? 0 : sqrt(squares * ((double)b - 1) / (double)b);
}
