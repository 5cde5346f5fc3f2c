/*
 * checkpoint.h - the tensor files of a model directory, or the parts of a GGUF file, mapped.
 */
#ifndef NF_CHECKPOINT_CHECKPOINT_H
#define NF_CHECKPOINT_CHECKPOINT_H

#include <stddef.h>

#include "base/err.h"
#include "checkpoint/tensorfile.h"

struct nf_checkpoint {
    struct nf_tf *file;   /* [n] one file, or the shards in byte order of their names */
    size_t n;
    char *gguf;           /* of GGUF files: general.architecture; else NULL */
};

/*
 * nf_checkpoint_open - the first that is there of model.safetensors, model.safetensors.index.json and every shard that it names,
 * pytorch_model.bin, pytorch_model.bin.index.json and every shard that it names: the order of transformers.
 *
 * `dir` may also be a GGUF file: it and the other parts that it belongs to.
 *
 * NF_EFORMAT  none of them there; nf_st_open(), nf_torch_open(), nf_gguf_model_open(); a tensor in two shards, in the index but in no
 *             shard, or in a shard but not in the index; a shard outside the directory
 * NF_ESYS     a file cannot be read; memory
 *
 * Returns the checkpoint (caller: nf_checkpoint_close()) or NULL.
 */
struct nf_checkpoint *nf_checkpoint_open(const char *dir, struct nf_err *err);

struct nf_tf_entry *nf_checkpoint_find(const struct nf_checkpoint *c, const char *name);   /* NULL: not there */

void nf_checkpoint_close(struct nf_checkpoint *c);   /* accepts NULL */

#endif
