/*
 * lens_run.h - what the model would predict from points of its residual stream: what the filter logit-lens does.
 *
 * Points: the stream that enters each block and the one that leaves the last; with `mid` those between attention and FFN, too.  They come
 * from the model, which runs on tokens, or out of captured activations.
 */
#ifndef NF_RUN_LENS_RUN_H
#define NF_RUN_LENS_RUN_H

#include "run/model_filter.h"

struct nf_lens_options {
    const char *tuned;           /* folder of a tuned lens; NULL: none */
    uint64_t top_k;              /* with per_token: most probable tokens of a row */
    bool cached, no_bias;        /* legacy lenses: struct nf_lens; the last point is then a point like the others, not the model's output */
    bool mid, attribute;
    bool include_bos;            /* rows at the BOS position count, too */
    bool with_next;              /* only rows that have a next token count */
    bool per_token;              /* a record of every row */
};

extern const struct nf_model_filter nf_lens_filter;   /* options: struct nf_lens_options */

#endif
