/*
 * classifier.h - reads the records of a stats stream and writes those of a neurons stream. It
 * applies the rules of Voita et al. 2023 to all layers and, with a model, the rules on weights.
 */
#ifndef NF_CLASSIFY_CLASSIFIER_H
#define NF_CLASSIFY_CLASSIFIER_H

#include <jansson.h>
#include <msgpack.h>

#include "classify/classify.h"
#include "classify/trigger_suppression.h"
#include "vocab/weights.h"
#include "stream/writer.h"

/* What a study is of.  Borrowed until close. */
struct nf_classifier_setup {
    const struct nf_classify *cfg;
    size_t L, F, V;                          /* of the model; vocabulary of the tokenizer, which bounds the ids */
    const struct nf_output_end *end;         /* NULL: no model; suppression and effects on the vocabulary are left out */
    const struct nf_ffn_rows *rows;
    bool weights_only;                       /* no stats: nf_classifier_end() alone writes what the weights say */
    struct nf_writer *out;
};

struct nf_classifier;

/* nf_classifier_open - NULL: memory. */
struct nf_classifier *nf_classifier_open(const struct nf_classifier_setup *setup, struct nf_err *err);

/*
 * nf_classifier_take - the next record of the stats stream, vocab and special left to the caller.
 *
 * A layer's records are written when the next layer begins, or at the end. Memory holds the list of
 * n-grams and one layer. With a model, layers without counts are written in their place, with what
 * their weights show.
 *
 * NF_EFORMAT: a record out of order or of unknown type, impossible counts, or no site ffn.active.
 */
int nf_classifier_take(struct nf_classifier *s, const msgpack_object *rec, struct nf_err *err);

/* nf_classifier_end - write what is left.  *totals: for END, a new reference. */
int nf_classifier_end(struct nf_classifier *s, json_t **totals, struct nf_err *err);

/* nf_classifier_layer - the layer under way, for progress; layers in all. */
size_t nf_classifier_layer(const struct nf_classifier *s, size_t *layers);

void nf_classifier_close(struct nf_classifier *s);   /* accepts NULL */

#endif
