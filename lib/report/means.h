/*
 * means.h - the means in streams of effects, lens and stats, and how a report words them.
 *
 * A thing is an entry of struct nf_stage_input's `things`: an intervention, a point of the stream, or a layer.
 */
#ifndef NF_REPORT_MEANS_H
#define NF_REPORT_MEANS_H

#include "report/figures.h"

/* A mean over n rows with its standard error over documents; n 0 and NaN where it is missing. */
struct nf_mean {
    uint64_t n, docs;
    double mean, se;
};

/* nf_mean_in - of a record of means;  nf_mean_of - of the thing over all its rows. */
struct nf_mean nf_mean_in(const json_t *means, const char *measure);
struct nf_mean nf_mean_of(const json_t *thing, const char *measure);

/* nf_item_is - whether the thing is an intervention of that kind; "": it is none. */
bool nf_item_is(const json_t *thing, const char *kind);

/*
 * nf_mean_extremes - the things of a kind where a measure is lowest and highest, the first of equals; NULL where there is none.
 */
void nf_mean_extremes(const struct nf_stage_input *run, const char *kind, const char *measure, const json_t **low,
                      const json_t **high);

/* ---- words ---- */

/* nf_stage_prefix - as nf_prefix(), among the inputs of one kind. */
struct nf_shown nf_stage_prefix(const struct nf_report *r, const struct nf_stage_input *run);

/* nf_show_three - three significant digits: divergences span orders of magnitude.  sign: also + */
struct nf_shown nf_show_three(double v, bool sign);

/* nf_show_evidence - "n 5,986 in 4 documents, standard error 0.0835" */
struct nf_shown nf_show_evidence(struct nf_mean m);

/* ---- cells ---- */

/* nf_depth_cells - layer and relative depth l / (L - 1);  nf_mean_cells - mean and standard error. */
void nf_depth_cells(struct nf_doc_writer *d, const struct nf_stage_input *run, const json_t *thing);
void nf_mean_cells(struct nf_doc_writer *d, struct nf_mean m, bool sign);

#endif
