/* load.c - what the readers of a tokenizer's files share: JSON, refusals, added tokens. */
#include "token/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "base/file.h"

static json_t *parse_object(struct nf_load *l, const char *path)
{
    struct nf_map map = { NULL, 0 };
    json_t *root = NULL;

    if (nf_map_open(path, &map, l->err) == NF_OK)
        root = nf_json_parse(map.data, map.size, JSON_ALLOW_NUL, path, l->err);
    nf_map_close(&map);
    if (root && !json_is_object(root)) {
        nf_fail(l->err, NF_EFORMAT, "%s: not a JSON object", path);
        json_decref(root);
        root = NULL;
    }
    return root;
}

json_t *nf_load_json(struct nf_load *l, const char *name)
{
    char *path = nf_path_join(l->dir, name, l->err);
    struct stat st;
    json_t *root = NULL;

    if (path && lstat(path, &st) == 0) {
        if (nf_file_exists(path))
            root = parse_object(l, path);
        else
            nf_fail(l->err, NF_ESYS, "%s: a link to a file that is not there", path);
    }
    free(path);
    return root;
}

/* Append text to a list of bytes that stays ended by NUL. */
static int append_line(struct nf_bytes *b, const char *text, struct nf_err *err)
{
    int rc;

    b->n -= b->n > 0;
    rc = nf_bytes_add(b, text, strlen(text) + 1, err);
    return rc;
}

int nf_load_refuse(struct nf_load *l, const char *part, const char *name)
{
    char text[256];

    snprintf(text, sizeof text, "%s%s%s%s", l->refused.n ? "; " : "", part, name && *name ? " " : "", name ? name : "");
    return append_line(&l->refused, text, l->err);
}

int nf_load_refusals(struct nf_load *l, const char *file)
{
    return l->refused.n ? nf_fail(l->err, NF_EFORMAT, "%s/%s: not implemented: %s", l->dir, file, (char *)l->refused.p) : NF_OK;
}

int nf_load_note(struct nf_load *l, const char *format, ...)
{
    char text[512];
    va_list args;
    int rc;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    rc = append_line(&l->t->notes, text, l->err);
    return rc == NF_OK ? append_line(&l->t->notes, "\n", l->err) : rc;
}

bool nf_load_is_off(const json_t *v)
{
    return !v || json_is_null(v) || json_is_false(v) || (json_is_string(v) && json_string_length(v) == 0) ||
           (json_is_number(v) && !(json_number_value(v) != 0));
}

const char *nf_load_type(const json_t *component)
{
    const char *type = json_string_value(json_object_get(component, "type"));

    return type ? type : "without a type";
}

bool nf_load_is_text(const json_t *v, const char *text)
{
    return json_is_string(v) && strcmp(json_string_value(v), text) == 0;
}

/* The place of an added token in t->added by its text, or -1. */
static int64_t find_added(const struct nf_load *l, const char *text, size_t n)
{
    const json_t *place = l->known ? json_object_getn(l->known, text, n) : NULL;

    return place ? json_integer_value(place) : -1;
}

int64_t nf_load_id(const struct nf_load *l, const char *text, size_t n)
{
    int64_t place = find_added(l, text, n);
    const json_t *id;

    if (place >= 0)
        return l->t->added.tokens[place].id;
    id = memchr(text, 0, n) ? NULL : json_object_getn(l->vocab, text, n);
    return id ? json_integer_value(id) : -1;
}

static bool read_flag(const json_t *token, const char *key)
{
    return json_is_true(json_object_get(token, key));
}

/* One that is not special is looked for in normalised text, unless it says otherwise. */
static struct nf_added_token read_token(const json_t *token, bool special)
{
    const json_t *content = json_is_string(token) ? token : json_object_get(token, "content");
    const json_t *normalized = json_object_get(token, "normalized");
    struct nf_added_token t = { .text = (char *)json_string_value(content), .n = json_string_length(content) };

    t.special = special || json_is_string(token) || read_flag(token, "special");
    t.normalized = json_is_boolean(normalized) ? json_is_true(normalized) : !t.special;
    t.single_word = read_flag(token, "single_word");
    t.lstrip = read_flag(token, "lstrip");
    t.rstrip = read_flag(token, "rstrip");
    return t;
}

bool nf_load_knows(const struct nf_load *l, const char *text, size_t n, size_t among)
{
    int64_t place = find_added(l, text, n);

    return place >= 0 && (size_t)place < among;
}

bool nf_load_has(const struct nf_load *l, const json_t *token)
{
    struct nf_added_token t = read_token(token, false);
    int64_t place = t.text ? find_added(l, t.text, t.n) : -1;
    const struct nf_added_token *have = place >= 0 ? &l->t->added.tokens[place] : NULL;

    return have && have->special == t.special && have->normalized == t.normalized && have->single_word == t.single_word &&
           have->lstrip == t.lstrip && have->rstrip == t.rstrip;
}

/* Where tokenizers puts a token without an id: behind the vocabulary and all added tokens. */
static int64_t next_id(const struct nf_load *l)
{
    return l->highest >= (int64_t)l->model_size ? l->highest + 1 : (int64_t)l->model_size;
}

int nf_load_added(struct nf_load *l, const char *file, const json_t *token, bool special)
{
    struct nf_added_token t = read_token(token, special);
    struct nf_added *added = &l->t->added;
    int64_t place, id;

    if (!t.text)
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: an added token without text", l->dir, file);
    if (!t.n)
        return NF_OK;
    place = find_added(l, t.text, t.n);
    if (place >= 0) {
        struct nf_added_token *old = &added->tokens[place];

        t.special |= old->special; /* once special, a name stays one */
        t.text = old->text;
        t.id = old->id;
        *old = t;
        return NF_OK;
    }
    id = nf_load_id(l, t.text, t.n);
    id = id >= 0 ? id : next_id(l);
    if (id > NF_TOKEN_ID_MAX)
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: more than %d tokens", l->dir, file, (int)NF_TOKEN_ID_MAX);
    t.id = (uint32_t)id;
    l->highest = id > l->highest ? id : l->highest;
    json_object_setn_new(l->known, t.text, t.n, json_integer((json_int_t)added->n));
    return nf_added_add(added, &t, l->err);
}
