/* counter_pool.c - blocks of bit planes from slabs. */
#include "count/counter_pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "count/bit_counters.h"

enum {
    SLAB_BYTES = 2 << 20,     /* at most, unless one block is larger */
    PREFETCH_PLANES = 2,      /* a row added changes all of plane 0 and most of plane 1 */
    PREFETCH_WORDS = 64,      /* 512 bytes: a bit row of 4096 neurons; the hardware fetches on from there */
    SLABS_IN_BUDGET = 64,     /* at least, so that the last slab does not waste much of a small budget */
};

bool nf_budget_take(struct nf_budget *b, size_t bytes)
{
    if (b->used > b->limit || bytes > b->limit - b->used)
        return false;
    b->used += bytes;
    return true;
}

void nf_counter_pool_init(struct nf_counter_pool *c, size_t F, size_t layers, struct nf_budget *budget)
{
    size_t words = nf_bit_counters_words(F), block = words * layers * sizeof(uint64_t), slab;

    *c = (struct nf_counter_pool){
        .budget = budget, .F = F, .words = words, .layers = layers, .free_counter = NF_COUNTER_NONE, .free_block = NF_COUNTER_NONE
    };
    slab = budget->limit / SLABS_IN_BUDGET < SLAB_BYTES ? budget->limit / SLABS_IN_BUDGET : SLAB_BYTES;
    while (block << (c->shift + 1) <= slab && c->shift < 16)
        c->shift++;
}

void nf_counter_pool_clear(struct nf_counter_pool *c)
{
    for (size_t s = 0; s < c->n_slabs; s++)
        free(c->slab[s]);
    free(c->slab);
    free(c->next);
    free(c->counter);
    *c = (struct nf_counter_pool){ 0 };
}

static int take_memory(struct nf_counter_pool *c, size_t bytes, bool must)
{
    if (nf_budget_take(c->budget, bytes))
        return NF_OK;
    if (!must)
        return NF_EOF;
    c->budget->used += bytes;
    return NF_OK;
}

/* Room for one more element of a doubling array, its growth charged to the budget. */
static int grow(struct nf_counter_pool *c, void *p, size_t *cap, size_t need, size_t size, bool must, struct nf_err *err)
{
    size_t more = *cap ? *cap : 16;

    if (need <= *cap)
        return NF_OK;
    if (take_memory(c, more * size, must) != NF_OK)
        return NF_EOF;
    return nf_grow(p, cap, *cap + more, size, err);
}

int nf_counter_pool_new(struct nf_counter_pool *c, bool must, uint32_t *id, struct nf_err *err)
{
    if (c->free_counter != NF_COUNTER_NONE) {
        *id = c->free_counter;
        c->free_counter = c->counter[*id].plane;
    } else {
        int rc = grow(c, &c->counter, &c->cap, c->n_counters + 1, sizeof *c->counter, must, err);

        if (rc != NF_OK)
            return rc;
        *id = (uint32_t)c->n_counters++;
    }
    c->counter[*id] = (struct nf_counter){ 0, NF_COUNTER_NONE };
    return NF_OK;
}

static uint64_t *block_at(const struct nf_counter_pool *c, uint32_t b)
{
    return c->slab[b >> c->shift] + (b & (((uint32_t)1 << c->shift) - 1)) * c->words * c->layers;
}

static int add_slab(struct nf_counter_pool *c, bool must, struct nf_err *err)
{
    size_t blocks = (size_t)1 << c->shift, bytes = (c->words * c->layers * sizeof(uint64_t)) << c->shift;
    uint32_t first = (uint32_t)(c->n_slabs << c->shift);

    if (c->n_slabs + 1 > (size_t)NF_COUNTER_NONE >> c->shift)
        return nf_fail(err, NF_ESYS, "more than %u blocks of counters", NF_COUNTER_NONE);
    if (take_memory(c, bytes + blocks * sizeof *c->next, must) != NF_OK)
        return NF_EOF;
    if (nf_grow(&c->slab, &c->slab_cap, c->n_slabs + 1, sizeof *c->slab, err) < 0 ||
        nf_grow(&c->next, &c->next_cap, first + blocks, sizeof *c->next, err) < 0)
        return NF_ESYS;
    c->slab[c->n_slabs] = aligned_alloc(64, bytes);
    if (!c->slab[c->n_slabs])
        return nf_fail(err, NF_ESYS, "out of memory: %zu bytes", bytes);
    c->n_slabs++;
    for (size_t i = blocks; i-- > 0;) {
        c->next[first + i] = c->free_block;
        c->free_block = first + (uint32_t)i;
    }
    return NF_OK;
}

/* A zeroed block. */
static int new_block(struct nf_counter_pool *c, bool must, uint32_t *b, struct nf_err *err)
{
    int rc = c->free_block == NF_COUNTER_NONE ? add_slab(c, must, err) : NF_OK;

    if (rc != NF_OK)
        return rc;
    *b = c->free_block;
    c->free_block = c->next[*b];
    c->next[*b] = NF_COUNTER_NONE;
    c->blocks++;
    memset(block_at(c, *b), 0, c->words * c->layers * sizeof(uint64_t));
    return NF_OK;
}

static void free_chain(struct nf_counter_pool *c, uint32_t b)
{
    while (b != NF_COUNTER_NONE) {
        uint32_t next = c->next[b];

        c->next[b] = c->free_block;
        c->free_block = b;
        c->blocks--;
        b = next;
    }
}

int nf_counter_pool_raise(struct nf_counter_pool *c, uint32_t id, uint32_t n, bool must, struct nf_err *err)
{
    struct nf_counter *k = &c->counter[id];
    size_t have = nf_bit_counters_bits(k->n), want = nf_bit_counters_bits(n);
    uint32_t added = NF_COUNTER_NONE, last = k->plane, b;

    for (size_t p = have; p < want; p++) {
        int rc = new_block(c, must, &b, err);

        if (rc != NF_OK) {
            free_chain(c, added);
            return rc;
        }
        c->next[b] = added;   /* zeroed planes are alike: their order is free */
        added = b;
    }
    k->n = n;
    if (added == NF_COUNTER_NONE)
        return NF_OK;
    if (last == NF_COUNTER_NONE) {
        k->plane = added;
        return NF_OK;
    }
    while (c->next[last] != NF_COUNTER_NONE)
        last = c->next[last];
    c->next[last] = added;
    return NF_OK;
}

size_t nf_counter_pool_bytes(const struct nf_counter_pool *c)
{
    return c->n_slabs * ((c->words * c->layers * sizeof(uint64_t)) << c->shift);
}

void nf_counter_pool_drop(struct nf_counter_pool *c, uint32_t id)
{
    free_chain(c, c->counter[id].plane);
    c->counter[id] = (struct nf_counter){ 0, c->free_counter };
    c->free_counter = id;
}

void nf_counter_pool_prefetch(const struct nf_counter_pool *c, uint32_t id, size_t layer)
{
    uint32_t b = c->counter[id].plane;

    for (size_t p = 0; p < PREFETCH_PLANES && b != NF_COUNTER_NONE; p++, b = c->next[b])
        for (size_t w = 0; w < c->words && w < PREFETCH_WORDS; w += NF_LINE_WORDS)
            __builtin_prefetch(block_at(c, b) + layer * c->words + w, 1);
}

size_t nf_counter_pool_planes(const struct nf_counter_pool *c, uint32_t id, size_t layer, uint64_t *plane[32])
{
    size_t n = 0;

    for (uint32_t b = c->counter[id].plane; b != NF_COUNTER_NONE; b = c->next[b])
        plane[n++] = block_at(c, b) + layer * c->words;
    return n;
}

void nf_counter_pool_add(struct nf_counter_pool *c, uint32_t id, size_t layer, const uint64_t *rows, const uint32_t *index,
                         size_t m, uint64_t *scratch)
{
    uint64_t *plane[32];
    const uint64_t *by[32] = { rows + index[0] * c->words };
    size_t n = nf_counter_pool_planes(c, id, layer, plane), n_by = nf_bit_counters_bits(m);
    bool fits;

    if (m > 1) {
        nf_bit_counters_sum(rows, index, m, c->words, scratch);
        for (size_t p = 0; p < n_by; p++)
            by[p] = scratch + p * c->words;
    }
    fits = nf_bit_counters_add(plane, n, by, n_by, c->words);
    assert(fits);   /* n was raised first, and no neuron fires more often than there are positions */
    (void)fits;
}

bool nf_counter_pool_add_counts(struct nf_counter_pool *c, uint32_t id, size_t layer, const uint64_t *count, uint64_t *scratch)
{
    uint64_t *plane[32];
    const uint64_t *by[32];
    size_t n = nf_counter_pool_planes(c, id, layer, plane);

    if (!nf_bit_counters_put(count, c->F, n, c->words, scratch))
        return false;
    for (size_t p = 0; p < n; p++)
        by[p] = scratch + p * c->words;
    return nf_bit_counters_add(plane, n, by, n, c->words);
}

void nf_counter_pool_get(const struct nf_counter_pool *c, uint32_t id, size_t layer, uint64_t *count)
{
    uint64_t *plane[32];
    size_t n = nf_counter_pool_planes(c, id, layer, plane);

    nf_bit_counters_get((const uint64_t *const *)plane, n, c->F, count);
}
