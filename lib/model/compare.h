/*
 * compare.h - compares the next-token distributions of several residual streams with that of a
 * base, without holding their logits.
 *
 * All streams of a chunk of rows go through a tile of the vocabulary together, so its weights are
 * read once. Of a tile only a few sums a row are kept.
 */
#ifndef NF_MODEL_COMPARE_H
#define NF_MODEL_COMPARE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/forward.h"

/* One row of one stream: p is the softmax of the base's logits, q of the stream's. */
struct nf_divergence {
    float kl;         /* KL(p || q) = sum p (ln p - ln q), nats; >= 0, exactly 0 for equal streams */
    float entropy;    /* of q, bits */
    float loss;       /* -ln q(next token), nats; NaN at the last position of a window */
    uint32_t top;     /* argmax of q, the lowest id of equals */
    uint32_t rank;    /* logits above the next token's; 0 at the last position of a window */
};

/* How the other streams enter the unembedding. The base always enters as in the model. */
struct nf_lens {
    /*
     * As TransformerLens had it until 2.18 (its issue 1076): LayerNorm by the standard deviation of the base's row instead of the row's own, RMSNorm
     * by nothing at all.  For curves that were published so.
     */
    bool cached;
    bool no_bias;   /* without the final norm's bias and that of the unembedding: the released code of Lad et al. leaves out b_U */
};

/*
 * nf_forward_compare - x[0] is the base, x[1 .. n-1] the others: residual streams [T,D] as they leave the last block, before the final norm.
 *
 *   n     1 .. opts.streams of nf_forward_open()
 *   lens  of the others; NULL: as the base.  Not with models without final norm
 *   out   [n,T]
 *
 * With a, b the logits of base and stream, m the running maximum of a, S = sum e^(a-m), C = sum e^(a-m) (a-b):
 * KL = C/S - lse(a) + lse(b), both sums rescaled when m grows (Milakov and Gimelshein 2018, arXiv:1805.02867).  In float32 within 256
 * terms, in double beyond: off by about 2e-7 besides what the logits are off by; a result below 0 is 0.
 *
 * A row depends on its row of each stream alone.  NF_EFORMAT: a logit is NaN or infinite (named), unless allow_nonfinite.  NF_ESYS.
 */
int nf_forward_compare(struct nf_forward *f, const struct nf_windows *win, const float *const *x, size_t n,
                       const struct nf_lens *lens, struct nf_divergence *out, struct nf_err *err);

/*
 * nf_forward_keep_top - from now on, each comparison also gives the k most probable tokens of every
 * row of every stream, k <= V; 0: no longer.
 *
 *   id, p  [n, T, k] out, of each nf_forward_compare(): highest first, the lowest id of equals first; the caller's, as large as its largest call
 */
void nf_forward_keep_top(struct nf_forward *f, size_t k, uint32_t *id, float *p);

#endif
