/*
 * checkpoint.h - the tensor files of a model directory, mapped.
 */
#ifndef NF_MODEL_CHECKPOINT_H
#define NF_MODEL_CHECKPOINT_H

#include <stddef.h>

#include "base/err.h"
#include "model/safetensors.h"

struct nf_checkpoint {
    struct nf_st *st;   /* [n] one file, or the shards in byte order of their names */
    size_t n;
};

/*
 * nf_checkpoint_open - model.safetensors, or else model.safetensors.index.json and every shard that it names.
 *
 * NF_EFORMAT  none of them there (a pytorch_model.bin is named, with what to do); nf_st_open(); a tensor in two shards, in the index but in no
 *             shard, or in a shard but not in the index; a shard outside the directory
 * NF_ESYS     a file cannot be read; memory
 *
 * Returns the checkpoint (caller: nf_checkpoint_close()) or NULL.
 */
struct nf_checkpoint *nf_checkpoint_open(const char *dir, struct nf_err *err);

struct nf_st_entry *nf_checkpoint_find(const struct nf_checkpoint *c, const char *name);   /* NULL: not there */

void nf_checkpoint_close(struct nf_checkpoint *c);   /* accepts NULL */

#endif
