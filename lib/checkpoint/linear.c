/* linear.c - a linear map out of its checkpoint: rows or columns, widened. */
#include "checkpoint/linear.h"

#include <string.h>

#include "base/par.h"

struct nf_linear nf_linear_whole(struct nf_tensor w, struct nf_tensor b)
{
    return (struct nf_linear){ .w = w, .b = b, .out = w.shape[0], .in = w.shape[1], .run = w.shape[0], .jump = w.shape[0] };
}

/* Stored row or column of row n of W. */
static size_t index_stored(const struct nf_linear *l, size_t n)
{
    if (l->paired) {
        size_t in_head = n % l->paired, half = l->paired / 2;

        n += in_head % half * 2 + in_head / half - in_head;
    }
    return l->first + n / l->run * l->jump + n % l->run;
}

/* How many of the n rows from `row` on are stored one after the other. */
static size_t run_length(const struct nf_linear *l, size_t row, size_t n)
{
    return l->paired ? 1 : nf_min(n, l->run - row % l->run);
}

/* y[i * stride] = element (row, column + i) of the stored matrix, 0 <= i < n. */
static void scatter(const struct nf_tensor *t, size_t row, size_t column, size_t n, float *y, size_t stride)
{
    enum { SPAN = 64 };
    float x[SPAN];

    for (size_t i = 0; i < n; i += SPAN) {
        size_t m = nf_min(SPAN, n - i);

        nf_tensor_f32(t, row * t->shape[1] + column + i, m, x);
        for (size_t k = 0; k < m; k++)
            y[(i + k) * stride] = x[k];
    }
}

/* Rows row .. row + n - 1 of W that are stored one after the other, from `at` on. */
static void take_run(const struct nf_linear *l, size_t at, size_t n, float *y)
{
    if (!l->transposed)
        nf_tensor_f32(&l->w, at * l->in, n * l->in, y);
    for (size_t k = 0; l->transposed && k < l->in; k++)
        scatter(&l->w, k, at, n, y + k, l->in);
}

void nf_linear_rows(const struct nf_linear *l, size_t row, size_t n, float *y)
{
    for (size_t i = 0, m; i < n; i += m) {
        m = run_length(l, row + i, n - i);
        take_run(l, index_stored(l, row + i), m, y + i * l->in);
    }
}

void nf_linear_columns(const struct nf_linear *l, size_t column, size_t n, float *y)
{
    for (size_t r = 0, m; r < l->out; r += m) {
        m = run_length(l, r, l->out - r);
        for (size_t i = 0; l->transposed && i < n; i++)
            nf_tensor_f32(&l->w, (column + i) * l->w.shape[1] + index_stored(l, r), m, y + i * l->out + r);
        for (size_t i = 0; !l->transposed && i < m; i++)
            scatter(&l->w, index_stored(l, r + i), column, n, y + r + i, l->out);
    }
}

void nf_linear_bias(const struct nf_linear *l, float *y)
{
    memset(y, 0, l->out * sizeof *y);
    for (size_t r = 0, m; l->b.data && r < l->out; r += m) {
        m = run_length(l, r, l->out - r);
        nf_tensor_f32(&l->b, index_stored(l, r), m, y + r);
    }
}
