/*
 * parameters.h - how many numbers a model has learned, by its configuration.
 */
#ifndef NF_CHECKPOINT_PARAMETERS_H
#define NF_CHECKPOINT_PARAMETERS_H

#include <stdint.h>

#include "checkpoint/config.h"

struct nf_parameters {
    uint64_t embedding;     /* of tokens and learned positions */
    uint64_t unembedding;   /* 0 where it is the embedding; its bias */
    uint64_t other;         /* project_in, project_out, final norm */
    uint64_t all;           /* these, and the blocks: maps, biases, norms, all experts */
};

/* nf_parameters_count - what Hugging Face's num_parameters() returns: a tied unembedding is counted once. */
struct nf_parameters nf_parameters_count(const struct nf_config *cfg);

#endif
