/*
 * lesion_records.h - what interventions and their rows are as records: record/effects.h.
 */
#ifndef NF_RUN_LESION_RECORDS_H
#define NF_RUN_LESION_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "model/compare.h"
#include "model/lesion.h"
#include "record/effects.h"
#include "record/rows.h"
#include "stream/writer.h"

/* nf_intervention_write - record "intervention", one for each before all others: its number, name, kind, layers and steps.  NF_ESYS: memory. */
int nf_intervention_write(struct nf_writer *out, size_t number, const struct nf_lesion *l, struct nf_err *err);

/* nf_effects_of - the measures of one row: of the model itself (base), and of the intervened one. */
void nf_effects_of(const struct nf_divergence *base, const struct nf_divergence *own, double x[NF_EFFECT_COUNT]);

/* nf_effect_token_write - record "token": one row of one intervention. */
void nf_effect_token_write(struct nf_writer *out, size_t intervention, const struct nf_lesion *l, const struct nf_divergence *base,
                           const struct nf_divergence *own, const struct nf_row_place *at);

#endif
