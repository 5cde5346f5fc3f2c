/* test_tally.c - means, spreads and standard errors against their definitions, worked out from all rows at the end. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "stat/tallies.h"

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

/* From the definitions: the spread about the mean found first, and a sum of squares over documents. */
static struct nf_tally_mean brute(const struct row row[ROWS], const struct choice *c)
{
    struct nf_tally_mean m = { 0, 0, 0, 0, 0 };
    double squares = 0;

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
    for (size_t i = 0, next; i < ROWS; i = next) {
        double off = 0;
        bool any = false;

        for (next = i; next < ROWS && row[next].doc == row[i].doc; next++)
            if (counts(&row[next], c)) {
                off += row[next].x[c->thing][c->measure] - m.mean;
                any = true;
            }
        squares += off * off;
        m.docs += any;
    }
    m.se = sqrt((double)m.docs / ((double)m.docs - 1) * squares) / (double)m.n;
    return m;
}

/* Values are of order 1 and there are 4000 of them: sums of squares lose 12 of 53 bits at most, and their root is of order 0.01. */
#define OFF 1e-10

static void is_near(const struct nf_tally *t, const struct row row[ROWS], const struct choice *c)
{
    struct nf_tally_mean got = nf_tally_read(t), want = brute(row, c);

    CHECK(got.n == want.n && got.docs == want.docs && got.n > 10 && got.docs > 5);
    CHECK_NEAR(got.mean, want.mean, OFF);
    CHECK_NEAR(got.sd, want.sd, OFF);
    CHECK_NEAR(got.se, want.se, OFF);
}

static void every_group_is_as_its_definition(void)
{
    static struct row row[ROWS];
    struct nf_tallies t;
    struct nf_err err = NF_ERR_INIT;
    size_t bins = 0;

    fill(row);
    CHECK(nf_tallies_init(&t, THINGS, MEASURES, &err) == NF_OK);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t thing = 0; thing < THINGS; thing++)
            CHECK(nf_tallies_add(&t, thing, row[i].doc, row[i].domain, row[i].position, row[i].x[thing], &err) == NF_OK);
    CHECK(t.domains == DOMAINS);
    for (size_t thing = 0; thing < THINGS; thing++)
        for (size_t m = 0; m < MEASURES; m++) {
            size_t at = thing * MEASURES + m;

            is_near(&t.all[at], row, &(struct choice){ thing, m, SIZE_MAX, 0, SIZE_MAX });
            for (size_t q = 0; q < DOMAINS; q++)
                is_near(&t.domain[q][at], row, &(struct choice){ thing, m, q, 0, SIZE_MAX });
            for (size_t b = 0; b < NF_TALLY_BINS; b++)
                if (t.bin[b])
                    is_near(&t.bin[b][at], row,
                            &(struct choice){ thing, m, SIZE_MAX, b ? (size_t)1 << (b - 1) : 0, (size_t)1 << b });
        }
    for (size_t b = 0; b < NF_TALLY_BINS; b++)
        bins += t.bin[b] != NULL;
    CHECK(bins == 8);   /* 0, 1, 2-3, .. 64-127 */
    nf_tallies_clear(&t);
}

static void what_is_not_there_is_nan(void)
{
    struct nf_tally t = { 0 };
    struct nf_tally_mean m = nf_tally_read(&t);

    CHECK(m.n == 0 && m.docs == 0 && isnan(m.mean) && isnan(m.sd) && isnan(m.se));
    nf_tally_add(&t, 0, NAN);
    CHECK(nf_tally_read(&t).n == 0);
    nf_tally_add(&t, 0, 3);
    nf_tally_add(&t, 0, 5);
    m = nf_tally_read(&t);
    CHECK(m.n == 2 && m.docs == 1 && m.mean == 4 && m.sd == 1 && isnan(m.se));   /* one document tells nothing of others */
    nf_tally_add(&t, 9, 10);
    m = nf_tally_read(&t);
    /* m = 6, documents off by -4 and 4: sqrt(2 (16 + 16)) / 3 */
    CHECK(m.docs == 2 && m.mean == 6);
    CHECK_NEAR(m.se, 8.0 / 3, 1e-15);
    CHECK(nf_tally_read(&t).se == m.se);   /* reading changes nothing */
}

static void rows_that_are_all_alike_have_no_error(void)
{
    struct nf_tally t = { 0 };
    struct nf_tally_mean m;

    for (uint64_t i = 0; i < 1000; i++)
        nf_tally_add(&t, i * i / 5000, 1);
    m = nf_tally_read(&t);
    CHECK(m.mean == 1 && m.sd == 0 && m.se == 0);
}

int main(void)
{
    return RUN(every_group_is_as_its_definition, what_is_not_there_is_nan, rows_that_are_all_alike_have_no_error);
}
