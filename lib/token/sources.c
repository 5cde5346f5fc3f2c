/* sources.c - from the JSON of a tokenizer's files to its parts, in transformers' order. */
#include "token/sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const char CONFIG[] = "tokenizer_config.json";

static const char *const edge_tokens[] = { "bos_token", "eos_token", "unk_token", "sep_token",
                                           "pad_token", "cls_token", "mask_token" };
enum { EDGES = sizeof edge_tokens / sizeof *edge_tokens };

/* What AutoTokenizer hands to the class: the entries of tokenizer_config.json, with those of other files. */
struct settings {
    json_t *all; /* owned */
    json_t *named; /* special tokens by names that the family gives them; owned */
    json_t *decoder; /* tokens by id as text, in no order; owned; NULL: none */
};

static bool is_edge(const char *key)
{
    for (size_t i = 0; i < EDGES; i++)
        if (strcmp(edge_tokens[i], key) == 0)
            return true;
    return false;
}

/* Is it a special token's name for a token: "image_token": "<image>"? */
static bool is_token_key(const char *key, const json_t *v)
{
    size_t n = strlen(key);

    return n > 6 && strcmp(key + n - 6, "_token") == 0 && (json_is_string(v) || json_is_object(v));
}

static bool is_filled(const json_t *v)
{
    return json_array_size(v) || json_object_size(v);
}

/* Named tokens of tokenizer_config.json's own, "image_token": "<image>". */
static void move_own(struct settings *set)
{
    json_t *v;
    const char *key;
    void *next;

    json_object_foreach_safe(set->all, next, key, v) if (json_is_string(v) && is_token_key(key, v) && !is_edge(key))
    {
        json_object_set(set->named, key, v);
        json_object_del(set->all, key);
    }
}

/* extra_special_tokens with names are named tokens too. */
static void move_named(struct settings *set)
{
    json_t *extra = json_object_get(set->all, "extra_special_tokens");

    if (!json_is_object(extra))
        return;
    json_object_update(set->named, extra);
    json_object_del(set->all, "extra_special_tokens");
}

/* additional_special_tokens is the old name of extra_special_tokens. */
static void rename_extra(json_t *all, bool unless_there)
{
    json_t *old = json_object_get(all, "additional_special_tokens"), *extra = json_object_get(all, "extra_special_tokens");

    if (!old || (unless_there ? extra != NULL : is_filled(extra)))
        return;
    json_object_set(all, "extra_special_tokens", old);
    json_object_del(all, "additional_special_tokens");
}

/* special_tokens_map.json goes before tokenizer_config.json; what it names as an object is special. */
static void merge_special_map(json_t *all, json_t *map)
{
    const char *key;
    json_t *v;

    json_object_foreach (map, key, v) {
        if (json_is_object(v) && strcmp(key, "extra_special_tokens") != 0) {
            v = json_deep_copy(v);
            json_object_set_new(v, "special", json_true());
            json_object_set_new(all, key, v);
        } else if (strcmp(key, "extra_special_tokens") == 0 && json_is_array(v)) {
            json_t *list = json_copy(json_object_get(all, key));

            list = json_is_array(list) ? list : json_array();
            json_array_extend(list, v);
            json_object_set_new(all, key, list);
        } else {
            json_object_set(all, key, v);
        }
    }
}

static bool is_content(const json_t *v, const char *text)
{
    return nf_load_is_text(json_is_object(v) ? json_object_get(v, "content") : v, text);
}

/* Is the text one of the usual special tokens, or an extra one? */
static bool is_named(const json_t *all, const char *text)
{
    const json_t *extra = json_object_get(all, "extra_special_tokens");

    for (size_t i = 0; i < EDGES + json_array_size(extra); i++) {
        const json_t *v = i < EDGES ? json_object_get(all, edge_tokens[i]) : json_array_get(extra, i - EDGES);

        if (is_content(v, text))
            return true;
    }
    return false;
}

/* Is the text a special token by name? */
static bool has_name(const struct settings *set, const char *text)
{
    const char *key;
    json_t *v;

    json_object_foreach (set->all, key, v)
        if (is_token_key(key, v) && is_content(v, text))
            return true;
    json_object_foreach (set->named, key, v)
        if (is_content(v, text))
            return true;
    return false;
}

/* The tokens of added_tokens.json and tokenizer.json, where tokenizer_config.json has no added_tokens_decoder. */
static void collect_decoder(struct settings *set, const struct nf_sources *s)
{
    const json_t *list = json_object_get(s->root, "added_tokens");
    const char *text;
    char key[32];
    json_t *id;

    set->decoder = json_object();
    json_object_foreach (s->added, text, id) {
        int special = is_named(set->all, text);

        snprintf(key, sizeof key, "%lld", (long long)json_integer_value(id));
        json_object_set_new(set->decoder, key,
                            json_pack("{s:s, s:b, s:b}", "content", text, "special", special, "normalized", !special));
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *token = json_array_get(list, i);

        snprintf(key, sizeof key, "%lld", (long long)json_integer_value(json_object_get(token, "id")));
        json_object_set(set->decoder, key, token);
    }
}

/* Special tokens that the class has unless a file says otherwise. */
static void add_defaults(struct settings *set, const struct nf_class *class)
{
    json_t *defaults = json_loads(class->specials, 0, NULL), *v, *own;
    const char *key;

    json_object_foreach (defaults, key, v) {
        if ((own = json_object_get(set->named, key)))
            json_object_set(set->all, key, own);
        json_object_del(set->named, key);
    }
    json_object_update_missing(set->all, defaults);
    json_decref(defaults);
}

static int make_settings(struct nf_load *l, const struct nf_sources *s, struct settings *set)
{
    json_t *decoder = json_object_get(s->config, "added_tokens_decoder");

    set->all = s->config ? json_deep_copy(s->config) : json_object();
    if (!l->files && !l->memory) {
        json_object_del(set->all, "add_bos_token");
        json_object_del(set->all, "add_eos_token");
    }
    set->named = json_object();
    rename_extra(set->all, false);
    move_own(set);
    move_named(set);
    if (!decoder)
        merge_special_map(set->all, s->special);
    move_named(set);
    if (decoder)
        set->decoder = json_incref(decoder);
    else
        collect_decoder(set, s);
    rename_extra(set->all, true);
    if (s->class)
        add_defaults(set, s->class);
    return set->all && set->decoder && !nf_json_starved() ? NF_OK : nf_fail(l->err, NF_ESYS, "out of memory");
}

/* ---- the object that the parts are read from ---- */

/* tokenizer.json as the class has it: its own normalizer, pre_tokenizer and flags of the model, around the file's vocabulary. */
static json_t *rebuild_root(struct nf_load *l, const struct nf_sources *s, const struct settings *set)
{
    json_t *root = nf_class_parts(s->class, set->all), *model = json_object_get(root, "model");
    const json_t *file = json_object_get(s->root, "model"), *unk = json_object_get(set->all, "unk_token");

    if (!nf_load_is_text(json_object_get(file, "type"), "BPE") && json_object_get(file, "type")) {
        nf_fail(l->err, NF_EFORMAT, "%s: tokenizer_class %s is a BPE, and the model of tokenizer.json is %s", l->dir,
                s->class->name, nf_load_type(file));
        json_decref(root);
        return NULL;
    }
    json_object_set(model, "vocab", json_object_get(file, "vocab"));
    json_object_set(model, "merges", json_object_get(file, "merges"));
    if (s->class->unk)
        json_object_set(model, "unk_token", json_is_object(unk) ? json_object_get(unk, "content") : (json_t *)unk);
    if (!s->class->own_bos && !s->class->always_bos)
        json_object_set(root, "post_processor", json_object_get(s->root, "post_processor"));
    return root;
}

static bool same_bytes(const struct nf_bytes *a, const struct nf_bytes *b)
{
    return a->n == b->n && (!a->n || memcmp(a->p, b->p, a->n) == 0);
}

/* Where the class cuts text otherwise than the file says, that is noted. */
static int note_rebuilt(struct nf_load *l, const struct nf_sources *s)
{
    struct nf_tokenizer said = { .model = NF_MODEL_BPE_CHARS };
    struct nf_err own = NF_ERR_INIT;
    struct nf_load other = { .dir = l->dir, .t = &said, .err = &own };
    bool same = nf_load_steps(&other, s->root) == NF_OK && !other.refused.n && said.model == l->t->model &&
                same_bytes(&said.normalizers.text, &l->t->normalizers.text) &&
                same_bytes(&said.pre_tokenizers.text, &l->t->pre_tokenizers.text);

    nf_text_steps_clear(&said.normalizers);
    nf_text_steps_clear(&said.pre_tokenizers);
    nf_bytes_clear(&other.refused);
    return same ? NF_OK
                : nf_load_note(
                      l, "normalizer and pre_tokenizer of tokenizer.json: those of tokenizer_class %s go first, as in transformers",
                      s->class->name);
}

static int load_parts(struct nf_load *l, const struct nf_sources *s, const struct settings *set)
{
    json_t *root = s->class ? rebuild_root(l, s, set) : json_incref(s->root);
    int rc = root ? nf_load_parts(l, root) : (int)l->err->code;

    if (rc == NF_OK && s->class && !l->files)
        rc = note_rebuilt(l, s);
    if (rc == NF_OK && l->unk) { /* the object that holds it goes */
        free(l->own_unk);
        l->own_unk = strdup(l->unk);
        l->unk = l->own_unk;
        rc = l->own_unk ? NF_OK : nf_fail(l->err, NF_ESYS, "out of memory");
    }
    json_decref(root);
    return rc;
}

/* ---- added tokens ---- */

/* Those of tokenizer.json, in their order, unless the class builds its tokenizer anew. */
static int add_listed(struct nf_load *l, const struct nf_sources *s)
{
    const json_t *list = json_object_get(s->root, "added_tokens");
    int rc = NF_OK;

    for (size_t i = 0; !s->class && rc == NF_OK && i < json_array_size(list); i++)
        rc = nf_load_added(l, "tokenizer.json", json_array_get(list, i), false);
    return rc;
}

struct keyed {
    long long id;
    const json_t *token;
};

static int compare_keyed(const void *pa, const void *pb)
{
    const struct keyed *a = pa, *b = pb;

    return (a->id > b->id) - (a->id < b->id);
}

/* Those of added_tokens_decoder by id.  One that is there with the same flags stays as it is; another is special where it has a name. */
static int add_decoder(struct nf_load *l, const struct settings *set)
{
    size_t n = json_object_size(set->decoder), i = 0;
    struct keyed *list = nf_alloc(n, sizeof *list, l->err);
    const char *key;
    json_t *token;
    int rc = list ? NF_OK : NF_ESYS;

    json_object_foreach (set->decoder, key, token) {
        char *end;

        if (rc != NF_OK)
            break;
        list[i] = (struct keyed){ strtoll(key, &end, 10), token };
        if (*end || end == key || list[i++].id < 0)
            rc = nf_fail(l->err, NF_EFORMAT, "%s/%s: added_tokens_decoder: \"%s\" is not an id", l->dir, CONFIG, key);
    }
    if (rc == NF_OK && n)
        qsort(list, n, sizeof *list, compare_keyed);
    for (i = 0; i < n && rc == NF_OK; i++) {
        const char *text = json_string_value(json_object_get(list[i].token, "content"));

        if (!nf_load_has(l, list[i].token))
            rc = nf_load_added(l, CONFIG, list[i].token, text && has_name(set, text));
    }
    free(list);
    return rc;
}

/* A special token by name, unless its text was an added token before any of them. */
static int add_named(struct nf_load *l, const json_t *v)
{
    const json_t *content = json_is_object(v) ? json_object_get(v, "content") : v;

    if (!json_is_string(content) || nf_load_knows(l, json_string_value(content), json_string_length(content), l->listed))
        return NF_OK;
    return nf_load_added(l, CONFIG, v, true);
}

/* Again, with plain flags. */
static int add_plain_special(struct nf_load *l, const json_t *v)
{
    const json_t *content = json_is_object(v) ? json_object_get(v, "content") : v;

    return json_is_string(content) ? nf_load_added(l, CONFIG, content, true) : NF_OK;
}

/* Every special token with a name, then the others. */
static int each_special(struct nf_load *l, const struct settings *set, int (*add)(struct nf_load *, const json_t *))
{
    json_t *extra = json_object_get(set->all, "extra_special_tokens"), *v;
    const char *key;
    int rc = NF_OK;

    for (size_t i = 0; i < EDGES && rc == NF_OK; i++)
        rc = add(l, json_object_get(set->all, edge_tokens[i]));
    json_object_foreach (set->all, key, v)
        if (rc == NF_OK && !is_edge(key) && is_token_key(key, v))
            rc = add(l, v);
    json_object_foreach (set->named, key, v)
        if (rc == NF_OK)
            rc = add(l, v);
    for (size_t i = 0; i < json_array_size(extra) && rc == NF_OK; i++)
        rc = add(l, json_array_get(extra, i));
    return rc;
}

static int load_added(struct nf_load *l, const struct nf_sources *s, const struct settings *set)
{
    int rc = add_listed(l, s);

    if (rc == NF_OK)
        rc = add_decoder(l, set);
    l->listed = l->t->added.n;
    if (rc == NF_OK)
        rc = each_special(l, set, add_named);
    if (rc == NF_OK && s->class && s->class->again)
        rc = each_special(l, set, add_plain_special);
    l->t->split_special = json_is_true(json_object_get(set->all, "split_special_tokens"));
    return rc;
}

/* ---- BOS ---- */

/* The id of a special token by its name, "bos_token"; -1. */
static int64_t named_id(const struct nf_load *l, const struct settings *set, const char *key)
{
    const json_t *v = json_object_get(set->all, key), *content = json_is_object(v) ? json_object_get(v, "content") : v;

    return json_is_string(content) ? nf_load_id(l, json_string_value(content), json_string_length(content)) : -1;
}

/*
 * Which token BOS is: by the template of tokenizer.json, which stands already; by name; by config.json, unless the name is said to be none
 * (as Qwen's, whose config.json names a token of padding).
 */
static void find_bos(struct nf_load *l, const struct nf_sources *s, const struct settings *set)
{
    const json_t *id = json_object_get(s->model, "bos_token_id");
    int64_t named = named_id(l, set, "bos_token");

    if (l->template_bos)
        return;
    l->t->bos_id = named;
    if (named < 0 && !json_is_null(json_object_get(set->all, "bos_token")) && json_is_integer(id) && json_integer_value(id) >= 0 &&
        json_integer_value(id) <= NF_TOKEN_ID_MAX)
        l->t->bos_id = json_integer_value(id);
}

/* With tokenizer.json add_bos_token and add_eos_token count for nothing: its post_processor does. */
static int note_passed_over(struct nf_load *l, const struct nf_sources *s)
{
    const json_t *bos = json_object_get(s->config, "add_bos_token"), *eos = json_object_get(s->config, "add_eos_token");
    const char *who = s->class && (s->class->own_bos || s->class->always_bos) ? s->class->name : "post_processor of tokenizer.json";
    int rc = NF_OK;

    if (json_is_boolean(bos) && json_is_true(bos) != l->t->bos_auto)
        rc = nf_load_note(l, "add_bos_token of %s: %s goes first, as in transformers", CONFIG, who);
    if (rc == NF_OK && json_is_boolean(eos) && json_is_true(eos) != (l->t->n_after > 0))
        rc = nf_load_note(l, "add_eos_token of %s: %s goes first, as in transformers", CONFIG, who);
    return rc;
}

static int load_bos(struct nf_load *l, const struct nf_sources *s, const struct settings *set)
{
    struct nf_tokenizer *t = l->t;
    const json_t *add = json_object_get(set->all, "add_bos_token");
    int64_t eos = named_id(l, set, "eos_token");

    t->bos_auto = l->template_bos || (s->class && s->class->always_bos);
    if (l->files || json_is_boolean(add)) /* from memory it may be given */
        t->bos_auto = json_is_true(add);
    if (t->bos_auto != l->template_bos)
        l->template_bos = false;
    find_bos(l, s, set);
    if (t->bos_auto && t->bos_id < 0) {
        t->bos_auto = false;
        if (nf_load_note(l, "add_bos_token of %s counts for nothing: no file names a BOS token", CONFIG) < 0)
            return NF_ESYS;
    }
    if (json_is_true(json_object_get(set->all, "add_eos_token")) && !t->n_after && eos >= 0)
        t->after[t->n_after++] = (uint32_t)eos;
    return l->files || l->memory ? NF_OK : note_passed_over(l, s);
}

static void load_context(struct nf_load *l, const json_t *model)
{
    static const char *const keys[] = { "max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length", NULL };
    const json_t *text = json_object_get(model, "text_config"); /* of a model that sees more than text */

    for (const char *const *k = keys; *k && !l->t->context; k++) {
        const json_t *v = json_object_get(model, *k);

        v = v ? v : json_object_get(text, *k);
        if (json_is_integer(v) && json_integer_value(v) > 0)
            l->t->context = (size_t)json_integer_value(v);
    }
}

int nf_load_sources(struct nf_load *l, const struct nf_sources *s)
{
    struct settings set = { 0 };
    int rc = make_settings(l, s, &set);

    if (rc == NF_OK)
        rc = load_parts(l, s, &set);
    if (rc == NF_OK)
        rc = load_added(l, s, &set);
    if (rc == NF_OK)
        rc = load_bos(l, s, &set);
    if (rc == NF_OK) {
        load_context(l, s->model);
        rc = nf_load_finish(l);
    }
    json_decref(set.all);
    json_decref(set.named);
    json_decref(set.decoder);
    return rc;
}
