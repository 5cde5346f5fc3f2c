/* gguf.c - the header of a GGUF file, byte by byte; nothing in it is believed before it is compared with the bytes that are there. */
#include "checkpoint/gguf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/at.h"
#include "base/json.h"
#include "base/par.h"

enum {
    ALIGNMENT = 32, /* where general.alignment is not given */
    DEPTH_MAX = 4, /* arrays of arrays */
    NAME_BYTES_MAX = 1 << 16,
    VALUE_BYTES_MIN = 8 + 4 + 1,
    TENSOR_BYTES_MIN = 8 + 4 + 4 + 8,
};

/* Of a value; strings and arrays: what comes before their elements. */
static const unsigned char value_size[NF_GGUF_TYPES] = { 1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8 };

/* ggml's numbers of types.  Those that we have no type for: how large they are, to know what belongs to them. */
static const struct tensor_type {
    const char *name;
    enum nf_dtype dtype;
    unsigned block, size; /* 0: as dtype */
} tensor_types[] = {
    [0] = { "F32", NF_F32, 0, 0 },        [1] = { "F16", NF_F16, 0, 0 },        [2] = { "Q4_0", NF_Q4_0, 0, 0 },
    [3] = { "Q4_1", NF_Q4_1, 0, 0 },      [6] = { "Q5_0", NF_Q5_0, 0, 0 },      [7] = { "Q5_1", NF_Q5_1, 0, 0 },
    [8] = { "Q8_0", NF_Q8_0, 0, 0 },      [9] = { "Q8_1", NF_U8, 32, 36 },      [10] = { "Q2_K", NF_Q2_K, 0, 0 },
    [11] = { "Q3_K", NF_Q3_K, 0, 0 },     [12] = { "Q4_K", NF_Q4_K, 0, 0 },     [13] = { "Q5_K", NF_Q5_K, 0, 0 },
    [14] = { "Q6_K", NF_Q6_K, 0, 0 },     [15] = { "Q8_K", NF_U8, 256, 292 },   [16] = { "IQ2_XXS", NF_U8, 256, 66 },
    [17] = { "IQ2_XS", NF_U8, 256, 74 },  [18] = { "IQ3_XXS", NF_U8, 256, 98 }, [19] = { "IQ1_S", NF_U8, 256, 50 },
    [20] = { "IQ4_NL", NF_IQ4_NL, 0, 0 }, [21] = { "IQ3_S", NF_U8, 256, 110 },  [22] = { "IQ2_S", NF_U8, 256, 82 },
    [23] = { "IQ4_XS", NF_IQ4_XS, 0, 0 }, [24] = { "I8", NF_U8, 0, 0 },         [25] = { "I16", NF_U16, 0, 0 },
    [26] = { "I32", NF_I32, 0, 0 },       [27] = { "I64", NF_I64, 0, 0 },       [28] = { "F64", NF_F64, 0, 0 },
    [29] = { "IQ1_M", NF_U8, 256, 56 },   [30] = { "BF16", NF_BF16, 0, 0 },     [34] = { "TQ1_0", NF_U8, 256, 54 },
    [35] = { "TQ2_0", NF_U8, 256, 66 },   [39] = { "MXFP4", NF_MXFP4, 0, 0 },   [40] = { "NVFP4", NF_U8, 64, 36 },
    [41] = { "Q1_0", NF_U8, 128, 18 },
};

struct cursor {
    const char *path;
    const unsigned char *p;
    size_t at, size;
    struct nf_err *err;
};

static int end_within(const struct cursor *c, const char *what, const char *name)
{
    return nf_fail(c->err, NF_EFORMAT, "%s: ends within %s%s%.200s", c->path, what, *name ? " " : "", name);
}

/* The next n bytes, or NULL: there are fewer. */
static const unsigned char *take_bytes(struct cursor *c, size_t n)
{
    const unsigned char *p = c->p + c->at;

    if (n > c->size - c->at)
        return NULL;
    c->at += n;
    return p;
}

static bool take_u32(struct cursor *c, uint32_t *v)
{
    const unsigned char *p = take_bytes(c, sizeof *v);

    if (p)
        *v = nf_u4_at(p, 0);
    return p;
}

static bool take_u64(struct cursor *c, uint64_t *v)
{
    const unsigned char *p = take_bytes(c, sizeof *v);

    if (p)
        *v = nf_u8_at(p, 0);
    return p;
}

/* A key or a name, in memory of its own; NULL: the message is there. */
static char *take_name(struct cursor *c, const char *what)
{
    const unsigned char *p;
    uint64_t n;
    char *name;

    if (!take_u64(c, &n) || n > c->size - c->at) {
        end_within(c, what, "");
        return NULL;
    }
    p = take_bytes(c, n);
    if (n > NAME_BYTES_MAX || memchr(p, 0, n)) {
        nf_fail(c->err, NF_EFORMAT, "%s: byte %zu: %s of %llu bytes, or with a NUL in it", c->path, c->at - (size_t)n, what,
                (unsigned long long)n);
        return NULL;
    }
    name = strndup((const char *)p, n);
    if (!name)
        nf_fail(c->err, NF_ESYS, "out of memory");
    return name;
}

/* ---- values ---- */

static int bad_value(const struct cursor *c, const struct nf_gguf_value *v, const char *what)
{
    return nf_fail(c->err, NF_EFORMAT, "%s: metadata %.200s: %s", c->path, v->key, what);
}

static int skip_items(struct cursor *c, const struct nf_gguf_value *v, enum nf_gguf_type type, size_t n, int depth);

/* The elements of an array that stands in another. */
static int skip_inner(struct cursor *c, const struct nf_gguf_value *v, int depth)
{
    uint32_t type;
    uint64_t n;

    if (!take_u32(c, &type) || !take_u64(c, &n))
        return end_within(c, "metadata", v->key);
    if (type >= NF_GGUF_TYPES || depth == DEPTH_MAX)
        return bad_value(c, v, "an array of an unknown type, or too many arrays in arrays");
    return skip_items(c, v, (enum nf_gguf_type)type, n, depth);
}

static int skip_strings(struct cursor *c, const struct nf_gguf_value *v, size_t n)
{
    uint64_t length;

    for (size_t i = 0; i < n; i++)
        if (!take_u64(c, &length) || !take_bytes(c, length))
            return end_within(c, "metadata", v->key);
    return NF_OK;
}

static int skip_items(struct cursor *c, const struct nf_gguf_value *v, enum nf_gguf_type type, size_t n, int depth)
{
    const unsigned char *p = c->p + c->at;
    int rc = NF_OK;

    if (n > (c->size - c->at) / value_size[type])
        return end_within(c, "metadata", v->key);
    if (type == NF_GGUF_STRING)
        return skip_strings(c, v, n);
    for (size_t i = 0; type == NF_GGUF_ARRAY && i < n && rc == NF_OK; i++)
        rc = skip_inner(c, v, depth + 1);
    for (size_t i = 0; type == NF_GGUF_BOOL && i < n; i++)
        if (p[i] > 1)
            return bad_value(c, v, "a bool that is neither 0 nor 1");
    if (type != NF_GGUF_ARRAY)
        take_bytes(c, n * value_size[type]);
    return rc;
}

static int read_gguf_value(struct cursor *c, struct nf_gguf_value *v)
{
    uint32_t type, item;
    uint64_t n = 1;

    v->key = take_name(c, "a metadata key");
    if (!v->key)
        return (int)c->err->code;
    if (!take_u32(c, &type))
        return end_within(c, "metadata", v->key);
    item = type;
    if (type == NF_GGUF_ARRAY && (!take_u32(c, &item) || !take_u64(c, &n)))
        return end_within(c, "metadata", v->key);
    if (type >= NF_GGUF_TYPES || item >= NF_GGUF_TYPES)
        return nf_fail(c->err, NF_EFORMAT, "%s: metadata %.200s: type %u is not known", c->path, v->key,
                       type >= NF_GGUF_TYPES ? type : item);
    v->type = (enum nf_gguf_type)type;
    v->item = (enum nf_gguf_type)item;
    v->n = n;
    v->data = c->p + c->at;
    return skip_items(c, v, v->item, n, type == NF_GGUF_ARRAY);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct nf_gguf_value *)a)->key, ((const struct nf_gguf_value *)b)->key);
}

static int read_values(struct cursor *c, size_t n, struct nf_gguf *g)
{
    if (n > (c->size - c->at) / VALUE_BYTES_MIN)
        return end_within(c, "its metadata", "");
    g->value = nf_alloc(n, sizeof *g->value, c->err);
    if (!g->value)
        return NF_ESYS;
    while (g->n < n) {
        int rc = read_gguf_value(c, &g->value[g->n++]);

        if (rc < 0)
            return rc;
    }
    if (n)
        qsort(g->value, n, sizeof *g->value, by_key);
    for (size_t i = 1; i < n; i++)
        if (by_key(&g->value[i - 1], &g->value[i]) == 0)
            return bad_value(c, &g->value[i], "is there twice");
    return NF_OK;
}

/* ---- tensors ---- */

static int bad_tensor(const struct cursor *c, const struct nf_tf_entry *e, const char *what)
{
    return nf_fail(c->err, NF_EFORMAT, "%s: tensor %.200s: %s", c->path, e->name, what);
}

/* Sizes, fastest first, into a shape, slowest first. */
static int read_shape(struct cursor *c, struct nf_tf_entry *e)
{
    uint32_t n;
    uint64_t size;

    if (!take_u32(c, &n))
        return end_within(c, "tensor", e->name);
    if (n > NF_NDIM_MAX)
        return nf_fail(c->err, NF_EFORMAT, "%s: tensor %.200s: %u dimensions, at most %d are allowed", c->path, e->name, n,
                       NF_NDIM_MAX);
    e->t.ndim = n;
    for (size_t i = n; i-- > 0; e->t.shape[i] = size)
        if (!take_u64(c, &size))
            return end_within(c, "tensor", e->name);
    return NF_OK;
}

static int set_gguf_type(struct cursor *c, uint32_t number, struct nf_tf_entry *e)
{
    size_t row = e->t.ndim ? e->t.shape[e->t.ndim - 1] : 1, block, size, count;
    const struct tensor_type *t;

    if (number >= sizeof tensor_types / sizeof *tensor_types || !tensor_types[number].name)
        return nf_fail(c->err, NF_EFORMAT, "%s: tensor %.200s: type %u is not known", c->path, e->name, number);
    t = &tensor_types[number];
    block = t->block ? t->block : nf_dtype_block(t->dtype);
    size = t->size ? t->size : nf_dtype_size(t->dtype);
    e->type = t->name;
    e->t.dtype = t->dtype;
    e->weight = nf_dtype_real(t->dtype) && t->dtype != NF_F64;
    if (row % block)
        return nf_fail(c->err, NF_EFORMAT, "%s: tensor %.200s: rows of %zu elements, %s has blocks of %zu", c->path, e->name, row,
                       t->name, block);
    if (!nf_tensor_count(&e->t, &count) || !nf_mul(count / block, size, &e->bytes))
        return bad_tensor(c, e, "the product of its sizes is too large");
    return NF_OK;
}

/* The offset is kept in `offset` until it is known where the data begins. */
static int read_tensor(struct cursor *c, struct nf_tf_entry *e, uint64_t *offset)
{
    uint32_t type = 0;
    int rc;

    e->name = take_name(c, "a tensor's name");
    if (!e->name)
        return (int)c->err->code;
    rc = read_shape(c, e);
    if (rc == NF_OK && (!take_u32(c, &type) || !take_u64(c, offset)))
        rc = end_within(c, "tensor", e->name);
    return rc == NF_OK ? set_gguf_type(c, type, e) : rc;
}

static int place_gguf_tensor(const struct cursor *c, struct nf_tf_entry *e, size_t data, size_t alignment, uint64_t offset)
{
    size_t have = c->size > data ? c->size - data : 0;

    if (offset % alignment)
        return nf_fail(c->err, NF_EFORMAT, "%s: tensor %.200s: offset %llu is no multiple of the alignment %zu", c->path, e->name,
                       (unsigned long long)offset, alignment);
    if (offset > have || e->bytes > have - offset)
        return nf_fail(c->err, NF_EFORMAT, "%s: tensor %.200s: %zu bytes at offset %llu leave the %zu bytes of data", c->path,
                       e->name, e->bytes, (unsigned long long)offset, have);
    e->t.data = c->p + nf_min(data, c->size) + offset;
    e->mapped = true;
    return NF_OK;
}

static int compare_offsets(const void *a, const void *b)
{
    const struct nf_tf_entry *x = a, *y = b;

    if (x->t.data != y->t.data)
        return (const unsigned char *)x->t.data < (const unsigned char *)y->t.data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static int check_overlap(const struct cursor *c, const struct nf_tf *f)
{
    if (f->n)
        qsort(f->entry, f->n, sizeof *f->entry, compare_offsets);
    for (size_t i = 1; i < f->n; i++) {
        const struct nf_tf_entry *last = &f->entry[i - 1];

        if ((const unsigned char *)last->t.data + last->bytes > (const unsigned char *)f->entry[i].t.data)
            return nf_fail(c->err, NF_EFORMAT, "%s: tensors %.100s and %.100s overlap", c->path, last->name, f->entry[i].name);
    }
    return NF_OK;
}

static int read_alignment(const struct cursor *c, const struct nf_gguf *g, size_t *alignment)
{
    const struct nf_gguf_value *v = nf_gguf_find(g, "general.alignment");
    int64_t i = ALIGNMENT;

    if (v && (!nf_gguf_int(v, &i) || i <= 0 || i > UINT32_MAX || (i & (i - 1))))
        return bad_value(c, v, "a power of two is expected");
    *alignment = (size_t)i;
    return NF_OK;
}

static int place_tensors(struct cursor *c, const uint64_t *offset, struct nf_gguf *g)
{
    struct nf_tf *f = &g->tensors;
    size_t alignment = ALIGNMENT;
    int rc = read_alignment(c, g, &alignment);

    for (size_t i = 0; i < f->n && rc == NF_OK; i++)
        rc = place_gguf_tensor(c, &f->entry[i], (c->at + alignment - 1) / alignment * alignment, alignment, offset[i]);
    if (rc == NF_OK)
        rc = check_overlap(c, f);
    return rc == NF_OK ? nf_tf_sort(f, c->path, c->err) : rc;
}

static int read_tensor_list(struct cursor *c, size_t n, struct nf_gguf *g)
{
    struct nf_tf *f = &g->tensors;
    uint64_t *offset;
    int rc = NF_OK;

    if (n > (c->size - c->at) / TENSOR_BYTES_MIN)
        return end_within(c, "its list of tensors", "");
    f->entry = nf_alloc(n, sizeof *f->entry, c->err);
    offset = nf_alloc(n, sizeof *offset, c->err);
    if (!f->entry || !offset)
        rc = NF_ESYS;
    for (size_t i = 0; i < n && rc == NF_OK; i++)
        rc = read_tensor(c, &f->entry[f->n++], &offset[i]);
    if (rc == NF_OK)
        rc = place_tensors(c, offset, g);
    free(offset);
    return rc;
}

/* ---- the file ---- */

static int read_gguf_head(struct cursor *c, struct nf_gguf *g, uint64_t *tensors, uint64_t *values)
{
    const unsigned char *magic = take_bytes(c, 4);
    uint32_t version;

    if (!magic || memcmp(magic, "GGUF", 4) != 0)
        return nf_fail(c->err, NF_EFORMAT, "%s: no GGUF file", c->path);
    if (!take_u32(c, &version) || !take_u64(c, tensors) || !take_u64(c, values))
        return end_within(c, "its header", "");
    if (version && !(version & 0xffff))
        return nf_fail(c->err, NF_EFORMAT, "%s: a big-endian GGUF file", c->path);
    if (version != 2 && version != 3)
        return nf_fail(c->err, NF_EFORMAT, "%s: version %u of GGUF, 2 or 3 is expected", c->path, version);
    g->version = version;
    return NF_OK;
}

int nf_gguf_parse(const unsigned char *p, size_t size, const char *path, struct nf_gguf *g, struct nf_err *err)
{
    struct cursor c = { path, p, 0, size, err };
    uint64_t tensors = 0, values = 0;
    int rc;

    *g = (struct nf_gguf){ 0 };
    rc = read_gguf_head(&c, g, &tensors, &values);
    if (rc == NF_OK)
        rc = read_values(&c, values, g);
    if (rc == NF_OK)
        rc = read_tensor_list(&c, tensors, g);
    if (rc < 0)
        nf_gguf_close(g);
    return rc;
}

int nf_gguf_open(const char *path, struct nf_gguf *g, struct nf_err *err)
{
    struct nf_map map;
    int rc = nf_map_open(path, &map, err);

    *g = (struct nf_gguf){ 0 };
    if (rc < 0)
        return rc;
    rc = nf_gguf_parse(map.data, map.size, path, g, err);
    if (rc < 0)
        nf_map_close(&map);
    else
        g->tensors.map = map;
    return rc;
}

void nf_gguf_close(struct nf_gguf *g)
{
    for (size_t i = 0; i < g->n; i++)
        free(g->value[i].key);
    free(g->value);
    nf_tf_close(&g->tensors);
    *g = (struct nf_gguf){ 0 };
}

const struct nf_gguf_value *nf_gguf_find(const struct nf_gguf *g, const char *key)
{
    struct nf_gguf_value v = { .key = (char *)key };

    return g->n ? bsearch(&v, g->value, g->n, sizeof v, by_key) : NULL;
}

/* ---- what a value says ---- */

/* An integer of `size` bytes. */
static int64_t integer_at(const unsigned char *p, size_t size, bool is_signed)
{
    uint64_t u = 0;

    memcpy(&u, p, size);
    if (is_signed && size < 8 && u >> (8 * size - 1))
        u |= ~UINT64_C(0) << 8 * size;
    return (int64_t)u;
}

static bool is_signed(enum nf_gguf_type t)
{
    return t == NF_GGUF_I8 || t == NF_GGUF_I16 || t == NF_GGUF_I32 || t == NF_GGUF_I64;
}

static bool is_integer(enum nf_gguf_type t)
{
    return t <= NF_GGUF_I32 || t == NF_GGUF_BOOL || t == NF_GGUF_U64 || t == NF_GGUF_I64;
}

bool nf_gguf_int(const struct nf_gguf_value *v, int64_t *i)
{
    if (!v || !is_integer(v->type))
        return false;
    *i = integer_at(v->data, value_size[v->type], is_signed(v->type));
    return v->type != NF_GGUF_U64 || *i >= 0;
}

double nf_shortest_decimal(float f)
{
    char text[32];

    for (int digits = 1; digits < 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)f);
        if (strtof(text, NULL) == f)
            return strtod(text, NULL);
    }
    snprintf(text, sizeof text, "%.9g", (double)f);
    return strtod(text, NULL);
}

/* The value of `type` at *p; moves *p behind it.  NULL: it has no JSON, or memory. */
static json_t *item_json(enum nf_gguf_type type, const unsigned char **p);

static json_t *items_json(enum nf_gguf_type type, size_t n, const unsigned char **p)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(array, item_json(type, p)) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *item_json(enum nf_gguf_type type, const unsigned char **p)
{
    const unsigned char *at = *p;

    *p += value_size[type];
    switch (type) {
    case NF_GGUF_F32:
        return json_real(nf_shortest_decimal(nf_f4_at(at, 0)));
    case NF_GGUF_F64:
        return json_real(nf_f8_at(at, 0));
    case NF_GGUF_BOOL:
        return json_boolean(*at);
    case NF_GGUF_STRING:
        *p += nf_u8_at(at, 0);
        return json_stringn((const char *)at + 8, nf_u8_at(at, 0));
    case NF_GGUF_ARRAY:
        return items_json((enum nf_gguf_type)nf_u4_at(at, 0), nf_u8_at(at + 4, 0), p);
    default:
        if (type == NF_GGUF_U64 && nf_u8_at(at, 0) > INT64_MAX)
            return json_real((double)nf_u8_at(at, 0));
        return json_integer(integer_at(at, value_size[type], is_signed(type)));
    }
}

json_t *nf_gguf_json(const struct nf_gguf_value *v, const char *path, struct nf_err *err)
{
    const unsigned char *p = v->data;
    json_t *json = v->type == NF_GGUF_ARRAY ? items_json(v->item, v->n, &p) : item_json(v->type, &p);

    if (!json && nf_json_starved())
        nf_fail(err, NF_ESYS, "%s: out of memory", path);
    else if (!json)
        nf_fail(err, NF_EFORMAT, "%s: metadata %.200s: text that is not UTF-8, or a number that is not finite", path, v->key);
    return json;
}
