/*
 * lesion_run.h - interventions on every batch of windows, their predictions beside the model's own: what the filter lesion does.
 *
 * The model runs once and its streams are kept; an intervention runs from the first block on that it changes.  Interventions go through a
 * layer together, so that its weights are needed once for all: as many at a time as --memory holds.
 */
#ifndef NF_RUN_LESION_RUN_H
#define NF_RUN_LESION_RUN_H

#include "model/lesion.h"
#include "run/model_filter.h"

struct nf_lesion_options {
    struct nf_list text[NF_LESION_KINDS];   /* by kind: interventions.h */
    struct nf_list neuron, classes;         /* "L.N"; classes of neurons */
    const char *neurons, *stats;            /* streams in files: the classes; the means */
    bool at_mean;                           /* neurons are set to their mean, not to zero */
    bool include_bos;                       /* rows at the BOS position count, too */
    bool per_token;                         /* a record of every row */
};

extern const struct nf_model_filter nf_lesion_filter;   /* options: struct nf_lesion_options */

#endif
