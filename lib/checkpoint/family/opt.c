/* opt.c - OPT: Zhang et al. 2022, arXiv:2205.01068. */
#include "checkpoint/family.h"

static const struct nf_key keys[] = {
    KEY_LAYERS("num_hidden_layers", 12),
    KEY_WIDTH("hidden_size", D, 768),
    KEY_WIDTH("num_attention_heads", H, 12),
    KEY_WIDTH("ffn_dim", F, 3072),
    KEY_VOCAB("vocab_size", 50272),
    KEY_WIDTH("word_embed_proj_dim", E, 0),   /* 0: hidden_size */
    KEY_POSITIONS("max_position_embeddings", max_positions, 2048),
    KEY_CHOICE("position_embedding_type", positions, NF_POS_LEARNED, "none|learned"),   /* ours: OPTConfig has no such key */
    KEY_ACT("activation_function", NF_ACT_RELU),
    KEY_BOOL("do_layer_norm_before", pre_norm, true),
    KEY_BOOL("layer_norm_elementwise_affine", norm_affine, true),
    KEY_BOOL("tie_word_embeddings", tied, true),
    KEY_BOS(2),
    KEY_OTHER("_remove_final_layer_norm"),
    KEY_OTHER("enable_bias"),
    KEY_FIXED("learned_embeddings", "true"),
    KEY_FIXED("scale_embeddings", "false"),
    KEY_FIXED("share_decoder_input_output_embed", "true"),
    KEY_END,
};

static const char *const prefixes[] = { "model.decoder.", "decoder.", NULL };
static const char *const stale[] = { "version", NULL };

static const struct nf_slot model[] = {
    SLOT_MODEL("embed_tokens.weight", embed, "VE", NF_ALWAYS),
    SLOT_MODEL("embed_positions.weight", positions, "PD", NF_IF_POSITIONS),
    SLOT_MODEL("project_in.weight", project_in.w, "DE", NF_IF_PROJECTED),
    SLOT_MODEL("project_out.weight", project_out.w, "ED", NF_IF_PROJECTED),
    SLOT_MODEL("final_layer_norm.weight", final_norm.gain, "D", NF_IF_FINAL | NF_IF_AFFINE),
    SLOT_MODEL("final_layer_norm.bias", final_norm.bias, "D", NF_IF_FINAL | NF_IF_AFFINE),
    SLOT_END,
};

static const struct nf_slot layer[] = {
    SLOT_NORM("self_attn_layer_norm", attn_norm, "D", NF_IF_AFFINE),
    SLOT_LINEAR("self_attn.q_proj", q, "QD", "Q", NF_IF_BIAS_QKV),
    SLOT_LINEAR("self_attn.k_proj", k, "GD", "G", NF_IF_BIAS_QKV),
    SLOT_LINEAR("self_attn.v_proj", v, "GD", "G", NF_IF_BIAS_QKV),
    SLOT_LINEAR("self_attn.out_proj", o, "DQ", "D", NF_IF_BIAS_O),
    SLOT_NORM("final_layer_norm", ffn_norm, "D", NF_IF_AFFINE),
    SLOT_LINEAR("fc1", ffn_in, "FD", "F", NF_IF_BIAS_FFN),
    SLOT_LINEAR("fc2", ffn_out, "DF", "D", NF_IF_BIAS_FFN),
    SLOT_END,
};

static const struct nf_tensors tensors = { prefixes, "layers.", "lm_head", stale, model, layer, NULL };

/* A final LayerNorm exists where LayerNorm comes first, unless a checkpoint converted before transformers 4.20.1 asks for none. */
static int finish_opt(struct nf_reading *r)
{
    struct nf_config *cfg = r->cfg;
    bool no_final_norm, bias;

    if (nf_config_flag(r, "_remove_final_layer_norm", false, &no_final_norm) < 0 ||
        nf_config_flag(r, "enable_bias", true, &bias) < 0)
        return NF_EFORMAT;
    cfg->final_norm = cfg->pre_norm && !no_final_norm;
    cfg->bias_qkv = cfg->bias_o = cfg->bias_ffn = bias;
    cfg->position_offset = 2;
    cfg->norm_eps = 1e-5;   /* torch.nn.LayerNorm; OPT has no key for it */
    return NF_OK;
}

const struct nf_family nf_opt = { "opt", "OPTForCausalLM", keys, &tensors, finish_opt };
