/*
 * lens.h - kind "lens": next-token distributions at points of the residual stream.  FORMAT.md section 4.7.
 */
#ifndef NF_RECORD_LENS_H
#define NF_RECORD_LENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/attribute.h"
#include "model/compare.h"
#include "stream/writer.h"

/* The stream that enters block `layer` (L: that leaves the last); mid: between its attention and its FFN. */
struct nf_point {
    size_t layer;
    bool mid;
};

/* Measures of a point, a row each: p of the model's output, q of the lens. */
enum nf_lens_measure {
    NF_LENS_KL,        /* KL(p || q), nats */
    NF_LENS_AGREE,     /* 1 where both have the same top-1 token, by id */
    NF_LENS_ENTROPY,   /* H(q), bits */
    NF_LENS_LOSS,      /* of q, nats; NaN at the last position of a window */
    NF_LENS_RANK,      /* of the next token under q, 0 the top; NaN as the loss */
    NF_LENS_COUNT,
};

extern const char *const nf_lens_names[NF_LENS_COUNT];   /* keys of the records */

void nf_lens_of(const struct nf_divergence *final, const struct nf_divergence *own, double x[NF_LENS_COUNT]);

/* nf_point_write - record "point", one for each before all others; depth is layer / L, half a layer on for mid. */
void nf_point_write(struct nf_writer *out, size_t number, const struct nf_point *p, size_t L);

/* nf_lens_token_write - record "token": one row of one point. */
struct nf_lens_token {
    uint64_t doc, window;
    size_t position;
    uint32_t token;   /* at that position; what is predicted is the next */
    const struct nf_divergence *final, *own;
    size_t k;         /* most probable tokens, highest first; 0: not asked for */
    const uint32_t *top;
    const float *top_p;
};
void nf_lens_token_write(struct nf_writer *out, size_t point, const struct nf_lens_token *t);

/* nf_part_write - record "part", one for each behind the points; name: "embed", "attn.3", "ffn.3", "bias", "total". */
void nf_part_write(struct nf_writer *out, size_t number, const struct nf_part *p);

/* nf_parts_write - record "parts": what each of n parts gives at one row, value[i] of part i. */
void nf_parts_write(struct nf_writer *out, const struct nf_lens_token *t, const float *value, size_t n);

#endif
