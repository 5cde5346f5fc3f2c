/*
 * models.h - groups the streams of a report by model, and finds where its stages end.
 */
#ifndef NF_REPORT_MODELS_H
#define NF_REPORT_MODELS_H

#include "stages/boundaries.h"
#include "report/stage_input.h"

/* One model of the stages of inference. */
struct nf_model_streams {
    const char *name; /* of the first of its streams */
    size_t L;
    const struct nf_stage_input *of[NF_STAGE_KINDS]; /* NULL: no such stream */
    struct nf_boundary end[NF_BOUNDARIES]; /* of each stage but the last; limit NaN where its stream is missing */
    bool ordered; /* those that there are come in the order of the stages */
};

/*
 * nf_models_of - group n streams by model: equal digests of configuration and weights where both have them, else equal names.  A second stream
 * of one kind begins a model of its own.
 *
 *   models  out: room for n
 *   returns their number; the streams are borrowed.  -1: no memory
 */
long nf_models_of(const struct nf_stage_input *streams, size_t n, struct nf_model_streams *models);

/* nf_layer_reals - a measure of the things of a kind ("": any), by their layer: x [n], NaN where there is none. */
void nf_layer_reals(const struct nf_stage_input *run, const char *kind, const char *measure, double *x, size_t n);

#endif
