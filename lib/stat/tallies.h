/*
 * tallies.h - the same measures of many things (interventions, points of a lens), over all rows, by domain and by position.
 */
#ifndef NF_STAT_TALLIES_H
#define NF_STAT_TALLIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "stat/tally.h"

/*
 * Positions are put together by powers of two: bin 0 is position 0, bin b positions 2^(b-1) .. 2^b - 1.  Position 0 is that of BOS, where
 * windows begin with one.
 */
enum { NF_TALLY_BINS = 33 };

struct nf_tallies {
    size_t things, measures;
    struct nf_tally *all;                     /* [things, measures] */
    struct nf_tally *bin[NF_TALLY_BINS];      /* [things, measures] each; NULL: no row */
    struct nf_tally **domain;                 /* [domains] the same; NULL: no row */
    size_t domains, domains_cap;
};

int nf_tallies_init(struct nf_tallies *t, size_t things, size_t measures, struct nf_err *err);
void nf_tallies_clear(struct nf_tallies *t);   /* accepts a zeroed struct */

/* nf_tallies_add - one row of one thing: x [measures], NaN where a measure has none.  Rows of a document come together. */
int nf_tallies_add(struct nf_tallies *t, size_t thing, uint64_t doc, size_t domain, size_t position, const double *x,
                   struct nf_err *err);

/* The first position of a bin, and that behind its last. */
size_t nf_tallies_bin_from(size_t bin);
size_t nf_tallies_bin_to(size_t bin);

#endif
