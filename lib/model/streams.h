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

/*
 * nf_streams_fit - divide opts->memory between streams and the forward pass.
 *
 *   each   bytes that the streams take for a token of a batch
 *   room   bytes that the streams may take at most, but for one window of `context`, which they get in any case
 *   opts   memory in: of all (0: no limit), out: what the pass may take; batch_tokens out: tokens of a batch, the more the better up to
 *          NF_STREAMS_TOKENS, at least one window
 *
 * NF_EUSAGE: not even one window fits (the message says what it takes).
 */
enum { NF_STREAMS_TOKENS = 4096 };
int nf_streams_fit(const struct nf_config *cfg, size_t context, uint64_t each, uint64_t room, struct nf_forward_opts *opts,
                   struct nf_err *err);

/* nf_streams_run - h [L+1] streams [T,D]: what enters each block, and what leaves the last.  NF_EFORMAT, NF_ESYS: nf_forward_block(). */
int nf_streams_run(struct nf_forward *f, const struct nf_windows *win, float *const *h, struct nf_err *err);

#endif
