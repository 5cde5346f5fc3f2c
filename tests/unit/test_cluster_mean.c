/* test_cluster_mean.c - means, spreads and standard errors against their definitions, worked out from all rows at the end. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "run/grouped_means.h"

enum { ROWS = 4000, DOCS = 37, DOMAINS = 3, THINGS = 2, MEASURES = 2 };

struct row {
    uint64_t doc;
    size_t domain, position;
    double x[THINGS][MEASURES];
};

/* Documents of very different lengths, in order but with gaps in their numbers; a value in ten is missing in measure 1. */
static void fill(struct row row[ROWS])
{
    struct nf_rng rng = { 7 };
    uint64_t doc = 0;
    double shift = 0;

    for (size_t i = 0; i < ROWS; i++) {
        if (i == 0 || nf_rng_below(&rng, ROWS / DOCS) == 0) {
            doc += 1 + nf_rng_below(&rng, 3);
            shift = nf_rng_unit(&rng);
        }
        row[i] = (struct row){ .doc = doc, .domain = doc % DOMAINS, .position = (size_t)nf_rng_below(&rng, 70) };
        for (size_t t = 0; t < THINGS; t++)
            for (size_t m = 0; m < MEASURES; m++)
                row[i].x[t][m] = m == 1 && nf_rng_below(&rng, 10) == 0 ? NAN : shift + nf_rng_unit(&rng) * (double)(1 + t);
    }
}

/* Does a row count?  Which rows: domain or bin, SIZE_MAX: any. */
struct choice {
    size_t thing, measure, domain, from, to;
};

static bool counts(const struct row *r, const struct choice *c)
{
    return !isnan(r->x[c->thing][c->measure]) && (c->domain == SIZE_MAX || r->domain == c->domain) && r->position >= c->from &&
           r->position < c->to;
}

/* The mean of the rows of the document that begins at `from`, and how many count; *next: where the next one begins. */
static double document(const struct row row[ROWS], const struct choice *c, size_t from, size_t *next, size_t *n)
{
    double sum = 0;

    *n = 0;
    for (*next = from; *next < ROWS && row[*next].doc == row[from].doc; ++*next)
        if (counts(&row[*next], c)) {
            sum += row[*next].x[c->thing][c->measure];
            ++*n;
        }
    return sum / (double)*n;
}

/* From the definitions: the spread about the mean found first, and sums of squares over documents. */
static struct nf_cluster_estimate brute(const struct row row[ROWS], const struct choice *c)
{
    struct nf_cluster_estimate m = { 0 };
    double squares = 0, own;
    size_t next, n;

    for (size_t i = 0; i < ROWS; i++)
        if (counts(&row[i], c)) {
            m.n++;
            m.mean += row[i].x[c->thing][c->measure];
        }
    m.mean /= (double)m.n;
    for (size_t i = 0; i < ROWS; i++)
        if (counts(&row[i], c))
            m.sd += pow(row[i].x[c->thing][c->measure] - m.mean, 2);
    m.sd = sqrt(m.sd / (double)m.n);
    for (size_t i = 0; i < ROWS; i = next) {
        own = document(row, c, i, &next, &n);
        if (n == 0)
            continue;
        squares += pow((own - m.mean) * (double)n, 2);
        m.doc_mean += own;
        m.docs++;
    }
    m.se = sqrt((double)m.docs / ((double)m.docs - 1) * squares) / (double)m.n;
    m.doc_mean /= (double)m.docs;
    for (size_t i = 0; i < ROWS; i = next) {
        own = document(row, c, i, &next, &n);
        m.doc_sd += n ? pow(own - m.doc_mean, 2) : 0;
    }
    m.doc_sd = sqrt(m.doc_sd / ((double)m.docs - 1));
    return m;
}

/* Values are of order 1 and there are 4000 of them: sums of squares lose 12 of 53 bits at most, and their root is of order 0.01. */
#define OFF 1e-10

static void is_near(const struct nf_cluster_mean *t, const struct row row[ROWS], const struct choice *c)
{
    struct nf_cluster_estimate got = nf_cluster_mean_read(t), want = brute(row, c);

    CHECK(got.n == want.n && got.docs == want.docs && got.n > 10 && got.docs > 5);
    CHECK_NEAR(got.mean, want.mean, OFF);
    CHECK_NEAR(got.sd, want.sd, OFF);
    CHECK_NEAR(got.se, want.se, OFF);
    CHECK_NEAR(got.doc_mean, want.doc_mean, OFF);
    CHECK_NEAR(got.doc_sd, want.doc_sd, OFF);
}

static void every_group_is_as_its_definition(void)
{
    static struct row row[ROWS];
    struct nf_grouped_means t;
    struct nf_err err = NF_ERR_INIT;
    size_t bins = 0;

    fill(row);
    CHECK(nf_grouped_means_init(&t, THINGS, MEASURES, &err) == NF_OK);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t thing = 0; thing < THINGS; thing++)
            CHECK(nf_grouped_means_add(&t, thing, row[i].doc, row[i].domain, row[i].position, row[i].x[thing], &err) == NF_OK);
    CHECK(t.domains == DOMAINS);
    for (size_t thing = 0; thing < THINGS; thing++)
        for (size_t m = 0; m < MEASURES; m++) {
            size_t at = thing * MEASURES + m;

            is_near(&t.all[at], row, &(struct choice){ thing, m, SIZE_MAX, 0, SIZE_MAX });
            for (size_t q = 0; q < DOMAINS; q++)
                is_near(&t.domain[q][at], row, &(struct choice){ thing, m, q, 0, SIZE_MAX });
            for (size_t b = 0; b < NF_POSITION_BINS; b++)
                if (t.bin[b])
                    is_near(&t.bin[b][at], row,
                            &(struct choice){ thing, m, SIZE_MAX, b ? (size_t)1 << (b - 1) : 0, (size_t)1 << b });
        }
    for (size_t b = 0; b < NF_POSITION_BINS; b++)
        bins += t.bin[b] != NULL;
    CHECK(bins == 8);   /* 0, 1, 2-3, .. 64-127 */
    nf_grouped_means_clear(&t);
}

static void what_is_not_there_is_nan(void)
{
    struct nf_cluster_mean t = { 0 };
    struct nf_cluster_estimate m = nf_cluster_mean_read(&t);

    CHECK(m.n == 0 && m.docs == 0 && isnan(m.mean) && isnan(m.sd) && isnan(m.se) && isnan(m.doc_mean) && isnan(m.doc_sd));
    nf_cluster_mean_add(&t, 0, NAN);
    CHECK(nf_cluster_mean_read(&t).n == 0);
    nf_cluster_mean_add(&t, 0, 3);
    nf_cluster_mean_add(&t, 0, 5);
    m = nf_cluster_mean_read(&t);
    CHECK(m.n == 2 && m.docs == 1 && m.mean == 4 && m.sd == 1 && isnan(m.se));   /* one document tells nothing of others */
    CHECK(m.doc_mean == 4 && isnan(m.doc_sd));
    nf_cluster_mean_add(&t, 9, 10);
    m = nf_cluster_mean_read(&t);
    /* m = 6, documents off by -4 and 4: sqrt(2 (16 + 16)) / 3 */
    CHECK(m.docs == 2 && m.mean == 6);
    CHECK_NEAR(m.se, 8.0 / 3, 1e-15);
    /* documents alike: 4 and 10 */
    CHECK(m.doc_mean == 7);
    CHECK_NEAR(m.doc_sd, sqrt(18), 1e-15);
    CHECK(nf_cluster_mean_read(&t).se == m.se);   /* reading changes nothing */
}

static void rows_that_are_all_alike_have_no_error(void)
{
    struct nf_cluster_mean t = { 0 };
    struct nf_cluster_estimate m;

    for (uint64_t i = 0; i < 1000; i++)
        nf_cluster_mean_add(&t, i * i / 5000, 1);
    m = nf_cluster_mean_read(&t);
    CHECK(m.mean == 1 && m.sd == 0 && m.se == 0 && m.doc_mean == 1 && m.doc_sd == 0);
}

/* Documents of 1e8 + 0, 1, 2: the square of a mean has no room for the spread, the difference from it has. */
static void a_small_spread_of_large_means_is_kept(void)
{
    struct nf_cluster_mean t = { 0 };

    for (uint64_t i = 0; i < 6; i++)
        nf_cluster_mean_add(&t, i / 2, 1e8 + (double)(i / 2));
    CHECK_NEAR(nf_cluster_mean_read(&t).doc_mean, 1e8 + 1, 1e-7);
    CHECK_NEAR(nf_cluster_mean_read(&t).doc_sd, 1, 1e-7);
}

int main(void)
{
    return RUN(every_group_is_as_its_definition, what_is_not_there_is_nan, rows_that_are_all_alike_have_no_error,
               a_small_spread_of_large_means_is_kept);
}
