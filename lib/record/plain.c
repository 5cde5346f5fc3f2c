/* plain.c - records with one type a field, and text beside token ids. */
#include "record/plain.h"

#include <stdio.h>
#include <string.h>

#include "record/walk.h"
#include "stream/mp.h"

enum { SHOWN = 1024, NO_ID = UINT32_MAX };

struct plain {
    const struct nf_vocab *vocab;   /* NULL: no text */
    msgpack_zone *zone;
    bool failed;
};

static void plain_map(struct plain *p, const struct nf_record *r, const msgpack_object *o, msgpack_object *out);

/* ---- which fields ---- */

static const struct nf_field *row_of_key(const struct nf_record *r, const char *key, size_t n)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->field[i].type != NF_FIELD_SIZE && strlen(r->field[i].key) == n && memcmp(r->field[i].key, key, n) == 0)
            return &r->field[i];
    return NULL;
}

static bool holds_ids(const struct nf_field *f)
{
    if (f->type == NF_FIELD_TUPLE)
        return f->list && holds_ids(&f->of->field[0]);
    return f->type == NF_FIELD_GRAM || f->flags & NF_IDS || (f->below && strcmp(f->below, "V") == 0);
}

bool nf_record_has_ids(const struct nf_record *r, const char *path)
{
    size_t n = strcspn(path, ".");
    const struct nf_field *f = row_of_key(r, path, n);

    if (f && path[n])
        return f->type == NF_FIELD_MAP && !f->list && nf_record_has_ids(f->of, path + n + 1);
    return f && holds_ids(f);
}

/* ---- objects of the zone ---- */

static void *take(struct plain *p, size_t n)
{
    void *v = msgpack_zone_malloc(p->zone, n ? n : 1);

    p->failed = p->failed || !v;
    return v;
}

static msgpack_object text_object(struct plain *p, const char *text, size_t n)
{
    msgpack_object o = { .type = MSGPACK_OBJECT_STR, .via.str = { .size = (uint32_t)n, .ptr = "" } };
    char *copy = take(p, n);

    if (copy)
        o.via.str.ptr = memcpy(copy, text, n);
    else
        o.via.str.size = 0;
    return o;
}

static msgpack_object array_object(struct plain *p, size_t n)
{
    msgpack_object o = { .type = MSGPACK_OBJECT_ARRAY, .via.array = { .size = (uint32_t)n } };

    o.via.array.ptr = take(p, n * sizeof *o.via.array.ptr);
    if (!o.via.array.ptr)
        o.via.array.size = 0;
    return o;
}

/* ---- text of ids ---- */

/* Adds the text of an id to what is in `text`; what does not fit is cut. */
static size_t add_text(const struct plain *p, uint64_t id, char text[SHOWN], size_t n)
{
    if (id < p->vocab->V) {
        nf_vocab_show(p->vocab, (uint32_t)id, text + n, SHOWN - n);
        return n + strlen(text + n);
    }
    if (id != NO_ID)
        n += (size_t)snprintf(text + n, SHOWN - n, "<%llu>", (unsigned long long)id);
    return n < SHOWN ? n : SHOWN - 1;
}

static msgpack_object text_of_row(struct plain *p, const struct nf_tensor *t, size_t first, size_t n)
{
    char text[SHOWN] = "";
    size_t length = 0;

    for (size_t i = 0; i < n; i++)
        length = add_text(p, (uint32_t)nf_tensor_int(t, first + i), text, length);
    return text_object(p, text, length);
}

/* Elements from *next on, dimension d and those inside it; the last of several is one text. */
static msgpack_object text_of_tensor(struct plain *p, const struct nf_tensor *t, size_t d, size_t *next)
{
    size_t last = t->ndim > 1 ? t->ndim - 1 : t->ndim, n = d < t->ndim ? t->shape[d] : 1;
    msgpack_object o;

    if (d == last) {
        *next += n;
        return text_of_row(p, t, *next - n, n);
    }
    o = array_object(p, n);
    for (uint32_t i = 0; i < o.via.array.size; i++)
        o.via.array.ptr[i] = text_of_tensor(p, t, d + 1, next);
    return o;
}

/* An id, or an n-gram. */
static msgpack_object text_of_gram(struct plain *p, const msgpack_object *v)
{
    const msgpack_object *id = v->type == MSGPACK_OBJECT_ARRAY ? v->via.array.ptr : v;
    size_t n = v->type == MSGPACK_OBJECT_ARRAY ? v->via.array.size : 1, length = 0;
    char text[SHOWN] = "";

    for (size_t i = 0; i < n; i++)
        if (id[i].type == MSGPACK_OBJECT_POSITIVE_INTEGER)
            length = add_text(p, id[i].via.u64, text, length);
    return text_object(p, text, length);
}

static msgpack_object text_of_value(struct plain *p, const struct nf_field *f, const msgpack_object *v)
{
    struct nf_tensor t;
    msgpack_object o = { .type = MSGPACK_OBJECT_NIL };
    size_t next = 0;

    if (nf_mp_tensor_any(v, &t) == NF_OK)
        return t.dtype == NF_U32 ? text_of_tensor(p, &t, 0, &next) : o;
    if (!f->list)
        return v->type == MSGPACK_OBJECT_NIL ? o : text_of_gram(p, v);
    if (v->type != MSGPACK_OBJECT_ARRAY)
        return o;
    o = array_object(p, v->via.array.size);
    for (uint32_t i = 0; i < o.via.array.size; i++) {
        const msgpack_object *item = &v->via.array.ptr[i];

        if (f->type == NF_FIELD_TUPLE && item->type == MSGPACK_OBJECT_ARRAY && item->via.array.size)
            item = item->via.array.ptr;
        o.via.array.ptr[i] = text_of_gram(p, item);
    }
    return o;
}

/* ---- one type a field ---- */

static size_t count_flat(const msgpack_object_array *a)
{
    size_t n = 0;

    for (uint32_t i = 0; i < a->size; i++)
        n += a->ptr[i].type == MSGPACK_OBJECT_ARRAY ? a->ptr[i].via.array.size : 1;
    return n;
}

/* [[id, id], c, n]: [id, id, c, n] */
static msgpack_object plain_tuple(struct plain *p, const msgpack_object *v)
{
    msgpack_object o = *v, *next;

    if (v->type != MSGPACK_OBJECT_ARRAY || v->via.array.size == 0 || v->via.array.ptr->type != MSGPACK_OBJECT_ARRAY)
        return o;
    o = array_object(p, count_flat(&v->via.array));
    next = o.via.array.ptr;
    for (uint32_t i = 0; next && i < v->via.array.size; i++) {
        const msgpack_object *item = &v->via.array.ptr[i];
        size_t n = item->type == MSGPACK_OBJECT_ARRAY ? item->via.array.size : 1;

        memcpy(next, item->type == MSGPACK_OBJECT_ARRAY ? item->via.array.ptr : item, n * sizeof *next);
        next += n;
    }
    return o;
}

static msgpack_object plain_item(struct plain *p, const struct nf_field *f, const msgpack_object *v)
{
    char number[32];
    msgpack_object o = *v;

    if (f->type == NF_FIELD_MAP && v->type == MSGPACK_OBJECT_MAP)
        plain_map(p, f->of, v, &o);
    else if (f->type == NF_FIELD_TUPLE && f->of->field[0].type == NF_FIELD_GRAM)
        return plain_tuple(p, v);
    else if (f->flags & NF_ALL && v->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        return text_object(p, number, (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)v->via.u64));
    return o;
}

static msgpack_object plain_value(struct plain *p, const struct nf_field *f, const msgpack_object *v)
{
    msgpack_object o = *v;

    if (!f->list || v->type != MSGPACK_OBJECT_ARRAY || !f->of)
        return f->list ? o : plain_item(p, f, v);
    o = array_object(p, v->via.array.size);
    for (uint32_t i = 0; i < o.via.array.size; i++)
        o.via.array.ptr[i] = plain_item(p, f, &v->via.array.ptr[i]);
    return o;
}

static msgpack_object beside_key(struct plain *p, const msgpack_object_str *key)
{
    char name[128];
    int n = snprintf(name, sizeof name, "%.*s" NF_BESIDE, (int)key->size, key->ptr);

    return text_object(p, name, (size_t)n);
}

static void plain_map(struct plain *p, const struct nf_record *r, const msgpack_object *o, msgpack_object *out)
{
    msgpack_object_kv *pair = take(p, 2 * o->via.map.size * sizeof *pair);
    uint32_t n = 0;

    *out = *o;
    if (!pair)
        return;
    for (uint32_t i = 0; i < o->via.map.size; i++) {
        const msgpack_object_kv *from = &o->via.map.ptr[i];
        const struct nf_field *f =
            from->key.type == MSGPACK_OBJECT_STR ? row_of_key(r, from->key.via.str.ptr, from->key.via.str.size) : NULL;

        pair[n++] = (msgpack_object_kv){ from->key, f ? plain_value(p, f, &from->val) : from->val };
        if (f && p->vocab && holds_ids(f))
            pair[n++] = (msgpack_object_kv){ beside_key(p, &from->key.via.str), text_of_value(p, f, &from->val) };
    }
    out->via.map.ptr = pair;
    out->via.map.size = n;
}

int nf_plain_record(const struct nf_record *r, const msgpack_object *rec, const struct nf_vocab *vocab, msgpack_zone *zone,
                    msgpack_object *plain, struct nf_err *err)
{
    struct plain p = { vocab && vocab->V ? vocab : NULL, zone, false };

    plain_map(&p, r, rec, plain);
    return p.failed ? nf_fail(err, NF_ESYS, "out of memory") : NF_OK;
}
