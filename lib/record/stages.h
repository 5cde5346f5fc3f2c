/*
 * stages.h - kind "stats": similarity of residual streams, norms, attention.  FORMAT.md section 4.4, from cka to merging.
 *
 * Every struct is a view of one record, which owns nothing: record.h.
 * P points of the residual stream: point l enters layer l, point L = P - 1 leaves the last one.
 */
#ifndef NF_RECORD_STAGES_H
#define NF_RECORD_STAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/record.h"

enum {
    NF_POINTS_MAX = 144,         /* so that records of all pairs, and of all heads, stay under NF_MP_BYTES */
    NF_HEADS_MAX = 512,
    NF_DOC_SUMS = 7,             /* lib/numeric/mergeable_means.h */
    NF_DOC_CROSS = 4,
    NF_CKA_BLOCKS = 32,          /* lib/numeric/cka.h */
    NF_RATIOS = 11,
    NF_LOCAL_WINDOWS = 6,        /* 1, 2, 4, 5, 8, 16 positions */
    NF_LOCAL_COLUMNS = 13,       /* of each head: sums over the windows, share on position 0, means per offset over the windows */
    NF_BACK_OFFSETS = 17,        /* 0, the position itself, to 16 */
};

/* Columns of means: U of them; n and docs u8[U], the four f8[U], sums u8[U, NF_DOC_SUMS, 5].  NaN where undefined. */
struct nf_mergeable_means_rec {
    size_t U;
    const void *n, *docs, *mean, *se, *doc_mean, *doc_se, *sums;
};

/* "cka" */
struct nf_cka_rec {
    char rows[8];                /* last, all */
    size_t batch, P;             /* batch: most rows of a group */
    uint64_t n, left_out;        /* groups; rows that are in none */
    const void *cka, *se;        /* f8[P, P]; NaN where undefined */
    const void *blocks;          /* u8[NF_CKA_BLOCKS]: groups of each block of the jackknife */
    const void *sums;            /* u8[P (P + 1) / 2, NF_CKA_BLOCKS, 5]: pairs i <= j, by j, then i */
};
extern const struct nf_record nf_cka_record;

/* "similarity": of all pairs of points. */
struct nf_similarity_rec {
    char measure[8], rows[8];    /* cos, angle; last, all */
    size_t P;
    uint64_t n, docs, zero;      /* zero: positions left out because a point is the zero vector there */
    const void *mean, *se, *doc_mean, *doc_se;   /* f8[P, P] */
    const void *sums;            /* u8[P (P - 1) / 2, NF_DOC_SUMS, 5]: pairs i < j, by i, then j */
};
extern const struct nf_record nf_similarity_record;

/* "influence": of one layer, from the similarity of its two points. */
struct nf_influence_rec {
    size_t layer;
    uint64_t n, docs;
    double influence, se;        /* NaN (in the record: nil) where undefined */
};
extern const struct nf_record nf_influence_record;

/* "ratio": one mean of one layer; the last four are lengths. */
struct nf_ratio_rec {
    size_t layer, of;            /* of < NF_RATIOS: nf_ratio_name() */
    uint64_t n, docs;
    double mean, se, doc_mean, doc_se;   /* NaN (in the record: nil) where undefined */
    const void *sums;            /* u8[NF_DOC_SUMS, 5] */
};
const char *nf_ratio_name(size_t of);    /* "block/resid.pre" */
extern const struct nf_record nf_ratio_record;

/* "locality": U = (H + 2) NF_LOCAL_COLUMNS: heads, their mean, uniform attention. */
struct nf_locality_rec {
    size_t layer, H;
    uint64_t sinks;              /* heads whose mean share on position 0 reaches the threshold */
    struct nf_mergeable_means_rec m;    /* shapes [H + 2, NF_LOCAL_COLUMNS] */
};
extern const struct nf_record nf_locality_record;

/* "merging": U = 2 H NF_BACK_OFFSETS: class multi, class single. */
struct nf_merging_rec {
    size_t layer, H;
    uint64_t either;             /* documents with positions of any class */
    struct nf_mergeable_means_rec m;    /* shapes [2, H, NF_BACK_OFFSETS] */
    const void *difference, *difference_se;   /* f8[H, NF_BACK_OFFSETS] */
    const void *cross;           /* u8[H NF_BACK_OFFSETS, NF_DOC_CROSS, 5] */
};
extern const struct nf_record nf_merging_record;

#endif
