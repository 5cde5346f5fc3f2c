/* parameters.c - sums of tensor sizes. */
#include "checkpoint/parameters.h"

static uint64_t count_norm(enum nf_norm_kind kind, size_t width)
{
    switch (kind) {
    case NF_NORM_NONE:
        return 0;
    case NF_NORM_RMS:
        return width;
    case NF_NORM_LAYER:
        return 2 * width;
    }
    return 0;
}

/* A norm without gain and bias has nothing to learn. */
static enum nf_norm_kind learned_norm(const struct nf_config *c)
{
    return c->norm_affine ? c->norm : NF_NORM_NONE;
}

/* Q, KV: rows of the maps to queries, and to keys or values. */
static uint64_t count_attention(const struct nf_config *c)
{
    uint64_t D = c->D, Q = c->H * c->K, KV = c->G * c->K, n = D * (Q + 2 * KV) + Q * D;

    if (c->bias_qkv)
        n += Q + 2 * KV;
    if (c->bias_o)
        n += D;
    if (c->sinks)
        n += c->H;
    if (c->qk_norm_wide)
        return n + count_norm(c->qk_norm, Q) + count_norm(c->qk_norm, KV);
    return n + 2 * count_norm(c->qk_norm, c->K);
}

/* A gated FFN has two maps into its F neurons; a mixture has a map to its experts' scores, too. */
static uint64_t count_ffn(const struct nf_config *c, size_t layer)
{
    uint64_t D = c->D, in = c->gated ? 2 * c->F : c->F, n = D * in + c->F * D;

    if (c->bias_ffn)
        n += in + D;
    return c->layer[layer] & NF_LAYER_EXPERTS ? c->experts * (n + D) : n;
}

static uint64_t count_layer(const struct nf_config *c, size_t layer)
{
    uint64_t norms = c->one_norm ? 1 : 2;

    if (c->branch_norm)
        norms += c->pre_norm ? 2 : 0;
    return count_attention(c) + count_ffn(c, layer) + norms * count_norm(learned_norm(c), c->D);
}

struct nf_parameters nf_parameters_count(const struct nf_config *c)
{
    struct nf_parameters p = { .embedding = (uint64_t)c->V * c->E };

    if (!c->tied)
        p.unembedding = p.embedding;
    if (c->bias_head)
        p.unembedding += c->V;
    if (c->positions == NF_POS_LEARNED)
        p.embedding += (uint64_t)(c->max_positions + c->position_offset) * c->D;
    if (c->E != c->D)
        p.other += 2 * (uint64_t)c->D * c->E;
    if (c->final_norm)
        p.other += count_norm(learned_norm(c), c->D);
    p.all = p.embedding + p.unembedding + p.other;
    for (size_t l = 0; l < c->L; l++)
        p.all += count_layer(c, l);
    return p;
}
