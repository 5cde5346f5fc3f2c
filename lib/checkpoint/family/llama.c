/* llama.c - Llama 2, 3: Touvron et al. 2023, arXiv:2307.09288; and what families that are Llama with other switches share. */
#include "checkpoint/family.h"

static const struct nf_key keys[] = {
    LLAMA_KEYS(0, 2048, 11008, 32000),
    KEY_WIDTH("head_dim", K, 0),
    KEY_BOOL("attention_bias", bias_qkv, false),
    KEY_BOOL("mlp_bias", bias_ffn, false),
    KEY_BOS(1),
    KEY_END,
};

const char *const nf_model_prefixes[] = { "model.", "", NULL };
const char *const nf_rotary_stale[] = { "self_attn.rotary_emb.inv_freq", NULL };

const struct nf_slot nf_llama_model[] = {
    SLOT_MODEL("embed_tokens.weight", embed, "VD", NF_ALWAYS),
    SLOT_MODEL("norm.weight", final_norm.gain, "D", NF_ALWAYS),
    SLOT_END,
};

static const struct nf_slot layer[] = {
    SLOT_GAIN("input_layernorm", attn_norm, "D", NF_ALWAYS),
    SLOT_LINEAR("self_attn.q_proj", q, "QD", "Q", NF_IF_BIAS_QKV),
    SLOT_LINEAR("self_attn.k_proj", k, "GD", "G", NF_IF_BIAS_QKV),
    SLOT_LINEAR("self_attn.v_proj", v, "GD", "G", NF_IF_BIAS_QKV),
    SLOT_GAIN("self_attn.q_norm", q_norm, "K", NF_IF_QK_NORM),
    SLOT_GAIN("self_attn.k_norm", k_norm, "K", NF_IF_QK_NORM),
    SLOT_LINEAR("self_attn.o_proj", o, "DQ", "D", NF_IF_BIAS_O),
    SLOT_GAIN("post_attention_layernorm", ffn_norm, "D", NF_ALWAYS),
    SLOT_LINEAR("mlp.gate_proj", ffn_in, "FD", "F", NF_IF_BIAS_FFN),
    SLOT_LINEAR("mlp.up_proj", ffn_up, "FD", "F", NF_IF_BIAS_FFN),
    SLOT_LINEAR("mlp.down_proj", ffn_out, "DF", "D", NF_IF_BIAS_FFN),
    SLOT_END,
};

const struct nf_tensors nf_llama_tensors = {
    nf_model_prefixes, "layers.", "lm_head", nf_rotary_stale, nf_llama_model, layer, NULL
};

int nf_llama_finish(struct nf_reading *r)
{
    r->cfg->norm = NF_NORM_RMS;
    r->cfg->gated = true;
    return nf_config_rope(r, &nf_rope_whole);
}

static int finish_llama(struct nf_reading *r)
{
    r->cfg->bias_o = r->cfg->bias_qkv;
    return nf_llama_finish(r);
}

const struct nf_family nf_llama = { "llama", "LlamaForCausalLM", keys, &nf_llama_tensors, finish_llama };
