/* alloc.c - allocation with checked products. */
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64 };  /* one cache line, one AVX-512 register */

bool nf_mul(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

void *nf_alloc(size_t n, size_t size, struct nf_err *err)
{
    size_t bytes;
    void *p;

    if (!nf_mul(n, size, &bytes) || bytes > SIZE_MAX - ALIGN) {
        nf_fail(err, NF_ESYS, "out of memory: %zu elements of %zu bytes", n, size);
        return NULL;
    }
    bytes = (bytes + ALIGN) / ALIGN * ALIGN;
    p = aligned_alloc(ALIGN, bytes);
    if (!p) {
        nf_fail(err, NF_ESYS, "out of memory: %zu bytes", bytes);
        return NULL;
    }
    return memset(p, 0, bytes);
}

void *nf_alloc_bounded(size_t n, size_t size, size_t limit, const char *what, struct nf_err *err)
{
    size_t bytes;

    if (!nf_mul(n, size, &bytes) || bytes > limit) {
        nf_fail(err, NF_EFORMAT, "%s: %zu elements of %zu bytes are over the limit of %zu bytes", what, n, size, limit);
        return NULL;
    }
    return nf_alloc(n, size, err);
}

int nf_grow(void *p, size_t *cap, size_t need, size_t size, struct nf_err *err)
{
    size_t want = *cap ? *cap : 16, bytes;
    void *old, *grown;

    if (need <= *cap)
        return NF_OK;
    while (want < need && want <= SIZE_MAX / 2)
        want *= 2;
    if (want < need || !nf_mul(want, size, &bytes))
        return nf_fail(err, NF_ESYS, "out of memory: %zu elements of %zu bytes", need, size);
    memcpy(&old, p, sizeof old);
    grown = realloc(old, bytes);
    if (!grown)
        return nf_fail(err, NF_ESYS, "out of memory: %zu bytes", bytes);
    memcpy(p, &grown, sizeof grown);
    *cap = want;
    return NF_OK;
}

int nf_alloc_headroom(size_t bytes, struct nf_err *err)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return nf_fail(err, NF_ESYS, "out of memory: %zu bytes are not left for matrix products", bytes);
    munmap(p, bytes);
    return NF_OK;
}
