/*
 * lesion.h - interventions on the order of blocks: which blocks run, in which order, and what is left out of them.
 *
 * An intervention is a list of steps. The unchanged model is the list 0, 1, .., L-1. Source: Lad et
 * al. 2024, arXiv:2406.19384, section 3 (drop, swap, repeat); Sun et al. 2024, "Transformer Layers
 * as Painters", arXiv:2407.09298 (skip, reverse, parallel); "No Free Swap" (replace).
 */
#ifndef NF_MODEL_LESION_H
#define NF_MODEL_LESION_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/forward.h"

enum nf_lesion_kind {
    NF_LESION_NONE,             /* the model itself */
    NF_LESION_DROP,             /* block a is left out: h passes as it is */
    NF_LESION_SWAP,             /* blocks a and a + 1 run in the other order */
    NF_LESION_REPEAT,           /* each of the blocks a .. b-1 runs twice in place: a, a, a+1, a+1, .. */
    NF_LESION_SKIP,             /* blocks a .. b-1 are left out */
    NF_LESION_REVERSE,          /* blocks a .. b-1 run in reverse order */
    NF_LESION_PARALLEL,         /* blocks a .. b-1 all read the stream that enters a; the mean of what they hand on goes on */
    NF_LESION_MOVE,             /* block a is taken out, and put in so that it is the b-th */
    NF_LESION_REPLACE,          /* block b runs in the place of block a, too */
    NF_LESION_DROP_ATTENTION,   /* attention of block a adds nothing */
    NF_LESION_DROP_FFN,         /* the FFN of block a adds nothing */
    NF_LESION_DROP_HEAD,        /* the output of head b of block a is zero */
    NF_LESION_NEURONS,          /* activations of named neurons are set: nf_lesion_neurons() */
    NF_LESION_KINDS,
};

const char *nf_lesion_kind_name(enum nf_lesion_kind kind);   /* "drop", "drop-attention", .. */

struct nf_step {
    size_t layer;
    bool parallel;       /* with the step before: both read what that one read, and the mean of what they hand on goes on */
    struct nf_edit edit;
};

struct nf_lesion {
    enum nf_lesion_kind kind;
    char name[64];       /* "drop 3", "skip 2:5", "drop-head 4.1" */
    size_t a, b;         /* as above; 0 where a kind has none */
    struct nf_step *step;
    size_t n;
    bool *head;          /* [H] what a step's edit points to */
    uint32_t *neuron;    /* [neurons] the same, layer after layer */
    float *value;
};

/*
 * nf_lesion_make - an intervention of one of the kinds but NEURONS.
 *
 * NF_EUSAGE: a layer or head that the model has not; an empty range; a move or replacement that changes nothing.  The message names them.
 * Release with nf_lesion_clear().
 */
int nf_lesion_make(enum nf_lesion_kind kind, size_t a, size_t b, const struct nf_config *cfg, struct nf_lesion *l,
                   struct nf_err *err);

/*
 * nf_lesion_neurons - neurons layer[i], neuron[i], ascending, are set to value[i] at every position.  `name` is copied.
 * NF_EUSAGE: a neuron that the model has not, one twice, or none at all.
 */
int nf_lesion_neurons(const char *name, const uint32_t *layer, const uint32_t *neuron, const float *value, size_t n,
                      const struct nf_config *cfg, struct nf_lesion *l, struct nf_err *err);

void nf_lesion_clear(struct nf_lesion *l);   /* accepts a zeroed struct */

/*
 * nf_lesion_shared - the number of first steps that are equal to those of the model. Their streams
 * need not be computed again.
 */
size_t nf_lesion_shared(const struct nf_lesion *l);

/*
 * nf_lesions_run - run the streams of all interventions through the blocks, layer by layer. The
 * weights of a layer are needed once in each sweep.
 *
 *   h        [L+1] streams [T,D] of the model itself: what enters block l, and what leaves the last
 *   lesion   [n]
 *   x        [n] out, streams [T,D]: what leaves the last step
 *   work     3 streams [T,D] for each lesion with a parallel step, one after the other; NULL when there is none
 *
 * NF_EFORMAT: a stream becomes NaN or infinite (named).  NF_ESYS.
 */
int nf_lesions_run(struct nf_forward *f, const struct nf_windows *win, const float *const *h, const struct nf_lesion *lesion,
                   size_t n, float *const *x, float *work, struct nf_err *err);

bool nf_lesion_is_parallel(const struct nf_lesion *l);

#endif
