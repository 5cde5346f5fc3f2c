/*
 * dot.h - sums of products in double, whose order does not depend on the compiler or on threads.
 */
#ifndef NF_STAT_DOT_H
#define NF_STAT_DOT_H

#include <stddef.h>

enum { NF_DOT_LANES = 8 };   /* partial sums: element i goes to lane i % 8 */

/* nf_dot - sum of x[i] * y[i], i < n.  Products of floats are exact in double. */
static inline double nf_dot(const float *x, const float *y, size_t n)
{
    double lane[NF_DOT_LANES] = { 0 };
    size_t i = 0;

    for (; i + NF_DOT_LANES <= n; i += NF_DOT_LANES)
        for (size_t j = 0; j < NF_DOT_LANES; j++)
            lane[j] += (double)x[i + j] * y[i + j];
    for (; i < n; i++)
        lane[0] += (double)x[i] * y[i];
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

/* nf_dot_mixed - the same of a float and a double vector; nf_dot_double - of two double vectors. */
static inline double nf_dot_mixed(const float *x, const double *y, size_t n)
{
    double lane[NF_DOT_LANES] = { 0 };
    size_t i = 0;

    for (; i + NF_DOT_LANES <= n; i += NF_DOT_LANES)
        for (size_t j = 0; j < NF_DOT_LANES; j++)
            lane[j] += x[i + j] * y[i + j];
    for (; i < n; i++)
        lane[0] += x[i] * y[i];
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

static inline double nf_dot_double(const double *x, const double *y, size_t n)
{
    double lane[NF_DOT_LANES] = { 0 };
    size_t i = 0;

    for (; i + NF_DOT_LANES <= n; i += NF_DOT_LANES)
        for (size_t j = 0; j < NF_DOT_LANES; j++)
            lane[j] += x[i + j] * y[i + j];
    for (; i < n; i++)
        lane[0] += x[i] * y[i];
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

#endif
