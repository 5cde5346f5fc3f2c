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
 * The index names the shards; their tensors count as they are there, whatever it says of each.  A tensor that is in two shards with the same bytes
 * is the one of the first shard, and marked as used in the others.
 *
 * `dir` may also be a GGUF file: it and the other parts that it belongs to.
 *
 * NF_EFORMAT  none of them there (what is there instead is named); nf_st_open(), nf_torch_open(), nf_gguf_model_open(); a tensor in two shards, with different bytes; a
 *             shard outside the directory
 * NF_ESYS     a file cannot be read; memory
 *
 * Returns the checkpoint (caller: nf_checkpoint_close()) or NULL.
 */
struct nf_checkpoint *nf_checkpoint_open(const char *dir, struct nf_err *err);

struct nf_tf_entry *nf_checkpoint_find(const struct nf_checkpoint *c, const char *name);   /* NULL: not there */

void nf_checkpoint_close(struct nf_checkpoint *c);   /* accepts NULL */

#endif
