/*
 * ref_model.h - the forward pass once more, in double, one window, every step a loop; what lib/model/forward.h is held against.
 */
#ifndef NF_TESTS_REF_MODEL_H
#define NF_TESTS_REF_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "model/forward.h"

/*
 * ref_forward - the rows of one site of one layer for a window of T tokens.
 *
 *   w    tensors in F32
 *   out  [T, width of the site] ; FFN_ACTIVE: [T,F] of 0 and 1; PRED without the rank and top-1: [T,2]
 */
void ref_forward(const struct nf_config *cfg, const struct nf_weights *w, const uint32_t *ids, size_t T, enum nf_site site,
                 size_t layer, double *out);

#endif
