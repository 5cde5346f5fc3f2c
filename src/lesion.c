/*
 * lesion - change which blocks of a model run, and measure what that does to its predictions.
 *
 *   in   tokens    windows; each is a sequence of its own
 *   out  effects   for each intervention KL, relative accuracy, entropy and loss, over all rows, by domain and by position
 *   doc  src/lesion.md: the interventions, the measures, which positions count
 */
#include <ctype.h>
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
#include "model/compare.h"
#include "model/lesion.h"
#include "model/streams.h"
#include "run/neuron_set.h"
#include "record/effects.h"
#include "run/window_reader.h"
#include "run/loaded_model.h"
#include "run/grouped_means.h"
#include "stream/reader.h"
#include "stream/writer.h"

enum { LESIONS_MAX = 100000 };
static const uint64_t STREAM_BYTES = (uint64_t)1 << 30; /* for streams, where --memory does not say */

struct lesion_options {
    const char *model, *revision;
    enum nf_dtype dtype;
    struct nf_list lesion[NF_LESION_KINDS]; /* by kind */
    struct nf_list neuron, classes;
    const char *neurons, *stats; /* files */
    bool at_mean; /* --ablate: neurons are set to their mean, not to zero */
    uint64_t memory;
    bool include_bos, per_token, allow_nonfinite;
};

struct lesion_plan {
    struct nf_loaded_model subject;
    struct nf_lesion *lesion; /* [n]; the first is the model itself */
    size_t n, cap;
    struct nf_neuron_set *chosen; /* those named, if any; those of each class */
    char neurons_digest[NF_DIGEST_HEX], stats_digest[NF_DIGEST_HEX]; /* "": not read */
    size_t group, parallel; /* lesions that run together at most; those of any group with parallel steps */
    size_t tokens; /* of a batch */
    struct nf_forward *forward;
};

struct lesion_run {
    struct lesion_plan *plan;
    const struct lesion_options *o;
    struct nf_window_reader intake;
    struct nf_grouped_means tallies;
    struct nf_writer *out;
    float **h, **x, *work; /* [L+1], [group] streams; of parallel steps */
    struct nf_divergence *row; /* [group + 1, tokens] */
    uint64_t tokens, windows;
    struct nf_err *err;
};

/* ---- the interventions ---- */

static struct nf_lesion *next_lesion(struct lesion_plan *p, struct nf_err *err)
{
    if (p->n == LESIONS_MAX || nf_grow(&p->lesion, &p->cap, p->n + 1, sizeof *p->lesion, err) < 0)
        nf_die(NF_EXIT_USAGE, "more than %d interventions, or no memory", LESIONS_MAX);
    return &p->lesion[p->n++];
}

static void add_lesion(struct lesion_plan *p, enum nf_lesion_kind kind, size_t a, size_t b, struct nf_err *err)
{
    if (nf_lesion_make(kind, a, b, &p->subject.cfg, next_lesion(p, err), err) < 0)
        nf_die_err(err);
}

static size_t number_of(enum nf_lesion_kind kind, const char *text, const char *wanted, char **end)
{
    size_t v = strtoul(text, end, 10);

    if (*end == text || text[0] < '0' || text[0] > '9')
        nf_die(NF_EXIT_USAGE, "--%s %s: %s is expected", nf_lesion_kind_name(kind), text, wanted);
    return v;
}

/* "3", or "all": every layer that can. */
static void add_by_layer(struct lesion_plan *p, enum nf_lesion_kind kind, const char *text, struct nf_err *err)
{
    size_t L = p->subject.cfg.L, last = kind == NF_LESION_SWAP ? L - 1 : L, layer;
    char *end;

    for (size_t l = 0; strcmp(text, "all") == 0 && l < last; l++)
        add_lesion(p, kind, l, 0, err);
    if (strcmp(text, "all") == 0)
        return;
    layer = number_of(kind, text, "a layer, or all,", &end);
    if (*end)
        nf_die(NF_EXIT_USAGE, "--%s %s: a layer, or all, is expected", nf_lesion_kind_name(kind), text);
    add_lesion(p, kind, layer, 0, err);
}

/* "N": blocks of N layers, wherever they fit. */
static void add_repeats(struct lesion_plan *p, const char *text, struct nf_err *err)
{
    size_t L = p->subject.cfg.L, n;
    char *end;

    n = number_of(NF_LESION_REPEAT, text, "a number of layers", &end);
    if (*end || n < 1 || n > L)
        nf_die(NF_EXIT_USAGE, "--repeat %s: from 1 to %zu layers are expected", text, L);
    for (size_t l = 0; l + n <= L; l++)
        add_lesion(p, NF_LESION_REPEAT, l, l + n, err);
}

/* Two numbers with a character between them, "3:5" or "4.1", and nothing else; those that no size_t holds are its largest. */
static bool read_blocks(const char *text, char between, size_t *a, size_t *b)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    *a = strtoul(text, &end, 10);
    if (end[0] != between || !isdigit((unsigned char)end[1]))
        return false;
    *b = strtoul(end + 1, &end, 10);
    return *end == '\0';
}

/* "a:b" */
static void add_by_range(struct lesion_plan *p, enum nf_lesion_kind kind, const char *text, struct nf_err *err)
{
    size_t a, b;

    if (!read_blocks(text, ':', &a, &b))
        nf_die(NF_EXIT_USAGE, "--%s %s: A:B is expected", nf_lesion_kind_name(kind), text);
    add_lesion(p, kind, a, b, err);
}

/* "L.H", "L.all", "all" */
static void add_heads(struct lesion_plan *p, const char *text, struct nf_err *err)
{
    bool all = strcmp(text, "all") == 0;
    size_t L = p->subject.cfg.L, H = p->subject.cfg.H, layer, head;
    char *end;

    if (read_blocks(text, '.', &layer, &head)) {
        add_lesion(p, NF_LESION_DROP_HEAD, layer, head, err);
        return;
    }
    layer = all ? 0 : number_of(NF_LESION_DROP_HEAD, text, "L.H, L.all or all", &end);
    if (!all && strcmp(end, ".all") != 0)
        nf_die(NF_EXIT_USAGE, "--drop-head %s: L.H, L.all or all is expected", text);
    for (size_t l = layer; l < (all ? L : layer + 1); l++)
        for (size_t h = 0; h < H; h++)
            add_lesion(p, NF_LESION_DROP_HEAD, l, h, err);
}

/* Neurons "L.N". */
static void name_neurons(const struct lesion_options *o, struct lesion_plan *p, struct nf_err *err)
{
    size_t layer, neuron;

    p->chosen = nf_alloc(1 + o->classes.n, sizeof *p->chosen, err);
    if (!p->chosen)
        nf_die_err(err);
    for (size_t i = 0; i < o->neuron.n; i++) {
        if (!read_blocks(o->neuron.item[i], '.', &layer, &neuron))
            nf_die(NF_EXIT_USAGE, "--neuron %s: LAYER.NEURON is expected", o->neuron.item[i]);
        if (nf_neuron_set_add(p->chosen, layer, neuron, &p->subject.cfg, err) < 0)
            nf_die_err(err);
    }
    if (nf_neuron_set_sort(p->chosen, err) < 0)
        nf_die_err(err);
}

/* All neurons that were named are one intervention, and those of a class.  After the weights, whose digest tells whether files are of this model. */
static void add_neurons(const struct lesion_options *o, struct lesion_plan *p, struct nf_err *err)
{
    const struct nf_config *cfg = &p->subject.cfg;
    const char *at = o->at_mean ? " at mean" : "";
    char name[64];

    if (o->classes.n && nf_neuron_set_classes(p->chosen + 1, o->neurons, &o->classes, cfg, p->neurons_digest, err) < 0)
        nf_die_err(err);
    if (o->at_mean && nf_neuron_set_means(p->chosen, 1 + o->classes.n, o->stats, cfg, p->stats_digest, err) < 0)
        nf_die_err(err);
    for (size_t i = 0; i <= o->classes.n; i++) {
        struct nf_neuron_set *c = &p->chosen[i];

        if (i == 0)
            snprintf(name, sizeof name, "neurons (%zu)%s", c->n, at);
        else
            snprintf(name, sizeof name, "neurons %s%s", o->classes.item[i - 1], at);
        if (c->n && nf_lesion_neurons(name, c->layer, c->neuron, c->value, c->n, cfg, next_lesion(p, err), err) < 0)
            nf_die_err(err);
        nf_neuron_set_clear(c);
    }
    free(p->chosen);
}

static void make_lesions(const struct lesion_options *o, struct lesion_plan *p, struct nf_err *err)
{
    add_lesion(p, NF_LESION_NONE, 0, 0, err);
    name_neurons(o, p, err);
    for (enum nf_lesion_kind k = NF_LESION_DROP; k < NF_LESION_NEURONS; k++)
        for (size_t i = 0; i < o->lesion[k].n; i++) {
            const char *text = o->lesion[k].item[i];

            if (k == NF_LESION_REPEAT)
                add_repeats(p, text, err);
            else if (k == NF_LESION_DROP_HEAD)
                add_heads(p, text, err);
            else if (k >= NF_LESION_SKIP && k <= NF_LESION_REPLACE)
                add_by_range(p, k, text, err);
            else
                add_by_layer(p, k, text, err);
        }
    if (p->n == 1 && !o->neuron.n && !o->classes.n)
        nf_die(NF_EXIT_USAGE, "an intervention is required: --drop, --swap, ..; --help names them");
}

static void check_lesion_options(const struct lesion_options *o)
{
    if (!o->model)
        nf_die(NF_EXIT_USAGE, "-m MODEL is required: the model to run");
    if (o->classes.n && !o->neurons)
        nf_die(NF_EXIT_USAGE, "--class %s: --neurons FILE is required, a stream with the classes", o->classes.item[0]);
    if (o->neurons && !o->classes.n)
        nf_die(NF_EXIT_USAGE, "--neurons %s: --class CLASS is required", o->neurons);
    if (o->at_mean && !o->stats)
        nf_die(NF_EXIT_USAGE, "--ablate mean: --stats FILE is required, a stream with the means");
    if (o->at_mean && !o->neuron.n && !o->classes.n)
        nf_die(NF_EXIT_USAGE, "--ablate mean: --neuron or --class is required");
    if (o->stats && !o->at_mean)
        nf_die(NF_EXIT_USAGE, "--stats %s: is of use with --ablate mean only", o->stats);
}

/* ---- memory ---- */

static uint64_t count_lesion_bytes(const struct lesion_plan *p, size_t group)
{
    const struct nf_config *c = &p->subject.cfg;
    size_t parallel = nf_min(group, p->parallel);

    return (c->L + 1 + group + 3 * parallel) * c->D * sizeof(float) + (group + 1) * sizeof(struct nf_divergence);
}

/* As many interventions at a time as fit in half of the memory with one window, then as many tokens as fit with them. */
static void open_lesion_forward(const struct lesion_options *o, struct lesion_plan *p, struct nf_err *err)
{
    uint64_t room = o->memory ? o->memory / 2 : STREAM_BYTES;
    struct nf_forward_opts opts = { .dtype = o->dtype, .memory = o->memory, .allow_nonfinite = o->allow_nonfinite };

    p->parallel = 0;
    for (size_t i = 0; i < p->n; i++)
        p->parallel += nf_lesion_is_parallel(&p->lesion[i]);
    p->group = p->n - 1;
    while (p->group > 1 && count_lesion_bytes(p, p->group) * p->subject.context > room)
        p->group = (p->group + 1) / 2;
    for (;; p->group = (p->group + 1) / 2) { /* work space grows with the group, too */
        opts.memory = o->memory;
        opts.streams = p->group + 1;
        if (nf_streams_fit(&p->subject.cfg, p->subject.context, count_lesion_bytes(p, p->group), &opts, err) == NF_OK)
            break;
        if (p->group == 1)
            nf_die_err(err);
        *err = (struct nf_err)NF_ERR_INIT;
    }
    p->tokens = opts.batch_tokens;
    p->forward = nf_forward_open(&p->subject.cfg, &p->subject.weights, &opts, p->subject.context, err);
    if (!p->forward)
        nf_die_err(err);
}

/* ---- the loop ---- */

/* The rows of intervention `i` of the plan, which is the k-th of its group; base is row 0 of the group. */
static int take_effect_rows(struct lesion_run *r, size_t i, size_t k, size_t T)
{
    const struct nf_batch *b = &r->intake.batch;
    size_t row = 0;
    double x[NF_EFFECT_COUNT];
    int rc = NF_OK;

    for (size_t w = 0; w < b->W; w++)
        for (size_t pos = 0; pos < b->length[w] && rc == NF_OK; pos++, row++) {
            const struct nf_divergence *base = &r->row[row], *own = &r->row[k * T + row];

            if (pos == 0 && b->bos[w] && !r->o->include_bos)
                continue;
            nf_effects_of(base, own, x);
            rc = nf_grouped_means_add(&r->tallies, i, b->doc[w], r->intake.domain[w], pos, x, r->err);
            if (r->o->per_token)
                nf_effect_token_write(r->out, i, &r->plan->lesion[i],
                                      &(struct nf_effect_token){ b->doc[w], b->window[w], pos, b->ids[row], base, own });
        }
    return rc < 0 ? rc : (int)r->err->code;
}

static int run_group(struct lesion_run *r, const struct nf_windows *win, size_t from, size_t n)
{
    struct lesion_plan *p = r->plan;
    const float **all = nf_alloc(n + 1, sizeof *all, r->err);
    int rc =
        all ? nf_lesions_run(p->forward, win, (const float *const *)r->h, p->lesion + from, n, r->x, r->work, r->err) : NF_ESYS;

    if (all)
        all[0] = r->h[p->subject.cfg.L];
    for (size_t k = 0; all && k < n; k++)
        all[k + 1] = r->x[k];
    if (rc == NF_OK)
        rc = nf_forward_compare(p->forward, win, all, n + 1, NULL, r->row, r->err);
    for (size_t k = from == 1 ? 0 : 1; rc == NF_OK && k <= n; k++)
        rc = take_effect_rows(r, k ? from + k - 1 : 0, k, win->T);
    free(all);
    return rc;
}

static int run_lesion_batch(struct lesion_run *r)
{
    const struct nf_batch *b = &r->intake.batch;
    const struct nf_windows win = { b->ids, b->length, b->W, b->T };
    int rc = nf_streams_run(r->plan->forward, &win, r->h, r->err);

    for (size_t from = 1; rc == NF_OK && from < r->plan->n; from += r->plan->group)
        rc = run_group(r, &win, from, nf_min(r->plan->group, r->plan->n - from));
    r->tokens += b->T;
    r->windows += b->W;
    nf_progress(nf_common.quiet, "%" PRIu64 " tokens, %zu interventions", r->tokens, r->plan->n - 1);
    return rc;
}

/* ---- results ---- */

static void write_effects(struct lesion_run *r)
{
    const char **name = nf_alloc(r->plan->n, sizeof *name, r->err);

    if (!name)
        nf_die_err(r->err);
    for (size_t i = 0; i < r->plan->n; i++)
        name[i] = r->plan->lesion[i].name;
    nf_grouped_means_write(&r->tallies, r->out, "effect", "intervention", name, r->intake.domains, nf_effect_names);
    free(name);
}

/* Files that were read. */
static int add_input(json_t *header, const char *kind, const char *digest, struct nf_err *err)
{
    json_t *what = json_pack("{s:s}", "kind", kind);
    int rc = *digest ? nf_header_input(header, what, digest, err) : NF_OK;

    json_decref(what);
    return rc;
}

static struct nf_writer *open_lesion_output(const struct lesion_options *o, const struct lesion_plan *p, const struct nf_reader *in,
                                     const struct nf_cmd *cmd, struct nf_err *err)
{
    json_t *header = nf_header_new("effects", nf_reader_header(in), cmd, err);
    struct nf_writer *out = NULL;

    if (header && (json_object_set_new(header, "model", nf_loaded_model_json(&p->subject, o->dtype)) < 0 ||
                   json_object_set_new(header, "excluded", o->include_bos ? json_array() : json_pack("[s]", "BOS")) < 0 ||
                   json_object_set_new(header, "interventions", json_integer((json_int_t)p->n)) < 0))
        nf_fail(err, NF_ESYS, "out of memory");
    if (header && add_input(header, "neurons", p->neurons_digest, err) == NF_OK &&
        add_input(header, "stats", p->stats_digest, err) == NF_OK && err->code == NF_OK)
        out = nf_writer_open(STDOUT_FILENO, header, nf_common.raw, err);
    json_decref(header);
    if (!out)
        nf_die_err(err);
    return out;
}

static void lesion(const struct lesion_options *o, struct lesion_plan *p, struct nf_reader *in, const struct nf_cmd *cmd, struct nf_err *err)
{
    size_t D = p->subject.cfg.D, L = p->subject.cfg.L;
    struct lesion_run r = { .plan = p, .o = o, .err = err };
    json_t *totals;
    int rc;

    open_lesion_forward(o, p, err);
    r.h = nf_streams_open(L + 1, p->tokens * D, err);
    r.x = nf_streams_open(p->group, p->tokens * D, err);
    r.work = nf_alloc(3 * nf_min(p->group, p->parallel) * p->tokens * D, sizeof *r.work, err);
    r.row = nf_alloc((p->group + 1) * p->tokens, sizeof *r.row, err);
    if (!r.h || !r.x || !r.work || !r.row || nf_grouped_means_init(&r.tallies, p->n, NF_EFFECT_COUNT, err) < 0)
        nf_die_err(err);
    r.out = open_lesion_output(o, p, in, cmd, err);
    r.intake = (struct nf_window_reader){
        .in = in, .V = p->subject.V, .context = p->subject.context, .most = p->tokens, .out = o->per_token ? r.out : NULL
    };
    rc = nf_window_reader_next(&r.intake, err); /* and vocab, which comes before all else, to r.out */
    for (size_t i = 0; i < p->n; i++)
        nf_intervention_write(r.out, i, &p->lesion[i]);
    while (rc == NF_OK && (rc = run_lesion_batch(&r)) == NF_OK)
        rc = nf_window_reader_next(&r.intake, err);
    nf_progress_end();
    if (rc < 0)
        nf_die_err(err);
    write_effects(&r);
    totals = json_pack("{s:I, s:I, s:I}", "interventions", (json_int_t)p->n, "tokens", (json_int_t)r.tokens, "windows",
                       (json_int_t)r.windows);
    if (nf_writer_close(r.out, totals) < 0)
        nf_die_err(err);
    json_decref(totals);
    nf_streams_close(r.h);
    nf_streams_close(r.x);
    free(r.work);
    free(r.row);
    nf_grouped_means_clear(&r.tallies);
    nf_window_reader_clear(&r.intake);
    nf_forward_close(p->forward);
}

int main(int argc, char **argv)
{
    struct lesion_options o = { .dtype = NF_F32 };
    const struct nf_opt opts[] = {
        OPT_MODEL(&o.model, &o.revision, "the model: a directory, a GGUF file, or a name in the Hub cache"),
        OPT_LIST("drop", &o.lesion[NF_LESION_DROP], "L|all", "leave out block L"),
        OPT_LIST("swap", &o.lesion[NF_LESION_SWAP], "L|all", "exchange block L with block L + 1"),
        OPT_LIST("repeat", &o.lesion[NF_LESION_REPEAT], "N",
                 "run N consecutive blocks twice each (a a b b ..), for every first block"),
        OPT_LIST("skip", &o.lesion[NF_LESION_SKIP], "A:B", "leave out blocks A to B-1"),
        OPT_LIST("reverse", &o.lesion[NF_LESION_REVERSE], "A:B", "run blocks A to B-1 in reverse order"),
        OPT_LIST("parallel", &o.lesion[NF_LESION_PARALLEL], "A:B",
                 "give blocks A to B-1 the same input, continue with their mean output"),
        OPT_LIST("move", &o.lesion[NF_LESION_MOVE], "A:B", "move block A to place B"),
        OPT_LIST("replace", &o.lesion[NF_LESION_REPLACE], "A:B", "run block B in place of block A as well"),
        OPT_LIST("drop-attention", &o.lesion[NF_LESION_DROP_ATTENTION], "L|all",
                 "set the output of the attention of block L to zero"),
        OPT_LIST("drop-ffn", &o.lesion[NF_LESION_DROP_FFN], "L|all", "set the output of the FFN of block L to zero"),
        OPT_LIST("drop-head", &o.lesion[NF_LESION_DROP_HEAD], "L.H|L.all|all", "set the output of head H of block L to zero"),
        OPT_LIST("neuron", &o.neuron, "L.N,...", "set these FFN neurons to zero, all in one intervention"),
        OPT_LIST("class", &o.classes, "CLASS,...", "set all neurons of a class to zero; each class is one intervention"),
        OPT_STR("neurons", &o.neurons, "FILE", "stream of kind neurons with the classes, for --class"),
        OPT_EITHER("ablate", &o.at_mean, "zero|mean", "set neurons to zero, or to their mean activation"),
        OPT_STR("stats", &o.stats, "FILE", "stream of kind stats with the moments of ffn.act, for --ablate mean"),
        OPT_FLAG("include-bos", &o.include_bos, "also count the predictions at the BOS position"),
        OPT_FLAG("per-token", &o.per_token, "also write one record for each position and intervention"),
        OPT_DTYPE(&o.dtype, "precision of weights and matrix products"),
        OPT_FLAG("allow-nonfinite", &o.allow_nonfinite, "do not stop at NaN or Inf in the residual stream or logits"),
        OPT_SIZE("memory", &o.memory, 0, "limit for weights and streams; 0: weights stay, 1G for streams", .local = true),
        OPT_END,
    };
    const struct nf_cmd cmd = { "lesion",  "change which blocks or neurons of a model run, and measure the effect",
                                "",        "tokens",
                                "effects", opts };
    struct nf_err err = NF_ERR_INIT;
    struct lesion_plan p = { 0 };
    struct nf_reader *in;

    nf_prog_start(cmd.name, argv);
    if (nf_opt_parse(&cmd, argc, argv, &err) < 0)
        nf_die_err(&err);
    check_lesion_options(&o);
    if (nf_output_open(true, &err) < 0)
        nf_die_err(&err);
    in = nf_loaded_model_reader(o.model, o.revision, "tokens", &p.subject, &err);
    if (!in)
        nf_die_err(&err);
    make_lesions(&o, &p, &err);
    if (p.subject.unchecked && !nf_common.quiet)
        nf_warn("%s has no tokenizer: that the tokens belong to this model is not checked", p.subject.dir);
    if (nf_loaded_model_weights(&p.subject, &err) < 0)
        nf_die_err(&err);
    if (nf_common.verbose && *p.subject.differs)
        nf_warn("%s: %s", p.subject.dir, p.subject.differs);
    add_neurons(&o, &p, &err);
    lesion(&o, &p, in, &cmd, &err);

    for (size_t i = 0; i < p.n; i++)
        nf_lesion_clear(&p.lesion[i]);
    free(p.lesion);
    nf_reader_close(in);
    nf_loaded_model_close(&p.subject);
    return nf_prog_end(&err);
}
