/*
 * test_similarity.c - similarity of residual streams: brute force, whatever way the rows arrive; what is left out.  The numbers of a whole
 * run: test_stages_reference.c.
 */
#include "check.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "base/par.h"
#include "base/rng.h"
#include "stages/similarity.h"

enum { P = 3, D = 11, W = 30, T = 9, B = 4, PAIRS = P * (P - 1) / 2 };

static struct {
    uint32_t doc[W], window[W], length[W];
    uint8_t bos[W];
    float h[W][T][P][D];
} c;

static void make(uint64_t seed)
{
    struct nf_rng rng = { seed };

    for (size_t w = 0; w < W; w++) {
        c.doc[w] = (uint32_t)(w / 4);
        c.window[w] = (uint32_t)(w % 4);
        c.length[w] = nf_rng_below(&rng, 3) ? T : 1 + (uint32_t)nf_rng_below(&rng, T);
        c.bos[w] = nf_rng_below(&rng, 6) != 0;
        for (size_t t = 0; t < T; t++)
            for (size_t p = 0; p < P; p++)
                for (size_t d = 0; d < D; d++)
                    c.h[w][t][p][d] = (float)(nf_rng_unit(&rng) - 0.3) + (p ? c.h[w][t][p - 1][d] : 0);
    }
}

static struct nf_similarity open_similarity(bool all)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_similarity s;

    CHECK(nf_similarity_open(&s, P, D, all, B, T, 1 << 20, &err) == NF_OK);
    return s;
}

/* The windows [first, last), `windows` a batch, rows in records of `cut`; points backwards: their order means nothing. */
static int feed(struct nf_similarity *s, size_t first, size_t last, size_t windows, size_t cut, size_t from, size_t to, bool bos,
                struct nf_err *err)
{
    static float x[W * T][D];
    struct nf_batch_rows rows = { .from = from, .to = to, .bos = bos };
    struct nf_batch b = { 0 };
    int rc = NF_OK;

    for (size_t at = first; rc == NF_OK && at < last; at += windows, b.batch++) {
        size_t n = nf_min(windows, last - at);

        b.T = 0;
        b.W = n;
        nf_batch_reserve(&b, n, n * T, err);
        for (size_t i = 0; i < n; i++) {
            b.doc[i] = c.doc[at + i];
            b.window[i] = c.window[at + i];
            b.length[i] = c.length[at + i];
            b.bos[i] = c.bos[at + i];
            b.T += c.length[at + i];
        }
        nf_batch_rows_set(&rows, &b, err);
        rc = nf_similarity_batch(s, &rows, err);
        for (size_t p = P; rc == NF_OK && p-- > 0;) {
            for (size_t r = 0; r < rows.R; r++)
                memcpy(x[r], c.h[at + rows.window[r]][rows.pos[r]][p], sizeof x[r]);
            for (size_t r = 0; rc == NF_OK && r < rows.R; r += cut)
                rc = nf_similarity_rows(s, p,
                                        &(struct nf_site_rows){ .batch = b.batch,
                                                                .site = "resid",
                                                                .row = r,
                                                                .data = nf_tensor_2d(NF_F32, x[r], nf_min(cut, rows.R - r), D) },
                                        err);
        }
        if (rc == NF_OK)
            rc = nf_similarity_end(s, err);
    }
    nf_similarity_finish(s);
    nf_record_clear(&nf_batch_record, &b);
    nf_batch_rows_clear(&rows);
    return rc;
}

static struct nf_similarity whole(bool all, size_t windows, size_t cut)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_similarity s = open_similarity(all);

    CHECK(feed(&s, 0, W, windows, cut, 0, T, false, &err) == NF_OK);
    return s;
}

static double cosine(const float *a, const float *b)
{
    long double ab = 0, aa = 0, bb = 0;

    for (size_t d = 0; d < D; d++) {
        ab += (long double)a[d] * b[d];
        aa += (long double)a[d] * a[d];
        bb += (long double)b[d] * b[d];
    }
    return (double)(ab / sqrtl(aa * bb));
}

/* Sum over the positions from `from` on, before `to`, of cos or angle of a pair; n of them. */
static double brute(bool last, bool angle, size_t i, size_t j, size_t from, size_t to, bool bos, uint64_t *n)
{
    double sum = 0;

    *n = 0;
    for (size_t w = 0; w < W; w++)
        for (size_t t = from; t < nf_min(to, c.length[w]); t++) {
            double x = cosine(c.h[w][t][i], c.h[w][t][j]);

            if ((t == 0 && c.bos[w] && !bos) || (last && t + 1 != c.length[w]))
                continue;
            sum += angle ? acos(x) / 3.14159265358979323846 : x;
            ++*n;
        }
    return sum;
}

static void check_means(const struct nf_similarity *s, size_t from, size_t to, bool bos)
{
    for (int which = 0; which < 4; which++)
        for (size_t i = 0, pair = 0; i < P; i++)
            for (size_t j = i + 1; j < P; j++, pair++) {
                uint64_t n;
                double sum = brute(which & 2, which & 1, i, j, from, to, bos, &n);
                struct nf_cluster_estimate m =
                    nf_mergeable_means_get(which & 2 ? &s->lasts : &s->positions, (which & 1 ? PAIRS : 0) + pair);

                CHECK(m.n == n && n > 0);
                CHECK_NEAR(m.mean, sum / (double)n, 1e-14);   /* a few hundred doubles of size 1 */
                CHECK(m.se > 0);
            }
}

static void means_are_the_brute_force_ones(void)
{
    struct nf_similarity s;
    struct nf_err err = NF_ERR_INIT;

    make(1);
    s = whole(true, 7, 5);
    check_means(&s, 0, T, false);
    nf_similarity_close(&s);
    s = open_similarity(false);
    CHECK(feed(&s, 0, W, 7, 100, 0, T, true, &err) == NF_OK);
    check_means(&s, 0, T, true);
    nf_similarity_close(&s);
    s = open_similarity(false);
    CHECK(feed(&s, 0, W, 7, 100, 2, 7, false, &err) == NF_OK);   /* positions 2 to 6: no full window shows its last */
    check_means(&s, 2, 7, false);
    CHECK(nf_cka_groups(&s.cka) == 0 && s.held == 0);
    nf_similarity_close(&s);
}

static bool same(const struct nf_similarity *a, const struct nf_similarity *b)
{
    size_t sums = 2 * PAIRS * sizeof *a->positions.sum;

    return memcmp(a->cka.sum, b->cka.sum, P * (P + 1) / 2 * sizeof *a->cka.sum) == 0 &&
           memcmp(a->cka.blocks, b->cka.blocks, sizeof a->cka.blocks) == 0 &&
           memcmp(a->positions.sum, b->positions.sum, sums) == 0 && memcmp(a->lasts.sum, b->lasts.sum, sums) == 0 &&
           a->left_out + a->held == b->left_out + b->held;
}

static void batches_records_and_threads_do_not_matter(void)
{
    int threads = omp_get_max_threads();

    make(2);
    for (int all = 0; all < 2; all++) {
        struct nf_similarity one, many, other;

        omp_set_num_threads(1);
        one = whole(all, 1, 100);
        omp_set_num_threads(4);
        many = whole(all, W, 1000);
        other = whole(all, 7, 3);
        CHECK(nf_cka_groups(&one.cka) > 2 && same(&one, &many) && same(&one, &other));
        nf_similarity_close(&one);
        nf_similarity_close(&many);
        nf_similarity_close(&other);
    }
    omp_set_num_threads(threads);
}

/* The group of windows in order, whatever the documents; what is left is counted. */
static void groups_of_last_positions(void)
{
    struct nf_similarity s;
    struct nf_err err = NF_ERR_INIT;
    struct nf_cka want;
    static float x[P][B][D];
    size_t held = 0, groups = 0;

    make(3);
    s = whole(false, 5, 100);
    CHECK(nf_cka_open(&want, P, D, B, &err) == NF_OK);
    for (size_t w = 0; w < W; w++) {
        if (c.length[w] < T)
            continue;
        for (size_t p = 0; p < P; p++)
            memcpy(x[p][held], c.h[w][T - 1][p], sizeof x[p][held]);
        if (++held == B) {
            nf_cka_group(&want, x[0][0], B * D, B, 0, &err);
            held = 0;
            groups++;
        }
    }
    CHECK(groups > 2 && nf_cka_groups(&s.cka) == groups && s.held == held);
    for (size_t i = 0; i < P; i++)
        for (size_t j = 0; j < P; j++) {
            double a, b, se;

            nf_cka_get(&s.cka, nf_min(i, j), nf_max(i, j), &a, &se);
            nf_cka_get(&want, nf_min(i, j), nf_max(i, j), &b, &se);
            CHECK(a == b);
        }
    nf_cka_close(&want);
    nf_similarity_close(&s);
}

static void a_zero_vector_has_no_cosine(void)
{
    struct nf_similarity s;
    uint64_t n;

    make(4);
    brute(false, false, 0, 1, 0, T, false, &n);
    CHECK(c.length[2] == T);
    memset(c.h[2][T - 1][1], 0, sizeof c.h[2][T - 1][1]);
    s = whole(true, 7, 100);
    CHECK(s.zero == 1 && s.zero_last == 1 && nf_mergeable_means_get(&s.positions, 0).n == n - 1);
    nf_similarity_close(&s);
}

static void a_point_with_itself(void)
{
    struct nf_similarity s;
    struct nf_cluster_estimate m;

    make(5);
    for (size_t w = 0; w < W; w++)
        for (size_t t = 0; t < T; t++)
            memcpy(c.h[w][t][1], c.h[w][t][0], sizeof c.h[w][t][0]);
    s = whole(true, 7, 100);
    m = nf_mergeable_means_get(&s.positions, 0);
    CHECK(m.mean == 1 && m.se == 0);
    m = nf_mergeable_means_get(&s.positions, PAIRS);
    CHECK(m.mean == 0 && m.se == 0 && m.doc_mean == 0);
    nf_similarity_close(&s);
}

static void bad_rows_are_refused(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_similarity s = open_similarity(false);

    make(6);
    c.h[1][0][2][3] = NAN;
    CHECK(feed(&s, 0, W, 7, 100, 0, T, false, &err) == NF_EFORMAT && strstr(err.text, "finite"));
    nf_similarity_close(&s);
    err = (struct nf_err)NF_ERR_INIT;
    CHECK(nf_similarity_open(&s, P, D, false, B, T, W * T, &err) == NF_OK);
    CHECK(feed(&s, 0, W, W, 100, 0, T, false, &err) == NF_EUSAGE && strstr(err.text, "--batch-tokens"));
    nf_similarity_close(&s);
}

int main(void)
{
    return RUN(means_are_the_brute_force_ones, batches_records_and_threads_do_not_matter, groups_of_last_positions,
               a_zero_vector_has_no_cosine, a_point_with_itself, bad_rows_are_refused);
}
