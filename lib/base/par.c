/* par.c - threads. */
#include "base/par.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "base/limits.h"

/* The size of the team that a parallel region gets. */
static int open_team(void)
{
    int size = 1;

#pragma omp parallel
#pragma omp single
    size = omp_get_num_threads();
    return size;
}

/* OpenMP knows of affinity, not of quotas. */
static size_t offered_threads(void)
{
    size_t n = (size_t)omp_get_max_threads();
    double cpus = nf_limits_read("").cpus;

    if (getenv("OMP_NUM_THREADS") || isinf(cpus))
        return n;
    return nf_max(1, nf_min(n, (size_t)ceil(cpus)));
}

int nf_threads_start(size_t n, struct nf_err *err)
{
    size_t ask = n ? n : offered_threads();

    if (ask > NF_THREADS_MAX)
        return nf_fail(err, NF_ESYS, "OMP_NUM_THREADS asks for %zu threads; at most %d are possible", ask, NF_THREADS_MAX);
    omp_set_dynamic(0);
    omp_set_max_active_levels(1);
    omp_set_num_threads((int)nf_min(ask, (size_t)omp_get_thread_limit()));
    omp_set_num_threads(open_team());
    return NF_OK;
}

size_t nf_threads(void)
{
    return (size_t)omp_get_max_threads();
}
