/* onednn.c - oneDNN matmul with packed weights. */
#include "tensor/onednn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dnnl.h>
#include <omp.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/par.h"

/*
 * Rows of one call.  A primitive belongs to one number of rows, and making one costs 0.1 to 0.4 ms, so any number is made of few: whole
 * pieces of PIECE rows, then multiples of STEP, then what is left.  One piece fills the machine (same rate from 256 rows on).
 */
enum { PIECE = 512, STEP = 16, CALLS = PIECE / STEP + STEP };
enum { TILE = 64 };   /* rows of a fixed tile, for kernels whose bits depend on the number of rows */

struct call {
    dnnl_primitive_t prim;    /* NULL: not made yet */
    dnnl_memory_t x, w, bias, y, scratch;
    void *scratch_data;
};

struct nf_onednn {
    struct nf_gemm_shape shape;
    bool fixed;               /* rows only in tiles of TILE */
    float *zeros;             /* [N] for a missing bias */
    void *packed_md;          /* layout of the packed weights */
    size_t packed_size;
    char kernel[48];          /* what the library calls it */
    struct call call[CALLS];  /* by number of rows: slot_of() */
    struct call *tile;        /* fixed: [threads] a call of TILE rows for each thread */
    size_t threads;
    void *pad;                /* fixed: [TILE, K] and [TILE, N] of the last, part-filled tile */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

/* What differs between oneDNN 2 and 3: memory descriptors became handles, and operation descriptors went away. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t md_t;
typedef const_dnnl_memory_desc_t md_ref;

static dnnl_status_t md_new(md_t *md, dnnl_dim_t rows, dnnl_dim_t cols, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = { rows, cols };

    return dnnl_memory_desc_create_with_tag(md, 2, dims, type, tag);
}

static md_ref md_of(const md_t *md)
{
    return *md;
}

static void md_free(md_t *md)
{
    if (*md)
        dnnl_memory_desc_destroy(*md);
}

static dnnl_status_t md_copy(void **copy, md_ref md)
{
    return dnnl_memory_desc_clone((dnnl_memory_desc_t *)copy, md);
}

static void md_copy_free(void *copy)
{
    if (copy)
        dnnl_memory_desc_destroy(copy);
}

static dnnl_status_t append_relu(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0, 0);
}

static dnnl_status_t matmul_new(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, md_ref x, md_ref w, md_ref bias, md_ref y,
                                dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(pd, engine, x, w, bias, y, attr);
}
#else
typedef dnnl_memory_desc_t md_t;
typedef const dnnl_memory_desc_t *md_ref;

static dnnl_status_t md_new(md_t *md, dnnl_dim_t rows, dnnl_dim_t cols, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = { rows, cols };

    return dnnl_memory_desc_init_by_tag(md, 2, dims, type, tag);
}

static md_ref md_of(const md_t *md)
{
    return md;
}

static void md_free(md_t *md)
{
    (void)md;
}

static dnnl_status_t md_copy(void **copy, md_ref md)
{
    *copy = malloc(sizeof *md);
    if (!*copy)
        return dnnl_out_of_memory;
    memcpy(*copy, md, sizeof *md);
    return dnnl_success;
}

static void md_copy_free(void *copy)
{
    free(copy);
}

static dnnl_status_t append_relu(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
}

static dnnl_status_t matmul_new(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, md_ref x, md_ref w, md_ref bias, md_ref y,
                                dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t op;
    dnnl_status_t s = dnnl_matmul_desc_init(&op, x, w, bias, y);

    return s == dnnl_success ? dnnl_primitive_desc_create(pd, &op, attr, engine, NULL) : s;
}
#endif

static int failed(const char *what, dnnl_status_t s, const struct nf_gemm_shape *shape, struct nf_err *err)
{
    if (s == dnnl_out_of_memory)
        return nf_fail(err, NF_ESYS, "out of memory in oneDNN");
    if (s == dnnl_unimplemented)
        return nf_fail(err, NF_ESYS, "this CPU's oneDNN has no matrix product of type %s", nf_dtype_name(shape->in));
    return nf_fail(err, NF_ESYS, "oneDNN: %s of %zu x %zu failed with status %d", what, shape->N, shape->K, (int)s);
}

static dnnl_data_type_t type_of_dtype(enum nf_dtype t)
{
    return t == NF_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* Attributes: scratch memory is ours, so that a primitive can be run by several threads at once; relu after the sum. */
static dnnl_status_t attr_new(const struct nf_onednn *g, dnnl_primitive_attr_t *attr)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t s = dnnl_primitive_attr_create(attr);

    if (s == dnnl_success)
        s = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (s != dnnl_success || !g->shape.relu)
        return s;
    s = dnnl_post_ops_create(&ops);
    if (s == dnnl_success)
        s = append_relu(ops);
    if (s == dnnl_success)
        s = dnnl_primitive_attr_set_post_ops(*attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return s;
}

/* The product for `rows` rows; packed_md NULL: the library chooses the layout of w. */
static dnnl_status_t product_new(const struct nf_onednn *g, size_t rows, dnnl_primitive_desc_t *pd)
{
    const struct nf_gemm_shape *sh = &g->shape;
    dnnl_dim_t M = (dnnl_dim_t)rows, K = (dnnl_dim_t)sh->K, N = (dnnl_dim_t)sh->N;
    md_t x, w, bias, y;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t s;

    memset(&x, 0, sizeof x);
    w = bias = y = x;
    s = md_new(&x, M, K, type_of_dtype(sh->in), dnnl_ab);
    if (s == dnnl_success)
        s = md_new(&w, K, N, type_of_dtype(sh->in), dnnl_format_tag_any);
    if (s == dnnl_success)
        s = md_new(&bias, 1, N, dnnl_f32, dnnl_ab);
    if (s == dnnl_success)
        s = md_new(&y, M, N, type_of_dtype(sh->out), dnnl_ab);
    if (s == dnnl_success)
        s = attr_new(g, &attr);
    if (s == dnnl_success)
        s = matmul_new(pd, g->engine, md_of(&x), g->packed_md ? (md_ref)g->packed_md : md_of(&w), md_of(&bias), md_of(&y), attr);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    md_free(&x);
    md_free(&w);
    md_free(&bias);
    md_free(&y);
    return s;
}

static dnnl_status_t call_memory(struct nf_onednn *g, struct call *c, dnnl_primitive_desc_t pd)
{
    const struct {
        dnnl_memory_t *memory;
        dnnl_query_t what;
        int index;
    } args[] = {
        { &c->x, dnnl_query_src_md, 0 }, { &c->w, dnnl_query_weights_md, 0 },          { &c->bias, dnnl_query_weights_md, 1 },
        { &c->y, dnnl_query_dst_md, 0 }, { &c->scratch, dnnl_query_scratchpad_md, 0 },
    };
    size_t size = dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
    dnnl_status_t s = dnnl_success;

    c->scratch_data = nf_alloc(size, 1, NULL);
    if (!c->scratch_data)
        return dnnl_out_of_memory;
    for (size_t i = 0; s == dnnl_success && i < sizeof args / sizeof *args; i++)
        s = dnnl_memory_create(args[i].memory, dnnl_primitive_desc_query_md(pd, args[i].what, args[i].index), g->engine,
                               DNNL_MEMORY_NONE);
    return s == dnnl_success ? dnnl_memory_set_data_handle(c->scratch, c->scratch_data) : s;
}

static void call_clear(struct call *c)
{
    dnnl_memory_t memory[] = { c->x, c->w, c->bias, c->y, c->scratch };

    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i])
            dnnl_memory_destroy(memory[i]);
    if (c->prim)
        dnnl_primitive_destroy(c->prim);
    free(c->scratch_data);
    memset(c, 0, sizeof *c);
}

static dnnl_status_t call_new(struct nf_onednn *g, size_t rows, struct call *c)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t s = product_new(g, rows, &pd);

    memset(c, 0, sizeof *c);
    if (s == dnnl_success)
        s = dnnl_primitive_create(&c->prim, pd);
    if (s == dnnl_success)
        s = call_memory(g, c, pd);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (s != dnnl_success)
        call_clear(c);
    return s;
}

static dnnl_status_t call_run(const struct call *c, dnnl_stream_t stream, const void *packed, const float *bias, const void *x,
                              void *y)
{
    const dnnl_exec_arg_t args[] = {
        { DNNL_ARG_SRC, c->x }, { DNNL_ARG_WEIGHTS, c->w },          { DNNL_ARG_BIAS, c->bias },
        { DNNL_ARG_DST, c->y }, { DNNL_ARG_SCRATCHPAD, c->scratch },
    };
    dnnl_status_t s = dnnl_memory_set_data_handle(c->x, (void *)x);   /* read only, though the type cannot say so */

    if (s == dnnl_success)
        s = dnnl_memory_set_data_handle(c->w, (void *)packed);
    if (s == dnnl_success)
        s = dnnl_memory_set_data_handle(c->bias, (void *)bias);
    if (s == dnnl_success)
        s = dnnl_memory_set_data_handle(c->y, y);
    if (s == dnnl_success)
        s = dnnl_primitive_execute(c->prim, stream, sizeof args / sizeof *args, args);
    return s == dnnl_success ? dnnl_stream_wait(stream) : s;
}

bool nf_onednn_bf16(void)
{
    return nf_cpu_bf16() && (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

bool nf_onednn_bf16_fast(void)
{
    return nf_onednn_bf16() &&
           (nf_cpu_amd() || (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_amx) == dnnl_cpu_isa_avx512_core_amx);
}

/*
 * The layout of packed weights, and whether the kernel's bits are independent of the number of rows and threads.  Measured: brgemm's are on
 * AVX-512; with AMX it cuts sums over K by the number of rows and threads.
 */
static dnnl_status_t choose_layout(struct nf_onednn *g)
{
    dnnl_primitive_desc_t pd = NULL;
    const char *kernel = "";
    md_ref w;
    dnnl_status_t s = product_new(g, PIECE, &pd);

    if (s != dnnl_success)
        return s;
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &kernel);
    snprintf(g->kernel, sizeof g->kernel, "%s", kernel);
    g->fixed = strncmp(kernel, "brg", 3) != 0 || strstr(kernel, "amx");
    w = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    g->packed_size = dnnl_memory_desc_get_size(w);
    s = md_copy(&g->packed_md, w);
    dnnl_primitive_desc_destroy(pd);
    return s;
}

struct nf_onednn *nf_onednn_open(const struct nf_gemm_shape *shape, struct nf_err *err)
{
    struct nf_onednn *g = nf_alloc(1, sizeof *g, err);
    dnnl_status_t s;

    if (!g)
        return NULL;
    g->shape = *shape;
    g->zeros = nf_alloc(shape->N, sizeof *g->zeros, err);
    if (!g->zeros)
        goto fail;
    s = dnnl_engine_create(&g->engine, dnnl_cpu, 0);
    if (s == dnnl_success)
        s = dnnl_stream_create(&g->stream, g->engine, dnnl_stream_default_flags);
    if (s == dnnl_success)
        s = choose_layout(g);
    if (s != dnnl_success) {
        failed("choosing a kernel", s, shape, err);
        goto fail;
    }
    if (g->fixed && !(g->pad = nf_alloc(TILE * (shape->K + shape->N), sizeof(float), err)))
        goto fail;
    return g;
fail:
    nf_onednn_close(g);
    return NULL;
}

const char *nf_onednn_kernel(const struct nf_onednn *g)
{
    return g->kernel;
}

size_t nf_onednn_packed_size(const struct nf_onednn *g)
{
    return g->packed_size;
}

/* `layout` of w as [K,N]: dnnl_ab as it is, dnnl_ba seen through [N,K]. */
static int pack_layout(const struct nf_onednn *g, const float *w, dnnl_format_tag_t layout, void *packed, struct nf_err *err)
{
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t prim = NULL;
    md_t plain;
    dnnl_status_t s;

    memset(&plain, 0, sizeof plain);
    s = md_new(&plain, (dnnl_dim_t)g->shape.K, (dnnl_dim_t)g->shape.N, dnnl_f32, layout);
    if (s == dnnl_success)
        s = dnnl_reorder_primitive_desc_create(&pd, md_of(&plain), g->engine, (md_ref)g->packed_md, g->engine, NULL);
    if (s == dnnl_success)
        s = dnnl_primitive_create(&prim, pd);
    if (s == dnnl_success)
        s = dnnl_memory_create(&from, md_of(&plain), g->engine, (void *)w);
    if (s == dnnl_success)
        s = dnnl_memory_create(&to, (md_ref)g->packed_md, g->engine, packed);
    if (s == dnnl_success) {
        const dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } };

        s = dnnl_primitive_execute(prim, g->stream, 2, args);
    }
    if (s == dnnl_success)
        s = dnnl_stream_wait(g->stream);
    dnnl_memory_destroy(from);
    dnnl_memory_destroy(to);
    dnnl_primitive_destroy(prim);
    dnnl_primitive_desc_destroy(pd);
    md_free(&plain);
    return s == dnnl_success ? NF_OK : failed("packing weights", s, &g->shape, err);
}

int nf_onednn_pack(const struct nf_onednn *g, const float *w, bool transposed, void *packed, struct nf_err *err)
{
    return pack_layout(g, w, transposed ? dnnl_ab : dnnl_ba, packed, err);
}

/* The prepared call for `rows` <= PIECE, a multiple of STEP or below it. */
static dnnl_status_t call_get(struct nf_onednn *g, size_t rows, struct call **c)
{
    *c = &g->call[rows < STEP ? rows : STEP - 1 + rows / STEP];
    return (*c)->prim ? dnnl_success : call_new(g, rows, *c);
}

static dnnl_status_t run_pieces(struct nf_onednn *g, const void *packed, const float *bias, const char *x, size_t rows, char *y)
{
    size_t x_row = g->shape.K * nf_dtype_size(g->shape.in), y_row = g->shape.N * nf_dtype_size(g->shape.out), n;
    struct call *c;
    dnnl_status_t s = dnnl_success;

    for (; s == dnnl_success && rows > 0; rows -= n) {
        n = rows >= PIECE ? PIECE : rows >= STEP ? rows / STEP * STEP : rows;
        s = call_get(g, n, &c);
        if (s == dnnl_success)
            s = call_run(c, g->stream, packed, bias, x, y);
        x += n * x_row;
        y += n * y_row;
    }
    return s;
}

/* A call for each thread that may run. */
static dnnl_status_t tiles_for(struct nf_onednn *g, size_t threads)
{
    struct call *more;

    if (threads <= g->threads)
        return dnnl_success;
    more = realloc(g->tile, threads * sizeof *more);
    if (!more)
        return dnnl_out_of_memory;
    memset(more + g->threads, 0, (threads - g->threads) * sizeof *more);
    g->tile = more;
    g->threads = threads;
    return dnnl_success;
}

/* Inside a parallel region the library uses one thread, so every tile is the same computation. */
static dnnl_status_t run_tiles(struct nf_onednn *g, const void *packed, const float *bias, const char *x, size_t rows, char *y)
{
    size_t x_row = g->shape.K * nf_dtype_size(g->shape.in), y_row = g->shape.N * nf_dtype_size(g->shape.out);
    size_t whole = rows / TILE, rest = rows % TILE, threads = (size_t)omp_get_max_threads();
    char *x_pad = g->pad, *y_pad = x_pad + TILE * x_row;
    dnnl_status_t status = tiles_for(g, threads);

    if (status != dnnl_success)
        return status;
    if (rest) {
        memset(x_pad, 0, TILE * x_row);
        memcpy(x_pad, x + whole * TILE * x_row, rest * x_row);
    }
#pragma omp parallel num_threads((int)threads)
    {
        struct call *c = &g->tile[omp_get_thread_num()];
        dnnl_status_t s = c->prim ? dnnl_success : call_new(g, TILE, c);

#pragma omp for schedule(static)
        for (size_t i = 0; i < whole + (rest != 0); i++)
            if (s == dnnl_success)
                s = i < whole ? call_run(c, g->stream, packed, bias, x + i * TILE * x_row, y + i * TILE * y_row)
                              : call_run(c, g->stream, packed, bias, x_pad, y_pad);
        if (s != dnnl_success) {
#pragma omp atomic write
            status = s;
        }
    }
    if (rest)
        memcpy(y + whole * TILE * y_row, y_pad, rest * y_row);
    return status;
}

int nf_onednn_run(struct nf_onednn *g, const void *packed, const float *bias, const void *x, size_t rows, void *y,
                  struct nf_err *err)
{
    dnnl_status_t s = (g->fixed ? run_tiles : run_pieces)(g, packed, bias ? bias : g->zeros, x, rows, y);

    return s == dnnl_success ? NF_OK : failed("a product", s, &g->shape, err);
}

void nf_onednn_close(struct nf_onednn *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < CALLS; i++)
        call_clear(&g->call[i]);
    for (size_t i = 0; i < g->threads; i++)
        call_clear(&g->tile[i]);
    free(g->tile);
    md_copy_free(g->packed_md);
    if (g->stream)
        dnnl_stream_destroy(g->stream);
    if (g->engine)
        dnnl_engine_destroy(g->engine);
    free(g->zeros);
    free(g->pad);
    free(g);
}
