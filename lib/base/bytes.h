/*
 * bytes.h - a growing byte buffer.
 */
#ifndef NF_BASE_BYTES_H
#define NF_BASE_BYTES_H

#include <stddef.h>

#include "base/err.h"

/* What follows the n bytes, up to n + NF_BYTES_SLACK, may be read (its value does not matter).  A zeroed struct is empty. */
enum { NF_BYTES_SLACK = 32 };
struct nf_bytes {
    unsigned char *p;
    size_t n, cap;
};

int nf_bytes_add(struct nf_bytes *b, const void *p, size_t n, struct nf_err *err);   /* NF_OK or NF_ESYS */
void nf_bytes_drop(struct nf_bytes *b, size_t n);                                    /* the first n bytes */
void nf_bytes_clear(struct nf_bytes *b);

#endif
