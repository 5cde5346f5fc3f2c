/*
 * dot.h - sums of products in double, whose order does not depend on the compiler or on threads.
 */
#ifndef NF_NUMERIC_DOT_H
#define NF_NUMERIC_DOT_H

#include <stddef.h>

enum { NF_DOT_LANES = 8 };   /* partial sums: element i goes to lane i % 8, those past the last whole 8 to lane 0 */

/* Sum of x[i] * y[i], i < n.  Products of floats are exact in double. */
#define NF_DOT(name, X, Y)                                                                                    \
    static inline double name(const X *x, const Y *y, size_t n)                                               \
    {                                                                                                         \
        double lane[NF_DOT_LANES] = { 0 };                                                                    \
        size_t i = 0;                                                                                         \
                                                                                                              \
        for (; i + NF_DOT_LANES <= n; i += NF_DOT_LANES)                                                      \
            for (size_t j = 0; j < NF_DOT_LANES; j++)                                                         \
                lane[j] += (double)x[i + j] * (double)y[i + j];                                               \
        for (; i < n; i++)                                                                                    \
            lane[0] += (double)x[i] * (double)y[i];                                                           \
        return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));     \
    }

NF_DOT(nf_dot, float, float)
NF_DOT(nf_dot_mixed, float, double)
NF_DOT(nf_dot_double, double, double)

#undef NF_DOT

#endif
