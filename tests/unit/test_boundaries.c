/* test_boundaries.c - ends of stages: the rules at their limits. */
#include "check.h"
#include "stages/boundaries.h"

#include <math.h>

/* Of 9 blocks the middle half is 2 .. 6: here 1 2 3 4 5, its median 3. */
static void detokenization_ends_below_twice_the_median_of_the_middle(void)
{
    double kl[9] = { 100, 6, 1, 2, 3, 4, 5, 50, 50 };
    struct nf_boundary b = nf_boundary_sensitive(kl, 9);

    CHECK(b.block == 2 && b.limit == 6 && b.n == 5); /* 6 is not below 6 */
    kl[1] = nextafter(6, 0);
    CHECK(nf_boundary_sensitive(kl, 9).block == 1);
    kl[0] = 0;
    CHECK(nf_boundary_sensitive(kl, 9).block == 0);
    kl[8] = NAN;
    b = nf_boundary_sensitive(kl, 9);
    CHECK(b.block == SIZE_MAX && isnan(b.limit));
}

/* Of 8 blocks the middle half is 2 .. 5, as 4 l is in 7 .. 21; the median of four is between the two in the middle. */
static void an_even_number_has_its_median_between_two(void)
{
    static const double kl[8] = { 9, 6, 1, 3, 2, 9, 0, 0 }, none[8] = { 0 };
    struct nf_boundary b = nf_boundary_sensitive(kl, 8);

    CHECK(b.n == 4 && b.limit == 5 && b.block == 2);
    b = nf_boundary_sensitive(none, 8);
    CHECK(b.limit == 0 && b.block == SIZE_MAX);
}

static void too_few_blocks_have_no_middle(void)
{
    static const double kl[4] = { 3, 1, 1, 1 };

    CHECK(isnan(nf_boundary_sensitive(kl, 0).limit));
    CHECK(isnan(nf_boundary_sensitive(kl, 1).limit)); /* one block in the middle */
    CHECK(isnan(nf_boundary_sensitive(kl, 2).limit)); /* none */
    CHECK(isnan(nf_boundary_sensitive(kl, 3).limit));
    CHECK(nf_boundary_sensitive(kl, 4).block == 1 && nf_boundary_sensitive(kl, 4).n == 2);
}

static void feature_engineering_ends_above_five_per_cent(void)
{
    uint64_t n[5] = { 0, 5, 0, 1, 94 };

    CHECK(nf_boundary_predicting(n, 5).block == 3); /* 5 of 100 is not more than 5 % */
    CHECK(nf_boundary_predicting(n, 5).n == 100 && nf_boundary_predicting(n, 5).limit == 5);
    n[4] = 93;
    CHECK(nf_boundary_predicting(n, 5).block == 1);
    CHECK(nf_boundary_predicting((uint64_t[3]){ 0 }, 3).block == SIZE_MAX);
    CHECK(nf_boundary_predicting(n, 0).block == SIZE_MAX);
}

static void calibration_begins_where_suppression_leads_to_the_end(void)
{
    static const uint64_t prediction[5] = { 0, 1, 9, 5, 2 };
    uint64_t suppression[5] = { 1, 2, 3, 6, 7 };
    struct nf_boundary b = nf_boundary_suppressing(prediction, suppression, 5);

    CHECK(b.block == 3 && b.n == 13 && b.limit == 7); /* blocks 0 and 1 have more, too, but not block 2 */
    suppression[4] = 2;
    CHECK(nf_boundary_suppressing(prediction, suppression, 5).block == SIZE_MAX);
    suppression[4] = suppression[2] = 10;
    CHECK(nf_boundary_suppressing(prediction, suppression, 5).block == 0);
    CHECK(nf_boundary_suppressing(prediction, suppression, 0).block == SIZE_MAX);
}

static void the_steepest_descent_is_over_a_quarter_of_the_blocks(void)
{
    static const double y[9] = { 90, 10, 9, 8, 3, 1, 1, 1, 0 }, rising[3] = { 1, 2, 3 };

    CHECK(nf_boundary_descent(y, 8, 0).block == 0 && nf_boundary_descent(y, 8, 0).n == 2);
    CHECK(nf_boundary_descent(y, 8, 1).block == 3 && nf_boundary_descent(y, 8, 1).limit == 7);
    CHECK(nf_boundary_descent(y, 8, 8).block == SIZE_MAX);
    CHECK(nf_boundary_descent(rising, 2, 0).block == SIZE_MAX);
    CHECK(nf_boundary_descent(rising, 0, 0).block == SIZE_MAX);
}

int main(void)
{
    return RUN(detokenization_ends_below_twice_the_median_of_the_middle, an_even_number_has_its_median_between_two,
               too_few_blocks_have_no_middle, feature_engineering_ends_above_five_per_cent,
               calibration_begins_where_suppression_leads_to_the_end, the_steepest_descent_is_over_a_quarter_of_the_blocks);
}
