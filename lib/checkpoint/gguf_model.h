/*
 * gguf_model.h - a model in a GGUF file, or in the parts NAME-00001-of-0000N.gguf of one.
 *
 * The first part has all metadata; each part lists its own tensors.
 */
#ifndef NF_CHECKPOINT_GGUF_MODEL_H
#define NF_CHECKPOINT_GGUF_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "checkpoint/gguf.h"

enum { NF_GGUF_ARCH_BYTES = 64 };

struct nf_gguf_model {
    char *path;                      /* of the first part, for messages */
    char arch[NF_GGUF_ARCH_BYTES];   /* general.architecture: "llama" */
    struct nf_gguf *part;            /* [n]; part[0] has the metadata */
    size_t n;
};

/* nf_gguf_is_file - a regular file: where a model is not a directory, it is a GGUF file. */
bool nf_gguf_is_file(const char *path);

/*
 * nf_gguf_model_open - map the file `path` and, when it is one of several parts, all of them.
 *
 * NF_EFORMAT  nf_gguf_open(); no general.architecture; a file that is no model (an adapter, a vision tower); a part whose name, number or
 *             count does not fit; tensors missing or in two parts
 * NF_ESYS     a file cannot be read; memory
 *
 * Release with nf_gguf_model_close().
 */
int nf_gguf_model_open(const char *path, struct nf_gguf_model *m, struct nf_err *err);
void nf_gguf_model_close(struct nf_gguf_model *m);   /* accepts a zeroed struct */

const struct nf_tf_entry *nf_gguf_model_tensor(const struct nf_gguf_model *m, const char *name);   /* NULL: not there */

/* nf_gguf_model_key - the value of "ARCH.suffix"; NULL: not there. */
const struct nf_gguf_value *nf_gguf_model_key(const struct nf_gguf_model *m, const char *suffix);

/* nf_gguf_model_name - the file's name without .gguf and without the number of its part. */
void nf_gguf_model_name(const char *path, char *buf, size_t size);

#endif
