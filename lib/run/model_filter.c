/* model_filter.c - the steps in their order. */
#include "run/model_filter.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/output.h"
#include "base/par.h"
#include "base/prog.h"
#include "base/progress.h"
#include "run/dry_run.h"

static double seconds_since(const struct timespec *t)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) * 1e-9;
}

/* Windows are at most as long as the header says. */
static int check_first_position(const struct nf_model_run *r)
{
    size_t from = r->o->positions.from;

    if (from < r->model.context)
        return NF_OK;
    return nf_fail(r->err, NF_EUSAGE, "--positions from %zu: the windows of %s have at most %zu tokens", from,
                   nf_reader_what(r->in), r->model.context);
}

/* And may all be shorter: then nothing was selected. */
static int check_longest(const struct nf_model_run *r)
{
    size_t from = r->o->positions.from;

    if (r->count == 0 || from < r->longest)
        return NF_OK;
    return nf_fail(r->err, NF_EFORMAT, "%s: no window has a position %zu (--positions): the longest has %zu tokens",
                   nf_reader_what(r->in), from, r->longest);
}

static int open_run_model(const struct nf_model_filter *f, void *self, struct nf_model_run *r)
{
    r->in = nf_loaded_model_reader(r->o->model, r->o->revision, f->reads, &r->model, r->err);
    if (!r->in)
        return (int)r->err->code;
    if (check_first_position(r) < 0)
        return NF_EUSAGE;
    r->windows = (struct nf_window_reader){ .in = r->in, .V = r->model.V, .context = r->model.context };
    if (f->plan && f->plan(self, r) < 0)
        return (int)r->err->code;
    if (r->model.unchecked && !nf_common.quiet)
        nf_warn("%s has no tokenizer: that the tokens belong to this model is not checked", r->model.dir);
    if (nf_loaded_model_weights(&r->model, r->err) < 0)
        return (int)r->err->code;
    if (nf_common.verbose && *r->model.differs)
        nf_warn("%s: %s", r->model.dir, r->model.differs);
    return NF_OK;
}

/* Some is left for libraries, buffers and pages of the checkpoint. */
static void share_memory(struct nf_model_run *r)
{
    uint64_t left = nf_limits_read("").memory;

    r->memory = r->o->memory;
    r->room = r->memory ? r->memory : NF_STREAM_BYTES;
    if (r->memory || left == UINT64_MAX)
        return;
    r->memory = nf_max(left - left / 8, 1);
    r->room = nf_min(r->room, r->memory);
    if (nf_common.verbose)
        nf_warn("memory: at most %" PRIu64 " MiB, by the limit of a control group; --memory SIZE sets another limit",
                r->memory >> 20);
}

static int fit_forward(const struct nf_model_filter *f, void *self, struct nf_model_run *r)
{
    share_memory(r);
    r->forward_opts =
        (struct nf_forward_opts){ .dtype = r->o->dtype, .memory = r->memory, .allow_nonfinite = r->o->allow_nonfinite };
    return f->fit ? f->fit(self, r) : NF_OK;
}

static int open_output(const struct nf_model_filter *f, void *self, struct nf_model_run *r)
{
    json_t *header = nf_header_new(f->writes, nf_reader_header(r->in), r->cmd, r->err);

    if (header) {
        json_object_set_new(header, "model", nf_loaded_model_json(&r->model, r->o->dtype));
        f->header(self, r, header);
        r->out = nf_writer_open(STDOUT_FILENO, header, nf_common.raw, r->err);
    }
    json_decref(header);
    r->windows.out = r->hand_on ? r->out : NULL;
    return (int)r->err->code;
}

static void count_run(struct nf_model_run *r)
{
    const struct nf_batch *b = &r->windows.batch;

    r->tokens += b->T;
    r->count += b->W;
    for (size_t w = 0; w < b->W; w++)
        r->longest = nf_max(r->longest, b->length[w]);
}

static int run_batches(const struct nf_model_filter *f, void *self, struct nf_model_run *r)
{
    int rc;

    nf_progress(&(struct nf_progress){ 0, "tokens", 0, NULL });   /* the clock runs from here */
    rc = nf_window_reader_next(&r->windows, r->err);

    if (rc >= 0 && f->start && f->start(self, r) < 0)
        return (int)r->err->code;
    for (; rc == NF_OK; rc = nf_window_reader_next(&r->windows, r->err)) {
        if (f->batch(self, r) < 0)
            return (int)r->err->code;
        count_run(r);
        nf_progress(&(struct nf_progress){ r->tokens, "tokens", nf_share_read(), *r->note ? r->note : NULL });
    }
    return rc < 0 ? rc : check_longest(r);
}

/* Only here does the output get its END. */
static int end_output(const struct nf_model_filter *f, void *self, struct nf_model_run *r)
{
    json_t *totals;

    if (f->end && f->end(self, r) < 0)
        return (int)r->err->code;
    if (nf_maps_check(r->err) < 0)
        return NF_ESYS;
    totals = f->totals(self, r);
    nf_writer_close(r->out, totals);
    r->out = NULL;
    json_decref(totals);
    return (int)r->err->code;
}

static int run_model(const struct nf_model_filter *f, void *self, struct nf_model_run *r)
{
    struct timespec start;
    double s;

    r->forward = nf_forward_open(&r->model.cfg, &r->model.weights, &r->forward_opts, r->model.context, r->err);
    if (!r->forward)
        return (int)r->err->code;
    r->windows.most = nf_forward_get_plan(r->forward)->batch_tokens;
    if ((f->open && f->open(self, r) < 0) || open_output(f, self, r) < 0)
        return (int)r->err->code;
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (run_batches(f, self, r) < 0 || end_output(f, self, r) < 0)
        return (int)r->err->code;
    s = seconds_since(&start);
    if (nf_common.verbose)
        nf_warn("%" PRIu64 " tokens in %" PRIu64 " windows; %.0f tokens/s on %zu threads", r->tokens, r->count,
                (double)r->tokens / s, nf_threads());
    return NF_OK;
}

/* A limit that nobody gave: the message is not about an option, but about the machine. */
static void name_group_limit(const struct nf_model_run *r)
{
    const char *why = strstr(r->err->text, " is too small: ");
    struct nf_err named = NF_ERR_INIT;

    if (r->err->code != NF_EUSAGE || r->o->memory || !r->memory || !why)
        return;
    nf_fail(&named, NF_ESYS, "%" PRIu64 " bytes are left by the limit of a control group: %s", r->memory,
            why + strlen(" is too small: "));
    *r->err = named;
}

static void run_steps(const struct nf_model_filter *f, void *self, struct nf_model_run *r)
{
    if (nf_output_open(!r->o->dry_run, r->err) < 0 || open_run_model(f, self, r) < 0 || fit_forward(f, self, r) < 0)
        return;
    if (r->o->dry_run)
        nf_dry_run(f, self, r);
    else
        run_model(f, self, r);
}

int nf_model_filter_run(const struct nf_model_filter *f, const void *options, const struct nf_cmd *cmd,
                        const struct nf_model_options *o, struct nf_err *err)
{
    struct nf_model_run r = { .o = o, .cmd = cmd, .err = err };
    void *self;

    if (!o->model)
        return nf_fail(err, NF_EUSAGE, "-m MODEL is required: the model to run");
    self = f->make(options, err);
    if (!self)
        return (int)err->code;
    run_steps(f, self, &r);
    name_group_limit(&r);
    f->close(self);
    nf_writer_abort(r.out);
    nf_forward_close(r.forward);
    nf_window_reader_clear(&r.windows);
    nf_reader_close(r.in);
    nf_loaded_model_close(&r.model);
    return (int)err->code;
}
