/*
 * counter_pool.h - many numbers of bit planes (bit_counters.h), each with planes for several
 * layers, in bounded memory.
 *
 * A **counter** counts, for every neuron of every layer, the firings at one set of positions, for
 * example those of one token. Its `n` is the number of positions. No neuron can have fired more
 * often, so bits(n) planes are enough. The caller raises n first and then adds the rows of each
 * layer.
 *
 * A plane of a counter is one block: the bit rows of all layers one after the other. Blocks come
 * from slabs and are reused when a counter is dropped. They are charged to a budget that several
 * pools may share.
 */
#ifndef NF_COUNT_COUNTER_POOL_H
#define NF_COUNT_COUNTER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Bytes that may be held, and bytes that are. */
struct nf_budget {
    size_t limit, used;
};

/* nf_budget_take - charge `bytes`; false, and nothing charged, when that would pass the limit. */
bool nf_budget_take(struct nf_budget *b, size_t bytes);

#define NF_COUNTER_NONE UINT32_MAX

struct nf_counter {
    uint32_t n;       /* positions */
    uint32_t plane;   /* block of plane 0, the others are chained; NF_COUNTER_NONE: none */
};

struct nf_counter_pool {
    struct nf_budget *budget;
    size_t F, words, layers;     /* words: of one bit row */
    struct nf_counter *counter;
    size_t n_counters, cap;
    uint32_t free_counter;       /* chained through .plane */
    uint64_t **slab;             /* slab s: 1 << shift blocks of layers * words words */
    size_t n_slabs, slab_cap;
    unsigned shift;
    uint32_t *next;              /* [blocks] chain of planes, or of free blocks */
    size_t next_cap;
    uint32_t free_block;
    size_t blocks;               /* in use */
};

/* nf_counter_pool_init - an empty store.  The budget is borrowed.  No allocation. */
void nf_counter_pool_init(struct nf_counter_pool *c, size_t F, size_t layers, struct nf_budget *budget);
void nf_counter_pool_clear(struct nf_counter_pool *c);   /* accepts a zeroed struct */

/*
 * Results of the two functions below: NF_OK; NF_EOF: the budget is used up and nothing changed;
 * NF_ESYS. `must`: take the memory even beyond the budget (for counters whose number does not
 * depend on the corpus).
 */
int nf_counter_pool_new(struct nf_counter_pool *c, bool must, uint32_t *id, struct nf_err *err);   /* n = 0, no planes */
int nf_counter_pool_raise(struct nf_counter_pool *c, uint32_t id, uint32_t n, bool must,
                          struct nf_err *err); /* n: the new, higher n */

/* nf_counter_pool_bytes - of all slabs. */
size_t nf_counter_pool_bytes(const struct nf_counter_pool *c);

/* nf_counter_pool_drop - forget a counter and give its blocks back. */
void nf_counter_pool_drop(struct nf_counter_pool *c, uint32_t id);

/*
 * nf_counter_pool_planes - the bit rows of one layer, plane 0 first; returns their number, at most 32.  Valid until the
 * next _new or _raise.
 */
size_t nf_counter_pool_planes(const struct nf_counter_pool *c, uint32_t id, size_t layer, uint64_t *plane[32]);

/* nf_counter_pool_prefetch - a hint that this layer of a counter is needed soon. */
void nf_counter_pool_prefetch(const struct nf_counter_pool *c, uint32_t id, size_t layer);

/*
 * nf_counter_pool_add - add the bit rows at m positions to one layer of a counter whose n has been raised by m already.
 *
 *   rows     [.., words]   in    bit rows of the layer
 *   index    [m]           in    which of them, m > 0
 *   scratch  [32][words]         workspace
 */
void nf_counter_pool_add(struct nf_counter_pool *c, uint32_t id, size_t layer, const uint64_t *rows, const uint32_t *index,
                         size_t m, uint64_t *scratch);

/*
 * nf_counter_pool_add_counts - add count[0..F) to one layer of a counter whose n has been raised already.
 *
 * Returns false when some sum does not fit in the bits of n: the counts are not those of n positions.
 */
bool nf_counter_pool_add_counts(struct nf_counter_pool *c, uint32_t id, size_t layer, const uint64_t *count, uint64_t *scratch);

/* nf_counter_pool_get - count[f] += the number of neuron f in one layer. */
void nf_counter_pool_get(const struct nf_counter_pool *c, uint32_t id, size_t layer, uint64_t *count);

#endif
