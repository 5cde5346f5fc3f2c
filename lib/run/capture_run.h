/*
 * capture_run.h - the model once over every batch of windows, what it shows at the chosen sites written: what the filter forward-capture does.
 */
#ifndef NF_RUN_CAPTURE_RUN_H
#define NF_RUN_CAPTURE_RUN_H

#include "run/model_filter.h"

struct nf_capture_options {
    struct nf_list sites;    /* names; empty: ffn.active */
    struct nf_range layers;
    bool half;               /* real-valued sites as f16 */
    double near_zero;        /* pre-activations below this are counted */
    uint64_t batch_tokens;   /* tokens of a batch; 0: chosen */
};

extern const struct nf_model_filter nf_capture_filter;   /* options: struct nf_capture_options */

#endif
