/* plan.c - memory and work of a pass, before anything is allocated. */
#include <string.h>

#include "base/par.h"
#include "model/attention.h"
#include "model/forward_impl.h"

/* Rows of a run when nobody says: enough for full speed (reached from 512 on), little enough to stay small (12 MiB of stream at D = 768). */
enum { BATCH_TOKENS = 4096 };
/* Layer-major: the more rows, the less often weights are packed; beyond this, packing is below 1 % of a layer's arithmetic. */
enum { BATCH_TOKENS_MOST = 262144 };

/* Bytes of a packed map: the library rounds its columns up to 64, and what goes into one up to 64 bytes. */
static uint64_t packed_bytes(size_t K, size_t N, size_t item)
{
    return (uint64_t)nf_blocks(K * item, 64) * 64 * nf_blocks(N, 64) * 64 + (uint64_t)N * sizeof(float);
}

static uint64_t layer_bytes(const struct nf_config *cfg, size_t item)
{
    size_t D = cfg->D, F = cfg->F;

    return packed_bytes(D, nf_qkv_width(cfg), item) + packed_bytes(nf_q_width(cfg), D, item) +
           (cfg->gated ? 2 : 1) * packed_bytes(D, F, item) + packed_bytes(F, D, item) + 4 * (uint64_t)(D + cfg->K) * sizeof(float);
}

/* Work space for each row of a batch, and the rest of it, for a chunk of `chunk` rows. */
static uint64_t row_bytes(const struct nf_config *cfg, bool unembed)
{
    return cfg->D * sizeof(float) + (unembed ? cfg->E * sizeof(float) + sizeof(struct nf_running) : 0);
}

static uint64_t chunk_bytes(const struct nf_config *cfg, const struct nf_forward_opts *opts, size_t chunk, bool unembed)
{
    const struct nf_tap *tap = opts->tap;
    uint64_t D = cfg->D, wide = nf_row_width(cfg), F = (uint64_t)NF_CHUNK * cfg->F * (cfg->gated ? 2 : 1), floats;

    floats = chunk * (wide + nf_qkv_width(cfg) + wide) + F + NF_CHUNK * (nf_blocks(cfg->F, 32) + 1);
    floats += nf_slab_floats(cfg) + nf_attention_work(cfg->K, nf_threads());
    if (unembed && cfg->bias_head)
        floats += cfg->V + 2 * nf_vocab_tile(cfg);
    if (nf_forward_inputs(opts) == NF_BF16)
        floats += chunk * wide / 2 + F / 2;
    if (cfg->positions == NF_POS_ROTARY)
        floats += nf_window_positions(cfg, chunk) * cfg->rope.R;
    if (cfg->parallel || nf_tap_anywhere(cfg, tap, NF_SITE_NORMS))
        floats += chunk * D;
    if (nf_tap_anywhere(cfg, tap, NF_SITE_NORMS))
        floats += chunk * D + NF_CHUNK * 8;
    if (nf_tap_anywhere(cfg, tap, NF_SITE_ATTN_LOCAL))
        floats += chunk * cfg->H * (NF_LOCAL_WIDTH + 1);
    if (nf_tap_anywhere(cfg, tap, NF_SITE_ATTN_BACK))
        floats += chunk * cfg->H * (NF_BACK_WIDTH + 1);
    if (opts->streams)
        floats += nf_comparison_bytes(cfg, opts->streams, nf_vocab_tile(cfg)) / sizeof(float);
    if (unembed)
        floats += (uint64_t)NF_CHUNK * (nf_vocab_tile(cfg) + 4);
    if (nf_tap_wants(tap, NF_SITE_LOGITS, cfg->L))
        floats += (uint64_t)NF_LOGIT_ROWS * cfg->V;
    return floats * sizeof(float);
}

/* Pairs of positions that attend, for each position of a window of `context` tokens, summed over the layers that run. */
static double attended(const struct nf_config *cfg, size_t context, size_t layers)
{
    double sum = 0;

    for (size_t l = 0; l < layers; l++) {
        double n = (double)context, w = (double)nf_min(nf_config_window(cfg, l), context);

        sum += w * (n - (w - 1) / 2) / n;   /* the first w - 1 positions see fewer */
    }
    return sum;
}

static void count_flops(const struct nf_config *cfg, size_t context, struct nf_forward_plan *plan)
{
    double D = (double)cfg->D, F = (double)cfg->F, layers = (double)plan->layers, Q = (double)nf_q_width(cfg);

    plan->flops_maps = layers * 2 * D * ((double)nf_qkv_width(cfg) + Q);
    plan->flops_attention = 4 * Q * attended(cfg, context, plan->layers);
    plan->flops_ffn = layers * 2 * D * F * (cfg->gated ? 3 : 2);
    plan->flops_head = plan->unembed ? 2 * (double)cfg->E * (double)cfg->V : 0;
}

/* Rows of a run in what the memory leaves, at least one window. */
static size_t choose_batch(const struct nf_forward_opts *opts, const struct nf_forward_plan *plan, uint64_t per_row, uint64_t fixed,
                           size_t context)
{
    uint64_t left = opts->memory > fixed ? (opts->memory - fixed) / per_row : 0;

    if (opts->batch_tokens)
        return nf_max(opts->batch_tokens, context);
    if (plan->resident)
        return nf_max(opts->memory && left < BATCH_TOKENS ? left : BATCH_TOKENS, context);
    return nf_max(left < BATCH_TOKENS_MOST ? left : BATCH_TOKENS_MOST, context);
}

int nf_forward_plan(const struct nf_config *cfg, const struct nf_forward_opts *opts, size_t context, struct nf_forward_plan *plan,
                    struct nf_err *err)
{
    size_t item = nf_dtype_size(opts->dtype), chunk = nf_max(NF_CHUNK, context);
    uint64_t ends, vocab, one, all, per_row, work;
    enum nf_depth last;

    memset(plan, 0, sizeof *plan);
    plan->unembed =
        nf_tap_wants(opts->tap, NF_SITE_PRED, cfg->L) || nf_tap_wants(opts->tap, NF_SITE_LOGITS, cfg->L) || opts->streams;
    plan->layers = opts->no_blocks ? 0 : nf_tap_layers(cfg, opts->tap, plan->unembed || opts->whole, &last);
    vocab = plan->unembed ? packed_bytes(cfg->E, nf_vocab_tile(cfg), item) : 0;
    ends = cfg->E != cfg->D ? 2 * packed_bytes(cfg->D, cfg->E, item) : 0;
    one = ends + (plan->layers ? layer_bytes(cfg, item) : 0) + 2 * vocab;
    all = ends + plan->layers * layer_bytes(cfg, item) + vocab * (nf_blocks(cfg->V, nf_vocab_tile(cfg)) + 1);
    per_row = row_bytes(cfg, plan->unembed);
    work = chunk_bytes(cfg, opts, chunk, plan->unembed);

    plan->resident = !opts->memory || all + work + per_row * nf_max(opts->batch_tokens, context) <= opts->memory;
    plan->weight_bytes = plan->resident ? all : one;
    plan->batch_tokens = choose_batch(opts, plan, per_row, plan->weight_bytes + work, context);
    plan->work_bytes = work + per_row * plan->batch_tokens;
    count_flops(cfg, context, plan);
    if (opts->memory && plan->weight_bytes + plan->work_bytes > opts->memory)
        return nf_fail(err, NF_EUSAGE, "--memory %llu is too small: one layer and %zu tokens need %llu bytes",
                       (unsigned long long)opts->memory, plan->batch_tokens,
                       (unsigned long long)(plan->weight_bytes + plan->work_bytes));
    return NF_OK;
}
