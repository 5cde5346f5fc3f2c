/* stats_rows.h - the rows of `totals`, which `run` of kind neurons repeats.  p: the path to a struct nf_totals in REC, "totals." or nothing. */
#ifndef NF_RECORD_STATS_ROWS_H
#define NF_RECORD_STATS_ROWS_H

#include "record/stats.h"

/* clang-format off */
#define TOTALS_ROWS(p)                                                                                                             \
    SIZE_AS("Q", p Q, "domains", .max = NF_DOMAINS_MAX),                                                                           \
    SIZE_AS("n_layers", p n_layers, "layers", .max = NF_STATS_LAYERS_MAX),                                                         \
    SIZE_AS("n_ngram_layers", p n_ngram_layers, "layers", .max = NF_STATS_LAYERS_MAX),                                             \
    UINT_AS("tokens", p tokens, "positions that were counted, BOS left out"),                                                      \
    UINT_AS("bos", p bos, "BOS positions"),                                                                                        \
    UINT_AS("windows", p windows, "windows"),                                                                                      \
    UINT_AS("full", p full, "windows of `context` tokens"),                                                                        \
    UINT_AS("docs", p docs, "documents that have windows"),                                                                        \
    UINT_AS("context", p context, "tokens of a window at most", .max = NF_CONTEXT_MAX),                                            \
    UINT_AS("from", p from, "positions from .. to-1 of each window were counted", IN_U32),                                         \
    UINT_AS("to", p to, "behind the last of them", IN_U32),                                                                        \
    TEXTS_IN("domains", p domain, "Q", "names, in byte order", .flags = NF_ASCENDING),                                             \
    UINTS_AS("layers", p layers, "n_layers", "layers with firings", .below = "L", IN_U32, .flags = NF_ASCENDING),                  \
    NUMBERS("orders", p order, "orders whose n-grams were counted"),                                                               \
    UINTS_AS("ngram_layers", p ngram_layers, "n_ngram_layers", "layers for which n-grams were counted", .below = "L", IN_U32,      \
             .flags = NF_ASCENDING),                                                                                               \
    UINT_AS("F", p F, "neurons of a layer; 0: no firings were captured", IN_U32),                                                  \
    UINT_AS("bin", p bin, "positions of a bin of `domain_position`", IN_U32)
/* clang-format on */

int nf_totals_check(const struct nf_totals *t, struct nf_err *err);   /* what no row says alone */

#endif
