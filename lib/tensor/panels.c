/* panels.c - packing, and the loops round the register tiles. */
#include "tensor/panels.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "tensor/convert.h"

enum { LINE = 64 };                         /* bytes of a line of cache */
enum { X_STRIDE = NF_PANEL_DEPTH + 16 };    /* floats between rows of a block of x: not a power of two, which would crowd a few sets */
enum { ROWS_MAX = 14, COLUMNS_MAX = 32 };   /* of any tile */

/* One tile of y: y[i,c] (+)= sum_k x[i,k] w[k,c], and what follows the last block. */
struct tile {
    const float *x;      /* rows X_STRIDE apart */
    const float *w;      /* [depth, columns of the set] */
    size_t depth;
    const char *ahead;   /* what the next panel will read: brought nearer meanwhile */
    float *y;
    size_t stride;       /* of y */
    bool add;            /* to what y holds */
    const float *bias;   /* NULL: none, or not yet */
    bool relu;
};

/* The tiles of one instruction set. */
struct tile_set {
    size_t rows, columns;   /* of the largest tile */
    size_t chunk;           /* rows of x that stay in the second cache: about 200 KiB of 256 at least; AVX-512: 350 of 1024 */
    void (*tile[ROWS_MAX + 1])(const struct tile *t);   /* by number of rows, 1 to `rows` */
};

#define ISA_TEXT "tensor/panels.inc"
#include "base/each_isa.inc"

struct nf_panels {
    struct nf_gemm_shape shape;
    const struct tile_set *set;
    size_t panels;   /* along N */
    size_t blocks;   /* along K */
};

struct nf_panels *nf_panels_open(const struct nf_gemm_shape *shape, enum nf_isa isa, struct nf_err *err)
{
    static const struct tile_set *const sets[NF_ISA_COUNT] = {
        [NF_ISA_BASELINE] = &set_baseline,
#ifdef __x86_64__
        [NF_ISA_AVX2] = &set_avx2,
        [NF_ISA_AVX512] = &set_avx512,
#endif
    };
    struct nf_panels *p = nf_alloc(1, sizeof *p, err);

    if (!p)
        return NULL;
    p->shape = *shape;
    p->set = sets[isa];
    p->panels = nf_blocks(shape->N, p->set->columns);
    p->blocks = nf_blocks(shape->K, NF_PANEL_DEPTH);
    return p;
}

/* Type of the packed weights. */
static enum nf_dtype packed_type(const struct nf_panels *p)
{
    return p->shape.half ? NF_BF16 : p->shape.in;
}

void nf_panels_close(struct nf_panels *p)
{
    free(p);
}

size_t nf_panels_packed_size(const struct nf_panels *p)
{
    return p->shape.K * p->panels * p->set->columns * nf_dtype_size(packed_type(p));
}

/* First k of block b: blocks are as equal as multiples of 8 allow.  They depend on K alone, since they decide the bits. */
static size_t begin_block(const struct nf_panels *p, size_t b)
{
    size_t eights = nf_blocks(p->shape.K, 8);

    return b == p->blocks ? p->shape.K : eights * b / p->blocks * 8;
}

/* Element in the packed weights at which a panel of block b begins. */
static size_t find_panel(const struct nf_panels *p, size_t b, size_t panel)
{
    size_t begin = begin_block(p, b), depth = begin_block(p, b + 1) - begin;

    return (begin * p->panels + panel * depth) * p->set->columns;
}

/* ---- packing ---- */

/* Columns first .. of w as floats [depth, columns], those beyond N zero. */
static void gather_panel(const struct nf_panels *p, const float *w, size_t row, size_t column, size_t panel, size_t depth,
                         float *to)
{
    size_t wide = p->set->columns, n = nf_min(wide, p->shape.N - panel * wide);

    w += panel * wide * row;
    if (n < wide)
        memset(to, 0, depth * wide * sizeof *to);
    if (row == 1) {
        for (size_t k = 0; k < depth; k++)
            memcpy(to + k * wide, w + k * column, n * sizeof *to);
        return;
    }
    for (size_t c = 0; c < n; c++)
        for (size_t k = 0; k < depth; k++)
            to[k * wide + c] = w[c * row + k * column];
}

void nf_panels_pack(const struct nf_panels *p, const float *w, size_t row, size_t column, void *packed)
{
#pragma omp parallel for collapse(2) schedule(static)
    for (size_t b = 0; b < p->blocks; b++)
        for (size_t panel = 0; panel < p->panels; panel++) {
            size_t begin = begin_block(p, b), depth = begin_block(p, b + 1) - begin, at = find_panel(p, b, panel);
            float wide[NF_PANEL_DEPTH * COLUMNS_MAX], *to = packed_type(p) == NF_BF16 ? wide : (float *)packed + at;

            gather_panel(p, w + begin * column, row, column, panel, depth, to);
            if (to == wide)
                nf_narrow_bf16(wide, depth * p->set->columns, (uint16_t *)packed + at);
        }
}

/* ---- the product ---- */

enum { GROUP_COLUMNS = 1024 };   /* of y at a time */

/* Work is dealt in parts: some rows by some panels. */
struct deal {
    size_t chunks, groups;   /* parts along the rows and along the panels */
};

/* One part, and what a thread needs for it. */
struct panel_part {
    const struct nf_panels *p;
    const char *packed;
    const float *bias;
    const void *x;                 /* all rows */
    char *y;
    size_t row, rows;              /* of this part */
    size_t panel, panels;
    float *block;                  /* [rows, X_STRIDE] x of one block of K */
    float *sums;                   /* [rows, panels * columns] y before it is rounded to bf16; NULL: y is f32 */
    float wide[NF_PANEL_DEPTH * COLUMNS_MAX] __attribute__((aligned(LINE)));   /* a widened panel */
};

/* The most rows of a part: chunks are rounded, so up to half more than a chunk. */
static size_t max_rows(const struct tile_set *set)
{
    return set->chunk + nf_blocks(set->chunk, 2);
}

static struct deal deal_work(const struct nf_panels *p, size_t rows, size_t threads)
{
    enum { PARTS = 4, PANELS_MIN = 4 };   /* a thread; a group: below, copying x would weigh against the product */
    struct deal d = { nf_max(1, (rows + p->set->chunk / 2) / p->set->chunk), nf_blocks(p->shape.N, GROUP_COLUMNS) };

    if (threads > 1)
        d.groups = nf_max(d.groups, nf_min(nf_blocks(PARTS * threads, d.chunks), p->panels / PANELS_MIN));
    return d;
}

/* x of one block of K, as floats. */
static void copy_block(const struct panel_part *t, size_t begin, size_t depth)
{
    size_t K = t->p->shape.K;

    for (size_t i = 0; i < t->rows; i++) {
        size_t at = (t->row + i) * K + begin;
        float *to = t->block + i * X_STRIDE;

        if (t->p->shape.in == NF_BF16)
            nf_widen_bf16((const uint16_t *)t->x + at, depth, to);
        else
            memcpy(to, (const float *)t->x + at, depth * sizeof *to);
    }
}

/* The last panel may have fewer columns than a tile: it is computed beside y. */
static void run_narrow(const struct tile_set *set, size_t rows, const struct tile *tile, size_t columns)
{
    float y[ROWS_MAX * COLUMNS_MAX], bias[COLUMNS_MAX] = { 0 };
    struct tile t = *tile;

    t.y = y;
    t.stride = set->columns;
    if (tile->bias) {
        memcpy(bias, tile->bias, columns * sizeof *bias);
        t.bias = bias;
    }
    memset(y, 0, sizeof y);
    for (size_t i = 0; i < rows; i++)
        memcpy(y + i * t.stride, tile->y + i * tile->stride, columns * sizeof *y);
    set->tile[rows](&t);
    for (size_t i = 0; i < rows; i++)
        memcpy(tile->y + i * tile->stride, y + i * t.stride, columns * sizeof *y);
}

/* One panel of block b for all rows of the part, in tiles of equal height. */
static void run_panel(struct panel_part *t, size_t b, size_t panel)
{
    const struct nf_panels *p = t->p;
    const struct tile_set *set = p->set;
    size_t depth = begin_block(p, b + 1) - begin_block(p, b), wide = set->columns, N = p->shape.N,
           tiles = nf_blocks(t->rows, set->rows);
    size_t columns = nf_min(wide, N - panel * wide), item = nf_dtype_size(packed_type(p)), bytes = depth * wide * item;
    const char *packed = t->packed + find_panel(p, b, panel) * item;
    bool last = b + 1 == p->blocks;
    struct tile tile = {
        .w = (const float *)packed,
        .depth = depth,
        .add = b > 0,
        .bias = last && t->bias ? t->bias + panel * wide : NULL,
        .relu = last && p->shape.relu,
        .stride = t->sums ? t->panels * wide : N,
    };

    if (packed_type(p) == NF_BF16) {
        nf_widen_bf16(packed, depth * wide, t->wide);
        tile.w = t->wide;
    }
    for (size_t i = 0, row = 0; i < tiles; i++) {
        size_t rows = (t->rows - row) / (tiles - i);

        tile.x = t->block + row * X_STRIDE;
        tile.y =
            t->sums ? t->sums + row * tile.stride + (panel - t->panel) * wide : (float *)t->y + (t->row + row) * N + panel * wide;
        tile.ahead = packed + bytes + bytes / tiles * i;
        if (columns == wide)
            set->tile[rows](&tile);
        else
            run_narrow(set, rows, &tile, columns);
        row += rows;
    }
}

static void run_part(struct panel_part *t)
{
    const struct nf_panels *p = t->p;
    size_t wide = p->set->columns, first = t->panel * wide, n = nf_min(t->panels * wide, p->shape.N - first);

    for (size_t b = 0; b < p->blocks; b++) {
        copy_block(t, begin_block(p, b), begin_block(p, b + 1) - begin_block(p, b));
        for (size_t j = 0; j < t->panels; j++)
            run_panel(t, b, t->panel + j);
    }
    for (size_t i = 0; t->sums && i < t->rows; i++)
        nf_narrow_bf16(t->sums + i * t->panels * wide, n, (uint16_t *)t->y + (t->row + i) * p->shape.N + first);
}

/* i of `parts` equal shares of n begins here. */
static size_t equal_share(size_t n, size_t parts, size_t i)
{
    return n * i / parts;
}

/* Part number i of a deal; chunks of rows are whole tiles but for the last. */
static void place_part(struct panel_part *t, const struct deal *d, size_t rows, size_t i)
{
    const struct nf_panels *p = t->p;
    size_t chunk = i / d->groups, group = i % d->groups, tiles = nf_blocks(rows, p->set->rows);

    t->row = equal_share(tiles, d->chunks, chunk) * p->set->rows;
    t->rows = nf_min(equal_share(tiles, d->chunks, chunk + 1) * p->set->rows, rows) - t->row;
    t->panel = equal_share(p->panels, d->groups, group);
    t->panels = equal_share(p->panels, d->groups, group + 1) - t->panel;
}

/* A part with its work space, not yet set.  NULL: memory. */
static struct panel_part *new_part(const struct nf_panels *p, const struct deal *d)
{
    size_t rows = max_rows(p->set), wide = nf_blocks(p->panels, d->groups) * p->set->columns;
    struct panel_part *t = aligned_alloc(LINE, nf_blocks(sizeof *t, LINE) * LINE);
    bool sums = p->shape.out == NF_BF16;

    if (!t)
        return NULL;
    t->block = aligned_alloc(LINE, rows * X_STRIDE * sizeof *t->block);
    t->sums = sums ? aligned_alloc(LINE, rows * wide * sizeof *t->sums) : NULL;
    if (t->block && (t->sums || !sums))
        return t;
    free(t->block);
    free(t->sums);
    free(t);
    return NULL;
}

static void free_part(struct panel_part *t)
{
    if (!t)
        return;
    free(t->block);
    free(t->sums);
    free(t);
}

int nf_panels_run(const struct nf_panels *p, const void *packed, const float *bias, const void *x, size_t rows, void *y,
                  struct nf_err *err)
{
    const struct deal d = deal_work(p, rows, nf_threads());
    bool failed = false;

    if (rows == 0)
        return NF_OK;
#pragma omp parallel if (d.chunks * d.groups > 1)
    {
        struct panel_part *t = new_part(p, &d);

        if (t) {
            t->p = p;
            t->packed = packed;
            t->bias = bias;
            t->x = x;
            t->y = y;
        } else {
#pragma omp atomic write
            failed = true;
        }
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < d.chunks * d.groups; i++)
            if (t) {
                place_part(t, &d, rows, i);
                run_part(t);
            }
        free_part(t);
    }
    return failed ? nf_fail(err, NF_ESYS, "out of memory in a matrix product") : NF_OK;
}
