/*
 * config.h - describes a checkpoint: the sizes and switches that drive the forward pass.
 *
 * A family is a table from config.json keys to these fields and from tensor names to weights (family.h); there is no second forward pass, and
 * no code outside family/ asks which family a model is of.
 */
#ifndef NF_CHECKPOINT_CONFIG_H
#define NF_CHECKPOINT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Formulas: nf_activate() in ops.h. */
enum nf_act { NF_ACT_RELU, NF_ACT_GELU, NF_ACT_GELU_TANH, NF_ACT_SILU, NF_ACT_RELU2, NF_ACT_QUICK_GELU, NF_ACT_COUNT };
enum nf_positions { NF_POS_NONE, NF_POS_LEARNED, NF_POS_ROTARY, NF_POS_ALIBI };
enum nf_norm_kind { NF_NORM_NONE, NF_NORM_LAYER, NF_NORM_RMS };
enum nf_rope_kind { NF_ROPE_DEFAULT, NF_ROPE_LINEAR, NF_ROPE_LLAMA3 };

/* Rotary positions: how far a pair of coordinates turns with each position; rope.h. */
struct nf_rope_config {
    enum nf_rope_kind kind;
    size_t R;           /* first coordinates of a head that turn, even; the others stay */
    double theta;       /* base of the frequencies */
    double factor;      /* LINEAR, LLAMA3: positions are stretched by it */
    double low, high;   /* LLAMA3: turns within `original` positions below and above which all and nothing is stretched */
    size_t original;    /* LLAMA3: positions of the pretraining */
};

/* What one layer does differently from the others; bits. */
enum nf_layer_switch {
    NF_LAYER_WINDOW = 1,       /* attends to the last `window` positions only */
    NF_LAYER_UNTURNED = 2,     /* rotary: its queries and keys do not turn (SmolLM3) */
    NF_LAYER_LOCAL_ROPE = 4,   /* rotary: they turn by rope_local (Gemma 3) */
    NF_LAYER_EXPERTS = 8,      /* its FFN is a mixture of experts */
};

enum { NF_LAYERS_MAX = 1 << 12 };

struct nf_family;   /* family.h */

/* A switch that is 0 is off: the factors, the caps and the counts too. */
struct nf_config {
    const struct nf_family *family;
    bool wrapped;              /* the text model of a multimodal one: text_config of its config.json */
    char architecture[64];     /* "OPTForCausalLM" */
    char name[128];            /* last part of the path, or of the model's name on the Hub, for people */
    char revision[65];         /* commit of a snapshot in the Hub cache; "" */
    size_t L, D, F, V;
    size_t H, G, K;            /* query heads; key and value heads, H / G query heads share one; width of a head.  H * K may differ from D */
    size_t E;                  /* embedding width; != D: project_in and project_out (OPT-350m) */
    size_t max_positions;      /* windows longer than this are refused; SIZE_MAX without positions */
    enum nf_positions positions;
    size_t position_offset;    /* learned: position p reads row p + offset (OPT: 2) */
    struct nf_rope_config rope;
    struct nf_rope_config rope_local;   /* of the layers with NF_LAYER_LOCAL_ROPE */
    enum nf_act act;
    bool gated;                /* FFN is out(act(gate(x)) * up(x)); false: out(act(in(x))) */
    bool parallel;             /* attention and FFN both read the stream that enters the block */
    bool one_norm;             /* parallel: and both through the same norm (Phi) */
    bool pre_norm;             /* norm before attention and FFN; false, and no branch_norm: after the residual sum (OPT-350m) */
    bool branch_norm;          /* norm of what attention and FFN give, before it is added (Gemma 2 and 3, OLMo 2 and 3) */
    bool final_norm;           /* norm after the last block */
    bool norm_affine;          /* gain, and for LayerNorm bias, present */
    bool norm_plus_one;        /* the gain is 1 + what is stored (Gemma) */
    enum nf_norm_kind norm;    /* LAYER or RMS */
    enum nf_norm_kind qk_norm;   /* of each head's query and key, before they turn */
    bool qk_norm_wide;           /* of all queries together and all keys together, not of each head (OLMo 2) */
    double norm_eps;
    bool bias_qkv, bias_o, bias_ffn, bias_head;   /* linear maps that have biases */
    bool scale_scores;         /* scores are divided by sqrt K (GPT-Neo: not) */
    bool scale_by_layer;       /* and by layer + 1 (GPT-2's scale_attn_by_inverse_layer_idx) */
    double score_scale;        /* scores are multiplied by it; 0: as scale_scores says (Gemma, Granite) */
    double score_cap, logit_cap;   /* x becomes cap tanh(x / cap) (Gemma 2) */
    bool sinks;                /* a learned score a head joins the softmax and has no value (GPT-OSS) */
    double embed_scale;        /* the embedding is multiplied by it (Gemma: sqrt D; Granite) */
    double branch_scale;       /* what attention and FFN give is multiplied by it (Granite: residual_multiplier) */
    double logit_divisor;      /* logits are divided by it (Granite: logits_scaling) */
    size_t experts;            /* FFNs of a layer with NF_LAYER_EXPERTS, each F wide */
    size_t experts_used;       /* of them for one position */
    size_t window;             /* positions that a layer with NF_LAYER_WINDOW attends to, its own included; 0: no such layer */
    unsigned char layer[NF_LAYERS_MAX];   /* [L] enum nf_layer_switch */
    bool tied;                 /* unembedding is the embedding; checked by nf_weights_open() */
    int64_t bos_id;            /* -1: none */
    char config_sha256[65], weights_sha256[65];
    char passed[512];          /* keys of config.json that play no part here: "a, b"; cut with ".." */
    char taken[512];           /* what counts where config.json says a thing twice: "a 1 counts, not b 2; .."; what is undone of a GGUF file */
};

const char *nf_family_name(const struct nf_family *family);   /* model_type of config.json: "opt", "gpt2", .. */
const char *nf_act_name(enum nf_act act);            /* "relu", "gelu", "gelu_tanh", "silu", "relu2", "quick_gelu" */
bool nf_act_is_off(enum nf_act act);                           /* exactly 0 below 0: ReLU and its square */

/* nf_config_window - how many positions back layer l attends, its own included; SIZE_MAX: to the start of the text. */
size_t nf_config_window(const struct nf_config *cfg, size_t layer);

/*
 * nf_config_read - read dir/config.json, as transformers reads it; where `dir` is a GGUF file, its metadata (gguf_arch.h).
 *
 *   a key that the family uses       read; a missing or null one has the value that transformers gives it
 *   one that its model code or the code of all families reads, and that is not implemented     refused by name
 *   quantised weights                refused as such
 *   any other                        plays no part: listed in `passed`; refused where auto_map names code of the checkpoint's own
 *   one thing said twice             what transformers takes, listed in `taken`, or refused with both names
 *
 * NF_EFORMAT  an adapter_config.json in the folder; no JSON, a key twice, an architecture that is not there, an impossible or refused value: all of them in one message
 * NF_ESYS     the file cannot be read
 *
 * A multimodal model is read as its text model: the object text_config, of a family that is there.  What stands outside it plays no part, but for
 * quantisation, code of the checkpoint's own, the class, and a tie of the embeddings.
 *
 * config.json may be of transformers 4 (rope_theta, rope_scaling) or 5 (rope_parameters, layer_types).  `architectures` is not looked at, but for a
 * missing model_type.  One key is ours: "position_embedding_type": "none" stands for an OPT model
 * without position embeddings, which transformers cannot express; its checkpoint must hold no embed_positions.
 * weights_sha256 is left empty: nf_weights_open() fills it.
 */
int nf_config_read(const char *dir, struct nf_config *cfg, struct nf_err *err);

/* nf_config_parse - the same from memory; `path` is for messages, `name` is left as it is. */
int nf_config_parse(const char *text, size_t size, const char *path, struct nf_config *cfg, struct nf_err *err);

#endif
