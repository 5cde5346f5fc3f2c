/*
 * position.h - neurons that encode position.  Paper section 5, appendix B.1.
 *
 * A curve is how often a neuron fired at each of T positions over N full windows; fr(p) = curve[p] / N.
 */
#ifndef NF_CLASSIFY_POSITION_H
#define NF_CLASSIFY_POSITION_H

#include <stddef.h>
#include <stdint.h>

#include "classify/classify.h"

/*
 * nf_position_information - mutual information of firing and position, plug-in estimate, nats; in [0, ln 2].
 *
 *   I = 1/T sum_p [ fr(p) ln(fr(p)/fr) + (1-fr(p)) ln((1-fr(p))/(1-fr)) ],  0 ln 0 = 0,  fr = mean of fr(p)
 *
 *   curve  [T]  each <= N
 *
 * Source: section 5.1; positions are uniform because only full windows count.  Natural logarithm: the paper names no base.
 */
double nf_position_information(const uint32_t *curve, size_t T, uint64_t N);

/*
 * nf_position_bias - by how much that estimate is too high where firing does not depend on
 * position: (T-1) / (2 N T), Miller 1955 / Madow.
 */
double nf_position_bias(size_t T, uint64_t N);

/*
 * nf_position_type - type, strength, ranges.  The paper (5.2) describes the types in words; the rules are ours:
 *
 *   The first `skip` positions are left out.  s: moving average of fr, `smooth` wide, narrower at the ends.
 *   oscillatory  max s - min s >= swing, and s goes `cycles` times up and down again: it passes from >= min + high (max - min) to
 *                <= min + low (max - min) and back, two passages a cycle.  Strong: in each phase between the first and the last passage
 *                s comes within edge_strong of 1 or 0.
 *   both, one    runs of >= `run` positions with s <= e (run0) and with s >= 1 - e (run1): both of them, or one.  e = edge_weak;
 *                strong when it also holds with edge_strong.
 *   other        strong when roughness <= rough: the rms of fr - s, less what sampling N windows explains, mean of fr (1-fr) / N.
 *
 *   ranges       where s is above the middle of its range; a range that begins at `skip` is carried on to the left while fr is
 *   scratch      [T] double
 *   range        [T/2 + 1] room for the ranges
 *
 * Fills type .. roughness of *p; T > skip.
 */
void nf_position_type(const struct nf_position_rules *rules, const uint32_t *curve, size_t T, uint64_t N, double *scratch,
                      struct nf_interval *range, struct nf_positional *p);

/*
 * nf_position_first - does it fire only at the first positions: at least first_fires fires over the full windows, and the share first_share of
 * them before position `first`?  Section 5, opening: such neurons were seen, and their information is too small for the threshold.
 */
int nf_position_first(const struct nf_position_rules *rules, const uint32_t *curve, size_t T);

/*
 * nf_position_stable - is the curve the same in every domain?
 *
 *   domain  [Q] -> [B] fires summed over bins of `bin` positions, F apart:  domain[q][b * F]
 *   full    [Q] full windows of each domain; those with fewer than stable_full are left out
 *
 * For each domain the rms over positions of the difference to the pooled curve, less what sampling explains (f (1-f) / (full_q bin)), is
 * compared with stable_rms.  NF_OPEN: fewer than two domains are left.
 */
enum nf_verdict nf_position_stable(const struct nf_position_rules *rules, const uint32_t *curve, size_t T, uint64_t N, size_t bin,
                                   size_t Q, const uint32_t *const *domain, size_t F, const uint64_t *full);

#endif
