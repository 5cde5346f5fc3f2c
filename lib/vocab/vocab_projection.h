/*
 * vocab_projection.h - projects the output of a token detector on the vocabulary, to see whether it
 * lowers the logits of its own tokens. Paper section 4.4, figures 5, 6.
 *
 * When neuron n fires, column n of the second FFN matrix (w, [D]) times its value joins the residual stream.  E[t] is row t of the
 * unembedding.  Where the checkpoint has a project_out P, E has its width and w stands for P w.  Four projections on the vocabulary:
 *
 *   raw      p[t] = <E[t], w>
 *   centred  raw minus its mean over the vocabulary: softmax ignores a constant, so the sign of raw alone says little
 *   ln       <E[t], gain o (w - mean of w)>: as the final LayerNorm passes it, up to a positive factor; RMSNorm takes no mean off; without a
 *            final norm: raw
 *   cosine   raw / (||E[t]|| ||w||)
 *
 * The paper says "points in the negative direction" and names no projection.
 */
#ifndef NF_VOCAB_VOCAB_PROJECTION_H
#define NF_VOCAB_VOCAB_PROJECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/neurons.h"
#include "vocab/weights.h"

struct nf_vocab_projection;

/* nf_vocab_projection_open - norms of the rows of E and their mean.  NULL: memory.  `end` is copied, its tensors are not. */
struct nf_vocab_projection *nf_vocab_projection_open(const struct nf_output_end *end, struct nf_err *err);
void nf_vocab_projection_close(struct nf_vocab_projection *s);   /* accepts NULL */
void nf_vocab_projection_sizes(const struct nf_vocab_projection *s, size_t *V, size_t *D);

/*
 * nf_vocab_projection_project - all projections of n rows.
 *
 *   w  [n, D]                      in
 *   p  [n, NF_PROJECTIONS, V]      out
 *
 * Products and sums in double; the result does not depend on threads.  NF_ESYS: memory.
 */
int nf_vocab_projection_project(const struct nf_vocab_projection *s, const float *w, size_t n, double *p, struct nf_err *err);

/* Tokens of one neuron: ids and fires. */
struct nf_weighted {
    uint32_t id, c;
};

/* nf_vocab_projection_mean - mean of p over n tokens, each once; n > 0.  nf_vocab_projection_weighted - weighted by c. */
double nf_vocab_projection_mean(const double *p, const struct nf_weighted *token, size_t n);
double nf_vocab_projection_weighted(const double *p, const struct nf_weighted *token, size_t n);
size_t nf_vocab_projection_negative(const double *p, const struct nf_weighted *token, size_t n);   /* how many have p < 0 */

/* nf_vocab_projection_percentile - share of the vocabulary with a lower p, half of the equal ones (itself too) added: 0 is most suppressed. */
double nf_vocab_projection_percentile(const double *p, size_t V, uint32_t id);

/* nf_vocab_projection_extremes - the k tokens of highest p, highest first, and of lowest, lowest first; ties: the lower id first.  k <= V. */
void nf_vocab_projection_extremes(const double *p, size_t V, size_t k, struct nf_scored *high, struct nf_scored *low);

#endif
