/*
 * verify.h - measures the difference between a forward pass and a reference: a stream of
 * activations that another program computed.
 *
 * The reference holds its windows (batch records) and rows of sites. The pass runs the same
 * windows, and every row is compared as it comes. Memory holds the reference's rows of one layer of
 * one batch. FORMAT.md section 4.3; pipelines/reference.py makes references.
 */
#ifndef NF_RUN_VERIFY_H
#define NF_RUN_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/forward.h"
#include "stream/reader.h"

/* One site, over all layers and batches. */
struct nf_verify_site {
    bool there;              /* in the reference */
    uint64_t layers;         /* of it in the reference */
    uint64_t elements;       /* compared; ffn.active: bits */
    double off;              /* largest |ours - reference|; infinite: NaN against a number.  pred: of loss and entropy.  ffn.active: 0 */
    double largest;          /* largest |reference| */
    size_t layer, window, position, unit;   /* where `off` is: window of the whole reference */
    double ours, theirs;                    /* the two values there */
    uint64_t bits;           /* ffn.active: that differ */
    double bit_pre;          /* ffn.active: of those, the largest |pre-activation| of ours; 0 when none differ */
};

struct nf_verify {
    struct nf_verify_site site[NF_SITE_COUNT];
    uint64_t windows, tokens;
    uint64_t rows;           /* of logits; the next five are about them */
    uint64_t top_same;       /* greatest logit of the same token, lowest id of equals */
    double tv_sum, tv_most;  /* total variation distance of the two next-token distributions: sum over rows, largest */
    double kl_sum;           /* KL of the reference's distribution q to ours p, sum of q ln(q / p), in nats: sum over rows */
};

/*
 * nf_verify_run - read `in`, a stream of kind activations at its first record, to its end, and compare.
 *
 *   opts   dtype and memory of the pass; tap and batch_tokens are set here
 *   p      out
 *
 * NF_EFORMAT: the reference is of another model (a size in its header differs: named), holds a site that the model does not have or some
 * positions only, is truncated or out of order.  NF_EUSAGE, NF_ESYS: nf_forward_open().
 */
int nf_verify_run(const struct nf_config *cfg, const struct nf_weights *w, const struct nf_forward_opts *opts, struct nf_reader *in,
                  struct nf_verify *p, struct nf_err *err);

#endif
