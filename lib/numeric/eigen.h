/*
 * eigen.h - the lowest eigenvectors of a symmetric matrix.
 *
 * Householder reduction to a tridiagonal matrix, bisection on Sturm counts, inverse iteration with
 * full orthogonalisation (Golub, Van Loan, Matrix Computations, sections 8.3 and 8.4). The code is
 * our own, because LAPACK on a threaded BLAS gives other bits for other numbers of threads.
 */
#ifndef NF_NUMERIC_EIGEN_H
#define NF_NUMERIC_EIGEN_H

#include <stddef.h>

#include "base/err.h"

/*
 * nf_eigen_lowest - the k lowest eigenvalues of a, ascending, with orthonormal eigenvectors.
 *
 *   a       [n, n]  in, destroyed; symmetric, both triangles, finite
 *   value   [k]     out, to 1e-14 of the largest
 *   vector  [k, n]  out: |a x - value x| <= 1e-12 of the largest, also where eigenvalues coincide
 *
 * k <= n.  2 n^3 operations.  The same bits for any number of threads.  NF_ESYS: memory.
 * Checked: tests/unit/test_eigen.c.
 */
int nf_eigen_lowest(double *a, size_t n, size_t k, double *value, double *vector, struct nf_err *err);

#endif
