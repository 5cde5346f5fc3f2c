/*
 * effects.h - kind "effects": what interventions do to the next-token distributions.  FORMAT.md section 4.6.
 */
#ifndef NF_RECORD_EFFECTS_H
#define NF_RECORD_EFFECTS_H

#include <stddef.h>
#include <stdint.h>

#include "model/compare.h"
#include "model/lesion.h"
#include "stream/writer.h"

/* Measures of an intervention, a row each: x of the model itself, y of the intervened one. */
enum nf_effect_measure {
    NF_EFFECT_KL,             /* KL(p || q), nats */
    NF_EFFECT_AGREE,          /* 1 where both have the same top-1 token, by id; the mean is Lad et al.'s relative accuracy */
    NF_EFFECT_ENTROPY,        /* H(q), bits */
    NF_EFFECT_ENTROPY_CHANGE, /* H(q) - H(p), bits */
    NF_EFFECT_LOSS,           /* of q, nats; NaN at the last position of a window */
    NF_EFFECT_LOSS_CHANGE,    /* loss of q - loss of p: positive is damage */
    NF_EFFECT_COUNT,
};

extern const char *const nf_effect_names[NF_EFFECT_COUNT];   /* keys of the records */

void nf_effects_of(const struct nf_divergence *base, const struct nf_divergence *own, double x[NF_EFFECT_COUNT]);

/* nf_intervention_write - record "intervention", one for each before all others: its number, name, kind, layers and steps. */
void nf_intervention_write(struct nf_writer *out, size_t number, const struct nf_lesion *l);

/* nf_effect_token_write - record "token": one row of one intervention. */
struct nf_effect_token {
    uint64_t doc, window;
    size_t position;
    uint32_t token;           /* at that position; what is predicted is the next */
    const struct nf_divergence *base, *own;
};
void nf_effect_token_write(struct nf_writer *out, size_t intervention, const struct nf_lesion *l, const struct nf_effect_token *t);

#endif
