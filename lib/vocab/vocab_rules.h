/*
 * vocab_rules.h - the rules that give neurons a class by the effect of their weights on the
 * vocabulary.
 *
 * Source: Gurnee et al. 2024 (arXiv 2401.12181), whose thresholds Lad et al. 2024 (arXiv 2406.19384) take over.  "ours": no paper gives the number.
 */
#ifndef NF_VOCAB_VOCAB_RULES_H
#define NF_VOCAB_VOCAB_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum nf_vocabulary { NF_VOCABULARY_ALL, NF_VOCABULARY_TOKENIZER, NF_VOCABULARY_NONE };

struct nf_vocab_rules {
    enum nf_vocabulary vocabulary;
    bool raw_product;          /* products with the columns as they are, instead of cosines */
    double kurtosis;           /* prediction and suppression above this: 10 */
    double partition;          /* variance above this: 0.005 */
    /* Entropy neurons: heuristic.  Gurnee et al. query the last two layers for large norms and small variance, with numbers for each model. */
    uint64_t entropy_layers;   /* last layers: 2 */
    double entropy_norm;       /* ours: quantile of the layer's squared norms that a neuron reaches */
    double entropy_var;        /* ours: its variance is at most this share of the layer's median */
    uint64_t null_space;       /* weakest directions of the unembedding: 40, Stolfo et al. 2024 (arXiv 2406.16254) */
    double frequency;          /* ours: token-frequency from this |correlation| */
};

#endif
