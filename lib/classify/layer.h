/*
 * layer.h - all counts of one layer, gathered from the records of a stats stream.  FORMAT.md section 4.4.
 */
#ifndef NF_CLASSIFY_LAYER_H
#define NF_CLASSIFY_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/stats.h"
#include "classify/triggers.h"

struct nf_layer_counts {
    const struct nf_totals *totals;
    const struct nf_keys *keys;                  /* [NF_ORDERS] */
    size_t F, T, Q, B;                           /* B: bins of domain_position */

    size_t layer;
    bool in_scope;                               /* its counts are kept, otherwise passed over */
    uint64_t *all, *bos;                         /* [F] */
    uint64_t *domain;                            /* [Q, F] */
    uint64_t near_zero;
    uint32_t *curve;                             /* [T, F] */
    size_t positions;                            /* rows of it that came */
    uint32_t *domain_curve;                      /* [Q, B, F] */
    size_t bins[NF_DOMAINS_MAX];                 /* rows of each that came */
    struct nf_triggers triggers[NF_ORDERS];
    uint64_t *lost[NF_ORDERS];                   /* [F] */
};

/* nf_layer_init - room for any layer of these totals.  NF_ESYS.  Release with nf_layer_clear(), which accepts a half-made struct. */
int nf_layer_init(struct nf_layer_counts *l, const struct nf_totals *totals, const struct nf_keys keys[NF_ORDERS],
                  const struct nf_classify *cfg, struct nf_err *err);

/* nf_layer_begin - a layer begins with its fires record.  NF_EFORMAT: more fires than positions. */
int nf_layer_begin(struct nf_layer_counts *l, const struct nf_fires *f, bool in_scope, struct nf_err *err);

/*
 * nf_layer_take - a record between fires and the next layer: position, domain_position, counts, lost.
 *
 * NF_EOF: another type.  NF_EFORMAT: of another layer, out of order, or impossible counts.
 */
int nf_layer_take(struct nf_layer_counts *l, const msgpack_object *rec, struct nf_err *err);

/*
 * nf_layer_end - check that everything came that the totals announce. NF_EFORMAT: something is
 * missing.
 */
int nf_layer_end(const struct nf_layer_counts *l, struct nf_err *err);

/* nf_layer_positions - can the positional rules be applied: full windows, captured whole? */
bool nf_layer_positions(const struct nf_layer_counts *l);

void nf_layer_clear(struct nf_layer_counts *l);

#endif
