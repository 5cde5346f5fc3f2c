/*
 * ratios.h - what a block adds to the residual stream, relative to it.  FORMAT.md section 4.4: ratio.
 *
 * From a row of site norms, for residual stream h = resid.pre, attention A, FFN M, block F = A + M (Csordas et al. 2025,
 * arXiv:2505.13898):
 *
 *   |A| / |h|   |M| / |h|   |F| / |h|   |M| / |A|   cos(F, h)   cos(A, h)   cos(h, h')   |A|   |M|   |F|   |h|       h' = resid.post
 *
 * |M| over depth is figure 10 of Lad et al. 2024, arXiv:2406.19384. Here it is of the streams as
 * the model has them; the authors' library first subtracts the mean over D from every row.
 *
 * These are means of the ratios of each position. The ratio of the mean norms, which moments of the
 * site give, is another number: long vectors weigh more in it. A ratio with divisor 0, and a cosine
 * with h = 0, is left out.
 */
#ifndef NF_STAGES_RATIOS_H
#define NF_STAGES_RATIOS_H

#include "numeric/mergeable_means.h"

/* nf_ratios_row - add a position; norms [8] as in FORMAT.md section 4.3. */
void nf_ratios_row(const float *norms, struct nf_mergeable_means *m);

#endif
