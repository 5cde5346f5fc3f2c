/* test_gemm.c - matrix products against plain loops, and a row's bits in any company, by every engine and instruction set. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "../ref/ref_ops.h"
#include "base/alloc.h"
#include "check.h"
#include "tensor/gemm.h"
#include "tensor/onednn.h"

/* Who multiplies: all that this machine can run, one after the other. */
struct way {
    enum nf_gemm_engine engine;
    enum nf_isa isa;
};

/* The i-th way for the type; false: there are no more. */
static bool way_at(enum nf_dtype in, size_t i, struct way *way)
{
    size_t sets = (size_t)nf_cpu_isa() + 1;

    if (i < sets) {
        *way = (struct way){ NF_GEMM_PANELS, (enum nf_isa)i };
        return true;
    }
    *way = (struct way){ NF_GEMM_ONEDNN, nf_cpu_isa() };
    return i == sets && (in == NF_F32 || nf_onednn_bf16());
}

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

static void product_open(struct product *p, const struct way *way, struct nf_gemm_shape shape, size_t rows)
{
    *p = (struct product){ .shape = shape, .rows = rows };
    p->gemm = nf_gemm_open_with(&shape, way->engine, way->isa, NULL);
    CHECK(p->gemm);
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
    if (shape.half)
        round_bf16(p->w, shape.N * shape.K, NULL);
    CHECK(nf_gemm_pack(p->gemm, p->w, p->packed, NULL) == NF_OK);
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

static void check_way_against_loops(const struct way *way, struct nf_gemm_shape shape, size_t rows, bool bias)
{
    size_t M = rows, K = shape.K, N = shape.N;
    double *x, *w, *b, *want;
    struct product p;
    float *y;
    uint16_t *y16;

    product_open(&p, way, shape, rows);
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

static void check_against_loops(struct nf_gemm_shape shape, size_t rows, bool bias)
{
    struct way way;

    for (size_t i = 0; way_at(shape.in, i, &way); i++)
        check_way_against_loops(&way, shape, rows, bias);
}

static void equals_plain_loops(void)
{
    const size_t size[] = { 1, 2, 7, 16, 17, 33 };

    for (size_t m = 0; m < 6; m++)
        for (size_t k = 0; k < 6; k++)
            for (size_t n = 0; n < 6; n++)
                for (int relu = 0; relu < 2; relu++)
                    check_against_loops((struct nf_gemm_shape){ size[k], size[n], NF_F32, NF_F32, relu, false }, size[m],
                                        (m + n) % 2);
    check_against_loops((struct nf_gemm_shape){ 64, 256, NF_F32, NF_F32, false, false }, 600, true);
}

/* K round the depth of a block of weights, N round a group of panels, rows round a chunk: where the loops of panels.c turn. */
static void equals_plain_loops_where_blocks_meet(void)
{
    const size_t depth[] = { 511, 512, 513, 520, 1024, 1025, 1537 }, columns[] = { 31, 1023, 1024, 1025, 1057 },
                 rows[] = { 13, 15, 95, 145, 253, 260 };

    for (size_t i = 0; i < 7; i++)
        check_against_loops((struct nf_gemm_shape){ depth[i], 40, NF_F32, NF_F32, i % 2, false }, 20, true);
    for (size_t i = 0; i < 5; i++)
        check_against_loops(
            (struct nf_gemm_shape){ 9, columns[i], i % 2 ? NF_BF16 : NF_F32, i % 2 ? NF_BF16 : NF_F32, false, false }, 30, true);
    for (size_t i = 0; i < 6; i++)
        check_against_loops((struct nf_gemm_shape){ 20, 33, NF_F32, NF_F32, false, false }, rows[i], true);
}

static void check_transpose(const struct way *way, enum nf_dtype type)
{
    enum { K = 700, N = 33 };
    const struct nf_gemm_shape shape = { K, N, type, NF_F32, false, false };
    struct nf_gemm *g = nf_gemm_open_with(&shape, way->engine, way->isa, NULL);
    size_t size = nf_gemm_packed_size(g);
    float *w = malloc(K * N * sizeof *w), *t = malloc(K * N * sizeof *t);
    char *a = nf_alloc(size, 1, NULL), *b = nf_alloc(size, 1, NULL);

    ref_random(8, K * N, w);
    for (size_t n = 0; n < N; n++)
        for (size_t k = 0; k < K; k++)
            t[k * N + n] = w[n * K + k];
    CHECK(nf_gemm_pack(g, w, a, NULL) == NF_OK && nf_gemm_pack_transposed(g, t, b, NULL) == NF_OK);
    CHECK(memcmp(a, b, size) == 0);
    free(a);
    free(b);
    free(w);
    free(t);
    nf_gemm_close(g);
}

static void packed_from_the_transpose_is_the_same(void)
{
    struct way way;

    for (enum nf_dtype type = NF_BF16; type <= NF_F32; type++)
        for (size_t i = 0; way_at(type, i, &way); i++)
            check_transpose(&way, type);
}

/* Weights in bf16, x as it is: the only rounding is that of w, which the reference shares. */
static void half_weights_equal_plain_loops(void)
{
    check_against_loops((struct nf_gemm_shape){ 700, 45, NF_F32, NF_F32, false, true }, 33, true);
    check_against_loops((struct nf_gemm_shape){ 3, 1100, NF_F32, NF_F32, true, true }, 150, false);
}

static void half_weights_take_half_the_memory(void)
{
    const struct nf_gemm_shape whole = { 512, 64, NF_F32, NF_F32, false, false }, half = { 512, 64, NF_F32, NF_F32, false, true };
    struct nf_gemm *a = nf_gemm_open(&whole, NULL), *b = nf_gemm_open(&half, NULL);

    CHECK(nf_gemm_packed_size(a) == 2 * nf_gemm_packed_size(b));
    nf_gemm_close(a);
    nf_gemm_close(b);
}

static void bf16_equals_plain_loops(void)
{
    const size_t size[] = { 1, 2, 16, 33 };

    for (size_t m = 0; m < 4; m++)
        for (size_t k = 0; k < 4; k++)
            for (size_t n = 0; n < 4; n++)
                for (int out = 0; out < 2; out++)
                    check_against_loops((struct nf_gemm_shape){ size[k], size[n], NF_BF16, out ? NF_BF16 : NF_F32, m % 2, false },
                                        size[m], true);
}

/* Every row alone, and in every batch that begins at row 0, with 1, 2 and 4 threads: the same bytes as in the whole. */
static void check_way_alone(const struct way *way, struct nf_gemm_shape shape)
{
    enum { ROWS = 700 };
    const size_t some[] = { 1, 2, 3, 15, 16, 17, 63, 64, 65, 100, 255, 511, 512, 513, 640, 699 };
    int threads_before = omp_get_max_threads();
    size_t row_bytes = shape.N * nf_dtype_size(shape.out);
    struct product p;
    char *whole, *part;

    product_open(&p, way, shape, ROWS);
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

static void check_rows_alone(struct nf_gemm_shape shape)
{
    struct way way;

    for (size_t i = 0; way_at(shape.in, i, &way); i++)
        check_way_alone(&way, shape);
}

static void a_row_has_the_same_bits_in_any_company(void)
{
    const size_t shape[][2] = { { 768, 200 }, { 64, 100 }, { 1024, 64 }, { 5, 3 } };

    for (size_t i = 0; i < 4; i++) {
        check_rows_alone((struct nf_gemm_shape){ shape[i][0], shape[i][1], NF_F32, NF_F32, false, false });
        check_rows_alone((struct nf_gemm_shape){ shape[i][0], shape[i][1], NF_F32, NF_F32, false, true });
        check_rows_alone((struct nf_gemm_shape){ shape[i][0], shape[i][1], NF_BF16, NF_F32, false, false });
        check_rows_alone((struct nf_gemm_shape){ shape[i][0], shape[i][1], NF_BF16, NF_BF16, true, false });
    }
}

/* y of some rows, by one instruction set */
static char *panels_result(struct nf_gemm_shape shape, enum nf_isa isa, size_t rows)
{
    const struct way way = { NF_GEMM_PANELS, isa };
    char *y = malloc(rows * shape.N * nf_dtype_size(shape.out));
    struct product p;

    product_open(&p, &way, shape, rows);
    product_run(&p, true, 0, rows, y);
    product_close(&p);
    return y;
}

static void avx2_and_avx512_give_the_same_bits(void)
{
    enum { ROWS = 37 };
    const enum nf_dtype type[][2] = { { NF_F32, NF_F32 }, { NF_BF16, NF_F32 }, { NF_BF16, NF_BF16 } };

    for (size_t i = 0; i < 3 && nf_cpu_isa() == NF_ISA_AVX512; i++) {
        const struct nf_gemm_shape shape = { 1100, 77, type[i][0], type[i][1], i == 2, false };
        char *a = panels_result(shape, NF_ISA_AVX2, ROWS), *b = panels_result(shape, NF_ISA_AVX512, ROWS);

        CHECK(memcmp(a, b, ROWS * shape.N * nf_dtype_size(shape.out)) == 0);
        free(a);
        free(b);
    }
}

/* Columns turned round: lib/model gathers the logits of targets into a tile of their own, and counts on it. */
static void check_columns(const struct way *way, enum nf_dtype type)
{
    enum { ROWS = 19, K = 600, N = 75 };
    const struct nf_gemm_shape shape = { K, N, type, NF_F32, false, false };
    float *turned = malloc(N * K * sizeof *turned), *a = malloc(ROWS * N * sizeof *a), *b = malloc(ROWS * N * sizeof *b);
    struct product p;

    product_open(&p, way, shape, ROWS);
    product_run(&p, false, 0, ROWS, a);
    for (size_t n = 0; n < N; n++)
        memcpy(turned + n * K, p.w + (N - 1 - n) * K, K * sizeof *turned);
    CHECK(nf_gemm_pack(p.gemm, turned, p.packed, NULL) == NF_OK);
    product_run(&p, false, 0, ROWS, b);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t n = 0; n < N; n++)
            CHECK(a[i * N + n] == b[i * N + N - 1 - n]);
    product_close(&p);
    free(turned);
    free(a);
    free(b);
}

static void a_column_has_the_same_bits_in_any_place(void)
{
    struct way way;

    for (enum nf_dtype type = NF_BF16; type <= NF_F32; type++)
        for (size_t i = 0; way_at(type, i, &way) && way.engine == NF_GEMM_PANELS; i++)
            check_columns(&way, type);
}

static void relu_keeps_a_nan(void)
{
    struct way way;

    for (size_t i = 0; way_at(NF_F32, i, &way) && way.engine == NF_GEMM_PANELS; i++) {
        const struct nf_gemm_shape shape = { 3, 17, NF_F32, NF_F32, true, false };
        struct product p;
        float y[2 * 17];

        product_open(&p, &way, shape, 2);
        p.x[1] = NAN;
        product_run(&p, false, 0, 2, y);
        CHECK(isnan(y[0]) && isnan(y[16]) && !isnan(y[17]));
        product_close(&p);
    }
}

/* NF_GEMM chooses, and what it cannot mean is refused by name. */
static void the_environment_names_the_engine(void)
{
    const struct nf_gemm_shape shape = { 8, 8, NF_F32, NF_F32, false, false };
    struct nf_err err = NF_ERR_INIT;
    struct nf_gemm *g;

    setenv("NF_GEMM", "onednn", 1);
    g = nf_gemm_open(&shape, NULL);
    CHECK(strncmp(nf_gemm_name(g), "onednn ", 7) == 0);
    nf_gemm_close(g);
    setenv("NF_GEMM", "panels", 1);
    g = nf_gemm_open(&shape, NULL);
    CHECK(strncmp(nf_gemm_name(g), "panels ", 7) == 0);
    nf_gemm_close(g);
    setenv("NF_GEMM", "mkl", 1);
    CHECK(!nf_gemm_open(&shape, &err) && err.code == NF_EUSAGE && strstr(err.text, "NF_GEMM=mkl"));
    unsetenv("NF_GEMM");
}

int main(void)
{
    return RUN(equals_plain_loops, equals_plain_loops_where_blocks_meet, packed_from_the_transpose_is_the_same,
               bf16_equals_plain_loops, half_weights_equal_plain_loops, half_weights_take_half_the_memory,
               a_row_has_the_same_bits_in_any_company, a_column_has_the_same_bits_in_any_place, avx2_and_avx512_give_the_same_bits,
               relu_keeps_a_nan, the_environment_names_the_engine);
}
