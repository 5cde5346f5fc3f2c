/* read.c - from an object to a struct, and every check that a table says: the walk, its messages, maps and lists. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "record/read_impl.h"
#include "stream/mp.h"

enum { PATH = 160 };

/* ---- messages ---- */

void nf_read_enter(struct nf_read_walk *w, const char *key)
{
    if (w->depth == NF_READ_DEPTH)
        abort();
    w->step[w->depth++] = (struct nf_read_step){ key, SIZE_MAX };
}

void nf_read_leave(struct nf_read_walk *w)
{
    w->depth--;
}

int nf_read_fail(struct nf_read_walk *w, const char *fmt, ...)
{
    char path[PATH] = "", text[320];
    size_t n = 0;
    va_list args;

    for (size_t i = 0; i < w->depth && n < PATH; i++) {
        n += (size_t)snprintf(path + n, PATH - n, "%s%s", i ? "." : "", w->step[i].key);
        if (w->step[i].index != SIZE_MAX && n < PATH)
            n += (size_t)snprintf(path + n, PATH - n, "[%zu]", w->step[i].index);
    }
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return nf_fail(w->err, NF_EFORMAT, "%s: %s", path, text);
}

/* The value that was found, in words. */
const char *nf_read_describe(const msgpack_object *o, char text[NF_EXPECTED])
{
    struct nf_tensor t;
    char shown[80];
    size_t n;

    if (nf_mp_tensor_any(o, &t) == NF_OK) {
        n = (size_t)snprintf(text, NF_EXPECTED, "%s[", nf_type_short(t.dtype));
        for (size_t i = 0; i < t.ndim; i++)
            n += (size_t)snprintf(text + n, NF_EXPECTED - n, "%s%zu", i ? "," : "", t.shape[i]);
        snprintf(text + n, NF_EXPECTED - n, "]");
        return text;
    }
    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        return "nil";
    case MSGPACK_OBJECT_BOOLEAN:
        return o->via.boolean ? "true" : "false";
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        snprintf(text, NF_EXPECTED, "%" PRIu64, o->via.u64);
        return text;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        snprintf(text, NF_EXPECTED, "%" PRId64, o->via.i64);
        return text;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        snprintf(text, NF_EXPECTED, "%.9g", o->via.f64);
        return text;
    case MSGPACK_OBJECT_STR:
        nf_utf8_show(o->via.str.ptr, o->via.str.size, shown, sizeof shown);
        snprintf(text, NF_EXPECTED, "\"%s\"", shown);
        return text;
    case MSGPACK_OBJECT_ARRAY:
        snprintf(text, NF_EXPECTED, "an array of %" PRIu32, o->via.array.size);
        return text;
    default:
        return o->type == MSGPACK_OBJECT_MAP ? "a map" : "bin";
    }
}

int nf_read_refuse(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *found)
{
    char was[NF_EXPECTED], expected[NF_EXPECTED];

    return nf_read_fail(s->w, "%.100s, %.200s expected", nf_read_describe(found, was), nf_field_expected(f, s->holder, expected));
}

/* ---- lists ---- */

static void set_none(const struct nf_field *f, void *to)
{
    const double nan8 = NAN;
    const float nan4 = NAN;

    if (f->type == NF_FIELD_UINT)
        nf_member_set_uint(f, to, NF_NONE);
    else if (f->type == NF_FIELD_REAL)
        memcpy(to, f->width == 4 ? (const void *)&nan4 : (const void *)&nan8, f->width);
}

static void set_item_none(const struct nf_field *f, char *to)
{
    set_none(f, to);
    for (size_t i = 0; f->type == NF_FIELD_TUPLE && i < f->of->n; i++)
        set_none(&f->of->field[i], to + f->of->field[i].offset);
}

/* Where the items go: several lists may be the columns of one array. */
static char *list_memory(struct nf_read_frame *s, const struct nf_field *f, size_t n)
{
    char **p = nf_member(f, s->rec);

    if (!f->pointer)
        return (char *)p;
    if (!*p)
        *p = nf_mem_get(s->w->mem, n, f->stride, s->w->err);
    return *p;
}

static bool ascends(const struct nf_field *f, const char *before, const char *item)
{
    if (f->type == NF_FIELD_TEXT)
        return strcmp(*(char *const *)before, *(char *const *)item) < 0;
    return nf_member_uint(f, before) < nf_member_uint(f, item);
}

static int read_list_items(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object_array *a, char *to)
{
    struct nf_read_step *step = &s->w->step[s->w->depth - 1];
    int rc = NF_OK;

    for (uint32_t i = 0; rc == NF_OK && i < a->size; i++) {
        char *item = to + i * f->stride + f->inner;

        step->index = i;
        if (a->ptr[i].type == MSGPACK_OBJECT_NIL && f->flags & NF_ITEM_NIL)
            set_item_none(f, item);
        else
            rc = nf_read_value(s, f, &a->ptr[i], item);
        if (rc == NF_OK && i && f->flags & NF_ASCENDING && !ascends(f, item - f->stride, item))
            rc = nf_read_fail(s->w, "not above the one before");
    }
    step->index = SIZE_MAX;
    return rc;
}

static int read_list(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o)
{
    char found[NF_EXPECTED];
    const msgpack_object_array *a = &o->via.array;
    size_t n;
    bool fits;
    char *to;

    if (o->type != MSGPACK_OBJECT_ARRAY)
        return nf_read_fail(s->w, "%.100s, an array expected", nf_read_describe(o, found));
    n = a->size;
    if (!f->pointer && n > f->room)
        return nf_read_fail(s->w, "%zu items, at most %zu are possible", n, f->room);
    if (nf_read_shape(s, f, &n, 1, &fits) < 0)
        return NF_EFORMAT;
    if (!fits) {
        snprintf(found, sizeof found, "[%zu]", n);
        return nf_read_refuse_shape(s, f, found);
    }
    to = list_memory(s, f, n);
    return to ? read_list_items(s, f, a, to) : NF_ESYS;
}

/* ---- maps ---- */

/* The value under a row's key, of equal keys the first.  As long as the pairs follow the table, the next one is looked at first. */
static const msgpack_object *find_pair(const msgpack_object *map, const char *key, size_t *next)
{
    if (*next < map->via.map.size && nf_read_is(&map->via.map.ptr[*next].key, key))
        return &map->via.map.ptr[(*next)++].val;
    return nf_mp_find(map, key);
}

/* Everything is 0 from the start, but for integers, which are open until they are read. */
static void set_zero(struct nf_read_frame *s, const struct nf_field *f)
{
    if (f->type == NF_FIELD_UINT && !f->list)
        nf_member_set_uint(f, nf_member(f, s->rec), 0);
}

static int read_field(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *v)
{
    bool nil = v && v->type == MSGPACK_OBJECT_NIL;

    if (!v && !(f->flags & (NF_OPT | NF_LATER)))
        return nf_read_fail(s->w, "missing");
    if (!v && f->flags & NF_LATER) {
        set_zero(s, f);
        return NF_OK;
    }
    if (f->nil)
        *(bool *)((char *)s->rec + f->nil - 1) = !nil;
    if (v && !(nil && (f->nil || f->flags & NF_NIL)))
        return f->list ? read_list(s, f, v) : nf_read_value(s, f, v, nf_member(f, s->rec));
    if (!f->list)
        set_none(f, nf_member(f, s->rec));
    return NF_OK;
}

/* The first row of a group says whether the group is there. */
static const struct nf_field *first_of_group(const struct nf_record *r, const struct nf_field *f)
{
    while (f > r->field && f[-1].group == f->group)
        f--;
    return f;
}

/* The field of a group that is not there must not be there either. */
static int leave_out(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *v)
{
    if (v)
        return nf_read_fail(s->w, "there, but %s is missing", first_of_group(s->record, f)->key);
    set_zero(s, f);
    return NF_OK;
}

static bool left_out(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *v)
{
    bool *there = (bool *)((char *)s->rec + f->group - 1);

    if (!f->group)
        return false;
    if (f == first_of_group(s->record, f))
        *there = v != NULL;
    return !*there;
}

/* Sizes are open at first: those of the struct alone until a shape has them, unless the stream gives them; those of the record until they are read. */
static void begin_sizes(struct nf_read_frame *s)
{
    for (size_t i = 0; i < s->record->n; i++) {
        const struct nf_field *f = &s->record->field[i];
        size_t v = f->type == NF_FIELD_SIZE ? nf_sizes_find(s->w->sizes, f->key) : 0;

        if (f->type == NF_FIELD_SIZE || (f->type == NF_FIELD_UINT && !f->list))
            nf_member_set_uint(f, nf_member(f, s->rec), v ? v : NF_NONE);
    }
}

static void end_sizes(struct nf_read_frame *s)
{
    const struct nf_names names = nf_read_names(s);
    const struct nf_lookup lookup = nf_names_lookup(&names);

    for (size_t i = 0; i < s->record->n; i++) {
        const struct nf_field *f = &s->record->field[i];
        size_t v = 0;

        if (f->type == NF_FIELD_SIZE)
            nf_member_set_uint(f, nf_member(f, s->rec), lookup.find(lookup.context, f->key, &v) ? v : 0);
    }
}

static int check_record(struct nf_read_frame *s)
{
    struct nf_err why = NF_ERR_INIT;

    if (!s->record->check || s->record->check(s->rec, &why) == NF_OK)
        return NF_OK;
    return why.code == NF_EFORMAT ? nf_read_fail(s->w, "%s", why.text) : nf_fail(s->w->err, why.code, "%s", why.text);
}

/* The fields of a map, or of a tuple. */
int nf_read_fields(struct nf_read_frame *s, const msgpack_object *o, bool by_key)
{
    size_t next = s->holder ? 0 : 1;   /* behind "r" */
    int rc = NF_OK;

    begin_sizes(s);
    for (size_t i = 0; rc == NF_OK && i < s->record->n; i++) {
        const struct nf_field *f = &s->record->field[i];
        const msgpack_object *v;

        if (f->type == NF_FIELD_SIZE)
            continue;
        v = by_key ? find_pair(o, f->key, &next) : &o->via.array.ptr[i];
        nf_read_enter(s->w, f->key);
        if (left_out(s, f, v))
            rc = leave_out(s, f, v);
        else
            rc = read_field(s, f, v);
        nf_read_leave(s->w);
    }
    end_sizes(s);
    return rc == NF_OK ? check_record(s) : rc;
}

int nf_read_record(const struct nf_record *r, const msgpack_object *o, const struct nf_sizes *sizes, void *rec, struct nf_mem *mem,
                   struct nf_err *err)
{
    struct nf_read_walk w = { .sizes = sizes, .mem = mem, .err = err };
    struct nf_read_frame s = { .w = &w, .record = r, .rec = rec };

    if (!nf_mp_is(o, r->type))
        return nf_fail(err, NF_EFORMAT, "a record of type %s expected", r->type);
    memset(rec, 0, r->size);
    nf_mem_reset(mem);
    nf_read_enter(&w, r->type);
    return nf_read_fields(&s, o, true);
}

int nf_record_read(const struct nf_record *r, const msgpack_object *o, const struct nf_sizes *sizes, void *rec, struct nf_err *err)
{
    struct nf_mem *own = r->mem ? (struct nf_mem *)((char *)rec + r->mem - 1) : NULL, mem = { NULL };
    int rc;

    if (own)
        mem = *own;
    rc = nf_read_record(r, o, sizes, rec, &mem, err);
    if (own)
        *own = mem;
    return rc;
}

int nf_record_check(const struct nf_record *r, const msgpack_object *o, const struct nf_sizes *sizes, struct nf_err *err)
{
    void *rec = calloc(1, r->size);
    int rc = rec ? nf_record_read(r, o, sizes, rec, err) : nf_fail(err, NF_ESYS, "out of memory");

    if (rec)
        nf_record_clear(r, rec);
    free(rec);
    return rc;
}

void nf_record_clear(const struct nf_record *r, void *rec)
{
    if (r->mem)
        nf_mem_clear((struct nf_mem *)((char *)rec + r->mem - 1));
    memset(rec, 0, r->size);
}
