/*
 * test_cka.c - CKA against its definition in long double, its invariances, and its standard error against the jackknife.
 */
#include "check.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "base/par.h"
#include "base/rng.h"
#include "numeric/cka.h"

enum { P = 4, D = 19, B = 37, GROUPS = 23 };

static float x[GROUPS][P][B][D];

static double normal(struct nf_rng *rng)
{
    double u = nf_rng_unit(rng), v = nf_rng_unit(rng);

    return sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * v);
}

/* Each point a mixture of the one before and noise, about a mean of `offset`. */
static void make(uint64_t seed, double offset)
{
    struct nf_rng rng = { seed };

    for (size_t g = 0; g < GROUPS; g++)
        for (size_t p = 0; p < P; p++)
            for (size_t a = 0; a < B; a++)
                for (size_t d = 0; d < D; d++)
                    x[g][p][a][d] = (float)(normal(&rng) + (p ? 1.5 * (x[g][p - 1][a][(d + p) % D] - offset) : 0) +
                                            (d == 3 ? 3 * normal(&rng) : 0) + offset);
}

/* HSIC_1 as the literature writes it: K = X X^T, L = Y Y^T, diagonals 0. */
static long double hsic(float (*X)[D], float (*Y)[D], size_t N)
{
    static long double K[B][B], L[B][B];
    long double trace = 0, k = 0, l = 0, both = 0, n = (long double)N;

    for (size_t a = 0; a < N; a++)
        for (size_t b = 0; b < N; b++) {
            K[a][b] = L[a][b] = 0;
            for (size_t d = 0; d < D && a != b; d++) {
                K[a][b] += (long double)X[a][d] * X[b][d];
                L[a][b] += (long double)Y[a][d] * Y[b][d];
            }
            k += K[a][b];
            l += L[a][b];
        }
    for (size_t a = 0; a < N; a++)
        for (size_t b = 0; b < N; b++) {
            trace += K[a][b] * L[b][a];
            for (size_t c = 0; c < N; c++)
                both += K[a][b] * L[b][c];
        }
    return (trace + k * l / ((n - 1) * (n - 2)) - 2 / (n - 2) * both) / (n * (n - 3));
}

static size_t rows_of(size_t g)
{
    return g % 5 == 4 ? NF_CKA_ROWS_MIN + g : B;
}

static long double h[GROUPS][P][P];

static void brute_groups(void)
{
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t i = 0; i < P; i++)
            for (size_t j = 0; j < P; j++)
                h[g][i][j] = hsic(x[g][i], x[g][j], rows_of(g));
}

static size_t block_of(size_t g)
{
    return g % 9 * 3;   /* some blocks have two groups, some three, most none */
}

/* The ratio of means over all groups but those of a block (NF_CKA_BLOCKS: none is left out). */
static double brute(size_t i, size_t j, size_t without)
{
    long double a = 0, b = 0, c = 0;

    for (size_t g = 0; g < GROUPS; g++) {
        a += block_of(g) == without ? 0 : h[g][i][j];
        b += block_of(g) == without ? 0 : h[g][i][i];
        c += block_of(g) == without ? 0 : h[g][j][j];
    }
    return (double)(a / sqrtl(b * c));
}

static double jackknife(size_t i, size_t j)
{
    double mean = 0, sum = 0;

    for (size_t k = 0; k < 9; k++)
        mean += brute(i, j, 3 * k) / 9;
    for (size_t k = 0; k < 9; k++)
        sum += pow(brute(i, j, 3 * k) - mean, 2);
    return sqrt(sum * 8 / 9);
}

static struct nf_cka take(bool backwards)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_cka c;

    CHECK(nf_cka_open(&c, P, D, B, &err) == NF_OK);
    for (size_t i = 0; i < GROUPS; i++) {
        size_t g = backwards ? GROUPS - 1 - i : i;

        CHECK(nf_cka_group(&c, x[g][0][0], B * D, rows_of(g), block_of(g), &err) == NF_OK);
    }
    return c;
}

static void the_definition_with_sizes_mixed(void)
{
    struct nf_cka c;

    make(1, 0);
    brute_groups();
    c = take(false);
    for (size_t i = 0; i < P; i++)
        for (size_t j = i; j < P; j++) {
            double cka, se;

            nf_cka_get(&c, i, j, &cka, &se);
            CHECK_NEAR(cka, brute(i, j, NF_CKA_BLOCKS), 1e-12);   /* 1e3 products of size 1 in double: 1e-13 */
            CHECK_NEAR(se, jackknife(i, j), 1e-11);
            CHECK(i == j ? cka == 1 && se == 0 : se > 1e-4);
        }
    nf_cka_close(&c);
}

/* Values in steps of 2^-8, so that adding 4096 is exact. */
static void a_common_offset_costs_no_digits(void)
{
    struct nf_cka c;
    double without[P][P], cka, se;

    make(2, 0);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t g = 0; g < GROUPS; g++)
            for (size_t p = 0; p < P; p++)
                for (size_t a = 0; a < B; a++)
                    for (size_t d = 0; d < D; d++)
                        x[g][p][a][d] = pass ? x[g][p][a][d] + 4096 : rintf(x[g][p][a][d] * 256) / 256;
        c = take(false);
        for (size_t i = 0; i < P; i++)
            for (size_t j = i; j < P; j++) {
                nf_cka_get(&c, i, j, &cka, &se);
                if (pass)
                    CHECK_NEAR(cka, without[i][j], 1e-12);   /* products of 3e8 in place of 20: 1e-9 if they were not centred */
                without[i][j] = cka;
            }
        nf_cka_close(&c);
    }
}

static void rotation_and_scale_do_not_matter(void)
{
    static float y[2][B][D];
    struct nf_err err = NF_ERR_INIT;
    struct nf_cka c;
    double cka, se;

    /* A Householder reflection and a permutation: orthogonal; times 7.5. */
    make(3, 1);
    for (size_t a = 0; a < B; a++) {
        double v = 0;

        for (size_t d = 0; d < D; d++)
            v += x[0][1][a][d] * (double)(d + 1);
        for (size_t d = 0; d < D; d++) {
            y[0][a][d] = x[0][1][a][d];
            y[1][a][(d * 5 + 2) % D] = (float)(7.5 * (x[0][1][a][d] - 2 * v * (double)(d + 1) / (D * (D + 1) * (2.0 * D + 1) / 6)));
        }
    }
    CHECK(nf_cka_open(&c, 2, D, B, &err) == NF_OK);
    CHECK(nf_cka_group(&c, y[0][0], B * D, B, 0, &err) == NF_OK);
    nf_cka_get(&c, 0, 1, &cka, &se);
    CHECK_NEAR(cka, 1, 1e-6);   /* the rotated values were rounded to float */
    CHECK(isnan(se));
    nf_cka_close(&c);
}

static void identical_points_are_exactly_1(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_cka c;
    double cka, se;

    make(4, 2);
    CHECK(nf_cka_open(&c, 2, D, B, &err) == NF_OK);
    for (size_t g = 0; g < 3; g++)
        CHECK(nf_cka_group(&c, x[g][0][0], 0, B, g, &err) == NF_OK);   /* stride 0: twice the same point */
    nf_cka_get(&c, 0, 1, &cka, &se);
    CHECK(cka == 1 && se < 1e-15);
    nf_cka_close(&c);
}

static void unrelated_points_are_0_within_the_error(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_rng rng = { 5 };
    struct nf_cka c;
    double cka, se;

    for (size_t g = 0; g < GROUPS; g++)
        for (size_t a = 0; a < 2 * B; a++)
            for (size_t d = 0; d < D; d++)
                x[g][a / B][a % B][d] = (float)normal(&rng);
    CHECK(nf_cka_open(&c, 2, D, B, &err) == NF_OK);
    for (size_t g = 0; g < GROUPS; g++)
        CHECK(nf_cka_group(&c, x[g][0][0], B * D, B, g % NF_CKA_BLOCKS, &err) == NF_OK);
    nf_cka_get(&c, 0, 1, &cka, &se);
    CHECK(fabs(cka) < 4 * se && se < 0.05);   /* unbiased: the biased form is about D / (D + B) here, 0.3 */
    nf_cka_close(&c);
}

static bool same_sums(const struct nf_cka *a, const struct nf_cka *b)
{
    return memcmp(a->blocks, b->blocks, sizeof a->blocks) == 0 && memcmp(a->sum, b->sum, P * (P + 1) / 2 * sizeof *a->sum) == 0;
}

static void order_and_threads_do_not_matter(void)
{
    int threads = omp_get_max_threads();
    struct nf_cka one, two, three;

    make(6, 3);
    omp_set_num_threads(1);
    one = take(false);
    omp_set_num_threads(4);
    two = take(false);
    three = take(true);
    omp_set_num_threads(threads);
    CHECK(same_sums(&one, &two) && same_sums(&one, &three));
    nf_cka_close(&one);
    nf_cka_close(&two);
    nf_cka_close(&three);
}

static void nothing_to_say(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_cka c;
    double cka, se;

    CHECK(nf_cka_open(&c, 2, D, B, &err) == NF_OK);
    nf_cka_get(&c, 0, 1, &cka, &se);
    CHECK(isnan(cka) && isnan(se));
    memset(x, 0, sizeof x);
    CHECK(nf_cka_group(&c, x[0][0][0], B * D, B, 0, &err) == NF_OK);   /* all rows the same */
    nf_cka_get(&c, 0, 1, &cka, &se);
    CHECK(isnan(cka));
    for (size_t a = 0; a < B; a++)
        for (size_t d = 0; d < D; d++)
            x[0][0][a][d] = a % 2 ? 2e9f : -2e9f;
    CHECK(nf_cka_group(&c, x[0][0][0], B * D, B, 0, &err) == NF_EFORMAT && strstr(err.text, "HSIC"));
    nf_cka_close(&c);
}

int main(void)
{
    return RUN(the_definition_with_sizes_mixed, a_common_offset_costs_no_digits, rotation_and_scale_do_not_matter,
               identical_points_are_exactly_1, unrelated_points_are_0_within_the_error, order_and_threads_do_not_matter,
               nothing_to_say);
}
