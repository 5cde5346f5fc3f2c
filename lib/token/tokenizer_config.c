/* tokenizer_config.c - vocab.json with merges.txt, and the small files beside a tokenizer: special tokens, BOS, context. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "token/load.h"

static const char MERGES[] = "merges.txt";

/* One merge a line, "left right"; the first line may be "#version: ..". */
static int read_merges(struct nf_load *l, const char *p, size_t n)
{
    const char *end = p + n, *eol, *space;
    size_t rank = 0;
    int rc = NF_OK;

    for (const char *line = p; line < end && rc == NF_OK; line = eol + 1) {
        eol = memchr(line, '\n', (size_t)(end - line));
        if (!eol)
            eol = end;
        n = (size_t)(eol - line);
        if (n && line[n - 1] == '\r')
            n--;
        if (!n || (line == p && n >= 9 && memcmp(line, "#version:", 9) == 0))
            continue;
        space = memchr(line, ' ', n);
        if (!space)
            return nf_fail(l->err, NF_EFORMAT, "%s/%s: merge %zu: two tokens with a space between them are expected", l->dir, MERGES,
                           rank);
        rc = nf_load_merge(l, MERGES, rank++, line, (size_t)(space - line), space + 1, (size_t)(line + n - space - 1));
    }
    return rc;
}

int nf_load_vocab_merges(struct nf_load *l)
{
    char *path = nf_path_join(l->dir, MERGES, l->err), *model = NULL;
    json_t *vocab = path ? nf_load_json(l, "vocab.json") : NULL;
    struct nf_map map = { NULL, 0 };
    int rc = (int)l->err->code;

    if (rc == NF_OK && (!vocab || !nf_file_exists(path)) && (model = nf_path_join(l->dir, "tokenizer.model", l->err)) &&
        nf_file_exists(model))
        rc = nf_fail(l->err, NF_EFORMAT,
                     "%s: only tokenizer.model, SentencePiece's own file: not implemented, a tokenizer.json is expected", l->dir);
    else if (rc == NF_OK && (!vocab || !nf_file_exists(path)))
        rc = nf_fail(l->err, NF_EFORMAT, "%s: no tokenizer there: neither tokenizer.json nor vocab.json with merges.txt", l->dir);
    if (rc == NF_OK)
        rc = nf_load_vocab(l, "vocab.json", vocab);
    if (rc == NF_OK)
        rc = nf_map_open(path, &map, l->err);
    if (rc == NF_OK)
        rc = read_merges(l, (const char *)map.data, map.size);
    nf_map_close(&map);
    json_decref(vocab);
    free(path);
    free(model);
    l->pattern = NF_PRETOK_GPT2;
    return rc;
}

/* The files that nf_load_config() looks at; NULL: absent. */
struct beside {
    json_t *config, *special, *added, *model;
};

/* tokenizer_config.json goes before special_tokens_map.json, as in transformers. */
static const json_t *named(const struct beside *b, const char *key, const char **file)
{
    const json_t *v = json_object_get(b->config, key);

    *file = "tokenizer_config.json";
    if (v && !json_is_null(v))
        return v;
    *file = "special_tokens_map.json";
    v = json_object_get(b->special, key);
    return v && !json_is_null(v) ? v : NULL;
}

static bool is_bare_opt(const struct nf_load *l, const struct beside *b)
{
    const char *type = json_string_value(json_object_get(b->model, "model_type"));

    return l->files && !b->config && type && strcmp(type, "opt") == 0;
}

/*
 * What a special token is where no file names it: in a directory of an OPT model without tokenizer_config.json that of every OPT
 * model, with vocab.json otherwise the "<|endoftext|>" that transformers' GPT2Tokenizer takes.
 */
static const char *unnamed(const struct nf_load *l, const struct beside *b, const char *key)
{
    bool edge = strcmp(key, "bos_token") == 0 || strcmp(key, "eos_token") == 0 || strcmp(key, "unk_token") == 0;

    if (is_bare_opt(l, b))
        return edge ? "</s>" : strcmp(key, "pad_token") == 0 ? "<pad>" : NULL;
    return l->files && edge ? "<|endoftext|>" : NULL;
}

/* The token that tokenizer.json has by this text. */
static struct nf_added_token *in_json(const struct nf_load *l, const json_t *v)
{
    const json_t *content = json_is_object(v) ? json_object_get(v, "content") : v;

    for (size_t i = 0; !l->files && i < l->t->added.n; i++)
        if (json_is_string(content) && json_string_length(content) == l->t->added.tokens[i].n &&
            memcmp(json_string_value(content), l->t->added.tokens[i].text, l->t->added.tokens[i].n) == 0)
            return &l->t->added.tokens[i];
    return NULL;
}

/* A special token as a text or as an object with content and flags.  How one of tokenizer.json is looked for stands there. */
static int add_special(struct nf_load *l, const char *file, const json_t *v, int64_t id)
{
    struct nf_added_token *known = in_json(l, v);
    json_t *token;
    int rc;

    if (known) {
        known->special = true;
        return NF_OK;
    }
    token = json_is_object(v) ? json_deep_copy(v) : json_pack("{s:O}", "content", v);
    if (!token || json_object_set_new(token, "special", json_true()) < 0)
        rc = nf_fail(l->err, NF_ESYS, "out of memory");
    else
        rc = nf_load_added(l, file, token, id);
    json_decref(token);
    return rc;
}

static int read_special_token(struct nf_load *l, const struct beside *b, const char *key)
{
    const char *file, *text = unnamed(l, b, key);
    const json_t *v = named(b, key, &file);
    json_t *own = NULL;
    int rc = NF_OK;

    if (!v && text && nf_load_id(l, text, strlen(text)) >= 0) {
        v = own = json_string(text);
        if (!v)
            return nf_fail(l->err, NF_ESYS, "out of memory");
    }
    if (v && !json_is_string(v) && !json_is_object(v))
        rc = nf_fail(l->err, NF_EFORMAT, "%s/%s: %s is neither a text nor an object", l->dir, file, key);
    else if (v)
        rc = add_special(l, file, v, -1);
    json_decref(own);
    return rc;
}

/* A token with its id.  How one of tokenizer.json is looked for stands there. */
static int add_mapped(struct nf_load *l, const char *file, const json_t *token, int64_t id)
{
    struct nf_added_token *known = in_json(l, token);

    if (!known || known->id != id)
        return nf_load_added(l, file, token, id);
    known->special |= json_is_true(json_object_get(token, "special"));
    return NF_OK;
}

/* added_tokens.json maps texts to ids; added_tokens_decoder maps ids, as texts, to tokens. */
static int read_added_maps(struct nf_load *l, const struct beside *b)
{
    const char *key;
    json_t *v, *token;
    int rc = NF_OK;

    json_object_foreach (b->added, key, v) {
        token = json_pack("{s:s, s:b}", "content", key, "normalized", 1);
        if (rc == NF_OK && !token)
            rc = nf_fail(l->err, NF_ESYS, "out of memory");
        if (rc == NF_OK)
            rc = json_is_integer(v) ? add_mapped(l, "added_tokens.json", token, json_integer_value(v))
                                    : nf_fail(l->err, NF_EFORMAT, "%s/added_tokens.json: \"%s\" has no id", l->dir, key);
        json_decref(token);
    }
    json_object_foreach (json_object_get(b->config, "added_tokens_decoder"), key, v) {
        char *end;
        long long id = strtoll(key, &end, 10);

        if (rc == NF_OK && (*end || end == key || id < 0))
            rc = nf_fail(l->err, NF_EFORMAT, "%s/tokenizer_config.json: added_tokens_decoder: \"%s\" is not an id", l->dir, key);
        if (rc == NF_OK)
            rc = add_mapped(l, "tokenizer_config.json", v, id);
    }
    return rc;
}

/* A list of special tokens, or a map of names to them. */
static int read_special_list(struct nf_load *l, const struct beside *b, const char *key)
{
    const char *file, *name;
    const json_t *more = named(b, key, &file);
    json_t *v;
    int rc = NF_OK;

    for (size_t i = 0; rc == NF_OK && i < json_array_size(more); i++)
        rc = add_special(l, file, json_array_get(more, i), -1);
    json_object_foreach ((json_t *)more, name, v)
        if (rc == NF_OK)
            rc = add_special(l, file, v, -1);
    return rc;
}

static int read_specials(struct nf_load *l, const struct beside *b)
{
    static const char *const keys[] = { "bos_token", "eos_token", "unk_token",  "sep_token",
                                        "pad_token", "cls_token", "mask_token", NULL };
    int rc = read_added_maps(l, b);

    for (const char *const *k = keys; *k && rc == NF_OK; k++)
        rc = read_special_token(l, b, *k);
    if (rc == NF_OK)
        rc = read_special_list(l, b, "additional_special_tokens");
    return rc == NF_OK ? read_special_list(l, b, "extra_special_tokens") : rc;   /* its name in transformers 5 */
}

/*
 * The id of BOS: by name; by the template of tokenizer.json, which stands already; by config.json, unless tokenizer_config.json says that
 * there is none (as Qwen's, whose config.json names a token of padding).
 */
static void find_bos(struct nf_load *l, const struct beside *b)
{
    const char *file, *text = unnamed(l, b, "bos_token");
    const json_t *v = named(b, "bos_token", &file), *id = json_object_get(b->model, "bos_token_id");
    int64_t known;

    if (json_is_object(v))
        v = json_object_get(v, "content");
    if (json_is_string(v))
        text = json_string_value(v);
    known = text ? nf_load_id(l, text, strlen(text)) : -1;
    if (known >= 0 && !l->template_bos)
        l->t->bos_id = known;
    else if (l->t->bos_id < 0 && !json_is_null(json_object_get(b->config, "bos_token")) && json_is_integer(id) &&
             json_integer_value(id) >= 0 && json_integer_value(id) <= NF_TOKEN_ID_MAX)
        l->t->bos_id = json_integer_value(id);
}

static bool one_of(const char *s, const char *const *list)
{
    while (*list && strcmp(*list, s) != 0)
        list++;
    return *list;
}

/* vocab.json and merges.txt do not say by which pattern text is cut: a family known to have another than GPT-2's is refused. */
static int check_files(struct nf_load *l, const struct beside *b)
{
    static const char *const gpt2[] = { "GPT2Tokenizer", "GPT2TokenizerFast", "CodeGenTokenizer", "CodeGenTokenizerFast", NULL };
    static const char *const other[] = { "gpt_neox", "qwen2", "qwen3", "llama", "mistral", NULL };
    const char *class = json_string_value(json_object_get(b->config, "tokenizer_class"));
    const char *type = json_string_value(json_object_get(b->model, "model_type"));

    if (l->files && class && !one_of(class, gpt2))
        return nf_fail(l->err, NF_EFORMAT,
                       "%s/tokenizer_config.json: a %s from vocab.json and merges.txt is not implemented: tokenizer.json is expected",
                       l->dir, class);
    if (l->files && !class && type && one_of(type, other))
        return nf_fail(
            l->err, NF_EFORMAT,
            "%s/config.json: the tokenizer of %s from vocab.json and merges.txt is not implemented: tokenizer.json is expected",
            l->dir, type);
    return NF_OK;
}

/*
 * What transformers would change in the tokenizer by these keys is refused.  add_prefix_space must be what tokenizer.json does; "legacy"
 * and "clean_up_tokenization_spaces" are not looked at: the one is for a tokenizer built without tokenizer.json, the other for decoding.
 */
static int check_config(struct nf_load *l, const struct beside *b)
{
    const json_t *space = json_object_get(b->config, "add_prefix_space");
    bool have = l->t->prepend || l->t->front != NF_FRONT_NEVER;

    if (json_is_true(json_object_get(b->config, "add_eos_token")))
        return nf_fail(l->err, NF_EFORMAT, "%s/tokenizer_config.json: add_eos_token: true is not implemented", l->dir);
    if (json_is_true(json_object_get(b->config, "split_special_tokens")))
        return nf_fail(l->err, NF_EFORMAT, "%s/tokenizer_config.json: split_special_tokens: true is not implemented", l->dir);
    if (json_is_boolean(space) && json_is_true(space) != have)
        return nf_fail(l->err, NF_EFORMAT,
                       "%s/tokenizer_config.json: add_prefix_space: %s is not what the tokenizer does, and not implemented", l->dir,
                       have ? "false" : "true");
    return NF_OK;
}

/* add_bos_token goes before the template of tokenizer.json, as in transformers. */
static int read_bos(struct nf_load *l, const struct beside *b)
{
    const json_t *add = json_object_get(b->config, "add_bos_token");

    l->t->bos_auto = json_is_boolean(add) ? json_is_true(add) : l->template_bos || is_bare_opt(l, b);
    if (json_is_true(add))
        l->template_bos = false;
    find_bos(l, b);
    if (l->t->bos_auto && l->t->bos_id < 0)
        return nf_fail(l->err, NF_EFORMAT, "%s: a BOS token is to be put in front, but no file names it", l->dir);
    return NF_OK;
}

static void read_context(struct nf_load *l, const json_t *model)
{
    static const char *const keys[] = { "max_position_embeddings", "n_positions", "n_ctx", NULL };

    for (const char *const *k = keys; *k && !l->t->context; k++) {
        const json_t *v = json_object_get(model, *k);

        if (json_is_integer(v) && json_integer_value(v) > 0)
            l->t->context = (size_t)json_integer_value(v);
    }
}

int nf_load_config(struct nf_load *l)
{
    struct beside b = { 0 };
    int rc;

    if (l->memory) {
        b.config = json_incref(l->own_config);
    } else {
        b.config = nf_load_json(l, "tokenizer_config.json");
        b.special = nf_load_json(l, "special_tokens_map.json");
        b.added = nf_load_json(l, "added_tokens.json");
        b.model = nf_load_json(l, "config.json");
    }
    rc = (int)l->err->code;
    if (rc == NF_OK)
        rc = check_files(l, &b);
    if (rc == NF_OK)
        rc = read_specials(l, &b);
    if (rc == NF_OK)
        rc = check_config(l, &b);
    if (rc == NF_OK)
        rc = read_bos(l, &b);
    if (rc == NF_OK)
        read_context(l, b.model);
    json_decref(b.config);
    json_decref(b.special);
    json_decref(b.added);
    json_decref(b.model);
    return rc;
}
