/* test_gemm.c - matrix products against plain loops, and a row's bits in any company. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "../ref/ref_ops.h"
#include "base/alloc.h"
#include "check.h"
#include "tensor/gemm.h"

/* One product with everything it needs; x in both types, w as packed. */
struct product {
    struct nf_gemm_shape shape;
    size_t rows;
    struct nf_gemm *gemm;
    float *x, *w, *bias;
    uint16_t *x16;
    void *packed;
};

/* Values are rounded to bf16 when the product takes bf16, so that the reference sees the same numbers. */
static void round_bf16(float *x, size_t n, uint16_t *x16)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h = nf_f32_to_bf16(x[i]);

        x[i] = nf_bf16_to_f32(h);
        if (x16)
            x16[i] = h;
    }
}

/* false: this CPU has no kernel for the type (bf16 without AVX-512), which the message must say. */
static bool product_open(struct product *p, struct nf_gemm_shape shape, size_t rows)
{
    struct nf_err err = NF_ERR_INIT;

    *p = (struct product){ .shape = shape, .rows = rows };
    p->gemm = nf_gemm_open(&shape, &err);
    if (!p->gemm) {
        CHECK(shape.in == NF_BF16 && strstr(err.text, "no matrix product of type bf16"));
        return false;
    }
    p->x = nf_alloc(rows * shape.K, sizeof(float), NULL);
    p->w = nf_alloc(shape.N * shape.K, sizeof(float), NULL);
    p->bias = nf_alloc(shape.N, sizeof(float), NULL);
    p->x16 = nf_alloc(rows * shape.K, sizeof(uint16_t), NULL);
    p->packed = nf_alloc(nf_gemm_packed_size(p->gemm), 1, NULL);
    ref_random(1, rows * shape.K, p->x);
    ref_random(2, shape.N * shape.K, p->w);
    ref_random(3, shape.N, p->bias);
    if (shape.in == NF_BF16) {
        round_bf16(p->x, rows * shape.K, p->x16);
        round_bf16(p->w, shape.N * shape.K, NULL);
    }
    CHECK(nf_gemm_pack(p->gemm, p->w, p->packed, NULL) == NF_OK);
    return true;
}

static void product_close(struct product *p)
{
    nf_gemm_close(p->gemm);
    free(p->x);
    free(p->w);
    free(p->bias);
    free(p->x16);
    free(p->packed);
}

/* rows `row` .. of y, in the type of the output */
static void product_run(struct product *p, bool bias, size_t row, size_t rows, void *y)
{
    size_t at = row * p->shape.K;
    const void *x = p->shape.in == NF_BF16 ? (const void *)(p->x16 + at) : (const void *)(p->x + at);
    struct nf_err err = NF_ERR_INIT;

    CHECK(nf_gemm_run(p->gemm, p->packed, bias ? p->bias : NULL, x, rows, y, &err) == NF_OK);
}

static void check_against_loops(struct nf_gemm_shape shape, size_t rows, bool bias)
{
    size_t M = rows, K = shape.K, N = shape.N;
    double *x, *w, *b, *want;
    struct product p;
    float *y;
    uint16_t *y16;

    if (!product_open(&p, shape, rows))
        return;
    x = malloc(M * K * sizeof *x);
    w = malloc(N * K * sizeof *w);
    b = malloc(N * sizeof *b);
    want = malloc(M * N * sizeof *want);
    y = malloc(M * N * sizeof *y);
    y16 = malloc(M * N * sizeof *y16);
    ref_widen(p.x, M * K, x);
    ref_widen(p.w, N * K, w);
    ref_widen(p.bias, N, b);
    ref_linear(x, w, bias ? b : NULL, M, K, N, shape.relu, want);
    product_run(&p, bias, 0, M, shape.out == NF_BF16 ? (void *)y16 : (void *)y);
    for (size_t i = 0; shape.out == NF_BF16 && i < M * N; i++)
        y[i] = nf_bf16_to_f32(y16[i]);
    /* K + 1 additions of terms below 1, each rounded to 2^-24 of a sum below K + 1; bf16 output: half a unit of 2^-8 of |y| */
    for (size_t i = 0; i < M * N; i++)
        CHECK_NEAR(y[i], want[i],
                   ((double)K + 1) * ((double)K + 1) * 0x1p-24 + (shape.out == NF_BF16 ? fabs(want[i]) * 0x1p-8 : 0));
    product_close(&p);
    free(x);
    free(w);
    free(b);
    free(want);
    free(y);
    free(y16);
}

static void equals_plain_loops(void)
{
    const size_t size[] = { 1, 2, 7, 16, 17, 33 };

    for (size_t m = 0; m < 6; m++)
        for (size_t k = 0; k < 6; k++)
            for (size_t n = 0; n < 6; n++)
                for (int relu = 0; relu < 2; relu++)
                    check_against_loops((struct nf_gemm_shape){ size[k], size[n], NF_F32, NF_F32, relu }, size[m], (m + n) % 2);
    check_against_loops((struct nf_gemm_shape){ 64, 256, NF_F32, NF_F32, false }, 600, true);
}

static void packed_from_the_transpose_is_the_same(void)
{
    const struct nf_gemm_shape shape = { 70, 33, NF_F32, NF_F32, false };
    struct nf_gemm *g = nf_gemm_open(&shape, NULL);
    float w[70 * 33], t[70 * 33];
    char *a = nf_alloc(nf_gemm_packed_size(g), 1, NULL), *b = nf_alloc(nf_gemm_packed_size(g), 1, NULL);

    ref_random(8, 70 * 33, w);
    for (size_t n = 0; n < 33; n++)
        for (size_t k = 0; k < 70; k++)
            t[k * 33 + n] = w[n * 70 + k];
    CHECK(nf_gemm_pack(g, w, a, NULL) == NF_OK && nf_gemm_pack_transposed(g, t, b, NULL) == NF_OK);
    CHECK(memcmp(a, b, nf_gemm_packed_size(g)) == 0);
    free(a);
    free(b);
    nf_gemm_close(g);
}

static void bf16_equals_plain_loops(void)
{
    const size_t size[] = { 1, 2, 16, 33 };

    for (size_t m = 0; m < 4; m++)
        for (size_t k = 0; k < 4; k++)
            for (size_t n = 0; n < 4; n++)
                for (int out = 0; out < 2; out++)
                    check_against_loops((struct nf_gemm_shape){ size[k], size[n], NF_BF16, out ? NF_BF16 : NF_F32, m % 2 }, size[m],
                                        true);
}

/* Every row alone, and in every batch that begins at row 0, with 1, 2 and 4 threads: the same bytes as in the whole. */
static void check_rows_alone(struct nf_gemm_shape shape)
{
    enum { ROWS = 700 };
    const size_t some[] = { 1, 2, 3, 15, 16, 17, 63, 64, 65, 100, 255, 511, 512, 513, 640, 699 };
    int threads_before = omp_get_max_threads();
    size_t row_bytes = shape.N * nf_dtype_size(shape.out);
    struct product p;
    char *whole, *part;

    if (!product_open(&p, shape, ROWS))
        return;
    whole = malloc(ROWS * row_bytes);
    part = malloc(ROWS * row_bytes);
    product_run(&p, true, 0, ROWS, whole);
    for (int threads = 1; threads <= 4; threads *= 2) {
        omp_set_num_threads(threads);
        for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
            product_run(&p, true, 0, some[i], part);
            CHECK(memcmp(part, whole, some[i] * row_bytes) == 0);
        }
        for (size_t row = 0; row < ROWS; row += 97) {
            product_run(&p, true, row, 1, part);
            CHECK(memcmp(part, whole + row * row_bytes, row_bytes) == 0);
        }
    }
    omp_set_num_threads(threads_before);
    product_close(&p);
    free(whole);
    free(part);
}

static void a_row_has_the_same_bits_in_any_company(void)
{
    const size_t shape[][2] = { { 768, 200 }, { 64, 100 }, { 1024, 64 }, { 5, 3 } };

    for (size_t i = 0; i < 4; i++) {
        check_rows_alone((struct nf_gemm_shape){ shape[i][0], shape[i][1], NF_F32, NF_F32, false });
        check_rows_alone((struct nf_gemm_shape){ shape[i][0], shape[i][1], NF_BF16, NF_F32, false });
        check_rows_alone((struct nf_gemm_shape){ shape[i][0], shape[i][1], NF_BF16, NF_BF16, true });
    }
}

int main(void)
{
    return RUN(equals_plain_loops, packed_from_the_transpose_is_the_same, bf16_equals_plain_loops,
               a_row_has_the_same_bits_in_any_company);
}
