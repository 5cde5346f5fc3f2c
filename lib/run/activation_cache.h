/*
 * activation_cache.h - residual streams from a stream of activations: which of its sites are the
 * points of a lens, and their rows of a batch.
 *
 * The stream that enters block l is resid.pre of layer l, or resid.post of the layer below; the last is resid.post of layer L-1.
 */
#ifndef NF_RUN_ACTIVATION_CACHE_H
#define NF_RUN_ACTIVATION_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"
#include "model/attribute.h"
#include "checkpoint/config.h"
#include "run/window_reader.h"

struct nf_activation_cache {
    const struct nf_config *cfg;   /* borrowed */
    bool allow_nonfinite;
    float *const *h, *const *mid;   /* [L+1], [L] of [T,D], filled by nf_activation_cache_read(); mid NULL: not needed */
    struct nf_attribute *attribute;   /* NULL: not needed; given the rows of attn.out and ffn.out, started by the caller */
    /* private */
    bool *post;                    /* [L+1] this point comes from resid.post */
    size_t *rows;                  /* [4, L+1] rows that came: points, mid, attn.out, ffn.out */
    float *wide;
    size_t wide_cap;
};

/*
 * nf_activation_cache_open - find the sites in the header of `in`.
 *
 * NF_EFORMAT  a site is missing at a layer (named); not all positions were captured; the model's config_sha256 or weights_sha256 is another
 *             than cfg's (both named by their first digits)
 * NF_ESYS     memory
 */
int nf_activation_cache_open(struct nf_activation_cache *k, const struct nf_reader *in, const struct nf_config *cfg, bool mid,
                             bool attribute, struct nf_err *err);

/* nf_activation_cache_read - all rows of the batch of t.  NF_EFORMAT: rows missing, doubled, misshapen, or not finite (unless allowed); named. */
int nf_activation_cache_read(struct nf_activation_cache *k, struct nf_window_reader *t, struct nf_err *err);

void nf_activation_cache_close(struct nf_activation_cache *k);   /* accepts a zeroed struct */

#endif
