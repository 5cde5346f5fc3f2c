/*
 * logit_effect.h - the effect of each neuron's output on the logits of the whole vocabulary, from
 * the weights alone, and the classes that follow from it.
 *
 * Over the columns u_v of the unembedding (folded_unembed.h) that have a direction, n of them, with w the neuron's output row as the columns meet it:
 *
 *   c_v        <w, u_v> / (||w|| ||u_v||), or <w, u_v> (raw_product)
 *   mean, var  of c_v; var divides by n          skew, kurt  mean of z^3, z^4, z = (c_v - mean) / sqrt(var): 3 for a Gaussian
 *   logit_var  mean over v of <w, u_v>^2, whose mean is 0
 *   null_share ||V0' w|| / ||w||, V0 the k left singular vectors of [u_v] with the smallest singular values
 *   frequency  correlation over v of <w, u_v> with log((count_v + 1) / (sum of counts + V))
 *
 *   prediction       kurt > 10 and skew > 0          Gurnee et al. 2024, arXiv 2401.12181 (universal-neurons); Lad et al. 2024, arXiv 2406.19384
 *   suppression      kurt > 10 and skew < 0
 *   partition        var > 0.005                     universal-neurons; left out where 0.005 < 2/E: a random direction has 1/E, so in a narrow model it says nothing
 *   entropy          heuristic: in the last two layers, norm^2 in + gate + out in the top 5 % of the layer, kurt <= 10, var <= 1/4 of the layer's median
 *   token-frequency  heuristic: |frequency| >= 0.5   quantities of both: Stolfo et al. 2024, arXiv 2406.16254
 *
 * The vectors a neuron reads (w_in, w_gate) have the gain of their norm folded in and, for LayerNorm, their mean taken off.
 */
#ifndef NF_VOCAB_LOGIT_EFFECT_H
#define NF_VOCAB_LOGIT_EFFECT_H

#include <stddef.h>
#include <stdint.h>

#include "record/neurons.h"
#include "vocab/vocab_rules.h"
#include "vocab/folded_unembed.h"

struct nf_logit_effects;

/*
 * nf_logit_effects_open - for layers of F neurons.
 *
 *   u        the columns; borrowed
 *   rows     the FFNs; borrowed
 *   counts   [V] occurrences of each column's token in the text, or NULL: frequency is NaN
 *
 * NF_ESYS: memory; oneDNN.
 */
struct nf_logit_effects *nf_logit_effects_open(const struct nf_vocab_rules *rules, const struct nf_folded_unembed *u,
                                               const struct nf_ffn_rows *rows, size_t D, size_t F, const uint64_t *counts,
                                               struct nf_err *err);
void nf_logit_effects_close(struct nf_logit_effects *e);   /* accepts NULL */

size_t nf_logit_effects_no_direction(const struct nf_logit_effects *e);   /* columns left out */

/*
 * nf_logit_effects_layer - every neuron of a layer.
 *
 *   effect  [F]  out
 *
 * The product of F x V values runs in float through tiles that stay in the cache. Its powers are
 * summed in double about the exact mean. The values are never in memory together. It needs room for
 * the layer's output rows, twice, and one tile. The bits are the same for any number of threads.
 * NF_ESYS: memory; oneDNN. Checked: tests/unit/test_logit_effect.c against two passes in double;
 * tests/oracle/effects.tsv (NumPy).
 */
int nf_logit_effects_layer(struct nf_logit_effects *e, size_t layer, struct nf_logit_effect *effect, struct nf_err *err);

/*
 * nf_logit_effects_classify - the classes of a layer's neurons, of L layers.
 *
 *   effect   [F]  in
 *   classes  [F]  out   bits of enum nf_class among NF_WEIGHT_CLASSES
 *   summary       out
 *
 * NF_ESYS: memory.
 */
int nf_logit_effects_classify(const struct nf_logit_effects *e, const struct nf_logit_effect *effect, size_t layer, size_t L,
                              unsigned *classes, struct nf_logit_effect_summary *summary, struct nf_err *err);

#endif
