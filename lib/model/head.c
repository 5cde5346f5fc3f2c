/* head.c - the two ends of the model: tokens to rows, and rows to predictions without ever holding their logits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "model/forward_impl.h"

/* ---- weights ---- */

size_t nf_head_tiles(const struct nf_forward *f)
{
    return nf_blocks(f->cfg->V, f->tile);
}

/* Rows of a table whose pages are in memory together: about 64 KiB each, where they are apart and the system maps what lies around. */
enum { TABLE_ROWS = 64 };

/* y[i] = row id[i] of a table (id NULL: row first + i), and no page of it stays. */
static void read_rows(const struct nf_forward *f, const struct nf_tensor *table, const uint32_t *id, size_t first, size_t n,
                      float *y)
{
    size_t width = table->shape[1];

    for (size_t at = 0; at < n; at += TABLE_ROWS) {
        size_t end = nf_min(n, at + TABLE_ROWS);
        const struct nf_tensor seen = id ? *table : nf_tensor_rows(table, first + at, end - at);

#pragma omp parallel for schedule(static)
        for (size_t i = at; i < end; i++)
            nf_tensor_f32(table, (id ? id[i] : first + i) * width, width, y + i * width);
        nf_weights_drop(f->w, &seen);
    }
}

/* Rows id[0..n-1] of the unembedding (id NULL: first, first + 1, ..) as one tile; columns from n on are zero. */
static int pack_unembed_tile(struct nf_forward *f, const uint32_t *id, size_t first, size_t n, void *packed, struct nf_err *err)
{
    size_t E = f->cfg->E;

    read_rows(f, &f->w->unembed, id, first, n, f->slab);
    memset(f->slab + n * E, 0, (f->tile - n) * E * sizeof *f->slab);
    return nf_gemm_pack(f->unembed, f->slab, packed, err);
}

static int open_projection(struct nf_forward *f, const struct nf_linear *l, const struct nf_gemm *g, size_t N, struct nf_packed *p,
                           struct nf_err *err)
{
    if (!g)
        return NF_OK;
    p->w = nf_alloc(nf_gemm_packed_size(g), 1, err);
    if (!p->w || nf_forward_vector(&l->b, N, &p->bias, err) < 0)
        return NF_ESYS;
    return nf_forward_pack(f, g, &l, 1, p->w, err);
}

/* The bias of the unembedding as tiles, and one more for the targets of a chunk. */
static int open_bias(struct nf_forward *f, struct nf_err *err)
{
    const struct nf_tensor *b = &f->w->unembed_bias;

    if (!b->data)
        return NF_OK;
    f->head_bias = nf_alloc((nf_head_tiles(f) + 1) * f->tile, sizeof *f->head_bias, err);
    if (!f->head_bias)
        return NF_ESYS;
    nf_tensor_f32(b, 0, f->cfg->V, f->head_bias);
    return NF_OK;
}

int nf_head_open(struct nf_forward *f, struct nf_err *err)
{
    const struct nf_config *cfg = f->cfg;
    const struct nf_weights *w = f->w;
    size_t n = f->plan.resident ? nf_head_tiles(f) : 1;

    if (open_projection(f, &w->project_in, f->project_in, cfg->D, &f->p_in, err) < 0)
        return NF_ESYS;
    if (!f->plan.unembed)
        return NF_OK;
    if (open_projection(f, &w->project_out, f->project_out, cfg->E, &f->p_out, err) < 0 ||
        nf_forward_vector(&w->final_norm.gain, cfg->D, &f->final_norm.gain, err) < 0 ||
        nf_forward_vector(&w->final_norm.bias, cfg->D, &f->final_norm.bias, err) < 0 || open_bias(f, err) < 0)
        return NF_ESYS;
    f->vocab = nf_alloc(n + 1, sizeof *f->vocab, err); /* the last holds the targets of a chunk */
    for (size_t i = 0; f->vocab && i <= n; i++) {
        f->vocab[i] = nf_alloc(nf_gemm_packed_size(f->unembed), 1, err);
        if (!f->vocab[i])
            return NF_ESYS;
        if (f->plan.resident && i < n &&
            pack_unembed_tile(f, NULL, i * f->tile, nf_min(f->tile, cfg->V - i * f->tile), f->vocab[i], err) < 0)
            return NF_ESYS;
    }
    return f->vocab ? NF_OK : NF_ESYS;
}

void nf_head_close(struct nf_forward *f)
{
    size_t n = f->plan.resident ? nf_head_tiles(f) : 1;

    for (size_t i = 0; f->vocab && i <= n; i++)
        free(f->vocab[i]);
    free(f->vocab);
    free(f->p_in.w);
    free(f->p_in.bias);
    free(f->p_out.w);
    free(f->p_out.bias);
    free(f->final_norm.gain);
    free(f->final_norm.bias);
    free(f->head_bias);
}

/* ---- embedding ---- */

static void add_positions(struct nf_forward *f, const struct nf_windows *win, float *x)
{
    const struct nf_tensor *table = &f->w->positions;
    size_t D = f->cfg->D, row = 0;

    for (size_t w = 0; w < win->W; row += win->length[w++])
        for (size_t p = 0; p < win->length[w]; p++) {
            nf_tensor_f32(table, (p + f->cfg->position_offset) * D, D, f->h);
            nf_kernels()->add(f->h, D, x + (row + p) * D);
        }
    nf_weights_drop(f->w, table);
}

int nf_forward_embed(struct nf_forward *f, const struct nf_windows *win, float *x, struct nf_err *err)
{
    const struct nf_config *cfg = f->cfg;
    size_t D = cfg->D, E = cfg->E;
    int rc = NF_OK;

    if (!f->project_in)
        read_rows(f, &f->w->embed, win->ids, 0, win->T, x);
    for (size_t at = 0; f->project_in && rc == NF_OK && at < win->T; at += NF_CHUNK) {
        size_t rows = nf_min(NF_CHUNK, win->T - at);
        struct nf_mat h = nf_forward_mat(f, f->h, f->h16);

        read_rows(f, &f->w->embed, win->ids + at, 0, rows, f->h);
        nf_copy_to(f->h, rows * E, h);
        rc = nf_gemm_run(f->project_in, f->p_in.w, f->p_in.bias, nf_mat_data(h), rows, x + at * D, err);
    }
    if (rc == NF_OK && cfg->positions == NF_POS_LEARNED)
        add_positions(f, win, x);
    return rc;
}

/* ---- unembedding ---- */

int nf_head_final(struct nf_forward *f, const float *x, size_t rows, struct nf_mat to, struct nf_err *err)
{
    const struct nf_config *cfg = f->cfg;
    struct nf_mat h = nf_forward_mat(f, f->h, f->h16), normed = f->project_out ? h : to;

    if (cfg->final_norm)
        nf_forward_norm(f, &f->final_norm, x, rows, f->h, normed);
    else
        nf_copy_to(x, rows * cfg->D, normed);
    if (!f->project_out)
        return NF_OK;
    if (nf_gemm_run(f->project_out, f->p_out.w, f->p_out.bias, nf_mat_data(h), rows, f->y, err) < 0)
        return NF_ESYS;
    nf_copy_to(f->y, rows * cfg->E, to);
    return NF_OK;
}

/* Rows from `row` on of what was made for the whole batch. */
static struct nf_mat final_at(const struct nf_forward *f, size_t row)
{
    size_t at = row * f->cfg->E;

    return nf_forward_mat(f, f->final + at, f->final16 ? f->final16 + at : NULL);
}

static int final_rows(struct nf_forward *f, size_t T, const float *x, struct nf_err *err)
{
    int rc = NF_OK;

    for (size_t at = 0; rc == NF_OK && at < T; at += NF_CHUNK)
        rc = nf_head_final(f, x + at * f->cfg->D, nf_min(NF_CHUNK, T - at), final_at(f, at), err);
    return rc;
}

int nf_head_tile(struct nf_forward *f, size_t tile, size_t *first, size_t *columns, const void **packed, struct nf_err *err)
{
    *first = tile * f->tile;
    *columns = nf_min(f->tile, f->cfg->V - *first);
    *packed = f->vocab[f->plan.resident ? tile : 0];
    return f->plan.resident ? NF_OK : pack_unembed_tile(f, NULL, *first, *columns, f->vocab[0], err);
}

int nf_head_logits(struct nf_forward *f, const void *packed, size_t tile, bool bias, struct nf_mat x, size_t rows, float *logits,
                   struct nf_err *err)
{
    return nf_gemm_run(f->unembed, packed, bias && f->head_bias ? f->head_bias + tile * f->tile : NULL, nf_mat_data(x), rows,
                       logits, err);
}

int nf_head_targets(struct nf_forward *f, const uint32_t *id, size_t n, const void **packed, struct nf_err *err)
{
    void *to = f->vocab[f->plan.resident ? nf_head_tiles(f) : 1];
    float *bias = f->head_bias ? f->head_bias + nf_head_tiles(f) * f->tile : NULL;

    for (size_t i = 0; bias && i < n; i++)
        bias[i] = f->head_bias[id[i]];
    *packed = to;
    return pack_unembed_tile(f, id, 0, n, to, err);
}

/*
 * Start the running sums of every row.  The target's logit must be known before the first tile, or the logits above it could not be
 * counted in one pass: the targets of a chunk are gathered into a tile of their own, whose products have the same bits as in theirs.
 */
static int start_rows(struct nf_forward *f, const struct nf_windows *win, struct nf_err *err)
{
    size_t step = nf_min(NF_CHUNK, f->tile), last = 0, w = 0;
    const void *packed;

    for (size_t at = 0; at < win->T; at += step) {
        size_t rows = nf_min(step, win->T - at), targets = nf_min(rows, win->T - at - 1);

        if (nf_head_targets(f, win->ids + at + 1, targets, &packed, err) < 0 ||
            nf_head_logits(f, packed, nf_head_tiles(f), true, final_at(f, at), rows, f->logits, err) < 0)
            return NF_ESYS;
        for (size_t i = 0; i < rows; i++) {
            while (at + i >= last + win->length[w])
                last += win->length[w++];
            f->running[at + i] = nf_running_init(at + i + 1 < last + win->length[w] ? f->logits[i * f->tile + i] : NAN);
        }
    }
    return NF_OK;
}

/* One tile of the vocabulary for rows row .. row + n - 1. */
static int run_tile(struct nf_forward *f, size_t tile, size_t row, size_t n, bool pred, bool logits, struct nf_err *err)
{
    size_t first, columns;
    const void *packed;

    if (nf_head_tile(f, tile, &first, &columns, &packed, err) < 0)
        return NF_ESYS;
    for (size_t at = row; at < row + n; at += NF_CHUNK) {
        size_t rows = nf_min(NF_CHUNK, row + n - at);

        if (nf_head_logits(f, packed, tile, true, final_at(f, at), rows, f->logits, err) < 0)
            return NF_ESYS;
        for (size_t i = 0; logits && i < rows; i++)
            memcpy(f->row_logits + i * f->cfg->V + first, f->logits + i * f->tile, columns * sizeof *f->logits);
        if (!pred)
            continue;
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < rows; i++)
            nf_kernels()->run(&f->running[at + i], f->logits + i * f->tile, columns, (uint32_t)first);
    }
    return NF_OK;
}

static int give_pred(struct nf_forward *f, size_t T, struct nf_err *err)
{
    int rc = NF_OK;

    for (size_t at = 0; rc == NF_OK && at < T; at += NF_CHUNK) {
        size_t rows = nf_min(NF_CHUNK, T - at);

        for (size_t i = 0; i < rows; i++)
            nf_running_pred(&f->running[at + i], f->pred + 4 * i);
        rc = nf_forward_tap(f, NF_SITE_PRED, f->cfg->L, at, rows, 4, f->pred, NULL, err);
    }
    return rc;
}

int nf_forward_head(struct nf_forward *f, const struct nf_windows *win, const float *x, struct nf_err *err)
{
    size_t L = f->cfg->L, V = f->cfg->V, T = win->T;
    bool pred = nf_forward_wants(f, NF_SITE_PRED, L), logits = nf_forward_wants(f, NF_SITE_LOGITS, L);
    size_t group = logits ? NF_LOGIT_ROWS : T; /* rows that go through all tiles together */
    int rc = NF_OK;

    if (!pred && !logits)
        return NF_OK;
    rc = final_rows(f, T, x, err);
    if (rc == NF_OK && pred)
        rc = start_rows(f, win, err);
    for (size_t row = 0; rc == NF_OK && row < T; row += group) {
        size_t n = nf_min(group, T - row);

        for (size_t tile = 0; rc == NF_OK && tile < nf_head_tiles(f); tile++)
            rc = run_tile(f, tile, row, n, pred, logits, err);
        if (rc == NF_OK && logits)
            rc = nf_forward_tap(f, NF_SITE_LOGITS, L, row, n, V, f->row_logits, NULL, err);
    }
    return rc == NF_OK && pred ? give_pred(f, T, err) : rc;
}
