/* par.c - threads. */
#include "base/par.h"

#include <omp.h>

/* The size of the team that a parallel region gets. */
static int open_team(void)
{
    int size = 1;

#pragma omp parallel
#pragma omp single
    size = omp_get_num_threads();
    return size;
}

void nf_threads_start(size_t n)
{
    size_t ask = n ? n : (size_t)omp_get_max_threads();

    omp_set_dynamic(0);
    omp_set_max_active_levels(1);
    omp_set_num_threads((int)nf_min(nf_min(ask, NF_THREADS_MAX), (size_t)omp_get_thread_limit()));
    omp_set_num_threads(open_team());
}

size_t nf_threads(void)
{
    return (size_t)omp_get_max_threads();
}
