/* mp.c - msgpack: encode, scan before unpacking, read the fields of a map. */
#include "stream/mp.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

/* ---- encoding ---- */

void nf_enc_init(struct nf_enc *e)
{
    msgpack_sbuffer_init(&e->buf);
    msgpack_packer_init(&e->pk, &e->buf, msgpack_sbuffer_write);
    e->failed = false;
}

void nf_enc_reset(struct nf_enc *e)
{
    msgpack_sbuffer_clear(&e->buf);
    e->failed = false;
}

void nf_enc_clear(struct nf_enc *e)
{
    msgpack_sbuffer_destroy(&e->buf);
}

void nf_enc_map(struct nf_enc *e, size_t n)
{
    e->failed |= msgpack_pack_map(&e->pk, n) != 0;
}

void nf_enc_array(struct nf_enc *e, size_t n)
{
    e->failed |= msgpack_pack_array(&e->pk, n) != 0;
}

void nf_enc_str(struct nf_enc *e, const char *s)
{
    nf_enc_strn(e, s, strlen(s));
}

void nf_enc_strn(struct nf_enc *e, const char *s, size_t n)
{
    e->failed |= msgpack_pack_str(&e->pk, n) != 0 || (n && msgpack_pack_str_body(&e->pk, s, n) != 0);
}

void nf_enc_bin(struct nf_enc *e, const void *p, size_t n)
{
    e->failed |= msgpack_pack_bin(&e->pk, n) != 0 || (n && msgpack_pack_bin_body(&e->pk, p, n) != 0);
}

void nf_enc_uint(struct nf_enc *e, uint64_t v)
{
    e->failed |= msgpack_pack_uint64(&e->pk, v) != 0;
}

void nf_enc_int(struct nf_enc *e, int64_t v)
{
    e->failed |= msgpack_pack_int64(&e->pk, v) != 0;
}

void nf_enc_real(struct nf_enc *e, double v)
{
    e->failed |= msgpack_pack_double(&e->pk, v) != 0;
}

void nf_enc_bool(struct nf_enc *e, bool v)
{
    e->failed |= (v ? msgpack_pack_true(&e->pk) : msgpack_pack_false(&e->pk)) != 0;
}

void nf_enc_nil(struct nf_enc *e)
{
    e->failed |= msgpack_pack_nil(&e->pk) != 0;
}

/* NumPy's names (numpy.dtype.str); bf16 has none and travels as <u2 with a sixth pair. */
static const char *const numpy_type[] = {
    [NF_U8] = "|u1",  [NF_U16] = "<u2", [NF_U32] = "<u4",  [NF_U64] = "<u8", [NF_I32] = "<i4",
    [NF_I64] = "<i8", [NF_F16] = "<f2", [NF_BF16] = "<u2", [NF_F32] = "<f4", [NF_F64] = "<f8",
};

const char *nf_mp_numpy_type(enum nf_dtype t)
{
    return numpy_type[t];
}

static void enc_bin_key(struct nf_enc *e, const char *key)
{
    nf_enc_bin(e, key, strlen(key));
}

void nf_enc_tensor(struct nf_enc *e, const struct nf_tensor *t)
{
    size_t count, bytes;

    if (!nf_tensor_count(t, &count) || count > NF_MP_BYTES / nf_dtype_size(t->dtype)) {
        e->failed = true;
        return;
    }
    bytes = count * nf_dtype_size(t->dtype);
    nf_enc_map(e, t->dtype == NF_BF16 ? 6 : 5);
    enc_bin_key(e, "nd");
    nf_enc_bool(e, true);
    enc_bin_key(e, "type");
    nf_enc_str(e, numpy_type[t->dtype]);
    enc_bin_key(e, "kind");
    nf_enc_bin(e, "", 0);
    enc_bin_key(e, "shape");
    nf_enc_array(e, t->ndim);
    for (size_t i = 0; i < t->ndim; i++)
        nf_enc_uint(e, t->shape[i]);
    enc_bin_key(e, "data");
    nf_enc_bin(e, t->data, bytes);
    if (t->dtype == NF_BF16) {
        enc_bin_key(e, "dt");
        nf_enc_str(e, "bf16");
    }
}

void nf_enc_json(struct nf_enc *e, const json_t *j)
{
    json_t *v;
    size_t i;
    const char *key;

    switch (json_typeof(j)) {
    case JSON_OBJECT:
        nf_enc_map(e, json_object_size(j));
        json_object_foreach ((json_t *)j, key, v) {
            nf_enc_str(e, key);
            nf_enc_json(e, v);
        }
        break;
    case JSON_ARRAY:
        nf_enc_array(e, json_array_size(j));
        json_array_foreach (j, i, v)
            nf_enc_json(e, v);
        break;
    case JSON_STRING:
        nf_enc_strn(e, json_string_value(j), json_string_length(j));
        break;
    case JSON_INTEGER:
        nf_enc_int(e, json_integer_value(j));
        break;
    case JSON_REAL:
        nf_enc_real(e, json_real_value(j));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        nf_enc_bool(e, json_is_true(j));
        break;
    case JSON_NULL:
        nf_enc_nil(e);
        break;
    }
}

/* ---- the scan ---- */

void nf_scan_init(struct nf_scan *s, size_t limit)
{
    *s = (struct nf_scan){ .limit = limit, .pending = 1, .open = 1, .left = { 1 } };
}

/* What follows the first byte of an object. */
struct shape {
    size_t head;       /* bytes of the head, the first byte included */
    size_t payload;    /* bytes of content: numbers, text */
    size_t items;      /* objects inside; only containers have them */
    bool container;
};

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    while (n--)
        v = v << 8 | *p++;
    return v;
}

/* msgpack specification, "Formats". Returns NF_OK; NF_EOF: the head is cut; NF_EFORMAT: no byte that may begin an object here. */
static int shape_of(const unsigned char *p, size_t n, struct shape *s)
{
    static const unsigned char scalar[] = { 4, 8, 1, 2, 4, 8, 1, 2, 4, 8 };   /* ca..d3: float 32 64, uint 8..64, int 8..64 */
    unsigned c = p[0], width;
    uint64_t count;

    *s = (struct shape){ .head = 1 };
    if (c <= 0x7f || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3)   /* fixint, nil, false, true */
        return NF_OK;
    if (c <= 0x9f) {                                                    /* fixmap, fixarray */
        s->items = c <= 0x8f ? (c & 15) * 2 : c & 15;
        s->container = true;
        return NF_OK;
    }
    if (c <= 0xbf) {                                                    /* fixstr */
        s->payload = c & 31;
        return NF_OK;
    }
    if (c >= 0xca && c <= 0xd3) {
        s->payload = scalar[c - 0xca];
        return NF_OK;
    }
    if (c >= 0xc4 && c <= 0xc6)                                         /* bin 8 16 32 */
        width = 1u << (c - 0xc4);
    else if (c >= 0xd9 && c <= 0xdb)                                    /* str 8 16 32 */
        width = 1u << (c - 0xd9);
    else if (c >= 0xdc)                                                 /* array 16 32, map 16 32 */
        width = c & 1 ? 4 : 2;
    else                                                                /* c1 is reserved; ext */
        return NF_EFORMAT;
    s->head = 1 + width;
    if (n < s->head)
        return NF_EOF;
    count = big_endian(p + 1, width);
    s->container = c >= 0xdc;
    if (s->container)
        s->items = (size_t)count << (c >= 0xde);
    else
        s->payload = (size_t)count;
    return NF_OK;
}

/* One object is complete: so may be the containers around it. */
static void close_item(struct nf_scan *s)
{
    s->pending--;
    while (s->open && --s->left[s->open - 1] == 0)
        s->open--;
}

static int open_container(struct nf_scan *s, size_t items, struct nf_err *err)
{
    s->items += items;
    if (s->items > NF_MP_ITEMS)
        return nf_fail(err, NF_EFORMAT, "an object of more than %d values", (int)NF_MP_ITEMS);
    if (s->open == NF_MP_DEPTH + 1)
        return nf_fail(err, NF_EFORMAT, "nested deeper than %d", (int)NF_MP_DEPTH);
    if (items == 0) {
        close_item(s);
        return NF_OK;
    }
    s->pending += items - 1;   /* its own place among the pending is taken by what it holds */
    s->left[s->open++] = items;
    return NF_OK;
}

int nf_scan_more(struct nf_scan *s, const unsigned char *p, size_t n, struct nf_err *err)
{
    struct shape shape;

    while (s->pending) {
        int rc = s->at < n ? shape_of(p + s->at, n - s->at, &shape) : NF_EOF;

        if (rc == NF_EFORMAT)
            return nf_fail(err, NF_EFORMAT, "byte 0x%02x begins no object that a stream may hold", p[s->at]);
        if (rc == NF_EOF) {
            s->want = s->at + s->pending > n ? s->at + s->pending : n + 1;
            return NF_EOF;
        }
        /* What is still to come takes at least one byte each. */
        if (shape.payload > s->limit || s->at + shape.head + shape.payload + shape.items + s->pending - 1 > s->limit)
            return nf_fail(err, NF_EFORMAT, "an object over the limit of %zu bytes", s->limit);
        if (!shape.container && n - s->at < shape.head + shape.payload) {
            s->want = s->at + shape.head + shape.payload + s->pending - 1;
            return NF_EOF;
        }
        s->at += shape.head + shape.payload;
        if (shape.container)
            rc = open_container(s, shape.items, err);
        else
            close_item(s);
        if (rc < 0)
            return rc;
    }
    return NF_OK;
}

int64_t nf_mp_scan(const unsigned char *p, size_t n, struct nf_err *err)
{
    struct nf_scan s;
    int rc;

    nf_scan_init(&s, NF_MP_BYTES);
    rc = nf_scan_more(&s, p, n, err);
    return rc == NF_OK ? (int64_t)s.at : rc == NF_EOF ? 0 : rc;
}

/* ---- fields ---- */

static bool is_str(const msgpack_object *o, const char *s)
{
    return o->type == MSGPACK_OBJECT_STR && o->via.str.size == strlen(s) && memcmp(o->via.str.ptr, s, o->via.str.size) == 0;
}

static bool is_bin(const msgpack_object *o, const char *s)
{
    return o->type == MSGPACK_OBJECT_BIN && o->via.bin.size == strlen(s) && memcmp(o->via.bin.ptr, s, o->via.bin.size) == 0;
}

const msgpack_object *nf_mp_find(const msgpack_object *rec, const char *key)
{
    if (rec->type != MSGPACK_OBJECT_MAP)
        return NULL;
    for (uint32_t i = 0; i < rec->via.map.size; i++)
        if (is_str(&rec->via.map.ptr[i].key, key))
            return &rec->via.map.ptr[i].val;
    return NULL;
}

static const msgpack_object *path_in_map(const msgpack_object_map *m, const char *path)
{
    const msgpack_object *best = NULL;
    size_t best_len = 0, len = strlen(path);

    for (uint32_t i = 0; i < m->size; i++) {
        const msgpack_object *k = &m->ptr[i].key, *v;
        size_t n = k->type == MSGPACK_OBJECT_STR ? k->via.str.size : 0;

        if (n <= best_len || n > len || memcmp(path, k->via.str.ptr, n) != 0 || (path[n] != '.' && path[n] != '\0'))
            continue;
        v = path[n] ? nf_mp_path(&m->ptr[i].val, path + n + 1) : &m->ptr[i].val;
        if (v) {
            best = v;
            best_len = n;
        }
    }
    return best;
}

const msgpack_object *nf_mp_path(const msgpack_object *o, const char *path)
{
    size_t i = 0;

    if (o->type == MSGPACK_OBJECT_MAP)
        return path_in_map(&o->via.map, path);
    if (o->type != MSGPACK_OBJECT_ARRAY || *path < '0' || *path > '9')
        return NULL;
    for (; *path >= '0' && *path <= '9'; path++)
        if (i < o->via.array.size)   /* enough to know that it is outside */
            i = i * 10 + (size_t)(*path - '0');
    if (i >= o->via.array.size || (*path && *path != '.'))
        return NULL;
    return *path ? nf_mp_path(&o->via.array.ptr[i], path + 1) : &o->via.array.ptr[i];
}

bool nf_mp_is(const msgpack_object *rec, const char *type)
{
    const msgpack_object *r = nf_mp_find(rec, "r");

    return r && is_str(r, type);
}

static int bad_field(const msgpack_object *rec, const char *key, struct nf_err *err, const char *wanted)
{
    const msgpack_object *r = nf_mp_find(rec, "r");
    bool named = r && r->type == MSGPACK_OBJECT_STR && r->via.str.size <= 32;

    return nf_fail(err, NF_EFORMAT, "record '%.*s': field '%s' %s", named ? (int)r->via.str.size : 1, named ? r->via.str.ptr : "?",
                   key, nf_mp_find(rec, key) ? wanted : "is missing");
}

int nf_mp_uint(const msgpack_object *rec, const char *key, uint64_t max, uint64_t *v, struct nf_err *err)
{
    const msgpack_object *o = nf_mp_find(rec, key);
    char wanted[80];

    if (!o || o->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return bad_field(rec, key, err, "is not an unsigned integer");
    if (o->via.u64 > max) {
        snprintf(wanted, sizeof wanted, "is %" PRIu64 ", over %" PRIu64, o->via.u64, max);
        return bad_field(rec, key, err, wanted);
    }
    *v = o->via.u64;
    return NF_OK;
}

int nf_mp_real(const msgpack_object *rec, const char *key, double *v, struct nf_err *err)
{
    const msgpack_object *o = nf_mp_find(rec, key);

    if (o && (o->type == MSGPACK_OBJECT_FLOAT64 || o->type == MSGPACK_OBJECT_FLOAT32))
        *v = o->via.f64;
    else if (o && o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        *v = (double)o->via.u64;
    else if (o && o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        *v = (double)o->via.i64;
    else
        return bad_field(rec, key, err, "is not a number");
    return NF_OK;
}

int nf_mp_bool(const msgpack_object *rec, const char *key, bool *v, struct nf_err *err)
{
    const msgpack_object *o = nf_mp_find(rec, key);

    if (!o || o->type != MSGPACK_OBJECT_BOOLEAN)
        return bad_field(rec, key, err, "is not a bool");
    *v = o->via.boolean;
    return NF_OK;
}

int nf_mp_str(const msgpack_object *rec, const char *key, const char **s, size_t *n, struct nf_err *err)
{
    const msgpack_object *o = nf_mp_find(rec, key);

    if (!o || o->type != MSGPACK_OBJECT_STR)
        return bad_field(rec, key, err, "is not a str");
    *s = o->via.str.ptr;
    *n = o->via.str.size;
    return NF_OK;
}

int nf_mp_array(const msgpack_object *rec, const char *key, const msgpack_object **first, size_t *n, struct nf_err *err)
{
    const msgpack_object *o = nf_mp_find(rec, key);

    if (!o || o->type != MSGPACK_OBJECT_ARRAY)
        return bad_field(rec, key, err, "is not an array");
    *first = o->via.array.ptr;
    *n = o->via.array.size;
    return NF_OK;
}

static bool tensor_dtype(const msgpack_object_map *m, enum nf_dtype *dtype)
{
    if (m->size == 6) {
        *dtype = NF_BF16;
        return is_bin(&m->ptr[5].key, "dt") && is_str(&m->ptr[5].val, "bf16") && is_str(&m->ptr[1].val, numpy_type[NF_BF16]);
    }
    for (size_t i = 0; i < sizeof numpy_type / sizeof *numpy_type; i++)
        if (i != NF_BF16 && is_str(&m->ptr[1].val, numpy_type[i])) {
            *dtype = (enum nf_dtype)i;
            return true;
        }
    return false;
}

/* The dimensions that are not 0 are bounded together: [2^40, 0] has no data, but loops over its rows would not end. */
static bool tensor_shape(const msgpack_object *o, struct nf_tensor *t)
{
    size_t product = 1;

    if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size > NF_NDIM_MAX)
        return false;
    t->ndim = o->via.array.size;
    for (size_t i = 0; i < t->ndim; i++) {
        const msgpack_object *d = &o->via.array.ptr[i];

        if (d->type != MSGPACK_OBJECT_POSITIVE_INTEGER || d->via.u64 > NF_MP_BYTES)
            return false;
        t->shape[i] = (size_t)d->via.u64;
        product *= t->shape[i] ? t->shape[i] : 1;
        if (product > NF_MP_BYTES)
            return false;
    }
    return true;
}

int nf_mp_tensor_any(const msgpack_object *o, struct nf_tensor *t)
{
    static const char *const keys[] = { "nd", "type", "kind", "shape", "data" };
    const msgpack_object_map *m = &o->via.map;
    struct nf_tensor found = { .ndim = 0 };
    size_t count;

    if (o->type != MSGPACK_OBJECT_MAP || (m->size != 5 && m->size != 6))
        return NF_EFORMAT;
    for (size_t i = 0; i < 5; i++)
        if (!is_bin(&m->ptr[i].key, keys[i]))
            return NF_EFORMAT;
    if (m->ptr[0].val.type != MSGPACK_OBJECT_BOOLEAN || !m->ptr[0].val.via.boolean || !tensor_dtype(m, &found.dtype) ||
        !is_bin(&m->ptr[2].val, "") || !tensor_shape(&m->ptr[3].val, &found) || m->ptr[4].val.type != MSGPACK_OBJECT_BIN)
        return NF_EFORMAT;
    if (!nf_tensor_count(&found, &count) || count * nf_dtype_size(found.dtype) != m->ptr[4].val.via.bin.size)
        return NF_EFORMAT;
    found.data = m->ptr[4].val.via.bin.ptr;
    *t = found;
    return NF_OK;
}

int nf_mp_tensor(const msgpack_object *rec, const char *key, enum nf_dtype dtype, size_t ndim, struct nf_tensor *t,
                 struct nf_err *err)
{
    const msgpack_object *o = nf_mp_find(rec, key);
    char wanted[120];

    if (!o || nf_mp_tensor_any(o, t) < 0)
        return bad_field(rec, key, err, "is not a tensor, or its shape does not fit its data");
    if (t->dtype != dtype || t->ndim != ndim) {
        snprintf(wanted, sizeof wanted, "is a tensor of %s with %zu dimensions; %s with %zu is expected", nf_dtype_name(t->dtype),
                 t->ndim, nf_dtype_name(dtype), ndim);
        return bad_field(rec, key, err, wanted);
    }
    return NF_OK;
}

/* ---- to JSON ---- */

/* Text that a C string and JSON can hold. */
static bool is_text(const msgpack_object *o)
{
    return o->type == MSGPACK_OBJECT_STR && !memchr(o->via.str.ptr, '\0', o->via.str.size) &&
           nf_utf8_valid((const unsigned char *)o->via.str.ptr, o->via.str.size) == o->via.str.size;
}

static json_t *json_map(const msgpack_object_map *m, struct nf_err *err)
{
    json_t *j = json_object();

    for (uint32_t i = 0; j && i < m->size; i++) {
        const msgpack_object *k = &m->ptr[i].key;
        json_t *v = NULL;

        if (!is_text(k))
            nf_fail(err, NF_EFORMAT, "a key that is not UTF-8 text without NUL");
        else if (json_object_getn(j, k->via.str.ptr, k->via.str.size))
            nf_fail(err, NF_EFORMAT, "the key '%.*s' occurs twice", k->via.str.size > 80 ? 80 : (int)k->via.str.size,
                    k->via.str.ptr);
        else
            v = nf_mp_json(&m->ptr[i].val, err);
        if (!v || json_object_setn_new_nocheck(j, k->via.str.ptr, k->via.str.size, v) < 0) {
            json_decref(j);
            return NULL;
        }
    }
    return j;
}

static json_t *json_list(const msgpack_object_array *a, struct nf_err *err)
{
    json_t *j = json_array();

    for (uint32_t i = 0; j && i < a->size; i++) {
        json_t *v = nf_mp_json(&a->ptr[i], err);

        if (!v || json_array_append_new(j, v) < 0) {
            json_decref(j);
            return NULL;
        }
    }
    return j;
}

static json_t *json_scalar(const msgpack_object *o, struct nf_err *err)
{
    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        return json_null();
    case MSGPACK_OBJECT_BOOLEAN:
        return json_boolean(o->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        if (o->via.u64 <= INT64_MAX)
            return json_integer((json_int_t)o->via.u64);
        nf_fail(err, NF_EFORMAT, "the integer %" PRIu64 " is over 2^63 - 1", o->via.u64);
        return NULL;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer(o->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        if (isfinite(o->via.f64))
            return json_real(o->via.f64);
        nf_fail(err, NF_EFORMAT, "a number that is not finite");
        return NULL;
    case MSGPACK_OBJECT_STR:
        if (is_text(o))
            return json_stringn_nocheck(o->via.str.ptr, o->via.str.size);
        nf_fail(err, NF_EFORMAT, "text that is not UTF-8, or holds a NUL");
        return NULL;
    default:
        nf_fail(err, NF_EFORMAT, "binary data where text or numbers are expected");
        return NULL;
    }
}

json_t *nf_mp_json(const msgpack_object *o, struct nf_err *err)
{
    json_t *j;

    if (o->type == MSGPACK_OBJECT_MAP)
        j = json_map(&o->via.map, err);
    else if (o->type == MSGPACK_OBJECT_ARRAY)
        j = json_list(&o->via.array, err);
    else
        j = json_scalar(o, err);
    if (!j)
        nf_fail(err, NF_ESYS, "out of memory");   /* unless the reason is in the slot already */
    return j;
}
