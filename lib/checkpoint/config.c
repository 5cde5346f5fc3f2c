/* config.c - config.json of a checkpoint, read by the table of its family. */
#include "checkpoint/config.h"

#include <jansson.h>
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
/* Of single families' config classes: training, and heads that are no language model. */
static const char *const unused_by_some[] = {
    "_num_labels",
    "activation_dropout",
    "attention_dropout",
    "attn_pdrop",
    "classifier_dropout",
    "dropout",
    "embd_pdrop",
    "embed_dropout",
    "hidden_dropout",
    "init_std",
    "layerdrop",
    "max_sequence_length",
    "n_ctx",   /* GPT-2: read by no version since 4 */
    "output_projection",
    "pretraining_tp",            /* Llama: the products in slices, the same sums */
    "reorder_and_upcast_attn",   /* GPT-2: the order of a scaling and the type of half-precision attention; nothing in float32 */
    "resid_dropout",
    "resid_pdrop",
    "summary_activation",
    "summary_first_dropout",
    "summary_proj_to_labels",
    "summary_type",
    "summary_use_proj",
    NULL,
};

static const struct nf_key fixed_by_all[] = {
    KEY_FIXED("add_cross_attention", "false"),
    KEY_FIXED("cross_attention_hidden_size", "null"),
    KEY_FIXED("is_decoder", "false"),
    KEY_FIXED("is_encoder_decoder", "false"),
    KEY_FIXED("pruned_heads", "{}"),
    KEY_FIXED("tie_encoder_decoder", "false"),
    KEY_END,
};

static const struct {
    const char *name;
    enum nf_act act;
} activations[] = {
    { "relu", NF_ACT_RELU },
    { "gelu", NF_ACT_GELU },
    { "gelu_new", NF_ACT_GELU_TANH },
    { "gelu_pytorch_tanh", NF_ACT_GELU_TANH },
    { "silu", NF_ACT_SILU },
};

const char *nf_act_name(enum nf_act act)
{
    static const char *const names[] = {
        [NF_ACT_RELU] = "relu", [NF_ACT_GELU] = "gelu", [NF_ACT_GELU_TANH] = "gelu_tanh", [NF_ACT_SILU] = "silu"
    };

    return names[act];
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

int nf_config_refuse(const struct nf_reading *r, const char *name, const json_t *v, const char *expected)
{
    char buf[80];

    return nf_fail(r->err, NF_EFORMAT, "%s: %s: %s: %s", r->path, name, show_json(v, buf, sizeof buf), expected);
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
    return nf_fail(r->err, NF_EFORMAT, "%s: %s: %s is not implemented, only %s is", r->path, k->name,
                   s ? s : "a value that is no string", k->text);
}

static int choose_activation(const struct nf_reading *r, const struct nf_key *k, const json_t *v, unsigned *out)
{
    enum { N = sizeof activations / sizeof *activations };
    const char *s = json_string_value(v);
    char known[120] = "";

    for (size_t i = 0; i < N; i++) {
        if (s && strcmp(activations[i].name, s) == 0) {
            *out = activations[i].act;
            return NF_OK;
        }
        strcat(known, i ? "|" : "");
        strcat(known, activations[i].name);   /* few, short names */
    }
    return nf_fail(r->err, NF_EFORMAT, "%s: %s: %s is not implemented, only %s is", r->path, k->name,
                   s ? s : "a value that is no string", known);
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
        snprintf(expected, sizeof expected, "a whole number from 1 to %.0f is wanted", k->max);
    else
        snprintf(expected, sizeof expected, "a number above 0 and up to %g is wanted", k->max);
    return nf_config_refuse(r, k->name, v, expected);
}

/* The value of a key into `at`; v NULL: it is missing or null. */
static int read_value(const struct nf_reading *r, const struct nf_key *k, const json_t *v, void *at)
{
    json_int_t i = v ? json_integer_value(v) : (json_int_t)k->absent;
    double x = v ? json_number_value(v) : k->absent;
    unsigned c = (unsigned)i;

    switch (k->type) {
    case NF_KEY_SIZE:
        if (v && (!json_is_integer(v) || i < 1 || (double)i > k->max))
            return refuse_number(r, k, v);
        *(size_t *)at = (size_t)i;
        return NF_OK;
    case NF_KEY_BOOL:
        if (v && !json_is_boolean(v))
            return nf_config_refuse(r, k->name, v, "true or false is wanted");
        *(bool *)at = v ? json_is_true(v) : i != 0;
        return NF_OK;
    case NF_KEY_REAL:
        if (v && !(json_is_number(v) && x > 0 && x <= k->max))
            return refuse_number(r, k, v);
        *(double *)at = x;
        return NF_OK;
    case NF_KEY_ID:
        if (v && (!json_is_integer(v) || i < 0))
            return nf_config_refuse(r, k->name, v, "a token id is wanted");
        *(int64_t *)at = json_is_null(json_object_get(r->root, k->name)) ? -1 : i;
        return NF_OK;
    case NF_KEY_CHOICE:
    case NF_KEY_ACT:
        if (v && (k->type == NF_KEY_ACT ? choose_activation(r, k, v, &c) : choose_word(r, k, v, &c)) < 0)
            return NF_EFORMAT;
        *(unsigned *)at = c;
        return NF_OK;
    case NF_KEY_FIXED:
        return v ? check_fixed_key(r, k, v) : NF_OK;
    case NF_KEY_OTHER:
        return NF_OK;
    }
    abort();
}

static int read_key(const struct nf_reading *r, const struct nf_key *k, void *at)
{
    const json_t *v = json_object_get(r->root, k->name);

    return read_value(r, k, json_is_null(v) ? NULL : v, at);
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

/* Every key is one we use, one whose value we implement, or one that is known not to matter. */
static int check_keys(const struct nf_reading *r)
{
    const char *name;
    json_t *v;

    json_object_foreach ((json_t *)r->root, name, v) {
        if (json_is_null(v) || has_row(r->family->keys, name) || has_row(fixed_by_all, name) || is_listed(unused_by_all, name) ||
            is_listed(unused_by_some, name))
            continue;
        return nf_config_refuse(r, name, v, "this key is not known, and might change the computation");
    }
    return NF_OK;
}

static int read_keys(const struct nf_reading *r, const struct nf_key *k)
{
    for (; k->name; k++)
        if (read_key(r, k, (unsigned char *)r->cfg + k->offset) < 0)
            return NF_EFORMAT;
    return NF_OK;
}

/* "LlamaModel" for "LlamaForCausalLM": the class without the unembedding. */
static void name_base_class(const struct nf_family *f, char *buf, size_t size)
{
    const char *end = strstr(f->architecture, "ForCausalLM");

    if (!end)
        end = strstr(f->architecture, "LMHeadModel");
    snprintf(buf, size, "%.*sModel", (int)(end - f->architecture), f->architecture);
}

static int find_family(struct nf_reading *r)
{
    const char *type = json_string_value(json_object_get(r->root, "model_type"));
    const json_t *names = json_object_get(r->root, "architectures");
    const char *name = json_string_value(json_array_get(names, 0));
    char base[64], known[400];

    r->family = type ? nf_family_find(type) : NULL;
    if (!r->family)
        return nf_fail(r->err, NF_EFORMAT, "%s: model_type: %s is not implemented, only %s are", r->path,
                       type ? type : "a missing type", nf_family_list(known, sizeof known));
    if (!name)
        name = r->family->architecture;
    name_base_class(r->family, base, sizeof base);
    if ((names && !json_is_null(names) && json_array_size(names) != 1) ||
        (strcmp(name, r->family->architecture) != 0 && strcmp(name, base) != 0))
        return nf_fail(r->err, NF_EFORMAT, "%s: architectures: %s is not implemented, only %s and %s are", r->path,
                       json_array_size(names) > 1 ? "more than one" : name, r->family->architecture, base);
    r->cfg->family = r->family;
    snprintf(r->cfg->architecture, sizeof r->cfg->architecture, "%s", name);
    return NF_OK;
}

/* layer_types (transformers 5), a name for each layer. */
int nf_config_layer_types(const struct nf_reading *r, bool *found)
{
    const json_t *types = json_object_get(r->root, "layer_types");
    struct nf_config *cfg = r->cfg;

    *found = types && !json_is_null(types);
    if (*found && json_array_size(types) != cfg->L)
        return nf_config_refuse(r, "layer_types", types, "a name for each layer is wanted");
    for (size_t i = 0; *found && i < cfg->L; i++) {
        const char *name = json_string_value(json_array_get(types, i));

        if (!name || (strcmp(name, "full_attention") != 0 && strcmp(name, "sliding_attention") != 0))
            return nf_config_refuse(r, "layer_types", types, "only \"full_attention\" and \"sliding_attention\" are implemented");
        if (strcmp(name, "full_attention") == 0)
            continue;
        if (!cfg->window)
            return nf_config_refuse(r, "layer_types", types, "sliding_attention without use_sliding_window");
        cfg->layer[i] |= NF_LAYER_WINDOW;
    }
    return NF_OK;
}

/* Heads, once all sizes are read. */
static int set_heads(const struct nf_reading *r)
{
    struct nf_config *cfg = r->cfg;

    if (!cfg->K && cfg->D % cfg->H != 0)
        return nf_fail(r->err, NF_EFORMAT, "%s: the width %zu does not divide into %zu heads", r->path, cfg->D, cfg->H);
    if (!cfg->K)
        cfg->K = cfg->D / cfg->H;
    if (!cfg->G)
        cfg->G = cfg->H;
    if (cfg->H % cfg->G != 0)
        return nf_fail(r->err, NF_EFORMAT, "%s: %zu heads do not divide among %zu heads of keys and values", r->path, cfg->H,
                       cfg->G);
    return NF_OK;
}

static int read_all(struct nf_reading *r)
{
    struct nf_config *cfg = r->cfg;

    /* What most families have; their tables and last steps change it. */
    cfg->norm = NF_NORM_LAYER;
    cfg->pre_norm = cfg->final_norm = cfg->norm_affine = true;
    cfg->scale_scores = true;
    if (find_family(r) < 0 || check_keys(r) < 0 || read_keys(r, fixed_by_all) < 0 || read_keys(r, r->family->keys) < 0 ||
        set_heads(r) < 0 || r->family->finish(r) < 0)
        return NF_EFORMAT;
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
    struct nf_reading r = { .path = path, .cfg = &fresh, .err = err };
    json_t *root;
    int rc;

    if (size > CONFIG_BYTES)
        return nf_fail(err, NF_EFORMAT, "%s: %zu bytes, at most %d are wanted", path, size, CONFIG_BYTES);
    root = nf_json_parse(text, size, JSON_REJECT_DUPLICATES, path, err);
    if (!root)
        return err ? (int)err->code : NF_EFORMAT;
    r.root = root;
    memcpy(fresh.name, cfg->name, sizeof cfg->name);
    memcpy(fresh.revision, cfg->revision, sizeof cfg->revision);
    rc = json_is_object(root) ? read_all(&r) : nf_fail(err, NF_EFORMAT, "%s: not a JSON object", path);
    json_decref(root);
    *cfg = fresh;
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
    if (nf_gguf_is_file(dir)) {
        free(path);
        return nf_gguf_config_read(dir, cfg, err);
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
