/*
 * reduce.h - turns activations into statistics, and adds statistics up.
 *
 * One reduction takes one stream of activations, or any number of streams of stats, record by
 * record, and is then written. A corpus may be cut into shards of whole documents in any way. The
 * sum of the shards' statistics has the same records, bit for bit, as the statistics of the whole.
 * There are two exceptions: n-grams that were dropped (ngrams.h), and the CKA over last positions
 * (similarity.h).
 */
#ifndef NF_REDUCE_REDUCE_H
#define NF_REDUCE_REDUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <msgpack.h>

#include "base/err.h"
#include "base/opt.h"
#include "stages/stages.h"
#include "stream/writer.h"

enum { NF_REDUCE_TOP_MAX = 1000, NF_REDUCE_CONTEXT_MAX = 1000 };   /* together under the 16 MiB of a record */

struct nf_reduce_cfg {
    uint64_t memory;               /* bytes for the counters, >= 1 MiB */
    uint64_t bin;                  /* positions a bin of domain_position, >= 1 */
    bool order[3];                 /* n-grams of which orders are counted */
    struct nf_range ngram_layers;  /* for which layers */
    uint64_t top, context;         /* highest positions kept for each unit of a real-valued site, tokens with each (>= 1) */
    bool include_bos;              /* real-valued sites: BOS positions too */
    bool no_moments;               /* real-valued sites: only the measures, no moments, histograms, highest positions */
    struct nf_stages_cfg stages;   /* measures */
};
struct nf_reduce_cfg nf_reduce_defaults(void);   /* 2 GiB, 16, 1 2 3, all, 10, 8, false, false, no measures */

struct nf_reduce;

/*
 * nf_reduce_open - an empty reduction.
 *
 *   cfg     copied.  When stats are merged only `memory` matters: the rest is as in the streams
 *   header  of the first input stream; copied
 *   err     NF_EFORMAT  the header lacks sizes or sites, or they make no sense
 *
 * Returns NULL on failure.
 */
struct nf_reduce *nf_reduce_open(const struct nf_reduce_cfg *cfg, const json_t *header, struct nf_err *err);
void nf_reduce_close(struct nf_reduce *r);   /* accepts NULL */

/*
 * nf_reduce_begin - a further stream of stats follows (also to be called for the first input).
 * NF_EFORMAT: it is not about the same model, tokenizer, context, sites or options; the field is named.
 */
int nf_reduce_begin(struct nf_reduce *r, const json_t *header, struct nf_err *err);

/* nf_reduce_record - any record of the input.  NF_EFORMAT: unknown, out of order, or contradicting what came before. */
int nf_reduce_record(struct nf_reduce *r, const msgpack_object *rec, struct nf_err *err);

/* nf_reduce_end - the input has ended: NF_EFORMAT when records are missing. */
int nf_reduce_end(struct nf_reduce *r, struct nf_err *err);

/* nf_reduce_header - complete the header of the output (made by nf_header_new() from the input's). */
int nf_reduce_header(const struct nf_reduce *r, json_t *header, struct nf_err *err);

/* nf_reduce_write - all records.  NF_ESYS: memory.  Failures of the writer are in its own slot. */
int nf_reduce_write(struct nf_reduce *r, struct nf_writer *w, struct nf_err *err);

/* What was counted so far, for END, the progress line and -v. */
struct nf_reduce_progress {
    uint64_t positions, windows;   /* positions: BOS included */
    uint64_t delta[3];          /* of each order (ngrams.h) */
    size_t ngrams, bytes;       /* held */
    bool cka;                   /* selected */
    uint64_t cka_groups, cka_left_out;   /* similarity.h */
};
struct nf_reduce_progress nf_reduce_progress(const struct nf_reduce *r);

#endif
