/* lesion_run.c - plan, batches and results of interventions. */
#include "run/lesion_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "model/compare.h"
#include "model/streams.h"
#include "run/dry_run.h"
#include "run/grouped_means.h"
#include "run/interventions.h"
#include "run/lesion_records.h"
#include "run/neuron_set.h"

struct lesion_run {
    const struct nf_lesion_options *o;
    struct nf_interventions all;                 /* the first is the model itself */
    struct nf_neuron_set *sets;                  /* [1 + classes] those named; those of each class */
    char neurons_digest[NF_DIGEST_HEX], stats_digest[NF_DIGEST_HEX];   /* "": not read */
    size_t group, parallel;                      /* interventions that run together at most; those of any group with parallel steps */
    struct nf_grouped_means means;
    float **h, **x, *work;                       /* [L+1], [group] streams; of parallel steps */
    struct nf_divergence *row;                   /* [group + 1, tokens] */
};

static int check_lesion_options(const struct nf_lesion_options *o, struct nf_err *err)
{
    if (o->classes.n && !o->neurons)
        return nf_fail(err, NF_EUSAGE, "--class %s: --neurons FILE is required, a stream with the classes", o->classes.item[0]);
    if (o->neurons && !o->classes.n)
        return nf_fail(err, NF_EUSAGE, "--neurons %s: --class CLASS is required", o->neurons);
    if (o->at_mean && !o->stats)
        return nf_fail(err, NF_EUSAGE, "--ablate mean: --stats FILE is required, a stream with the means");
    if (o->at_mean && !o->neuron.n && !o->classes.n)
        return nf_fail(err, NF_EUSAGE, "--ablate mean: --neuron or --class is required");
    if (o->stats && !o->at_mean)
        return nf_fail(err, NF_EUSAGE, "--stats %s: is of use with --ablate mean only", o->stats);
    return NF_OK;
}

static void *make_lesion_run(const void *options, struct nf_err *err)
{
    struct lesion_run *l = check_lesion_options(options, err) < 0 ? NULL : nf_alloc(1, sizeof *l, err);

    if (l)
        l->o = options;
    return l;
}

/* ---- plan: the interventions ---- */

static int name_neurons(struct lesion_run *l, const struct nf_config *cfg, struct nf_err *err)
{
    const struct nf_list *list = &l->o->neuron;
    size_t layer, neuron;

    l->sets = nf_alloc(1 + l->o->classes.n, sizeof *l->sets, err);
    for (size_t i = 0; l->sets && i < list->n; i++) {
        if (!nf_read_pair(list->item[i], '.', &layer, &neuron))
            return nf_fail(err, NF_EUSAGE, "--neuron %s: LAYER.NEURON is expected", list->item[i]);
        if (nf_neuron_set_add(l->sets, layer, neuron, cfg, err) < 0)
            return (int)err->code;
    }
    return l->sets ? nf_neuron_set_sort(l->sets, err) : NF_ESYS;
}

static int plan_lesions(void *self, struct nf_model_run *r)
{
    struct lesion_run *l = self;
    const struct nf_config *cfg = &r->model.cfg;
    int rc = nf_interventions_add(&l->all, NF_LESION_NONE, "", cfg, r->err);

    if (rc == NF_OK)
        rc = name_neurons(l, cfg, r->err);
    for (enum nf_lesion_kind k = NF_LESION_DROP; k < NF_LESION_NEURONS; k++)
        for (size_t i = 0; rc == NF_OK && i < l->o->text[k].n; i++)
            rc = nf_interventions_add(&l->all, k, l->o->text[k].item[i], cfg, r->err);
    if (rc == NF_OK && l->all.n == 1 && !l->o->neuron.n && !l->o->classes.n)
        return nf_fail(r->err, NF_EUSAGE, "an intervention is required: --drop, --swap, ..; --help names them");
    return rc;
}

/* Set 0: the neurons that were named, one intervention; set i: those of class i. */
static int add_neuron_set(struct lesion_run *l, size_t i, const struct nf_config *cfg, struct nf_err *err)
{
    const struct nf_neuron_set *c = &l->sets[i];
    const char *at = l->o->at_mean ? " at mean" : "";
    struct nf_lesion *lesion;
    char name[64];

    if (c->n == 0)
        return NF_OK;
    if (i == 0)
        snprintf(name, sizeof name, "neurons (%zu)%s", c->n, at);
    else
        snprintf(name, sizeof name, "neurons %s%s", l->o->classes.item[i - 1], at);
    lesion = nf_interventions_new(&l->all, err);
    return lesion ? nf_lesion_neurons(name, c->layer, c->neuron, c->value, c->n, cfg, lesion, err) : (int)err->code;
}

/* After the weights, whose digest tells whether the files are of this model. */
static int add_neurons(struct lesion_run *l, const struct nf_config *cfg, struct nf_err *err)
{
    const struct nf_lesion_options *o = l->o;
    int rc = NF_OK;

    if (o->classes.n)
        rc = nf_neuron_set_classes(l->sets + 1, o->neurons, &o->classes, cfg, l->neurons_digest, err);
    if (rc == NF_OK && o->at_mean)
        rc = nf_neuron_set_means(l->sets, 1 + o->classes.n, o->stats, cfg, l->stats_digest, err);
    for (size_t i = 0; rc == NF_OK && i <= o->classes.n; i++)
        rc = add_neuron_set(l, i, cfg, err);
    return rc;
}

/* ---- fit: memory ---- */

static uint64_t count_lesion_bytes(const struct lesion_run *l, const struct nf_config *c, size_t group)
{
    size_t parallel = nf_min(group, l->parallel);

    return (c->L + 1 + group + 3 * parallel) * c->D * sizeof(float) + (group + 1) * sizeof(struct nf_divergence);
}

static size_t halve(size_t n)
{
    return (n + 1) / 2;
}

/* As many interventions at a time as fit in half of the memory with one window, then as many tokens as fit with them. */
static int size_groups(struct lesion_run *l, struct nf_model_run *r)
{
    const struct nf_config *cfg = &r->model.cfg;
    uint64_t memory = r->forward_opts.memory, room = r->o->memory ? memory / 2 : r->room;
    struct nf_err why;

    l->group = l->all.n - 1;
    while (l->group > 1 && count_lesion_bytes(l, cfg, l->group) * r->model.context > room)
        l->group = halve(l->group);
    for (;; l->group = halve(l->group)) {   /* work space grows with the group, too */
        why = (struct nf_err)NF_ERR_INIT;
        r->forward_opts.memory = memory;
        r->forward_opts.streams = l->group + 1;
        if (nf_streams_fit(cfg, r->model.context, count_lesion_bytes(l, cfg, l->group), r->room, &r->forward_opts, &why) == NF_OK)
            return NF_OK;
        if (l->group == 1)
            return nf_fail(r->err, why.code, "%s", why.text);
    }
}

static int fit_lesions(void *self, struct nf_model_run *r)
{
    struct lesion_run *l = self;

    if (add_neurons(l, &r->model.cfg, r->err) < 0)
        return (int)r->err->code;
    for (size_t i = 0; i < l->all.n; i++)
        l->parallel += nf_lesion_is_parallel(&l->all.item[i]);
    snprintf(r->note, sizeof r->note, "%zu interventions", l->all.n - 1);
    r->hand_on = l->o->per_token;
    return size_groups(l, r);
}

static int open_lesions(void *self, struct nf_model_run *r)
{
    struct lesion_run *l = self;
    size_t tokens = r->windows.most, floats = tokens * r->model.cfg.D;

    l->h = nf_streams_open(r->model.cfg.L + 1, floats, r->err);
    l->x = nf_streams_open(l->group, floats, r->err);
    l->work = nf_alloc(3 * nf_min(l->group, l->parallel) * floats, sizeof *l->work, r->err);
    l->row = nf_alloc((l->group + 1) * tokens, sizeof *l->row, r->err);
    if (!l->h || !l->x || !l->work || !l->row)
        return NF_ESYS;
    return nf_grouped_means_init(&l->means, l->all.n, NF_EFFECT_COUNT, r->err);
}

/* ---- --dry-run ---- */

/* Steps that are not the model's own, as shares of a whole pass; a half of a block that is left out costs nothing. */
struct share {
    double attention, ffn;
};

static struct share count_steps(const struct lesion_run *l, size_t L)
{
    struct share s = { 0, 0 };

    for (size_t i = 1; i < l->all.n; i++) {
        const struct nf_lesion *lesion = &l->all.item[i];

        for (size_t k = nf_lesion_shared(lesion); k < lesion->n; k++) {
            s.attention += lesion->step[k].edit.no_attention ? 0 : 1;
            s.ffn += lesion->step[k].edit.no_ffn ? 0 : 1;
        }
    }
    return (struct share){ s.attention / (double)L, s.ffn / (double)L };
}

/* The model's own predictions are made anew beside every group. */
static void cost_lesions(void *self, struct nf_model_run *r, struct nf_cost *c)
{
    const struct lesion_run *l = self;
    struct share s = count_steps(l, r->model.cfg.L);
    size_t n = l->all.n - 1, groups = nf_blocks(n, l->group);

    c->maps *= 1 + s.attention;
    c->attention *= 1 + s.attention;
    c->ffn *= 1 + s.ffn;
    c->head *= (double)(n + groups);
    c->held = count_lesion_bytes(l, &r->model.cfg, l->group) * c->plan.batch_tokens;
    if (c->json)
        json_object_update_new(c->json, json_pack("{s:I, s:I}", "interventions", (json_int_t)n, "groups", (json_int_t)groups));
    else
        printf("lesions      %zu interventions, %zu at a time\n", n, l->group);
}

/* ---- output ---- */

/* A file that was read. */
static void add_input(json_t *header, const char *kind, const char *digest, struct nf_err *err)
{
    json_t *what = json_pack("{s:s}", "kind", kind);

    if (*digest)
        nf_header_input(header, what, digest, err);
    json_decref(what);
}

static void head_lesions(void *self, const struct nf_model_run *r, json_t *header)
{
    struct lesion_run *l = self;
    json_t *excluded = json_array();

    if (!l->o->include_bos)
        json_array_append_new(excluded, json_string("BOS"));
    json_object_set_new(header, "excluded", excluded);
    json_object_set_new(header, "interventions", json_integer((json_int_t)l->all.n));
    add_input(header, "neurons", l->neurons_digest, r->err);
    add_input(header, "stats", l->stats_digest, r->err);
}

static int write_interventions(void *self, struct nf_model_run *r)
{
    struct lesion_run *l = self;

    for (size_t i = 0; i < l->all.n; i++)
        nf_intervention_write(r->out, i, &l->all.item[i], r->err);
    return (int)r->err->code;
}

/* ---- batches ---- */

/* The rows of intervention i, which is the k-th of its group; base is row 0 of the group. */
static int take_effects(struct lesion_run *l, struct nf_model_run *r, size_t i, size_t k)
{
    const struct nf_batch *b = &r->windows.batch;
    size_t row = 0;
    double x[NF_EFFECT_COUNT];
    int rc = NF_OK;

    for (size_t w = 0; w < b->W; w++)
        for (size_t pos = 0; pos < b->length[w] && rc == NF_OK; pos++, row++) {
            const struct nf_divergence *base = &l->row[row], *own = &l->row[k * b->T + row];

            if (pos == 0 && b->bos[w] && !l->o->include_bos)
                continue;
            nf_effects_of(base, own, x);
            rc = nf_grouped_means_add(&l->means, i, b->doc[w], r->windows.domain[w], pos, x, r->err);
            if (l->o->per_token)
                nf_effect_token_write(r->out, i, &l->all.item[i], base, own,
                                      &(struct nf_row_place){ b->doc[w], b->window[w], pos, b->ids[row] });
        }
    return rc < 0 ? rc : (int)r->err->code;
}

/* Interventions from .. from + n - 1; with the first group, the model itself. */
static int run_group(struct lesion_run *l, struct nf_model_run *r, const struct nf_windows *win, size_t from, size_t n)
{
    const float **all = nf_alloc(n + 1, sizeof *all, r->err);
    int rc;

    if (!all)
        return NF_ESYS;
    rc = nf_lesions_run(r->forward, win, (const float *const *)l->h, l->all.item + from, n, l->x, l->work, r->err);
    all[0] = l->h[r->model.cfg.L];
    for (size_t k = 0; k < n; k++)
        all[k + 1] = l->x[k];
    if (rc == NF_OK)
        rc = nf_forward_compare(r->forward, win, all, n + 1, NULL, l->row, r->err);
    if (rc == NF_OK && from == 1)
        rc = take_effects(l, r, 0, 0);
    for (size_t k = 1; rc == NF_OK && k <= n; k++)
        rc = take_effects(l, r, from + k - 1, k);
    free(all);
    return rc;
}

static int run_lesions(void *self, struct nf_model_run *r)
{
    struct lesion_run *l = self;
    const struct nf_batch *b = &r->windows.batch;
    const struct nf_windows win = { b->ids, b->length, b->W, b->T };
    int rc = nf_streams_run(r->forward, &win, l->h, r->err);

    for (size_t from = 1; rc == NF_OK && from < l->all.n; from += l->group)
        rc = run_group(l, r, &win, from, nf_min(l->group, l->all.n - from));
    return rc;
}

/* ---- results ---- */

static int write_effects(void *self, struct nf_model_run *r)
{
    struct lesion_run *l = self;
    const char **name = nf_alloc(l->all.n, sizeof *name, r->err);

    for (size_t i = 0; name && i < l->all.n; i++)
        name[i] = l->all.item[i].name;
    if (name)
        nf_grouped_means_write(&l->means, r->out, &nf_effect_record, name, r->windows.domains);
    free(name);
    return (int)r->err->code;
}

static json_t *sum_lesions(const void *self, const struct nf_model_run *r)
{
    const struct lesion_run *l = self;

    return json_pack("{s:I, s:I, s:I}", "interventions", (json_int_t)l->all.n, "tokens", (json_int_t)r->tokens, "windows",
                     (json_int_t)r->count);
}

static void close_lesions(void *self)
{
    struct lesion_run *l = self;

    for (size_t i = 0; l->sets && i <= l->o->classes.n; i++)
        nf_neuron_set_clear(&l->sets[i]);
    free(l->sets);
    nf_interventions_clear(&l->all);
    nf_streams_close(l->h);
    nf_streams_close(l->x);
    free(l->work);
    free(l->row);
    nf_grouped_means_clear(&l->means);
    free(l);
}

const struct nf_model_filter nf_lesion_filter = {
    .reads = "tokens",
    .writes = "effects",
    .make = make_lesion_run,
    .plan = plan_lesions,
    .fit = fit_lesions,
    .cost = cost_lesions,
    .open = open_lesions,
    .header = head_lesions,
    .start = write_interventions,
    .batch = run_lesions,
    .end = write_effects,
    .totals = sum_lesions,
    .close = close_lesions,
};
