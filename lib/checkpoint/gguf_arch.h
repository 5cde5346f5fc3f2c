/*
 * gguf_arch.h - architectures of GGUF files: the configuration that their metadata stand for.
 *
 * An architecture is a row of the table in gguf_arch.c: the model_type of transformers that it is, and which keys become which.  The rest,
 * from the checks of config.json to the forward pass, is the family's (family.h).
 *
 * What the file does not say, and transformers needs, is what llama.cpp takes: a base of 10000 where rope.freq_base is missing; every second
 * layer of Gemma 2 and five of six of Gemma 3 with a window; no rotary positions in every fourth layer of SmolLM3; scores of the 27B
 * models of Gemma divided by sqrt(D / H).  The window of Mistral 7B 0.1 is in no GGUF file: such a model attends to all positions.
 *
 * Sources: github.com/ggml-org/ggml docs/gguf.md; github.com/ggml-org/llama.cpp, conversion/ and src/models/.
 */
#ifndef NF_CHECKPOINT_GGUF_ARCH_H
#define NF_CHECKPOINT_GGUF_ARCH_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "checkpoint/config.h"
#include "checkpoint/gguf_model.h"

/*
 * nf_gguf_config - the config.json of the model.  New reference, or NULL:
 *
 * NF_EFORMAT  an architecture that is not known; a key of it that is not known, or a value that is not implemented (both named with the value); a
 *             key or tensor missing
 * NF_ESYS     memory
 */
json_t *nf_gguf_config(const struct nf_gguf_model *m, struct nf_err *err);

/*
 * nf_gguf_config_read - nf_config_read() of a GGUF file.  config_sha256 is that of the text of nf_gguf_config(), keys in order; name that of
 * the file.  norm_plus_one is false: a GGUF file holds 1 + w where the checkpoint of a Gemma holds w.
 */
int nf_gguf_config_read(const char *path, struct nf_config *cfg, struct nf_err *err);

/* nf_gguf_is_paired - whether query and key rows of this architecture are stored in pairs, for llama.cpp's rotary positions. */
bool nf_gguf_is_paired(const char *arch);

#endif
