/*
 * ffn_gain.h - the gain of the norm that the residual stream goes through on its way into an FFN.
 */
#ifndef NF_CHECKPOINT_FFN_GAIN_H
#define NF_CHECKPOINT_FFN_GAIN_H

#include "checkpoint/weights.h"

/*
 * nf_ffn_gain - gain [D] out.
 *
 *   norm before attention and FFN   the FFN's own norm, or the block's only one (Phi)
 *   norm after the sums             the norm of the sum of stream and attention, which the FFN reads (OPT-350m)
 *   norm of the branches alone      1: the FFN reads the stream as it is (OLMo 2)
 */
void nf_ffn_gain(const struct nf_config *cfg, const struct nf_weights *w, size_t layer, float *gain);

#endif
