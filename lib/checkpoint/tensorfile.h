/*
 * tensorfile.h - a file of named tensors, mapped: what safetensors.h and torchfile.h open.
 */
#ifndef NF_CHECKPOINT_TENSORFILE_H
#define NF_CHECKPOINT_TENSORFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/file.h"
#include "tensor/tensor.h"

struct nf_tf_entry {
    char *name;            /* owned by the file */
    const char *type;      /* as the file has it: "F32", "I64", "FloatStorage", ... */
    bool weight;           /* F32, F16, BF16 or blocks (dequant.h), of at most NF_NDIM_MAX dimensions: t is filled */
    struct nf_tensor t;    /* data: not aligned */
    size_t bytes;          /* of its elements */
    bool mapped;           /* t.data is in the map: its pages can be dropped and come back */
    bool used;             /* for the caller */
};

struct nf_tf {
    struct nf_map map;             /* empty when the caller keeps the bytes */
    struct nf_tf_entry *entry;     /* [n] in byte order of the names */
    size_t n;
    struct nf_torch *torch;        /* what a pytorch_model.bin needs besides; else NULL */
};

struct nf_tf_entry *nf_tf_find(const struct nf_tf *f, const char *name);   /* NULL: not there */

void nf_tf_close(struct nf_tf *f);   /* accepts a zeroed struct */

/* For the two readers: map the file and parse its bytes; the map goes into `f` when they are good. */
int nf_tf_open(const char *path,
               int (*parse)(const unsigned char *p, size_t size, const char *path, struct nf_tf *f, struct nf_err *err),
               struct nf_tf *f, struct nf_err *err);

/* For the two readers: bring the entries into order; NF_EFORMAT when a name is there twice. */
int nf_tf_sort(struct nf_tf *f, const char *path, struct nf_err *err);

#endif
