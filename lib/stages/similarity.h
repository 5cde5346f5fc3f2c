/*
 * similarity.h - how alike the residual streams of the layers are: CKA, cosines, angles, block influence.  FORMAT.md section 4.4: cka,
 * similarity, influence.
 *
 * Points 0 .. L of the residual stream: point l is what enters layer l (site resid.pre of l, or resid.post of l - 1, which is the same),
 * point L what leaves the last layer (resid.post of L - 1).  At each counted position t and for each pair of points i < j
 *
 *   cos(h_i, h_j) = h_i . h_j / sqrt(|h_i|^2 |h_j|^2)         angle = arccos(cos) / pi
 *
 * in double; means over all positions, and over the last one of each window.
 *
 *   angle of points l, l + n, last     d(l, n) of Gromov et al. 2024, arXiv:2403.17887
 *   1 - mean cos of points l, l + 1    block influence of layer l: Men et al. 2024 (ShortGPT), arXiv:2403.03853
 *
 * A position where some point is the zero vector has no cosine. It is left out of all pairs; the
 * record holds how many there were.
 *
 * Groups of the CKA (cka.h), `rows`:
 *   last   the last positions of windows of full length, B windows a group, in the order of the stream, across documents.  Windows
 *          after the last whole group are in none.  A group never spans two streams: the shards of a corpus make other groups than the
 *          whole does, estimates of the same quantity
 *   all    the counted positions of one window, cut into runs of B; runs of fewer than 4 are in none.  The shards of a corpus add up to
 *          the whole
 *
 * Blocks of the jackknife (cka.h). all: by document (doc mod 32), because positions of one document
 * are not independent. last: by a hash of document and window of the first row.
 */
#ifndef NF_STAGES_SIMILARITY_H
#define NF_STAGES_SIMILARITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/stages.h"
#include "numeric/cka.h"
#include "numeric/mergeable_means.h"
#include "record/rows.h"

struct nf_similarity {
    size_t P, D, B;
    bool all;                        /* rows of the CKA */
    size_t context;                  /* length of a full window */
    uint64_t memory;                 /* bytes for the points of a batch */
    struct nf_cka cka;
    uint64_t left_out;               /* merging: of the streams so far */
    float *group;                    /* last: [P, B, D] */
    size_t held;                     /* rows of it */
    size_t block;                    /* it belongs to */
    struct nf_mergeable_means positions, lasts;   /* [2 pairs]: cosines, then angles */
    uint64_t zero, zero_last;

    const struct nf_batch_rows *rows;
    float *x;                        /* [P, R, D] of the batch */
    size_t x_cap;
    size_t *row;                     /* [P] rows of each point so far */
    double *value;                   /* [64, 2 pairs] of a block of rows */
};

/* nf_similarity_open - P points of width D; B rows a group. */
int nf_similarity_open(struct nf_similarity *s, size_t P, size_t D, bool all, size_t B, size_t context, uint64_t memory,
                       struct nf_err *err);
void nf_similarity_close(struct nf_similarity *s);   /* accepts a zeroed struct */
size_t nf_similarity_bytes(size_t P, size_t D, bool all, size_t B);   /* all but the points of a batch */

/*
 * nf_similarity_batch, _rows, _end - a batch, the rows of its points in any order of points, its end.
 *
 * NF_EUSAGE   the points of the batch take more than `memory`
 * NF_EFORMAT  rows out of order, or missing at the end; a value that is not finite or 2^31 or more
 */
int nf_similarity_batch(struct nf_similarity *s, const struct nf_batch_rows *rows, struct nf_err *err);
int nf_similarity_rows(struct nf_similarity *s, size_t point, const struct nf_site_rows *rows, struct nf_err *err);
int nf_similarity_end(struct nf_similarity *s, struct nf_err *err);

void nf_similarity_finish(struct nf_similarity *s);   /* the last document is complete */
int nf_similarity_write(struct nf_similarity *s, struct nf_writer *w, struct nf_err *err);

/* nf_similarity_merge - NF_EOF: not a record of ours.  Records of influence are taken and not used: they follow from the others. */
int nf_similarity_merge(struct nf_similarity *s, const msgpack_object *rec, unsigned *seen, struct nf_err *err);
enum { NF_SIMILARITY_SEEN = 31 };   /* *seen, from 0 before a stream, when all five have come */

#endif
