/*
 * loaded_model.h - opens the model that a stream of tokens is for, and checks it against the
 * stream.
 */
#ifndef NF_RUN_LOADED_MODEL_H
#define NF_RUN_LOADED_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/opt.h"
#include "checkpoint/config.h"
#include "checkpoint/weights.h"
#include "stream/reader.h"

/* The row of an option table for an enum nf_dtype: what weights and products are computed in. */
#define OPT_DTYPE(dtype, help) OPT_CHOICE("dtype", dtype, "f32|bf16", help, .means = (const unsigned[]){ NF_F32, NF_BF16 })

struct nf_loaded_model {
    const char *dir;             /* borrowed, or `found` */
    char *found;                 /* by nf_loaded_model_reader(); NULL: the caller's */
    struct nf_config cfg;
    struct nf_weights weights;   /* after nf_loaded_model_weights() */
    size_t context;              /* most tokens of a window, of the stream's header */
    size_t V;                    /* ids are below: the smaller of the vocabularies of tokenizer and model */
    char differs[900];           /* after nf_loaded_model_weights(); for -v; "": nothing */
    bool unchecked;              /* the directory has no tokenizer: that the tokens belong to the model is not known */
};

/*
 * nf_loaded_model_open - the configuration of the model in `dir`, for the stream `in`.
 *
 * NF_EFORMAT: nf_config_read(); a header without context, vocabulary or tokenizer digest; windows longer than the model's positions; a
 * tokenizer that is not the one that made the tokens.  The message names the values.
 */
int nf_loaded_model_open(const char *dir, const struct nf_reader *in, struct nf_loaded_model *s, struct nf_err *err);

/*
 * nf_loaded_model_reader - the beginning of every filter that runs a model: find the model of -m
 * (nf_model_dir()), open the stream on standard input (nf_reader_open(), of these kinds), then
 * nf_loaded_model_open(). The model is looked for before anything is read. NULL: one of them
 * failed.
 */
struct nf_reader *nf_loaded_model_reader(const char *model, const char *revision, const char *kinds, struct nf_loaded_model *s,
                                    struct nf_err *err);

/*
 * nf_model_check_made_with - whether what `what` holds was made with this model, by the digests in its header.
 *
 *   cfg  weights_sha256 "" where the weights have not been read: then config.json alone is compared
 *
 * NF_EFORMAT: names the digests by their first digits.
 */
int nf_model_check_made_with(const json_t *header, const struct nf_config *cfg, const char *what, struct nf_err *err);

/* nf_loaded_model_weights - nf_weights_open(); `differs` then says in one line what is done differently from the files (nf_differences()). */
int nf_loaded_model_weights(struct nf_loaded_model *s, struct nf_err *err);

/* nf_loaded_model_json - the header's `model`, FORMAT.md section 2.  New reference; NULL: memory. */
json_t *nf_loaded_model_json(const struct nf_loaded_model *s, enum nf_dtype dtype);

void nf_loaded_model_close(struct nf_loaded_model *s);   /* accepts a zeroed struct */

#endif
