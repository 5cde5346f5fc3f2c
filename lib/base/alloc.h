/*
 * alloc.h - allocation with checked products.
 *
 * Sizes that we choose go through nf_alloc(); sizes that came from input are compared with a limit first, through
 * nf_alloc_bounded(). Both return zeroed memory aligned to 64 bytes, to be released with free().
 */
#ifndef NF_BASE_ALLOC_H
#define NF_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* nf_mul - *product = a * b; false when it does not fit in size_t. */
bool nf_mul(size_t a, size_t b, size_t *product);

/* nf_alloc - n elements of `size` bytes, zeroed; n * size == 0 gives a valid pointer.  NULL: err is NF_ESYS "out of memory". */
void *nf_alloc(size_t n, size_t size, struct nf_err *err);

/* nf_alloc_bounded - as nf_alloc, but NF_EFORMAT when n * size > limit (bytes); `what` names the field in the message. */
void *nf_alloc_bounded(size_t n, size_t size, size_t limit, const char *what, struct nf_err *err);

/*
 * nf_grow - make room for `need` elements in a growing array.
 *
 *   p, cap   in, out   the array (realloc'ed, at least doubling) and its capacity in elements
 *
 * Returns NF_OK or NF_ESYS, then *p and *cap are as they were.  New elements are not initialised.
 */
int nf_grow(void *p, size_t *cap, size_t need, size_t size, struct nf_err *err);

/*
 * nf_alloc_headroom - whether so many more bytes of address space can be had (ulimit -v, strict overcommit).  For libraries that crash where
 * they get none: they are not called then.  NF_ESYS.
 */
int nf_alloc_headroom(size_t bytes, struct nf_err *err);

#endif
