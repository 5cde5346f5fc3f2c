/*
 * config.h - what a checkpoint is: the sizes and switches that drive the one forward pass.
 *
 * A family is a table from config.json keys to these fields and from tensor names to weights; there is no second forward pass.
 */
#ifndef NF_MODEL_CONFIG_H
#define NF_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum nf_family { NF_FAMILY_OPT };
enum nf_positions { NF_POS_NONE, NF_POS_LEARNED };
enum nf_act { NF_ACT_RELU };

struct nf_config {
    enum nf_family family;
    char architecture[64];     /* "OPTForCausalLM" */
    char name[128];            /* last part of the path, for people */
    size_t L, D, H, K, F, V;   /* K = D / H */
    size_t E;                  /* embedding width; != D: project_in and project_out (OPT-350m) */
    size_t max_positions;      /* windows longer than this are refused; SIZE_MAX without positions */
    enum nf_positions positions;
    size_t position_offset;    /* position p reads row p + offset (OPT: 2) */
    enum nf_act act;
    bool pre_norm;             /* LayerNorm before attention and FFN; false: after the residual sum (OPT-350m) */
    bool final_norm;           /* LayerNorm after the last block */
    bool norm_affine;          /* gain and bias present */
    bool bias;                 /* linear maps have biases */
    bool tied;                 /* unembedding is the embedding; checked by nf_weights_open() */
    double norm_eps;
    int64_t bos_id;            /* -1: none */
    char config_sha256[65], weights_sha256[65];
};

/*
 * nf_config_read - read dir/config.json.
 *
 * NF_EFORMAT  no JSON, a key twice, an impossible size, an architecture or a value that is not implemented (named).  Nothing is guessed: a
 *             key that is neither used nor known not to matter is refused by name; null counts as missing.
 * NF_ESYS     the file cannot be read
 *
 * A missing key has the value that transformers gives it.  One key is ours: "position_embedding_type": "none" stands for an OPT model
 * without position embeddings, which transformers cannot express; its checkpoint must hold no embed_positions.
 * weights_sha256 is left empty: nf_weights_open() fills it.
 */
int nf_config_read(const char *dir, struct nf_config *cfg, struct nf_err *err);

/* nf_config_parse - the same from memory; `path` is for messages, `name` is left as it is. */
int nf_config_parse(const char *text, size_t size, const char *path, struct nf_config *cfg, struct nf_err *err);

#endif
