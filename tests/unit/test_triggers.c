/* test_triggers.c - covering numbers, detectors and what they cover, against slow and obvious counting of the same tables. */
#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "classify/coverage.h"
#include "classify/detect.h"
#include "classify/ngram_coverage.h"
#include "record/share.h"
#include "classify/triggers.h"

enum { KEYS = 1000, F = 333, PLANES = 12 };

/* Truth, and what is left of it when occurrences are dropped. */
static struct table {
    uint32_t N[KEYS], c[F][KEYS]; /* true */
    uint32_t n[KEYS], dropped[KEYS]; /* seen, and at most dropped */
    uint32_t seen[F][KEYS];
    uint64_t lost[F], delta;
    size_t order[KEYS], k; /* the keys with n > 0, sorted by planes */
} t;

static size_t planes_of(uint32_t n)
{
    size_t b = 0;

    for (; n; n >>= 1)
        b++;
    return b;
}

static int by_planes(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b, p = planes_of(t.n[x]), q = planes_of(t.n[y]);

    return p != q ? (p > q) - (p < q) : (x > y) - (x < y);
}

/*
 * Zipf-like occurrences; neurons of all sorts: one that always fires, dead, sparse, detectors of a few n-grams, detectors that miss some occurrences.
 * delta > 0: up to delta occurrences of an n-gram are dropped, with a random share of their fires.
 */
static void make_table(uint64_t seed, uint32_t delta)
{
    struct nf_rng r = { seed };

    memset(&t, 0, sizeof t);
    for (size_t g = 0; g < KEYS; g++) {
        uint32_t drop;

        t.N[g] =
            g < 20 ? 2000 / (uint32_t)(g + 1) + (uint32_t)nf_rng_below(&r, 50) : 1 + (uint32_t)nf_rng_below(&r, g % 3 ? 2 : 12);
        drop = delta ? (uint32_t)nf_rng_below(&r, (t.N[g] < delta ? t.N[g] : delta) + 1) : 0;
        t.n[g] = t.N[g] - drop;
        t.dropped[g] = drop ? drop + (uint32_t)nf_rng_below(&r, delta - drop + 1) : 0;
    }
    t.delta = delta;
    for (size_t f = 0; f < F; f++) {
        size_t sort = f % 5, lead = nf_rng_below(&r, f % 2 ? KEYS : 30);

        for (size_t g = 0; g < KEYS; g++) {
            double own = g - lead < 1 + f % 9 ? (sort == 3 ? 1 : 0.96) : 0.0008;
            double rate = f == 2 ? 1 : sort == 0 ? 0 : sort == 1 ? 0.01 : sort == 2 ? 0.4 : own;
            uint32_t on_dropped = 0;

            for (uint32_t i = 0; i < t.N[g]; i++) {
                bool fired = nf_rng_unit(&r) < rate;

                t.c[f][g] += fired;
                on_dropped += fired && i < t.N[g] - t.n[g];
            }
            t.seen[f][g] = t.c[f][g] - on_dropped;
            t.lost[f] += on_dropped;
        }
    }
    for (size_t g = 0; g < KEYS; g++)
        if (t.n[g])
            t.order[t.k++] = g;
    qsort(t.order, t.k, sizeof *t.order, by_planes);
}

static void make_keys(struct nf_keys *keys)
{
    *keys = (struct nf_keys){ 0 };
    for (size_t i = 0, end; i < t.k; i = end) {
        size_t p = planes_of(t.n[t.order[i]]);
        uint32_t id[KEYS], n[KEYS], dropped[KEYS];

        for (end = i; end < t.k && planes_of(t.n[t.order[end]]) == p; end++) {
            id[end - i] = (uint32_t)t.order[end];
            n[end - i] = t.n[t.order[end]];
            dropped[end - i] = t.dropped[t.order[end]];
        }
        CHECK(nf_keys_add(keys, &(struct nf_ngrams){ 1, p, 0, end - i, id, n, t.delta ? dropped : NULL }, KEYS, NULL) == NF_OK);
    }
    keys->delta = t.delta;
}

static uint64_t tokens(void)
{
    uint64_t sum = 0;

    for (size_t g = 0; g < KEYS; g++)
        sum += t.N[g];
    return sum;
}

static int feed(struct nf_triggers *tr, const struct nf_keys *keys, const uint64_t *fires, struct nf_err *err)
{
    static unsigned char bits[KEYS * PLANES * ((F + 7) / 8)];
    size_t row = (F + 7) / 8;
    int rc = NF_OK;

    nf_triggers_begin(tr, keys, fires, tokens());
    for (size_t p = 1; p <= PLANES && rc == NF_OK; p++)
        for (size_t from = keys->start[p], to; from < keys->start[p + 1] && rc == NF_OK; from = to) {
            to = from + 300 < keys->start[p + 1] ? from + 300 : keys->start[p + 1]; /* records are cut */
            memset(bits, 0, sizeof bits);
            for (size_t i = from; i < to; i++)
                for (size_t f = 0; f < F; f++)
                    for (size_t b = 0; b < p; b++)
                        bits[((i - from) * p + b) * row + f / 8] |= (unsigned char)((t.seen[f][keys->id[i]] >> b & 1) << f % 8);
            rc = nf_triggers_add(tr, &(struct nf_counts){ 0, 1, p, from - keys->start[p], to - from, bits, F, row }, err);
        }
    return rc;
}

/* ---- the slow way ---- */

static uint64_t total_of(const uint32_t *c)
{
    uint64_t sum = 0;

    for (size_t g = 0; g < KEYS; g++)
        sum += c[g];
    return sum;
}

static int descending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x < y) - (x > y);
}

static uint64_t slow_cover(const uint32_t *c)
{
    uint32_t s[KEYS];
    uint64_t sum = 0, m = 0, total = total_of(c);

    memcpy(s, c, sizeof s);
    qsort(s, KEYS, sizeof *s, descending);
    while (20 * sum < 19 * total)
        sum += s[m++];
    return m;
}

static bool slow_member(size_t f, size_t g, uint64_t min)
{
    return t.c[f][g] > 0 && 20 * t.c[f][g] >= 19 * t.N[g] && t.N[g] >= min;
}

static bool slow_detector(size_t f, uint64_t most, uint64_t min)
{
    uint64_t sum = 0, total = total_of(t.c[f]);

    for (size_t g = 0; g < KEYS; g++)
        sum += slow_member(f, g, min) ? t.c[f][g] : 0;
    return total > 0 && slow_cover(t.c[f]) <= most && 20 * sum >= 19 * total;
}

static struct nf_detect detect_of(struct nf_triggers *tr, size_t f, size_t v)
{
    struct nf_count_histogram tally = nf_triggers_histogram(tr, f, t.lost[f]);
    struct nf_detect d = { tr->total[f] + t.lost[f],          0,        0, tr->sure[f * NF_VARIANTS + v],
                           tr->possible[f * NF_VARIANTS + v], t.lost[f] };

    nf_coverage(&tally, nf_ratio(0.95), &d.cover_lo, &d.cover_hi);
    return d;
}

static void all_fires(uint64_t fires[F])
{
    for (size_t f = 0; f < F; f++)
        fires[f] = total_of(t.c[f]);
}

/* ---- tests ---- */

static void exact_counts_give_exact_answers(void)
{
    struct nf_classify cfg = nf_classify_defaults();
    struct nf_triggers tr;
    struct nf_keys keys;
    uint64_t fires[F], detectors = 0;

    for (uint64_t seed = 1; seed <= 3; seed++)
        for (uint64_t min = 1; min <= 3; min += 2) {
            make_table(seed, 0);
            make_keys(&keys);
            all_fires(fires);
            cfg.ngram.min_count = min;
            CHECK(nf_triggers_init(&tr, F, 1, &cfg, NULL) == NF_OK);
            CHECK(feed(&tr, &keys, fires, NULL) == NF_OK);
            for (size_t f = 0; f < F; f++) {
                struct nf_detect d = detect_of(&tr, f, 0);
                bool yes = slow_detector(f, 5, min);
                size_t members = 0;

                CHECK(tr.total[f] == fires[f] && d.cover_lo == slow_cover(t.c[f]) && d.cover_hi == d.cover_lo);
                CHECK(nf_detect(&d, 5, nf_ratio(0.95)) == (yes ? NF_YES : NF_NO));
                for (size_t g = 0; g < KEYS; g++)
                    members += slow_member(f, g, min);
                CHECK(tr.sure_n[f * NF_VARIANTS] == members);
                CHECK(!yes || nf_triggers_candidate(&tr, f));
                CHECK(!nf_triggers_candidate(&tr, f) || tr.covered[f].n == members);
                for (size_t i = 0; i < tr.covered[f].n; i++)
                    CHECK(slow_member(f, keys.id[tr.covered[f].hit[i].key], min) &&
                          tr.covered[f].hit[i].c == t.c[f][keys.id[tr.covered[f].hit[i].key]]);
                for (size_t v = 1; v < NF_VARIANTS; v++) {
                    d = detect_of(&tr, f, v);
                    CHECK(nf_detect(&d, 5, nf_ratio(0.95)) == (slow_detector(f, 5, v == 1 ? 5 : 10) ? NF_YES : NF_NO));
                }
                detectors += yes;
            }
            nf_triggers_clear(&tr);
            nf_keys_clear(&keys);
        }
    CHECK(detectors > 50); /* the tables do hold what is sought */
}

static void lost_counts_are_never_guessed(void)
{
    struct nf_classify cfg = nf_classify_defaults();
    struct nf_triggers tr;
    struct nf_keys keys;
    uint64_t fires[F], open = 0, yes = 0, no = 0;

    for (uint64_t seed = 1; seed <= 12; seed++) {
        make_table(seed, (uint32_t)(seed % 4 == 0 ? 40 : seed % 4));
        make_keys(&keys);
        all_fires(fires);
        CHECK(nf_triggers_init(&tr, F, 1, &cfg, NULL) == NF_OK);
        CHECK(feed(&tr, &keys, fires, NULL) == NF_OK);
        for (size_t f = 0; f < F; f++) {
            struct nf_detect d = detect_of(&tr, f, 0);
            enum nf_verdict v = nf_detect(&d, 5, nf_ratio(0.95));
            uint64_t m = slow_cover(t.c[f]);

            CHECK(d.cover_lo <= m && m <= d.cover_hi);
            CHECK(v == NF_OPEN || (v == NF_YES) == slow_detector(f, 5, 1));
            for (size_t i = 0; i < tr.covered[f].n; i++) /* what is listed is surely covered */
                CHECK(slow_member(f, keys.id[tr.covered[f].hit[i].key], 1));
            CHECK(v != NF_YES || nf_triggers_candidate(&tr, f));
            open += v == NF_OPEN;
            yes += v == NF_YES;
            no += v == NF_NO;
        }
        nf_triggers_clear(&tr);
        nf_keys_clear(&keys);
    }
    CHECK(open > 0 && yes > 0 && no > 0);
}

static void the_most_frequent_triggers_are_kept(void)
{
    struct nf_classify cfg = nf_classify_defaults();
    struct nf_triggers tr;
    struct nf_keys keys;
    uint64_t fires[F];

    make_table(7, 0);
    make_keys(&keys);
    all_fires(fires);
    CHECK(nf_triggers_init(&tr, F, 1, &cfg, NULL) == NF_OK);
    CHECK(feed(&tr, &keys, fires, NULL) == NF_OK);
    for (size_t f = 0; f < F; f++) {
        uint32_t s[KEYS];

        memcpy(s, t.c[f], sizeof s);
        qsort(s, KEYS, sizeof *s, descending);
        CHECK(tr.n_top[f] == (tr.distinct[f] < cfg.ngram.top ? tr.distinct[f] : cfg.ngram.top));
        for (size_t i = 0; i < tr.n_top[f]; i++) {
            struct nf_hit h = tr.top[f * cfg.ngram.top + i];

            CHECK(h.c == s[i] && h.c == t.c[f][keys.id[h.key]]);
            CHECK(i == 0 || tr.top[f * cfg.ngram.top + i - 1].c > h.c || tr.top[f * cfg.ngram.top + i - 1].key < h.key);
        }
    }
    nf_triggers_clear(&tr);
    nf_keys_clear(&keys);
}

static void impossible_counts_are_refused(void)
{
    struct nf_classify cfg = nf_classify_defaults();
    struct nf_err err = NF_ERR_INIT;
    struct nf_triggers tr;
    struct nf_keys keys;
    uint64_t fires[F];

    make_table(7, 0);
    make_keys(&keys);
    all_fires(fires);
    CHECK(nf_triggers_init(&tr, F, 1, &cfg, NULL) == NF_OK);
    for (size_t g = 0; g < KEYS; g++)
        if (t.N[g] == 2) {
            t.seen[3][g] = 3;
            break;
        }
    CHECK(feed(&tr, &keys, fires, &err) == NF_EFORMAT);
    CHECK(strstr(err.text, "more fires on an n-gram than occurrences"));
    nf_triggers_begin(&tr, &keys, fires, tokens());
    CHECK(nf_triggers_add(&tr, &(struct nf_counts){ 0, 1, 1, 5, 1, (const unsigned char *)"", F, (F + 7) / 8 }, NULL) ==
          NF_EFORMAT);
    nf_triggers_clear(&tr);
    nf_keys_clear(&keys);
}

static void covering_numbers_by_hand(void)
{
    static uint32_t few[NF_FEW];
    uint32_t many[] = { 900, 300 };
    struct nf_count_histogram y = { few, many, 2, 1200, 2, 0, 0 };
    uint64_t lo, hi;

    nf_coverage(&y, nf_ratio(0.95), &lo, &hi);
    CHECK(lo == 2 && hi == 2);
    nf_coverage(&y, nf_ratio(0.75), &lo, &hi); /* 900 of 1200 is 0.75: equality is enough */
    CHECK(lo == 1 && hi == 1);
    few[1] = 100;
    y.total = 1300;
    y.distinct = 102;
    nf_coverage(&y, nf_ratio(0.95), &lo, &hi); /* 1235 wanted: 1200 and 35 singles */
    CHECK(lo == 37 && hi == 37);
    y.lost = 50;
    y.delta = 10;
    nf_coverage(&y, nf_ratio(0.95), &lo, &hi); /* 1283 of 1350 wanted; best: the 50 lie on five n-grams, 1250 and 33 singles */
    CHECK(lo == 35 && hi == 85);
    y = (struct nf_count_histogram){ few, NULL, 0, 0, 0, 0, 0 };
    few[1] = 0;
    nf_coverage(&y, nf_ratio(0.95), &lo, &hi);
    CHECK(lo == 0 && hi == 0);
}

static void new_and_overlapping_sets(void)
{
    struct nf_hit a[] = { { 1, 1 }, { 2, 1 }, { 70, 1 } }, b[] = { { 2, 1 }, { 5, 1 } }, c[] = { { 1, 1 }, { 5, 1 }, { 6, 1 } };
    uint32_t n[100];
    struct nf_ngram_coverage e;
    struct nf_covered s;

    for (size_t i = 0; i < 100; i++)
        n[i] = 1;
    n[6] = 20;
    CHECK(nf_ngram_coverage_init(&e, 100, NULL) == NF_OK);
    nf_ngram_coverage_add(&e, &(struct nf_hits){ a, 3, 3 }, n, 0);
    s = nf_ngram_coverage_layer(&e);
    CHECK(s.total == 3 && s.new_overall == 3 && s.new_previous == 3 && s.in_lower == 0 && s.cumulative == 3);
    nf_ngram_coverage_add(&e, &(struct nf_hits){ b, 2, 2 }, n, 0);
    nf_ngram_coverage_add(&e, &(struct nf_hits){ b, 1, 1 }, n, 0);
    s = nf_ngram_coverage_layer(&e);
    CHECK(s.total == 2 && s.new_overall == 1 && s.in_previous == 1 && s.in_lower == 1 && s.cumulative == 4);
    nf_ngram_coverage_add(&e, &(struct nf_hits){ c, 3, 3 }, n, 0);
    s = nf_ngram_coverage_layer(&e); /* 1 is of the first layer, 5 of the second, 6 of none */
    CHECK(s.total == 3 && s.new_overall == 1 && s.new_previous == 2 && s.in_previous == 1 && s.in_lower == 2 && s.cumulative == 5);
    nf_ngram_coverage_add(&e, &(struct nf_hits){ c, 3, 3 }, n, 10);
    CHECK(nf_ngram_coverage_layer(&e).total == 1);
    nf_ngram_coverage_clear(&e);
}

/* SciPy: binomtest(k, n).proportion_ci(0.95, "wilson") */
static void intervals_are_scipys(void)
{
    static const struct {
        uint64_t k, n;
        double lo, hi;
    } want[] = {
        { 0, 10, 0, 0.27753279986288926 },
        { 10, 10, 0.72246720013711085, 1 },
        { 3, 7, 0.1582198552514697, 0.74954163547234276 },
        { 19, 20, 0.76386880655325795, 0.99111855119920467 },
        { 81263, 100000, 0.81019951615708696, 0.81503646566013921 },
        { 1, 1, 0.20654931437723745, 1 },
    };

    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct nf_share s = nf_wilson(want[i].k, want[i].n);

        CHECK_NEAR(s.lo, want[i].lo, 1e-14); /* a few roundings of double near 1 */
        CHECK_NEAR(s.hi, want[i].hi, 1e-14);
    }
    CHECK(nf_wilson(0, 0).p != nf_wilson(0, 0).p);
}

static void thresholds_are_exact(void)
{
    struct nf_ratio r = nf_ratio(0.95);

    CHECK(r.num == 19 && r.den == 20);
    CHECK(nf_ratio_need(r, 20) == 19 && nf_ratio_need(r, 21) == 20 && nf_ratio_need(r, 0) == 0);
    CHECK(nf_ratio(1).num == 1 && nf_ratio(1).den == 1);
    CHECK(nf_ratio(0.333333).den == 1000000);
}

int main(void)
{
    return RUN(thresholds_are_exact, covering_numbers_by_hand, exact_counts_give_exact_answers, lost_counts_are_never_guessed,
               the_most_frequent_triggers_are_kept, impossible_counts_are_refused, new_and_overlapping_sets, intervals_are_scipys);
}
