/*
 * gguf.h - a GGUF file, mapped: metadata, then tensors.
 *
 *   "GGUF", version (u32), tensors (u64), values (u64)
 *   values    key, type (u32), value; a string is its length (u64) and its bytes, an array the type of its elements (u32), their
 *             number (u64) and the elements
 *   tensors   name, dimensions (u32), their sizes (u64 each, fastest first), type (u32), offset (u64)
 *   data      from the next multiple of general.alignment (32 where it is not given) on; offsets count from there
 *
 * Little-endian.  Versions 2 and 3 differ only in that 3 may be big-endian, which is refused.  A large model may be cut into files, each with
 * its own header: gguf_split.h.
 *
 * Source: github.com/ggml-org/ggml, docs/gguf.md.
 */
#ifndef NF_CHECKPOINT_GGUF_H
#define NF_CHECKPOINT_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "checkpoint/tensorfile.h"

/* As the file numbers them. */
enum nf_gguf_type {
    NF_GGUF_U8,
    NF_GGUF_I8,
    NF_GGUF_U16,
    NF_GGUF_I16,
    NF_GGUF_U32,
    NF_GGUF_I32,
    NF_GGUF_F32,
    NF_GGUF_BOOL,
    NF_GGUF_STRING,
    NF_GGUF_ARRAY,
    NF_GGUF_U64,
    NF_GGUF_I64,
    NF_GGUF_F64,
    NF_GGUF_TYPES,
};

struct nf_gguf_value {
    char *key;                   /* owned by the file */
    enum nf_gguf_type type;
    enum nf_gguf_type item;      /* of an array's elements; else type */
    size_t n;                    /* elements of an array; else 1 */
    const unsigned char *data;   /* the first element, as the file has it; not aligned */
};

struct nf_gguf {
    unsigned version;
    struct nf_gguf_value *value;   /* [n] in byte order of the keys */
    size_t n;
    struct nf_tf tensors;          /* names and types of GGUF ("blk.0.attn_q.weight", "Q4_K"); shapes slowest first, as everywhere here */
};

/*
 * nf_gguf_open - map a file and check its header.  nf_gguf_parse - the same for bytes that the caller keeps; `path` is for messages.
 *
 * NF_EFORMAT  no GGUF, another version, big-endian; shorter than its counts say; a key or a tensor twice; an unknown type; a bool that is not
 *             0 or 1; an alignment that is no power of two; rows that are no whole number of blocks; tensors that are not aligned, leave
 *             the file or overlap.  The message names the file and the key or tensor.
 *
 * Counts and lengths are compared with the bytes that are left before anything is allocated or read.  Release with nf_gguf_close().
 */
int nf_gguf_open(const char *path, struct nf_gguf *g, struct nf_err *err);
int nf_gguf_parse(const unsigned char *p, size_t size, const char *path, struct nf_gguf *g, struct nf_err *err);
void nf_gguf_close(struct nf_gguf *g);   /* accepts a zeroed struct */

const struct nf_gguf_value *nf_gguf_find(const struct nf_gguf *g, const char *key);   /* NULL: not there */

/* nf_gguf_int - any integer or bool as int64; false: another type, NULL, or over INT64_MAX. */
bool nf_gguf_int(const struct nf_gguf_value *v, int64_t *i);

/*
 * nf_gguf_json - a value as JSON; arrays of arrays too.  A float32 becomes the shortest decimal number that rounds to it: writers of GGUF
 * round the numbers of config.json (1e-05), and their own value is that number again.  NULL: NF_ESYS memory, NF_EFORMAT: a string that is
 * not UTF-8, a number that is not finite; the key is named, with `path`.
 */
json_t *nf_gguf_json(const struct nf_gguf_value *v, const char *path, struct nf_err *err);

/* nf_shortest_decimal - the decimal number of fewest digits that rounds to f. */
double nf_shortest_decimal(float f);

#endif
