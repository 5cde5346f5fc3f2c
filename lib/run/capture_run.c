/* capture_run.c - sites, batches and totals of a capture. */
#include "run/capture_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/prog.h"
#include "model/sites.h"
#include "run/capture.h"
#include "run/dry_run.h"

struct capture_run {
    const struct nf_capture_options *o;
    struct nf_sites sites;
    struct nf_capture capture;
    struct nf_tap tap;
    uint64_t batches;
};

static void *make_capture_run(const void *options, struct nf_err *err)
{
    struct capture_run *c = nf_alloc(1, sizeof *c, err);

    if (c)
        c->o = options;
    return c;
}

static int plan_capture(void *self, struct nf_model_run *r)
{
    struct capture_run *c = self;

    c->capture = (struct nf_capture){ .cfg = &r->model.cfg,
                                      .sites = &c->sites,
                                      .positions = r->o->positions,
                                      .half = c->o->half,
                                      .allow_nonfinite = r->o->allow_nonfinite,
                                      .err = r->err };
    r->hand_on = r->windows.docs = true;
    return nf_sites_open(&c->o->sites, &c->o->layers, &r->model.cfg, &c->sites, r->err);
}

static int fit_capture(void *self, struct nf_model_run *r)
{
    struct capture_run *c = self;

    c->tap = nf_capture_tap(&c->capture, (float)c->o->near_zero);
    r->forward_opts.tap = &c->tap;
    if (c->o->batch_tokens)
        r->forward_opts.batch_tokens = nf_max(c->o->batch_tokens, r->model.context);
    return NF_OK;
}

/* ---- --dry-run: what would be written ---- */

static size_t count_layers(const struct capture_run *c, enum nf_site site)
{
    size_t n = 0;

    for (size_t l = 0; l <= c->capture.cfg->L; l++)
        n += nf_sites_want(&c->sites, site, l);
    return n;
}

static void print_capture_site(const char *name, const char *layers, size_t bytes, uint64_t rows)
{
    printf("%-12s %7s %12zu %12.1f\n", name, layers, bytes, (double)bytes * (double)rows / 0x1p20);
}

static void cost_capture(void *self, struct nf_model_run *r, struct nf_cost *cost)
{
    struct capture_run *c = self;
    json_t *sites = json_object();
    size_t sum = 0;
    char text[24];

    (void)r;
    if (!cost->json)
        printf("%-12s %7s %12s %12s\n", "site", "layers", "bytes/token", "MiB");
    for (enum nf_site s = 0; s < NF_SITE_COUNT; s++) {
        size_t layers = count_layers(c, s), bytes = layers * nf_capture_row_bytes(&c->capture, s);

        sum += bytes;
        snprintf(text, sizeof text, "%zu", layers);
        if (layers && cost->json)
            json_object_set_new(sites, nf_site_name(s),
                                json_pack("{s:I, s:I}", "layers", (json_int_t)layers, "bytes_per_token", (json_int_t)bytes));
        else if (layers)
            print_capture_site(nf_site_name(s), text, bytes, cost->rows);
    }
    if (cost->json)
        json_object_update_new(cost->json,
                               json_pack("{s:O, s:I}", "sites", sites, "bytes_written", (json_int_t)(sum * cost->rows)));
    else
        print_capture_site("all", "", sum, cost->rows);
    json_decref(sites);
}

/* ---- run ---- */

static void head_capture(void *self, const struct nf_model_run *r, json_t *header)
{
    const struct capture_run *c = self;
    const struct nf_range *p = &r->o->positions;
    json_t *to = p->to == SIZE_MAX ? json_null() : json_integer((json_int_t)p->to);

    json_object_set_new(header, "bitorder", json_string("little"));
    json_object_set_new(header, "sites", nf_capture_sites(&c->capture));
    json_object_set_new(header, "capture",
                        json_pack("{s:[I, o], s:f}", "positions", (json_int_t)p->from, to, "near_zero", c->o->near_zero));
}

static int run_capture(void *self, struct nf_model_run *r)
{
    struct capture_run *c = self;
    const struct nf_batch *b = &r->windows.batch;
    const struct nf_windows win = { b->ids, b->length, b->W, b->T };

    c->capture.out = r->out;
    c->batches++;
    if (nf_capture_batch(&c->capture, b) < 0)
        return (int)r->err->code;
    return nf_forward_run(r->forward, &win, r->err);
}

static json_t *sum_capture(const void *self, const struct nf_model_run *r)
{
    const struct capture_run *c = self;

    if (nf_common.verbose)
        nf_warn("%" PRIu64 " batches; |pre-activation| < %g: %" PRIu64, c->batches, c->o->near_zero, c->capture.near_zero);
    return json_pack("{s:I, s:I, s:I, s:I}", "tokens", (json_int_t)r->tokens, "windows", (json_int_t)r->count, "batches",
                     (json_int_t)c->batches, "rows", (json_int_t)c->capture.rows);
}

static void close_capture(void *self)
{
    struct capture_run *c = self;

    nf_capture_clear(&c->capture);
    nf_sites_close(&c->sites);
    free(c);
}

const struct nf_model_filter nf_capture_filter = {
    .reads = "tokens",
    .writes = "activations",
    .make = make_capture_run,
    .plan = plan_capture,
    .fit = fit_capture,
    .cost = cost_capture,
    .header = head_capture,
    .batch = run_capture,
    .totals = sum_capture,
    .close = close_capture,
};
