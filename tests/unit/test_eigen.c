/* test_eigen.c - eigenvectors of matrices whose eigenvalues are known, and of such as are hard. */
#include <math.h>
#include <stdlib.h>

#include <omp.h>

#include "base/rng.h"
#include "check.h"
#include "numeric/eigen.h"

enum { N = 97, K = 23 };

static double a[N * N], kept[N * N], value[N], vector[N * N];

/* Residual and orthogonality of the first k; size: the largest eigenvalue. */
static void check_vectors(size_t n, size_t k, double size)
{
    for (size_t i = 0; i < k; i++) {
        const double *x = vector + i * n;

        CHECK(i == 0 || value[i - 1] <= value[i]);
        for (size_t r = 0; r < n; r++) {
            double sum = 0;

            for (size_t c = 0; c < n; c++)
                sum += kept[r * n + c] * x[c];
            CHECK_NEAR(sum, value[i] * x[r], 1e-12 * size);
        }
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;

            for (size_t c = 0; c < n; c++)
                sum += x[c] * vector[j * n + c];
            CHECK_NEAR(sum, i == j, 1e-12);
        }
    }
}

static void lowest(size_t n, size_t k, double size)
{
    memcpy(kept, a, n * n * sizeof *a);
    CHECK(nf_eigen_lowest(a, n, k, value, vector, NULL) == NF_OK);
    check_vectors(n, k, size);
}

/* a = sum over i of value(i) q_i q_i', q an orthogonal matrix: two reflections of the axes. */
static void with_values(double (*of)(size_t i))
{
    struct nf_rng rng = { 5 };
    double v[2][N], q[N];

    for (size_t h = 0; h < 2; h++) {
        double norm = 0;

        for (size_t i = 0; i < N; i++) {
            v[h][i] = nf_rng_unit(&rng) - 0.5;
            norm += v[h][i] * v[h][i];
        }
        for (size_t i = 0; i < N; i++)
            v[h][i] /= sqrt(norm);
    }
    memset(a, 0, sizeof a);
    for (size_t i = 0; i < N; i++) {
        memset(q, 0, sizeof q);
        q[i] = 1;
        for (size_t h = 0; h < 2; h++) {
            double dot = 0;

            for (size_t c = 0; c < N; c++)
                dot += q[c] * v[h][c];
            for (size_t c = 0; c < N; c++)
                q[c] -= 2 * dot * v[h][c];
        }
        for (size_t r = 0; r < N; r++)
            for (size_t c = 0; c < N; c++)
                a[r * N + c] += of(i) * q[r] * q[c];
    }
}

/* 2 on the diagonal, -1 beside it: 2 - 2 cos(pi i / (n + 1)). */
static void second_differences(void)
{
    memset(a, 0, sizeof a);
    for (size_t i = 0; i < N; i++) {
        a[i * N + i] = 2;
        if (i + 1 < N)
            a[i * N + i + 1] = a[(i + 1) * N + i] = -1;
    }
    lowest(N, N, 4);
    for (size_t i = 0; i < N; i++)
        CHECK_NEAR(value[i], 2 - 2 * cos(acos(-1) * (double)(i + 1) / (N + 1)), 1e-13);
}

static double geometric(size_t i)
{
    return pow(0.5, (double)i / 2);   /* 1 down to 4e-15 */
}

/* Nine eigenvalues 0, nine 1, ... */
static double steps(size_t i)
{
    return (double)(i / 9);
}

static void known_values_in_any_basis(void)
{
    with_values(geometric);
    lowest(N, K, 1);
    for (size_t i = 0; i < K; i++)
        CHECK_NEAR(value[i], geometric(N - 1 - i), 1e-14);
}

static void equal_values(void)
{
    with_values(steps);
    lowest(N, K, 10);
    for (size_t i = 0; i < K; i++)
        CHECK_NEAR(value[i], steps(i), 1e-13);
}

static void zero_diagonal_and_tiny_matrices(void)
{
    memset(a, 0, sizeof a);
    lowest(N, K, 1);
    for (size_t i = 0; i < N; i++)
        a[i * N + i] = (double)((i * 31) % N);
    lowest(N, N, N);
    for (size_t i = 0; i < N; i++)
        CHECK_NEAR(value[i], (double)i, 1e-12);
    a[0] = -3;
    lowest(1, 1, 3);
    CHECK(value[0] == -3);
    memcpy(a, (double[]){ 1, 2, 2, 1 }, 4 * sizeof *a);
    lowest(2, 2, 3);
    CHECK_NEAR(value[0], -1, 1e-15);
    CHECK_NEAR(value[1], 3, 1e-15);
    CHECK(nf_eigen_lowest(a, 2, 0, value, vector, NULL) == NF_OK);
}

static void threads_do_not_matter(void)
{
    double first[K * N];

    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        with_values(geometric);
        CHECK(nf_eigen_lowest(a, N, K, value, vector, NULL) == NF_OK);
        if (threads == 1)
            memcpy(first, vector, sizeof first);
        CHECK(memcmp(first, vector, sizeof first) == 0);
    }
}

int main(void)
{
    return RUN(second_differences, known_values_in_any_basis, equal_values, zero_diagonal_and_tiny_matrices, threads_do_not_matter);
}
