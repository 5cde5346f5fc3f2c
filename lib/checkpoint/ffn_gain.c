/* ffn_gain.c - which norm precedes an FFN. */
#include "checkpoint/ffn_gain.h"

/* NULL: none. */
static const struct nf_norm *find_norm(const struct nf_config *cfg, const struct nf_layer *l)
{
    if (!cfg->pre_norm)
        return cfg->branch_norm ? NULL : &l->attn_norm;
    return cfg->one_norm ? &l->attn_norm : &l->ffn_norm;
}

void nf_ffn_gain(const struct nf_config *cfg, const struct nf_weights *w, size_t layer, float *gain)
{
    const struct nf_norm *norm = find_norm(cfg, &w->layer[layer]);
    bool stored = norm && norm->gain.data;

    if (stored)
        nf_tensor_f32(&norm->gain, 0, cfg->D, gain);
    for (size_t d = 0; d < cfg->D; d++) {
        if (!stored)
            gain[d] = 1;
        else if (cfg->norm_plus_one)
            gain[d] += 1;
    }
}
