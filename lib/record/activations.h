/*
 * activations.h - kind "activations": batches of windows, and what the model showed at each site.  FORMAT.md section 4.3.
 */
#ifndef NF_RECORD_ACTIVATIONS_H
#define NF_RECORD_ACTIVATIONS_H

#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "stream/writer.h"
#include "tensor/tensor.h"

/* W windows whose tokens lie one after the other.  All arrays are aligned copies owned by the struct after a read. */
struct nf_batch {
    uint64_t batch;
    size_t W, T;                               /* windows; tokens, the sum of length */
    uint32_t *doc, *window, *start, *length;   /* [W] */
    uint8_t *bos;                              /* [W] */
    uint32_t *ids;                             /* [T] */
    size_t W_cap, T_cap;
};

/* nf_batch_reserve - room for W windows and T tokens (contents kept). */
int nf_batch_reserve(struct nf_batch *b, size_t W, size_t T, struct nf_err *err);

/* nf_batch_read - rec must be "batch".  Checked: every window has 1 .. context tokens, T is their sum, each id < V (both from the header). */
int nf_batch_read(const msgpack_object *rec, size_t V, size_t context, struct nf_batch *b, struct nf_err *err);
void nf_batch_write(struct nf_writer *out, const struct nf_batch *b);
void nf_batch_clear(struct nf_batch *b);

/* Rows of one site of one layer.  `data` is borrowed from the record when read (unaligned). */
struct nf_site_rows {
    uint64_t batch;
    char site[16];
    size_t layer;
    size_t row;              /* first row within the batch */
    uint64_t near_zero;      /* ffn.active only: pre-activations of these rows with |pre| < eps */
    struct nf_tensor data;   /* [R, ...] */
};

/* nf_site_rows_read - rec must be "site".  That the width is the header's is for the caller to check: it knows the sites it wants. */
int nf_site_rows_read(const msgpack_object *rec, struct nf_site_rows *s, struct nf_err *err);

/* nf_site_rows_write - cut into records of about this many bytes of data; the first of them carries near_zero. */
enum { NF_SITE_RECORD_BYTES = 4 << 20 };
void nf_site_rows_write(struct nf_writer *out, const struct nf_site_rows *s);

#endif
