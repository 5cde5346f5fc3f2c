/*
 * sites.h - the names of the sites (places in the model whose values can be captured), and the
 * selection of sites for a run.
 *
 * Names are ours (FORMAT.md section 4.3) or TransformerLens's hook names, with the layer or without:
 *
 *   resid.pre   hook_resid_pre     blocks.3.hook_resid_pre        ffn.pre   mlp.hook_pre    blocks.3.mlp.hook_pre
 *   resid.mid   hook_resid_mid     blocks.3.hook_resid_mid        ffn.act   mlp.hook_post   blocks.3.mlp.hook_post
 *   resid.post  hook_resid_post    blocks.3.hook_resid_post       ffn.out   hook_mlp_out    blocks.3.hook_mlp_out
 *   attn.out    hook_attn_out      blocks.3.hook_attn_out          ffn.up    mlp.hook_pre_linear   (gated FFNs only)
 *
 * and ffn.active, attn.local, attn.back, norms, pred, logits, which have no hook there.
 */
#ifndef NF_MODEL_SITES_H
#define NF_MODEL_SITES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/opt.h"
#include "checkpoint/config.h"
#include "model/forward.h"

const char *nf_site_name(enum nf_site site);
const char *nf_site_unit(enum nf_site site);
enum nf_site nf_site_find(const char *name);   /* a name of ours or a hook without its layer; NF_SITE_COUNT: neither */

/* pred and logits: after the last block, as layer L */
bool nf_site_is_final(enum nf_site site);

/* nf_site_shape - the shape of one row: dims[0 .. n-1], n = 1 or 2 (attn.local: [H, 7], attn.back: [H, 17]).  Returns n.  ffn.active: bytes. */
size_t nf_site_shape(enum nf_site site, const struct nf_config *cfg, size_t dims[2]);
size_t nf_site_width(enum nf_site site, const struct nf_config *cfg);   /* the product */

/* What is needed: [L+1] for each site. */
struct nf_sites {
    size_t L;
    bool *want[NF_SITE_COUNT];
};

/*
 * nf_sites_open - the sites of a list, e.g. {"ffn.active", "blocks.3.hook_mlp_out"}; empty: ffn.active.
 *
 *   layers  for names without a layer of their own; cut at L when its end is open
 *
 * NF_EUSAGE  an unknown name (the known ones are in the message); a layer or a site that the model does not have
 */
int nf_sites_open(const struct nf_list *names, const struct nf_range *layers, const struct nf_config *cfg, struct nf_sites *s,
                  struct nf_err *err);
bool nf_sites_want(const struct nf_sites *s, enum nf_site site, size_t layer);
bool nf_sites_any(const struct nf_sites *s, enum nf_site site);   /* at any layer */
void nf_sites_close(struct nf_sites *s);   /* accepts a zeroed struct */

#endif
