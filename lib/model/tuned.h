/*
 * tuned.h - the translators of a tuned lens. Before the final norm h becomes h + W h + b, with one
 * W and b for the stream that enters each block.
 *
 * Belrose et al. 2023, arXiv:2303.08112, equation 8.  A folder as the tuned-lens library saves one: config.json (d_model, num_hidden_layers, lens_type)
 * and params.pt, a state dict with l.weight [D,D] and, unless config.json says "bias": false, l.bias [D] for l = 0 .. L-1.
 */
#ifndef NF_MODEL_TUNED_H
#define NF_MODEL_TUNED_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "checkpoint/config.h"

struct nf_tuned;

/*
 * nf_tuned_open - NF_EFORMAT: config.json or params.pt missing or not as above; made for another width or number of layers (both named);
 * another lens_type than linear_tuned_lens; a tensor that is missing, or of another shape, or that has no role; NaN or Inf.  NF_ESYS.
 */
struct nf_tuned *nf_tuned_open(const char *dir, const struct nf_config *cfg, struct nf_err *err);
void nf_tuned_close(struct nf_tuned *t);   /* accepts NULL */

/* nf_tuned_made_for - the last part of base_model_name_or_path in config.json; "": it says none. */
const char *nf_tuned_made_for(const struct nf_tuned *t);

/* nf_tuned_bytes - what it holds for this model, at most: counts in --memory. */
uint64_t nf_tuned_bytes(const struct nf_config *cfg);

/* nf_tuned_apply - y = x + W x + b of layer l < L; x, y [T,D], apart. */
int nf_tuned_apply(struct nf_tuned *t, size_t layer, const float *x, size_t T, float *y, struct nf_err *err);

#endif
