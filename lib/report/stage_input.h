/*
 * stage_input.h - the part of one stream of effects, lens or stats that a report keeps: means of
 * interventions, of points of the stream, of layers.
 */
#ifndef NF_REPORT_STAGE_INPUT_H
#define NF_REPORT_STAGE_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"
#include "report/input.h"
#include "stream/reader.h"

enum nf_stage_kind { NF_STAGE_EFFECTS, NF_STAGE_LENS, NF_STAGE_STATS, NF_STAGE_NEURONS, NF_STAGE_KINDS };

enum {
    NF_PAGE_HEADS = 12,          /* merging heads listed, an input */
    NF_PAGE_DOMAINS = 24,        /* domains whose means are kept, of a thing: the first */
};

/*
 * One input.  The JSON is owned.
 *
 *   header   of the stream, as it came
 *   things   array, in their order, of
 *              effects, lens   the "intervention" or "point" records; `all` in each is its "effect" or "lens" record over all rows, `domains`
 *                              an array of those by domain: of blocks left out or exchanged, and of points.  Means by position, records of
 *                              single tokens and what parts give to logits are not kept: no figure shows them
 *              stats           layers {layer, name, all}; all: {KEY: {n, docs, mean, se}}, KEY the names of ratios (FORMAT.md section 4.4),
 *                              influence, and with W in 1 2 4 5 8 16 "local W" (attention on the W preceding positions), "each W" (on one of
 *                              them), "first" (on position 0), of these also "uniform ..", and "sinks" (share of the layer's heads: n is heads)
 *              neurons         layers {layer, neurons, vocab}, of layers whose weights were classified
 *   pairs    stats: array of {what (cka, angle), rows, P, n, value: [P * P], se: [P * P]}; else empty
 *   heads    stats: array of the heads that most favour the first of four tokens of a word, best first: {layer, head, score, se, docs, multi: {n,
 *            mean: [17], se: [17]}, single: likewise}; index: positions back
 */
struct nf_stage_input {
    enum nf_stage_kind kind;
    char name[160];              /* of the model; made unique among the inputs of its kind */
    json_t *header, *things, *pairs, *heads;
    size_t L;                    /* layers of the model */
};

/* nf_stage_kind_name - as in the header of the stream. */
const char *nf_stage_kind_name(enum nf_stage_kind k);

/*
 * nf_stage_input_read - read a stream of kind effects, lens or stats to its end.
 *
 * NF_EFORMAT: what the reader refuses; a record type or field that is missing or out of range; a mean of a thing that was not
 * announced, or twice; stats without any measure of layers.  After any return the struct is for nf_stage_input_clear().
 */
int nf_stage_input_read(struct nf_stage_input *run, struct nf_reader *in, struct nf_err *err);

/* nf_stage_input_of - what a neurons stream says of the weights, which share its memory: only where run->weights is not empty. */
void nf_stage_input_of(struct nf_stage_input *stage, const struct nf_input *run);

void nf_stage_input_clear(struct nf_stage_input *run);

/* nf_stage_stats_take - a record of a stream of stats into run; what no figure shows is passed over.  NF_EFORMAT as above. */
int nf_stage_stats_take(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err);

#endif
