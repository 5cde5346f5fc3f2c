/* read_value.c - single values. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "record/read_impl.h"
#include "stream/mp.h"

/* `below`, as a number; SIZE_MAX: not known. */
size_t nf_read_below(const struct nf_read_frame *s, const struct nf_field *f)
{
    const struct nf_names names = nf_read_names(s);
    struct nf_dim d;

    if (!f->below)
        return SIZE_MAX;
    nf_shape_next(f->below, nf_names_lookup(&names), &d);
    return d.known ? d.value : SIZE_MAX;
}

bool nf_read_in_range(const struct nf_field *f, double v)
{
    return !nf_field_ranged(f) || (v >= f->min && (f->max == 0 || v <= f->max));
}

int nf_read_limits(struct nf_read_frame *s, const struct nf_field *f, uint64_t v)
{
    const char *name = f->type == NF_FIELD_SIZE ? f->key : "", *is = *name ? " = " : "";
    char expected[NF_EXPECTED];
    size_t limit = nf_read_below(s, f);

    if (v >= limit)
        return nf_read_fail(s->w, "%s%s%" PRIu64 ", below %s = %zu expected", name, is, v, f->below, limit);
    if (!nf_read_in_range(f, (double)v))
        return nf_read_fail(s->w, "%s%s%" PRIu64 ", %s expected", name, is, v, nf_field_expected(f, NULL, expected));
    if (f->width == 4 && v >= UINT32_MAX)
        return nf_read_fail(s->w, "%" PRIu64 ", below %" PRIu32 " expected", v, UINT32_MAX);
    return NF_OK;
}

static bool is_plain_text(const msgpack_object *o)
{
    const char *p = o->via.str.ptr;
    size_t n = o->via.str.size;

    return o->type == MSGPACK_OBJECT_STR && !(n && memchr(p, 0, n)) && nf_utf8_valid((const unsigned char *)p, n) == n;
}

bool nf_read_is(const msgpack_object *o, const char *name)
{
    return o->type == MSGPACK_OBJECT_STR && o->via.str.size == strlen(name) && memcmp(o->via.str.ptr, name, o->via.str.size) == 0;
}

static int read_uint(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o, void *to)
{
    if (f->flags & NF_ALL && nf_read_is(o, "all")) {
        nf_member_set_uint(f, to, NF_NONE);
        return NF_OK;
    }
    if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return nf_read_refuse(s, f, o);
    if (nf_read_limits(s, f, o->via.u64) < 0)
        return NF_EFORMAT;
    nf_member_set_uint(f, to, o->via.u64);
    return NF_OK;
}

static int read_real(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o, void *to)
{
    double v;
    float narrow;

    if (o->type == MSGPACK_OBJECT_FLOAT64 || o->type == MSGPACK_OBJECT_FLOAT32)
        v = o->via.f64;
    else if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        v = (double)o->via.u64;
    else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        v = (double)o->via.i64;
    else
        return nf_read_refuse(s, f, o);
    if (!isfinite(v) || !nf_read_in_range(nf_field_range(f, s->holder), v))
        return nf_read_refuse(s, f, o);
    narrow = (float)v;
    memcpy(to, f->width == 4 ? (void *)&narrow : (void *)&v, f->width);
    return NF_OK;
}

/* The index of a choice; n_names: it is none. */
static size_t find_choice(const struct nf_field *f, const msgpack_object *o)
{
    size_t i = 0;

    while (i < f->n_names && !nf_read_is(o, f->names[i]))
        i++;
    return i;
}

static int read_str(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o, void *to)
{
    if (!is_plain_text(o) || (f->type == NF_FIELD_NAME && (o->via.str.size == 0 || o->via.str.size >= f->width)) ||
        (f->names && find_choice(f, o) == f->n_names))
        return nf_read_refuse(s, f, o);
    if (f->type == NF_FIELD_NAME) {
        memcpy(to, o->via.str.ptr, o->via.str.size);
        return NF_OK; /* the rest of the struct is 0 */
    }
    *(char **)to = nf_mem_text(s->w->mem, o->via.str.ptr, o->via.str.size, s->w->err);
    return *(char **)to ? NF_OK : NF_ESYS;
}

static int read_choice(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o, void *to)
{
    size_t i = find_choice(f, o);

    if (i == f->n_names)
        return nf_read_refuse(s, f, o);
    nf_member_set_uint(f, to, i);
    return NF_OK;
}

static int read_set(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o, void *to)
{
    unsigned mask = 0;

    for (uint32_t i = 0; o->type == MSGPACK_OBJECT_ARRAY && i < o->via.array.size; i++) {
        size_t c = find_choice(f, &o->via.array.ptr[i]);

        if (c == f->n_names)
            return nf_read_refuse(s, f, &o->via.array.ptr[i]);
        mask |= 1u << c;
    }
    memcpy(to, &mask, sizeof mask);
    return o->type == MSGPACK_OBJECT_ARRAY ? NF_OK : nf_read_refuse(s, f, o);
}

static int read_numbers(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o, bool *to)
{
    for (uint32_t i = 0; o->type == MSGPACK_OBJECT_ARRAY && i < o->via.array.size; i++) {
        const msgpack_object *v = &o->via.array.ptr[i];

        if (v->type != MSGPACK_OBJECT_POSITIVE_INTEGER || v->via.u64 < 1 || v->via.u64 > f->n_names)
            return nf_read_refuse(s, f, v);
        to[v->via.u64 - 1] = true;
    }
    return o->type == MSGPACK_OBJECT_ARRAY ? NF_OK : nf_read_refuse(s, f, o);
}

static int read_counts(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o, void *to)
{
    if (f->pointer) {
        to = *(void **)to = nf_mem_get(s->w->mem, f->n_names, f->width, s->w->err);
        if (!to)
            return NF_ESYS;
    }
    if (o->type != MSGPACK_OBJECT_MAP)
        return nf_read_refuse(s, f, o);
    for (size_t i = 0; i < f->n_names; i++) {
        const msgpack_object *v = nf_mp_find(o, f->names[i]);

        if (!v || v->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
            return nf_read_fail(s->w, "no count of %s", f->names[i]);
        ((uint64_t *)to)[i] = v->via.u64;
    }
    return NF_OK;
}

static int read_gram(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o, struct nf_gram *to)
{
    bool one = o->type == MSGPACK_OBJECT_POSITIVE_INTEGER;
    const msgpack_object *id = one ? o : o->via.array.ptr;
    const struct nf_sizes *sizes = s->w->sizes;

    if (!one && (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size < 2 || o->via.array.size > NF_ORDERS))
        return nf_read_refuse(s, f, o);
    to->n = one ? 1 : o->via.array.size;
    for (uint32_t i = 0; i < to->n; i++) {
        if (id[i].type != MSGPACK_OBJECT_POSITIVE_INTEGER || id[i].via.u64 > UINT32_MAX)
            return nf_read_refuse(s, f, &id[i]);
        if (sizes && sizes->V && id[i].via.u64 >= sizes->V)
            return nf_read_fail(s->w, "token id %" PRIu64 ", below V = %zu expected", id[i].via.u64, sizes->V);
        to->id[i] = (uint32_t)id[i].via.u64;
    }
    return NF_OK;
}

static int read_map(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o, void *to)
{
    struct nf_read_frame inner = { s->w, f->of, to, f };
    bool map = f->type == NF_FIELD_MAP;

    if (map ? o->type != MSGPACK_OBJECT_MAP : o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size != f->of->n)
        return nf_read_refuse(s, f, o);
    if (f->pointer && !f->list) {
        if (!*(void **)to) /* two maps may share a struct */
            *(void **)to = nf_mem_get(s->w->mem, 1, f->of->size, s->w->err);
        inner.rec = *(void **)to;
    }
    return inner.rec ? nf_read_fields(&inner, o, map) : NF_ESYS;
}

int nf_read_value(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o, void *to)
{
    switch (f->type) {
    case NF_FIELD_UINT:
        return read_uint(s, f, o, to);
    case NF_FIELD_REAL:
        return read_real(s, f, o, to);
    case NF_FIELD_BOOL:
        *(bool *)to = o->type == MSGPACK_OBJECT_BOOLEAN && o->via.boolean;
        return o->type == MSGPACK_OBJECT_BOOLEAN ? NF_OK : nf_read_refuse(s, f, o);
    case NF_FIELD_VERDICT:
        if (o->type != MSGPACK_OBJECT_NIL && o->type != MSGPACK_OBJECT_BOOLEAN)
            return nf_read_refuse(s, f, o);
        *(enum nf_verdict *)to = o->type == MSGPACK_OBJECT_NIL ? NF_OPEN : o->via.boolean ? NF_YES : NF_NO;
        return NF_OK;
    case NF_FIELD_TEXT:
    case NF_FIELD_NAME:
        return read_str(s, f, o, to);
    case NF_FIELD_CHOICE:
        return read_choice(s, f, o, to);
    case NF_FIELD_SET:
        return read_set(s, f, o, to);
    case NF_FIELD_NUMBERS:
        return read_numbers(s, f, o, to);
    case NF_FIELD_COUNTS:
        return read_counts(s, f, o, to);
    case NF_FIELD_BYTES:
        *(struct nf_blob *)to = (struct nf_blob){ o->via.bin.ptr, o->via.bin.size };
        return o->type == MSGPACK_OBJECT_BIN ? NF_OK : nf_read_refuse(s, f, o);
    case NF_FIELD_GRAM:
        return read_gram(s, f, o, to);
    case NF_FIELD_MAP:
    case NF_FIELD_TUPLE:
        return read_map(s, f, o, to);
    default:
        return nf_read_tensor(s, f, o);
    }
}
