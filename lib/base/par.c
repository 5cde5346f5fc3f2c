/* par.c - threads. */
#include "base/par.h"

#include <omp.h>

size_t nf_threads(void)
{
    return (size_t)omp_get_max_threads();
}
