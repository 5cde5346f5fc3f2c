/* bytes.c - a growing byte buffer. */
#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

int nf_bytes_add(struct nf_bytes *b, const void *p, size_t n, struct nf_err *err)
{
    if (nf_grow(&b->p, &b->cap, b->n + n + NF_BYTES_SLACK, 1, err) < 0)
        return NF_ESYS;
    if (n)
        memcpy(b->p + b->n, p, n);
    memset(b->p + b->n + n, 0, NF_BYTES_SLACK);
    b->n += n;
    return NF_OK;
}

void nf_bytes_drop(struct nf_bytes *b, size_t n)
{
    if (n)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

void nf_bytes_clear(struct nf_bytes *b)
{
    free(b->p);
    *b = (struct nf_bytes){ 0 };
}
