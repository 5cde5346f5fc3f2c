/*
 * attribute.h - direct logit attribution: what each part of the last residual stream gives to the logit of the next token.
 *
 * Parts: the embedding, the attention and the FFN of each block, and the biases after the last
 * stream. A part c of the stream adds to the logit minus the mean logit over the vocabulary:
 *
 *   c . gain / s . (u[next] - mean u)      s: scale of the final norm at that position, frozen; c centred where the norm centres;
 *                                          with project_out u - mean u is its product with that matrix
 *
 * and the biases add bias . (u[next] - mean u) + b[next] - mean b. The sum of all parts is TOTAL,
 * the same product of the whole stream, up to rounding. Source: Elhage et al. 2021, A Mathematical
 * Framework for Transformer Circuits; the frozen scale: TransformerLens, apply_ln_to_stack.
 *
 * The product of a part needs only its own rows and the direction of the next token, which is known
 * before the run. The division by the scale comes at the end. So nothing of the size of the streams
 * is kept.
 */
#ifndef NF_MODEL_ATTRIBUTE_H
#define NF_MODEL_ATTRIBUTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "checkpoint/config.h"
#include "model/forward.h"
#include "checkpoint/weights.h"

enum nf_part_kind { NF_PART_EMBED, NF_PART_ATTN, NF_PART_FFN, NF_PART_BIAS, NF_PART_TOTAL };
struct nf_part {
    enum nf_part_kind kind;
    size_t layer;   /* ATTN, FFN */
};

/* In the order of the stream: embedding, attention and FFN of block 0, 1, .., biases; last the total.  2L + 3. */
size_t nf_attribute_parts(const struct nf_config *cfg);
struct nf_part nf_attribute_part(const struct nf_config *cfg, size_t i);

uint64_t nf_attribute_token_bytes(const struct nf_config *cfg);   /* that an open one holds for each token of a batch */

struct nf_attribute;

/*
 * nf_attribute_open - for batches of at most T tokens; cfg and w are borrowed.
 *
 * NF_EUSAGE  the last stream is no sum of what the blocks add (post-norm)
 * NF_ESYS    memory
 */
struct nf_attribute *nf_attribute_open(const struct nf_config *cfg, const struct nf_weights *w, size_t T, struct nf_err *err);
void nf_attribute_close(struct nf_attribute *a);   /* accepts NULL */

/* A batch: start; rows of each part but BIAS and TOTAL (x [rows, D]), in any order; finish with the last stream [T,D]. */
void nf_attribute_start(struct nf_attribute *a, const struct nf_windows *win);
void nf_attribute_rows(struct nf_attribute *a, enum nf_part_kind kind, size_t layer, size_t row, size_t rows, const float *x);
void nf_attribute_finish(struct nf_attribute *a, const float *last);

/* nf_attribute_of - [T] of part i; NaN where the window has no next token. */
const float *nf_attribute_of(const struct nf_attribute *a, size_t i);

#endif
