/*
 * weights.h - a checkpoint's tensors by their role: mapped, checked, never copied.
 *
 * Every tensor is F32, F16, BF16 or, from GGUF files, of blocks (dequant.h), row-major, not aligned (safetensors promises nothing): widen with
 * nf_tensor_f32() or nf_linear_rows().
 * A linear map is y = W x + b with W [out, in], however the family stores it: linear.h.
 */
#ifndef NF_CHECKPOINT_WEIGHTS_H
#define NF_CHECKPOINT_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "checkpoint/config.h"
#include "checkpoint/linear.h"
#include "tensor/tensor.h"

struct nf_norm {
    struct nf_tensor gain, bias;   /* [D], of a head's norm [K]; data NULL: one, zero */
};

/* One FFN of a mixture. */
struct nf_expert {
    struct nf_linear in, up, out;   /* as ffn_in, ffn_up, ffn_out */
};

struct nf_layer {
    struct nf_norm attn_norm;        /* before attention (pre-norm) or after its residual sum (post-norm) */
    struct nf_linear q, k, v;        /* [H*K, D], [G*K, D], [G*K, D] */
    struct nf_norm q_norm, k_norm;   /* of each head [K], or wide [H*K], [G*K]; none: cfg.qk_norm NONE */
    struct nf_tensor sinks;          /* [H]; none: !cfg.sinks */
    struct nf_linear o;              /* [D, H*K] */
    struct nf_norm attn_out_norm;    /* of what attention gives; none: !cfg.branch_norm */
    struct nf_norm ffn_norm;         /* before the FFN, or after its residual sum; none: cfg.one_norm */
    struct nf_linear ffn_in;         /* [F, D]; gated: the gate, whose output goes into the activation function */
    struct nf_linear ffn_up;         /* [F, D]; none: not gated */
    struct nf_linear ffn_out;        /* [D, F]; a mixture of experts has none of these three */
    struct nf_norm ffn_out_norm;     /* of what the FFN gives; none: !cfg.branch_norm */
    struct nf_linear router;         /* [N, D], N = cfg.experts; none: a layer without experts */
    struct nf_expert *expert;        /* [N]; NULL: a layer without experts */
};

struct nf_weights {
    struct nf_tensor embed;            /* [V, E] */
    struct nf_tensor positions;        /* [max_positions + position_offset, D]; none: not NF_POS_LEARNED */
    struct nf_linear project_in;       /* [D, E]; none: E == D */
    struct nf_linear project_out;      /* [E, D]; none: E == D */
    struct nf_norm final_norm;         /* none: !final_norm */
    struct nf_tensor unembed;          /* [V, E]; the same memory as embed when tied; none: a base model, nf_weights_need_unembed() */
    struct nf_tensor unembed_bias;     /* [V]; none: !bias_head */
    struct nf_layer *layer;            /* [L] */
    struct nf_expert *experts;         /* those of all layers, one after the other; NULL: none */
    size_t bytes;                      /* of all tensors above, as stored, shared ones counted once */
    struct nf_checkpoint *file;        /* the mapped files */
    size_t n_passed;                   /* tensors that play no part */
    char passed[256];                  /* the first few, "a, b, c" */
};

/*
 * nf_weights_open - map the checkpoint of `dir`, find every tensor that `cfg` asks for, check all, and hash all.
 *
 *   dir   a folder with the files of checkpoint.h, or a GGUF file
 *   cfg   from nf_config_read(); weights_sha256 is filled here, and `tied` is set to what the checkpoint holds: an unembedding
 *         equal to the embedding, or none, is tied; one that differs where config.json ties it is refused (versions of transformers disagree)
 *   w     out; release with nf_weights_close()
 *
 * Tensors that no forward pass reads are passed over: buffers that old versions saved, heads of other tasks (classifiers), whatever stands outside the
 * model's prefix.  A checkpoint may lack the unembedding (AutoModel saves none).
 *
 * NF_EFORMAT  nf_checkpoint_open(); a tensor that is missing, doubled, of another shape or type, or stands among the model's without a role
 *             there; NaN or Inf.  The message names the tensor.
 * NF_ESYS     a file cannot be read; memory.
 *
 * weights_sha256 is the SHA-256 of one line a tensor, in byte order of the names, "name dtype shape sha256-of-its-bytes\n", so it does
 * not depend on sharding, on the order in the file or on a name's prefix.  FORMAT.md section 2.
 * Reads every byte once (hash and finiteness in one pass, tensors in parallel) and drops the pages it has seen.
 */
int nf_weights_open(const char *dir, struct nf_config *cfg, struct nf_weights *w, struct nf_err *err);

/* nf_weights_need_unembed - NF_EFORMAT where there is no unembedding: what the checkpoint is, and what makes one that has it. */
int nf_weights_need_unembed(const struct nf_config *cfg, const struct nf_weights *w, struct nf_err *err);

/*
 * nf_difference - number i = 0, 1, .. of what is done differently from what the files say: keys and tensors that are passed over, what counts where a
 * thing is said twice, no unembedding.  One sentence into buf; false: there is no number i.  w NULL: the weights were not opened.
 */
bool nf_difference(const struct nf_config *cfg, const struct nf_weights *w, size_t i, char *buf, size_t size);

/* nf_differences - all of them in one line, "a; b"; returns buf, "" where there is none. */
const char *nf_differences(const struct nf_config *cfg, const struct nf_weights *w, char *buf, size_t size);

/*
 * nf_weights_drop - the pages of `t`, a tensor or rows of one, are not needed soon (it has been packed): nf_map_drop() where it is mapped.
 */
void nf_weights_drop(const struct nf_weights *w, const struct nf_tensor *t);

void nf_weights_close(struct nf_weights *w);   /* accepts a zeroed struct */

#endif
