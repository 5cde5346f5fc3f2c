/*
 * effects.h - kind "effects": what interventions do to the next-token distributions.  FORMAT.md section 4.6.
 */
#ifndef NF_RECORD_EFFECTS_H
#define NF_RECORD_EFFECTS_H

#include <stddef.h>
#include <stdint.h>

#include "record/measures.h"

/* Names of enum nf_lesion_kind, model/lesion.h: "drop", "drop-attention", .. */
enum { NF_INTERVENTION_KINDS = 13 };
extern const char *const nf_intervention_kinds[NF_INTERVENTION_KINDS];

/* "intervention", one for each before all others. */
struct nf_intervention_rec {
    size_t intervention;
    const char *name;                /* "drop 3" */
    unsigned kind;                   /* index into nf_intervention_kinds */
    size_t layer, to;                /* NF_NONE: has none */
    size_t neurons;                  /* how many are set */
    size_t n_steps;
    const char *const *steps;        /* [n_steps] */
    struct nf_mem mem;
};
extern const struct nf_record nf_intervention_record;

/* "token": one row of one intervention. */
struct nf_effect_token_rec {
    size_t intervention;
    const char *name;
    size_t layer;                    /* NF_NONE */
    size_t doc, window, position;
    uint32_t token;                  /* at that position; what is predicted is the next */
    double kl;
    double loss_change, loss_normal, loss_intervened;   /* NaN: no next token in the window */
    uint32_t top_normal, top_intervened;
    double entropy_normal, entropy_intervened;
    struct nf_mem mem;
};
extern const struct nf_record nf_effect_token_record;

/* Measures of an intervention: of p, the distribution of the model itself, and q after the intervention. */
enum nf_effect_measure {
    NF_EFFECT_KL,             /* KL(p || q), nats */
    NF_EFFECT_AGREE,          /* 1 where both have the same top-1 token, by id; the mean is Lad et al.'s relative accuracy */
    NF_EFFECT_ENTROPY,        /* H(q), bits */
    NF_EFFECT_ENTROPY_CHANGE, /* H(q) - H(p), bits */
    NF_EFFECT_LOSS,           /* of q, nats; NaN at the last position of a window */
    NF_EFFECT_LOSS_CHANGE,    /* loss of q - loss of p: positive is damage */
    NF_EFFECT_COUNT,
};

/* "effect": struct nf_means_rec, with m [NF_EFFECT_COUNT]. */
extern const struct nf_record nf_effect_record;

#endif
