/* arrays.c - tensors gathered by name, then written as .npy or safetensors. */
#include "inspect/arrays.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/utf8.h"
#include "inspect/value.h"
#include "stream/mp.h"
#include "tensor/tensor.h"

enum { NAME = 160, COPY = 1 << 20, ALIGN = 64 /* of the data in a .npy file */ };

struct piece {
    uint64_t at;           /* in the temporary file */
    uint64_t bytes;
};

struct array {
    char name[NAME];
    struct nf_tensor t;    /* type and shape, shape[0] summed; no data */
    uint64_t bytes;
    struct piece *piece;
    size_t n, cap;
};

struct nf_arrays {
    int fd;
    uint64_t size;         /* of the temporary file */
    struct array *array;   /* sorted by name */
    size_t n, cap;
    unsigned char *copy;   /* [COPY] */
};

static int open_temporary(struct nf_err *err)
{
    const char *dir = getenv("TMPDIR");
    char *path = nf_path_join(dir && *dir ? dir : "/tmp", "stream-dump.XXXXXX", err);
    int fd;

    if (!path)
        return -1;
    fd = mkstemp(path);
    if (fd < 0)
        nf_fail_errno(err, "%s", path);
    else
        unlink(path);
    free(path);
    return fd;
}

struct nf_arrays *nf_arrays_open(struct nf_err *err)
{
    struct nf_arrays *a = calloc(1, sizeof *a);

    if (!a) {
        nf_fail(err, NF_ESYS, "out of memory");
        return NULL;
    }
    a->fd = open_temporary(err);
    if (a->fd < 0 || !(a->copy = nf_alloc(COPY, 1, err))) {
        nf_arrays_close(a);
        return NULL;
    }
    return a;
}

void nf_arrays_close(struct nf_arrays *a)
{
    if (!a)
        return;
    if (a->fd >= 0)
        close(a->fd);
    for (size_t i = 0; i < a->n; i++)
        free(a->array[i].piece);
    free(a->array);
    free(a->copy);
    free(a);
}

/* ---- names ---- */

/* Appends text from the stream, printable, and cut where the name is full. */
static void append_text(char name[NAME], const char *p, size_t len)
{
    size_t n = strlen(name);

    nf_utf8_show(p, len, name + n, NAME - n);
}

/* What tells records of one type apart: FORMAT.md section 4. */
static void append_keys(char name[NAME], const msgpack_object *rec, bool site_named)
{
    static const char *const keys[] = { "site", "layer", "order", "planes", "domain", "measure", "rows", "of" };
    char buf[NF_VALUE_TEXT];

    for (size_t i = site_named; i < sizeof keys / sizeof *keys; i++) {
        const msgpack_object *o = nf_mp_find(rec, keys[i]);

        if (!o || (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER && o->type != MSGPACK_OBJECT_STR))
            continue;
        append_text(name, ".", 1);
        if (o->type == MSGPACK_OBJECT_STR)
            append_text(name, o->via.str.ptr, o->via.str.size);
        else
            append_text(name, buf, strlen(nf_show_scalar(o, buf)));
    }
}

static void name_array(const msgpack_object *rec, const char *field, size_t len, char name[NAME])
{
    const msgpack_object *type = nf_mp_find(rec, "r"), *site = nf_mp_find(rec, "site");
    bool rows = nf_mp_is(rec, "site") && site && site->type == MSGPACK_OBJECT_STR;
    const msgpack_object *first = rows ? site : type;

    name[0] = '\0';
    append_text(name, first->via.str.ptr, first->via.str.size);
    if (!rows) {
        append_text(name, ".", 1);
        append_text(name, field, len);
    }
    append_keys(name, rec, rows);
}

/* ---- gathering ---- */

/* Where the name is, or belongs. */
static size_t find_array(const struct nf_arrays *a, const char *name, bool *found)
{
    size_t lo = 0, hi = a->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = strcmp(a->array[mid].name, name);

        if (c == 0) {
            *found = true;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = false;
    return lo;
}

static struct array *array_of(struct nf_arrays *a, const char *name, const struct nf_tensor *t, struct nf_err *err)
{
    bool found;
    size_t i = find_array(a, name, &found);
    struct array *x;

    if (found)
        return &a->array[i];
    if (nf_grow(&a->array, &a->cap, a->n + 1, sizeof *a->array, err) < 0)
        return NULL;
    memmove(&a->array[i + 1], &a->array[i], (a->n - i) * sizeof *a->array);
    a->n++;
    x = &a->array[i];
    *x = (struct array){ .t = *t };
    strcpy(x->name, name);
    x->t.shape[0] = 0;
    x->t.data = NULL;
    return x;
}

static int mismatch(const struct array *x, const struct nf_tensor *t, struct nf_err *err)
{
    bool same = x->t.dtype == t->dtype && x->t.ndim == t->ndim;

    for (size_t d = 1; same && d < t->ndim; d++)
        same = x->t.shape[d] == t->shape[d];
    return same ? NF_OK
                : nf_fail(err, NF_EFORMAT, "%s: records differ in type or in the shape of a row, and cannot be joined", x->name);
}

static int add_piece(struct nf_arrays *a, struct array *x, const void *data, uint64_t bytes, struct nf_err *err)
{
    struct piece *last = x->n ? &x->piece[x->n - 1] : NULL;

    if (bytes == 0)
        return NF_OK;
    if (nf_write_all(a->fd, data, bytes, "temporary file", err) < 0)
        return NF_ESYS;
    if (last && last->at + last->bytes == a->size) {
        last->bytes += bytes;
    } else {
        if (nf_grow(&x->piece, &x->cap, x->n + 1, sizeof *x->piece, err) < 0)
            return NF_ESYS;
        x->piece[x->n++] = (struct piece){ a->size, bytes };
    }
    a->size += bytes;
    x->bytes += bytes;
    return NF_OK;
}

static int add_tensor(struct nf_arrays *a, const msgpack_object *rec, const char *field, size_t len, struct nf_tensor *t,
                      struct nf_err *err)
{
    char name[NAME];
    size_t count = 0;
    struct array *x;

    if (t->ndim == 0) {    /* one number: a row of one */
        t->ndim = 1;
        t->shape[0] = 1;
    }
    name_array(rec, field, len, name);
    x = array_of(a, name, t, err);
    if (!x)
        return NF_ESYS;
    if (mismatch(x, t, err) < 0)
        return NF_EFORMAT;
    nf_tensor_count(t, &count);
    x->t.shape[0] += t->shape[0];
    return add_piece(a, x, t->data, count * nf_dtype_size(t->dtype), err);
}

int nf_arrays_add(struct nf_arrays *a, const msgpack_object *rec, const char *field, struct nf_err *err)
{
    const msgpack_object *o;
    struct nf_tensor t;

    if (field) {
        o = nf_mp_path(rec, field);
        return o && nf_mp_tensor_any(o, &t) == NF_OK ? add_tensor(a, rec, field, strlen(field), &t, err) : NF_OK;
    }
    for (uint32_t i = 1; i < rec->via.map.size; i++) {
        const msgpack_object *k = &rec->via.map.ptr[i].key;

        if (k->type == MSGPACK_OBJECT_STR && nf_mp_tensor_any(&rec->via.map.ptr[i].val, &t) == NF_OK &&
            add_tensor(a, rec, k->via.str.ptr, k->via.str.size, &t, err) < 0)
            return err->code;
    }
    return NF_OK;
}

/* ---- writing ---- */

static int put_data(struct nf_arrays *a, const struct array *x, FILE *f, struct nf_err *err)
{
    for (size_t i = 0; i < x->n; i++) {
        uint64_t at = x->piece[i].at, end = at + x->piece[i].bytes;

        while (at < end) {
            ssize_t got = pread(a->fd, a->copy, end - at < COPY ? end - at : COPY, (off_t)at);

            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                return got < 0 ? nf_fail_errno(err, "temporary file") : nf_fail(err, NF_ESYS, "temporary file: cut short");
            if (fwrite(a->copy, 1, (size_t)got, f) != (size_t)got)
                return NF_OK;   /* the caller asks ferror() */
            at += (uint64_t)got;
        }
    }
    return NF_OK;
}

/* numpy/lib/format.py: magic, version 1.0, length of the dictionary (2 bytes, little-endian), padded so that the data are aligned. */
static void put_npy_head(FILE *f, const struct nf_tensor *t)
{
    char dict[256];
    int n = snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (", nf_mp_numpy_type(t->dtype));
    size_t len;

    for (size_t i = 0; i < t->ndim; i++)
        n += snprintf(dict + n, sizeof dict - (size_t)n, "%zu,%s", t->shape[i], i + 1 < t->ndim ? " " : "");
    n += snprintf(dict + n, sizeof dict - (size_t)n, "), }");
    len = (10 + (size_t)n + 1 + ALIGN - 1) / ALIGN * ALIGN - 10;
    fwrite("\x93NUMPY\x01\x00", 1, 8, f);
    putc((int)(len & 255), f);
    putc((int)(len >> 8), f);
    fprintf(f, "%-*s\n", (int)len - 1, dict);
}

int nf_arrays_npy(struct nf_arrays *a, FILE *f, struct nf_err *err)
{
    if (a->n == 0)
        return nf_fail(err, NF_EFORMAT, "no tensor was chosen: no record has it");
    if (a->n > 1)
        return nf_fail(err, NF_EUSAGE,
                       "%zu arrays are chosen, from %s to %s, and .npy holds one: choose by --record, --field, --layer, --site",
                       a->n, a->array[0].name, a->array[a->n - 1].name);
    put_npy_head(f, &a->array[0].t);
    return put_data(a, &a->array[0], f, err);
}

static const char *safetensors_type(enum nf_dtype t)
{
    static const char *const name[] = {
        [NF_U8] = "U8",   [NF_U16] = "U16", [NF_U32] = "U32",   [NF_U64] = "U64", [NF_I32] = "I32",
        [NF_I64] = "I64", [NF_F16] = "F16", [NF_BF16] = "BF16", [NF_F32] = "F32", [NF_F64] = "F64",
    };

    return name[t];
}

static json_t *integers(const uint64_t *v, size_t n)
{
    json_t *a = json_array();

    for (size_t i = 0; a && i < n; i++)
        if (json_array_append_new(a, json_integer((json_int_t)v[i])) < 0) {
            json_decref(a);
            return NULL;
        }
    return a;
}

/* NULL: memory. */
static json_t *safetensors_entry(const struct array *x, uint64_t at)
{
    uint64_t shape[NF_NDIM_MAX], offsets[2] = { at, at + x->bytes };
    json_t *e = json_object();

    for (size_t d = 0; d < x->t.ndim; d++)
        shape[d] = x->t.shape[d];
    if (json_object_set_new(e, "dtype", json_string(safetensors_type(x->t.dtype))) < 0 ||
        json_object_set_new(e, "shape", integers(shape, x->t.ndim)) < 0 ||
        json_object_set_new(e, "data_offsets", integers(offsets, 2)) < 0) {
        json_decref(e);
        return NULL;
    }
    return e;
}

static json_t *safetensors_head(const struct nf_arrays *a)
{
    json_t *head = json_pack("{s:{s:s}}", "__metadata__", "format", "neurofilters");
    uint64_t at = 0;

    for (size_t i = 0; head && i < a->n; i++) {
        if (json_object_set_new(head, a->array[i].name, safetensors_entry(&a->array[i], at)) < 0) {
            json_decref(head);
            return NULL;
        }
        at += a->array[i].bytes;
    }
    return head;
}

static int count_bytes(const char *p, size_t n, void *total)
{
    (void)p;
    *(size_t *)total += n;
    return 0;
}

/*
 * github.com/huggingface/safetensors, "Format": length of the JSON (8 bytes, little-endian), the JSON padded with spaces, the data.
 * The JSON goes straight to the file: jansson's own text buffer loses characters where memory runs out.
 */
int nf_arrays_safetensors(struct nf_arrays *a, FILE *f, struct nf_err *err)
{
    json_t *head = safetensors_head(a);
    size_t text = 0, len;
    int rc = NF_OK;

    if (!head || json_dump_callback(head, count_bytes, &text, JSON_COMPACT) < 0)
        rc = nf_fail(err, NF_ESYS, "out of memory");
    len = (text + 7) / 8 * 8;
    for (int i = 0; rc == NF_OK && i < 8; i++)
        putc((int)((uint64_t)len >> 8 * i & 255), f);
    if (rc == NF_OK && json_dumpf(head, f, JSON_COMPACT) < 0 && !ferror(f))
        rc = nf_fail(err, NF_ESYS, "out of memory");
    json_decref(head);
    if (rc == NF_OK)
        fprintf(f, "%*s", (int)(len - text), "");
    for (size_t i = 0; rc == NF_OK && i < a->n; i++)
        rc = put_data(a, &a->array[i], f, err);
    return rc;
}
