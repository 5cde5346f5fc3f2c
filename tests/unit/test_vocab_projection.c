/* test_vocab_projection.c - projections on the vocabulary against a naive loop, and what is read off them. */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "classify/trigger_suppression.h"
#include "vocab/vocab_projection.h"

enum { V = 131, D = 19, E = 11, ROWS = 3 };

static float unembed[V * D], gain[D], project[E * D], w[ROWS * D];
static double p[ROWS * NF_PROJECTIONS * V];

static void randomise(void)
{
    struct nf_rng r = { 11 };

    for (size_t i = 0; i < V * D; i++)
        unembed[i] = (float)(nf_rng_unit(&r) - 0.4);
    for (size_t i = 0; i < D; i++)
        gain[i] = (float)(nf_rng_unit(&r) * 2);
    for (size_t i = 0; i < E * D; i++)
        project[i] = (float)(nf_rng_unit(&r) - 0.5);
    for (size_t i = 0; i < ROWS * D; i++)
        w[i] = (float)(nf_rng_unit(&r) - 0.5);
}

/* <E[t], P x>, or without P. */
static double naive(size_t t, size_t width, const double *x)
{
    double sum = 0;

    for (size_t e = 0; e < width; e++) {
        double y = width == D ? x[e] : 0;

        for (size_t d = 0; width != D && d < D; d++)
            y += (double)project[e * D + d] * x[d];
        sum += unembed[t * width + e] * y;
    }
    return sum;
}

static double length_of_row(size_t t, size_t width)
{
    double sum = 0;

    for (size_t e = 0; e < width; e++)
        sum += (double)unembed[t * width + e] * unembed[t * width + e];
    return sqrt(sum);
}

static double length_through(size_t width, const double *x)
{
    double sum = 0;

    for (size_t e = 0; e < width; e++) {
        double y = width == D ? x[e] : 0;

        for (size_t d = 0; width != D && d < D; d++)
            y += (double)project[e * D + d] * x[d];
        sum += y * y;
    }
    return sqrt(sum);
}

static void compare(const struct nf_output_end *end, size_t width)
{
    struct nf_vocab_projection *s = nf_vocab_projection_open(end, NULL);
    const double tol = 1e-5;   /* P w and gain o w are rounded to float: D terms of size 1, 2^-24 each */

    CHECK(s && nf_vocab_projection_project(s, w, ROWS, p, NULL) == NF_OK);
    for (size_t n = 0; n < ROWS; n++) {
        double x[D], y[D], mean = 0, mean_w = 0;
        const double *at = p + n * NF_PROJECTIONS * V;

        for (size_t d = 0; d < D; d++)
            mean_w += w[n * D + d] / (double)D;
        for (size_t d = 0; d < D; d++) {
            x[d] = w[n * D + d];
            y[d] = end->final_norm ? gain[d] * (x[d] - (end->rms ? 0 : mean_w)) : x[d];
        }
        for (size_t t = 0; t < V; t++)
            mean += naive(t, width, x) / V;
        for (size_t t = 0; t < V; t++) {
            double raw = naive(t, width, x);

            CHECK_NEAR(at[NF_RAW * V + t], raw, tol);
            CHECK_NEAR(at[NF_CENTRED * V + t], raw - mean, tol);
            CHECK_NEAR(at[NF_LN * V + t], naive(t, width, y), tol);
            CHECK_NEAR(at[NF_COSINE * V + t], raw / (length_of_row(t, width) * length_through(width, x)), tol);
        }
    }
    nf_vocab_projection_close(s);
}

static void projections_are_the_naive_ones(void)
{
    randomise();
    compare(&(struct nf_output_end){ V, D, nf_tensor_2d(NF_F32, unembed, V, D), { 0 }, true, nf_tensor_1d(NF_F32, gain, D), false },
            D);
    compare(&(struct nf_output_end){ V, D, nf_tensor_2d(NF_F32, unembed, V, D), { 0 }, true, nf_tensor_1d(NF_F32, gain, D), true },
            D);
}

static void through_project_out_without_final_norm(void)
{
    randomise();
    compare(
        &(struct nf_output_end){
            V, D, nf_tensor_2d(NF_F32, unembed, V, E), nf_tensor_2d(NF_F32, project, E, D), false, { 0 }, false },
        E);
}

static void means_and_ranks(void)
{
    const double q[] = { 0.5, -1, 2, -1, 0 };
    const struct nf_weighted token[] = { { 1, 1 }, { 2, 3 } };
    struct nf_scored high[5], low[5];

    CHECK_NEAR(nf_vocab_projection_mean(q, token, 2), 0.5, 1e-15);
    CHECK_NEAR(nf_vocab_projection_weighted(q, token, 2), 1.25, 1e-15);
    CHECK(nf_vocab_projection_negative(q, token, 2) == 1);
    CHECK_NEAR(nf_vocab_projection_percentile(q, 5, 1), 0.2, 1e-15);   /* none lower, two equal */
    CHECK_NEAR(nf_vocab_projection_percentile(q, 5, 2), 0.9, 1e-15);
    nf_vocab_projection_extremes(q, 5, 3, high, low);
    CHECK(high[0].id == 2 && high[1].id == 0 && high[2].id == 4);
    CHECK(low[0].id == 1 && low[1].id == 3 && low[2].id == 4);
    nf_vocab_projection_extremes(q, 5, 5, high, low);
    CHECK(high[3].id == 1 && high[4].id == 3 && low[4].id == 2);
}

static void random_sets_match_in_frequency(void)
{
    enum { K = 60 };
    uint32_t id[K], n[K];
    struct nf_keys keys = { 0 };
    struct nf_hit hit[] = { { 0, 1 }, { 5, 1 }, { 20, 2 }, { 40, 5 }, { 41, 5 }, { 42, 5 } };
    struct nf_hits covered = { hit, 6, 6 };
    struct nf_weighted match[6];
    size_t seen[K] = { 0 };
    uint64_t rng = 4;

    for (size_t i = 0; i < K; i++) {
        id[i] = (uint32_t)(1000 + i);
        n[i] = i < 20 ? 1 : i < 40 ? 2 + i % 2 : i < 43 ? 5 : 16;   /* planes 1, 2, 3 (all of them covered), 5 */
    }
    CHECK(nf_keys_add(&keys, &(struct nf_ngrams){ 1, 1, 0, 20, id, n, NULL }, 2000, NULL) == NF_OK);
    CHECK(nf_keys_add(&keys, &(struct nf_ngrams){ 1, 2, 0, 20, id + 20, n + 20, NULL }, 2000, NULL) == NF_OK);
    CHECK(nf_keys_add(&keys, &(struct nf_ngrams){ 1, 3, 0, 3, id + 40, n + 40, NULL }, 2000, NULL) == NF_OK);
    CHECK(nf_keys_add(&keys, &(struct nf_ngrams){ 1, 5, 0, 17, id + 43, n + 43, NULL }, 2000, NULL) == NF_OK);
    for (int i = 0; i < 4000; i++) {
        CHECK(nf_hits_match(&keys, &covered, &rng, match) == 6);
        for (size_t j = 0; j < 6; j++) {
            size_t key = match[j].id - 1000;

            seen[key]++;
            CHECK(key != 0 && key != 5 && key != 20 && key != 40 && key != 41 && key != 42);
            CHECK(j < 2 ? key < 20 : key > 20 && key < 40);   /* three planes are all covered: two are the nearest */
        }
    }
    /* 8000 draws over 18 keys, 16000 over 19: each within five deviations. */
    for (size_t i = 0; i < 40; i++)
        if (i != 0 && i != 5 && i != 20)
            CHECK_NEAR((double)seen[i], i < 20 ? 8000.0 / 18 : 16000.0 / 19, i < 20 ? 5 * 21 : 5 * 29);
    nf_keys_clear(&keys);
}

int main(void)
{
    return RUN(projections_are_the_naive_ones, through_project_out_without_final_norm, means_and_ranks,
               random_sets_match_in_frequency);
}
