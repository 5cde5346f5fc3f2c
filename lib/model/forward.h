/*
 * forward.h - the one forward pass: rows of many windows through embedding, blocks and head, with taps on the way.
 *
 * Rows: the tokens of W windows lie one after the other, T rows in all, never padded; attention sees only its own window, and
 * positions start at 0 in each.  The numbers of a row depend only on the tokens of its window up to it: not on its neighbours, the
 * batch, the number of threads, the taps, or whether the weights are resident (bit for bit, on one machine).
 *
 * A tap tells which sites of which layers it needs, and gets their rows. Work that no needed site
 * depends on is not done: no block above the last needed one, only the needed part of the last
 * block, no unembedding.
 */
#ifndef NF_MODEL_FORWARD_H
#define NF_MODEL_FORWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "checkpoint/config.h"
#include "checkpoint/weights.h"
#include "tensor/tensor.h"

/* Where the model can be tapped; layer 0 .. L-1, except PRED and LOGITS: layer L.  Rows are float unless noted. */
enum nf_site {
    NF_SITE_RESID_PRE,    /* [D] the residual stream that enters the block */
    NF_SITE_ATTN_LOCAL,   /* [H, 7] attention on the 1, 2, 4, 5, 8, 16 preceding positions (self excluded), and on position 0 */
    NF_SITE_ATTN_BACK,    /* [H, 17] attention on the positions 0 (itself), 1, .. 16 before; 0 where there is none */
    NF_SITE_ATTN_OUT,     /* [D] output of attention, its bias included, before it is added */
    NF_SITE_RESID_MID,    /* [D] after attention was added (post-LN: and normalised); parallel blocks have none */
    NF_SITE_FFN_PRE,      /* [F] pre-activation; gated: of the gate */
    NF_SITE_FFN_UP,       /* [F] gated only: what the activated gate is multiplied by */
    NF_SITE_FFN_ACTIVE,   /* [ceil(F/8)] uint8: bit f % 8 of byte f / 8 is pre-activation > 0; near_zero counts |pre| < tap.near_zero */
    NF_SITE_FFN_ACT,      /* [F] what goes into the output map: act(pre), gated: act(pre) up */
    NF_SITE_FFN_OUT,      /* [D] output of the FFN, its bias included, before it is added */
    NF_SITE_RESID_POST,   /* [D] after the FFN was added (post-LN: and normalised) */
    NF_SITE_NORMS,        /* [8] |attn.out| |ffn.out| |block| |resid.pre| |resid.post|, cos(block, resid.pre),
                                 cos(attn.out, resid.pre), cos(resid.pre, resid.post); block = attn.out + ffn.out */
    NF_SITE_PRED,         /* [4] loss (nats; NaN at the last position of a window), entropy (bits), top-1 id (lowest of equals),
                                 rank of the next token (logits above its own; NaN as loss) */
    NF_SITE_LOGITS,       /* [V] */
    NF_SITE_COUNT,
};

/* Consecutive rows of one site of one layer.  For a (site, layer) rows come in order, each once; layers come in order. */
struct nf_rows {
    enum nf_site site;
    size_t layer;
    size_t row, rows;            /* rows row .. row + rows - 1 of the T of this run */
    size_t width;                /* elements of a row (bytes for FFN_ACTIVE) */
    const void *data;            /* [rows, width] float, uint8 for FFN_ACTIVE; borrowed until the callback returns */
    const uint32_t *near_zero;   /* [rows] FFN_ACTIVE only, else NULL */
};

struct nf_tap {
    void *self;
    bool (*wants)(void *self, enum nf_site site, size_t layer);   /* must not change during a run */
    int (*rows)(void *self, const struct nf_rows *rows);          /* called by one thread; < 0 ends the run with this code */
    float near_zero;                                              /* >= 0 */
};

/* W windows, one after the other; each 1 <= length <= cfg->max_positions. */
struct nf_windows {
    const uint32_t *ids;      /* [T] each < V */
    const uint32_t *length;   /* [W] */
    size_t W, T;              /* T = sum of length */
};

struct nf_forward_opts {
    enum nf_dtype dtype;     /* NF_F32, or NF_BF16: weights in bf16, and inputs of products too where the processor
                              * multiplies bf16 (nf_gemm_bf16()); sums and residual stream in f32 */
    size_t batch_tokens;     /* most rows of a run; 0: chosen (nf_forward_plan) */
    uint64_t memory;         /* bytes for weights and work space; 0: no limit */
    const struct nf_tap *tap;   /* decides which weights are needed */
    bool allow_nonfinite;    /* go on with NaN and Inf in the residual stream */
    size_t streams;          /* most streams of one nf_forward_compare(), the base among them; 0: it is not called */
    bool whole;              /* all blocks run, whatever the tap needs: for callers of nf_forward_block() */
    bool no_blocks;          /* none runs, nor is packed: for callers that bring streams to nf_forward_compare() */
};

/* What a run will need. It is computed before anything is allocated. */
struct nf_forward_plan {
    size_t layers;           /* blocks 0 .. layers-1 will run */
    bool unembed;            /* PRED or LOGITS is needed, or streams are compared */
    bool resident;           /* packed weights stay in memory; false: layer-major, packed for each run and dropped */
    size_t batch_tokens;     /* rows of a run */
    uint64_t weight_bytes;   /* packed weights held at one time */
    uint64_t work_bytes;     /* everything else that is allocated */
    double flops_maps;       /* per token: the linear maps of attention, in all blocks that run */
    double flops_attention;  /* scores and sums of values, at windows of `context` */
    double flops_ffn;        /* the linear maps of the FFN */
    double flops_head;       /* the unembedding, 0 when not needed */
};

/*
 * nf_forward_plan - what nf_forward_open() would do with these options, for windows of `context` tokens.
 *
 * NF_EUSAGE  one layer and the smallest batch (one window) do not fit in opts->memory; the message says what is needed.
 */
int nf_forward_plan(const struct nf_config *cfg, const struct nf_forward_opts *opts, size_t context, struct nf_forward_plan *plan,
                    struct nf_err *err);

struct nf_forward;

/*
 * nf_forward_open - pack the weights (resident) and allocate the work space.
 *
 * cfg and w are borrowed until nf_forward_close().  NULL: NF_EUSAGE as nf_forward_plan(); NF_ESYS memory, or oneDNN failed.
 */
struct nf_forward *nf_forward_open(const struct nf_config *cfg, const struct nf_weights *w, const struct nf_forward_opts *opts,
                                   size_t context, struct nf_err *err);

const struct nf_forward_plan *nf_forward_get_plan(const struct nf_forward *f);
size_t nf_forward_width(const struct nf_forward *f);   /* D */

/*
 * nf_forward_run - the whole pass over one batch, T <= plan.batch_tokens.
 *
 * NF_EFORMAT  an id >= V or a window longer than the model's positions (named by window and position); NaN or Inf in the
 *             residual stream after a block (named; unless allow_nonfinite)
 * NF_ESYS     memory; or what tap.rows returned
 */
int nf_forward_run(struct nf_forward *f, const struct nf_windows *win, struct nf_err *err);

/* What one run of one block leaves out or sets.  The zeroed struct changes nothing. */
struct nf_edit {
    bool no_attention, no_ffn;   /* the sublayer adds nothing: zero goes into the sum (post-LN: which is normalised as ever) */
    const bool *no_head;         /* [H] true: the head's output is zero, before the output map; NULL: none */
    const uint32_t *neuron;      /* [neurons] ascending: their activations, before the output map, are `value` at every position */
    const float *value;
    size_t neurons;
};

/*
 * The steps that nf_forward_run() is made of, for callers that choose their own order of blocks.  x is [T,D], the residual stream.
 *
 *   embed   x out: embedding, project_in, positions
 *   block   x in and out; layer < plan.layers; the tap sees `layer`
 *   edited  the same with an edit; the tap must want nothing
 *   head    x in: final norm, project_out, unembedding, PRED and LOGITS as the tap needs them
 */
int nf_forward_embed(struct nf_forward *f, const struct nf_windows *win, float *x, struct nf_err *err);
int nf_forward_block(struct nf_forward *f, size_t layer, const struct nf_windows *win, float *x, struct nf_err *err);
int nf_forward_edited(struct nf_forward *f, size_t layer, const struct nf_edit *edit, const struct nf_windows *win, float *x,
                      struct nf_err *err);
int nf_forward_head(struct nf_forward *f, const struct nf_windows *win, const float *x, struct nf_err *err);

void nf_forward_close(struct nf_forward *f);   /* accepts NULL */

#endif
