/* boundaries.c - rules of thumb for the ends of stages. */
#include "stages/boundaries.h"

#include <math.h>
#include <stdbool.h>

/* The k-th smallest of n numbers, from 0; n is a number of blocks. */
static double smallest(const double *x, size_t n, size_t k)
{
    for (size_t i = 0; i < n; i++) {
        size_t less = 0, equal = 0;

        for (size_t j = 0; j < n; j++) {
            less += x[j] < x[i];
            equal += x[j] == x[i];
        }
        if (less <= k && k < less + equal)
            return x[i];
    }
    return NAN;
}

struct nf_boundary nf_boundary_sensitive(const double *kl, size_t L)
{
    size_t from = L ? (L - 1 + 3) / 4 : 0, to = L ? 3 * (L - 1) / 4 + 1 : 0; /* 4 l >= L - 1 and 4 l <= 3 (L - 1) */
    struct nf_boundary b = { SIZE_MAX, NAN, to > from ? to - from : 0 };

    for (size_t l = 0; l < L; l++)
        if (isnan(kl[l]))
            return b;
    if (b.n < 2)
        return b;
    b.limit = smallest(kl + from, b.n, (b.n - 1) / 2) + smallest(kl + from, b.n, b.n / 2); /* twice the median */
    for (size_t l = 0; l < L && b.block == SIZE_MAX; l++)
        if (kl[l] < b.limit)
            b.block = l;
    return b;
}

struct nf_boundary nf_boundary_predicting(const uint64_t *prediction, size_t L)
{
    struct nf_boundary b = { SIZE_MAX, NAN, 0 };
    uint64_t sum = 0;

    for (size_t l = 0; l < L; l++)
        b.n += prediction[l];
    b.limit = 0.05 * (double)b.n;
    for (size_t l = 0; l < L && b.block == SIZE_MAX; l++) {
        sum += prediction[l];
        if (20 * sum > b.n)
            b.block = l;
    }
    return b;
}

struct nf_boundary nf_boundary_suppressing(const uint64_t *prediction, const uint64_t *suppression, size_t L)
{
    struct nf_boundary b = { SIZE_MAX, NAN, 0 };
    uint64_t predicting = 0;

    for (size_t l = L; l-- > 0 && suppression[l] > prediction[l];) {
        b.block = l;
        b.n += suppression[l];
        predicting += prediction[l];
    }
    b.limit = (double)predicting;
    return b;
}

struct nf_boundary nf_boundary_descent(const double *y, size_t L, size_t from)
{
    size_t w = L / 4 ? L / 4 : 1;
    struct nf_boundary b = { SIZE_MAX, 0, w };

    for (size_t l = from; l + w <= L; l++)
        if (y[l] - y[l + w] > b.limit) {
            b.block = l;
            b.limit = y[l] - y[l + w];
        }
    return b;
}
