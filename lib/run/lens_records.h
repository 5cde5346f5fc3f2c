/*
 * lens_records.h - what points, parts and their rows are as records: record/lens.h.
 */
#ifndef NF_RUN_LENS_RECORDS_H
#define NF_RUN_LENS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/attribute.h"
#include "model/compare.h"
#include "record/lens.h"
#include "record/rows.h"
#include "stream/writer.h"

/* The stream that enters block `layer` (L: that leaves the last); mid: between its attention and its FFN. */
struct nf_point {
    size_t layer;
    bool mid;
};

/* nf_point_write - record "point", one for each before all others, of a model of L layers.  nf_part_write - record "part", behind the points. */
void nf_point_write(struct nf_writer *out, size_t number, const struct nf_point *p, size_t L);
void nf_part_write(struct nf_writer *out, size_t number, const struct nf_part *p);

/* nf_lens_of - the measures of one row: of the model's output (final), and of the lens. */
void nf_lens_of(const struct nf_divergence *final, const struct nf_divergence *own, double x[NF_LENS_COUNT]);

#endif
