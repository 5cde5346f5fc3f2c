/* dry_run.c - count the input, plan the pass, print what it costs. */
#include "run/dry_run.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/par.h"
#include "tensor/speed.h"

/* Captured: the rows of the batch are read past. */
static int skip_rows(struct nf_model_run *r)
{
    struct nf_site_rows rows;
    int rc = NF_OK;

    while (r->windows.captured && rc == NF_OK)
        rc = nf_window_reader_rows(&r->windows, &rows, r->err);
    return rc < 0 ? rc : NF_OK;
}

static int count_input(struct nf_model_run *r, struct nf_cost *c)
{
    const struct nf_range *p = &r->o->positions;
    const struct nf_batch *b = &r->windows.batch;
    int rc;

    while ((rc = nf_window_reader_next(&r->windows, r->err)) == NF_OK) {
        for (size_t w = 0; w < b->W; w++)
            if (p->from < b->length[w])
                c->rows += nf_min(p->to, b->length[w]) - p->from;
        c->windows += b->W;
        c->tokens += b->T;
        if (skip_rows(r) < 0)
            return (int)r->err->code;
    }
    return rc < 0 ? rc : NF_OK;
}

static double percent(double part, double all)
{
    return all > 0 ? 100 * part / all : 0;
}

static void print_input(const struct nf_model_run *r, const struct nf_cost *c)
{
    const struct nf_config *cfg = &r->model.cfg;

    printf("model        %s: %s, L %zu, D %zu, H %zu, F %zu, V %zu\n", cfg->name, cfg->architecture, cfg->L, cfg->D, cfg->H, cfg->F,
           cfg->V);
    printf("input        %" PRIu64 " tokens in %" PRIu64 " windows of at most %zu; %" PRIu64 " at selected positions\n", c->tokens,
           c->windows, r->model.context, c->rows);
}

static void print_cost(const struct nf_model_run *r, const struct nf_cost *c, double flops, double rate)
{
    printf("memory       weights %.1f MiB (%s), work space %.1f MiB for batches of %zu tokens",
           (double)c->plan.weight_bytes / 0x1p20, c->plan.resident ? "resident" : "one layer at a time",
           (double)c->plan.work_bytes / 0x1p20, c->plan.batch_tokens);
    if (c->held)
        printf(", %.1f MiB beside them", (double)c->held / 0x1p20);
    printf("\nwork         %.1f MFLOP/token in %zu blocks: maps of attention %.0f %%, attention %.0f %%, FFN %.0f %%, unembedding "
           "%.0f %%\n",
           flops / 1e6, c->plan.layers, percent(c->maps, flops), percent(c->attention, flops), percent(c->ffn, flops),
           percent(c->head, flops));
    printf("time         at least %.1f s: %.0f GFLOP/s measured on %zu threads in %s\n", flops * (double)c->tokens / rate,
           rate / 1e9, nf_threads(), nf_dtype_name(r->o->dtype));
}

static void begin_json(const struct nf_model_run *r, struct nf_cost *c)
{
    const struct nf_config *cfg = &r->model.cfg;

    c->json = json_pack("{s:s, s:{s:s, s:s, s:I, s:I, s:I, s:I, s:I}, s:I, s:I, s:I, s:I}", "program", r->cmd->name, "model",
                        "name", cfg->name, "architecture", cfg->architecture, "L", (json_int_t)cfg->L, "D", (json_int_t)cfg->D, "H",
                        (json_int_t)cfg->H, "F", (json_int_t)cfg->F, "V", (json_int_t)cfg->V, "tokens", (json_int_t)c->tokens,
                        "windows", (json_int_t)c->windows, "context", (json_int_t)r->model.context, "rows", (json_int_t)c->rows);
}

static void print_dry_json(const struct nf_model_run *r, const struct nf_cost *c, double flops, double rate)
{
    json_object_update_new(c->json,
                           json_pack("{s:{s:I, s:I, s:I, s:b}, s:I, s:I, s:f, s:{s:f, s:f, s:f, s:f}, s:f, s:I, s:s, s:f}",
                                     "memory", "weights", (json_int_t)c->plan.weight_bytes, "work", (json_int_t)c->plan.work_bytes,
                                     "held", (json_int_t)c->held, "resident", c->plan.resident, "batch_tokens",
                                     (json_int_t)c->plan.batch_tokens, "blocks", (json_int_t)c->plan.layers, "flop_per_token",
                                     flops, "flop_shares", "maps", percent(c->maps, flops) / 100, "attention",
                                     percent(c->attention, flops) / 100, "ffn", percent(c->ffn, flops) / 100, "unembedding",
                                     percent(c->head, flops) / 100, "flop_per_second", rate, "threads", (json_int_t)nf_threads(),
                                     "dtype", nf_dtype_name(r->o->dtype), "seconds", flops * (double)c->tokens / rate));
    json_dumpf(c->json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    putchar('\n');
}

int nf_dry_run(const struct nf_model_filter *f, void *self, struct nf_model_run *r)
{
    const struct nf_config *cfg = &r->model.cfg;
    struct nf_cost c = { 0 };
    double rate, flops;

    if (nf_forward_plan(cfg, &r->forward_opts, r->model.context, &c.plan, r->err) < 0 || count_input(r, &c) < 0)
        return (int)r->err->code;
    rate = nf_speed_gemm(r->o->dtype, cfg->D, cfg->F, r->err);
    if (!(rate > 0))
        return (int)r->err->code;
    c.maps = c.plan.flops_maps;
    c.attention = c.plan.flops_attention;
    c.ffn = c.plan.flops_ffn;
    c.head = c.plan.flops_head;
    if (r->o->json)
        begin_json(r, &c);
    else
        print_input(r, &c);
    f->cost(self, r, &c);
    flops = c.maps + c.attention + c.ffn + c.head;
    if (r->o->json)
        print_dry_json(r, &c, flops, rate);
    else
        print_cost(r, &c, flops, rate);
    json_decref(c.json);
    return (int)r->err->code;
}
