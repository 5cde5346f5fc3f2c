/* gpt_neox.c - GPT-NeoX: Black et al. 2022, arXiv:2204.06745; Pythia: Biderman et al. 2023, arXiv:2304.01373. */
#include "checkpoint/family.h"

static const struct nf_key keys[] = {
    KEY_LAYERS("num_hidden_layers", 44),
    KEY_WIDTH("hidden_size", D, 6144),
    KEY_WIDTH("num_attention_heads", H, 64),
    KEY_WIDTH("intermediate_size", F, 24576),
    KEY_VOCAB("vocab_size", 50432),
    KEY_POSITIONS("max_position_embeddings", max_positions, 2048),
    KEY_ACT("hidden_act", NF_ACT_GELU),
    KEY_REAL("layer_norm_eps", norm_eps, 1e-5, 1),
    KEY_BOOL("use_parallel_residual", parallel, true),
    KEY_BOOL("attention_bias", bias_qkv, true),
    KEY_BOOL("tie_word_embeddings", tied, false),
    KEY_BOS(0),
    KEY_OTHER("rotary_pct"),
    KEY_OTHER("rotary_emb_base"),
    KEY_ROPE,
    KEY_END,
};

static const char *const prefixes[] = { "gpt_neox.", "", NULL };
static const char *const stale[] = { "attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq", NULL };

static const struct nf_slot model[] = {
    SLOT_MODEL("embed_in.weight", embed, "VD", NF_ALWAYS),
    SLOT_MODEL("final_layer_norm.weight", final_norm.gain, "D", NF_ALWAYS),
    SLOT_MODEL("final_layer_norm.bias", final_norm.bias, "D", NF_ALWAYS),
    SLOT_END,
};

static const struct nf_slot layer[] = {
    SLOT_NORM("input_layernorm", attn_norm, "D", NF_ALWAYS),
    SLOT_FUSED("attention.query_key_value.weight", q, "XD", NF_ALWAYS, NF_BY_GROUP),
    SLOT_BIAS("attention.query_key_value", q, "X", NF_IF_BIAS_QKV),
    SLOT_LINEAR("attention.dense", o, "DQ", "D", NF_IF_BIAS_O),
    SLOT_NORM("post_attention_layernorm", ffn_norm, "D", NF_ALWAYS),
    SLOT_LINEAR("mlp.dense_h_to_4h", ffn_in, "FD", "F", NF_ALWAYS),
    SLOT_LINEAR("mlp.dense_4h_to_h", ffn_out, "DF", "D", NF_ALWAYS),
    SLOT_END,
};

static const struct nf_tensors tensors = { prefixes, "layers.", "embed_out|lm_head", stale, model, layer, NULL };

/* Later versions of transformers 4 also wrote the values under the names that Llama has for them; no version reads those. */
static int check_twins(const struct nf_reading *r)
{
    const struct nf_config *cfg = r->cfg;
    double share, theta;

    if (nf_config_real(r, "partial_rotary_factor", 0, 1, &share) < 0 || nf_config_real(r, "rope_theta", 0, 1e12, &theta) < 0)
        return NF_EFORMAT;
    if (share > 0 && (size_t)((double)cfg->K * share) != cfg->rope.R)
        return nf_config_refuse_text(
            r, "partial_rotary_factor: %g does not agree with rotary_pct, by which %zu of %zu coordinates turn", share, cfg->rope.R,
            cfg->K);
    if (theta > 0 && theta != cfg->rope.theta)
        return nf_config_refuse_text(r, "rope_theta: %g does not agree with rotary_emb_base: %g", theta, cfg->rope.theta);
    return NF_OK;
}

static int finish_gpt_neox(struct nf_reading *r)
{
    static const struct nf_rope_keys rope = { "rotary_emb_base", "rotary_pct", 10000, 0.25, false };

    r->cfg->bias_o = r->cfg->bias_qkv;
    r->cfg->bias_ffn = true;
    return nf_config_rope(r, &rope) < 0 ? NF_EFORMAT : check_twins(r);
}

const struct nf_family nf_gpt_neox = { "gpt_neox", "GPTNeoXForCausalLM", keys, &tensors, finish_gpt_neox };
