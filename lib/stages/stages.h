/*
 * stages.h - the measures of layers and heads that Lad et al. 2024 (arXiv:2406.19384) use to tell
 * stages of inference apart, as far as they come from activations. This file knows which are
 * selected, which sites they need, and hands rows to them.
 *
 *   similarity   residual streams of all layers against each other (similarity.h)   resid.pre of every layer and resid.post of the last
 *   ratios       what blocks add, relative to the residual stream (ratios.h)        norms
 *   locality     attention on the positions just before (locality.h)                attn.local
 *   merging      attention from the end of words (subword_merge.h)                        attn.back
 */
#ifndef NF_STAGES_STAGES_H
#define NF_STAGES_STAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "record/context.h"
#include "record/rows.h"

enum nf_measure { NF_MEASURE_SIMILARITY, NF_MEASURE_RATIOS, NF_MEASURE_LOCALITY, NF_MEASURE_MERGING, NF_MEASURES };

struct nf_stages_cfg {
    bool want[NF_MEASURES];
    bool cka_all;            /* rows of the CKA: all positions of a window, not the last of many */
    uint64_t cka_batch;      /* most rows of a group; 0: 128, with cka_all 512 */
    double sink;             /* a head whose mean attention on position 0 reaches this is a sink */
    bool exclude_bos_key;    /* locality: BOS is no key */
};
struct nf_stages_cfg nf_stages_defaults(void);   /* nothing selected; last, 0, 0.3 (Gu et al. 2024, arXiv:2410.10781), false */

/* nf_stages_name - "similarity", ..; NULL beyond the last. */
const char *nf_stages_name(enum nf_measure m);

/*
 * nf_stages_put_header - write the selected measures to the header, as reduce.measures (omitted if
 * none). nf_stages_get_header - read them back. NF_EFORMAT: the entry is not in that form.
 */
int nf_stages_put_header(const struct nf_stages_cfg *cfg, json_t *reduce, struct nf_err *err);
int nf_stages_get_header(const json_t *reduce, struct nf_stages_cfg *cfg, struct nf_err *err);

struct nf_stages;

struct nf_stages *nf_stages_open(const struct nf_stages_cfg *cfg, struct nf_err *err);
void nf_stages_close(struct nf_stages *s);   /* accepts NULL */

/* nf_stages_site - a site of the stream; to be called for all, then once: */
int nf_stages_site(struct nf_stages *s, const char *site, size_t layer, size_t width, struct nf_err *err);

/*
 * nf_stages_ready - all sites are known.
 *
 *   L        layers of the model; 0: not known
 *   context  tokens of a full window
 *   vocab    borrowed; filled by the time rows come
 *   memory   bytes at most
 *   bytes    out: what will be held, but for the residual streams of a batch, which get as much as `memory` again
 *
 * NF_EFORMAT  a site or layer that a selected measure needs is not there (named), or has a size that makes no sense
 * NF_EUSAGE   it takes more than `memory`
 */
int nf_stages_ready(struct nf_stages *s, size_t L, size_t context, const struct nf_vocab *vocab, size_t memory, size_t *bytes,
                    struct nf_err *err);

/* As nf_reals_batch(), _rows() and _end(): rows of sites that no measure needs are passed over. */
int nf_stages_batch(struct nf_stages *s, const struct nf_batch_rows *rows, struct nf_err *err);
int nf_stages_rows(struct nf_stages *s, const struct nf_site_rows *rows, struct nf_err *err);
int nf_stages_end(struct nf_stages *s, struct nf_err *err);

/* nf_stages_finish - the input is at its end. */
void nf_stages_finish(struct nf_stages *s);

int nf_stages_write(struct nf_stages *s, struct nf_writer *w, struct nf_err *err);

/*
 * nf_stages_groups - groups of the CKA so far, and rows that are in none (before nf_stages_finish()
 * also those of an incomplete group). false: the measure is not selected.
 */
bool nf_stages_groups(const struct nf_stages *s, uint64_t *groups, uint64_t *left_out);

/* Merging: records of one stream between _begin and _end.  _record: NF_EOF: not one of ours. */
void nf_stages_merge_begin(struct nf_stages *s);
int nf_stages_merge_record(struct nf_stages *s, const msgpack_object *rec, struct nf_err *err);
int nf_stages_merge_end(struct nf_stages *s, struct nf_err *err);

#endif
