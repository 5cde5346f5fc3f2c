/*
 * lens.h - kind "lens": next-token distributions at points of the residual stream.  FORMAT.md section 4.7.
 */
#ifndef NF_RECORD_LENS_H
#define NF_RECORD_LENS_H

#include <stddef.h>
#include <stdint.h>

#include "record/measures.h"

/* "point", one for each before all others. */
struct nf_point_rec {
    size_t point;
    const char *name;                /* "3", "3.mid" */
    size_t layer;
    double depth;                    /* layer / L, half a layer on for mid */
    struct nf_mem mem;
};
extern const struct nf_record nf_point_record;

/* "token": one row of one point. */
struct nf_lens_token_rec {
    size_t point;
    size_t doc, window, position;
    uint32_t token, top;             /* at that position; top-1 of the lens */
    double kl, agree, entropy;
    double loss, rank;               /* NaN: no next token in the window */
    size_t k;                        /* most probable tokens, highest first; 0: not asked for */
    const uint32_t *top_ids;         /* NULL: none */
    const float *top_p;
    struct nf_mem mem;
};
extern const struct nf_record nf_lens_token_record;

/* "part": of the last stream. */
struct nf_part_rec {
    size_t part;
    const char *name;                /* "embed", "attn.3", "ffn.3", "bias", "total" */
    size_t layer;                    /* NF_NONE */
    struct nf_mem mem;
};
extern const struct nf_record nf_part_record;

/* "parts": what each of n parts gives to the logit at one row. */
struct nf_parts_rec {
    size_t doc, window, position;
    uint32_t token;
    size_t n;
    const void *logit;               /* f4[n] */
};
extern const struct nf_record nf_parts_record;

/* Measures of a point, a row each: p of the model's output, q of the lens. */
enum nf_lens_measure {
    NF_LENS_KL,        /* KL(p || q), nats */
    NF_LENS_AGREE,     /* 1 where both have the same top-1 token, by id */
    NF_LENS_ENTROPY,   /* H(q), bits */
    NF_LENS_LOSS,      /* of q, nats; NaN at the last position of a window */
    NF_LENS_RANK,      /* of the next token under q, 0 the top; NaN as the loss */
    NF_LENS_COUNT,
};

/* "lens": struct nf_means_rec, with m [NF_LENS_COUNT];  "attribution": the same, with m [1], the logit. */
extern const struct nf_record nf_lens_record, nf_attribution_record;

#endif
