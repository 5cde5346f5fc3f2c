/*
 * stage_input.h - what a report keeps of one effects or lens stream: its means as JSON.
 */
#ifndef NF_REPORT_STAGE_INPUT_H
#define NF_REPORT_STAGE_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"
#include "stream/reader.h"

enum nf_stage_kind { NF_STAGE_EFFECTS, NF_STAGE_LENS };

/*
 * One input.  The JSON is owned; field names are those of record/effects.h and record/lens.h.
 *
 *   header   of the stream, as it came
 *   things   array of the "intervention" or "point" records, in their order; `all` in each is its "effect" or "lens" record over all
 *            rows.  Means by domain and position and records of single tokens are not kept: no figure shows them
 */
struct nf_stage_input {
    enum nf_stage_kind kind;
    char name[160];              /* of the model; made unique among the inputs of its kind */
    json_t *header, *things;
    size_t L;                    /* layers of the model */
};

/*
 * nf_stage_input_read - read a stream of kind effects or lens to its end.
 *
 * NF_EFORMAT: what the reader refuses; a record type or field that is missing or out of range; a mean of a thing that was not
 * announced, or twice.  After any return the struct is for nf_stage_input_clear().
 */
int nf_stage_input_read(struct nf_stage_input *run, struct nf_reader *in, struct nf_err *err);
void nf_stage_input_clear(struct nf_stage_input *run);

#endif
