/*
 * gguf_tensors.h - how the tensors of a family are named and stored in a GGUF file.
 *
 * The names are the same for all architectures, and every matrix is [out, in], so one table of roles serves all families: a slot of the
 * family's table (family.h) gets the name of its role.  Query, key and value are one matrix where attn_qkv is there; gate and up are one
 * where ffn_gate is not.
 */
#ifndef NF_CHECKPOINT_GGUF_TENSORS_H
#define NF_CHECKPOINT_GGUF_TENSORS_H

#include "base/err.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/family.h"

enum { NF_GGUF_SLOTS = 64 };

struct nf_gguf_slots {
    struct nf_tensors tensors;   /* of the three tables below */
    struct nf_slot model[NF_GGUF_SLOTS], layer[NF_GGUF_SLOTS], expert[NF_GGUF_SLOTS];
};

/*
 * nf_gguf_tensors - the table of the family of `cfg` in GGUF's names, for the tensors that are in `c`.  NF_EFORMAT: a role of the family for
 * which GGUF has no name.
 */
int nf_gguf_tensors(const struct nf_config *cfg, const struct nf_checkpoint *c, struct nf_gguf_slots *s, struct nf_err *err);

#endif
