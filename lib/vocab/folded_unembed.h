/*
 * folded_unembed.h - the unembedding with the final norm folded in: columns u_v of width E, without
 * the parts that softmax or the final norm ignores.
 *
 *   u_v = g o e_v  - mean over E (LayerNorm)  - mean over the columns
 *
 * e_v is row v of the stored unembedding, g the gain of the final norm.  A row w of the second FFN matrix, less its mean where the final norm is a
 * LayerNorm, has <u_v, w> as its effect on logit v, up to the positive factor of the norm and a constant for all v.  Where the checkpoint has a
 * project_out P, E is its width, w goes to P (g o w) instead, and the columns are e_v less their mean.  Without a final norm g is 1 and no mean over E is taken.
 *
 * The same as TransformerLens's fold_ln, center_writing_weights and center_unembed, which Gurnee et al. 2024 (arXiv 2401.12181) and Lad et al. 2024
 * (arXiv 2406.19384, appendix B) start from.
 */
#ifndef NF_VOCAB_FOLDED_UNEMBED_H
#define NF_VOCAB_FOLDED_UNEMBED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "vocab/weights.h"

struct nf_folded_unembed;

/*
 * nf_folded_unembed_open - the columns v < V of the output end, V <= end->V.  NULL: memory.  `end` is copied, its tensors are not.
 *
 * A column that is the mean of all, up to the rounding of float weights (2^-20 of its length before the mean was taken off), has no direction: length 0.
 * Three passes over the tensor.  Memory: V doubles twice, E doubles twice.  Independent of threads.
 */
struct nf_folded_unembed *nf_folded_unembed_open(const struct nf_output_end *end, size_t V, struct nf_err *err);
void nf_folded_unembed_close(struct nf_folded_unembed *u);   /* accepts NULL */

bool nf_folded_unembed_layernorm(
    const struct nf_folded_unembed *u); /* is the model's norm a LayerNorm, which takes the mean off? */
void nf_folded_unembed_sizes(const struct nf_folded_unembed *u, size_t *V, size_t *E);
const double *nf_folded_unembed_length(const struct nf_folded_unembed *u);   /* [V] ||u_v||; 0: no direction */
const double *
nf_folded_unembed_centre(const struct nf_folded_unembed *u); /* [E] mean of u_v / ||u_v|| over those that have a direction */

/* nf_folded_unembed_columns - y [n, E]: the columns id[0..n), each divided by its length when `unit` (they must have one). */
void nf_folded_unembed_columns(const struct nf_folded_unembed *u, const uint32_t *id, size_t n, bool unit, float *y);

/*
 * nf_folded_unembed_rows - rows of the second FFN matrix as the columns meet them.
 *
 *   w       [n, D]  in, out   less their mean where the final norm is a LayerNorm
 *   y       [n, E]  out       w, or P (g o w)
 */
void nf_folded_unembed_rows(const struct nf_folded_unembed *u, size_t n, float *w, float *y);

/* nf_folded_unembed_sum - y [E] = sum over v of weight[v] u_v.  NF_ESYS: memory.  Independent of threads. */
int nf_folded_unembed_sum(const struct nf_folded_unembed *u, const double *weight, double *y, struct nf_err *err);

/* nf_folded_unembed_gram - g [E, E] = sum over v of u_v u_v', in double; its eigenvectors are the left singular vectors of [u_0 u_1 ..].  NF_ESYS: memory.  Independent of threads. */
int nf_folded_unembed_gram(const struct nf_folded_unembed *u, double *g, struct nf_err *err);

#endif
