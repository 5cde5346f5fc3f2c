/*
 * weights.h - the weights that rules look at: a model's output end and the rows of its FFNs.  Filled by the caller, who knows the checkpoint.
 */
#ifndef NF_VOCAB_WEIGHTS_H
#define NF_VOCAB_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/tensor.h"

/* The output end of a model.  Tensors of any type of weights.h; data NULL: the model has none.  Borrowed. */
struct nf_output_end {
    size_t V, D;
    struct nf_tensor unembed;       /* [V, E] */
    struct nf_tensor project_out;   /* [E, D] */
    bool final_norm;                /* a norm before the unembedding ... */
    struct nf_tensor gain;          /* ... [D], NULL: 1 */
    bool rms;                       /* norms of this model are RMSNorm, which leaves the mean; false: LayerNorm */
};

/* Vectors of a neuron: what it reads along, what gates it, what it writes. */
enum nf_ffn_map { NF_FFN_IN, NF_FFN_GATE, NF_FFN_OUT };

/* The FFNs of a model. */
struct nf_ffn_rows {
    /* w [n, D]: the vectors of neurons first .. first + n - 1 of the layer, as stored; NF_FFN_GATE only of a gated FFN */
    void (*rows)(void *ctx, size_t layer, enum nf_ffn_map map, size_t first, size_t n, float *w);
    /* gain [D] of the norm through which the FFN reads the stream */
    void (*gain)(void *ctx, size_t layer, float *gain);
    void *ctx;
    bool gated;                     /* activation = act(<gate, x>) * <in, x>; false: act(<in, x>) */
};

#endif
