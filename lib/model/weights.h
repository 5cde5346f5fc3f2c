/*
 * weights.h - a checkpoint's tensors by their role: mapped, checked, never copied.
 *
 * Every tensor is F32, F16 or BF16, row-major, not aligned (safetensors promises nothing): widen with nf_to_f32() or pack with
 * gemm.h.  A linear map is stored [out, in], y = W x + b, as PyTorch does.
 */
#ifndef NF_MODEL_WEIGHTS_H
#define NF_MODEL_WEIGHTS_H

#include <stddef.h>

#include "base/err.h"
#include "model/config.h"
#include "tensor/tensor.h"

/* A tensor that the architecture does not have (a bias, a gain, a projection) has data NULL. */
struct nf_linear {
    struct nf_tensor w;   /* [out, in] */
    struct nf_tensor b;   /* [out] */
};

struct nf_norm {
    struct nf_tensor gain, bias;   /* [D] */
};

struct nf_layer {
    struct nf_norm attn_norm;          /* before attention (pre-LN) or after its residual sum (post-LN) */
    struct nf_linear q, k, v, o;       /* [D, D]; head h is rows (q, k, v) or columns (o) h*K .. h*K+K-1 */
    struct nf_norm ffn_norm;           /* before the FFN, or after its residual sum */
    struct nf_linear ffn_in, ffn_out;  /* [F, D], [D, F] */
};

struct nf_weights {
    struct nf_tensor embed;            /* [V, E] */
    struct nf_tensor positions;        /* [max_positions + position_offset, D]; none: NF_POS_NONE */
    struct nf_linear project_in;       /* [D, E]; none: E == D */
    struct nf_linear project_out;      /* [E, D]; none: E == D */
    struct nf_norm final_norm;         /* none: !final_norm */
    struct nf_tensor unembed;          /* [V, E]; the same memory as embed when tied */
    struct nf_layer *layer;            /* [L] */
    size_t bytes;                      /* of all tensors above, as stored, shared ones counted once */
    struct nf_checkpoint *file;        /* the mapped files */
};

/*
 * nf_weights_open - map the safetensors of `dir`, find every tensor that `cfg` asks for, check all, and hash all.
 *
 *   dir   a folder with model.safetensors, or model.safetensors.index.json and its shards
 *   cfg   from nf_config_read(); weights_sha256 is filled here, and `tied` is set to what the checkpoint holds: an lm_head.weight
 *         equal to the embedding, or none, is tied; one that differs where config.json ties it is refused (versions of transformers disagree)
 *   w     out; release with nf_weights_close()
 *
 * NF_EFORMAT  no safetensors file; header corrupt, over 100 MB, or its offsets overlap or leave the file; a tensor that is missing,
 *             doubled, of another shape or type, or unknown within the decoder; NaN or Inf.  The message names the tensor.
 * NF_ESYS     a file cannot be read; memory.
 *
 * weights_sha256 is the SHA-256 of one line a tensor, in byte order of the names, "name dtype shape sha256-of-its-bytes\n", so it does
 * not depend on sharding, on the order in the file or on a name's prefix.  FORMAT.md section 2.
 * Reads every byte once (hash and finiteness in one pass, tensors in parallel) and drops the pages it has seen.
 */
int nf_weights_open(const char *dir, struct nf_config *cfg, struct nf_weights *w, struct nf_err *err);

/*
 * nf_weights_drop - the pages of `t` are not needed soon (it has been packed): give their memory back.  They return from the file when
 * touched again.  Never changes a value.
 */
void nf_weights_drop(const struct nf_weights *w, const struct nf_tensor *t);

void nf_weights_close(struct nf_weights *w);   /* accepts a zeroed struct */

#endif
