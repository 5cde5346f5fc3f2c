/*
 * reals.h - moments, histograms and highest positions of the real-valued sites.  FORMAT.md section 4.4: moments, histogram, top.
 *
 * A site of one layer has W units, one for each column of its rows (attn.local has H x 7). Values
 * must be finite and below 2^31 in magnitude. pred is NaN where a window has no next token; those
 * values are not counted. The top-1 id of pred is not counted either, because it is not a quantity.
 */
#ifndef NF_REDUCE_REALS_H
#define NF_REDUCE_REALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/activations.h"
#include "record/stats.h"
#include "record/rows.h"

struct nf_reals;

/*
 * nf_reals_open - no sites yet.
 *
 *   top        highest positions kept for each unit
 *   context    tokens kept with each
 */
struct nf_reals *nf_reals_open(size_t top, size_t context, struct nf_err *err);
void nf_reals_close(struct nf_reals *r);   /* accepts NULL */

/*
 * nf_reals_unit_bytes - memory for one unit of a site, without the octaves of its histogram (64 bytes each, as values fall into
 * them, histogram.h).
 */
size_t nf_reals_unit_bytes(size_t top, size_t context);

/* nf_reals_site - expect this site.  NF_EFORMAT: a name over 15 bytes, no units, or the same site twice. */
int nf_reals_site(struct nf_reals *r, const char *site, size_t layer, size_t W, struct nf_err *err);

/*
 * As nf_firings_batch(), _rows(), _end().  The rows of the batch and `domain` are borrowed until the next batch.
 * NF_EFORMAT also: a value that is NaN (but in pred), infinite, or 2^31 or more.
 */
void nf_reals_batch(struct nf_reals *r, const struct nf_batch_rows *rows, const size_t *domain);
int nf_reals_rows(struct nf_reals *r, const struct nf_site_rows *rows, struct nf_err *err);
int nf_reals_end(struct nf_reals *r, struct nf_err *err);

/* nf_reals_write - all records, by site in byte order and layer; order [Q]: the domains in the expected order. */
int nf_reals_write(struct nf_reals *r, size_t Q, const size_t *order, struct nf_writer *w, struct nf_err *err);

/* As nf_firings_merge_*(); domain [Q] is borrowed until the end. */
int nf_reals_merge_begin(struct nf_reals *r, size_t Q, const size_t *domain, struct nf_err *err);
int nf_reals_merge_record(struct nf_reals *r, const msgpack_object *rec, struct nf_err *err);
int nf_reals_merge_end(struct nf_reals *r, struct nf_err *err);

#endif
