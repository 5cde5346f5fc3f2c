/*
 * streams.h - residual streams of a whole batch, kept side by side.
 */
#ifndef NF_MODEL_STREAMS_H
#define NF_MODEL_STREAMS_H

#include <stddef.h>

#include "base/err.h"
#include "model/forward.h"

/* nf_streams_open - n streams of `floats` numbers each, NULL behind the last.  NULL: NF_ESYS.  Release with nf_streams_close(). */
float **nf_streams_open(size_t n, size_t floats, struct nf_err *err);
void nf_streams_close(float **s);   /* accepts NULL */

/* nf_streams_run - h [L+1] streams [T,D]: what enters each block, and what leaves the last.  NF_EFORMAT, NF_ESYS: nf_forward_block(). */
int nf_streams_run(struct nf_forward *f, const struct nf_windows *win, float *const *h, struct nf_err *err);

#endif
