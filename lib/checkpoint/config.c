/* config.c - config.json of a checkpoint, read by the table of its family. */
#include "checkpoint/config.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "checkpoint/family.h"
#include "checkpoint/gguf_arch.h"

enum { CONFIG_BYTES = 16 << 20 };

/* clang-format off */
/*
 * Keys that say nothing of a forward pass without dropout: of PretrainedConfig, transformers 4 and 5 (training, generation, bookkeeping), and dropout
 * and classifier heads of the families' classes, Llama's products in slices (pretraining_tp), GPT-2's order of a scaling (reorder_and_upcast_attn) and
 * a size that no version since 4 reads (n_ctx).  They are not named to anybody.
 */
static const char *const harmless[] = {
    "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal", "_commit_hash",
    "_experts_implementation_internal", "_flash_attn_2_enabled", "_name_or_path", "_num_labels", "activation_dropout", "architectures",
    "attention_dropout", "attn_implementation", "attn_pdrop", "auto_map", "bad_words_ids", "begin_suppress_tokens",
    "chunk_size_feed_forward", "classifier_dropout", "decoder_start_token_id", "diversity_penalty", "do_sample", "dropout", "dtype",
    "early_stopping", "embd_pdrop", "embed_dropout", "encoder_no_repeat_ngram_size", "eos_token_id", "experts_implementation",
    "exponential_decay_length_penalty", "finetuning_task", "forced_bos_token_id", "forced_eos_token_id", "gradient_checkpointing",
    "hidden_dropout", "id2label", "init_std", "initializer_factor", "initializer_range", "is_decoder", "keys_to_ignore_at_inference",
    "label2id", "layerdrop", "length_penalty", "max_length", "min_length", "model_type", "n_ctx", "name_or_path", "no_repeat_ngram_size",
    "num_beam_groups", "num_beams", "num_labels", "num_return_sequences", "output_attentions", "output_hidden_states", "output_scores",
    "pad_token_id", "prefix", "pretraining_tp", "problem_type", "remove_invalid_values", "reorder_and_upcast_attn", "repetition_penalty", "resid_dropout", "resid_pdrop",
    "return_dict", "return_dict_in_generate", "sep_token_id", "summary_activation", "summary_first_dropout", "summary_proj_to_labels",
    "summary_type", "summary_use_proj", "suppress_tokens", "task_specific_params", "temperature", "tf_legacy_loss", "tokenizer_class",
    "top_k", "top_p", "torch_dtype", "torchscript", "transformers_version", "typical_p", "use_bfloat16", "use_cache", NULL,
};
/* clang-format on */

/*
 * Keys that code of transformers reads for every family (configuration_utils, masking_utils, cache_utils, modeling_utils; version 4: pruning,
 * cross-attention), with the one value that is implemented where the family has no row of its own for them.
 */
static const struct nf_key shared_keys[] = {
    KEY_FIXED("add_cross_attention", "false"),
    KEY_FIXED("attention_chunk_size", "null"),
    KEY_FIXED("cross_attention_hidden_size", "null"),
    KEY_FIXED("fusion_config", "null"),
    KEY_FIXED("is_causal", "true"),
    KEY_FIXED("is_encoder_decoder", "false"),
    KEY_FIXED("kv_sharing_modes", "null"),
    KEY_FIXED("per_layer_config", "null"),
    KEY_FIXED("pruned_heads", "{}"),
    KEY_FIXED("sliding_window", "null"),
    KEY_FIXED("tie_encoder_decoder", "false"),
    KEY_FIXED("transformers_weights", "\"model.safetensors\""),
    KEY_OTHER("head_dim"),
    KEY_OTHER("layer_types"),
    KEY_END,
};

/* Keys that say that the weights are quantised: transformers, compressed-tensors, MLX. */
static const char *const quantised[] = { "quantization_config", "compression_config", "quantization" };

/* ACT2CLS of transformers, names of ours. */
static const struct {
    const char *name;
    enum nf_act act;
} activations[] = {
    { "relu", NF_ACT_RELU },
    { "relu2", NF_ACT_RELU2 },
    { "gelu", NF_ACT_GELU },
    { "gelu_python", NF_ACT_GELU },
    { "gelu_new", NF_ACT_GELU_TANH },
    { "gelu_fast", NF_ACT_GELU_TANH },   /* sqrt(2 / pi) to ten digits */
    { "gelu_accurate", NF_ACT_GELU_TANH },
    { "gelu_pytorch_tanh", NF_ACT_GELU_TANH },
    { "gelu_python_tanh", NF_ACT_GELU_TANH },
    { "quick_gelu", NF_ACT_QUICK_GELU },
    { "silu", NF_ACT_SILU },
    { "swish", NF_ACT_SILU },
};

const char *nf_act_name(enum nf_act act)
{
    static const char *const names[] = {
        [NF_ACT_RELU] = "relu", [NF_ACT_GELU] = "gelu",   [NF_ACT_GELU_TANH] = "gelu_tanh",
        [NF_ACT_SILU] = "silu", [NF_ACT_RELU2] = "relu2", [NF_ACT_QUICK_GELU] = "quick_gelu",
    };

    return names[act];
}

bool nf_act_is_off(enum nf_act act)
{
    return act == NF_ACT_RELU || act == NF_ACT_RELU2;
}

size_t nf_config_window(const struct nf_config *cfg, size_t layer)
{
    return cfg->layer[layer] & NF_LAYER_WINDOW ? cfg->window : SIZE_MAX;
}

/* ---- one key ---- */

/* The value as JSON, cut to fit in a message. */
static const char *show_json(const json_t *v, char *buf, size_t size)
{
    size_t n = json_dumpb(v, buf, size - 1, JSON_ENCODE_ANY | JSON_COMPACT);

    buf[n < size - 1 ? n : size - 1] = '\0';
    if (n < size)
        return buf;
    if (json_is_object(v))
        return "{...}";
    return json_is_array(v) ? "[...]" : "...";
}

/* "text; more" where it fits; false: it does not. */
static bool add_sentence(char *text, size_t size, const char *more)
{
    size_t n = strlen(text), m = strlen(more);

    if (n + m + 3 > size)
        return false;
    memcpy(text + n, "; ", n ? 2 : 0);
    memcpy(text + n + (n ? 2 : 0), more, m + 1);
    return true;
}

int nf_config_refuse_text(const struct nf_reading *r, const char *fmt, ...)
{
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    r->refused->n++;
    r->refused->left_out += !add_sentence(r->refused->text, sizeof r->refused->text, text);
    return NF_EFORMAT;
}

int nf_config_refuse(const struct nf_reading *r, const char *name, const json_t *v, const char *expected)
{
    char buf[80];

    return v ? nf_config_refuse_text(r, "%s: %s: %s", name, show_json(v, buf, sizeof buf), expected)
             : nf_config_refuse_text(r, "%s: %s", name, expected);
}

void nf_config_take(const struct nf_reading *r, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    add_sentence(r->cfg->taken, sizeof r->cfg->taken, text);
}

/* All that was refused, in one message. */
static int fail_refused(const struct nf_reading *r)
{
    const struct nf_refusals *f = r->refused;

    if (f->left_out)
        return nf_fail(r->err, NF_EFORMAT, "%s: %s; and %zu more", r->path, f->text, f->left_out);
    return nf_fail(r->err, NF_EFORMAT, "%s: %s", r->path, f->text);
}

static int choose_word(const struct nf_reading *r, const struct nf_key *k, const json_t *v, unsigned *out)
{
    const char *s = json_string_value(v), *c = k->text, *end;

    if (json_is_boolean(v))
        s = json_is_true(v) ? "true" : "false";
    for (unsigned i = 0; s && c; c = *end ? end + 1 : NULL, i++) {
        end = c + strcspn(c, "|");
        if (strlen(s) == (size_t)(end - c) && strncmp(s, c, strlen(s)) == 0) {
            *out = i;
            return NF_OK;
        }
    }
    return nf_config_refuse_text(r, "%s: %s is not implemented, only %s is", k->name, s ? s : "a value that is no string", k->text);
}

static int choose_activation(const struct nf_reading *r, const struct nf_key *k, const json_t *v, unsigned *out)
{
    enum { N = sizeof activations / sizeof *activations };
    const char *s = json_string_value(v);

    for (size_t i = 0; i < N; i++)
        if (s && strcmp(activations[i].name, s) == 0) {
            *out = activations[i].act;
            return NF_OK;
        }
    return nf_config_refuse_text(r, "%s: %s is not implemented, only relu, relu2, gelu, gelu_new, quick_gelu, silu are", k->name,
                                 s ? s : "a value that is no string");
}

static int check_fixed_key(const struct nf_reading *r, const struct nf_key *k, const json_t *v)
{
    json_t *value = json_loads(k->text, JSON_DECODE_ANY, NULL);
    char expected[96];
    bool same = value && json_equal(value, v);

    json_decref(value);
    if (same)
        return NF_OK;
    snprintf(expected, sizeof expected, "not implemented, only %s is", k->text);
    return nf_config_refuse(r, k->name, v, expected);
}

static int refuse_number(const struct nf_reading *r, const struct nf_key *k, const json_t *v)
{
    char expected[80];

    if (k->type == NF_KEY_SIZE)
        snprintf(expected, sizeof expected, "a whole number from 1 to %.0f is expected", k->max);
    else
        snprintf(expected, sizeof expected, "a number above 0 and up to %g is expected", k->max);
    return nf_config_refuse(r, k->name, v, expected);
}

/* The value of a key into `at`; v NULL: it is missing or null.  What is refused leaves the value of a missing key. */
static int read_value(const struct nf_reading *r, const struct nf_key *k, const json_t *v, void *at)
{
    json_int_t i = v ? json_integer_value(v) : (json_int_t)k->absent;
    double x = v ? json_number_value(v) : k->absent;
    unsigned c = (unsigned)k->absent;
    int rc = NF_OK;

    switch (k->type) {
    case NF_KEY_SIZE:
        if (v && (!json_is_integer(v) || i < 1 || (double)i > k->max))
            rc = refuse_number(r, k, v);
        *(size_t *)at = rc < 0 ? (size_t)k->absent : (size_t)i;
        return rc;
    case NF_KEY_BOOL:
        if (v && !json_is_boolean(v))
            rc = nf_config_refuse(r, k->name, v, "true or false is expected");
        *(bool *)at = v && rc == NF_OK ? json_is_true(v) : k->absent != 0;
        return rc;
    case NF_KEY_REAL:
        if (v && !(json_is_number(v) && x > 0 && x <= k->max))
            rc = refuse_number(r, k, v);
        *(double *)at = rc < 0 ? k->absent : x;
        return rc;
    case NF_KEY_ID:
        *(int64_t *)at = (v && !json_is_integer(v)) || i < 0 || json_is_null(json_object_get(r->root, k->name)) ? -1 : i;
        return NF_OK;
    case NF_KEY_CHOICE:
    case NF_KEY_ACT:
        if (v)
            rc = k->type == NF_KEY_ACT ? choose_activation(r, k, v, &c) : choose_word(r, k, v, &c);
        *(unsigned *)at = c;
        return rc;
    case NF_KEY_FIXED:
        return v ? check_fixed_key(r, k, v) : NF_OK;
    case NF_KEY_ALIAS:
    case NF_KEY_OTHER:
        return NF_OK;
    }
    abort();
}

const json_t *nf_config_get(const struct nf_reading *r, const char *name)
{
    const json_t *v = json_object_get(r->root, name);

    return json_is_null(v) ? NULL : v;
}

/* The value of a key under its own name or an alias. */
static int find_value(const struct nf_reading *r, const char *name, const json_t **v)
{
    *v = nf_config_get(r, name);
    for (const struct nf_key *k = r->family->keys; k->name; k++) {
        const json_t *alias = k->type == NF_KEY_ALIAS && strcmp(k->text, name) == 0 ? nf_config_get(r, k->name) : NULL;
        char buf[40];

        if (alias && *v && !json_equal(alias, *v))
            return nf_config_refuse_text(r, "%s: %s does not agree with %s, another name for it", k->name,
                                         show_json(alias, buf, sizeof buf), name);
        if (alias)
            *v = alias;
    }
    return NF_OK;
}

static int read_key(const struct nf_reading *r, const struct nf_key *k, void *at)
{
    const json_t *v;
    int rc = find_value(r, k->name, &v);

    return read_value(r, k, v, at) < 0 ? NF_EFORMAT : rc;
}

int nf_config_size(const struct nf_reading *r, const char *name, size_t absent, size_t max, size_t *out)
{
    return read_key(r, &(struct nf_key){ name, NF_KEY_SIZE, 0, (double)absent, (double)max, NULL }, out);
}

int nf_config_flag(const struct nf_reading *r, const char *name, bool absent, bool *out)
{
    return read_key(r, &(struct nf_key){ name, NF_KEY_BOOL, 0, absent, 0, NULL }, out);
}

int nf_config_real(const struct nf_reading *r, const char *name, double absent, double max, double *out)
{
    return read_key(r, &(struct nf_key){ name, NF_KEY_REAL, 0, absent, max, NULL }, out);
}

/* ---- all keys ---- */

static bool is_listed(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static bool has_row(const struct nf_key *k, const char *name)
{
    while (k->name && strcmp(k->name, name) != 0)
        k++;
    return k->name;
}

static bool is_quantised(const char *name)
{
    for (size_t i = 0; i < sizeof quantised / sizeof *quantised; i++)
        if (strcmp(quantised[i], name) == 0)
            return true;
    return false;
}

static void refuse_quantised(const struct nf_reading *r, const char *name, const json_t *v)
{
    const char *method = json_string_value(json_object_get(v, "quant_method"));
    char buf[80];

    nf_config_refuse_text(r, "%s: the weights are quantised (%s): not implemented, only the checkpoint that they were made from is",
                          name, method ? method : show_json(v, buf, sizeof buf));
}

/* "a, b, .." with one name more; what does not fit is "..". */
static void add_name(char *list, size_t size, const char *name)
{
    size_t n = strlen(list);

    if (n > 2 && strcmp(list + n - 2, "..") == 0)
        return;
    if (n + strlen(name) + 7 > size)
        name = "..";
    snprintf(list + n, size - n, "%s%s", n ? ", " : "", name);
}

/* Of a multimodal model: what the file says outside of text_config and is not only of the other parts. */
static void check_outer_keys(const struct nf_reading *r)
{
    const char *name;
    json_t *v;

    json_object_foreach ((json_t *)r->outer, name, v)
        if (!json_is_null(v) && is_quantised(name))
            refuse_quantised(r, name, v);
    if (json_object_size(json_object_get(r->outer, "auto_map")))
        nf_config_refuse_text(r, "auto_map names code of the checkpoint's own, which may read any key");
}

/* A key that no row reads is harmless, quantises, or plays no part; the last is not believed where the checkpoint has code of its own. */
static void check_keys(const struct nf_reading *r)
{
    const char *name;
    json_t *v;

    json_object_foreach ((json_t *)r->root, name, v) {
        char shown[96];

        if (json_is_null(v) || has_row(r->family->keys, name) || has_row(shared_keys, name) || is_listed(harmless, name))
            continue;
        nf_utf8_show(name, strlen(name), shown, sizeof shown);
        if (is_quantised(name))
            refuse_quantised(r, name, v);
        else
            add_name(r->cfg->passed, sizeof r->cfg->passed, shown);
    }
    if (*r->cfg->passed && json_object_size(nf_config_get(r, "auto_map")))
        nf_config_refuse_text(r, "auto_map names code of the checkpoint's own, which may read %s", r->cfg->passed);
}

/* False: a size is not known, so that nothing can be built on the sizes. */
static bool read_key_rows(const struct nf_reading *r)
{
    bool sized = true;

    for (const struct nf_key *k = shared_keys; k->name; k++)
        if (!has_row(r->family->keys, k->name))
            read_key(r, k, NULL);
    for (const struct nf_key *k = r->family->keys; k->name; k++)
        if (read_key(r, k, (unsigned char *)r->cfg + k->offset) < 0 && k->type == NF_KEY_SIZE)
            sized = false;
    return sized;
}

/* The class that config.json names first; NULL: none. */
static const char *first_architecture(const struct nf_reading *r)
{
    return json_string_value(json_array_get(json_object_get(r->root, "architectures"), 0));
}

/* Multimodal models whose text model is no plain one, whatever family it names: PaliGemma's prefix sees itself whole. */
static const char *const not_plain[] = { "paligemma", "colpali", "pi0", NULL };

/* The text model of a multimodal one becomes the root. */
static void enter_text_config(struct nf_reading *r, const char *type)
{
    const json_t *text = json_object_get(r->root, "text_config");
    const char *inner = json_string_value(json_object_get(text, "model_type"));

    if (!inner || is_listed(not_plain, type) || nf_family_find(type))
        return;
    r->family = nf_family_find(inner);
    if (!r->family)
        return;
    r->root = text;
    r->cfg->wrapped = true;
    nf_config_take(r, "the text model (%s) of %.40s is run, nothing else of it", inner, type);
}

/* By model_type, as transformers does; the class that is named decides only where that is missing, as in files of 2019. */
static int find_family(struct nf_reading *r)
{
    const char *type = json_string_value(nf_config_get(r, "model_type")), *name = first_architecture(r);
    char known[400], shown[96];

    r->family = type ? nf_family_find(type) : NULL;
    if (!type && name && (r->family = nf_family_of(name)))
        nf_config_take(r, "model_type is missing, architectures names %s", name);
    if (type && !r->family)
        enter_text_config(r, type);
    nf_utf8_show(type ? type : "", type ? strlen(type) : 0, shown, sizeof shown);
    if (!r->family)
        return nf_fail(r->err, NF_EFORMAT, "%s: model_type: %s is not implemented, only %s are", r->path,
                       type ? shown : "a missing type", nf_family_list(known, sizeof known));
    r->cfg->family = r->family;
    nf_utf8_show(name ? name : r->family->architecture, strlen(name ? name : r->family->architecture), r->cfg->architecture,
                 sizeof r->cfg->architecture);
    return NF_OK;
}

/* Is entry i of layer_types this name?  "attention" was a name of full attention. */
static bool is_layer_type(const json_t *types, size_t i, const char *type)
{
    const char *name = json_string_value(json_array_get(types, i));

    if (name && strcmp(name, "attention") == 0)
        name = "full_attention";
    return name && strcmp(name, type) == 0;
}

/* layer_types (transformers 5), a name for each layer. */
int nf_config_layer_types(const struct nf_reading *r, bool *found)
{
    const json_t *types = nf_config_get(r, "layer_types");
    struct nf_config *cfg = r->cfg;

    *found = types;
    if (types && json_array_size(types) != cfg->L)
        return nf_config_refuse(r, "layer_types", types, "a name for each layer is expected");
    for (size_t i = 0; types && i < cfg->L; i++) {
        if (is_layer_type(types, i, "full_attention"))
            continue;
        if (!is_layer_type(types, i, "sliding_attention"))
            return nf_config_refuse(r, "layer_types", types, "only \"full_attention\" and \"sliding_attention\" are implemented");
        if (!cfg->window)
            return nf_config_refuse(r, "layer_types", types, "sliding_attention without a window");
        cfg->layer[i] |= NF_LAYER_WINDOW;
    }
    return NF_OK;
}

/* Of a family whose layers are all alike, or are told apart by other keys: layer_types may only say what is so without it. */
static void check_foreign_layer_types(const struct nf_reading *r)
{
    const json_t *types = nf_config_get(r, "layer_types");
    bool full = !types || json_array_size(types) == r->cfg->L;

    for (size_t i = 0; full && types && i < r->cfg->L; i++)
        full = is_layer_type(types, i, "full_attention");
    if (!full)
        nf_config_refuse(r, "layer_types", types, "not implemented for this family, only \"full_attention\" for each layer is");
}

/* Heads, once all sizes are read. */
static bool set_heads(const struct nf_reading *r)
{
    struct nf_config *cfg = r->cfg;
    size_t head_dim = 0;

    if (!has_row(r->family->keys, "head_dim"))
        nf_config_size(r, "head_dim", 0, NF_WIDTH_MAX, &head_dim);
    if (!cfg->K && cfg->D % cfg->H != 0) {
        nf_config_refuse_text(r, "the width %zu does not divide into %zu heads", cfg->D, cfg->H);
        return false;
    }
    if (!cfg->K)
        cfg->K = cfg->D / cfg->H;
    if (head_dim && head_dim != cfg->K)
        nf_config_refuse_text(r, "head_dim: %zu: not implemented, only %zu, the width divided among the heads, is", head_dim,
                              cfg->K);
    if (!cfg->G)
        cfg->G = cfg->H;
    if (cfg->H % cfg->G != 0)
        nf_config_refuse_text(r, "%zu heads do not divide among %zu heads of keys and values", cfg->H, cfg->G);
    return true;
}

static int read_all(struct nf_reading *r)
{
    struct nf_config *cfg = r->cfg;

    /* What most families have; their tables and last steps change it. */
    cfg->norm = NF_NORM_LAYER;
    cfg->pre_norm = cfg->final_norm = cfg->norm_affine = true;
    cfg->scale_scores = true;
    if (find_family(r) < 0)
        return NF_EFORMAT;
    check_keys(r);
    if (cfg->wrapped)
        check_outer_keys(r);
    if (read_key_rows(r) && set_heads(r)) {
        if (!has_row(r->family->keys, "layer_types"))
            check_foreign_layer_types(r);
        if (r->family->finish(r) < 0 && !r->refused->n)
            return (int)r->err->code;
    }
    if (r->refused->n)
        return fail_refused(r);
    cfg->tied = cfg->tied || (cfg->wrapped && json_is_true(json_object_get(r->outer, "tie_word_embeddings")));
    if (cfg->E == 0)
        cfg->E = cfg->D;
    if (cfg->positions == NF_POS_NONE || cfg->positions == NF_POS_ALIBI)
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
static void name_of(const char *dir, struct nf_config *cfg)
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
    struct nf_config fresh = { 0 };
    struct nf_refusals refused = { .n = 0 };
    struct nf_reading r = { .path = path, .cfg = &fresh, .refused = &refused, .err = err };
    json_t *root;
    int rc;

    if (size > CONFIG_BYTES)
        return nf_fail(err, NF_EFORMAT, "%s: %zu bytes, at most %d are expected", path, size, CONFIG_BYTES);
    root = nf_json_parse(text, size, JSON_REJECT_DUPLICATES, path, err);
    if (!root)
        return err ? (int)err->code : NF_EFORMAT;
    r.root = r.outer = root;
    memcpy(fresh.name, cfg->name, sizeof cfg->name);
    memcpy(fresh.revision, cfg->revision, sizeof cfg->revision);
    rc = json_is_object(root) ? read_all(&r) : nf_fail(err, NF_EFORMAT, "%s: not a JSON object", path);
    json_decref(root);
    *cfg = fresh;
    return rc < 0 ? rc : nf_digest_bytes(text, size, cfg->config_sha256, err);
}

/* transformers would run the adapter that stands in the folder, with or without the model beside it. */
static int check_adapter(const char *dir, struct nf_err *err)
{
    char *path = nf_path_join(dir, "adapter_config.json", err);
    bool there = path && nf_file_exists(path);

    free(path);
    if (!path)
        return NF_ESYS;
    return there ? nf_fail(err, NF_EFORMAT,
                           "%s: adapter_config.json: an adapter (LoRA or the like): not implemented.  Merge it into its base model "
                           "(peft: merge_and_unload) and save that",
                           dir)
                 : NF_OK;
}

int nf_config_read(const char *dir, struct nf_config *cfg, struct nf_err *err)
{
    char *path = nf_path_join(dir, "config.json", err);
    struct nf_map map;
    int rc;

    memset(cfg, 0, sizeof *cfg);
    if (!path)
        return NF_ESYS;
    if (nf_gguf_is_file(dir)) {
        free(path);
        return nf_gguf_config_read(dir, cfg, err);
    }
    rc = check_adapter(dir, err);
    if (rc < 0) {
        free(path);
        return rc;
    }
    rc = nf_map_open(path, &map, err);
    if (rc == NF_OK) {
        name_of(dir, cfg);
        rc = nf_config_parse((const char *)map.data, map.size, path, cfg, err);
        nf_map_close(&map);
    }
    free(path);
    return rc;
}
