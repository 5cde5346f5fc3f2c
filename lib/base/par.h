/*
 * par.h - threads: how many, and loops cut into fixed blocks so that no result depends on their number.
 *
 *   #pragma omp parallel for schedule(static) over blocks of a fixed size, one partial result a block,
 *   partials added in block order.
 */
#ifndef NF_BASE_PAR_H
#define NF_BASE_PAR_H

#include <stddef.h>

#include "base/err.h"

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

enum { NF_THREADS_MAX = 4096 };

/*
 * nf_threads_start - ask for n threads, and settle for the team that really comes.
 *
 *   n  0: what OMP_NUM_THREADS says; where it is not set, the processors that the process may use (affinity), and no more than the processor
 *      time of its control groups (limits.h), rounded up
 *
 * NF_ESYS: OMP_NUM_THREADS asks for more than NF_THREADS_MAX.
 *
 * OMP_THREAD_LIMIT, OMP_DYNAMIC and OMP_MAX_ACTIVE_LEVELS may make a team smaller than the number of threads that OpenMP reports.  A library that
 * deals work to that number (oneDNN does) would leave the share of the missing threads undone.  So dynamic teams are switched off, one
 * level of parallelism is switched on, and the number is lowered to the size of a team that was opened.  To be called before any loop.
 */
int nf_threads_start(size_t n, struct nf_err *err);

/* nf_threads - how many threads a parallel loop will use now: the size of the team, not a wish. */
size_t nf_threads(void);

#endif
