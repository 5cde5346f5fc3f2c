/* safetensors.c - the header of a safetensors file: parsed by jansson, every offset checked. */
#include "checkpoint/safetensors.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/par.h"

/* Element types of the format, as safetensors 0.7 has them; what is no weight may stand beside the model. */
static const struct {
    const char *name;
    size_t bits;
    bool weight;
    enum nf_dtype dtype;
} types[] = {
    { "F32", 32, true, NF_F32 },    { "F16", 16, true, NF_F16 },        { "BF16", 16, true, NF_BF16 },
    { "F64", 64, false, NF_F64 },   { "I64", 64, false, NF_I64 },       { "I32", 32, false, NF_I32 },
    { "I16", 16, false, NF_U16 },   { "I8", 8, false, NF_U8 },          { "U64", 64, false, NF_U64 },
    { "U32", 32, false, NF_U32 },   { "U16", 16, false, NF_U16 },       { "U8", 8, false, NF_U8 },
    { "BOOL", 8, false, NF_U8 },    { "F4", 4, false, NF_U8 },          { "F6_E2M3", 6, false, NF_U8 },
    { "F6_E3M2", 6, false, NF_U8 }, { "F8_E4M3", 8, false, NF_U8 },     { "F8_E4M3FNUZ", 8, false, NF_U8 },
    { "F8_E5M2", 8, false, NF_U8 }, { "F8_E5M2FNUZ", 8, false, NF_U8 }, { "F8_E8M0", 8, false, NF_U8 },
    { "C64", 64, false, NF_U64 },
};
static const char unknown_type[] = "of a kind that is not known";

struct parse {
    const char *path;
    size_t data_size;   /* bytes behind the header */
    const unsigned char *data;
    struct nf_err *err;
};

static int refuse_tensor(const struct parse *p, const char *name, const char *what)
{
    return nf_fail(p->err, NF_EFORMAT, "%s: tensor %s: %s", p->path, name, what);
}

/* *bits: of an element; 0: a type that is not known, of which only the offsets say how long it is. */
static int set_type(const struct parse *p, const json_t *v, struct nf_tf_entry *e, size_t *bits)
{
    const char *type = json_string_value(v);

    if (!type)
        return refuse_tensor(p, e->name, "dtype: a string is expected");
    e->type = unknown_type;
    e->t.dtype = NF_U8;
    *bits = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, type) == 0) {
            e->type = types[i].name;
            e->weight = types[i].weight;
            e->t.dtype = types[i].dtype;
            *bits = types[i].bits;
        }
    return NF_OK;
}

/* The shape; *bits: the product with the size of an element. */
static int set_shape(const struct parse *p, const json_t *v, struct nf_tf_entry *e, size_t *bits)
{
    if (!json_is_array(v))
        return refuse_tensor(p, e->name, "shape: an array is expected");
    e->t.ndim = json_array_size(v);
    if (e->t.ndim > NF_NDIM_MAX)
        e->weight = false;
    for (size_t i = 0; i < e->t.ndim; i++) {
        const json_t *d = json_array_get(v, i);

        if (!json_is_integer(d) || json_integer_value(d) < 0)
            return refuse_tensor(p, e->name, "shape: whole numbers are expected");
        if (!nf_mul(*bits, (size_t)json_integer_value(d), bits))
            return refuse_tensor(p, e->name, "shape: the product is too large");
        if (i < NF_NDIM_MAX)
            e->t.shape[i] = (size_t)json_integer_value(d);
    }
    if (e->t.ndim > NF_NDIM_MAX)
        e->t.ndim = 0;
    return NF_OK;
}

static int set_entry(const struct parse *p, const char *name, const json_t *v, struct nf_tf_entry *e)
{
    const json_t *offsets = json_object_get(v, "data_offsets");
    json_int_t begin = json_integer_value(json_array_get(offsets, 0)), end = json_integer_value(json_array_get(offsets, 1));
    size_t bits, bytes;

    e->name = strdup(name);
    if (!e->name)
        return nf_fail(p->err, NF_ESYS, "out of memory");
    if (set_type(p, json_object_get(v, "dtype"), e, &bits) < 0 || set_shape(p, json_object_get(v, "shape"), e, &bits) < 0)
        return NF_EFORMAT;
    if (json_array_size(offsets) != 2 || !json_is_integer(json_array_get(offsets, 0)) ||
        !json_is_integer(json_array_get(offsets, 1)))
        return refuse_tensor(p, name, "data_offsets: two whole numbers are expected");
    if (begin < 0 || end < begin || (uint64_t)end > p->data_size)
        return nf_fail(p->err, NF_EFORMAT, "%s: tensor %s: offsets %lld to %lld leave the %zu bytes of data", p->path, name,
                       (long long)begin, (long long)end, p->data_size);
    bytes = e->type == unknown_type ? (size_t)(end - begin) : nf_blocks(bits, 8);
    if ((size_t)(end - begin) != bytes)
        return nf_fail(p->err, NF_EFORMAT, "%s: tensor %s: %lld bytes, its shape asks for %zu", p->path, name,
                       (long long)(end - begin), bytes);
    e->t.data = p->data + begin;
    e->bytes = bytes;
    e->mapped = true;
    return NF_OK;
}

static int compare_places(const void *a, const void *b)
{
    const struct nf_tf_entry *x = a, *y = b;

    if (x->t.data != y->t.data)
        return (const unsigned char *)x->t.data < (const unsigned char *)y->t.data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* The tensors lie one after the other and fill the file. */
static int check_layout(const struct parse *p, const struct nf_tf *f)
{
    size_t at = 0;

    if (f->n)
        qsort(f->entry, f->n, sizeof *f->entry, compare_places);
    for (size_t i = 0; i < f->n; i++) {
        const struct nf_tf_entry *e = &f->entry[i];
        size_t begin = (size_t)((const unsigned char *)e->t.data - p->data);

        if (begin < at)
            return refuse_tensor(p, e->name, "overlaps another tensor");
        if (begin > at)
            return nf_fail(p->err, NF_EFORMAT, "%s: %zu bytes before tensor %s belong to no tensor", p->path, begin - at, e->name);
        at = begin + e->bytes;
    }
    if (at != p->data_size)
        return nf_fail(p->err, NF_EFORMAT, "%s: the last %zu bytes belong to no tensor", p->path, p->data_size - at);
    return NF_OK;
}

static int parse_entries(const struct parse *p, const json_t *root, struct nf_tf *f)
{
    const char *name;
    json_t *v;

    if (!json_is_object(root))
        return nf_fail(p->err, NF_EFORMAT, "%s: the header is not a JSON object", p->path);
    f->entry = nf_alloc(json_object_size(root), sizeof *f->entry, p->err);
    if (!f->entry)
        return NF_ESYS;
    json_object_foreach ((json_t *)root, name, v) {
        int rc;

        if (strcmp(name, "__metadata__") == 0)
            continue;
        rc = set_entry(p, name, v, &f->entry[f->n++]);
        if (rc < 0)
            return rc;
    }
    if (check_layout(p, f) < 0)
        return NF_EFORMAT;
    return nf_tf_sort(f, p->path, p->err);
}

/* What jansson says; a name that is there twice is the last text before the place where it stopped. */
static int bad_json(const char *text, size_t size, const char *path, const json_error_t *jerr, struct nf_err *err)
{
    size_t at = jerr->position > 0 && (size_t)jerr->position <= size ? (size_t)jerr->position : size;
    const char *end = memrchr(text, '"', at), *begin = end ? memrchr(text, '"', (size_t)(end - text)) : NULL;

    if (json_error_code(jerr) == json_error_duplicate_key && begin)
        return nf_fail(err, NF_EFORMAT, "%s: tensor %.*s is there twice", path, (int)nf_min((size_t)(end - begin - 1), 200),
                       begin + 1);
    return nf_fail(err, NF_EFORMAT, "%s: header: %s", path, jerr->text);
}

int nf_st_parse(const unsigned char *bytes, size_t size, const char *path, struct nf_tf *f, struct nf_err *err)
{
    struct parse p = { path, 0, NULL, err };
    json_error_t jerr;
    bool starved;
    uint64_t header = 0;
    json_t *root;
    int rc;

    *f = (struct nf_tf){ 0 };
    for (size_t i = 0; i < 8 && size >= 8; i++)
        header |= (uint64_t)bytes[i] << (8 * i);
    if (size < 8)
        return nf_fail(err, NF_EFORMAT, "%s: %zu bytes are no safetensors file", path, size);
    if (header > NF_ST_HEADER_BYTES)
        return nf_fail(err, NF_EFORMAT, "%s: a header of %llu bytes, at most %d are allowed", path, (unsigned long long)header,
                       NF_ST_HEADER_BYTES);
    if (header > size - 8)
        return nf_fail(err, NF_EFORMAT, "%s: ends within its header of %llu bytes", path, (unsigned long long)header);
    root = nf_json_load(bytes + 8, (size_t)header, JSON_REJECT_DUPLICATES, &jerr, &starved);
    if (starved)
        return nf_fail(err, NF_ESYS, "%s: out of memory", path);
    if (!root)
        return bad_json((const char *)bytes + 8, (size_t)header, path, &jerr, err);
    p.data = bytes + 8 + header;
    p.data_size = size - 8 - (size_t)header;
    rc = parse_entries(&p, root, f);
    json_decref(root);
    if (rc < 0)
        nf_tf_close(f);
    return rc;
}

int nf_st_open(const char *path, struct nf_tf *f, struct nf_err *err)
{
    return nf_tf_open(path, nf_st_parse, f, err);
}
