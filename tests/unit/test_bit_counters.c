/* test_bit_counters.c - bit-plane arithmetic and counters against plain counting. */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "count/counter_pool.h"
#include "count/bit_counters.h"

enum { F = 1000, WORDS = (F + 511) / 512 * 8, ROWS = 200 };

static _Alignas(64) uint64_t rows[ROWS][WORDS];

static void fill(uint64_t seed)
{
    struct nf_rng rng = { seed };

    memset(rows, 0, sizeof rows);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t f = 0; f < F; f++)   /* neuron 0 never fires, the last always does */
            rows[r][f / 64] |= (uint64_t)(nf_rng_below(&rng, F - 1) < f) << f % 64;
}

static void words_and_bits(void)
{
    CHECK(nf_bit_counters_words(1) == 8 && nf_bit_counters_words(512) == 8 && nf_bit_counters_words(513) == 16);
    CHECK(nf_bit_counters_bits(0) == 0 && nf_bit_counters_bits(1) == 1 && nf_bit_counters_bits(255) == 8 &&
          nf_bit_counters_bits(256) == 9);
}

static void sums_are_counts(void)
{
    static _Alignas(64) uint64_t sum[8 * WORDS];
    uint32_t index[ROWS];

    fill(1);
    for (size_t i = 0; i < ROWS; i++)
        index[i] = (uint32_t)((i * 7) % ROWS);
    for (size_t m = 1; m <= ROWS; m += m < 20 ? 1 : 60) {
        const uint64_t *plane[8];
        uint64_t count[F] = { 0 };

        nf_bit_counters_sum(rows[0], index, m, WORDS, sum);
        for (size_t p = 0; p < nf_bit_counters_bits(m); p++)
            plane[p] = sum + p * WORDS;
        nf_bit_counters_get(plane, nf_bit_counters_bits(m), F, count);
        for (size_t f = 0; f < F; f++) {
            uint64_t want = 0;

            for (size_t i = 0; i < m; i++)
                want += rows[index[i]][f / 64] >> f % 64 & 1;
            CHECK(count[f] == want);
        }
    }
}

static void numbers_add_and_overflow_is_seen(void)
{
    struct nf_rng rng = { 2 };
    static _Alignas(64) uint64_t a[5][WORDS], b[5][WORDS];
    uint64_t *to[5];
    const uint64_t *by[5];
    uint64_t x[F], y[F], got[F];

    for (size_t p = 0; p < 5; p++) {
        to[p] = a[p];
        by[p] = b[p];
    }
    for (int round = 0; round < 50; round++) {
        size_t n_by = 1 + nf_rng_below(&rng, 5);
        bool fits = true;

        /* even rounds: 16 + 15 at most fits in 5 planes; odd rounds: hardly ever */
        for (size_t f = 0; f < F; f++) {
            x[f] = nf_rng_below(&rng, round % 2 ? 32 : 17);
            y[f] = nf_rng_below(&rng, round % 2 || n_by < 4 ? 1u << n_by : 16);
            fits &= x[f] + y[f] < 32;
            got[f] = 0;
        }
        CHECK(fits || round % 2);
        CHECK(nf_bit_counters_put(x, F, 5, WORDS, a[0]) && nf_bit_counters_put(y, F, n_by, WORDS, b[0]));
        CHECK(nf_bit_counters_add(to, 5, by, n_by, WORDS) == fits);
        nf_bit_counters_get((const uint64_t *const *)to, 5, F, got);
        for (size_t f = 0; f < F; f++)
            CHECK(got[f] == ((x[f] + y[f]) & 31));
    }
    x[3] = 32;
    CHECK(!nf_bit_counters_put(x, F, 5, WORDS, a[0]));
}

/* Many counters over three layers, raised and added to in random order, some dropped on the way. */
static void counters_count(void)
{
    enum { N = 40, LAYERS = 3 };
    struct nf_budget budget = { .limit = 1 << 20 };
    struct nf_counter_pool c;
    struct nf_rng rng = { 3 };
    struct nf_err err = NF_ERR_INIT;
    uint64_t *scratch = nf_alloc(32 * WORDS, sizeof *scratch, &err);
    static uint64_t want[N][LAYERS][F];
    uint32_t id[N], n[N] = { 0 };
    uint64_t got[F];

    fill(4);
    memset(want, 0, sizeof want);
    nf_counter_pool_init(&c, F, LAYERS, &budget);
    for (size_t k = 0; k < N; k++)
        CHECK(nf_counter_pool_new(&c, false, &id[k], &err) == NF_OK);
    for (int round = 0; round < 2000; round++) {
        size_t k = nf_rng_below(&rng, N), m = 1 + nf_rng_below(&rng, 6);
        uint32_t index[6];

        if (nf_rng_below(&rng, 50) == 0) {
            nf_counter_pool_drop(&c, id[k]);
            CHECK(nf_counter_pool_new(&c, false, &id[k], &err) == NF_OK);
            n[k] = 0;
            memset(want[k], 0, sizeof *want);
        }
        CHECK(nf_counter_pool_raise(&c, id[k], n[k] += (uint32_t)m, false, &err) == NF_OK);
        for (size_t l = 0; l < LAYERS; l++) {
            for (size_t i = 0; i < m; i++) {
                index[i] = (uint32_t)nf_rng_below(&rng, ROWS);
                for (size_t f = 0; f < F; f++)
                    want[k][l][f] += rows[index[i]][f / 64] >> f % 64 & 1;
            }
            nf_counter_pool_add(&c, id[k], l, rows[0], index, m, scratch);
        }
    }
    for (size_t k = 0; k < N; k++)
        for (size_t l = 0; l < LAYERS; l++) {
            memset(got, 0, sizeof got);
            nf_counter_pool_get(&c, id[k], l, got);
            CHECK(memcmp(got, want[k][l], sizeof got) == 0);
        }
    CHECK(budget.used <= budget.limit);
    nf_counter_pool_clear(&c);
    free(scratch);
}

static void a_full_budget_changes_nothing(void)
{
    struct nf_budget budget = { .limit = 20000 };
    struct nf_counter_pool c;
    struct nf_err err = NF_ERR_INIT;
    uint32_t id, last = 0;
    size_t used;
    int rc;

    nf_counter_pool_init(&c, F, 2, &budget);
    while ((rc = nf_counter_pool_new(&c, false, &id, &err)) == NF_OK &&
           (rc = nf_counter_pool_raise(&c, id, 1, false, &err)) == NF_OK)
        last = id;
    used = budget.used;
    CHECK(rc == NF_EOF && used <= budget.limit && used > budget.limit / 2);
    CHECK(nf_counter_pool_raise(&c, last, 1000, false, &err) == NF_EOF && c.counter[last].n == 1 && budget.used == used);
    nf_counter_pool_drop(&c, last);
    CHECK(nf_counter_pool_new(&c, false, &id, &err) == NF_OK && nf_counter_pool_raise(&c, id, 1, false, &err) == NF_OK);
    CHECK(nf_counter_pool_raise(&c, id, 1000, true, &err) == NF_OK && budget.used > used);   /* must */
    CHECK(err.code == NF_OK);
    nf_counter_pool_clear(&c);
}

int main(void)
{
    return RUN(words_and_bits, sums_are_counts, numbers_add_and_overflow_is_seen, counters_count, a_full_budget_changes_nothing);
}
