/* test_linear.c - rows, columns and biases of linear maps in every layout that a checkpoint has. */
#include "../ref/ref_ops.h"
#include "check.h"
#include "checkpoint/linear.h"

enum { OUT = 12, IN = 7, ROWS = 3 * OUT };

static float stored[ROWS * IN], bias[ROWS];
static uint16_t half[ROWS * IN];

/* W[n][k] by the definition in linear.h. */
static float element(const struct nf_linear *l, size_t n, size_t k)
{
    size_t r = l->first + n / l->run * l->jump + n % l->run;
    size_t i = l->transposed ? k * l->w.shape[1] + r : r * IN + k;

    return l->w.dtype == NF_F32 ? ((const float *)l->w.data)[i] : nf_f16_to_f32(((const uint16_t *)l->w.data)[i]);
}

static void check(const struct nf_linear *l)
{
    float y[OUT * IN], b[OUT];

    for (size_t from = 0; from < l->out; from += 5) {
        size_t n = l->out - from < 5 ? l->out - from : 5;

        nf_linear_rows(l, from, n, y);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < l->in; k++)
                CHECK(y[i * l->in + k] == element(l, from + i, k));
    }
    for (size_t from = 0; from < l->in; from += 3) {
        size_t n = l->in - from < 3 ? l->in - from : 3;

        nf_linear_columns(l, from, n, y);
        for (size_t i = 0; i < n; i++)
            for (size_t r = 0; r < l->out; r++)
                CHECK(y[i * l->out + r] == element(l, r, from + i));
    }
    nf_linear_bias(l, b);
    for (size_t r = 0; r < l->out; r++)
        CHECK(b[r] == (l->b.data ? bias[l->first + r / l->run * l->jump + r % l->run] : 0));
}

static void every_layout_gives_the_rows_of_its_definition(void)
{
    const struct nf_tensor b = nf_tensor_1d(NF_F32, bias, ROWS), none = { 0 };

    ref_random(1, ROWS * IN, stored);
    ref_random(2, ROWS, bias);
    for (size_t i = 0; i < ROWS * IN; i++)
        half[i] = nf_f32_to_f16(stored[i]);
    for (int f16 = 0; f16 < 2; f16++) {
        const void *data = f16 ? (const void *)half : (const void *)stored;
        enum nf_dtype t = f16 ? NF_F16 : NF_F32;
        struct nf_linear alone = nf_linear_whole(nf_tensor_2d(t, data, OUT, IN), nf_tensor_1d(NF_F32, bias, OUT)), l;

        CHECK(alone.out == OUT && alone.in == IN);
        check(&alone);
        alone.b = none;
        check(&alone);
        for (size_t part = 0; part < 3; part++) {
            l = (struct nf_linear){ nf_tensor_2d(t, data, ROWS, IN), b, OUT, IN, part * OUT, OUT, OUT, false, 0 };
            check(&l);
            l = (struct nf_linear){ nf_tensor_2d(t, data, ROWS, IN), b, OUT, IN, part * 4, 4, 12, false, 0 }; /* by head, 4 wide */
            check(&l);
            l = (struct nf_linear){ nf_tensor_2d(t, data, IN, ROWS), b, OUT, IN, part * OUT, OUT, OUT, true, 0 };
            check(&l);
        }
    }
}

/* Heads of 4: rows 0, 1, 2, 3 lie at 0, 2, 1, 3 of the head. */
static void paired_rows_are_put_back(void)
{
    static const size_t place[] = { 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11 };
    const struct nf_linear l = {
        nf_tensor_2d(NF_F32, stored, ROWS, IN), nf_tensor_1d(NF_F32, bias, ROWS), OUT, IN, OUT, OUT, OUT, false, 4
    };
    float y[OUT * IN], b[OUT];

    for (size_t from = 0; from < OUT; from++) {
        nf_linear_rows(&l, from, OUT - from, y);
        for (size_t i = 0; from + i < OUT; i++)
            CHECK(memcmp(y + i * IN, stored + (OUT + place[from + i]) * IN, IN * sizeof *y) == 0);
    }
    nf_linear_columns(&l, 2, 3, y);
    for (size_t i = 0; i < 3; i++)
        for (size_t r = 0; r < OUT; r++)
            CHECK(y[i * OUT + r] == stored[(OUT + place[r]) * IN + 2 + i]);
    nf_linear_bias(&l, b);
    for (size_t r = 0; r < OUT; r++)
        CHECK(b[r] == bias[OUT + place[r]]);
}

/* Q8_0: a half and 32 signed bytes; two blocks a row. */
static void rows_and_columns_of_blocks(void)
{
    enum { R = 5, N = 64 };
    unsigned char blocks[R * 2 * 34] = { 0 };
    const struct nf_linear l = nf_linear_whole(nf_tensor_2d(NF_Q8_0, blocks, R, N), (struct nf_tensor){ 0 });
    float w[R * N], y[R * N];

    for (size_t i = 0; i < sizeof blocks; i++)
        blocks[i] = (unsigned char)(i * 37);
    for (size_t b = 0; b < R * 2; b++) {
        const uint16_t scale = nf_f32_to_f16(0.25f * (float)(b + 1));

        memcpy(blocks + 34 * b, &scale, 2);
        for (size_t i = 0; i < 32; i++)
            w[32 * b + i] = 0.25f * (float)(b + 1) * (float)(signed char)blocks[34 * b + 2 + i];
    }
    nf_linear_rows(&l, 1, 3, y);
    CHECK(memcmp(y, w + N, 3 * N * sizeof *y) == 0);
    for (size_t from = 0; from < N; from += 7) {
        size_t n = N - from < 30 ? N - from : 30;

        nf_linear_columns(&l, from, n, y);
        for (size_t i = 0; i < n; i++)
            for (size_t r = 0; r < R; r++)
                CHECK(y[i * R + r] == w[r * N + from + i]);
    }
}

int main(void)
{
    return RUN(every_layout_gives_the_rows_of_its_definition, paired_rows_are_put_back, rows_and_columns_of_blocks);
}
