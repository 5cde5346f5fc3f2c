/*
 * mem.h - memory that is filled piece by piece and given back at once.
 *
 * What a record holds in lists and text lies in one of these: a read fills it, the next read uses the same memory again.
 */
#ifndef NF_BASE_MEM_H
#define NF_BASE_MEM_H

#include <stddef.h>

#include "base/err.h"

struct nf_chunk;

/* A zeroed struct is empty. */
struct nf_mem {
    struct nf_chunk *chunk;   /* the one in use, and behind it those that are full */
};

/* nf_mem_get - n zeroed elements of `size` bytes, aligned for any type; a valid pointer also for none.  NULL: NF_ESYS "out of memory". */
void *nf_mem_get(struct nf_mem *m, size_t n, size_t size, struct nf_err *err);

/* nf_mem_text - a copy of n bytes with a NUL behind them. */
char *nf_mem_text(struct nf_mem *m, const char *s, size_t n, struct nf_err *err);

void nf_mem_reset(struct nf_mem *m);   /* nothing is held any more; the largest piece of memory is kept for what comes */
void nf_mem_clear(struct nf_mem *m);   /* all memory is given back */

#endif
