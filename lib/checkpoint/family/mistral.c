/* mistral.c - Mistral 7B: Jiang et al. 2023, arXiv:2310.06825; Llama with a window in every layer. */
#include <string.h>

#include "checkpoint/family.h"

static const struct nf_key keys[] = {
    LLAMA_KEYS(8, 131072, 14336, 32000), KEY_WIDTH("head_dim", K, 0), KEY_BOS(1),
    KEY_OTHER("sliding_window"),         KEY_OTHER("layer_types"),    KEY_END,
};

/* Transformers reads layer_types of other families only: in Mistral every layer has the window, or none has. */
static int check_layer_types(const struct nf_reading *r)
{
    const json_t *types = nf_config_get(r, "layer_types");
    size_t windows = 0;

    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *name = json_string_value(json_array_get(types, i));

        windows += name && strcmp(name, "sliding_attention") == 0;
        if (!name || (strcmp(name, "sliding_attention") != 0 && strcmp(name, "full_attention") != 0))
            return nf_config_refuse(r, "layer_types", types, "only \"full_attention\" and \"sliding_attention\" are implemented");
    }
    if (windows && (windows < r->cfg->L || !r->cfg->window))
        return nf_config_refuse(r, "layer_types", types,
                                "not implemented where only some layers have a window, or sliding_window is null");
    if (types && !windows && r->cfg->window)
        nf_config_take(r, "sliding_window %zu holds in all layers, whatever layer_types says", r->cfg->window);
    return NF_OK;
}

/* sliding_window: null is none, a missing one 4096. */
static int finish_mistral(struct nf_reading *r)
{
    const json_t *v = json_object_get(r->root, "sliding_window");

    if (!json_is_null(v) && nf_config_size(r, "sliding_window", 4096, NF_POSITIONS_MAX, &r->cfg->window) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; r->cfg->window && i < r->cfg->L; i++)
        r->cfg->layer[i] |= NF_LAYER_WINDOW;
    return check_layer_types(r) < 0 ? NF_EFORMAT : nf_llama_finish(r);
}

const struct nf_family nf_mistral = { "mistral", "MistralForCausalLM", keys, &nf_llama_tensors, finish_mistral };
