/* pack.c - tensors of the checkpoint to what the kernels take. */
#include "base/alloc.h"
#include "base/par.h"
#include "model/forward_impl.h"

int nf_forward_vector(const struct nf_tensor *t, size_t n, float **y, struct nf_err *err)
{
    if (!t->data)
        return NF_OK;
    *y = nf_alloc(n, sizeof **y, err);
    if (!*y)
        return NF_ESYS;
    nf_tensor_f32(t, 0, n, *y);
    return NF_OK;
}

enum { PACK_ROWS = 16 };          /* rows of a map that a thread widens at a time */
enum { PACK_FLOATS = 1 << 18 };   /* of a map whose pages are in memory together, on the way to its packed form */

/* Rows from .. end - 1 of a map, one after the other, into [out, in]. */
static void widen_rows(const struct nf_linear *m, size_t from, size_t end, float *to)
{
#pragma omp parallel for schedule(static)
    for (size_t r = from; r < end; r += PACK_ROWS)
        nf_linear_rows(m, r, nf_min(PACK_ROWS, end - r), to + r * m->in);
}

/* Columns from .. end - 1 of a map that is stored transposed, into [in, width], the map's part from `to` on. */
static void widen_columns(const struct nf_linear *m, size_t from, size_t end, size_t width, float *to)
{
#pragma omp parallel for schedule(static)
    for (size_t c = from; c < end; c++)
        nf_linear_columns(m, c, 1, to + c * width);
}

/* A map as it is stored, in floats: into [out, in], or its part of [in, width]. */
static void widen(const struct nf_forward *f, const struct nf_linear *m, size_t width, float *to)
{
    size_t stored = m->transposed ? m->in : m->out, each = m->transposed ? m->out : m->in;
    size_t step = nf_max(PACK_FLOATS / each, PACK_ROWS);

    for (size_t from = 0; from < stored; from += step) {
        size_t end = nf_min(stored, from + step);

        if (m->transposed)
            widen_columns(m, from, end, width, to);
        else
            widen_rows(m, from, end, to);
        nf_weights_drop(f->w, &m->w);
    }
}

int nf_forward_pack(struct nf_forward *f, const struct nf_gemm *g, const struct nf_linear *const *map, size_t n, void *packed,
                    struct nf_err *err)
{
    bool transposed = map[0]->transposed;
    size_t width = 0, out = 0;

    for (size_t i = 0; i < n; i++)
        width += map[i]->out;
    for (size_t i = 0; i < n; out += map[i++]->out)
        widen(f, map[i], width, f->slab + (transposed ? out : out * map[i]->in));
    return (transposed ? nf_gemm_pack_transposed : nf_gemm_pack)(g, f->slab, packed, err);
}
