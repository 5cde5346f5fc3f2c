/* qwen2.c - Qwen2, 2.5: arXiv:2407.10671; Llama with biases of queries, keys and values. */
#include "checkpoint/family.h"

static const struct nf_key keys[] = {
    LLAMA_KEYS(32, 32768, 22016, 151936), KEY_BOS(-1), KEY_FIXED("use_mrope", "false"), KEY_QWEN_WINDOWS, KEY_END,
};

/* With use_sliding_window the layers from max_window_layers on, unless layer_types names them. */
int nf_qwen2_windows(const struct nf_reading *r)
{
    const json_t *first = json_object_get(r->root, "max_window_layers");
    json_int_t full = first && !json_is_null(first) ? json_integer_value(first) : 28;
    struct nf_config *cfg = r->cfg;
    bool use, named;

    if ((first && !json_is_null(first) && !json_is_integer(first)) || full < 0)
        return nf_config_refuse(r, "max_window_layers", first, "a number of layers is expected");
    if (nf_config_flag(r, "use_sliding_window", false, &use) < 0 ||
        nf_config_size(r, "sliding_window", 4096, NF_POSITIONS_MAX, &cfg->window) < 0)
        return NF_EFORMAT;
    if (!use || json_is_null(json_object_get(r->root, "sliding_window")))
        cfg->window = 0;
    if (nf_config_layer_types(r, &named) < 0)
        return NF_EFORMAT;
    for (size_t i = (size_t)full; !named && cfg->window && i < cfg->L; i++)
        cfg->layer[i] |= NF_LAYER_WINDOW;
    return NF_OK;
}

static int finish_qwen2(struct nf_reading *r)
{
    r->cfg->bias_qkv = true;
    return nf_qwen2_windows(r) < 0 ? NF_EFORMAT : nf_llama_finish(r);
}

const struct nf_family nf_qwen2 = { "qwen2", "Qwen2ForCausalLM", keys, &nf_llama_tensors, finish_qwen2 };
