/* phi.c - Phi-1, 1.5, 2: Gunasekar et al. 2023, arXiv:2306.11644; attention and FFN in parallel, behind one LayerNorm. */
#include "checkpoint/family.h"

static const struct nf_key keys[] = {
    KEY_LAYERS("num_hidden_layers", 24),
    KEY_WIDTH("hidden_size", D, 2048),
    KEY_WIDTH("num_attention_heads", H, 32),
    KEY_WIDTH("num_key_value_heads", G, 0),
    KEY_WIDTH("intermediate_size", F, 8192),
    KEY_VOCAB("vocab_size", 51200),
    KEY_POSITIONS("max_position_embeddings", max_positions, 2048),
    KEY_ACT("hidden_act", NF_ACT_GELU_TANH),
    KEY_REAL("layer_norm_eps", norm_eps, 1e-5, 1),
    KEY_CHOICE("qk_layernorm", qk_norm, NF_NORM_NONE, "false|true"),   /* NONE, LAYER */
    KEY_BOOL("tie_word_embeddings", tied, false),
    KEY_BOS(1),
    KEY_ROPE,
    KEY_END,
};

static const struct nf_slot model[] = {
    SLOT_MODEL("embed_tokens.weight", embed, "VD", NF_ALWAYS),
    SLOT_MODEL("final_layernorm.weight", final_norm.gain, "D", NF_ALWAYS),
    SLOT_MODEL("final_layernorm.bias", final_norm.bias, "D", NF_ALWAYS),
    SLOT_END,
};

static const struct nf_slot layer[] = {
    SLOT_NORM("input_layernorm", attn_norm, "D", NF_ALWAYS),        SLOT_LINEAR("self_attn.q_proj", q, "QD", "Q", NF_ALWAYS),
    SLOT_LINEAR("self_attn.k_proj", k, "GD", "G", NF_ALWAYS),       SLOT_LINEAR("self_attn.v_proj", v, "GD", "G", NF_ALWAYS),
    SLOT_NORM("self_attn.q_layernorm", q_norm, "K", NF_IF_QK_NORM), SLOT_NORM("self_attn.k_layernorm", k_norm, "K", NF_IF_QK_NORM),
    SLOT_LINEAR("self_attn.dense", o, "DQ", "D", NF_ALWAYS),        SLOT_LINEAR("mlp.fc1", ffn_in, "FD", "F", NF_ALWAYS),
    SLOT_LINEAR("mlp.fc2", ffn_out, "DF", "D", NF_ALWAYS),          SLOT_END,
};

static const struct nf_tensors tensors = { nf_model_prefixes, "layers.", "lm_head", nf_rotary_stale, model, layer, NULL };

static int finish_phi(struct nf_reading *r)
{
    static const struct nf_rope_keys rope = { "rope_theta", "partial_rotary_factor", 10000, 0.5, false };
    struct nf_config *cfg = r->cfg;

    cfg->parallel = cfg->one_norm = true;
    cfg->bias_qkv = cfg->bias_o = cfg->bias_ffn = cfg->bias_head = true;
    return nf_config_rope(r, &rope);
}

const struct nf_family nf_phi = { "phi", "PhiForCausalLM", keys, &tensors, finish_phi };
