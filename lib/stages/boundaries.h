/*
 * boundaries.h - where stages of inference end, by rules of thumb.
 *
 * Lad et al. 2024, arXiv:2406.19384, describe four stages and call their boundaries approximate.
 * The rules are ours. Stage s ends before a block: detokenization before b1, feature engineering
 * before b2, prediction ensembling before b3. Residual calibration continues to the last block.
 */
#ifndef NF_STAGES_BOUNDARIES_H
#define NF_STAGES_BOUNDARIES_H

#include <stddef.h>
#include <stdint.h>

enum { NF_BOUNDARIES = 3 };

/* A boundary with what it rests on. */
struct nf_boundary {
    size_t block; /* SIZE_MAX: none */
    double limit; /* what the rule compares with; NaN: the rule could not be applied */
    uint64_t n; /* what the limit is of: blocks, or neurons */
};

/*
 * nf_boundary_sensitive - b1: the first block whose divergence, when it is dropped, is below twice
 * the median over the blocks at relative depth 1/4 to 3/4.
 *
 *   kl     [L] nats; NaN: that block was not left out, and there is no limit
 *   limit  twice the median, n blocks; NaN where they are fewer than two.  No block: not the first nor any other is below it
 */
struct nf_boundary nf_boundary_sensitive(const double *kl, size_t L);

/*
 * nf_boundary_predicting - b2: the first block with which more than 5 % of all prediction neurons have come.
 *
 *   prediction  [L] neurons of the class
 *   limit       5 % of all, n of them; no block: there are none
 */
struct nf_boundary nf_boundary_predicting(const uint64_t *prediction, size_t L);

/*
 * nf_boundary_suppressing - b3: the first block from which on suppression neurons outnumber prediction neurons in every block.
 *
 *   limit  prediction neurons from there on, n suppression neurons; no block: the last has not more of them
 */
struct nf_boundary nf_boundary_suppressing(const uint64_t *prediction, const uint64_t *suppression, size_t L);

/*
 * nf_boundary_descent - the first of the w points between which a curve over points falls furthest, from point `from` on; w: a quarter of the
 * L blocks, at least one.
 *
 *   y      [L + 1] at the points; NaN is never the least
 *   limit  the fall, n = w blocks; no block: it falls nowhere
 */
struct nf_boundary nf_boundary_descent(const double *y, size_t L, size_t from);

#endif
