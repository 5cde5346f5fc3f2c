/* test_compare.c - lib/inspect/compare: what differs, and which difference is the worst. */
#include "check.h"

#include <math.h>

#include "inspect/compare.h"
#include "stream/mp.h"

enum { N = 4 };

/* Compares {"x": a} with {"x": b}. */
static struct nf_compare compare(const double a[N], const double b[N], double rtol, double atol, bool nan_equal)
{
    struct nf_compare c = { .rtol = rtol, .atol = atol, .nan_equal = nan_equal, .record = 7 };
    const double *const v[2] = { a, b };
    msgpack_zone *zone = msgpack_zone_new(1024);
    struct nf_enc e[2];
    msgpack_object o[2];

    for (int i = 0; i < 2; i++) {
        struct nf_tensor t = nf_tensor_2d(NF_F64, v[i], 2, N / 2);
        size_t off = 0;

        nf_enc_init(&e[i]);
        nf_enc_map(&e[i], 1);
        nf_enc_str(&e[i], "x");
        nf_enc_tensor(&e[i], &t);
        CHECK(msgpack_unpack(e[i].buf.data, e[i].buf.size, &off, zone, &o[i]) == MSGPACK_UNPACK_SUCCESS);
    }
    nf_compare(&c, &o[0], &o[1]);
    nf_enc_clear(&e[0]);
    nf_enc_clear(&e[1]);
    msgpack_zone_free(zone);
    return c;
}

static void the_tolerance_is_numpys(void)
{
    const double a[N] = { 1, 10, 100, 0 }, b[N] = { 1.125, 10, 100, 0 };   /* 1/8: exact in binary */

    CHECK(compare(a, b, 0, 0.125, false).different == 0);
    CHECK(compare(a, b, 0, 0.1249, false).different == 1);
    CHECK(compare(a, b, 0.12, 0, false).different == 0);   /* 0.12 * 1.125 = 0.135: times the second value */
    CHECK(compare(b, a, 0.12, 0, false).different == 1);   /* 0.12 * 1 */
    CHECK(compare(a, b, 0, 0.125, false).largest == 0.125);
    CHECK(compare(a, b, 0, 0.125, false).values == N);
}

static void the_worst_is_the_largest_multiple_of_what_is_allowed(void)
{
    const double a[N] = { 1000, 1, 5, 0 }, b[N] = { 1010, 1.5, 5, 0 };
    struct nf_compare c = compare(a, b, 1e-3, 0, false);

    CHECK(c.different == 2 && c.worst.record == 7);
    CHECK(strcmp(c.worst.where, "x[0,1]") == 0 && c.worst.size == 0.5);   /* 0.5 of 0.0015 allowed, 10 of 1.01 */
    c = compare(a, b, 0, 0, false);
    CHECK(strcmp(c.worst.where, "x[0,0]") == 0 && c.worst.size == 10);    /* nothing allowed: the largest */
}

static void nan_and_infinity_are_worse_than_any_number(void)
{
    const double a[N] = { 0, NAN, 1, INFINITY }, b[N] = { 1e300, NAN, 1, INFINITY }, minus[N] = { 0, 0, 0, -INFINITY };
    struct nf_compare c = compare(a, b, 1, 1, false);

    CHECK(c.different == 1 && strcmp(c.worst.where, "x[0,1]") == 0);
    CHECK(compare(a, b, 1, 1, true).different == 0);
    c = compare(a, b, 0, 0, false);
    CHECK(c.different == 2 && strcmp(c.worst.where, "x[0,1]") == 0);
    CHECK(strcmp(c.worst.a, "NaN") == 0);
    c = compare(b, minus, 1, 1e300, true);
    CHECK(c.different == 2 && strcmp(c.worst.where, "x[0,1]") == 0);      /* NaN against 0; then the infinities */
}

int main(void)
{
    return RUN(the_tolerance_is_numpys, the_worst_is_the_largest_multiple_of_what_is_allowed,
               nan_and_infinity_are_worse_than_any_number);
}
