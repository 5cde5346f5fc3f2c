/*
 * family.h - how a model family is described: keys of its config.json, names of its tensors, and a last step.
 *
 * A family is one file, family/NAME.c, and one line of the list in family.c.  family/README.md says how to add one.
 * Its keys are those of its config class in transformers, with the values that the class gives to missing ones.
 */
#ifndef NF_CHECKPOINT_FAMILY_H
#define NF_CHECKPOINT_FAMILY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "checkpoint/config.h"
#include "checkpoint/weights.h"

/* ---- keys: from config.json to struct nf_config ---- */

enum nf_key_type {
    NF_KEY_SIZE,     /* whole number from 1 to max; size_t */
    NF_KEY_BOOL,     /* bool */
    NF_KEY_REAL,     /* number above 0 and up to max; double */
    NF_KEY_ID,       /* token id; int64_t; -1: none, or no id */
    NF_KEY_CHOICE,   /* one of the words of `text`, "none|learned", in the order of the enum that it sets; true and false are words too */
    NF_KEY_ACT,      /* activation function, by any of its names in transformers; enum nf_act */
    NF_KEY_FIXED,    /* changes the computation, and only the value `text` (JSON) is implemented; null is missing */
    NF_KEY_ALIAS,    /* another name of the key `text`: both may be there with one value */
    NF_KEY_OTHER,    /* read by finish() */
};

struct nf_key {
    const char *name;
    enum nf_key_type type;
    size_t offset;      /* in struct nf_config */
    double absent;      /* its value when it is missing or null */
    double max;
    const char *text;
};

enum { NF_WIDTH_MAX = 1 << 20, NF_VOCAB_MAX = 1 << 24, NF_POSITIONS_MAX = 1 << 24 };

/* clang-format off */
#define KEY_LAYERS(name, absent)             { name, NF_KEY_SIZE, offsetof(struct nf_config, L), absent, NF_LAYERS_MAX, NULL }
#define KEY_WIDTH(name, field, absent)       { name, NF_KEY_SIZE, offsetof(struct nf_config, field), absent, NF_WIDTH_MAX, NULL }
#define KEY_VOCAB(name, absent)              { name, NF_KEY_SIZE, offsetof(struct nf_config, V), absent, NF_VOCAB_MAX, NULL }
#define KEY_POSITIONS(name, field, absent)   { name, NF_KEY_SIZE, offsetof(struct nf_config, field), absent, NF_POSITIONS_MAX, NULL }
#define KEY_BOOL(name, field, absent)        { name, NF_KEY_BOOL, offsetof(struct nf_config, field), absent, 0, NULL }
#define KEY_REAL(name, field, absent, max)   { name, NF_KEY_REAL, offsetof(struct nf_config, field), absent, max, NULL }
#define KEY_CHOICE(name, field, absent, all) { name, NF_KEY_CHOICE, offsetof(struct nf_config, field), absent, 0, all }
#define KEY_ACT(name, absent)                { name, NF_KEY_ACT, offsetof(struct nf_config, act), absent, 0, NULL }
#define KEY_BOS(absent)                      { "bos_token_id", NF_KEY_ID, offsetof(struct nf_config, bos_id), absent, 0, NULL }
#define KEY_FIXED(name, value)               { name, NF_KEY_FIXED, 0, 0, 0, value }
#define KEY_ALIAS(name, of)                  { name, NF_KEY_ALIAS, 0, 0, 0, of }
#define KEY_OTHER(name)                      { name, NF_KEY_OTHER, 0, 0, 0, NULL }
#define KEY_END                              { NULL, NF_KEY_OTHER, 0, 0, 0, NULL }
/* clang-format on */

/* ---- tensors: from names in a checkpoint to struct nf_weights ---- */

/* A tensor is there when its layer, or the model, has all of these. */
enum nf_need {
    NF_ALWAYS = 0,
    NF_IF_AFFINE = 1,
    NF_IF_POSITIONS = 2,
    NF_IF_PROJECTED = 4,
    NF_IF_FINAL = 8,
    NF_IF_BIAS_QKV = 16,
    NF_IF_BIAS_O = 32,
    NF_IF_BIAS_FFN = 64,
    NF_IF_QK_NORM = 128,
    NF_IF_EXPERTS = 256,   /* the layer is a mixture of experts */
    NF_IF_DENSE = 512,     /* it is none */
    NF_IF_SINKS = 1024,
};

/* How several maps lie in one stored matrix, whose letter is X (q, k, v) or Y (gate, up). */
enum nf_layout {
    NF_STACKED,       /* all of the first, all of the second, ... (GPT-2, Phi-3); a matrix of its own too */
    NF_BY_GROUP,      /* X: for each head of keys its H / G queries, its key, its value (GPT-NeoX, BLOOM, Falcon) */
    NF_INTERLEAVED,   /* Y: gate and up by turns (GPT-OSS) */
};

/*
 * One stored tensor.  The letters of its shape, as stored: V E D F K P as in struct nf_config, N experts,
 *   Q = H K queries, G = G K keys, X = Q + 2G, Y = 2F, H heads.
 * A linear map whose shape begins with the letter of its input ("DF" for ffn_in) is stored transposed.
 */
struct nf_slot {
    const char *name;        /* behind the prefix; of a layer behind "layers.N."; "a|b": whichever is there */
    size_t offset;           /* of its nf_tensor in struct nf_weights, struct nf_layer or struct nf_expert */
    const char *shape;
    unsigned needs;          /* enum nf_need */
    enum nf_layout layout;   /* of X goes to q, k, v; of Y to ffn_in, ffn_up */
};

/*
 * All tensors of a family.  The first slot of `model` is the embedding, by which the prefix that is in use is found.
 * Slots of `expert`: one tensor an expert, % in the name standing for its number; or one of all, whose shape begins with N.
 */
struct nf_tensors {
    const char *const *prefixes;   /* before all names but the unembedding's */
    const char *layers;            /* "layers.": what the number of a layer follows */
    const char *unembed;           /* "lm_head", or "a|b": before .weight and .bias, without prefix */
    const char *const *stale;      /* ends of names of tensors that old checkpoints have and no computation uses */
    const struct nf_slot *model, *layer, *expert;
};

/* clang-format off */
#define SLOT_MODEL(name, field, shape, needs)   { name, offsetof(struct nf_weights, field), shape, needs, NF_STACKED }
#define SLOT_LAYER(name, field, shape, needs)   { name, offsetof(struct nf_layer, field), shape, needs, NF_STACKED }
#define SLOT_EXPERT(name, field, shape, needs)  { name, offsetof(struct nf_expert, field), shape, needs, NF_STACKED }
/* A norm's gain; gain and bias.  A linear map with the letter of its bias, and what the bias needs; without bias. */
#define SLOT_GAIN(name, field, shape, needs)    SLOT_LAYER(name ".weight", field.gain, shape, needs)
#define SLOT_NORM(name, field, shape, needs)    SLOT_GAIN(name, field, shape, needs), \
                                                SLOT_LAYER(name ".bias", field.bias, shape, needs)
#define SLOT_MAP(name, field, shape, needs)     SLOT_LAYER(name ".weight", field.w, shape, needs)
#define SLOT_BIAS(name, field, letter, needs)   SLOT_LAYER(name ".bias", field.b, letter, needs)
#define SLOT_LINEAR(name, field, shape, letter, bias) SLOT_MAP(name, field, shape, NF_ALWAYS), SLOT_BIAS(name, field, letter, bias)
#define SLOT_FUSED(name, field, shape, needs, layout) { name, offsetof(struct nf_layer, field.w), shape, needs, layout }
#define SLOT_END                                { NULL, 0, NULL, 0, NF_STACKED }
/* clang-format on */

/* ---- a family ---- */

/* What of a file is refused, to be said in one message: "a: 1: why; b: 2: why". */
struct nf_refusals {
    char text[720];
    size_t n, left_out;   /* all; those that did not fit */
};

/* config.json, being read. */
struct nf_reading {
    const char *path;              /* for messages */
    const json_t *root;            /* the object with the keys: text_config of a multimodal model */
    const json_t *outer;           /* the whole file */
    const struct nf_family *family;
    struct nf_config *cfg;         /* G and K are 0 until the heads are set, before finish() */
    struct nf_refusals *refused;
    struct nf_err *err;
};

struct nf_family {
    const char *name;             /* model_type */
    const char *architecture;     /* the class with the unembedding */
    const struct nf_key *keys;
    const struct nf_tensors *tensors;
    int (*finish)(struct nf_reading *r);   /* switches that no key sets; keys of type OTHER.  NF_EFORMAT: nf_config_refuse() */
};

const struct nf_family *nf_family_find(const char *model_type);     /* NULL: not there */
const struct nf_family *nf_family_of(const char *architecture);     /* by the class with the unembedding */

/* nf_family_list - their names, "opt, gpt2, ..", cut to `size`; returns buf. */
const char *nf_family_list(char *buf, size_t size);

/* ---- for finish() ---- */

/*
 * nf_config_refuse - "name: value: expected" goes into the one message of the file; v NULL: no value.  Returns NF_EFORMAT: finish() may stop, or look
 * for more.
 */
int nf_config_refuse(const struct nf_reading *r, const char *name, const json_t *v, const char *expected);
int nf_config_refuse_text(const struct nf_reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* nf_config_take - where the file says a thing twice, or says what plays no part: one sentence about what counts, for cfg->taken. */
void nf_config_take(const struct nf_reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const json_t *nf_config_get(const struct nf_reading *r, const char *name);   /* NULL: missing or null */

/* A key beside the table, as one of its rows would be read. */
int nf_config_size(const struct nf_reading *r, const char *name, size_t absent, size_t max, size_t *out);
int nf_config_flag(const struct nf_reading *r, const char *name, bool absent, bool *out);
int nf_config_real(const struct nf_reading *r, const char *name, double absent, double max, double *out);

/* What of rotary positions stands beside rope_scaling (transformers 4) or rope_parameters (5), and what holds where nothing is said. */
struct nf_rope_keys {
    const char *theta;    /* "rope_theta": the base */
    const char *share;    /* "partial_rotary_factor": of a head's coordinates that turn */
    double default_theta, default_share;
    bool whole;           /* heads turn whole: transformers reads no share for the default type, and cannot run others with one below 1 */
};
extern const struct nf_rope_keys nf_rope_whole;   /* rope_theta, 10000; whole */

/* nf_config_rope - rotary positions into cfg->rope.  config_rope.c. */
int nf_config_rope(const struct nf_reading *r, const struct nf_rope_keys *keys);

/* nf_config_rope_object - the same from one object, NULL: none (Gemma 3: one in rope_parameters for each kind of layer). */
int nf_config_rope_object(const struct nf_reading *r, const json_t *rope, const struct nf_rope_keys *keys, struct nf_rope_config *to);

/* nf_config_layer_types - layer_types, a name a layer, where it is there; windows as it says.  *found: it is. */
int nf_config_layer_types(const struct nf_reading *r, bool *found);

/* ---- what families share: Llama and those that are Llama with other switches ---- */

/* But for head_dim, biases, windows. */
#define LLAMA_KEYS(kv, positions, ffn, vocab)                                                                                      \
    KEY_LAYERS("num_hidden_layers", 32), KEY_WIDTH("hidden_size", D, 4096), KEY_WIDTH("num_attention_heads", H, 32),               \
        KEY_WIDTH("num_key_value_heads", G, kv), KEY_POSITIONS("max_position_embeddings", max_positions, positions),               \
        KEY_WIDTH("intermediate_size", F, ffn), KEY_VOCAB("vocab_size", vocab), KEY_ACT("hidden_act", NF_ACT_SILU),                \
        KEY_REAL("rms_norm_eps", norm_eps, 1e-6, 1), KEY_BOOL("tie_word_embeddings", tied, false), KEY_ROPE
#define KEY_ROPE                                                                                                                   \
    KEY_OTHER("rope_theta"), KEY_OTHER("partial_rotary_factor"), KEY_OTHER("rope_parameters"), KEY_OTHER("rope_scaling"),           \
        KEY_OTHER("original_max_position_embeddings")

extern const struct nf_slot nf_llama_model[];
extern const struct nf_tensors nf_llama_tensors;
extern const char *const nf_model_prefixes[];   /* "model.", "" */
extern const char *const nf_rotary_stale[];

int nf_llama_finish(struct nf_reading *r);   /* RMSNorm, gated, rotary */

/* GPT-2 and GPT-Neo: learned positions, LayerNorm first, everything with a bias, F of 4 D where it is missing. */
extern const struct nf_slot nf_gpt2_model[];
extern const char *const nf_gpt2_prefixes[];   /* "transformer.", "" */
int nf_gpt2_finish(struct nf_reading *r);

/* Qwen2 and Qwen3: use_sliding_window, sliding_window, max_window_layers, layer_types. */
#define KEY_QWEN_WINDOWS                                                                                                           \
    KEY_OTHER("use_sliding_window"), KEY_OTHER("sliding_window"), KEY_OTHER("max_window_layers"), KEY_OTHER("layer_types")
int nf_qwen2_windows(const struct nf_reading *r);

#endif
