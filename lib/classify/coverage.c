/* coverage.c - covering numbers from a histogram of counts. */
#include "classify/coverage.h"

#include "base/par.h"

/* The walk down the counts: m n-grams taken, `sum` fires on them. */
struct walk {
    uint64_t need, lost, each;   /* fires needed; lost fires, and how many one n-gram may have */
    uint64_t m, sum;
    uint64_t *lo, *hi;
    int lo_found, hi_found;
};

/* The most that the top m + j n-grams may have, when j of the next level, of c fires each, are taken. */
static uint64_t most(const struct walk *w, uint64_t c, uint64_t j)
{
    uint64_t m = w->m + j, extra = w->each && m > w->lost / w->each ? w->lost : m * w->each;

    return w->sum + c * j + extra;
}

/* k n-grams with c fires each. */
static void add_level(struct walk *w, uint64_t c, uint64_t k)
{
    if (!w->hi_found && w->sum + c * k >= w->need) {
        *w->hi = w->m + (w->need - w->sum + c - 1) / c;
        w->hi_found = 1;
    }
    if (!w->lo_found && most(w, c, k) >= w->need) {
        uint64_t from = 0, to = k;

        while (from < to) {
            uint64_t mid = (from + to) / 2;

            if (most(w, c, mid) >= w->need)
                to = mid;
            else
                from = mid + 1;
        }
        *w->lo = w->m + from;
        w->lo_found = 1;
    }
    w->m += k;
    w->sum += c * k;
}

void nf_coverage(const struct nf_count_histogram *t, struct nf_ratio r, uint64_t *lo, uint64_t *hi)
{
    struct walk w = {
        .need = nf_ratio_need(r, t->total + t->lost), .lost = t->lost, .each = nf_min(t->delta, t->lost), .lo = lo, .hi = hi
    };

    for (size_t i = 0; i < t->n_many; i++)
        add_level(&w, t->many[i], 1);
    for (size_t c = NF_FEW - 1; c > 0; c--)
        if (t->few[c])
            add_level(&w, c, t->few[c]);
    if (!w.hi_found)   /* the counts end short of the share: what is missing are lost fires, one an n-gram */
        *hi = w.m + (w.need - w.sum);
    if (!w.lo_found)
        *lo = w.each ? nf_max(w.m, (w.need - w.sum + w.each - 1) / w.each) : w.m;
}
