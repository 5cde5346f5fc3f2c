/*
 * interventions.h - what --drop, --swap, --neuron and the like say: text to interventions.
 *
 *   options                            text    interventions
 *   drop swap drop-attention drop-ffn  L       one, of block L
 *                                      A-B     one of each of the blocks A to B, B too
 *                                      all     one of each block that can (swap: all but the last)
 *   drop-head                          L.H     one, of head H of block L
 *                                      L.A-B   one of each of the heads A to B
 *                                      L.all   one of each head of block L
 *                                      all     one of each head of each block
 *   skip reverse parallel move replace A:B     one; what A and B are: model/lesion.h
 *   repeat                             N       one of each place where N blocks in a row fit
 *
 * Blocks and heads are counted from 0.  A list "0,3-5,all" is cut at its commas before: NF_OPT_LIST.
 */
#ifndef NF_RUN_INTERVENTIONS_H
#define NF_RUN_INTERVENTIONS_H

#include <stddef.h>

#include "base/err.h"
#include "model/lesion.h"

enum { NF_INTERVENTIONS_MAX = 100000 };

/* A zeroed struct is empty. */
struct nf_interventions {
    struct nf_lesion *item;   /* [n] */
    size_t n, cap;
};

/* nf_interventions_new - a zeroed one at the end; NULL: NF_EUSAGE, there are NF_INTERVENTIONS_MAX; NF_ESYS. */
struct nf_lesion *nf_interventions_new(struct nf_interventions *all, struct nf_err *err);

/*
 * nf_interventions_add - those of one text, of a kind but NEURONS; NONE: the model itself, text is not read.
 *
 * NF_EUSAGE  not as above; a block or head that the model has not; what changes nothing; too many.  Names option, text and what is expected
 */
int nf_interventions_add(struct nf_interventions *all, enum nf_lesion_kind kind, const char *text, const struct nf_config *cfg,
                         struct nf_err *err);

/* nf_read_pair - "3:5" or "4.1": two numbers with a character between them, and nothing else.  Those that no size_t holds are its largest. */
bool nf_read_pair(const char *text, char between, size_t *a, size_t *b);

void nf_interventions_clear(struct nf_interventions *all);

#endif
