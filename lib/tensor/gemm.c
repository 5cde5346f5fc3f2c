/* gemm.c - which engine multiplies. */
#include "tensor/gemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tensor/onednn.h"
#include "tensor/panels.h"

struct nf_gemm {
    struct nf_gemm_shape shape;
    struct nf_panels *panels;   /* one of the two */
    struct nf_onednn *onednn;
    char name[64];
};

/* What NF_GEMM asks for. */
static int read_engine(enum nf_gemm_engine *engine, struct nf_err *err)
{
    const char *name = getenv("NF_GEMM");

    *engine = NF_GEMM_AUTO;
    if (!name)
        return NF_OK;
    if (strcmp(name, "panels") == 0)
        *engine = NF_GEMM_PANELS;
    else if (strcmp(name, "onednn") == 0)
        *engine = NF_GEMM_ONEDNN;
    else
        return nf_fail(err, NF_EUSAGE, "NF_GEMM=%s: expected panels or onednn", name);
    return NF_OK;
}

bool nf_gemm_bf16(void)
{
    enum nf_gemm_engine engine;

    if (read_engine(&engine, NULL) < 0 || engine == NF_GEMM_PANELS)
        return false;
    return engine == NF_GEMM_ONEDNN ? nf_onednn_bf16() : nf_onednn_bf16_fast();
}

struct nf_gemm *nf_gemm_open(const struct nf_gemm_shape *shape, struct nf_err *err)
{
    enum nf_gemm_engine engine;

    return read_engine(&engine, err) == NF_OK ? nf_gemm_open_with(shape, engine, nf_cpu_isa(), err) : NULL;
}

struct nf_gemm *nf_gemm_open_with(const struct nf_gemm_shape *shape, enum nf_gemm_engine engine, enum nf_isa isa,
                                  struct nf_err *err)
{
    struct nf_gemm *g = nf_alloc(1, sizeof *g, err);

    if (!g)
        return NULL;
    g->shape = *shape;
    if (shape->half)
        engine = NF_GEMM_PANELS;
    if (engine == NF_GEMM_AUTO)
        engine = shape->in == NF_BF16 && isa == NF_ISA_AVX512 && nf_onednn_bf16_fast() ? NF_GEMM_ONEDNN : NF_GEMM_PANELS;
    if (engine == NF_GEMM_ONEDNN) {
        g->onednn = nf_onednn_open(shape, err);
        if (g->onednn)
            snprintf(g->name, sizeof g->name, "onednn %s", nf_onednn_kernel(g->onednn));
    } else {
        g->panels = nf_panels_open(shape, isa, err);
        snprintf(g->name, sizeof g->name, "panels %s", nf_isa_name(isa));
    }
    if (g->onednn || g->panels)
        return g;
    free(g);
    return NULL;
}

const char *nf_gemm_name(const struct nf_gemm *g)
{
    return g->name;
}

size_t nf_gemm_packed_size(const struct nf_gemm *g)
{
    return g->panels ? nf_panels_packed_size(g->panels) : nf_onednn_packed_size(g->onednn);
}

int nf_gemm_pack(const struct nf_gemm *g, const float *w, void *packed, struct nf_err *err)
{
    if (g->onednn)
        return nf_onednn_pack(g->onednn, w, false, packed, err);
    nf_panels_pack(g->panels, w, g->shape.K, 1, packed);
    return NF_OK;
}

int nf_gemm_pack_transposed(const struct nf_gemm *g, const float *w, void *packed, struct nf_err *err)
{
    if (g->onednn)
        return nf_onednn_pack(g->onednn, w, true, packed, err);
    nf_panels_pack(g->panels, w, 1, g->shape.N, packed);
    return NF_OK;
}

int nf_gemm_run(struct nf_gemm *g, const void *packed, const float *bias, const void *x, size_t rows, void *y, struct nf_err *err)
{
    if (g->onednn)
        return nf_onednn_run(g->onednn, packed, bias, x, rows, y, err);
    return nf_panels_run(g->panels, packed, bias, x, rows, y, err);
}

void nf_gemm_close(struct nf_gemm *g)
{
    if (!g)
        return;
    nf_panels_close(g->panels);
    nf_onednn_close(g->onednn);
    free(g);
}
