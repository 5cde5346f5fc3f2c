/* lens_run.c - points, batches and results of a lens. */
#include "run/lens_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/prog.h"
#include "model/attribute.h"
#include "model/compare.h"
#include "model/streams.h"
#include "model/tuned.h"
#include "run/activation_cache.h"
#include "run/dry_run.h"
#include "run/grouped_means.h"
#include "run/lens_records.h"

struct lens_run {
    const struct nf_lens_options *o;
    struct nf_model_run *r;
    struct nf_tuned *tuned; /* NULL: none */
    struct nf_lens lens;
    struct nf_point *point; /* [n] */
    size_t n, tokens; /* points; tokens that there is room for */
    bool captured; /* streams come with the input; no block runs */
    bool legacy;
    struct nf_tap tap;
    struct nf_activation_cache cache; /* captured */
    struct nf_grouped_means means, part_means; /* of points, of parts */
    struct nf_attribute *attribute; /* NULL: not asked for */
    float *part; /* [parts] of one row */
    float **h, **mid, **translated; /* [L+1], [L], [L] streams; NULL: not asked for */
    struct nf_divergence *row; /* [n + 1, tokens] */
    uint32_t *top; /* [n + 1, tokens, top_k] */
    float *top_p;
};

static void *make_lens_run(const void *options, struct nf_err *err)
{
    const struct nf_lens_options *o = options;
    struct lens_run *l;

    if (o->top_k && !o->per_token) {
        nf_fail(err, NF_EUSAGE, "--top-k goes with --per-token: it is of rows");
        return NULL;
    }
    l = nf_alloc(1, sizeof *l, err);
    if (l)
        l->o = o;
    return l;
}

/* ---- plan ---- */

static int check_model(const struct lens_run *l, const struct nf_config *c, struct nf_err *err)
{
    const struct nf_lens_options *o = l->o;

    if (o->top_k > c->V)
        return nf_fail(err, NF_EUSAGE, "--top-k %" PRIu64 ": %s has %zu tokens", o->top_k, c->name, c->V);
    if (o->mid && c->parallel)
        return nf_fail(err, NF_EUSAGE, "--mid: attention and FFN of %s are parallel, there is no stream between them", c->name);
    if (l->legacy && !c->final_norm)
        return nf_fail(err, NF_EUSAGE, "--norm cached, --no-bias: %s has no final norm", c->name);
    if (l->legacy && o->tuned)
        return nf_fail(err, NF_EUSAGE, "--tuned: a translator goes with the lens's own norm and biases");
    return NF_OK;
}

static int open_tuned(struct lens_run *l, const struct nf_config *c, struct nf_err *err)
{
    const char *made_for;

    if (!l->o->tuned)
        return NF_OK;
    l->tuned = nf_tuned_open(l->o->tuned, c, err);
    if (!l->tuned)
        return (int)err->code;
    made_for = nf_tuned_made_for(l->tuned);
    if (*made_for && strcasecmp(made_for, c->name) != 0 && !nf_common.quiet)
        nf_warn("the translators were made for %s, the model is %s", made_for, c->name);
    return NF_OK;
}

static int make_points(struct lens_run *l, const struct nf_config *c, struct nf_err *err)
{
    l->point = nf_alloc(2 * c->L + 1, sizeof *l->point, err);
    if (!l->point)
        return NF_ESYS;
    for (size_t i = 0; i <= c->L; i++) {
        l->point[l->n++] = (struct nf_point){ .layer = i };
        if (l->o->mid && i < c->L)
            l->point[l->n++] = (struct nf_point){ .layer = i, .mid = true };
    }
    return NF_OK;
}

static int plan_lens(void *self, struct nf_model_run *r)
{
    struct lens_run *l = self;
    const struct nf_config *c = &r->model.cfg;

    l->r = r;
    l->lens = (struct nf_lens){ .cached = l->o->cached, .no_bias = l->o->no_bias };
    l->legacy = l->lens.cached || l->lens.no_bias;
    l->captured = r->windows.captured = strcmp(nf_reader_kind(r->in), "activations") == 0;
    if (check_model(l, c, r->err) < 0 || open_tuned(l, c, r->err) < 0 || make_points(l, c, r->err) < 0)
        return (int)r->err->code;
    snprintf(r->note, sizeof r->note, "%zu points", l->n);
    r->hand_on = l->o->per_token;
    return NF_OK;
}

/* ---- the tap: streams between attention and FFN, and what attention and FFN add ---- */

static bool lens_wants(void *self, enum nf_site site, size_t layer)
{
    const struct lens_run *l = self;

    (void)layer;
    if (site == NF_SITE_RESID_MID)
        return l->o->mid;
    return l->o->attribute && (site == NF_SITE_ATTN_OUT || site == NF_SITE_FFN_OUT);
}

static int keep_rows(void *self, const struct nf_rows *rows)
{
    struct lens_run *l = self;

    if (rows->site == NF_SITE_RESID_MID)
        memcpy(l->mid[rows->layer] + rows->row * rows->width, rows->data, rows->rows * rows->width * sizeof(float));
    else
        nf_attribute_rows(l->attribute, rows->site == NF_SITE_ATTN_OUT ? NF_PART_ATTN : NF_PART_FFN, rows->layer, rows->row,
                          rows->rows, rows->data);
    return NF_OK;
}

/* ---- memory ---- */

static uint64_t count_lens_bytes(const struct lens_run *l, const struct nf_config *c)
{
    size_t streams = c->L + 1, row = sizeof(struct nf_divergence) + l->o->top_k * (sizeof *l->top + sizeof *l->top_p);
    uint64_t bytes = (l->n + 1) * row;

    if (l->o->mid)
        streams += c->L;
    if (l->tuned)
        streams += c->L;
    if (l->o->attribute)
        bytes += nf_attribute_token_bytes(c);
    return bytes + streams * c->D * sizeof(float);
}

/* What is held beside streams and the pass. */
static uint64_t held_bytes(const struct lens_run *l, const struct nf_config *c)
{
    return l->tuned ? nf_tuned_bytes(c) : 0;
}

static int fit_lens(void *self, struct nf_model_run *r)
{
    struct lens_run *l = self;
    const struct nf_config *c = &r->model.cfg;
    struct nf_forward_opts *opts = &r->forward_opts;

    if (opts->memory)
        opts->memory -= nf_min(held_bytes(l, c), opts->memory - 1);
    l->tap = (struct nf_tap){ l, lens_wants, keep_rows, 0 };
    opts->tap = &l->tap;
    opts->streams = l->n + 1;
    opts->no_blocks = l->captured;
    opts->batch_tokens = r->model.context;
    return l->captured ? NF_OK : nf_streams_fit(c, r->model.context, count_lens_bytes(l, c), r->room, opts, r->err);
}

static void close_streams(struct lens_run *l)
{
    nf_streams_close(l->h);
    nf_streams_close(l->mid);
    nf_streams_close(l->translated);
    free(l->row);
    free(l->top);
    free(l->top_p);
    nf_attribute_close(l->attribute);
    l->h = l->mid = l->translated = NULL;
    l->row = NULL;
    l->top = NULL;
    l->top_p = NULL;
    l->attribute = NULL;
}

/* Room for batches of so many tokens. */
static int open_streams(struct lens_run *l, size_t tokens)
{
    const struct nf_lens_options *o = l->o;
    const struct nf_config *c = &l->r->model.cfg;
    struct nf_err *err = l->r->err;
    size_t floats = tokens * c->D, rows = (l->n + 1) * tokens;

    l->tokens = tokens;
    l->h = nf_streams_open(c->L + 1, floats, err);
    l->row = nf_alloc(rows, sizeof *l->row, err);
    l->top = nf_alloc(rows * o->top_k, sizeof *l->top, err);
    l->top_p = nf_alloc(rows * o->top_k, sizeof *l->top_p, err);
    if (o->mid)
        l->mid = nf_streams_open(c->L, floats, err);
    if (l->tuned)
        l->translated = nf_streams_open(c->L, floats, err);
    if (o->attribute)
        l->attribute = nf_attribute_open(c, &l->r->model.weights, tokens, err);
    nf_forward_keep_top(l->r->forward, o->top_k, l->top, l->top_p);
    return (int)err->code;
}

/* Captured batches are as large as they are: room for this one, within --memory. */
static int make_room(struct lens_run *l, size_t tokens)
{
    const struct nf_model_run *r = l->r;
    const struct nf_forward_plan *f = nf_forward_get_plan(r->forward);
    const struct nf_config *c = &r->model.cfg;
    uint64_t bytes = held_bytes(l, c) + f->weight_bytes + f->work_bytes + count_lens_bytes(l, c) * tokens;

    if (tokens <= l->tokens)
        return NF_OK;
    if (r->memory && bytes > r->memory)
        return nf_fail(r->err, NF_EUSAGE,
                       "--memory %" PRIu64 " is too small: a batch of %zu tokens of the activations needs %" PRIu64 " bytes",
                       r->memory, tokens, bytes);
    close_streams(l);
    return open_streams(l, tokens);
}

static int open_lens(void *self, struct nf_model_run *r)
{
    struct lens_run *l = self;
    const struct nf_config *c = &r->model.cfg;

    l->part = nf_alloc(nf_attribute_parts(c), sizeof *l->part, r->err);
    if (!l->part || open_streams(l, l->captured ? 1 : r->windows.most) < 0 ||
        nf_grouped_means_init(&l->means, l->n, NF_LENS_COUNT, r->err) < 0)
        return (int)r->err->code;
    if (l->o->attribute && nf_grouped_means_init(&l->part_means, nf_attribute_parts(c), 1, r->err) < 0)
        return NF_ESYS;
    if (l->captured && nf_activation_cache_open(&l->cache, r->in, c, l->o->mid, l->o->attribute, r->err) < 0)
        return (int)r->err->code;
    l->cache.allow_nonfinite = r->o->allow_nonfinite;
    return NF_OK;
}

/* ---- --dry-run ---- */

/* A lens is a pass to the end, or none, and an unembedding of every stream; a translator is one more map. */
static void cost_lens(void *self, struct nf_model_run *r, struct nf_cost *cost)
{
    const struct lens_run *l = self;
    const struct nf_config *c = &r->model.cfg;
    double D = (double)c->D;

    cost->head *= (double)(l->legacy ? l->n + 1 : l->n);
    if (l->tuned)
        cost->maps += 2 * D * D * (double)c->L;
    cost->held = held_bytes(l, c) + count_lens_bytes(l, c) * cost->plan.batch_tokens;
    if (cost->json)
        json_object_set_new(cost->json, "points", json_integer((json_int_t)l->n));
    else
        printf("points       %zu\n", l->n);
}

/* ---- output ---- */

/* What the means leave out. */
static json_t *excluded_rows(const struct nf_lens_options *o, const struct nf_range *positions)
{
    json_t *a = json_array();

    if (!o->include_bos)
        json_array_append_new(a, json_string("BOS"));
    if (o->with_next)
        json_array_append_new(a, json_string("positions without a next token"));
    if (positions->from > 0 || positions->to < SIZE_MAX)
        json_array_append_new(a, json_string("positions outside --positions"));
    return a;
}

static void head_lens(void *self, const struct nf_model_run *r, json_t *header)
{
    const struct lens_run *l = self;
    const struct nf_lens_options *o = l->o;

    json_object_set_new(header, "excluded", excluded_rows(o, &r->o->positions));
    json_object_set_new(header, "lens",
                        json_pack("{s:I, s:b, s:s, s:b, s:b}", "points", (json_int_t)l->n, "mid", o->mid, "norm",
                                  o->cached ? "cached" : "own", "bias", !o->no_bias, "tuned", o->tuned != NULL));
}

/* The points and parts that the other records have the numbers of. */
static int write_points(void *self, struct nf_model_run *r)
{
    const struct lens_run *l = self;
    const struct nf_config *c = &r->model.cfg;

    for (size_t i = 0; i < l->n; i++)
        nf_point_write(r->out, i, &l->point[i], c->L);
    for (size_t i = 0; i < l->part_means.things; i++) {
        const struct nf_part part = nf_attribute_part(c, i);

        nf_part_write(r->out, i, &part);
    }
    return (int)r->err->code;
}

/* ---- batches ---- */

/* Does the prediction at this position of window w count? */
static bool row_counts(const struct lens_run *l, size_t w, size_t pos)
{
    const struct nf_batch *b = &l->r->windows.batch;
    const struct nf_range *positions = &l->r->o->positions;

    if (pos < positions->from || pos >= positions->to)
        return false;
    if (pos == 0 && b->bos[w] && !l->o->include_bos)
        return false;
    return !l->o->with_next || pos + 1 < b->length[w];
}

/* A row; top: where its most probable tokens are. */
static void write_token(struct lens_run *l, size_t point, const double x[NF_LENS_COUNT], const struct nf_divergence *own,
                        size_t top, const struct nf_row_place *at)
{
    size_t k = l->o->top_k;
    const struct nf_lens_token_rec rec = { .point = point,
                                           .doc = at->doc,
                                           .window = at->window,
                                           .position = at->position,
                                           .token = at->token,
                                           .top = own->top,
                                           .kl = x[NF_LENS_KL],
                                           .agree = x[NF_LENS_AGREE],
                                           .entropy = x[NF_LENS_ENTROPY],
                                           .loss = x[NF_LENS_LOSS],
                                           .rank = x[NF_LENS_RANK],
                                           .k = k,
                                           .top_ids = k ? l->top + top : NULL,
                                           .top_p = k ? l->top_p + top : NULL };

    nf_record_write(&nf_lens_token_record, l->r->out, &rec);
}

static int take_point(struct lens_run *l, size_t point, size_t stream)
{
    struct nf_model_run *r = l->r;
    const struct nf_batch *b = &r->windows.batch;
    double x[NF_LENS_COUNT];
    size_t row = 0, k = l->o->top_k;
    int rc = NF_OK;

    for (size_t w = 0; w < b->W; w++)
        for (size_t pos = 0; pos < b->length[w] && rc == NF_OK; pos++, row++) {
            const struct nf_divergence *base = &l->row[row], *own = &l->row[stream * b->T + row];
            size_t top = (stream * b->T + row) * k;

            if (!row_counts(l, w, pos))
                continue;
            nf_lens_of(base, own, x);
            rc = nf_grouped_means_add(&l->means, point, b->doc[w], r->windows.domain[w], pos, x, r->err);
            if (l->o->per_token)
                write_token(l, point, x, own, top, &(struct nf_row_place){ b->doc[w], b->window[w], pos, b->ids[row] });
        }
    return rc < 0 ? rc : (int)r->err->code;
}

/* What every part gives at position pos of window w, whose first row is `row`. */
static int take_parts_of_row(struct lens_run *l, size_t w, size_t pos, size_t row)
{
    struct nf_model_run *r = l->r;
    const struct nf_batch *b = &r->windows.batch;
    const struct nf_parts_rec rec = { b->doc[w], b->window[w], pos, b->ids[row + pos], l->part_means.things, l->part };
    int rc = NF_OK;

    for (size_t i = 0; i < l->part_means.things && rc == NF_OK; i++) {
        double x = (double)(l->part[i] = nf_attribute_of(l->attribute, i)[row + pos]);

        rc = nf_grouped_means_add(&l->part_means, i, b->doc[w], r->windows.domain[w], pos, &x, r->err);
    }
    if (l->o->per_token)
        nf_record_write(&nf_parts_record, r->out, &rec);
    return rc < 0 ? rc : (int)r->err->code;
}

/* The rows that have a next token. */
static int take_parts(struct lens_run *l)
{
    const struct nf_batch *b = &l->r->windows.batch;
    size_t row = 0;
    int rc = NF_OK;

    for (size_t w = 0; w < b->W; row += b->length[w++])
        for (size_t pos = 0; pos + 1 < b->length[w] && rc == NF_OK; pos++)
            if (row_counts(l, w, pos))
                rc = take_parts_of_row(l, w, pos, row);
    return rc;
}

/* The streams of the batch, and what their parts give. */
static int run_blocks(struct lens_run *l, const struct nf_windows *win)
{
    struct nf_model_run *r = l->r;
    int rc;

    if (l->attribute)
        nf_attribute_start(l->attribute, win);
    if (l->captured) {
        l->cache.h = l->h;
        l->cache.mid = l->mid;
        l->cache.attribute = l->attribute;
        rc = nf_activation_cache_read(&l->cache, &r->windows, r->err);
    } else {
        rc = nf_streams_run(r->forward, win, l->h, r->err);
    }
    if (rc == NF_OK && l->attribute) {
        nf_attribute_rows(l->attribute, NF_PART_EMBED, 0, 0, win->T, l->h[0]);
        nf_attribute_finish(l->attribute, l->h[r->model.cfg.L]);
    }
    return rc;
}

static int translate(struct lens_run *l, size_t T)
{
    int rc = NF_OK;

    for (size_t i = 0; l->tuned && rc == NF_OK && i < l->r->model.cfg.L; i++)
        rc = nf_tuned_apply(l->tuned, i, l->h[i], T, l->translated[i], l->r->err);
    return rc;
}

static const float *stream_of(const struct lens_run *l, const struct nf_point *p)
{
    if (p->mid)
        return l->mid[p->layer];
    if (l->translated && p->layer < l->r->model.cfg.L)
        return l->translated[p->layer];
    return l->h[p->layer];
}

/* Streams 1 .. are the points; the last is the base itself, unless the lens is a legacy one. */
static int compare_lens_points(struct lens_run *l, const struct nf_windows *win)
{
    struct nf_model_run *r = l->r;
    size_t others = l->legacy ? l->n : l->n - 1;
    const float **x = nf_alloc(l->n + 1, sizeof *x, r->err);
    int rc;

    if (!x)
        return NF_ESYS;
    x[0] = l->h[r->model.cfg.L];
    for (size_t i = 0; i < others; i++)
        x[i + 1] = stream_of(l, &l->point[i]);
    rc = nf_forward_compare(r->forward, win, x, others + 1, l->legacy ? &l->lens : NULL, l->row, r->err);
    for (size_t i = 0; rc == NF_OK && i < l->n; i++)
        rc = take_point(l, i, i < others ? i + 1 : 0);
    free(x);
    return rc;
}

static int run_lens(void *self, struct nf_model_run *r)
{
    struct lens_run *l = self;
    const struct nf_batch *b = &r->windows.batch;
    const struct nf_windows win = { b->ids, b->length, b->W, b->T };
    int rc = make_room(l, b->T);

    if (rc == NF_OK)
        rc = run_blocks(l, &win);
    if (rc == NF_OK)
        rc = translate(l, win.T);
    if (rc == NF_OK)
        rc = compare_lens_points(l, &win);
    if (rc == NF_OK && l->attribute)
        rc = take_parts(l);
    return rc;
}

/* ---- results ---- */

static int write_means(void *self, struct nf_model_run *r)
{
    const struct lens_run *l = self;

    nf_grouped_means_write(&l->means, r->out, &nf_lens_record, NULL, r->windows.domains);
    if (l->attribute)
        nf_grouped_means_write(&l->part_means, r->out, &nf_attribution_record, NULL, r->windows.domains);
    return (int)r->err->code;
}

static json_t *sum_lens(const void *self, const struct nf_model_run *r)
{
    const struct lens_run *l = self;

    return json_pack("{s:I, s:I, s:I, s:I}", "points", (json_int_t)l->n, "parts", (json_int_t)l->part_means.things, "tokens",
                     (json_int_t)r->tokens, "windows", (json_int_t)r->count);
}

static void close_lens(void *self)
{
    struct lens_run *l = self;

    close_streams(l);
    free(l->part);
    free(l->point);
    nf_tuned_close(l->tuned);
    nf_activation_cache_close(&l->cache);
    nf_grouped_means_clear(&l->means);
    nf_grouped_means_clear(&l->part_means);
    free(l);
}

const struct nf_model_filter nf_lens_filter = {
    .reads = "tokens|activations",
    .writes = "lens",
    .make = make_lens_run,
    .plan = plan_lens,
    .fit = fit_lens,
    .cost = cost_lens,
    .open = open_lens,
    .header = head_lens,
    .start = write_points,
    .batch = run_lens,
    .end = write_means,
    .totals = sum_lens,
    .close = close_lens,
};
