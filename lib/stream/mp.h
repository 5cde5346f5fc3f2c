/*
 * mp.h - msgpack in memory: an encoder over msgpack-c, a bounded scan before every unpack, and
 * typed access to a map.
 *
 * Tensors are msgpack-numpy maps (FORMAT.md section 3).
 */
#ifndef NF_STREAM_MP_H
#define NF_STREAM_MP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <msgpack.h>

#include "base/err.h"
#include "tensor/tensor.h"

/* The version of FORMAT.md, and its limits (section 5). */
enum {
    NF_STREAM_VERSION = 1,
    NF_HEADER_BYTES = 1 << 20,   /* the header, encoded */
    NF_MP_DEPTH = 16,            /* nesting */
    NF_MP_BYTES = 16 << 20,      /* one object, encoded */
    NF_MP_ITEMS = 1 << 20,       /* values of one object: items of arrays, keys and values of maps; unpacked, each takes 24 bytes */
};

/* ---- encoding ---- */

/* An object under construction.  No function here fails: a lack of memory is remembered and reported by the writer. */
struct nf_enc {
    msgpack_sbuffer buf;
    msgpack_packer pk;
    bool failed;
};

void nf_enc_init(struct nf_enc *e);
void nf_enc_reset(struct nf_enc *e);    /* empty, memory kept */
void nf_enc_clear(struct nf_enc *e);

void nf_enc_map(struct nf_enc *e, size_t n);              /* n pairs follow */
void nf_enc_array(struct nf_enc *e, size_t n);
void nf_enc_str(struct nf_enc *e, const char *s);         /* also for keys */
void nf_enc_strn(struct nf_enc *e, const char *s, size_t n);   /* s need not end with NUL */
void nf_enc_bin(struct nf_enc *e, const void *p, size_t n);
void nf_enc_uint(struct nf_enc *e, uint64_t v);
void nf_enc_int(struct nf_enc *e, int64_t v);
void nf_enc_real(struct nf_enc *e, double v);
void nf_enc_bool(struct nf_enc *e, bool v);
void nf_enc_nil(struct nf_enc *e);
void nf_enc_tensor(struct nf_enc *e, const struct nf_tensor *t);
void nf_enc_json(struct nf_enc *e, const json_t *j);      /* objects, arrays, str, integer, real, bool, null */

/* ---- decoding ---- */

/*
 * nf_mp_scan - length of the first whole object in p[0..n), by a walk that allocates nothing.
 *
 * Returns the length; 0 when more bytes are needed; NF_EFORMAT when the bytes cannot be the start of an acceptable object
 * (reserved byte, an ext type, deeper than NF_MP_DEPTH, more than NF_MP_ITEMS values, longer than NF_MP_BYTES).
 * Only what this accepts whole may be given to msgpack-c.
 */
int64_t nf_mp_scan(const unsigned char *p, size_t n, struct nf_err *err);

/* The same walk in steps, for bytes that arrive in pieces: each byte is looked at once. */
struct nf_scan {
    size_t at;                       /* bytes walked over; when NF_OK was returned: the length of the object */
    size_t want;                     /* after NF_EOF: the object is at least this long */
    size_t limit;                    /* bytes */
    size_t pending, items;           /* values still to come at least; values announced so far */
    size_t open;                     /* containers entered, the outermost level included */
    size_t left[NF_MP_DEPTH + 1];    /* values still to come at each level */
};

void nf_scan_init(struct nf_scan *s, size_t limit);

/* nf_scan_more - p[0..n) is the object from its first byte on, longer than at the call before.  NF_OK, NF_EOF (more is needed), NF_EFORMAT. */
int nf_scan_more(struct nf_scan *s, const unsigned char *p, size_t n, struct nf_err *err);

/*
 * Typed access to the pairs of a map.  `rec` is a map object; `key` a str key.  A missing or misplaced field is NF_EFORMAT with
 * the record type and the key in the message.  Everything returned is borrowed from the record.
 */
const msgpack_object *nf_mp_find(const msgpack_object *rec, const char *key);   /* NULL: absent */
int nf_mp_uint(const msgpack_object *rec, const char *key, uint64_t max, uint64_t *v, struct nf_err *err);
int nf_mp_real(const msgpack_object *rec, const char *key, double *v, struct nf_err *err);   /* integers are taken too */
int nf_mp_bool(const msgpack_object *rec, const char *key, bool *v, struct nf_err *err);
int nf_mp_str(const msgpack_object *rec, const char *key, const char **s, size_t *n, struct nf_err *err);  /* not NUL-terminated */
int nf_mp_array(const msgpack_object *rec, const char *key, const msgpack_object **first, size_t *n, struct nf_err *err);

/*
 * nf_mp_path - a value inside a map or array: keys and indices joined by dots, "dead.p", "cover.0.1".  A key may itself hold dots: the
 * longest one that is there is taken.  NULL: nothing there.
 */
const msgpack_object *nf_mp_path(const msgpack_object *o, const char *path);

/* nf_mp_tensor - the tensor under `key`: `dtype` and `ndim` must match; the shape is checked against the bytes present. */
int nf_mp_tensor(const msgpack_object *rec, const char *key, enum nf_dtype dtype, size_t ndim, struct nf_tensor *t,
                 struct nf_err *err);

/* nf_mp_tensor_any - any type and shape; also tells stream-dump that an object is a tensor at all (NF_EFORMAT, err untouched: it is not). */
int nf_mp_tensor_any(const msgpack_object *o, struct nf_tensor *t);

/* nf_mp_numpy_type - NumPy's name of the type, "<f4"; of bf16 the carrier, "<u2". */
const char *nf_mp_numpy_type(enum nf_dtype t);

/* nf_mp_json - a copy as JSON: str, numbers, maps with str keys, arrays; bin and tensors are NF_EFORMAT.  New reference or NULL. */
json_t *nf_mp_json(const msgpack_object *o, struct nf_err *err);

/* Is the record of this type ("r")? */
bool nf_mp_is(const msgpack_object *rec, const char *type);

#endif
