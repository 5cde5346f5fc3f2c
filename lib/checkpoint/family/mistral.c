/* mistral.c - Mistral 7B: Jiang et al. 2023, arXiv:2310.06825; Llama with a window in every layer. */
#include "checkpoint/family.h"

static const struct nf_key keys[] = {
    LLAMA_KEYS(8, 131072, 14336, 32000),
    KEY_WIDTH("head_dim", K, 0),
    KEY_BOS(1),
    KEY_OTHER("sliding_window"),
    KEY_END,
};

/* sliding_window: null is none, a missing one 4096. */
static int finish_mistral(struct nf_reading *r)
{
    const json_t *v = json_object_get(r->root, "sliding_window");

    if (!json_is_null(v) && nf_config_size(r, "sliding_window", 4096, NF_POSITIONS_MAX, &r->cfg->window) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; r->cfg->window && i < r->cfg->L; i++)
        r->cfg->layer[i] |= NF_LAYER_WINDOW;
    return nf_llama_finish(r);
}

const struct nf_family nf_mistral = { "mistral", "MistralForCausalLM", keys, &nf_llama_tensors, finish_mistral };
