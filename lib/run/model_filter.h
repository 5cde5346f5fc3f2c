/*
 * model_filter.h - the frame of a filter that runs a model over windows of tokens: open, plan, loop, totals.
 *
 * The steps, in this order; those in capitals are the filter's, any of them NULL: nothing to do.
 *
 *   MAKE      the options of the command line are checked; the state that the other steps get as `self`
 *      the model that -m names is found, standard input is opened, and the two are matched: loaded_model.h
 *   PLAN      what the options mean for this model is checked, before its weights are read
 *      the weights are mapped, checked and hashed
 *   FIT       options of the forward pass: taps, streams, memory; how many tokens make a batch
 *   COST      --dry-run ends here: dry_run.h
 *      the forward pass is opened
 *   OPEN      room for a batch
 *   HEADER    entries of the output's header, behind those of every such filter; the output begins
 *      the first batch is read, which hands the vocabulary on
 *   START     records that come before those of batches
 *   BATCH     of each batch of windows
 *   END       records behind those of batches
 *   TOTALS    of the END record; the output ends
 *   CLOSE     whatever happened; must accept that OPEN or any step before it failed or was not reached
 *
 * Each returns NF_OK, or a negative code with the message in r->err, which ends the run.
 */
#ifndef NF_RUN_MODEL_FILTER_H
#define NF_RUN_MODEL_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/opt.h"
#include "model/forward.h"
#include "run/loaded_model.h"
#include "run/window_reader.h"
#include "stream/reader.h"
#include "stream/writer.h"

/* Options that these filters share. */
struct nf_model_options {
    const char *model, *revision;   /* -m, --revision */
    enum nf_dtype dtype;            /* of weights and products */
    uint64_t memory;                /* bytes for all that is held; 0: no limit */
    struct nf_range positions;      /* rows of others do not count; all: NF_RANGE_ALL */
    bool allow_nonfinite;
    bool dry_run, json;             /* --dry-run, and its --format */
};

/* The rows of an option table for --dry-run. */
#define OPT_DRY_RUN(o)                                                                                                             \
    OPT_FLAG("dry-run", &(o)->dry_run, "compute nothing: print what a run would compute, hold and write", .letter = 'n',           \
             .local = true),                                                                                                       \
        OPT_EITHER("format", &(o)->json, "text|json", "--dry-run: text for people, json for programs", .local = true)

#define NF_STREAM_BYTES ((uint64_t)1 << 30)   /* of residual streams, where --memory does not say */

struct nf_cost;   /* dry_run.h */

/* One run; what the steps share. */
struct nf_model_run {
    const struct nf_model_options *o;
    const struct nf_cmd *cmd;
    struct nf_loaded_model model;
    struct nf_reader *in;
    struct nf_window_reader windows;   /* the batch at hand; before OPEN: `captured`, `docs` may be set, and `in` of it */
    bool hand_on;                      /* set by the filter: the vocabulary goes into the output */
    uint64_t memory;                   /* bytes for all that is held: --memory, or most of what control groups leave; 0: no limit */
    uint64_t room;                     /* bytes of it for streams at most: all of --memory, else NF_STREAM_BYTES */
    struct nf_forward_opts forward_opts;   /* filled by FIT; dtype, memory and allow_nonfinite are set */
    struct nf_forward *forward;        /* from OPEN on */
    struct nf_writer *out;             /* from START on */
    uint64_t tokens, count;            /* so far; windows */
    size_t longest;                    /* tokens of the longest window so far */
    char note[48];                     /* set by the filter, for progress: "12 interventions"; "" */
    struct nf_err *err;
};

struct nf_model_filter {
    const char *reads;    /* kinds of standard input: "tokens", "tokens|activations" */
    const char *writes;   /* kind of the output */
    void *(*make)(const void *options, struct nf_err *err);   /* options: the filter's own, borrowed; NULL: failed */
    int (*plan)(void *self, struct nf_model_run *r);
    int (*fit)(void *self, struct nf_model_run *r);
    void (*cost)(void *self, struct nf_model_run *r, struct nf_cost *c);
    int (*open)(void *self, struct nf_model_run *r);
    void (*header)(void *self, const struct nf_model_run *r, json_t *header);   /* a lack of memory is found by the writer */
    int (*start)(void *self, struct nf_model_run *r);
    int (*batch)(void *self, struct nf_model_run *r);
    int (*end)(void *self, struct nf_model_run *r);
    json_t *(*totals)(const void *self, const struct nf_model_run *r);          /* new reference */
    void (*close)(void *self);
};

/* nf_model_filter_run - all steps, with the filter's own options.  Opens the output: nf_output_open(). */
int nf_model_filter_run(const struct nf_model_filter *f, const void *options, const struct nf_cmd *cmd,
                        const struct nf_model_options *o, struct nf_err *err);

#endif
