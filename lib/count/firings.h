/*
 * firings.h - counts the bit rows of ffn.active: overall, by domain, by position, by n-gram.
 * FORMAT.md section 4.4.
 *
 * Every position of a window adds its bit row to a few counters (counter_pool.h), found once a batch and used for every layer:
 *
 *   domain            unless it is BOS
 *   BOS               if it is
 *   position p        of full windows
 *   domain, bin       of full windows; bin = p / bin
 *   n-gram, order n   that ends there, for n = 1, 2, 3: inside the window, without BOS (Voita et al. 2023, section 4: the n-gram
 *                     that triggered a neuron ends at the position where it fires)
 *
 * The positions of one counter are summed first (nf_bit_counters_sum) and added at once. All of
 * this is integer addition, so no result depends on batches, threads or shards. Only the n-grams
 * can lose counts, within the bounds of ngrams.h.
 */
#ifndef NF_COUNT_FIRINGS_H
#define NF_COUNT_FIRINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/activations.h"
#include "record/stats.h"

struct nf_firings;

/*
 * nf_firings_open - nothing counted yet.
 *
 *   t       sizes: context, from, to, layers, order, ngram_layers, F > 0, bin.  Borrowed; its numbers of windows, tokens and
 *           domains are the caller's to count, its domains may be added to while counting
 *   memory  bytes for the counters.  Those by domain and position alone must fit; n-grams share what these leave, and are
 *           dropped rather than go past it.  (The former still grow by a plane whenever the corpus doubles.)
 *
 * Returns NULL when out of memory.
 */
struct nf_firings *nf_firings_open(const struct nf_totals *t, size_t memory, struct nf_err *err);
void nf_firings_close(struct nf_firings *f);   /* accepts NULL */

/*
 * nf_firings_batch - the windows of the next batch; its rows follow.
 *
 *   domain  [W]  index of each window's domain in t->domain
 *
 * NF_EFORMAT: the batch before is not complete (named), or more than 2^32 - 1 positions in all.
 * NF_EUSAGE: the memory does not hold the counters by domain and position, or not one n-gram.
 */
int nf_firings_batch(struct nf_firings *f, const struct nf_batch *b, const size_t *domain, struct nf_err *err);

/*
 * nf_firings_rows - rows of ffn.active of the current batch.  For each layer of t they must come in order and without gaps.
 * NF_EFORMAT: another batch, layer, row or width; a bit past F is set.
 */
int nf_firings_rows(struct nf_firings *f, const struct nf_site_rows *rows, struct nf_err *err);

/* nf_firings_end - the stream ends: NF_EFORMAT when the last batch is not complete. */
int nf_firings_end(struct nf_firings *f, struct nf_err *err);

/* nf_firings_held - the delta of each order (ngrams.h), n-grams and bytes held. */
void nf_firings_held(const struct nf_firings *f, uint64_t delta[NF_ORDERS], size_t *ngrams, size_t *bytes);

/*
 * Writing.  First lost_ngrams and ngrams, then fires .. lost of each layer.
 *
 *   order  [Q]  indices into t->domain in the expected order
 */
int nf_firings_write_ngrams(struct nf_firings *f, struct nf_writer *w, struct nf_err *err);
int nf_firings_write_layer(struct nf_firings *f, size_t layer_index, const size_t *order, struct nf_writer *w, struct nf_err *err);

/*
 * Merging: the records of a stats stream, in its order.
 *
 *   in      its totals; sizes equal to t's (the caller compares them)
 *   domain  [in->Q]  index in t->domain of each of its domains; copied
 *
 * nf_firings_merge_record takes ngrams .. lost.  NF_EOF: a record of another type.  NF_EFORMAT: not in the order of FORMAT.md, a
 * count that its number of positions does not allow.
 * nf_firings_merge_end: NF_EFORMAT when records are missing.
 */
int nf_firings_merge_begin(struct nf_firings *f, const struct nf_totals *in, const size_t *domain, struct nf_err *err);
int nf_firings_merge_record(struct nf_firings *f, const msgpack_object *rec, struct nf_err *err);
int nf_firings_merge_end(struct nf_firings *f, struct nf_err *err);

#endif
