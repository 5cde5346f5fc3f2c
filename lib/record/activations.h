/*
 * activations.h - kind "activations": batches of windows, and what the model showed at each site.  FORMAT.md section 4.3.
 */
#ifndef NF_RECORD_ACTIVATIONS_H
#define NF_RECORD_ACTIVATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "record/record.h"
#include "tensor/tensor.h"

/* W windows whose tokens lie one after the other.  All arrays lie in `mem`. */
struct nf_batch {
    size_t batch;
    size_t W, T;                               /* windows; tokens, the sum of length */
    uint32_t *doc, *window, *start, *length;   /* [W] */
    uint8_t *bos;                              /* [W] */
    uint32_t *ids;                             /* [T] */
    struct nf_mem mem;
    size_t W_cap, T_cap;                       /* while one is built */
};
extern const struct nf_record nf_batch_record;

/* nf_batch_reserve - room for W windows and T tokens of a batch that is built; what is there is kept.  NF_ESYS: memory. */
int nf_batch_reserve(struct nf_batch *b, size_t W, size_t T, struct nf_err *err);

/* Rows of one site of one layer.  What the numbers are is not looked at: they may be NaN or infinite. */
struct nf_site_rows {
    size_t batch;
    char site[16];
    size_t layer;
    size_t row;              /* first row within the batch */
    uint64_t near_zero;      /* ffn.active only, else NF_NONE: pre-activations of these rows with |pre| < eps */
    struct nf_tensor data;   /* [R, ...] */
};

extern const struct nf_record nf_site_record;   /* that the width is the header's is for who knows the sites to check */

/* nf_site_rows_write - cut into records of about this many bytes of data; the first of them carries near_zero. */
enum { NF_SITE_RECORD_BYTES = 4 << 20 };
void nf_site_rows_write(struct nf_writer *out, const struct nf_site_rows *s);

#endif
