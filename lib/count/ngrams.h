/*
 * ngrams.h - how often every neuron fired at every n-gram. The counts are exact while memory lasts,
 * then bounded.
 *
 * There is one counter (counter_pool.h) for each n-gram of order 1, 2, 3. When the budget is used
 * up, a **round** makes room among the n-grams of one order. That is the one of orders 2 and 3 that
 * holds more blocks, or order 1 when unigrams hold over 3/4 of all.
 *
 * The rounds are those of Misra and Gries 1982 ("Finding repeated elements"), in the mergeable form
 * of Agarwal et al. 2012 ("Mergeable summaries", section 2). One thing differs: a whole n-gram is
 * dropped, with the counts of all its neurons, and nothing is subtracted from those that stay. For
 * each order:
 *
 *   delta        starts at 0 and only grows
 *   dropped(g)   of an n-gram g that is stored: an upper bound on the occurrences of g that were dropped before
 *   v(g)         n(g) - (delta - dropped(g)), the weight that Misra and Gries would have left it
 *
 *   insert g     dropped(g) = delta, n(g) = 0
 *   round        s = the median of v over the order's n-grams (at least 1); delta += s; every g with v(g) <= 0 is dropped:
 *                its counts are added to the lost counter of the order
 *   merge with a second table (delta', n', dropped'), the effect in any order of arrival:
 *                delta += delta'; n = n + n', dropped = dropped + dropped', where an n-gram missing in a table has
 *                n = 0 and dropped = the delta of that table
 *
 * Claim 1.  N(g) is in [n(g), n(g) + dropped(g)] for a stored g, and in [0, delta] for any other.
 *   Inserting: all earlier occurrences are at most delta by the second half.  Dropping: v(g) <= 0 says n(g) + dropped(g) <= delta,
 *   and N(g) was at most the left side.  Merging: the bounds of the two parts add up.
 * Claim 2.  For a neuron f the true count c(f, g) is in [n_f(g), n_f(g) + min(dropped(g), lost_f)], lost_f being its count in the
 *   lost counter: every dropped firing of f is at one of at most dropped(g) dropped occurrences of g and was added to lost_f.
 * Claim 3.  delta <= 2 * (occurrences of the order) / m, m the smallest number of stored n-grams at a round.
 *   A round takes s from the v of at least half of the m n-grams, so the sum of v falls by at least s * m / 2; that sum grows by
 *   one with each occurrence, is never negative, and adds up in a merge.
 *
 * So an n-gram that is frequent enough to stay from the start is counted exactly for any size of
 * memory. Rounds depend only on the sequence of nf_ngrams_count() calls, not on how the input is
 * cut into batches.
 */
#ifndef NF_COUNT_NGRAMS_H
#define NF_COUNT_NGRAMS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/stats.h"
#include "count/counter_pool.h"

#define NF_NGRAM_NONE UINT32_MAX   /* no token: before an n-gram of fewer than 3 */

struct nf_ngram {
    uint32_t token[3];   /* oldest first, at the end: a unigram is { NONE, NONE, t } */
    uint32_t dropped;
    uint32_t order;      /* 0: the entry is free */
};

struct nf_ngram_table {
    struct nf_counter_pool counters;      /* n-gram i is counter i */
    struct nf_ngram *ngram;           /* [cap] */
    size_t cap;
    uint32_t *slot;                   /* [slots] open addressing, index + 1 or 0; slots a power of two */
    size_t slots, used;
    uint32_t lost[NF_ORDERS];         /* counters of what was dropped; n = occurrences */
    uint64_t delta[NF_ORDERS];
    size_t held[NF_ORDERS];           /* blocks */
    uint32_t *pending[NF_ORDERS];     /* counter of each occurrence since nf_ngrams_begin() */
    size_t n_pending[NF_ORDERS], pending_cap[NF_ORDERS];
};

/*
 * nf_ngrams_open - an empty table for F neurons in `layers` layers; the budget is borrowed.  nf_ngrams_close accepts a
 * zeroed table.
 */
int nf_ngrams_open(struct nf_ngram_table *t, size_t F, size_t layers, struct nf_budget *budget, struct nf_err *err);
void nf_ngrams_close(struct nf_ngram_table *t);

/* nf_ngrams_begin - the rows of all pending occurrences were added: forget them. */
void nf_ngrams_begin(struct nf_ngram_table *t);

/*
 * nf_ngrams_count - n more occurrences of an n-gram.
 *
 *   key      tokens as in struct nf_ngram
 *   order    1 .. 3, tokens in key
 *   n        > 0
 *   dropped  what the second table of a merge may have dropped of it, at most that table's delta; 0 otherwise
 *   delta    delta of that second table, already added with nf_ngrams_add_delta(); 0 otherwise
 *
 * Appends to pending[order - 1] the counter that the rows of these occurrences go to.  It stays right when a later call drops the
 * n-gram: then it names the order's lost counter.
 * Returns NF_OK; NF_ESYS: memory; NF_EFORMAT: over 2^32 - 1 occurrences; NF_EUSAGE: the budget does not hold one n-gram.
 */
int nf_ngrams_count(struct nf_ngram_table *t, const uint32_t key[3], size_t order, uint32_t n, uint32_t dropped, uint32_t delta,
                    struct nf_err *err);

/* nf_ngrams_add_delta - a merge begins for this order: the second table dropped `occurrences`, at most delta of any one n-gram. */
int nf_ngrams_add_delta(struct nf_ngram_table *t, size_t order, uint64_t delta, uint64_t occurrences, struct nf_err *err);

/* nf_ngrams_sorted - indices of the n-grams of an order by (bits of n, tokens); the caller frees *index. */
int nf_ngrams_sorted(const struct nf_ngram_table *t, size_t order, uint32_t **index, size_t *n, struct nf_err *err);

#endif
