/*
 * forward_impl.h - what forward.c (open, run), plan.c, tap.c, pack.c, block.c (one block) and head.c (embedding, unembedding) share.
 */
#ifndef NF_MODEL_FORWARD_IMPL_H
#define NF_MODEL_FORWARD_IMPL_H

#include "model/forward.h"
#include "base/par.h"
#include "checkpoint/linear.h"
#include "model/ops.h"
#include "model/rope.h"
#include "tensor/gemm.h"

/* Rows that go through the linear maps at a time (attention: whole windows, at least one); more is not faster. */
enum { NF_CHUNK = 512 };
/* Columns of one tile of the vocabulary: its logits for a chunk (2 MB) stay in cache. */
enum { NF_VOCAB_TILE = 1024 };
/* Rows whose full logits are put together at a time, when a tap needs them. */
enum { NF_LOGIT_ROWS = 64 };

/* y = W x + b, ready for use.  The kernel is shared by all layers. */
struct nf_packed {
    void *w;       /* NULL: the map does not exist */
    float *bias;   /* NULL: none */
};

struct nf_gain {
    float *gain, *bias;   /* NULL: one, zero */
};

struct nf_block {
    struct nf_gain attn_norm, q_norm, k_norm, ffn_norm;
    struct nf_packed qkv, o, in, up, out;
};

/* How much of a block is needed. */
enum nf_depth { NF_TO_ATTN, NF_TO_MID, NF_TO_ACT, NF_TO_END };

struct nf_forward {
    const struct nf_config *cfg;
    const struct nf_weights *w;
    struct nf_forward_opts opts;
    struct nf_forward_plan plan;
    size_t chunk;          /* rows of the work space: NF_CHUNK, or the longest window */
    size_t threads;        /* parts of attn_work */
    size_t tile;           /* columns of a vocabulary tile */
    enum nf_depth last;    /* how much of block plan.layers - 1 is needed */

    /* Kernels; `in` also does `up`; `relu` is `in` with the activation fused, for blocks whose pre-activations nobody looks at; or NULL. */
    struct nf_gemm *qkv, *o, *in, *relu, *out, *project_in, *project_out, *unembed;
    struct nf_block *block;   /* [layers] resident, else [1] */
    struct nf_packed p_in, p_out;
    struct nf_gain final_norm;
    void **vocab;             /* [tiles] resident, else [1] */
    float *head_bias;         /* [V] or NULL */
    struct nf_rope rope;
    float *slab;              /* one linear map in float, on its way to be packed */

    /* Work space; [chunk, ...] unless noted.  16: the same in bf16, NULL in f32. */
    float *x;                 /* [batch_tokens, D] residual stream */
    float *h;                 /* [D or E, the wider] */
    uint16_t *h16;
    float *qkv_out;           /* [(H+2G)K] */
    float *y;                 /* [HK] attention before its output map; [D] what a block adds */
    float *act;               /* [NF_CHUNK, F] */
    uint16_t *act16;
    float *up;   /* as act; NULL: not gated */
    uint16_t *up16;
    float *wide;              /* [NF_CHUNK, F] bf16 activations for a tap; NULL: not needed */
    uint8_t *bits;            /* [NF_CHUNK, ceil(F/8)] */
    uint32_t *near;           /* [NF_CHUNK] */
    float *attn_work, *log_sum, *local, *back;
    float *pre, *norms;                            /* for NF_SITE_NORMS: the stream that entered; NULL: not needed */
    float *attn;                                   /* what attention adds: for NF_SITE_NORMS, and for parallel blocks */
    float *final, *logits, *row_logits, *pred;     /* head: [batch_tokens, E], [NF_CHUNK, tile], [NF_LOGIT_ROWS, V], [NF_CHUNK, 4] */
    uint16_t *final16;
    struct nf_running *running;                    /* [batch_tokens] */
    struct nf_comparison *comparison;              /* compare.c; NULL: not needed */
    size_t packed;                                 /* not resident: the layer in block[0], SIZE_MAX: none */
};

/* ---- sizes, by the configuration ---- */

/* Width of all queries, and of queries, keys and values. */
static inline size_t nf_q_width(const struct nf_config *cfg)
{
    return cfg->H * cfg->K;
}

static inline size_t nf_qkv_width(const struct nf_config *cfg)
{
    return (cfg->H + 2 * cfg->G) * cfg->K;
}

/* The widest row of a sublayer's input or output. */
static inline size_t nf_row_width(const struct nf_config *cfg)
{
    return nf_max(nf_max(cfg->D, cfg->E), nf_q_width(cfg));
}

static inline size_t nf_vocab_tile(const struct nf_config *cfg)
{
    return nf_min(NF_VOCAB_TILE, nf_blocks(cfg->V, 64) * 64);
}

/* Floats of the widest linear map, on its way to be packed. */
static inline size_t nf_slab_floats(const struct nf_config *cfg)
{
    return nf_max(nf_max(nf_qkv_width(cfg), cfg->F) * cfg->D, nf_max(cfg->E * cfg->D, cfg->E * nf_vocab_tile(cfg)));
}

/* Positions that a window may have. */
static inline size_t nf_window_positions(const struct nf_config *cfg, size_t chunk)
{
    return nf_min(chunk, cfg->max_positions);
}

/* ---- tap.c ---- */

/* Before a pass is open; `tap` NULL: nothing is needed. */
bool nf_tap_wants(const struct nf_tap *tap, enum nf_site site, size_t layer);
bool nf_tap_anywhere(const struct nf_config *cfg, const struct nf_tap *tap, enum nf_site site);   /* in any block */

/* nf_tap_layers - blocks that must run for the tap, and how much of the last; no tap: all of them. */
size_t nf_tap_layers(const struct nf_config *cfg, const struct nf_tap *tap, bool unembed, enum nf_depth *last);

bool nf_forward_wants(const struct nf_forward *f, enum nf_site site, size_t layer);

/* nf_forward_tap - hand rows to the tap where it needs them. */
int nf_forward_tap(const struct nf_forward *f, enum nf_site site, size_t layer, size_t row, size_t rows, size_t width,
                   const void *data, const uint32_t *near, struct nf_err *err);

/* The two types of a GEMM input, by the run's dtype: f32 or bf16. */
struct nf_mat nf_forward_mat(const struct nf_forward *f, float *f32, uint16_t *bf16);
static inline const void *nf_mat_data(struct nf_mat m)
{
    return m.f32 ? (const void *)m.f32 : (const void *)m.bf16;
}

/* ---- block.c ---- */
int nf_block_run(struct nf_forward *f, size_t layer, const struct nf_block *b, const struct nf_edit *edit,
                 const struct nf_windows *win, float *x, enum nf_depth depth, struct nf_err *err);

/* ---- head.c ---- */
int nf_head_open(struct nf_forward *f, struct nf_err *err);
void nf_head_close(struct nf_forward *f);

/* nf_head_final - rows <= NF_CHUNK of a residual stream to what the unembedding takes: final norm, project_out.  to [rows, E] */
int nf_head_final(struct nf_forward *f, const float *x, size_t rows, struct nf_mat to, struct nf_err *err);

/* Tiles of the vocabulary: how many; one of them, packed (valid until the next), its first column and how many it has. */
size_t nf_head_tiles(const struct nf_forward *f);
int nf_head_tile(struct nf_forward *f, size_t tile, size_t *first, size_t *columns, const void **packed, struct nf_err *err);

/* nf_head_targets - the tokens id[0..n), n <= tile, as a tile of their own, number nf_head_tiles(). */
int nf_head_targets(struct nf_forward *f, const uint32_t *id, size_t n, const void **packed, struct nf_err *err);

/* nf_head_logits - logits [rows, tile] of x [rows, E] for one packed tile; `bias`: with that of the unembedding, where there is one. */
int nf_head_logits(struct nf_forward *f, const void *packed, size_t tile, bool bias, struct nf_mat x, size_t rows, float *logits,
                   struct nf_err *err);

/* ---- compare.c ---- */
uint64_t nf_comparison_bytes(const struct nf_config *cfg, size_t streams, size_t tile);
int nf_comparison_open(struct nf_forward *f, struct nf_err *err);
void nf_comparison_close(struct nf_forward *f);

/* ---- pack.c: widen a tensor that may be absent; pack n maps of the same input as one ---- */
int nf_forward_vector(const struct nf_tensor *t, size_t n, float **y, struct nf_err *err);
int nf_forward_pack(struct nf_forward *f, const struct nf_gemm *g, const struct nf_linear *const *map, size_t n, void *packed,
                    struct nf_err *err);

/* The family's norm of rows of D, by its gain. */
static inline void nf_forward_norm(const struct nf_forward *f, const struct nf_gain *g, const float *x, size_t rows, float *row,
                                   struct nf_mat y)
{
    nf_normalise_to(x, g->gain, g->bias, f->cfg->norm_eps, f->cfg->norm == NF_NORM_LAYER, rows, f->cfg->D, row, y);
}

/* The weights of one block: room for them, those of a layer, and none. */
int nf_block_alloc(struct nf_forward *f, struct nf_block *b, struct nf_err *err);
int nf_block_pack(struct nf_forward *f, size_t layer, struct nf_block *b, struct nf_err *err);
void nf_block_free(struct nf_block *b);

#endif
