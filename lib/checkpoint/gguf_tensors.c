/* gguf_tensors.c - roles and their names. */
#include "checkpoint/gguf_tensors.h"

#include <string.h>

/* A role, by its place in struct nf_weights, nf_layer or nf_expert.  shape NULL: that of the family's slot, a vector. */
struct role {
    size_t offset;
    const char *name, *shape;
};

/*
 * Maps that lie in matrices of their own or in one; matrix and bias by turns.  What the family's table says of the first one's (are they
 * there, and when) holds for all.
 */
struct group {
    const struct role *maps; /* the maps, each in a matrix of its own */
    const struct role *stored; /* as this file stores them */
};

#define MODEL(field, name, shape)                                                                                                  \
    {                                                                                                                              \
        offsetof(struct nf_weights, field), name, shape                                                                            \
    }
#define LAYER(field, name, shape)                                                                                                  \
    {                                                                                                                              \
        offsetof(struct nf_layer, field), name, shape                                                                              \
    }
#define EXPERT(field, name, shape)                                                                                                 \
    {                                                                                                                              \
        offsetof(struct nf_expert, field), name, shape                                                                             \
    }
#define NORM(field, name) LAYER(field.gain, name ".weight", NULL), LAYER(field.bias, name ".bias", NULL)
#define MAP(field, name, shape, row) LAYER(field.w, name ".weight", shape), LAYER(field.b, name ".bias", row)
#define EXPERTS(field, name, shape, row) EXPERT(field.w, name ".weight", shape), EXPERT(field.b, name ".bias", row)
#define LAST                                                                                                                       \
    {                                                                                                                              \
        0, NULL, NULL                                                                                                              \
    }

/* clang-format off */
static const struct role model_roles[] = {
    MODEL(embed, "token_embd.weight", NULL),
    MODEL(positions, "position_embd.weight", NULL),
    MODEL(final_norm.gain, "output_norm.weight", NULL),
    MODEL(final_norm.bias, "output_norm.bias", NULL),
    LAST,
};

static const struct role layer_roles[] = {
    NORM(attn_norm, "attn_norm"),
    NORM(q_norm, "attn_q_norm"),
    NORM(k_norm, "attn_k_norm"),
    LAYER(sinks, "attn_sinks.weight", NULL),
    MAP(o, "attn_output", "DQ", NULL),
    NORM(attn_out_norm, "post_attention_norm"),
    LAYER(ffn_norm.gain, "ffn_norm.weight|post_attention_norm.weight", NULL),   /* the latter: GPT-OSS */
    LAYER(ffn_norm.bias, "ffn_norm.bias", NULL),
    MAP(ffn_out, "ffn_down", "DF", NULL),
    NORM(ffn_out_norm, "post_ffw_norm"),
    MAP(router, "ffn_gate_inp", "ND", NULL),
    LAST,
};
static const struct role expert_roles[] = { EXPERTS(out, "ffn_down_exps", "NDF", "ND"), LAST };

static const struct role separate_qkv[] = { MAP(q, "attn_q", "QD", "Q"), MAP(k, "attn_k", "GD", "G"), MAP(v, "attn_v", "GD", "G"), LAST };
static const struct role one_qkv[] = { MAP(q, "attn_qkv", "XD", "X"), LAST };
static const struct role separate_gate[] = { MAP(ffn_in, "ffn_gate", "FD", "F"), MAP(ffn_up, "ffn_up", "FD", "F"), LAST };
static const struct role one_gate[] = { MAP(ffn_in, "ffn_up", "YD", "Y"), LAST };
static const struct role no_gate[] = { MAP(ffn_in, "ffn_up", "FD", "F"), LAST };
static const struct role expert_gate[] = { EXPERTS(in, "ffn_gate_exps", "NFD", "NF"), EXPERTS(up, "ffn_up_exps", "NFD", "NF"), LAST };
/* clang-format on */

static const struct role *find_role(const struct role *r, size_t offset)
{
    while (r->name && r->offset != offset)
        r++;
    return r->name ? r : NULL;
}

static const struct nf_slot *find_slot_at(const struct nf_slot *s, size_t offset)
{
    while (s && s->name && s->offset != offset)
        s++;
    return s && s->name ? s : NULL;
}

/* A table of slots, being filled. */
struct slot_list {
    struct nf_slot *slot;
    size_t n;
};

static void add_slot(struct slot_list *t, const struct role *r, const char *shape, unsigned needs)
{
    if (t->n + 1 < NF_GGUF_SLOTS)
        t->slot[t->n++] = (struct nf_slot){ r->name, r->offset, shape, needs, NF_STACKED };
    t->slot[t->n] = (struct nf_slot)SLOT_END;
}

/* What the family has of a group. */
static void add_maps(struct slot_list *t, const struct nf_slot *family, const struct group *g)
{
    const struct nf_slot *w = find_slot_at(family, g->maps[0].offset), *b = find_slot_at(family, g->maps[1].offset);

    for (const struct role *r = g->stored; r->name; r += 2) {
        if (w)
            add_slot(t, &r[0], r[0].shape, w->needs);
        if (b)
            add_slot(t, &r[1], r[1].shape, b->needs);
    }
}

static bool is_grouped(const struct group *g, size_t n, size_t offset)
{
    for (size_t i = 0; i < n; i++)
        if (find_role(g[i].maps, offset))
            return true;
    return false;
}

static int add_slots(struct nf_slot *slot, const struct nf_slot *family, const struct role *roles, const struct group *g, size_t n,
                     struct nf_err *err)
{
    struct slot_list t = { slot, 0 };

    *slot = (struct nf_slot)SLOT_END;
    for (const struct nf_slot *s = family; s && s->name; s++) {
        const struct role *r = find_role(roles, s->offset);

        if (is_grouped(g, n, s->offset))
            continue;
        if (!r)
            return nf_fail(err, NF_EFORMAT, "GGUF has no name for the tensor %s of this family", s->name);
        add_slot(&t, r, r->shape ? r->shape : s->shape, s->needs);
    }
    for (size_t i = 0; i < n; i++)
        add_maps(&t, family, &g[i]);
    return NF_OK;
}

static const char *const no_prefix[] = { "", NULL };
/* Read with the configuration (gguf_arch.c). */
static const char *const elsewhere[] = { "rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight", NULL };

int nf_gguf_tensors(const struct nf_config *cfg, const struct nf_checkpoint *c, struct nf_gguf_slots *s, struct nf_err *err)
{
    const struct nf_tensors *family = cfg->family->tensors;
    struct group layer[] = { { separate_qkv, separate_qkv }, { separate_gate, separate_gate } },
                 expert = { expert_gate, expert_gate };

    if (nf_checkpoint_find(c, "blk.0.attn_qkv.weight"))
        layer[0].stored = one_qkv;
    if (!cfg->gated)
        layer[1].stored = no_gate;
    else if (!nf_checkpoint_find(c, "blk.0.ffn_gate.weight"))
        layer[1].stored = one_gate;
    s->tensors = (struct nf_tensors){ no_prefix, "blk.", "output", elsewhere, s->model, s->layer, s->expert };
    if (add_slots(s->model, family->model, model_roles, NULL, 0, err) < 0 ||
        add_slots(s->layer, family->layer, layer_roles, layer, 2, err) < 0 ||
        add_slots(s->expert, family->expert, expert_roles, &expert, 1, err) < 0)
        return NF_EFORMAT;
    if (!family->expert)
        s->tensors.expert = NULL;
    return NF_OK;
}
