/*
 * par.h - threads: how many, and loops cut into fixed blocks so that no result depends on their number.
 *
 *   #pragma omp parallel for schedule(static) over blocks of a fixed size, one partial result a block,
 *   partials added in block order.
 */
#ifndef NF_BASE_PAR_H
#define NF_BASE_PAR_H

#include <stddef.h>

/* Number of blocks of `size` that cover n. */
static inline size_t nf_blocks(size_t n, size_t size)
{
    return n / size + (n % size != 0);
}

static inline size_t nf_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t nf_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* nf_threads - how many threads a parallel loop will use now. */
size_t nf_threads(void);

#endif
