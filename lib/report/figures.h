/*
 * figures.h - the figures of a report: a table, one function a figure.
 *
 * A function writes what holds without a script: sentences from this run's numbers, remarks, a table; and the place of its chart, which
 * page/charts.js draws from the same data (the entry of the same id in its table).  A new kind of stream adds rows here and there.
 */
#ifndef NF_REPORT_FIGURES_H
#define NF_REPORT_FIGURES_H

#include "report/doc_writer.h"
#include "report/input.h"
#include "report/models.h"
#include "report/stage_input.h"

struct nf_report {
    struct nf_input *runs;             /* [n] neurons streams with counts */
    size_t n;
    struct nf_stage_input *stages;     /* [stages_n] effects, lens and stats streams, and what neurons streams say of the weights */
    size_t stages_n;
    struct nf_model_streams *models;   /* [models_n] these by model */
    size_t models_n;
};

struct nf_figure {
    const char *id;         /* "1a": number in Voita et al. 2023, "S1": of the stages; and key of its chart, or the beginning of it */
    const char *title;
    void (*write)(struct nf_doc_writer *d, const struct nf_report *r);
    bool (*has)(const struct nf_report *r);   /* whether there is anything to show; NULL: always */
};

struct nf_section {
    const char *id, *title, *intro;
    const struct nf_figure *figures;
    size_t n;
    bool stages;            /* of `stages`; otherwise of `runs`.  A section without an input is left out */
};

/* nf_section_shown, nf_figure_shown - whether a report on r has it. */
bool nf_section_shown(const struct nf_section *s, const struct nf_report *r);
bool nf_figure_shown(const struct nf_figure *f, const struct nf_report *r);

extern const struct nf_section nf_sections[];
extern const size_t nf_sections_n;

/* fig_dead.c */
void nf_fig_dead_share(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_frequency(struct nf_doc_writer *d, const struct nf_report *r);
/* fig_ngram.c */
void nf_fig_cover_tokens(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_cover_bigrams(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_cover_trigrams(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_token_detectors(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_tokens_covered(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_tokens_new(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_trigram_detectors(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_trigrams_covered(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_trigrams_new(struct nf_doc_writer *d, const struct nf_report *r);
/* fig_suppress.c */
void nf_fig_examples(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_suppression(struct nf_doc_writer *d, const struct nf_report *r);
/* fig_position.c */
void nf_fig_gallery(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_circles(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_teams(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_positions(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_checkpoints(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_post_norm(struct nf_doc_writer *d, const struct nf_report *r);
/* fig_stages.c */
void nf_fig_stages(struct nf_doc_writer *d, const struct nf_report *r);
bool nf_has_stages(const struct nf_report *r);    /* the rule of some boundary could be applied */
/* fig_lesions.c */
void nf_fig_divergence(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_accuracy(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_repeat(struct nf_doc_writer *d, const struct nf_report *r);
bool nf_has_layers(const struct nf_report *r);    /* some block was left out or exchanged */
bool nf_has_repeat(const struct nf_report *r);
/* fig_lens.c */
void nf_fig_lens(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_vocabulary(struct nf_doc_writer *d, const struct nf_report *r);
bool nf_has_lens(const struct nf_report *r);
bool nf_has_vocabulary(const struct nf_report *r);
/* fig_attention.c */
void nf_fig_locality(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_merging(struct nf_doc_writer *d, const struct nf_report *r);
bool nf_has_locality(const struct nf_report *r);
bool nf_has_merging(const struct nf_report *r);
/* fig_stream.c */
void nf_fig_norms(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_similarity(struct nf_doc_writer *d, const struct nf_report *r);
bool nf_has_norms(const struct nf_report *r);
bool nf_has_similarity(const struct nf_report *r);
/* fig_domains.c */
void nf_fig_domains(struct nf_doc_writer *d, const struct nf_report *r);
bool nf_has_domains(const struct nf_report *r);    /* some stream has means of several */

/* summary.c: the key numbers at the top; where the numbers come from at the end. */
void nf_fig_summary(struct nf_doc_writer *d, const struct nf_report *r);
void nf_fig_provenance(struct nf_doc_writer *d, const struct nf_report *r);

/* nf_prefix - "" for a report on one input, else "NAME: ", for sentences. */
struct nf_shown nf_prefix(const struct nf_report *r, const struct nf_input *run);

/* nf_layer_sum - the sum over a run's layers of the integer at `path`. */
uint64_t nf_layer_sum(const struct nf_input *run, const char *path);

/* nf_gram_show - an n-gram (id or array of ids) as its tokens, spaces visible, marked as a token; appended to t. */
void nf_gram_show(struct nf_text *t, const struct nf_input *run, const json_t *gram);

#endif
