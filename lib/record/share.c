/* share.c - Wilson's score interval. */
#include "record/share.h"

#include <math.h>

#include "record/field.h"

struct nf_share nf_wilson(uint64_t k, uint64_t n)
{
    double N = (double)n, p = (double)k / N, z2 = NF_Z95 * NF_Z95;
    double mid = (p + z2 / (2 * N)) / (1 + z2 / N);
    double half = NF_Z95 / (1 + z2 / N) * sqrt(p * (1 - p) / N + z2 / (4 * N * N));

    if (n == 0)
        return (struct nf_share){ k, n, NAN, NAN, NAN };
    return (struct nf_share){ k, n, p, k == 0 ? 0 : fmax(0, mid - half), k == n ? 1 : fmin(1, mid + half) };
}

#define REC struct nf_share
static const struct nf_field share[] = {
    UINT(k, "so many"),
    UINT(n, "of so many"),
    REAL(p, "k / n; nil: n is 0", .max = 1, .flags = NF_NIL),
    REAL(lo, "lower limit of the Wilson 95 % interval", .max = 1, .flags = NF_NIL),
    REAL(hi, "its upper limit", .max = 1, .flags = NF_NIL),
};

static int check_share_map(const void *rec, struct nf_err *err)
{
    const struct nf_share *s = rec;
    bool fits = s->n == 0 ? s->k == 0 && isnan(s->p) && isnan(s->lo) && isnan(s->hi) : s->lo <= s->p && s->p <= s->hi;

    return s->k <= s->n && fits ? NF_OK : nf_fail(err, NF_EFORMAT, "not a share: k of n with 0 <= lo <= p <= hi <= 1 expected");
}

const struct nf_record nf_share_record = RECORD("share", share, "k of n", .check = check_share_map);
#undef REC
