/* eigen.c - tridiagonal form, bisection, inverse iteration, and back. */
#include "numeric/eigen.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "numeric/dot.h"

enum { STEPS = 128, SWEEPS = 3 };   /* of bisection, of inverse iteration */
enum { ALONE = 1024 };              /* rows up to which threads would mostly wait for each other */

/* The tridiagonal matrix: diagonal d [n], beside it e [n - 1]; room for its factors. */
struct tri {
    size_t n;
    double *d, *e, *u0, *u1, *u2, *low;
    bool *swapped;
    double size;                          /* greatest row sum of magnitudes: bounds every eigenvalue */
};

/*
 * Row j of `a` from column j + 1 on becomes the vector v of a reflection I - beta v v', with v[0] = 1, that clears the row beyond its first element.
 * Returns beta; *first: what is left there.
 */
static double reflect(double *x, size_t n, double *first)
{
    double rest = nf_dot_double(x + 1, x + 1, n - 1), norm = sqrt(x[0] * x[0] + rest), v0;

    *first = x[0];
    if (rest == 0)
        return 0;
    *first = x[0] > 0 ? -norm : norm;
    v0 = x[0] - *first;
    for (size_t i = 1; i < n; i++)
        x[i] /= v0;
    x[0] = 1;
    return 2 / (1 + rest / (v0 * v0));
}

/* a = (I - beta v v') a (I - beta v v') on the last m rows and columns of a [n, n]; p [m] is scratch. */
static void update(double *a, size_t n, size_t m, const double *v, double beta, double *p)
{
    double *block = a + (n - m) * n + (n - m), half;

#pragma omp parallel for schedule(static) if (m > ALONE)
    for (size_t i = 0; i < m; i++)
        p[i] = beta * nf_dot_double(block + i * n, v, m);
    half = beta / 2 * nf_dot_double(p, v, m);
    for (size_t i = 0; i < m; i++)
        p[i] -= half * v[i];
#pragma omp parallel for schedule(static) if (m > ALONE)
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < m; j++)
            block[i * n + j] -= v[i] * p[j] + p[i] * v[j];
}

/* The reflections stay in the rows of a, their factors in beta [n]. */
static void reduce_to_tridiagonal(double *a, size_t n, struct tri *t, double *beta, double *p)
{
    for (size_t j = 0; j + 2 < n; j++) {
        double *v = a + j * n + j + 1;

        beta[j] = reflect(v, n - j - 1, &t->e[j]);
        if (beta[j] != 0)
            update(a, n, n - j - 1, v, beta[j], p);
    }
    if (n > 1)
        t->e[n - 2] = a[(n - 2) * n + n - 1];
    for (size_t i = 0; i < n; i++)
        t->d[i] = a[i * n + i];
    for (size_t i = 0; i < n; i++)
        t->size = fmax(t->size, fabs(t->d[i]) + (i > 0 ? fabs(t->e[i - 1]) : 0) + (i + 1 < n ? fabs(t->e[i]) : 0));
    if (t->size == 0)   /* the zero matrix: its scale is as good as any */
        t->size = 1;
}

/* Eigenvalues below x. */
static size_t count_eigenvalues_below(const struct tri *t, double x)
{
    double q = 1, tiny = t->size * DBL_EPSILON * DBL_EPSILON + DBL_MIN;
    size_t count = 0;

    for (size_t i = 0; i < t->n; i++) {
        q = t->d[i] - x - (i > 0 ? t->e[i - 1] * t->e[i - 1] / q : 0);
        if (fabs(q) < tiny)
            q = -tiny;
        count += q < 0;
    }
    return count;
}

/* The i-th eigenvalue, from 0. */
static double bisect(const struct tri *t, size_t i)
{
    double lo = -t->size * (1 + 4 * DBL_EPSILON), hi = t->size * (1 + 4 * DBL_EPSILON);

    for (size_t s = 0; s < STEPS; s++) {
        double mid = lo + (hi - lo) / 2;

        if (mid <= lo || mid >= hi)
            break;
        if (count_eigenvalues_below(t, mid) > i)
            hi = mid;
        else
            lo = mid;
    }
    return lo + (hi - lo) / 2;
}

/* Factors of T - x, rows exchanged where that gives the larger pivot. */
static void factor(struct tri *t, double x)
{
    double least = t->size * DBL_EPSILON + DBL_MIN;

    for (size_t i = 0; i < t->n; i++) {
        t->u0[i] = t->d[i] - x;
        t->u1[i] = i + 1 < t->n ? t->e[i] : 0;
        t->u2[i] = 0;
    }
    for (size_t i = 0; i + 1 < t->n; i++) {
        double sub = t->e[i];

        t->swapped[i] = fabs(sub) > fabs(t->u0[i]);
        if (t->swapped[i]) {
            double u0 = t->u0[i], u1 = t->u1[i];

            t->u0[i] = sub;
            t->u1[i] = t->u0[i + 1];
            t->u2[i] = t->u1[i + 1];
            t->low[i] = u0 / sub;
            t->u0[i + 1] = u1 - t->low[i] * t->u1[i];
            t->u1[i + 1] = -t->low[i] * t->u2[i];
        } else {
            if (fabs(t->u0[i]) < least)
                t->u0[i] = least;
            t->low[i] = sub / t->u0[i];
            t->u0[i + 1] -= t->low[i] * t->u1[i];
        }
    }
    if (fabs(t->u0[t->n - 1]) < least)
        t->u0[t->n - 1] = least;
}

static void solve(const struct tri *t, double *x)
{
    size_t n = t->n;

    for (size_t i = 0; i + 1 < n; i++) {
        if (t->swapped[i]) {
            double y = x[i];

            x[i] = x[i + 1];
            x[i + 1] = y;
        }
        x[i + 1] -= t->low[i] * x[i];
    }
    for (size_t i = n; i-- > 0;)
        x[i] = (x[i] - (i + 1 < n ? t->u1[i] * x[i + 1] : 0) - (i + 2 < n ? t->u2[i] * x[i + 2] : 0)) / t->u0[i];
}

/* x less its part in the k vectors before it, twice (once leaves what rounding left), and of length 1. */
static void orthonormalise(const double *before, size_t k, size_t n, double *x)
{
    double norm = sqrt(nf_dot_double(x, x, n));

    for (size_t i = 0; i < n; i++)
        x[i] /= norm;
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t j = 0; j < k; j++) {
            double c = nf_dot_double(before + j * n, x, n);

            for (size_t i = 0; i < n; i++)
                x[i] -= c * before[j * n + i];
        }
        norm = sqrt(nf_dot_double(x, x, n));
        for (size_t i = 0; i < n; i++)
            x[i] /= norm;
    }
}

static void iterate(struct tri *t, double value, const double *before, size_t k, double *x)
{
    struct nf_rng rng = { k + 1 };

    for (size_t i = 0; i < t->n; i++)
        x[i] = 2 * nf_rng_unit(&rng) - 1;
    orthonormalise(before, k, t->n, x);
    factor(t, value);
    for (size_t s = 0; s < SWEEPS; s++) {
        solve(t, x);
        orthonormalise(before, k, t->n, x);
    }
}

/* From the tridiagonal matrix back to a: the reflections, last first. */
static void restore(const double *a, size_t n, const double *beta, double *x)
{
    for (size_t j = n < 2 ? 0 : n - 2; j-- > 0;) {
        const double *v = a + j * n + j + 1;
        double c = beta[j] * nf_dot_double(v, x + j + 1, n - j - 1);

        for (size_t i = j + 1; beta[j] != 0 && i < n; i++)
            x[i] -= c * v[i - j - 1];
    }
}

int nf_eigen_lowest(double *a, size_t n, size_t k, double *value, double *vector, struct nf_err *err)
{
    double *room = nf_alloc(n, 8 * sizeof *room, err);
    struct tri t = { .n = n, .swapped = nf_alloc(n, sizeof *t.swapped, err) };
    int rc = room && t.swapped ? NF_OK : NF_ESYS;

    if (rc == NF_OK && k > 0) {
        t.d = room;
        t.e = room + n;
        t.u0 = room + 2 * n;
        t.u1 = room + 3 * n;
        t.u2 = room + 4 * n;
        t.low = room + 5 * n;
        reduce_to_tridiagonal(a, n, &t, room + 6 * n, room + 7 * n);
        for (size_t i = 0; i < k; i++) {
            value[i] = bisect(&t, i);
            iterate(&t, value[i], vector, i, vector + i * n);
        }
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < k; i++)
            restore(a, n, room + 6 * n, vector + i * n);
    }
    free(room);
    free(t.swapped);
    return rc;
}
