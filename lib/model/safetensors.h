/*
 * safetensors.h - a safetensors file, mapped: 8 bytes n (little-endian), n bytes of JSON that name each tensor's type, shape and
 * offsets, then the tensors.  https://github.com/huggingface/safetensors, "Format".
 */
#ifndef NF_MODEL_SAFETENSORS_H
#define NF_MODEL_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/file.h"
#include "tensor/tensor.h"

/* As safetensors has it; more is refused. */
enum { NF_ST_HEADER_BYTES = 100 * 1000 * 1000 };

struct nf_st_entry {
    char *name;            /* owned by the file */
    const char *type;      /* "F32", "I64", ... */
    bool weight;           /* F32, F16 or BF16 of at most NF_NDIM_MAX dimensions: t is filled */
    struct nf_tensor t;    /* data: in the file, not aligned */
    size_t begin, end;     /* offsets behind the header */
    bool used;             /* for the caller */
};

struct nf_st {
    struct nf_map map;             /* empty after nf_st_parse() */
    struct nf_st_entry *entry;     /* [n] in byte order of the names */
    size_t n;
};

/*
 * nf_st_open - map a file and check its header.  nf_st_parse - the same for bytes that the caller keeps; `path` is for messages.
 *
 * NF_EFORMAT  shorter than its header says; no JSON; a name twice; an unknown type; a size that is not the shape's; offsets that leave
 *             the file, overlap, or leave a hole.  The message names the file and the tensor.
 */
int nf_st_open(const char *path, struct nf_st *st, struct nf_err *err);
int nf_st_parse(const unsigned char *p, size_t size, const char *path, struct nf_st *st, struct nf_err *err);

struct nf_st_entry *nf_st_find(const struct nf_st *st, const char *name);   /* NULL: not there */

void nf_st_close(struct nf_st *st);   /* accepts a zeroed struct */

#endif
