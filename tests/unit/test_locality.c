/*
 * test_locality.c - attention on the positions before, from whole attention matrices; means and errors over documents.
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/par.h"
#include "base/rng.h"
#include "stages/locality.h"

enum { H = 3, T = 30, DOCS = 7, COLUMNS = (H + 2) * NF_LOCAL_COLUMNS };

static const size_t window[6] = { 1, 2, 4, 5, 8, 16 };

/* Attention of one document: rows sum to 1. */
static double a[DOCS][H][T][T];
static size_t length[DOCS];

static void make(uint64_t seed)
{
    struct nf_rng rng = { seed };

    for (size_t doc = 0; doc < DOCS; doc++) {
        length[doc] = 2 + nf_rng_below(&rng, T - 1);
        for (size_t h = 0; h < H; h++)
            for (size_t t = 0; t < T; t++) {
                double sum = 0;

                for (size_t s = 0; s <= t; s++)
                    sum += a[doc][h][t][s] = exp(3 * nf_rng_unit(&rng) + (s || !h ? 0 : 4));   /* heads 1 and 2 are sinks */
                for (size_t s = 0; s <= t; s++)
                    a[doc][h][t][s] /= sum;
            }
    }
}

/* Queries from `first` on; one document after the other. */
static struct nf_mergeable_means reduce(size_t first, bool exclude)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_mergeable_means m;
    float row[H][7];

    CHECK(nf_mergeable_means_open(&m, nf_locality_columns(H), false, &err) == NF_OK && m.U == COLUMNS);
    for (size_t doc = 0; doc < DOCS; doc++)
        for (size_t t = first; t < length[doc]; t++) {
            memset(row, 0, sizeof row);
            for (size_t h = 0; h < H; h++) {
                for (size_t k = 0; k < 6; k++) {
                    double sum = 0;

                    for (size_t s = t - nf_min(t, window[k]); s < t; s++)
                        sum += a[doc][h][t][s];
                    row[h][k] = (float)sum;
                }
                row[h][6] = (float)a[doc][h][t][0];
            }
            nf_mergeable_means_begin(&m, (uint32_t)doc);
            nf_locality_row(row[0], H, t, exclude, &m);
        }
    nf_mergeable_means_end(&m);
    return m;
}

/* Attention from t to s of a head, of the mean of the heads (H), of uniform attention (H + 1). */
static double at(size_t doc, size_t h, size_t t, size_t s)
{
    double mean = 0;

    for (size_t i = 0; i < H; i++)
        mean += a[doc][i][t][s] / H;
    return h < H ? a[doc][h][t][s] : h == H ? mean : 1.0 / (double)(t + 1);
}

/* Entry by entry: the sum over all query-key pairs in the window, how many queries and how many pairs. */
static void check(size_t first, bool exclude)
{
    struct nf_mergeable_means m = reduce(first, exclude);

    for (size_t h = 0; h < H + 2; h++)
        for (size_t k = 0; k < 7; k++) {
            double sum = 0, queries = 0, pairs = 0;
            struct nf_cluster_estimate got = nf_mergeable_means_get(&m, h * NF_LOCAL_COLUMNS + k), offset;

            for (size_t doc = 0; doc < DOCS; doc++)
                for (size_t t = first; t < length[doc]; t++) {
                    queries++;
                    if (k == 6)
                        sum += at(doc, h, t, 0);
                    for (size_t s = exclude; k < 6 && s < t; s++)
                        if (t - s <= window[k]) {
                            sum += at(doc, h, t, s);
                            pairs++;
                        }
                }
            CHECK(got.n == (uint64_t)queries && got.docs == DOCS);
            CHECK_NEAR(got.mean, sum / queries, 1e-7);   /* rows were rounded to float */
            if (k == 6)
                continue;
            offset = nf_mergeable_means_get(&m, h * NF_LOCAL_COLUMNS + 7 + k);
            CHECK(offset.n == (uint64_t)pairs);
            CHECK_NEAR(offset.mean, sum / pairs, 1e-7);
        }
    CHECK(nf_locality_sinks(&m, H, 0.3) == 2);
    CHECK(nf_locality_sinks(&m, H, 1.1) == 0 && nf_locality_sinks(&m, H, 0) == H);
    nf_mergeable_means_close(&m);
}

static void sums_and_offsets_are_the_brute_force_ones(void)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        make(seed);
        check(1, false);
        check(0, false);   /* the first position, which sees none before it, counts as a query */
        check(1, true);
    }
}

/* Uniform attention is its own baseline, to the last bit but for float. */
static void uniform_attention_is_the_baseline(void)
{
    struct nf_mergeable_means m;

    make(4);
    for (size_t doc = 0; doc < DOCS; doc++)
        for (size_t h = 0; h < H; h++)
            for (size_t t = 0; t < T; t++)
                for (size_t s = 0; s <= t; s++)
                    a[doc][h][t][s] = 1.0 / (double)(t + 1);
    m = reduce(1, false);
    for (size_t k = 0; k < NF_LOCAL_COLUMNS; k++)
        CHECK_NEAR(nf_mergeable_means_get(&m, k).mean, nf_mergeable_means_get(&m, (H + 1) * NF_LOCAL_COLUMNS + k).mean, 1e-7);
    nf_mergeable_means_close(&m);
}

/* The standard error of mergeable_means.h, residual by residual; documents in another order and grouping. */
static void errors_over_documents(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_rng rng = { 9 };
    double x[DOCS][5], w[DOCS][5], X = 0, Wt = 0, residuals = 0, each = 0, spread = 0;
    struct nf_mergeable_means m, back;
    struct nf_cluster_estimate got;

    CHECK(nf_mergeable_means_open(&m, 1, false, &err) == NF_OK && nf_mergeable_means_open(&back, 1, false, &err) == NF_OK);
    for (size_t d = 0; d < DOCS; d++)
        for (size_t i = 0; i < 5; i++) {
            x[d][i] = 1e6 + nf_rng_unit(&rng);   /* a mean far from 0 costs no digits of the error */
            w[d][i] = (double)nf_rng_below(&rng, 3);
            x[d][i] *= w[d][i];
        }
    for (size_t d = 0; d < DOCS; d++)
        for (size_t i = 0; i < 5; i++) {
            nf_mergeable_means_begin(&m, (uint32_t)d);
            m.x[0] += x[d][i];
            m.w[0] += w[d][i];
            nf_mergeable_means_begin(&back, (uint32_t)(DOCS - 1 - d));
            back.x[0] += x[DOCS - 1 - d][i];
            back.w[0] += w[DOCS - 1 - d][i];
            X += x[d][i];
            Wt += w[d][i];
        }
    nf_mergeable_means_end(&m);
    nf_mergeable_means_end(&back);
    for (size_t d = 0; d < DOCS; d++) {
        double xd = 0, wd = 0;

        for (size_t i = 0; i < 5; i++) {
            xd += x[d][i];
            wd += w[d][i];
        }
        CHECK(wd > 0);
        residuals += pow(xd - X / Wt * wd, 2);
        each += xd / wd / DOCS;
    }
    for (size_t d = 0; d < DOCS; d++) {
        double xd = 0, wd = 0;

        for (size_t i = 0; i < 5; i++) {
            xd += x[d][i];
            wd += w[d][i];
        }
        spread += pow(xd / wd - each, 2);
    }
    got = nf_mergeable_means_get(&m, 0);
    CHECK(got.n == (uint64_t)Wt && got.docs == DOCS);
    CHECK_NEAR(got.mean, X / Wt, 1e-9);
    /* residuals of 1 are differences of sums of 1e7, rounded to 2e-9 each */
    CHECK_NEAR(got.se, sqrt(residuals * DOCS / (DOCS - 1)) / Wt, 1e-8);
    CHECK_NEAR(got.doc_mean, each, 1e-9);
    CHECK_NEAR(got.doc_se, sqrt(spread / (DOCS - 1) / DOCS), 1e-8);
    CHECK(memcmp(m.sum, back.sum, sizeof *m.sum) == 0);
    nf_mergeable_means_close(&m);
    nf_mergeable_means_close(&back);
}

static void one_document_has_no_error(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_mergeable_means m;
    struct nf_cluster_estimate got;

    CHECK(nf_mergeable_means_open(&m, 2, false, &err) == NF_OK);
    got = nf_mergeable_means_get(&m, 0);
    CHECK(got.n == 0 && got.docs == 0 && isnan(got.mean) && isnan(got.se));
    nf_mergeable_means_begin(&m, 4);
    m.x[0] += 3;
    m.w[0] += 2;
    nf_mergeable_means_begin(&m, 4);   /* goes on: another window of it */
    nf_mergeable_means_end(&m);
    got = nf_mergeable_means_get(&m, 0);
    CHECK(got.n == 2 && got.docs == 1 && got.mean == 1.5 && got.doc_mean == 1.5 && isnan(got.se) && isnan(got.doc_se));
    CHECK(nf_mergeable_means_get(&m, 1).docs == 0);   /* no weight */
    nf_mergeable_means_close(&m);
}

int main(void)
{
    return RUN(sums_and_offsets_are_the_brute_force_ones, uniform_attention_is_the_baseline, errors_over_documents,
               one_document_has_no_error);
}
