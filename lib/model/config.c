/* config.c - config.json of a checkpoint, read by a table for each family. */
#include "model/config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"

/* ---- what a family's table says ---- */

enum type { KEY_SIZE, KEY_BOOL, KEY_ID, KEY_CHOICE };

/* A key that is used. */
struct key {
    const char *name;
    enum type type;
    size_t offset;        /* in struct nf_config: size_t, bool, int64_t, or an enum of unsigned values */
    int64_t absent;       /* its value when it is missing or null */
    size_t max;           /* KEY_SIZE */
    const char *choices;  /* KEY_CHOICE: "relu|gelu", in the order of the enum */
};

/* A key that would change the computation: it must have the one value (as JSON) that is implemented, or be missing or null. */
struct fixed {
    const char *name, *value;
};

struct family {
    const char *model_type;
    const char *const *architectures;   /* the first is taken when config.json names none */
    const struct key *keys;
    const struct fixed *fixed;
    const char *const *unused;          /* keys that do not touch a forward pass without dropout */
    void (*finish)(struct nf_config *cfg);
};

enum { MAX_WIDTH = 1 << 20, MAX_LAYERS = 1 << 12, MAX_VOCAB = 1 << 24, MAX_POSITIONS = 1 << 24, CONFIG_BYTES = 16 << 20 };

/* clang-format off */
/* Of PretrainedConfig, transformers 4 and 5: training, generation, bookkeeping.  None of them enters a forward pass in eval mode. */
static const char *const unused_by_all[] = {
    "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal", "_commit_hash", "_name_or_path",
    "architectures", "attn_implementation", "bad_words_ids", "begin_suppress_tokens", "chunk_size_feed_forward", "decoder_start_token_id",
    "diversity_penalty", "do_sample", "dtype", "early_stopping", "encoder_no_repeat_ngram_size", "eos_token_id", "exponential_decay_length_penalty",
    "finetuning_task", "forced_bos_token_id", "forced_eos_token_id", "gradient_checkpointing", "id2label", "initializer_range", "label2id",
    "length_penalty", "max_length", "min_length", "model_type", "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences",
    "output_attentions", "output_hidden_states", "output_scores", "pad_token_id", "prefix", "problem_type", "remove_invalid_values",
    "repetition_penalty", "return_dict", "return_dict_in_generate", "sep_token_id", "suppress_tokens", "task_specific_params",
    "temperature", "tf_legacy_loss", "tokenizer_class", "top_k", "top_p", "torch_dtype", "torchscript", "transformers_version", "typical_p",
    "use_bfloat16", "use_cache", NULL,
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

/* ---- OPT (Zhang et al. 2022, arXiv:2205.01068); keys and their values when missing: OPTConfig of transformers ---- */

#define AT(field) offsetof(struct nf_config, field)

static const char *const opt_architectures[] = { "OPTForCausalLM", "OPTModel", NULL };

static const struct key opt_keys[] = {
    { "num_hidden_layers", KEY_SIZE, AT(L), 12, MAX_LAYERS, NULL },
    { "hidden_size", KEY_SIZE, AT(D), 768, MAX_WIDTH, NULL },
    { "num_attention_heads", KEY_SIZE, AT(H), 12, MAX_WIDTH, NULL },
    { "ffn_dim", KEY_SIZE, AT(F), 3072, MAX_WIDTH, NULL },
    { "vocab_size", KEY_SIZE, AT(V), 50272, MAX_VOCAB, NULL },
    { "word_embed_proj_dim", KEY_SIZE, AT(E), 0, MAX_WIDTH, NULL },   /* 0: hidden_size */
    { "max_position_embeddings", KEY_SIZE, AT(max_positions), 2048, MAX_POSITIONS, NULL },
    { "position_embedding_type", KEY_CHOICE, AT(positions), NF_POS_LEARNED, 0,
      "none|learned" }, /* ours: OPTConfig has no such key */
    { "activation_function", KEY_CHOICE, AT(act), NF_ACT_RELU, 0, "relu" },
    { "do_layer_norm_before", KEY_BOOL, AT(pre_norm), true, 0, NULL },
    { "layer_norm_elementwise_affine", KEY_BOOL, AT(norm_affine), true, 0, NULL },
    { "_remove_final_layer_norm", KEY_BOOL, AT(final_norm), false, 0, NULL },   /* its contrary: opt_finish() */
    { "enable_bias", KEY_BOOL, AT(bias), true, 0, NULL },
    { "tie_word_embeddings", KEY_BOOL, AT(tied), true, 0, NULL },
    { "bos_token_id", KEY_ID, AT(bos_id), 2, 0, NULL },
    { NULL, KEY_SIZE, 0, 0, 0, NULL },
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
static void opt_finish(struct nf_config *cfg)
{
    cfg->final_norm = cfg->pre_norm && !cfg->final_norm;
    cfg->position_offset = 2;
    cfg->norm_eps = 1e-5;   /* torch.nn.LayerNorm; OPT has no key for it */
    if (cfg->E == 0)
        cfg->E = cfg->D;
}

static const struct family families[] = {
    [NF_FAMILY_OPT] = { "opt", opt_architectures, opt_keys, opt_fixed, opt_unused, opt_finish },
};

/* ---- reading ---- */

struct load {
    const char *path;
    const json_t *root;
    const struct family *family;
    struct nf_config *cfg;
    struct nf_err *err;
};

/* The value as JSON, cut to fit in a message. */
static const char *show(const json_t *v, char *buf, size_t size)
{
    size_t n = json_dumpb(v, buf, size - 1, JSON_ENCODE_ANY | JSON_COMPACT);

    buf[n < size - 1 ? n : size - 1] = '\0';
    return n < size ? buf : json_is_object(v) ? "{...}" : json_is_array(v) ? "[...]" : "...";
}

static int refuse(const struct load *l, const char *name, const json_t *v, const char *wanted)
{
    char buf[80];

    return nf_fail(l->err, NF_EFORMAT, "%s: %s: %s: %s", l->path, name, show(v, buf, sizeof buf), wanted);
}

static int choose(const struct load *l, const struct key *k, const json_t *v, unsigned *out)
{
    const char *s = json_string_value(v), *c = k->choices, *end;
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

static int read_key(const struct load *l, const struct key *k)
{
    const json_t *v = json_object_get(l->root, k->name);
    unsigned char *at = (unsigned char *)l->cfg + k->offset;
    bool absent = !v || json_is_null(v);
    json_int_t i = absent ? (json_int_t)k->absent : json_integer_value(v);

    switch (k->type) {
    case KEY_SIZE:
        if (!absent && (!json_is_integer(v) || i < 1 || (uint64_t)i > k->max))
            return nf_fail(l->err, NF_EFORMAT, "%s: %s: a whole number from 1 to %zu is wanted", l->path, k->name, k->max);
        *(size_t *)at = (size_t)i;
        return NF_OK;
    case KEY_BOOL:
        if (!absent && !json_is_boolean(v))
            return refuse(l, k->name, v, "true or false is wanted");
        *(bool *)at = absent ? i != 0 : json_is_true(v);
        return NF_OK;
    case KEY_ID:
        if (v && json_is_null(v))
            i = -1;
        else if (!absent && (!json_is_integer(v) || i < 0))
            return refuse(l, k->name, v, "a token id is wanted");
        *(int64_t *)at = i;
        return NF_OK;
    case KEY_CHOICE: {
        unsigned c = (unsigned)i;

        if (!absent && choose(l, k, v, &c) < 0)
            return NF_EFORMAT;
        *(unsigned *)at = c;
        return NF_OK;
    }
    }
    abort();
}

static bool listed(const char *const *names, const char *name)
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

static int check_fixed(const struct load *l, const struct fixed *f, const json_t *v)
{
    json_t *want = json_loads(f->value, JSON_DECODE_ANY, NULL);
    char wanted[96];
    bool same = want && json_equal(want, v);

    json_decref(want);
    if (same || json_is_null(v))
        return NF_OK;
    snprintf(wanted, sizeof wanted, "not implemented, only %s is", f->value);
    return refuse(l, f->name, v, wanted);
}

/* Every key is one we use, one whose value we implement, or one that is known not to matter. */
static int check_keys(const struct load *l)
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
        if (f || k->name || json_is_null(v) || listed(unused_by_all, name) || listed(l->family->unused, name))
            continue;
        return refuse(l, name, v, "this key is not known, and might change the computation");
    }
    return NF_OK;
}

static int find_family(struct load *l)
{
    const char *type = json_string_value(json_object_get(l->root, "model_type"));
    const json_t *names = json_object_get(l->root, "architectures");
    const char *name = json_string_value(json_array_get(names, 0));
    size_t n = sizeof families / sizeof *families, i = 0;

    while (type && i < n && strcmp(families[i].model_type, type) != 0)
        i++;
    if (!type || i == n)
        return nf_fail(l->err, NF_EFORMAT, "%s: model_type: %s is not implemented, only opt is", l->path,
                       type ? type : "a missing type");
    l->family = &families[i];
    l->cfg->family = (enum nf_family)i;
    if (!name)
        name = l->family->architectures[0];
    if ((names && !json_is_null(names) && json_array_size(names) != 1) || !listed(l->family->architectures, name))
        return nf_fail(l->err, NF_EFORMAT, "%s: architectures: %s is not implemented, only %s and %s are", l->path,
                       json_array_size(names) > 1 ? "more than one" : name, l->family->architectures[0],
                       l->family->architectures[1]);
    snprintf(l->cfg->architecture, sizeof l->cfg->architecture, "%s", name);
    return NF_OK;
}

static int read_all(struct load *l)
{
    struct nf_config *cfg = l->cfg;

    if (find_family(l) < 0 || check_keys(l) < 0)
        return NF_EFORMAT;
    for (const struct key *k = l->family->keys; k->name; k++)
        if (read_key(l, k) < 0)
            return NF_EFORMAT;
    l->family->finish(cfg);
    if (cfg->positions == NF_POS_NONE)
        cfg->max_positions = SIZE_MAX;
    if (cfg->D % cfg->H != 0)
        return nf_fail(l->err, NF_EFORMAT, "%s: the width %zu does not divide into %zu heads", l->path, cfg->D, cfg->H);
    cfg->K = cfg->D / cfg->H;
    return NF_OK;
}

/* The last part of the real path: the same for "model", "model/" and ".". */
static void name_of(const char *dir, struct nf_config *cfg)
{
    char *real = realpath(dir, NULL);
    const char *path = real ? real : dir, *slash = strrchr(path, '/');

    path = slash && slash[1] ? slash + 1 : path;
    nf_utf8_show(path, strlen(path), cfg->name, sizeof cfg->name);
    free(real);
}

int nf_config_parse(const char *text, size_t size, const char *path, struct nf_config *cfg, struct nf_err *err)
{
    struct load l = { path, NULL, &families[0], cfg, err };
    json_t *root;
    int rc;

    if (size > CONFIG_BYTES)
        return nf_fail(err, NF_EFORMAT, "%s: %zu bytes, at most %d are wanted", path, size, CONFIG_BYTES);
    root = nf_json_parse(text, size, JSON_REJECT_DUPLICATES, path, err);
    if (!root)
        return err ? (int)err->code : NF_EFORMAT;
    l.root = root;
    rc = json_is_object(root) ? read_all(&l) : nf_fail(err, NF_EFORMAT, "%s: not a JSON object", path);
    json_decref(root);
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
        name_of(dir, cfg);
        rc = nf_config_parse((const char *)map.data, map.size, path, cfg, err);
        nf_map_close(&map);
    }
    free(path);
    return rc;
}
