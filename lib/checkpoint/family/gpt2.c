/* gpt2.c - GPT-2: Radford et al. 2019, "Language models are unsupervised multitask learners". */
#include "checkpoint/family.h"

static const struct nf_key keys[] = {
    KEY_LAYERS("n_layer", 12),
    KEY_WIDTH("n_embd", D, 768),
    KEY_WIDTH("n_head", H, 12),
    KEY_WIDTH("n_inner", F, 0),   /* 0: 4 n_embd */
    KEY_VOCAB("vocab_size", 50257),
    KEY_POSITIONS("n_positions", max_positions, 1024),
    KEY_ACT("activation_function", NF_ACT_GELU_TANH),
    KEY_REAL("layer_norm_epsilon", norm_eps, 1e-5, 1),
    KEY_BOOL("scale_attn_weights", scale_scores, true),
    KEY_BOOL("scale_attn_by_inverse_layer_idx", scale_by_layer, false),
    KEY_BOOL("tie_word_embeddings", tied, true),
    KEY_BOS(50256),
    KEY_ALIAS("num_hidden_layers", "n_layer"),
    KEY_ALIAS("hidden_size", "n_embd"),
    KEY_ALIAS("num_attention_heads", "n_head"),
    KEY_ALIAS("max_position_embeddings", "n_positions"),
    KEY_END,
};

const char *const nf_gpt2_prefixes[] = { "transformer.", "", NULL };
static const char *const stale[] = { "attn.bias", "attn.masked_bias", NULL };

const struct nf_slot nf_gpt2_model[] = {
    SLOT_MODEL("wte.weight", embed, "VD", NF_ALWAYS),
    SLOT_MODEL("wpe.weight", positions, "PD", NF_ALWAYS),
    SLOT_MODEL("ln_f.weight", final_norm.gain, "D", NF_ALWAYS),
    SLOT_MODEL("ln_f.bias", final_norm.bias, "D", NF_ALWAYS),
    SLOT_END,
};

static const struct nf_slot layer[] = {
    SLOT_NORM("ln_1", attn_norm, "D", NF_ALWAYS),
    SLOT_LINEAR("attn.c_attn", q, "DX", "X", NF_ALWAYS),
    SLOT_LINEAR("attn.c_proj", o, "QD", "D", NF_ALWAYS),
    SLOT_NORM("ln_2", ffn_norm, "D", NF_ALWAYS),
    SLOT_LINEAR("mlp.c_fc", ffn_in, "DF", "F", NF_ALWAYS),
    SLOT_LINEAR("mlp.c_proj", ffn_out, "FD", "D", NF_ALWAYS),
    SLOT_END,
};

static const struct nf_tensors tensors = { nf_gpt2_prefixes, "h.", "lm_head", stale, nf_gpt2_model, layer, NULL };

int nf_gpt2_finish(struct nf_reading *r)
{
    struct nf_config *cfg = r->cfg;

    cfg->positions = NF_POS_LEARNED;
    cfg->bias_qkv = cfg->bias_o = cfg->bias_ffn = true;
    if (cfg->F == 0)
        cfg->F = 4 * cfg->D;
    return NF_OK;
}

const struct nf_family nf_gpt2 = { "gpt2", "GPT2LMHeadModel", keys, &tensors, nf_gpt2_finish };
