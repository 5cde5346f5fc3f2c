/* json_text.c - msgpack to JSON text. */
#include "inspect/json_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "inspect/value.h"
#include "stream/mp.h"

static void put_char(FILE *f, unsigned char c)
{
    if (c == '"' || c == '\\')
        fprintf(f, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
        fprintf(f, "\\u%04x", c);
    else
        putc(c, f);
}

/* Valid UTF-8: JSON's own escapes and nothing else. */
static void put_json_string(FILE *f, const char *p, size_t n)
{
    putc('"', f);
    for (size_t i = 0; i < n; i++)
        put_char(f, (unsigned char)p[i]);
    putc('"', f);
}

/* Any bytes, as nf_utf8_show() writes them: at most four characters a byte. */
static void put_bytes(FILE *f, const char *p, size_t n)
{
    enum { PIECE = 256 };
    char shown[4 * PIECE + 8];
    uint32_t c;

    putc('"', f);
    for (size_t i = 0, k; i < n; i += k) {
        for (k = 0; i + k < n && k < PIECE - 4;) {   /* a piece ends between characters */
            size_t len = nf_utf8_decode((const unsigned char *)p + i + k, n - i - k, &c);

            k += len ? len : 1;
        }
        nf_utf8_show(p + i, k, shown, sizeof shown);
        for (const char *s = shown; *s; s++)
            put_char(f, (unsigned char)*s);
    }
    putc('"', f);
}

static void put_json_number(FILE *f, double v, const char *text)
{
    fputs(isfinite(v) ? text : "null", f);
}

/* Elements from *next on, dimension d and those inside it. */
static void put_json_tensor(FILE *f, const struct nf_tensor *t, size_t d, size_t *next)
{
    char buf[NF_VALUE_TEXT];

    if (d == t->ndim) {
        nf_show_element(t, *next, buf);
        put_json_number(f, nf_dtype_real(t->dtype) ? nf_tensor_real(t, *next) : 0, buf);
        ++*next;
        return;
    }
    putc('[', f);
    for (size_t i = 0; i < t->shape[d]; i++) {
        if (i)
            putc(',', f);
        put_json_tensor(f, t, d + 1, next);
    }
    putc(']', f);
}

static void put_key(FILE *f, const msgpack_object *k)
{
    char buf[NF_VALUE_TEXT];

    if (k->type == MSGPACK_OBJECT_STR || k->type == MSGPACK_OBJECT_BIN)
        nf_json_text(f, k);
    else
        fprintf(f, "\"%s\"", nf_show_scalar(k, buf) ? buf : "?");
}

static void put_json_map(FILE *f, const msgpack_object_map *m)
{
    putc('{', f);
    for (uint32_t i = 0; i < m->size; i++) {
        if (i)
            putc(',', f);
        put_key(f, &m->ptr[i].key);
        putc(':', f);
        nf_json_text(f, &m->ptr[i].val);
    }
    putc('}', f);
}

static void put_json_array(FILE *f, const msgpack_object_array *a)
{
    putc('[', f);
    for (uint32_t i = 0; i < a->size; i++) {
        if (i)
            putc(',', f);
        nf_json_text(f, &a->ptr[i]);
    }
    putc(']', f);
}

void nf_json_text(FILE *f, const msgpack_object *o)
{
    struct nf_tensor t;
    char buf[NF_VALUE_TEXT];
    size_t next = 0;

    switch (o->type) {
    case MSGPACK_OBJECT_MAP:
        if (nf_mp_tensor_any(o, &t) == NF_OK)
            put_json_tensor(f, &t, 0, &next);
        else
            put_json_map(f, &o->via.map);
        break;
    case MSGPACK_OBJECT_ARRAY:
        put_json_array(f, &o->via.array);
        break;
    case MSGPACK_OBJECT_STR:
        if (nf_utf8_valid((const unsigned char *)o->via.str.ptr, o->via.str.size) == o->via.str.size)
            put_json_string(f, o->via.str.ptr, o->via.str.size);
        else
            put_bytes(f, o->via.str.ptr, o->via.str.size);
        break;
    case MSGPACK_OBJECT_BIN:
        put_bytes(f, o->via.bin.ptr, o->via.bin.size);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        put_json_number(f, o->via.f64, nf_show_scalar(o, buf));
        break;
    default:
        fputs(o->type == MSGPACK_OBJECT_NIL ? "null" : nf_show_scalar(o, buf), f);
        break;
    }
}
