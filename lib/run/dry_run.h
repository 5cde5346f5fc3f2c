/*
 * dry_run.h - what a run would compute, hold and write, found out without computing it.
 */
#ifndef NF_RUN_DRY_RUN_H
#define NF_RUN_DRY_RUN_H

#include "run/model_filter.h"

struct nf_cost {
    uint64_t tokens, windows;           /* of the input */
    uint64_t rows;                      /* tokens at the positions that --positions selects */
    struct nf_forward_plan plan;        /* of the pass */
    double maps, attention, ffn, head;  /* FLOP for each token of the input, of all that runs; before COST: of one pass */
    uint64_t held;                      /* set by COST: bytes beside weights and work space of the pass, streams for example */
    json_t *json;                       /* --format json: COST adds to it; NULL: COST prints its lines */
};

/* nf_dry_run - read the input to its end, ask the filter's COST, print.  Steps up to FIT are done. */
int nf_dry_run(const struct nf_model_filter *f, void *self, struct nf_model_run *r);

#endif
