/* ngrams.c - a hash table of n-grams over counters, and the rounds that keep it in its budget. */
#include "count/ngrams.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "count/bit_counters.h"

enum { FIRST_SLOTS = 1024 };   /* power of two */

int nf_ngrams_open(struct nf_ngram_table *t, size_t F, size_t layers, struct nf_budget *budget, struct nf_err *err)
{
    *t = (struct nf_ngram_table){ .slots = FIRST_SLOTS };
    nf_counter_pool_init(&t->counters, F, layers, budget);
    t->slot = nf_alloc(t->slots, sizeof *t->slot, err);
    if (!t->slot)
        return NF_ESYS;
    for (size_t o = 0; o < NF_ORDERS; o++)   /* the first counters: 0, 1, 2 */
        if (nf_counter_pool_new(&t->counters, true, &t->lost[o], err) < 0)
            return NF_ESYS;
    t->ngram = nf_alloc(t->counters.cap, sizeof *t->ngram, err);
    t->cap = t->counters.cap;
    return t->ngram ? NF_OK : NF_ESYS;
}

void nf_ngrams_close(struct nf_ngram_table *t)
{
    for (size_t o = 0; o < NF_ORDERS; o++)
        free(t->pending[o]);
    free(t->ngram);
    free(t->slot);
    nf_counter_pool_clear(&t->counters);
    *t = (struct nf_ngram_table){ 0 };
}

void nf_ngrams_begin(struct nf_ngram_table *t)
{
    for (size_t o = 0; o < NF_ORDERS; o++)
        t->n_pending[o] = 0;
}

/* The finaliser of SplitMix64 (base/rng.h) over the three tokens. */
static size_t hash_ngram(const uint32_t key[3])
{
    uint64_t h = ((uint64_t)key[0] << 32 | key[1]) * 0x9e3779b97f4a7c15u + key[2];

    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 27) * 0x94d049bb133111ebu;
    return (size_t)(h ^ h >> 31);
}

/* The slot that holds key, or the empty one where it belongs. */
static size_t find_ngram(const struct nf_ngram_table *t, const uint32_t key[3])
{
    size_t mask = t->slots - 1, i = hash_ngram(key) & mask;

    while (t->slot[i] && memcmp(t->ngram[t->slot[i] - 1].token, key, 3 * sizeof *key) != 0)
        i = (i + 1) & mask;
    return i;
}

static void refill_slots(struct nf_ngram_table *t)
{
    memset(t->slot, 0, t->slots * sizeof *t->slot);
    t->used = 0;
    for (size_t i = NF_ORDERS; i < t->counters.n_counters; i++)
        if (t->ngram[i].order) {
            t->slot[find_ngram(t, t->ngram[i].token)] = (uint32_t)i + 1;
            t->used++;
        }
}

/* At most half full.  NF_EOF: no room for the larger table. */
static int grow_slots(struct nf_ngram_table *t, struct nf_err *err)
{
    size_t slots = t->slots * 2;
    uint32_t *slot;

    if (t->used + 1 <= t->slots / 2)
        return NF_OK;
    if (!nf_budget_take(t->counters.budget, t->slots * sizeof *t->slot))
        return NF_EOF;
    slot = nf_alloc(slots, sizeof *slot, err);
    if (!slot)
        return NF_ESYS;
    free(t->slot);
    t->slot = slot;
    t->slots = slots;
    refill_slots(t);
    return NF_OK;
}

/* Room for the description of one more n-gram. */
static int grow_ngrams(struct nf_ngram_table *t, struct nf_err *err)
{
    size_t need = t->counters.n_counters + 1;

    if (t->counters.free_counter != NF_COUNTER_NONE || need <= t->cap)
        return NF_OK;
    if (!nf_budget_take(t->counters.budget, t->cap * sizeof *t->ngram))
        return NF_EOF;
    return nf_grow(&t->ngram, &t->cap, 2 * t->cap, sizeof *t->ngram, err);
}

/* The index of key, inserted with n = 0 if it is new.  NF_EOF: no room. */
static int find_or_insert(struct nf_ngram_table *t, const uint32_t key[3], size_t order, uint32_t *index, struct nf_err *err)
{
    size_t i = find_ngram(t, key);
    int rc;

    if (t->slot[i]) {
        *index = t->slot[i] - 1;
        return NF_OK;
    }
    if ((rc = grow_slots(t, err)) != NF_OK || (rc = grow_ngrams(t, err)) != NF_OK ||
        (rc = nf_counter_pool_new(&t->counters, false, index, err)) != NF_OK)
        return rc;
    memcpy(t->ngram[*index].token, key, sizeof t->ngram->token);
    t->ngram[*index].dropped = (uint32_t)t->delta[order - 1];
    t->ngram[*index].order = (uint32_t)order;
    t->slot[find_ngram(t, key)] = *index + 1;
    t->used++;
    return NF_OK;
}

/* ---- rounds ---- */

static uint64_t weigh_slot(const struct nf_ngram_table *t, size_t i)
{
    uint64_t gone = t->delta[t->ngram[i].order - 1] - t->ngram[i].dropped, n = t->counters.counter[i].n;

    return n > gone ? n - gone : 0;
}

/* How many n-grams of the order there are, and how many weigh at most s. */
static size_t count_light(const struct nf_ngram_table *t, size_t order, uint64_t s, size_t *all)
{
    size_t light = 0;

    *all = 0;
    for (size_t i = NF_ORDERS; i < t->counters.n_counters; i++)
        if (t->ngram[i].order == order) {
            (*all)++;
            light += weigh_slot(t, i) <= s;
        }
    return light;
}

/* The smallest s >= 1 for which at least half of the order's n-grams weigh at most s: at least half weigh s or more. */
static uint64_t median_weight(const struct nf_ngram_table *t, size_t order)
{
    uint64_t low = 1, high = UINT32_MAX;
    size_t all;

    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        size_t light = count_light(t, order, mid, &all);

        if (light >= all - all / 2)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static size_t heaviest_order(const struct nf_ngram_table *t)
{
    if (t->held[0] > t->counters.blocks / 4 * 3 || !(t->held[1] + t->held[2]))
        return 1;
    return t->held[2] >= t->held[1] ? 3 : 2;
}

/* Give the counts of n-gram i to the lost counter of its order, and free it. */
static int drop(struct nf_ngram_table *t, size_t i, struct nf_err *err)
{
    struct nf_counter_pool *c = &t->counters;
    size_t o = t->ngram[i].order - 1;
    uint64_t *to[32], *from[32], sum = (uint64_t)c->counter[t->lost[o]].n + c->counter[i].n;

    if (sum > UINT32_MAX)
        return nf_fail(err, NF_EFORMAT, "more than %u n-grams dropped", UINT32_MAX);
    if (nf_counter_pool_raise(c, t->lost[o], (uint32_t)sum, true, err) < 0)
        return NF_ESYS;
    for (size_t layer = 0; layer < c->layers; layer++) {
        size_t n_to = nf_counter_pool_planes(c, t->lost[o], layer, to), n = nf_counter_pool_planes(c, (uint32_t)i, layer, from);

        nf_bit_counters_add(to, n_to, (const uint64_t *const *)from, n, c->words);
    }
    t->held[o] -= nf_bit_counters_bits(c->counter[i].n);
    t->ngram[i].order = 0;
    nf_counter_pool_drop(c, (uint32_t)i);
    return NF_OK;
}

static int round_of_drops(struct nf_ngram_table *t, struct nf_err *err)
{
    size_t order = heaviest_order(t), all, o = order - 1;

    count_light(t, order, 0, &all);
    if (!all)
        return nf_fail(err, NF_EUSAGE, "memory of %zu bytes does not hold the counts of one n-gram", t->counters.budget->limit);
    t->delta[o] += median_weight(t, order);
    if (t->delta[o] > UINT32_MAX)
        return nf_fail(err, NF_EFORMAT, "more than %u occurrences of an n-gram", UINT32_MAX);
    for (size_t i = NF_ORDERS; i < t->counters.n_counters; i++)
        if (t->ngram[i].order == order && !weigh_slot(t, i) && drop(t, i, err) < 0)
            return err->code;
    for (size_t i = 0; i < t->n_pending[o]; i++)
        if (!t->ngram[t->pending[o][i]].order)
            t->pending[o][i] = t->lost[o];
    refill_slots(t);
    return NF_OK;
}

/* ---- counting ---- */

/* n more for n-gram i.  NF_EOF: no room. */
static int raise_count(struct nf_ngram_table *t, uint32_t i, uint32_t n, struct nf_err *err)
{
    uint64_t old = t->counters.counter[i].n, sum = old + n;
    int rc;

    if (sum > UINT32_MAX)
        return nf_fail(err, NF_EFORMAT, "more than %u occurrences of one n-gram", UINT32_MAX);
    rc = nf_counter_pool_raise(&t->counters, i, (uint32_t)sum, false, err);
    if (rc == NF_OK)
        t->held[t->ngram[i].order - 1] += nf_bit_counters_bits(sum) - nf_bit_counters_bits(old);
    return rc;
}

int nf_ngrams_count(struct nf_ngram_table *t, const uint32_t key[3], size_t order, uint32_t n, uint32_t dropped, uint32_t delta,
                    struct nf_err *err)
{
    size_t o = order - 1;
    uint32_t i;

    if (nf_grow(&t->pending[o], &t->pending_cap[o], t->n_pending[o] + 1, sizeof *t->pending[o], err) < 0)
        return NF_ESYS;
    for (;;) {
        int rc = find_or_insert(t, key, order, &i, err);

        if (rc == NF_OK)
            rc = raise_count(t, i, n, err);
        if (rc == NF_OK)
            break;
        if (rc < 0 || round_of_drops(t, err) < 0)
            return err->code;
    }
    t->ngram[i].dropped += dropped - delta;
    t->pending[o][t->n_pending[o]++] = i;
    return NF_OK;
}

int nf_ngrams_add_delta(struct nf_ngram_table *t, size_t order, uint64_t delta, uint64_t occurrences, struct nf_err *err)
{
    size_t o = order - 1;
    uint64_t sum = t->counters.counter[t->lost[o]].n + occurrences;

    if (sum > UINT32_MAX || t->delta[o] + delta > UINT32_MAX)
        return nf_fail(err, NF_EFORMAT, "more than %u n-grams dropped", UINT32_MAX);
    t->delta[o] += delta;
    for (size_t i = NF_ORDERS; i < t->counters.n_counters; i++)
        if (t->ngram[i].order == order)
            t->ngram[i].dropped += (uint32_t)delta;
    return nf_counter_pool_raise(&t->counters, t->lost[o], (uint32_t)sum, true, err);
}

/* ---- order ---- */

static int by_bits_and_tokens(const void *a, const void *b, void *table)
{
    const struct nf_ngram_table *t = table;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    size_t p = nf_bit_counters_bits(t->counters.counter[i].n), q = nf_bit_counters_bits(t->counters.counter[j].n);

    if (p != q)
        return p < q ? -1 : 1;
    for (size_t k = 0; k < 3; k++)
        if (t->ngram[i].token[k] != t->ngram[j].token[k])
            return t->ngram[i].token[k] < t->ngram[j].token[k] ? -1 : 1;
    return 0;
}

int nf_ngrams_sorted(const struct nf_ngram_table *t, size_t order, uint32_t **index, size_t *n, struct nf_err *err)
{
    size_t all;

    count_light(t, order, 0, &all);
    *index = nf_alloc(all, sizeof **index, err);
    if (!*index)
        return NF_ESYS;
    *n = 0;
    for (size_t i = NF_ORDERS; i < t->counters.n_counters; i++)
        if (t->ngram[i].order == order && t->counters.counter[i].n)
            (*index)[(*n)++] = (uint32_t)i;
    qsort_r(*index, *n, sizeof **index, by_bits_and_tokens, (void *)t);
    return NF_OK;
}
