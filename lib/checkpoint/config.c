/* config.c - config.json of a checkpoint, read by a table for each family. */
#include "checkpoint/config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"

/* ---- what a family's table says ---- */

enum type { KEY_SIZE, KEY_BOOL, KEY_REAL, KEY_ID, KEY_CHOICE, KEY_ACT };

/* What is read before the configuration is put together. */
struct draft {
    struct nf_config cfg;
    size_t kv_heads, head_dim;      /* 0: as many as H; D / H */
    bool no_final_norm, bias;       /* OPT */
    double rotary, theta;           /* share of a head that turns, base; 0: not said */
    double rotary_too, theta_too;   /* GPT-NeoX: the same under a second name */
    size_t window, full_layers;     /* Qwen, Mistral: 0: none; the first so many layers have none */
    bool use_window;
};

/* A key that is used. */
struct key {
    const char *name;
    enum type type;
    size_t offset;         /* in struct draft: size_t, bool, double, int64_t, or an enum of unsigned values */
    double absent;         /* its value when it is missing or null */
    double max;            /* KEY_SIZE, KEY_REAL (above 0) */
    const char *choices;   /* KEY_CHOICE: "none|learned", in the order of the enum; KEY_ACT: names that this family may have */
};

/* A key that would change the computation: it must have the one value (as JSON) that is implemented, or be missing or null. */
struct fixed {
    const char *name, *value;
};

struct config_load;

struct config_family {
    const char *model_type;
    const char *const *architectures;   /* the first is taken when config.json names none */
    const struct key *keys;
    const struct fixed *fixed;
    const char *const *other;           /* keys that finish() reads itself */
    const char *const *unused;          /* keys that do not touch a forward pass without dropout */
    int (*finish)(const struct config_load *l, struct draft *d);
};

enum { MAX_WIDTH = 1 << 20, MAX_VOCAB = 1 << 24, MAX_POSITIONS = 1 << 24, CONFIG_BYTES = 16 << 20 };

struct config_load {
    const char *path;
    const json_t *root;
    const struct config_family *family;
    struct draft draft;
    struct nf_err *err;
};

/* clang-format off */
/* Of PretrainedConfig, transformers 4 and 5: training, generation, bookkeeping.  None of them enters a forward pass in eval mode. */
static const char *const unused_by_all[] = {
    "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal", "_commit_hash", "_name_or_path",
    "architectures", "attn_implementation", "auto_map", "bad_words_ids", "begin_suppress_tokens", "chunk_size_feed_forward",
    "decoder_start_token_id", "diversity_penalty", "do_sample", "dtype", "early_stopping", "encoder_no_repeat_ngram_size", "eos_token_id",
    "exponential_decay_length_penalty", "finetuning_task", "forced_bos_token_id", "forced_eos_token_id", "gradient_checkpointing",
    "id2label", "initializer_range", "label2id", "length_penalty", "max_length", "min_length", "model_type", "no_repeat_ngram_size",
    "num_beam_groups", "num_beams", "num_return_sequences", "output_attentions", "output_hidden_states", "output_scores", "pad_token_id",
    "prefix", "problem_type", "remove_invalid_values", "repetition_penalty", "return_dict", "return_dict_in_generate", "sep_token_id",
    "suppress_tokens", "task_specific_params", "temperature", "tf_legacy_loss", "tokenizer_class", "top_k", "top_p", "torch_dtype",
    "torchscript", "transformers_version", "typical_p", "use_bfloat16", "use_cache", NULL,
};
/* clang-format on */

static const struct fixed fixed_by_all[] = {
    { "add_cross_attention", "false" },
    { "cross_attention_hidden_size", "null" },
    { "is_decoder", "false" },
    { "is_encoder_decoder", "false" },
    { "pruned_heads", "{}" },
    { "tie_encoder_decoder", "false" },
    { NULL, NULL },
};

static const struct {
    const char *name;
    enum nf_act act;
} activations[] = {
    { "relu", NF_ACT_RELU }, { "gelu", NF_ACT_GELU }, { "gelu_new", NF_ACT_GELU_TANH }, { "gelu_pytorch_tanh", NF_ACT_GELU_TANH },
    { "silu", NF_ACT_SILU },
};

static const char *const no_names[] = { NULL };
static const struct fixed no_fixed[] = { { NULL, NULL } };

#define AT(field) offsetof(struct draft, field)
#define SIZE(name, field, absent, max)                                                                                             \
    {                                                                                                                              \
        name, KEY_SIZE, AT(field), absent, max, NULL                                                                               \
    }
#define BOOL(name, field, absent)                                                                                                  \
    {                                                                                                                              \
        name, KEY_BOOL, AT(field), absent, 0, NULL                                                                                 \
    }
#define REAL(name, field, absent, max)                                                                                             \
    {                                                                                                                              \
        name, KEY_REAL, AT(field), absent, max, NULL                                                                               \
    }
#define ACT(name, absent, choices)                                                                                                 \
    {                                                                                                                              \
        name, KEY_ACT, AT(cfg.act), absent, 0, choices                                                                             \
    }
#define BOS(absent)                                                                                                                \
    {                                                                                                                              \
        "bos_token_id", KEY_ID, AT(cfg.bos_id), absent, 0, NULL                                                                    \
    }
#define LAST                                                                                                                       \
    {                                                                                                                              \
        NULL, KEY_SIZE, 0, 0, 0, NULL                                                                                              \
    }

/* The keys of a family are those of its config class in transformers, with the values that it gives to missing ones. */

/* ---- OPT: Zhang et al. 2022, arXiv:2205.01068 ---- */

static const char *const opt_architectures[] = { "OPTForCausalLM", "OPTModel", NULL };

static const struct key opt_keys[] = {
    SIZE("num_hidden_layers", cfg.L, 12, NF_LAYERS_MAX),
    SIZE("hidden_size", cfg.D, 768, MAX_WIDTH),
    SIZE("num_attention_heads", cfg.H, 12, MAX_WIDTH),
    SIZE("ffn_dim", cfg.F, 3072, MAX_WIDTH),
    SIZE("vocab_size", cfg.V, 50272, MAX_VOCAB),
    SIZE("word_embed_proj_dim", cfg.E, 0, MAX_WIDTH),   /* 0: hidden_size */
    SIZE("max_position_embeddings", cfg.max_positions, 2048, MAX_POSITIONS),
    { "position_embedding_type", KEY_CHOICE, AT(cfg.positions), NF_POS_LEARNED, 0,
      "none|learned" }, /* ours: OPTConfig has no such key */
    ACT("activation_function", NF_ACT_RELU, "relu"),
    BOOL("do_layer_norm_before", cfg.pre_norm, true),
    BOOL("layer_norm_elementwise_affine", cfg.norm_affine, true),
    BOOL("_remove_final_layer_norm", no_final_norm, false),
    BOOL("enable_bias", bias, true),
    BOOL("tie_word_embeddings", cfg.tied, true),
    BOS(2),
    LAST,
};

static const struct fixed opt_fixed[] = {
    { "learned_embeddings", "true" },
    { "scale_embeddings", "false" },
    { "share_decoder_input_output_embed", "true" },
    { NULL, NULL },
};

static const char *const opt_unused[] = {
    "activation_dropout", "attention_dropout", "dropout", "init_std", "layerdrop", "output_projection", NULL,
};

/* A final LayerNorm exists where LayerNorm comes first, unless a checkpoint converted before transformers 4.20.1 asks for none. */
static int opt_finish(const struct config_load *l, struct draft *d)
{
    struct nf_config *cfg = &d->cfg;

    (void)l;
    cfg->final_norm = cfg->pre_norm && !d->no_final_norm;
    cfg->bias_qkv = cfg->bias_o = cfg->bias_ffn = d->bias;
    cfg->position_offset = 2;
    cfg->norm_eps = 1e-5;   /* torch.nn.LayerNorm; OPT has no key for it */
    return NF_OK;
}

/* ---- GPT-2: Radford et al. 2019 ---- */

static const char *const gpt2_architectures[] = { "GPT2LMHeadModel", "GPT2Model", NULL };

static const struct key gpt2_keys[] = {
    SIZE("n_layer", cfg.L, 12, NF_LAYERS_MAX),
    SIZE("n_embd", cfg.D, 768, MAX_WIDTH),
    SIZE("n_head", cfg.H, 12, MAX_WIDTH),
    SIZE("n_inner", cfg.F, 0, MAX_WIDTH),   /* 0: 4 n_embd */
    SIZE("vocab_size", cfg.V, 50257, MAX_VOCAB),
    SIZE("n_positions", cfg.max_positions, 1024, MAX_POSITIONS),
    ACT("activation_function", NF_ACT_GELU_TANH, "gelu_new|gelu|gelu_pytorch_tanh"),
    REAL("layer_norm_epsilon", cfg.norm_eps, 1e-5, 1),
    BOOL("scale_attn_weights", cfg.scale_scores, true),
    BOOL("scale_attn_by_inverse_layer_idx", cfg.scale_by_layer, false),
    BOOL("tie_word_embeddings", cfg.tied, true),
    BOS(50256),
    LAST,
};

/* reorder_and_upcast_attn: the order of a scaling and the type of half-precision attention; nothing in float32.  n_ctx: read by no version since 4. */
static const char *const gpt2_unused[] = {
    "_num_labels",
    "attn_pdrop",
    "embd_pdrop",
    "n_ctx",
    "reorder_and_upcast_attn",
    "resid_pdrop",
    "summary_activation",
    "summary_first_dropout",
    "summary_proj_to_labels",
    "summary_type",
    "summary_use_proj",
    NULL,
};

/* Learned positions, LayerNorm first, everything with a bias. */
static int gpt_finish(struct draft *d)
{
    struct nf_config *cfg = &d->cfg;

    cfg->positions = NF_POS_LEARNED;
    cfg->bias_qkv = cfg->bias_o = cfg->bias_ffn = true;
    if (cfg->F == 0)
        cfg->F = 4 * cfg->D;
    return NF_OK;
}

static int gpt2_finish(const struct config_load *l, struct draft *d)
{
    (void)l;
    return gpt_finish(d);
}

/* ---- GPT-Neo: Black et al. 2021; scores are not scaled, some layers see a window ---- */

static const char *const gpt_neo_architectures[] = { "GPTNeoForCausalLM", "GPTNeoModel", NULL };

static const struct key gpt_neo_keys[] = {
    SIZE("num_layers", cfg.L, 24, NF_LAYERS_MAX),
    SIZE("hidden_size", cfg.D, 2048, MAX_WIDTH),
    SIZE("num_heads", cfg.H, 16, MAX_WIDTH),
    SIZE("intermediate_size", cfg.F, 0, MAX_WIDTH),   /* 0: 4 hidden_size */
    SIZE("vocab_size", cfg.V, 50257, MAX_VOCAB),
    SIZE("max_position_embeddings", cfg.max_positions, 2048, MAX_POSITIONS),
    SIZE("window_size", cfg.window, 256, MAX_POSITIONS),
    ACT("activation_function", NF_ACT_GELU_TANH, "gelu_new"),
    REAL("layer_norm_epsilon", cfg.norm_eps, 1e-5, 1),
    BOOL("tie_word_embeddings", cfg.tied, true),
    BOS(50256),
    LAST,
};

static const char *const gpt_neo_other[] = { "attention_layers", "attention_types", NULL };

static const char *const gpt_neo_unused[] = {
    "attention_dropout",     "classifier_dropout",     "embed_dropout", "resid_dropout",    "summary_activation",
    "summary_first_dropout", "summary_proj_to_labels", "summary_type",  "summary_use_proj", NULL,
};

static int gpt_neo_finish(const struct config_load *l, struct draft *d);

/* ---- GPT-NeoX: Black et al. 2022, arXiv:2204.06745; Pythia: Biderman et al. 2023, arXiv:2304.01373 ---- */

static const char *const gpt_neox_architectures[] = { "GPTNeoXForCausalLM", "GPTNeoXModel", NULL };

static const struct key gpt_neox_keys[] = {
    SIZE("num_hidden_layers", cfg.L, 44, NF_LAYERS_MAX),
    SIZE("hidden_size", cfg.D, 6144, MAX_WIDTH),
    SIZE("num_attention_heads", cfg.H, 64, MAX_WIDTH),
    SIZE("intermediate_size", cfg.F, 24576, MAX_WIDTH),
    SIZE("vocab_size", cfg.V, 50432, MAX_VOCAB),
    SIZE("max_position_embeddings", cfg.max_positions, 2048, MAX_POSITIONS),
    ACT("hidden_act", NF_ACT_GELU, "gelu|gelu_new"),
    REAL("layer_norm_eps", cfg.norm_eps, 1e-5, 1),
    REAL("rotary_pct", rotary, 0, 1),
    REAL("rotary_emb_base", theta, 0, 1e12),
    REAL("partial_rotary_factor", rotary_too, 0, 1),
    REAL("rope_theta", theta_too, 0, 1e12),
    BOOL("use_parallel_residual", cfg.parallel, true),
    BOOL("attention_bias", cfg.bias_qkv, true),
    BOOL("tie_word_embeddings", cfg.tied, false),
    BOS(0),
    LAST,
};

static const char *const rope_other[] = { "rope_parameters", "rope_scaling", NULL };

static const char *const gpt_neox_unused[] = { "attention_dropout", "classifier_dropout", "hidden_dropout", NULL };

static int gpt_neox_finish(const struct config_load *l, struct draft *d);

/* ---- Phi-1, 1.5, 2: Gunasekar et al. 2023, arXiv:2306.11644 ---- */

static const char *const phi_architectures[] = { "PhiForCausalLM", "PhiModel", NULL };

static const struct key phi_keys[] = {
    SIZE("num_hidden_layers", cfg.L, 24, NF_LAYERS_MAX),
    SIZE("hidden_size", cfg.D, 2048, MAX_WIDTH),
    SIZE("num_attention_heads", cfg.H, 32, MAX_WIDTH),
    SIZE("num_key_value_heads", kv_heads, 0, MAX_WIDTH),
    SIZE("intermediate_size", cfg.F, 8192, MAX_WIDTH),
    SIZE("vocab_size", cfg.V, 51200, MAX_VOCAB),
    SIZE("max_position_embeddings", cfg.max_positions, 2048, MAX_POSITIONS),
    ACT("hidden_act", NF_ACT_GELU_TANH, "gelu_new"),
    REAL("layer_norm_eps", cfg.norm_eps, 1e-5, 1),
    REAL("partial_rotary_factor", rotary, 0.5, 1),
    REAL("rope_theta", theta, 10000, 1e12),
    { "qk_layernorm", KEY_CHOICE, AT(cfg.qk_norm), NF_NORM_NONE, 0, "false|true" },   /* NONE, LAYER */
    BOOL("tie_word_embeddings", cfg.tied, false),
    BOS(1),
    LAST,
};

static const char *const phi_unused[] = { "attention_dropout", "embd_pdrop", "resid_pdrop", NULL };

static int phi_finish(const struct config_load *l, struct draft *d);

/* ---- Llama 2, 3: Touvron et al. 2023, arXiv:2307.09288 ---- */

static const char *const llama_architectures[] = { "LlamaForCausalLM", "LlamaModel", NULL };

/* What Llama, Mistral and Qwen have in common. */
#define LLAMA_KEYS(kv, positions)                                                                                                  \
    SIZE("num_hidden_layers", cfg.L, 32, NF_LAYERS_MAX), SIZE("hidden_size", cfg.D, 4096, MAX_WIDTH),                              \
        SIZE("num_attention_heads", cfg.H, 32, MAX_WIDTH), SIZE("num_key_value_heads", kv_heads, kv, MAX_WIDTH),                   \
        SIZE("max_position_embeddings", cfg.max_positions, positions, MAX_POSITIONS), ACT("hidden_act", NF_ACT_SILU, "silu"),      \
        REAL("rms_norm_eps", cfg.norm_eps, 1e-6, 1), REAL("rope_theta", theta, 10000, 1e12),                                       \
        BOOL("tie_word_embeddings", cfg.tied, false)

static const struct key llama_keys[] = {
    LLAMA_KEYS(0, 2048),
    SIZE("head_dim", head_dim, 0, MAX_WIDTH),
    SIZE("intermediate_size", cfg.F, 11008, MAX_WIDTH),
    SIZE("vocab_size", cfg.V, 32000, MAX_VOCAB),
    BOOL("attention_bias", cfg.bias_qkv, false),
    BOOL("mlp_bias", cfg.bias_ffn, false),
    BOS(1),
    LAST,
};

/* pretraining_tp: the products in slices, the same sums. */
static const char *const llama_unused[] = { "attention_dropout", "max_sequence_length", "pretraining_tp", NULL };

static int llama_finish(const struct config_load *l, struct draft *d);

/* ---- Mistral 7B: Jiang et al. 2023, arXiv:2310.06825 ---- */

static const char *const mistral_architectures[] = { "MistralForCausalLM", "MistralModel", NULL };

static const struct key mistral_keys[] = {
    LLAMA_KEYS(8, 131072),
    SIZE("head_dim", head_dim, 0, MAX_WIDTH),
    SIZE("intermediate_size", cfg.F, 14336, MAX_WIDTH),
    SIZE("vocab_size", cfg.V, 32000, MAX_VOCAB),
    BOS(1),
    LAST,
};

static const char *const mistral_other[] = { "rope_parameters", "rope_scaling", "sliding_window", NULL };

static const char *const attention_dropout[] = { "attention_dropout", NULL };

static int mistral_finish(const struct config_load *l, struct draft *d);

/* ---- Qwen2, 2.5: arXiv:2407.10671; Qwen3: arXiv:2505.09388 ---- */

static const char *const qwen2_architectures[] = { "Qwen2ForCausalLM", "Qwen2Model", NULL };
static const char *const qwen3_architectures[] = { "Qwen3ForCausalLM", "Qwen3Model", NULL };

#define QWEN_KEYS                                                                                                                  \
    LLAMA_KEYS(32, 32768), SIZE("intermediate_size", cfg.F, 22016, MAX_WIDTH), SIZE("vocab_size", cfg.V, 151936, MAX_VOCAB),       \
        BOOL("use_sliding_window", use_window, false), SIZE("sliding_window", window, 4096, MAX_POSITIONS), BOS(-1)

static const struct key qwen2_keys[] = { QWEN_KEYS, LAST };

static const struct key qwen3_keys[] = {
    QWEN_KEYS,
    SIZE("head_dim", head_dim, 128, MAX_WIDTH),
    BOOL("attention_bias", cfg.bias_qkv, false),
    LAST,
};

static const struct fixed qwen2_fixed[] = { { "use_mrope", "false" }, { NULL, NULL } };

static const char *const qwen_other[] = { "layer_types", "max_window_layers", "rope_parameters", "rope_scaling", NULL };

static int qwen2_finish(const struct config_load *l, struct draft *d);
static int qwen3_finish(const struct config_load *l, struct draft *d);

static const struct config_family families[NF_FAMILY_COUNT] = {
    [NF_FAMILY_OPT] = { "opt", opt_architectures, opt_keys, opt_fixed, no_names, opt_unused, opt_finish },
    [NF_FAMILY_GPT2] = { "gpt2", gpt2_architectures, gpt2_keys, no_fixed, no_names, gpt2_unused, gpt2_finish },
    [NF_FAMILY_GPT_NEO] = { "gpt_neo", gpt_neo_architectures, gpt_neo_keys, no_fixed, gpt_neo_other, gpt_neo_unused,
                            gpt_neo_finish },
    [NF_FAMILY_GPT_NEOX] = { "gpt_neox", gpt_neox_architectures, gpt_neox_keys, no_fixed, rope_other, gpt_neox_unused,
                             gpt_neox_finish },
    [NF_FAMILY_PHI] = { "phi", phi_architectures, phi_keys, no_fixed, rope_other, phi_unused, phi_finish },
    [NF_FAMILY_LLAMA] = { "llama", llama_architectures, llama_keys, no_fixed, rope_other, llama_unused, llama_finish },
    [NF_FAMILY_MISTRAL] = { "mistral", mistral_architectures, mistral_keys, no_fixed, mistral_other, attention_dropout,
                            mistral_finish },
    [NF_FAMILY_QWEN2] = { "qwen2", qwen2_architectures, qwen2_keys, qwen2_fixed, qwen_other, attention_dropout, qwen2_finish },
    [NF_FAMILY_QWEN3] = { "qwen3", qwen3_architectures, qwen3_keys, no_fixed, qwen_other, attention_dropout, qwen3_finish },
};

const char *nf_family_name(enum nf_family family)
{
    return families[family].model_type;
}

const char *nf_act_name(enum nf_act act)
{
    static const char *const names[] = {
        [NF_ACT_RELU] = "relu", [NF_ACT_GELU] = "gelu", [NF_ACT_GELU_TANH] = "gelu_tanh", [NF_ACT_SILU] = "silu"
    };

    return names[act];
}

size_t nf_config_window(const struct nf_config *cfg, size_t layer)
{
    return cfg->windowed[layer] ? cfg->window : SIZE_MAX;
}

/* ---- reading ---- */

/* The value as JSON, cut to fit in a message. */
static const char *show(const json_t *v, char *buf, size_t size)
{
    size_t n = json_dumpb(v, buf, size - 1, JSON_ENCODE_ANY | JSON_COMPACT);

    buf[n < size - 1 ? n : size - 1] = '\0';
    return n < size ? buf : json_is_object(v) ? "{...}" : json_is_array(v) ? "[...]" : "...";
}

static int refuse_key(const struct config_load *l, const char *name, const json_t *v, const char *wanted)
{
    char buf[80];

    return nf_fail(l->err, NF_EFORMAT, "%s: %s: %s: %s", l->path, name, show(v, buf, sizeof buf), wanted);
}

static int choose(const struct config_load *l, const struct key *k, const json_t *v, unsigned *out)
{
    const char *s = json_is_boolean(v) ? (json_is_true(v) ? "true" : "false") : json_string_value(v), *c = k->choices, *end;
    unsigned i = 0;

    for (; s && c; c = *end ? end + 1 : NULL, i++) {
        end = c + strcspn(c, "|");
        if (strlen(s) == (size_t)(end - c) && strncmp(s, c, strlen(s)) == 0) {
            *out = i;
            return NF_OK;
        }
    }
    return nf_fail(l->err, NF_EFORMAT, "%s: %s: %s is not implemented, only %s is", l->path, k->name,
                   s ? s : "a value that is no string", k->choices);
}

static int choose_act(const struct config_load *l, const struct key *k, const json_t *v, unsigned *out)
{
    unsigned listed;

    if (choose(l, k, v, &listed) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (strcmp(activations[i].name, json_string_value(v)) == 0)
            *out = activations[i].act;
    return NF_OK;
}

static int read_key(struct config_load *l, const struct key *k)
{
    const json_t *v = json_object_get(l->root, k->name);
    unsigned char *at = (unsigned char *)&l->draft + k->offset;
    bool absent = !v || json_is_null(v);
    json_int_t i = absent ? (json_int_t)k->absent : json_integer_value(v);
    unsigned c = (unsigned)i;

    switch (k->type) {
    case KEY_SIZE:
        if (!absent && (!json_is_integer(v) || i < 1 || (double)i > k->max))
            return nf_fail(l->err, NF_EFORMAT, "%s: %s: a whole number from 1 to %.0f is wanted", l->path, k->name, k->max);
        *(size_t *)at = (size_t)i;
        return NF_OK;
    case KEY_BOOL:
        if (!absent && !json_is_boolean(v))
            return refuse_key(l, k->name, v, "true or false is wanted");
        *(bool *)at = absent ? i != 0 : json_is_true(v);
        return NF_OK;
    case KEY_REAL:
        if (!absent && !(json_is_number(v) && json_number_value(v) > 0 && json_number_value(v) <= k->max))
            return nf_fail(l->err, NF_EFORMAT, "%s: %s: a number above 0 and up to %g is wanted", l->path, k->name, k->max);
        *(double *)at = absent ? k->absent : json_number_value(v);
        return NF_OK;
    case KEY_ID:
        if (v && json_is_null(v))
            i = -1;
        else if (!absent && (!json_is_integer(v) || i < 0))
            return refuse_key(l, k->name, v, "a token id is wanted");
        *(int64_t *)at = i;
        return NF_OK;
    case KEY_CHOICE:
    case KEY_ACT:
        if (!absent && (k->type == KEY_ACT ? choose_act(l, k, v, &c) : choose(l, k, v, &c)) < 0)
            return NF_EFORMAT;
        *(unsigned *)at = c;
        return NF_OK;
    }
    abort();
}

static bool is_listed(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static const struct fixed *find_fixed(const struct fixed *f, const char *name)
{
    while (f->name && strcmp(f->name, name) != 0)
        f++;
    return f->name ? f : NULL;
}

static int check_fixed(const struct config_load *l, const struct fixed *f, const json_t *v)
{
    json_t *want = json_loads(f->value, JSON_DECODE_ANY, NULL);
    char wanted[96];
    bool same = want && json_equal(want, v);

    json_decref(want);
    if (same || json_is_null(v))
        return NF_OK;
    snprintf(wanted, sizeof wanted, "not implemented, only %s is", f->value);
    return refuse_key(l, f->name, v, wanted);
}

/* Every key is one we use, one whose value we implement, or one that is known not to matter. */
static int check_keys(const struct config_load *l)
{
    const char *name;
    json_t *v;

    json_object_foreach ((json_t *)l->root, name, v) {
        const struct fixed *f = find_fixed(fixed_by_all, name);
        const struct key *k = l->family->keys;

        if (!f)
            f = find_fixed(l->family->fixed, name);
        if (f && check_fixed(l, f, v) < 0)
            return NF_EFORMAT;
        while (k->name && strcmp(k->name, name) != 0)
            k++;
        if (f || k->name || json_is_null(v) || is_listed(unused_by_all, name) || is_listed(l->family->unused, name) ||
            is_listed(l->family->other, name))
            continue;
        return refuse_key(l, name, v, "this key is not known, and might change the computation");
    }
    return NF_OK;
}

static int find_family(struct config_load *l)
{
    const char *type = json_string_value(json_object_get(l->root, "model_type"));
    const json_t *names = json_object_get(l->root, "architectures");
    const char *name = json_string_value(json_array_get(names, 0));
    char known[120] = "";
    size_t i = 0;

    while (type && i < NF_FAMILY_COUNT && strcmp(families[i].model_type, type) != 0)
        i++;
    for (size_t k = 0; k < NF_FAMILY_COUNT; k++) {
        strcat(known, k ? ", " : "");   /* nine short names */
        strcat(known, families[k].model_type);
    }
    if (!type || i == NF_FAMILY_COUNT)
        return nf_fail(l->err, NF_EFORMAT, "%s: model_type: %s is not implemented, only %s are", l->path,
                       type ? type : "a missing type", known);
    l->family = &families[i];
    l->draft.cfg.family = (enum nf_family)i;
    if (!name)
        name = l->family->architectures[0];
    if ((names && !json_is_null(names) && json_array_size(names) != 1) || !is_listed(l->family->architectures, name))
        return nf_fail(l->err, NF_EFORMAT, "%s: architectures: %s is not implemented, only %s and %s are", l->path,
                       json_array_size(names) > 1 ? "more than one" : name, l->family->architectures[0],
                       l->family->architectures[1]);
    snprintf(l->draft.cfg.architecture, sizeof l->draft.cfg.architecture, "%s", name);
    return NF_OK;
}

/* ---- rotary positions ---- */

static int rope_number(const struct config_load *l, const json_t *rope, const char *key, double *out)
{
    const json_t *v = json_object_get(rope, key);
    char where[64];

    snprintf(where, sizeof where, "rope_scaling: %s", key);
    if (!json_is_number(v) || !(json_number_value(v) > 0) || json_number_value(v) > 1e12)
        return refuse_key(l, where, v ? v : json_null(), "a number above 0 is wanted");
    *out = json_number_value(v);
    return NF_OK;
}

/* Keys of rope_scaling that its type uses; another one would be for a type that we do not have. */
static int check_rope_keys(const struct config_load *l, const json_t *rope, enum nf_rope_kind kind)
{
    static const char *const always[] = { "partial_rotary_factor", "rope_theta", "rope_type", "type", NULL };
    static const char *const linear[] = { "factor", NULL };
    static const char *const llama3[] = { "factor", "high_freq_factor", "low_freq_factor", "original_max_position_embeddings",
                                          NULL };
    const char *const *more = kind == NF_ROPE_LINEAR ? linear : kind == NF_ROPE_LLAMA3 ? llama3 : no_names, *name;
    char where[96];
    json_t *v;

    json_object_foreach ((json_t *)rope, name, v) {
        snprintf(where, sizeof where, "rope_scaling: %s", name);
        if (!json_is_null(v) && !is_listed(always, name) && !is_listed(more, name))
            return refuse_key(l, where, v, "this key is not known for this type of rotary positions");
    }
    return NF_OK;
}

static int read_llama3(const struct config_load *l, const json_t *rope, struct nf_rope_config *r)
{
    double original = (double)l->draft.cfg.max_positions;

    if (rope_number(l, rope, "low_freq_factor", &r->low) < 0 || rope_number(l, rope, "high_freq_factor", &r->high) < 0 ||
        (json_object_get(rope, "original_max_position_embeddings") &&
         rope_number(l, rope, "original_max_position_embeddings", &original) < 0))
        return NF_EFORMAT;
    if (!(r->high > r->low))
        return nf_fail(l->err, NF_EFORMAT, "%s: rope_scaling: high_freq_factor %g is not above low_freq_factor %g", l->path,
                       r->high, r->low);
    r->original = (size_t)original;
    return NF_OK;
}

/*
 * rope_scaling (transformers 4), or rope_parameters (5), which also holds the base and the share that turns.  `share` and `theta` are what the keys
 * beside it say.
 */
static int read_rope(const struct config_load *l, double share, double theta, struct nf_config *cfg)
{
    static const char *const kinds[] = { "default", "linear", "llama3" };
    const json_t *rope = json_object_get(l->root, "rope_scaling"), *v;
    const char *kind;
    size_t n = sizeof kinds / sizeof *kinds, k = 0;

    if (!rope || json_is_null(rope) || (json_is_object(rope) && json_object_size(rope) == 0))
        rope = json_object_get(l->root, "rope_parameters");
    if (rope && !json_is_null(rope) && !json_is_object(rope))
        return refuse_key(l, "rope_scaling", rope, "an object is wanted");
    v = json_object_get(rope, "rope_type");
    if (!v)
        v = json_object_get(rope, "type");
    kind = v ? json_string_value(v) : "default";
    while (kind && k < n && strcmp(kinds[k], kind) != 0)
        k++;
    if (!kind || k == n)
        return refuse_key(l, "rope_scaling: rope_type", v, "not implemented, only \"default\", \"linear\" and \"llama3\" are");
    cfg->positions = NF_POS_ROTARY;
    cfg->rope = (struct nf_rope_config){ .kind = (enum nf_rope_kind)k, .theta = theta, .factor = 1 };
    if (check_rope_keys(l, rope, cfg->rope.kind) < 0 ||
        (json_object_get(rope, "rope_theta") && rope_number(l, rope, "rope_theta", &cfg->rope.theta) < 0) ||
        (json_object_get(rope, "partial_rotary_factor") && rope_number(l, rope, "partial_rotary_factor", &share) < 0) ||
        (k != NF_ROPE_DEFAULT && rope_number(l, rope, "factor", &cfg->rope.factor) < 0) ||
        (k == NF_ROPE_LLAMA3 && read_llama3(l, rope, &cfg->rope) < 0))
        return NF_EFORMAT;
    if (share > 1)
        return nf_fail(l->err, NF_EFORMAT, "%s: partial_rotary_factor: %g is above 1", l->path, share);
    cfg->rope.R = (size_t)((double)cfg->K * share);
    if (cfg->rope.R < 2 || cfg->rope.R % 2 != 0)
        return nf_fail(l->err, NF_EFORMAT,
                       "%s: rotary positions turn %zu of the %zu coordinates of a head: an even number is wanted", l->path,
                       cfg->rope.R, cfg->K);
    return NF_OK;
}

/* ---- windows of attention ---- */

/* attention_layers, the same layer by layer: versions of transformers disagree on which of the two counts. */
static int check_attention_layers(const struct config_load *l, const struct nf_config *cfg)
{
    const json_t *names = json_object_get(l->root, "attention_layers");
    bool same = json_array_size(names) == cfg->L;

    if (!names || json_is_null(names))
        return NF_OK;
    for (size_t i = 0; i < cfg->L && same; i++) {
        const char *name = json_string_value(json_array_get(names, i));

        same = name && strcmp(name, cfg->windowed[i] ? "local" : "global") == 0;
    }
    return same ? NF_OK : refuse_key(l, "attention_layers", names, "not what attention_types says");
}

/* attention_types, [[["global", "local"], 6]]: the list so many times, layer by layer. */
static int read_attention_types(const struct config_load *l, struct nf_config *cfg)
{
    const json_t *types = json_object_get(l->root, "attention_types");
    json_t *usual = types && !json_is_null(types) ? NULL : json_pack("[[[s, s], i]]", "global", "local", 12);
    size_t n = 0;
    int rc = NF_OK;

    types = usual ? usual : types;
    for (size_t i = 0; rc == NF_OK && i < json_array_size(types); i++) {
        const json_t *item = json_array_get(types, i), *names = json_array_get(item, 0);
        json_int_t times = json_integer_value(json_array_get(item, 1));

        if (!json_array_size(names))
            rc = refuse_key(l, "attention_types", types, "[[[\"global\", \"local\"], times]] is wanted");
        for (json_int_t t = 0; t < times && rc == NF_OK && n <= cfg->L; t++)
            for (size_t k = 0; k < json_array_size(names) && rc == NF_OK && n <= cfg->L; k++, n++) {
                const char *name = json_string_value(json_array_get(names, k));

                if (!name || (strcmp(name, "global") != 0 && strcmp(name, "local") != 0))
                    rc = refuse_key(l, "attention_types", types, "only \"global\" and \"local\" are implemented");
                else if (n < cfg->L)
                    cfg->windowed[n] = strcmp(name, "local") == 0;
            }
    }
    if (rc == NF_OK && n != cfg->L)
        rc = refuse_key(l, "attention_types", types, "as many layers as num_layers are wanted");
    json_decref(usual);
    return rc < 0 ? rc : check_attention_layers(l, cfg);
}

/* layer_types (transformers 5), a name for each layer. */
static int read_layer_types(const struct config_load *l, const json_t *types, struct nf_config *cfg)
{
    if (json_array_size(types) != cfg->L)
        return refuse_key(l, "layer_types", types, "a name for each layer is wanted");
    for (size_t i = 0; i < cfg->L; i++) {
        const char *name = json_string_value(json_array_get(types, i));

        if (!name || (strcmp(name, "full_attention") != 0 && strcmp(name, "sliding_attention") != 0))
            return refuse_key(l, "layer_types", types, "only \"full_attention\" and \"sliding_attention\" are implemented");
        cfg->windowed[i] = strcmp(name, "sliding_attention") == 0;
        if (cfg->windowed[i] && !cfg->window)
            return refuse_key(l, "layer_types", types, "sliding_attention without use_sliding_window");
    }
    return NF_OK;
}

/* Qwen: with use_sliding_window the layers from max_window_layers on, unless layer_types names them. */
static int read_windows(const struct config_load *l, const struct draft *d, struct nf_config *cfg)
{
    const json_t *types = json_object_get(l->root, "layer_types"), *first = json_object_get(l->root, "max_window_layers"),
                 *window = json_object_get(l->root, "sliding_window");
    json_int_t full = first && !json_is_null(first) ? json_integer_value(first) : 28;

    if ((first && !json_is_null(first) && !json_is_integer(first)) || full < 0)
        return refuse_key(l, "max_window_layers", first, "a number of layers is wanted");
    cfg->window = d->use_window && !(window && json_is_null(window)) ? d->window : 0;
    if (types && !json_is_null(types))
        return read_layer_types(l, types, cfg);
    for (size_t i = 0; cfg->window && i < cfg->L; i++)
        cfg->windowed[i] = i >= (size_t)full;
    return NF_OK;
}

/* ---- the families' last steps ---- */

/* Heads, once all sizes are read: K, G. */
static int set_heads(const struct config_load *l, struct draft *d)
{
    struct nf_config *cfg = &d->cfg;

    if (!d->head_dim && cfg->D % cfg->H != 0)
        return nf_fail(l->err, NF_EFORMAT, "%s: the width %zu does not divide into %zu heads", l->path, cfg->D, cfg->H);
    cfg->K = d->head_dim ? d->head_dim : cfg->D / cfg->H;
    cfg->G = d->kv_heads ? d->kv_heads : cfg->H;
    if (cfg->H % cfg->G != 0)
        return nf_fail(l->err, NF_EFORMAT, "%s: %zu heads do not divide among %zu heads of keys and values", l->path, cfg->H,
                       cfg->G);
    return NF_OK;
}

static int gpt_neo_finish(const struct config_load *l, struct draft *d)
{
    d->cfg.scale_scores = false;
    gpt_finish(d);
    d->cfg.bias_qkv = false;
    return read_attention_types(l, &d->cfg);
}

static int gpt_neox_finish(const struct config_load *l, struct draft *d)
{
    /* Later versions of transformers 4 wrote both names. */
    if ((d->rotary > 0 && d->rotary_too > 0 && d->rotary != d->rotary_too) ||
        (d->theta > 0 && d->theta_too > 0 && d->theta != d->theta_too))
        return nf_fail(l->err, NF_EFORMAT,
                       "%s: rotary_pct and partial_rotary_factor, or rotary_emb_base and rope_theta, do not agree", l->path);
    d->cfg.bias_o = d->cfg.bias_qkv;
    d->cfg.bias_ffn = true;
    return read_rope(l,
                     d->rotary > 0       ? d->rotary
                     : d->rotary_too > 0 ? d->rotary_too
                                         : 0.25,
                     d->theta > 0       ? d->theta
                     : d->theta_too > 0 ? d->theta_too
                                        : 10000,
                     &d->cfg);
}

static int phi_finish(const struct config_load *l, struct draft *d)
{
    d->cfg.parallel = d->cfg.one_norm = true;
    d->cfg.bias_qkv = d->cfg.bias_o = d->cfg.bias_ffn = d->cfg.bias_head = true;
    return read_rope(l, d->rotary, d->theta, &d->cfg);
}

static int llama_finish(const struct config_load *l, struct draft *d)
{
    d->cfg.norm = NF_NORM_RMS;
    d->cfg.gated = true;
    if (d->cfg.family == NF_FAMILY_LLAMA || d->cfg.family == NF_FAMILY_QWEN3)
        d->cfg.bias_o = d->cfg.bias_qkv;
    return read_rope(l, 1, d->theta, &d->cfg);
}

/* sliding_window: null is none, a missing one 4096. */
static int mistral_finish(const struct config_load *l, struct draft *d)
{
    const json_t *v = json_object_get(l->root, "sliding_window");

    if (v && !json_is_null(v) && (!json_is_integer(v) || json_integer_value(v) < 1))
        return refuse_key(l, "sliding_window", v, "a number of positions is wanted");
    d->cfg.window = !v ? 4096 : json_is_null(v) ? 0 : (size_t)json_integer_value(v);
    for (size_t i = 0; d->cfg.window && i < d->cfg.L; i++)
        d->cfg.windowed[i] = 1;
    return llama_finish(l, d);
}

static int qwen2_finish(const struct config_load *l, struct draft *d)
{
    d->cfg.bias_qkv = true;
    return read_windows(l, d, &d->cfg) < 0 ? NF_EFORMAT : llama_finish(l, d);
}

static int qwen3_finish(const struct config_load *l, struct draft *d)
{
    d->cfg.qk_norm = NF_NORM_RMS;
    return read_windows(l, d, &d->cfg) < 0 ? NF_EFORMAT : llama_finish(l, d);
}

/* What most families have; their tables and last steps change it. */
static void set_defaults(struct nf_config *cfg)
{
    cfg->norm = NF_NORM_LAYER;
    cfg->pre_norm = cfg->final_norm = cfg->norm_affine = true;
    cfg->scale_scores = true;
}

static int read_keys(struct config_load *l)
{
    struct nf_config *cfg = &l->draft.cfg;

    set_defaults(cfg);
    if (find_family(l) < 0 || check_keys(l) < 0)
        return NF_EFORMAT;
    for (const struct key *k = l->family->keys; k->name; k++)
        if (read_key(l, k) < 0)
            return NF_EFORMAT;
    if (set_heads(l, &l->draft) < 0 || l->family->finish(l, &l->draft) < 0)
        return NF_EFORMAT;
    if (cfg->E == 0)
        cfg->E = cfg->D;
    if (cfg->positions == NF_POS_NONE)
        cfg->max_positions = SIZE_MAX;
    return NF_OK;
}

/* The last part of path[0..n), and its length. */
static const char *last_part(const char *path, size_t *n)
{
    size_t at = *n;

    while (at > 0 && path[at - 1] != '/')
        at--;
    *n -= at;
    return path + at;
}

/*
 * The last part of the real path: the same for "model", "model/" and ".".  In the Hub cache, ../models--ORG--NAME/snapshots/COMMIT, that is
 * the revision, and NAME the name.
 */
static void name_checkpoint(const char *dir, struct nf_config *cfg)
{
    char *real = realpath(dir, NULL);
    const char *path = real ? real : dir, *name, *parent, *repo, *org;
    size_t n = strlen(path), m, k;

    name = last_part(path, &n);
    m = name > path ? (size_t)(name - path) - 1 : 0;
    parent = last_part(path, &m);
    k = parent > path ? (size_t)(parent - path) - 1 : 0;
    repo = last_part(path, &k);
    if (m == 9 && strncmp(parent, "snapshots", 9) == 0 && k > 8 && strncmp(repo, "models--", 8) == 0) {
        snprintf(cfg->revision, sizeof cfg->revision, "%.*s", (int)n, name);
        name = repo + 8;
        n = k - 8;
        org = memmem(name, n, "--", 2);
        if (org) {
            n -= (size_t)(org + 2 - name);
            name = org + 2;
        }
    }
    nf_utf8_show(name, n, cfg->name, sizeof cfg->name);
    free(real);
}

int nf_config_parse(const char *text, size_t size, const char *path, struct nf_config *cfg, struct nf_err *err)
{
    struct config_load l = { .path = path, .family = &families[0], .err = err };
    json_t *root;
    int rc;

    if (size > CONFIG_BYTES)
        return nf_fail(err, NF_EFORMAT, "%s: %zu bytes, at most %d are wanted", path, size, CONFIG_BYTES);
    root = nf_json_parse(text, size, JSON_REJECT_DUPLICATES, path, err);
    if (!root)
        return err ? (int)err->code : NF_EFORMAT;
    l.root = root;
    memcpy(l.draft.cfg.name, cfg->name, sizeof cfg->name);
    memcpy(l.draft.cfg.revision, cfg->revision, sizeof cfg->revision);
    rc = json_is_object(root) ? read_keys(&l) : nf_fail(err, NF_EFORMAT, "%s: not a JSON object", path);
    json_decref(root);
    *cfg = l.draft.cfg;
    return rc < 0 ? rc : nf_digest_bytes(text, size, cfg->config_sha256, err);
}

int nf_config_read(const char *dir, struct nf_config *cfg, struct nf_err *err)
{
    char *path = nf_path_join(dir, "config.json", err);
    struct nf_map map;
    int rc;

    memset(cfg, 0, sizeof *cfg);
    if (!path)
        return NF_ESYS;
    rc = nf_map_open(path, &map, err);
    if (rc == NF_OK) {
        name_checkpoint(dir, cfg);
        rc = nf_config_parse((const char *)map.data, map.size, path, cfg, err);
        nf_map_close(&map);
    }
    free(path);
    return rc;
}
