/*
 * logit-lens - what a model would predict if it ended at any point of its residual stream.
 *
 *   in   tokens   windows; each is a sequence of its own; or activations with the residual stream at every block
 *   out  lens     for each point entropy, divergence from the final distribution, agreement with it, loss and rank of the next token
 *   doc  src/logit-lens.md: the points, the measures, the lenses
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hub.h"
#include "base/opt.h"
#include "base/output.h"
#include "base/par.h"
#include "base/prog.h"
#include "model/attribute.h"
#include "model/compare.h"
#include "model/streams.h"
#include "model/tuned.h"
#include "run/window_reader.h"
#include "run/activation_cache.h"
#include "record/lens.h"
#include "run/loaded_model.h"
#include "run/grouped_means.h"
#include "stream/reader.h"
#include "stream/writer.h"

struct lens_options {
    const char *model, *revision, *tuned;
    enum nf_dtype dtype;
    bool cached; /* --norm */
    uint64_t memory, top_k;
    struct nf_range positions;
    bool mid, attribute, no_bias, include_bos, with_next, per_token, allow_nonfinite;
};

struct lens_plan {
    struct nf_loaded_model subject;
    struct nf_tuned *tuned; /* NULL: none */
    struct nf_lens lens;
    struct nf_point *point; /* [n] */
    size_t n, tokens; /* points; tokens of a batch */
    bool captured; /* streams come with the input; no block runs */
    bool legacy; /* the last point is a point like the others, not the model's output */
    struct nf_tap tap;
    struct nf_forward *forward;
};

struct lens_run {
    struct lens_plan *plan;
    const struct lens_options *o;
    struct nf_window_reader intake;
    struct nf_activation_cache kept; /* captured */
    struct nf_grouped_means tallies, parts; /* of points, of parts */
    struct nf_attribute *attribute; /* NULL: not needed */
    float *part; /* [parts] of one row */
    struct nf_writer *out;
    float **h, **mid, **tuned; /* [L+1], [L], [L] streams; NULL: not needed */
    struct nf_divergence *row; /* [n + 1, tokens] */
    uint32_t *top; /* [n + 1, tokens, top_k] */
    float *top_p;
    uint64_t tokens, windows;
    struct nf_err *err;
};

/* ---- points ---- */

static void make_points(const struct lens_options *o, struct lens_plan *p, struct nf_err *err)
{
    size_t L = p->subject.cfg.L;

    p->point = nf_alloc(2 * L + 1, sizeof *p->point, err);
    if (!p->point)
        nf_die_err(err);
    for (size_t l = 0; l <= L; l++) {
        p->point[p->n++] = (struct nf_point){ .layer = l };
        if (o->mid && l < L)
            p->point[p->n++] = (struct nf_point){ .layer = l, .mid = true };
    }
}

/* What the pass shows on the way: the streams between attention and FFN, and what attention and FFN add. */
static bool lens_wants(void *self, enum nf_site site, size_t layer)
{
    const struct lens_run *r = self;

    (void)layer;
    return (site == NF_SITE_RESID_MID && r->o->mid) || ((site == NF_SITE_ATTN_OUT || site == NF_SITE_FFN_OUT) && r->o->attribute);
}

static int keep_rows(void *self, const struct nf_rows *rows)
{
    struct lens_run *r = self;

    if (rows->site == NF_SITE_RESID_MID)
        memcpy(r->mid[rows->layer] + rows->row * rows->width, rows->data, rows->rows * rows->width * sizeof(float));
    else
        nf_attribute_rows(r->attribute, rows->site == NF_SITE_ATTN_OUT ? NF_PART_ATTN : NF_PART_FFN, rows->layer, rows->row,
                          rows->rows, rows->data);
    return NF_OK;
}

/* ---- memory ---- */

static uint64_t count_lens_bytes(const struct lens_options *o, const struct lens_plan *p)
{
    const struct nf_config *c = &p->subject.cfg;
    size_t streams = c->L + 1 + (o->mid ? c->L : 0) + (p->tuned ? c->L : 0);

    return streams * c->D * sizeof(float) +
           (p->n + 1) * (sizeof(struct nf_divergence) + o->top_k * (sizeof(uint32_t) + sizeof(float))) +
           (o->attribute ? nf_attribute_token_bytes(c) : 0);
}

/* What is held beside streams and the pass. */
static uint64_t held_bytes(const struct lens_plan *p)
{
    return p->tuned ? nf_tuned_bytes(&p->subject.cfg) : 0;
}

static void open_lens_forward(const struct lens_options *o, struct lens_plan *p, struct nf_err *err)
{
    uint64_t held = o->memory ? nf_min(held_bytes(p), o->memory - 1) : 0;
    struct nf_forward_opts opts = { .dtype = o->dtype,
                                    .memory = o->memory ? o->memory - held : 0,
                                    .tap = &p->tap,
                                    .allow_nonfinite = o->allow_nonfinite,
                                    .streams = p->n + 1,
                                    .no_blocks = p->captured,
                                    .batch_tokens = p->subject.context };

    if (!p->captured && nf_streams_fit(&p->subject.cfg, p->subject.context, count_lens_bytes(o, p), &opts, err) < 0)
        nf_die_err(err);
    p->tokens = p->captured ? 0 : opts.batch_tokens; /* captured: known with the batch */
    p->forward = nf_forward_open(&p->subject.cfg, &p->subject.weights, &opts, p->subject.context, err);
    if (!p->forward)
        nf_die_err(err);
}

static void close_streams(struct lens_run *r)
{
    nf_streams_close(r->h);
    nf_streams_close(r->mid);
    nf_streams_close(r->tuned);
    free(r->row);
    free(r->top);
    free(r->top_p);
    nf_attribute_close(r->attribute);
    r->h = r->mid = r->tuned = NULL;
    r->row = NULL;
    r->top = NULL;
    r->top_p = NULL;
    r->attribute = NULL;
}

/* Room for batches of so many tokens. */
static int open_streams(struct lens_run *r, size_t tokens)
{
    const struct lens_options *o = r->o;
    const struct lens_plan *p = r->plan;
    const struct nf_config *c = &p->subject.cfg;
    size_t floats = tokens * c->D;

    r->h = nf_streams_open(c->L + 1, floats, r->err);
    r->mid = o->mid ? nf_streams_open(c->L, floats, r->err) : NULL;
    r->tuned = p->tuned ? nf_streams_open(c->L, floats, r->err) : NULL;
    r->row = nf_alloc((p->n + 1) * tokens, sizeof *r->row, r->err);
    r->top = nf_alloc((p->n + 1) * tokens * o->top_k, sizeof *r->top, r->err);
    r->top_p = nf_alloc((p->n + 1) * tokens * o->top_k, sizeof *r->top_p, r->err);
    nf_forward_keep_top(p->forward, o->top_k, r->top, r->top_p);
    r->attribute = o->attribute ? nf_attribute_open(c, &p->subject.weights, tokens, r->err) : NULL;
    return r->h && r->top && r->top_p && (!o->mid || r->mid) && (!p->tuned || r->tuned) && r->row && (!o->attribute || r->attribute)
               ? NF_OK
               : NF_ESYS;
}

/* Captured batches are as large as they are: room for this one, within --memory. */
static int reserve(struct lens_run *r, size_t tokens)
{
    struct lens_plan *p = r->plan;
    const struct nf_forward_plan *f = nf_forward_get_plan(p->forward);
    uint64_t bytes = held_bytes(p) + f->weight_bytes + f->work_bytes + count_lens_bytes(r->o, p) * tokens;

    if (tokens <= p->tokens)
        return NF_OK;
    if (r->o->memory && bytes > r->o->memory)
        return nf_fail(r->err, NF_EUSAGE,
                       "--memory %" PRIu64 " is too small: a batch of %zu tokens of the activations needs %" PRIu64 " bytes",
                       r->o->memory, tokens, bytes);
    close_streams(r);
    p->tokens = tokens;
    return open_streams(r, tokens);
}

/* ---- the loop ---- */

/* Is the prediction at this position of window w counted? */
static bool is_measured_at(const struct lens_run *r, size_t w, size_t pos)
{
    const struct nf_batch *b = &r->intake.batch;
    const struct lens_options *o = r->o;

    return pos >= o->positions.from && pos < o->positions.to && (pos > 0 || !b->bos[w] || o->include_bos) &&
           (!o->with_next || pos + 1 < b->length[w]);
}

static int take_lens_rows(struct lens_run *r, size_t point, size_t stream, size_t T)
{
    const struct nf_batch *b = &r->intake.batch;
    double x[NF_LENS_COUNT];
    size_t row = 0;
    int rc = NF_OK;

    for (size_t w = 0; w < b->W; w++)
        for (size_t pos = 0; pos < b->length[w] && rc == NF_OK; pos++, row++) {
            const struct nf_divergence *base = &r->row[row], *own = &r->row[stream * T + row];
            size_t k = r->o->top_k, top = (stream * T + row) * k;

            if (!is_measured_at(r, w, pos))
                continue;
            nf_lens_of(base, own, x);
            rc = nf_grouped_means_add(&r->tallies, point, b->doc[w], r->intake.domain[w], pos, x, r->err);
            if (r->o->per_token)
                nf_lens_token_write(r->out, point,
                                    &(struct nf_lens_token){ b->doc[w], b->window[w], pos, b->ids[row], base, own, k, r->top + top,
                                                             r->top_p + top });
        }
    return rc < 0 ? rc : (int)r->err->code;
}

/* What every part gives, at the rows that have a next token. */
static int take_parts(struct lens_run *r)
{
    const struct nf_batch *b = &r->intake.batch;
    size_t row = 0, n = r->parts.things;
    int rc = NF_OK;

    for (size_t w = 0; w < b->W; row += b->length[w++])
        for (size_t pos = 0; pos + 1 < b->length[w] && rc == NF_OK; pos++) {
            const struct nf_lens_token t = {
                .doc = b->doc[w], .window = b->window[w], .position = pos, .token = b->ids[row + pos]
            };

            if (!is_measured_at(r, w, pos))
                continue;
            for (size_t i = 0; i < n && rc == NF_OK; i++) {
                double x = (double)(r->part[i] = nf_attribute_of(r->attribute, i)[row + pos]);

                rc = nf_grouped_means_add(&r->parts, i, b->doc[w], r->intake.domain[w], pos, &x, r->err);
            }
            if (r->o->per_token)
                nf_parts_write(r->out, &t, r->part, n);
        }
    return rc < 0 ? rc : (int)r->err->code;
}

/* The streams of the batch, and what their parts give. */
static int run_blocks(struct lens_run *r, const struct nf_windows *win)
{
    int rc;

    if (r->attribute)
        nf_attribute_start(r->attribute, win);
    if (r->plan->captured) {
        r->kept.h = r->h;
        r->kept.mid = r->mid;
        r->kept.attribute = r->attribute;
        rc = nf_activation_cache_read(&r->kept, &r->intake, r->err);
    } else {
        rc = nf_streams_run(r->plan->forward, win, r->h, r->err);
    }
    if (rc == NF_OK && r->attribute) {
        nf_attribute_rows(r->attribute, NF_PART_EMBED, 0, 0, win->T, r->h[0]);
        nf_attribute_finish(r->attribute, r->h[r->plan->subject.cfg.L]);
    }
    return rc;
}

static int translate(struct lens_run *r, size_t T)
{
    int rc = NF_OK;

    for (size_t l = 0; r->tuned && rc == NF_OK && l < r->plan->subject.cfg.L; l++)
        rc = nf_tuned_apply(r->plan->tuned, l, r->h[l], T, r->tuned[l], r->err);
    return rc;
}

static const float *stream_of(const struct lens_run *r, const struct nf_point *p)
{
    if (p->mid)
        return r->mid[p->layer];
    return r->tuned && p->layer < r->plan->subject.cfg.L ? r->tuned[p->layer] : r->h[p->layer];
}

static int run_lens_batch(struct lens_run *r)
{
    const struct nf_batch *b = &r->intake.batch;
    const struct nf_windows win = { b->ids, b->length, b->W, b->T };
    struct lens_plan *p = r->plan;
    size_t L = p->subject.cfg.L, others = p->legacy ? p->n : p->n - 1;
    const float **x = nf_alloc(p->n + 1, sizeof *x, r->err);
    int rc = x ? reserve(r, b->T) : NF_ESYS;

    if (rc == NF_OK)
        rc = run_blocks(r, &win);

    if (rc == NF_OK)
        rc = translate(r, win.T);
    if (x)
        x[0] = r->h[L];
    for (size_t i = 0; x && i < others; i++)
        x[i + 1] = stream_of(r, &p->point[i]);
    if (rc == NF_OK)
        rc = nf_forward_compare(p->forward, &win, x, others + 1, p->legacy ? &p->lens : NULL, r->row, r->err);
    for (size_t i = 0; rc == NF_OK && i < p->n; i++)
        rc = take_lens_rows(r, i, i < others ? i + 1 : 0, win.T);
    if (rc == NF_OK && r->attribute)
        rc = take_parts(r);
    free(x);
    r->tokens += b->T;
    r->windows += b->W;
    nf_progress(nf_common.quiet, "%" PRIu64 " tokens, %zu points", r->tokens, p->n);
    return rc;
}

/* ---- results ---- */

/* What the means leave out. */
static json_t *excluded(const struct lens_options *o)
{
    json_t *a = json_array();

    if (!o->include_bos)
        json_array_append_new(a, json_string("BOS"));
    if (o->with_next)
        json_array_append_new(a, json_string("positions without a next token"));
    if (o->positions.from > 0 || o->positions.to < SIZE_MAX)
        json_array_append_new(a, json_string("positions outside --positions"));
    return a;
}

static struct nf_writer *open_lens_output(const struct lens_options *o, const struct lens_plan *p, const struct nf_reader *in,
                                     const struct nf_cmd *cmd, struct nf_err *err)
{
    json_t *header = nf_header_new("lens", nf_reader_header(in), cmd, err);
    json_t *lens = json_pack("{s:I, s:b, s:s, s:b, s:b}", "points", (json_int_t)p->n, "mid", o->mid, "norm",
                             o->cached ? "cached" : "own", "bias", !o->no_bias, "tuned", o->tuned != NULL);
    struct nf_writer *out = NULL;

    if (header && (json_object_set_new(header, "model", nf_loaded_model_json(&p->subject, o->dtype)) < 0 ||
                   json_object_set_new(header, "excluded", excluded(o)) < 0 || json_object_set_new(header, "lens", lens) < 0))
        nf_fail(err, NF_ESYS, "out of memory");
    if (header && err->code == NF_OK)
        out = nf_writer_open(STDOUT_FILENO, header, nf_common.raw, err);
    json_decref(header);
    if (!out)
        nf_die_err(err);
    return out;
}

static void open_run(struct lens_run *r, const struct nf_reader *in)
{
    const struct lens_plan *p = r->plan;
    const struct nf_config *c = &p->subject.cfg;

    r->part = nf_alloc(nf_attribute_parts(c), sizeof *r->part, r->err);
    if (open_streams(r, nf_max(p->tokens, 1)) < 0 || !r->part ||
        nf_grouped_means_init(&r->tallies, p->n, NF_LENS_COUNT, r->err) < 0 ||
        (r->o->attribute && nf_grouped_means_init(&r->parts, nf_attribute_parts(c), 1, r->err) < 0) ||
        (p->captured && nf_activation_cache_open(&r->kept, in, c, r->o->mid, r->o->attribute, r->err) < 0))
        nf_die_err(r->err);
    r->kept.allow_nonfinite = r->o->allow_nonfinite;
}

/* The points and parts that the other records have the numbers of. */
static void write_things(const struct lens_run *r)
{
    const struct nf_config *c = &r->plan->subject.cfg;

    for (size_t i = 0; i < r->plan->n; i++)
        nf_point_write(r->out, i, &r->plan->point[i], c->L);
    for (size_t i = 0; i < r->parts.things; i++) {
        const struct nf_part part = nf_attribute_part(c, i);

        nf_part_write(r->out, i, &part);
    }
}

static void write_means(const struct lens_run *r)
{
    static const char *const logit[] = { "logit" };

    nf_grouped_means_write(&r->tallies, r->out, "lens", "point", NULL, r->intake.domains, nf_lens_names);
    if (r->attribute)
        nf_grouped_means_write(&r->parts, r->out, "attribution", "part", NULL, r->intake.domains, logit);
}

static void close_run(struct lens_run *r)
{
    close_streams(r);
    free(r->part);
    nf_activation_cache_close(&r->kept);
    nf_grouped_means_clear(&r->tallies);
    nf_grouped_means_clear(&r->parts);
    nf_window_reader_clear(&r->intake);
}

static void open_captured(const struct lens_options *o, struct lens_plan *p, struct nf_reader *in, const struct nf_cmd *cmd, struct nf_err *err)
{
    struct lens_run r = { .plan = p, .o = o, .err = err };
    json_t *totals;
    int rc;

    make_points(o, p, err);
    p->tap = (struct nf_tap){ &r, lens_wants, keep_rows, 0 };
    open_lens_forward(o, p, err);
    open_run(&r, in);
    r.out = open_lens_output(o, p, in, cmd, err);
    r.intake = (struct nf_window_reader){ .in = in,
                                          .V = p->subject.V,
                                          .context = p->subject.context,
                                          .captured = p->captured,
                                          .most = p->tokens,
                                          .out = o->per_token ? r.out : NULL };
    rc = nf_window_reader_next(&r.intake, err); /* and vocab, which comes before all else, to r.out */
    write_things(&r);
    while (rc == NF_OK && (rc = run_lens_batch(&r)) == NF_OK)
        rc = nf_window_reader_next(&r.intake, err);
    nf_progress_end();
    if (rc < 0)
        nf_die_err(err);
    write_means(&r);
    totals = json_pack("{s:I, s:I, s:I, s:I}", "points", (json_int_t)p->n, "parts", (json_int_t)r.parts.things, "tokens",
                       (json_int_t)r.tokens, "windows", (json_int_t)r.windows);
    if (nf_writer_close(r.out, totals) < 0)
        nf_die_err(err);
    json_decref(totals);
    close_run(&r);
    nf_forward_close(p->forward);
    free(p->point);
}

static void check_lens(const struct lens_options *o, struct lens_plan *p)
{
    const struct nf_config *c = &p->subject.cfg;

    p->lens = (struct nf_lens){ .cached = o->cached, .no_bias = o->no_bias };
    p->legacy = p->lens.cached || p->lens.no_bias;
    if (o->top_k && !o->per_token)
        nf_die(NF_EXIT_USAGE, "--top-k goes with --per-token: it is of rows");
    if (o->top_k > c->V)
        nf_die(NF_EXIT_USAGE, "--top-k %" PRIu64 ": %s has %zu tokens", o->top_k, c->name, c->V);
    if (o->mid && c->parallel)
        nf_die(NF_EXIT_USAGE, "--mid: attention and FFN of %s are parallel, there is no stream between them", c->name);
    if (p->legacy && !c->final_norm)
        nf_die(NF_EXIT_USAGE, "--norm cached, --no-bias: %s has no final norm", c->name);
    if (p->legacy && o->tuned)
        nf_die(NF_EXIT_USAGE, "--tuned: a translator goes with the lens's own norm and biases");
}

int main(int argc, char **argv)
{
    struct lens_options o = { .dtype = NF_F32, .positions = NF_RANGE_ALL };
    const struct nf_opt opts[] = {
        OPT_MODEL(&o.model, &o.revision, "the model: a directory, a GGUF file, or a name in the Hub cache"),
        OPT_FLAG("mid", &o.mid, "add the points between attention and FFN"),
        OPT_FLAG("attribute", &o.attribute, "also write what each attention and FFN adds to the next token's logit"),
        OPT_STR("tuned", &o.tuned, "DIR", "use a tuned lens: a folder with config.json and params.pt"),
        OPT_EITHER("norm", &o.cached, "own|cached", "final norm: scale of the point, or of the last point (a known error)"),
        OPT_FLAG("no-bias", &o.no_bias, "leave out the biases of final norm and unembedding (a known error)"),
        OPT_FLAG("include-bos", &o.include_bos, "also count the predictions at the BOS position"),
        OPT_RANGE("positions", &o.positions, "count only these positions of each window"),
        OPT_FLAG("with-next", &o.with_next, "count only positions that have a next token"),
        OPT_FLAG("per-token", &o.per_token, "also write one record for each position and point"),
        OPT_UINT("top-k", &o.top_k, 0, 1024, "K", "with --per-token: also write the K most probable tokens"),
        OPT_DTYPE(&o.dtype, "precision of weights and matrix products"),
        OPT_FLAG("allow-nonfinite", &o.allow_nonfinite, "do not stop at NaN or Inf in the residual stream or logits"),
        OPT_SIZE("memory", &o.memory, 0, "limit for weights and streams; 0: weights stay, 1G for streams", .local = true),
        OPT_END,
    };
    const struct nf_cmd cmd = { "logit-lens", "what a model would predict from any point of its residual stream",
                                "",           "tokens, or activations with resid.pre or resid.post",
                                "lens",       opts };
    struct nf_err err = NF_ERR_INIT;
    struct lens_plan p = { 0 };
    struct nf_reader *in;

    nf_prog_start(cmd.name, argv);
    if (nf_opt_parse(&cmd, argc, argv, &err) < 0)
        nf_die_err(&err);
    if (!o.model)
        nf_die(NF_EXIT_USAGE, "-m MODEL is required: the model to look into");
    if (nf_output_open(true, &err) < 0)
        nf_die_err(&err);
    in = nf_loaded_model_reader(o.model, o.revision, "tokens|activations", &p.subject, &err);
    if (!in)
        nf_die_err(&err);
    p.captured = strcmp(nf_reader_kind(in), "activations") == 0;
    check_lens(&o, &p);
    if (p.subject.unchecked && !nf_common.quiet)
        nf_warn("%s has no tokenizer: that the tokens belong to this model is not checked", p.subject.dir);
    if (o.tuned && !(p.tuned = nf_tuned_open(o.tuned, &p.subject.cfg, &err)))
        nf_die_err(&err);
    if (o.tuned && *nf_tuned_made_for(p.tuned) && strcasecmp(nf_tuned_made_for(p.tuned), p.subject.cfg.name) && !nf_common.quiet)
        nf_warn("the translators were made for %s, the model is %s", nf_tuned_made_for(p.tuned), p.subject.cfg.name);
    if (nf_loaded_model_weights(&p.subject, &err) < 0)
        nf_die_err(&err);
    if (nf_common.verbose && *p.subject.differs)
        nf_warn("%s: %s", p.subject.dir, p.subject.differs);
    open_captured(&o, &p, in, &cmd, &err);

    nf_tuned_close(p.tuned);
    nf_reader_close(in);
    nf_loaded_model_close(&p.subject);
    return nf_prog_end(&err);
}
