/*
 * stats.h - kind "stats": counts of firings and triggers, moments, top positions.  FORMAT.md section 4.4.
 *
 * Every struct is a view of one record: what it points to is borrowed and unaligned when read (copy with memcpy).
 */
#ifndef NF_RECORD_STATS_H
#define NF_RECORD_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "stream/writer.h"
#include "tensor/tensor.h"

enum { NF_ORDERS = 3, NF_DOMAINS_MAX = 256, NF_PLANES_MAX = 32 };

/* "totals": what was counted over.  Owned by the struct (nf_totals_clear()). */
struct nf_totals {
    uint64_t tokens;                     /* BOS left out */
    uint64_t bos, windows, full, docs;
    size_t context;
    size_t Q;                            /* domains, in byte order of their names */
    char *domain[NF_DOMAINS_MAX];
    uint64_t domain_tokens[NF_DOMAINS_MAX], domain_full[NF_DOMAINS_MAX];
    size_t n_layers, *layers;            /* ascending */
    size_t F;
    size_t bin;                          /* positions a bin of domain_position */
};
int nf_totals_read(const msgpack_object *rec, struct nf_totals *t, struct nf_err *err);
void nf_totals_write(struct nf_writer *w, const struct nf_totals *t);
void nf_totals_clear(struct nf_totals *t);

/* "ngrams" */
struct nf_ngrams {
    size_t order;        /* 1 .. 3 */
    size_t planes;       /* bits of each n */
    size_t first;        /* index of the first key among those of the same order and planes */
    size_t k;
    const void *keys;    /* u4[k, order] */
    const void *n;       /* u4[k] */
};
int nf_ngrams_read(const msgpack_object *rec, struct nf_ngrams *g, struct nf_err *err);
void nf_ngrams_write(struct nf_writer *w, const struct nf_ngrams *g);

/* "counts": bit planes of the n-grams with the same order, planes and first. */
struct nf_counts {
    size_t layer, order, planes, first, k;
    const unsigned char *bits;   /* u1[k, planes, (F+7)/8], bit order little */
    size_t row_bytes;            /* (F+7)/8 */
};
int nf_counts_read(const msgpack_object *rec, size_t F, struct nf_counts *c, struct nf_err *err);
void nf_counts_write(struct nf_writer *w, const struct nf_counts *c);

/* "lost_ngrams", "lost" */
struct nf_lost_ngrams {
    size_t order;
    uint64_t delta, occurrences;
};
struct nf_lost {
    size_t layer, order, F;
    const void *fires;   /* u8[F] */
};
int nf_lost_ngrams_read(const msgpack_object *rec, struct nf_lost_ngrams *l, struct nf_err *err);
void nf_lost_ngrams_write(struct nf_writer *w, const struct nf_lost_ngrams *l);
int nf_lost_read(const msgpack_object *rec, size_t F, struct nf_lost *l, struct nf_err *err);
void nf_lost_write(struct nf_writer *w, const struct nf_lost *l);

/* "fires" */
struct nf_fires {
    size_t layer, F, Q;
    const void *all, *bos;   /* u8[F] */
    const void *domain;      /* u8[Q, F] */
    uint64_t near_zero;
};
int nf_fires_read(const msgpack_object *rec, size_t F, size_t Q, struct nf_fires *f, struct nf_err *err);
void nf_fires_write(struct nf_writer *w, const struct nf_fires *f);

/* "position" and "domain_position" */
struct nf_position {
    size_t layer, first, P, F;
    const void *counts;      /* u4[P, F] */
};
struct nf_domain_position {
    size_t layer, domain, B, F;
    const void *counts;      /* u4[B, F] */
};
int nf_position_read(const msgpack_object *rec, size_t F, struct nf_position *p, struct nf_err *err);
void nf_position_write(struct nf_writer *w, const struct nf_position *p);
int nf_domain_position_read(const msgpack_object *rec, size_t F, struct nf_domain_position *p, struct nf_err *err);
void nf_domain_position_write(struct nf_writer *w, const struct nf_domain_position *p);

#endif
