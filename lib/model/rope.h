/*
 * rope.h - rotary positions: query and key turn with their position, so that their product depends
 * on the distance between them.
 *
 *   f_i = theta^(-2i/R), i < R/2;  at position p the pair (x_i, x_{R/2+i}) of a head turns by the angle p f_i; coordinates from R on stay.
 *   LINEAR    f_i / factor
 *   LLAMA3    with n_i = original f_i / 2 pi, the turns within the pretraining's window: f_i / factor where n_i < low, f_i where n_i > high,
 *             and between them (1 - s) f_i / factor + s f_i, s = (n_i - low) / (high - low)
 *
 * Frequencies and angles are float32, as in transformers. At position 2000 the angle of the fastest
 * pairs has an error of up to 1e-4. A model's numbers are right only with the same angles.
 *
 * Source: Su et al. 2021, arXiv:2104.09864, section 3.2.2; scaling: Llama 3, arXiv:2407.21783, and the models' configurations.
 */
#ifndef NF_MODEL_ROPE_H
#define NF_MODEL_ROPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "checkpoint/config.h"

struct nf_rope {
    size_t half, positions;
    float *cosine, *sine; /* [positions, half] */
};

/* nf_rope_init - the angles of positions 0 .. positions - 1.  NF_ESYS: memory.  Release with nf_rope_clear(). */
int nf_rope_init(const struct nf_rope_config *cfg, size_t positions, struct nf_rope *r, struct nf_err *err);
void nf_rope_clear(struct nf_rope *r); /* accepts a zeroed struct */

/* nf_rope_turn - the first `heads` heads, K wide, of every row of x [T,stride]; positions count from 0 in each of the W windows. */
void nf_rope_turn(const struct nf_rope *r, const uint32_t *length, size_t W, size_t heads, size_t K, size_t stride, float *x);

#endif
