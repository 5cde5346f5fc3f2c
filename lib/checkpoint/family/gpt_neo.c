/* gpt_neo.c - GPT-Neo: Black et al. 2021, doi:10.5281/zenodo.5297715; scores are not scaled, some layers see a window. */
#include <string.h>

#include "checkpoint/family.h"

static const struct nf_key keys[] = {
    KEY_LAYERS("num_layers", 24),
    KEY_WIDTH("hidden_size", D, 2048),
    KEY_WIDTH("num_heads", H, 16),
    KEY_WIDTH("intermediate_size", F, 0),   /* 0: 4 hidden_size */
    KEY_VOCAB("vocab_size", 50257),
    KEY_POSITIONS("max_position_embeddings", max_positions, 2048),
    KEY_POSITIONS("window_size", window, 256),
    KEY_ACT("activation_function", NF_ACT_GELU_TANH),
    KEY_REAL("layer_norm_epsilon", norm_eps, 1e-5, 1),
    KEY_BOOL("tie_word_embeddings", tied, true),
    KEY_BOS(50256),
    KEY_ALIAS("num_hidden_layers", "num_layers"),
    KEY_ALIAS("num_attention_heads", "num_heads"),
    KEY_OTHER("attention_layers"),
    KEY_OTHER("attention_types"),
    KEY_END,
};

static const char *const stale[] = { "attn.attention.bias", "attn.attention.masked_bias", NULL };

static const struct nf_slot layer[] = {
    SLOT_NORM("ln_1", attn_norm, "D", NF_ALWAYS),
    SLOT_MAP("attn.attention.q_proj", q, "QD", NF_ALWAYS),
    SLOT_MAP("attn.attention.k_proj", k, "GD", NF_ALWAYS),
    SLOT_MAP("attn.attention.v_proj", v, "GD", NF_ALWAYS),
    SLOT_LINEAR("attn.attention.out_proj", o, "DQ", "D", NF_ALWAYS),
    SLOT_NORM("ln_2", ffn_norm, "D", NF_ALWAYS),
    SLOT_LINEAR("mlp.c_fc", ffn_in, "FD", "F", NF_ALWAYS),
    SLOT_LINEAR("mlp.c_proj", ffn_out, "DF", "D", NF_ALWAYS),
    SLOT_END,
};

static const struct nf_tensors tensors = { nf_gpt2_prefixes, "h.", "lm_head", stale, nf_gpt2_model, layer, NULL };

/* attention_layers, the same layer by layer: versions of transformers disagree on which of the two counts. */
static int check_attention_layers(const struct nf_reading *r)
{
    const json_t *names = json_object_get(r->root, "attention_layers");
    bool same = json_array_size(names) == r->cfg->L;

    if (!names || json_is_null(names))
        return NF_OK;
    for (size_t i = 0; i < r->cfg->L && same; i++) {
        const char *name = json_string_value(json_array_get(names, i));

        same = name && strcmp(name, r->cfg->layer[i] & NF_LAYER_WINDOW ? "local" : "global") == 0;
    }
    return same ? NF_OK : nf_config_refuse(r, "attention_layers", names, "not what attention_types says");
}

/* One name of attention_types, for the next layer *n. */
static int set_attention_type(const struct nf_reading *r, const json_t *types, const char *name, size_t *n)
{
    if (!name || (strcmp(name, "global") != 0 && strcmp(name, "local") != 0))
        return nf_config_refuse(r, "attention_types", types, "only \"global\" and \"local\" are implemented");
    if (*n < r->cfg->L && strcmp(name, "local") == 0)
        r->cfg->layer[*n] |= NF_LAYER_WINDOW;
    ++*n;
    return NF_OK;
}

/* attention_types, [[["global", "local"], 6]]: the list so many times, layer by layer. */
static int read_attention_types(const struct nf_reading *r, const json_t *types)
{
    size_t n = 0, L = r->cfg->L;

    for (size_t i = 0; i < json_array_size(types); i++) {
        const json_t *item = json_array_get(types, i), *names = json_array_get(item, 0);
        json_int_t times = json_integer_value(json_array_get(item, 1));

        if (!json_array_size(names))
            return nf_config_refuse(r, "attention_types", types, "[[[\"global\", \"local\"], times]] is expected");
        for (json_int_t t = 0; t < times && n <= L; t++)
            for (size_t k = 0; k < json_array_size(names) && n <= L; k++)
                if (set_attention_type(r, types, json_string_value(json_array_get(names, k)), &n) < 0)
                    return NF_EFORMAT;
    }
    return n == L ? check_attention_layers(r)
                  : nf_config_refuse(r, "attention_types", types, "as many layers as num_layers are expected");
}

static int finish_gpt_neo(struct nf_reading *r)
{
    const json_t *types = json_object_get(r->root, "attention_types");
    json_t *usual = types && !json_is_null(types) ? NULL : json_pack("[[[s, s], i]]", "global", "local", 12);
    int rc;

    nf_gpt2_finish(r);
    r->cfg->scale_scores = r->cfg->bias_qkv = false;
    rc = read_attention_types(r, usual ? usual : types);
    json_decref(usual);
    return rc;
}

const struct nf_family nf_gpt_neo = { "gpt_neo", "GPTNeoForCausalLM", keys, &tensors, finish_gpt_neo };
