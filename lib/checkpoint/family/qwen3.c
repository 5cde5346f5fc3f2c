/* qwen3.c - Qwen3: arXiv:2505.09388; Llama with a norm of each head's query and key. */
#include "checkpoint/family.h"

static const struct nf_key keys[] = {
    LLAMA_KEYS(32, 32768, 22016, 151936),
    KEY_WIDTH("head_dim", K, 128),
    KEY_BOOL("attention_bias", bias_qkv, false),
    KEY_BOS(-1),
    KEY_QWEN_WINDOWS,
    KEY_END,
};

static int finish_qwen3(struct nf_reading *r)
{
    r->cfg->qk_norm = NF_NORM_RMS;
    r->cfg->bias_o = r->cfg->bias_qkv;
    return nf_qwen2_windows(r) < 0 ? NF_EFORMAT : nf_llama_finish(r);
}

const struct nf_family nf_qwen3 = { "qwen3", "Qwen3ForCausalLM", keys, &nf_llama_tensors, finish_qwen3 };
