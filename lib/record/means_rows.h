/* means_rows.h - rows that the records of means share.  REC is struct nf_means_rec. */
#ifndef NF_RECORD_MEANS_ROWS_H
#define NF_RECORD_MEANS_ROWS_H

#include "record/field.h"
#include "record/measures.h"

/* clang-format off */
#define GROUP_ROWS                                                                                                        \
    CHOICE(by, nf_by_names, "which rows"),                                                                                \
    TEXT(domain, "by domain: its name", .flags = NF_OPT),                                                                 \
    UINT(from, "by position: positions from .. to-1, powers of two", IN_U32, .flags = NF_OPT),                            \
    UINT(to, "behind the last of them", .flags = NF_OPT),                                                                 \
    UINT(docs, "documents of these rows")

/* A mean: the rest of the row is help, range and unit. */
#define MEAN(key, i, ...) MAP_AS(key, m[i], nf_measure_record, __VA_ARGS__)

/* Of a measure that cannot be negative but for rounding. */
#define ROUNDED .min = -1e-3, .max = INFINITY
/* clang-format on */

#endif
