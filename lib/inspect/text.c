/* text.c - records as lines for people. */
#include "inspect/text.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"
#include "inspect/value.h"
#include "stream/mp.h"

enum {
    TOKENS_A_VALUE = 4,    /* a token is worth less room than a number */
    DIGEST = 64,           /* hex digits of a SHA-256; DIGEST_SHOWN of them tell two apart for a person */
    DIGEST_SHOWN = 12,
    TOKEN_TEXT = 1024,
};

struct out {
    FILE *f;
    const struct nf_vocab *vocab;
    size_t values;
};

/* Fields of the neurons kind that hold n-grams: an id, or an array of ids, oldest first. */
static const struct {
    const char *field;
    bool leads;            /* the n-gram is the first item of each row, numbers follow */
} ngram_fields[] = { { "covered", false }, { "top", true }, { "promoted", true }, { "suppressed", true } };

static void put_value(const struct out *o, const msgpack_object *v);

/* ---- text ---- */

static void put_quoted(FILE *f, const char *p, size_t n)
{
    char buf[TOKEN_TEXT];

    putc('"', f);
    for (const char *s = nf_utf8_show(p, n, buf, sizeof buf); *s; s++) {
        if (*s == '"')
            putc('\\', f);
        putc(*s, f);
    }
    putc('"', f);
}

static void put_str(FILE *f, const char *p, size_t n)
{
    char buf[TOKEN_TEXT];
    bool plain = n > 0;

    for (size_t i = 0; i < n; i++)
        plain = plain && p[i] != ' ' && p[i] != '"' && p[i] != '=';
    if (!plain)
        put_quoted(f, p, n);
    else
        fputs(nf_utf8_show(p, n, buf, sizeof buf), f);
}

static void put_text_token(const struct out *o, uint64_t id)
{
    char buf[32];
    size_t n;
    const char *p;

    if (id < o->vocab->V) {
        p = (const char *)nf_vocab_bytes(o->vocab, (uint32_t)id, &n);
        put_quoted(o->f, p, n);
    } else {
        snprintf(buf, sizeof buf, "<%llu>", (unsigned long long)id);
        fputs(buf, o->f);
    }
}

static size_t count_shown(size_t limit, size_t n)
{
    return limit && n > limit ? limit : n;
}

/* ---- header ---- */

static void put_json(FILE *f, const json_t *j);

static void put_json_pairs(FILE *f, const json_t *j)
{
    const char *key, *space = "";
    json_t *v;

    json_object_foreach ((json_t *)j, key, v) {
        fprintf(f, "%s%s=", space, key);
        put_json(f, v);
        space = " ";
    }
}

static void put_json(FILE *f, const json_t *j)
{
    char buf[NF_VALUE_TEXT];
    size_t n;

    switch (json_typeof(j)) {
    case JSON_OBJECT:
        putc('{', f);
        put_json_pairs(f, j);
        putc('}', f);
        break;
    case JSON_ARRAY:
        putc('[', f);
        for (size_t i = 0; i < json_array_size(j); i++) {
            if (i)
                putc(' ', f);
            put_json(f, json_array_get(j, i));
        }
        putc(']', f);
        break;
    case JSON_STRING:
        n = json_string_length(j);
        if (n == DIGEST && strspn(json_string_value(j), "0123456789abcdef") == n)
            fprintf(f, "%.*s..", DIGEST_SHOWN, json_string_value(j));
        else
            put_str(f, json_string_value(j), n);
        break;
    case JSON_INTEGER:
        fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
        break;
    case JSON_REAL:
        fputs(nf_show_double(json_real_value(j), buf), f);
        break;
    default:
        fputs(json_is_null(j) ? "nil" : json_is_true(j) ? "true" : "false", f);
        break;
    }
}

static void put_history(FILE *f, const json_t *history)
{
    size_t i;
    json_t *h;

    json_array_foreach (history, i, h) {
        const char *tool = json_string_value(json_object_get(h, "tool")),
                   *version = json_string_value(json_object_get(h, "version"));

        fprintf(f, "  %-12s", "history");
        put_str(f, tool ? tool : "?", strlen(tool ? tool : "?"));
        putc(' ', f);
        put_str(f, version ? version : "?", strlen(version ? version : "?"));
        if (json_object_size(json_object_get(h, "options"))) {
            putc(' ', f);
            put_json_pairs(f, json_object_get(h, "options"));
        }
        if (json_array_size(json_object_get(h, "inputs"))) {
            fputs(" inputs=", f);
            put_json(f, json_object_get(h, "inputs"));
        }
        putc('\n', f);
    }
}

/* One line; a list of maps (sites) is a line for each. */
static void put_entry(FILE *f, const char *key, const json_t *v)
{
    if (json_is_object(json_array_get(v, 0))) {
        for (size_t i = 0; i < json_array_size(v); i++)
            put_entry(f, key, json_array_get(v, i));
        return;
    }
    fprintf(f, "  %-11s ", key);
    if (json_is_object(v))
        put_json_pairs(f, v);
    else
        put_json(f, v);
    putc('\n', f);
}

void nf_text_header(FILE *f, const json_t *header)
{
    static const char *const shown_apart[] = { "format", "version", "kind", "history" };
    const char *key;
    json_t *v;

    fprintf(f, "neurofilters stream, version %" JSON_INTEGER_FORMAT ", kind ",
            json_integer_value(json_object_get(header, "version")));
    put_json(f, json_object_get(header, "kind"));
    putc('\n', f);
    json_object_foreach ((json_t *)header, key, v) {
        bool apart = false;

        for (size_t i = 0; i < sizeof shown_apart / sizeof *shown_apart; i++)
            apart = apart || strcmp(key, shown_apart[i]) == 0;
        if (apart)
            continue;
        put_entry(f, key, v);
    }
    put_history(f, json_object_get(header, "history"));
}

/* ---- values ---- */

static void put_real(FILE *f, double v)
{
    char buf[NF_VALUE_TEXT];

    if (isfinite(v))
        fprintf(f, "%.6g", v);
    else
        fputs(nf_show_double(v, buf), f);
}

static void put_text_number(FILE *f, const msgpack_object *v)
{
    char buf[NF_VALUE_TEXT];

    if (v->type == MSGPACK_OBJECT_FLOAT32 || v->type == MSGPACK_OBJECT_FLOAT64)
        put_real(f, v->via.f64);
    else
        fputs(v->type == MSGPACK_OBJECT_NIL ? "nil" : nf_show_scalar(v, buf), f);
}

static void put_text_tensor(const struct out *o, const struct nf_tensor *t)
{
    char buf[NF_VALUE_TEXT];
    size_t count = 0, show;

    nf_tensor_count(t, &count);
    show = count_shown(o->values, count);
    fprintf(o->f, "%s[", nf_dtype_name(t->dtype));
    for (size_t i = 0; i < t->ndim; i++)
        fprintf(o->f, "%s%zu", i ? "," : "", t->shape[i]);
    fputs("](", o->f);
    for (size_t i = 0; i < show; i++) {
        if (i)
            putc(' ', o->f);
        if (nf_dtype_real(t->dtype))
            put_real(o->f, nf_tensor_real(t, i));
        else
            fputs(nf_show_element(t, i, buf), o->f);
    }
    fputs(show < count ? " ..)" : ")", o->f);
}

/* {k, n, p, lo, hi}: FORMAT.md section 4.5 */
static bool put_text_share(FILE *f, const msgpack_object *v)
{
    static const char *const keys[] = { "k", "n", "p", "lo", "hi" };
    const msgpack_object *x[5];

    for (size_t i = 0; i < 5; i++)
        if (v->via.map.size != 5 || !(x[i] = nf_mp_find(v, keys[i])) || x[i]->type == MSGPACK_OBJECT_MAP ||
            x[i]->type == MSGPACK_OBJECT_ARRAY || x[i]->type == MSGPACK_OBJECT_STR || x[i]->type == MSGPACK_OBJECT_BIN)
            return false;
    put_text_number(f, x[0]);
    putc('/', f);
    put_text_number(f, x[1]);
    if (x[2]->type == MSGPACK_OBJECT_NIL)
        return true;
    putc('=', f);
    put_text_number(f, x[2]);
    fputs(" [", f);
    put_text_number(f, x[3]);
    fputs("..", f);
    put_text_number(f, x[4]);
    putc(']', f);
    return true;
}

static void put_ngram(const struct out *o, const msgpack_object *v)
{
    if (v->type == MSGPACK_OBJECT_POSITIVE_INTEGER) {
        put_text_token(o, v->via.u64);
    } else if (v->type == MSGPACK_OBJECT_ARRAY) {
        for (uint32_t i = 0; i < v->via.array.size; i++) {
            if (i)
                putc('+', o->f);
            put_ngram(o, &v->via.array.ptr[i]);
        }
    } else {
        put_value(o, v);
    }
}

/* One row of a field of n-grams: the n-gram, or the n-gram and what belongs to it. */
static void put_array_row(const struct out *o, const msgpack_object *row, bool leads)
{
    if (!leads || row->type != MSGPACK_OBJECT_ARRAY) {
        put_ngram(o, row);
        return;
    }
    for (uint32_t i = 0; i < row->via.array.size; i++) {
        if (i)
            putc(':', o->f);
        if (i == 0)
            put_ngram(o, &row->via.array.ptr[i]);
        else
            put_value(o, &row->via.array.ptr[i]);
    }
}

static void put_text_array(const struct out *o, const msgpack_object_array *a, bool ngrams, bool leads)
{
    size_t show = count_shown(o->values, a->size);

    putc('[', o->f);
    for (size_t i = 0; i < show; i++) {
        if (i)
            putc(' ', o->f);
        if (ngrams)
            put_array_row(o, &a->ptr[i], leads);
        else
            put_value(o, &a->ptr[i]);
    }
    if (show < a->size)
        fprintf(o->f, " .. %zu more", a->size - show);
    putc(']', o->f);
}

static void put_field(const struct out *o, const msgpack_object *key, const msgpack_object *v)
{
    if (key->type == MSGPACK_OBJECT_STR || key->type == MSGPACK_OBJECT_BIN)
        put_str(o->f, key->via.str.ptr, key->via.str.size);
    else
        put_value(o, key);
    putc('=', o->f);
    for (size_t i = 0; i < sizeof ngram_fields / sizeof *ngram_fields; i++)
        if (v->type == MSGPACK_OBJECT_ARRAY && o->vocab->V && key->type == MSGPACK_OBJECT_STR &&
            key->via.str.size == strlen(ngram_fields[i].field) &&
            memcmp(key->via.str.ptr, ngram_fields[i].field, key->via.str.size) == 0) {
            put_text_array(o, &v->via.array, true, ngram_fields[i].leads);
            return;
        }
    put_value(o, v);
}

static void put_text_map(const struct out *o, const msgpack_object *v)
{
    if (put_text_share(o->f, v))
        return;
    putc('{', o->f);
    for (uint32_t i = 0; i < v->via.map.size; i++) {
        if (i)
            putc(' ', o->f);
        put_field(o, &v->via.map.ptr[i].key, &v->via.map.ptr[i].val);
    }
    putc('}', o->f);
}

static void put_value(const struct out *o, const msgpack_object *v)
{
    struct nf_tensor t;

    switch (v->type) {
    case MSGPACK_OBJECT_MAP:
        if (nf_mp_tensor_any(v, &t) == NF_OK)
            put_text_tensor(o, &t);
        else
            put_text_map(o, v);
        break;
    case MSGPACK_OBJECT_ARRAY:
        put_text_array(o, &v->via.array, false, false);
        break;
    case MSGPACK_OBJECT_STR:
        put_str(o->f, v->via.str.ptr, v->via.str.size);
        break;
    case MSGPACK_OBJECT_BIN:
        put_quoted(o->f, v->via.bin.ptr, v->via.bin.size);
        break;
    default:
        put_text_number(o->f, v);
        break;
    }
}

/* ---- records ---- */

/* A map that is no tensor and no share gets a line of its own. */
static bool own_line(const msgpack_object *v)
{
    struct nf_tensor t;

    return v->type == MSGPACK_OBJECT_MAP && nf_mp_tensor_any(v, &t) < 0 && !(v->via.map.size == 5 && nf_mp_find(v, "lo"));
}

static void put_inner(const struct out *o, const msgpack_object_kv *pair)
{
    const msgpack_object *v = &pair->val;

    fputs("  ", o->f);
    put_value(o, &pair->key);
    putc(':', o->f);
    for (uint32_t i = 0; i < v->via.map.size; i++) {
        putc(' ', o->f);
        put_field(o, &v->via.map.ptr[i].key, &v->via.map.ptr[i].val);
    }
    putc('\n', o->f);
}

/* The first `show` ids; those of an n-gram, `order` of them, joined by +. */
static void put_tokens(const struct out *o, const struct nf_tensor *t, size_t order, size_t show)
{
    for (size_t i = 0; i < show; i++) {
        if (i)
            putc(i % order ? '+' : ' ', o->f);
        put_text_token(o, (uint32_t)nf_tensor_int(t, i));
    }
}

/* Rows of effects and lens: each field that holds an id, or several, by its name. */
static void put_row_ids(const struct out *o, const msgpack_object *rec)
{
    static const char *const fields[] = { "token", "top", "top_normal", "top_intervened", "top_ids" };
    struct nf_tensor t;

    fputs("  text:", o->f);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const msgpack_object *v = nf_mp_find(rec, fields[i]);

        if (v && v->type == MSGPACK_OBJECT_POSITIVE_INTEGER) {
            fprintf(o->f, " %s=", fields[i]);
            put_text_token(o, v->via.u64);
        } else if (v && nf_mp_tensor_any(v, &t) == NF_OK && t.dtype == NF_U32 && t.ndim == 1) {
            size_t show = count_shown(o->values, t.shape[0]);

            fprintf(o->f, " %s=[", fields[i]);
            put_tokens(o, &t, 1, show);
            fputs(show < t.shape[0] ? " ..]" : "]", o->f);
        }
    }
    putc('\n', o->f);
}

/* Ids as the text they stand for: of windows and batches as it runs, of special tokens and n-grams one by one. */
static void put_ids(const struct out *o, const msgpack_object *rec)
{
    bool keys = nf_mp_is(rec, "ngrams"), single = keys || nf_mp_is(rec, "special");
    const msgpack_object *v = nf_mp_find(rec, keys ? "keys" : "ids");
    char buf[TOKEN_TEXT];
    struct nf_tensor t;
    size_t order, count = 0, show;

    if (!v || !o->vocab->V || nf_mp_tensor_any(v, &t) < 0 || t.dtype != NF_U32 || t.ndim != (keys ? 2 : 1))
        return;
    order = keys ? t.shape[1] : 1;
    nf_tensor_count(&t, &count);
    show = count_shown(single ? o->values * order : o->values * TOKENS_A_VALUE, count);
    fputs(single && !show ? "  text:" : "  text: ", o->f);
    if (single)
        put_tokens(o, &t, order, show);
    for (size_t i = 0; !single && i < show; i++)
        fputs(nf_vocab_show(o->vocab, (uint32_t)nf_tensor_int(&t, i), buf, sizeof buf), o->f);
    fputs(show < count ? " ..\n" : "\n", o->f);
}

void nf_text_record(FILE *f, const msgpack_object *rec, const struct nf_vocab *vocab, size_t values)
{
    const struct out o = { f, vocab, values };
    const msgpack_object_map *m = &rec->via.map;

    put_value(&o, &m->ptr[0].val);
    for (uint32_t i = 1; i < m->size; i++)
        if (!own_line(&m->ptr[i].val)) {
            putc(' ', f);
            put_field(&o, &m->ptr[i].key, &m->ptr[i].val);
        }
    putc('\n', f);
    for (uint32_t i = 1; i < m->size; i++)
        if (own_line(&m->ptr[i].val))
            put_inner(&o, &m->ptr[i]);
    if (vocab->V && (nf_mp_is(rec, "token") || nf_mp_is(rec, "parts")))
        put_row_ids(&o, rec);
    else
        put_ids(&o, rec);
}
