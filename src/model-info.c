/*
 * model-info - describe a checkpoint, and compare its numbers with a reference.
 *
 *   in   model    a directory, or a name in the Hub cache; with --verify also a stream of activations that somebody else computed
 *   out  text     family, sizes, memory, tokenizer, which analyses apply; with --verify how far every site is from the reference
 *   doc  src/model-info.md: what each line means, tolerances
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hub.h"
#include "base/map.h"
#include "base/opt.h"
#include "base/output.h"
#include "base/par.h"
#include "base/prog.h"
#include "checkpoint/config.h"
#include "checkpoint/parameters.h"
#include "model/forward.h"
#include "model/sites.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/weights.h"
#include "run/loaded_model.h"
#include "run/verify.h"
#include "stream/reader.h"
#include "run/model_tokenizer.h"
#include "token/tokenizer.h"

struct info_options {
    const char *model, *revision, *verify;
    enum nf_dtype dtype;
    bool json; /* --format */
    double atol;
    uint64_t context, memory;
    bool no_weights;
    char *dir;
};

/* Memory of a pass that ends in predictions. */
struct need {
    uint64_t resident, least; /* bytes: all weights packed; one layer at a time */
    double flops; /* per token */
};

struct facts {
    struct nf_config cfg;
    struct nf_weights weights;
    bool checked; /* the weights were read */
    struct nf_tokenizer *tokenizer; /* NULL: the directory has none, or it is refused */
    struct nf_err refused; /* why the tokenizer is */
    struct nf_parameters parameters;
    struct need f32, bf16;
    size_t context;
};

/* ---- what is found out ---- */

static bool wants_pred(void *self, enum nf_site site, size_t layer)
{
    (void)self;
    (void)layer;
    return site == NF_SITE_PRED;
}

static int find_need(const struct nf_config *cfg, enum nf_dtype dtype, size_t context, struct need *n, struct nf_err *err)
{
    const struct nf_tap tap = { NULL, wants_pred, NULL, 0 };
    struct nf_forward_opts opts = { .dtype = dtype, .tap = &tap };
    struct nf_forward_plan plan;

    if (nf_forward_plan(cfg, &opts, context, &plan, err) < 0)
        return (int)err->code;
    n->resident = plan.weight_bytes + plan.work_bytes;
    n->flops = plan.flops_maps + plan.flops_attention + plan.flops_ffn + plan.flops_head;
    opts.memory = 1; /* refused, and the plan says what the least would be */
    nf_forward_plan(cfg, &opts, context, &plan, NULL);
    n->least = plan.weight_bytes + plan.work_bytes;
    return NF_OK;
}

enum { CONTEXT = 2048 }; /* of the estimate, where nobody says */

static int find_facts(const struct info_options *o, struct facts *f, struct nf_err *err)
{
    if (nf_config_read(o->dir, &f->cfg, err) < 0)
        return (int)err->code;
    f->checked = !o->no_weights;
    if (f->checked && nf_weights_open(o->dir, &f->cfg, &f->weights, err) < 0)
        return (int)err->code;
    if (nf_model_has_tokenizer(o->dir, err) && !(f->tokenizer = nf_model_tokenizer(o->dir, &f->refused)) &&
        f->refused.code != NF_EFORMAT)
        return nf_fail(err, f->refused.code, "%s", f->refused.text);
    f->context = nf_min(o->context ? o->context : CONTEXT, f->cfg.max_positions);
    f->parameters = nf_parameters_count(&f->cfg);
    if (f->checked && !f->weights.unembed.data) {
        f->parameters.all -= f->parameters.unembedding;
        f->parameters.unembedding = 0;
    }
    find_need(&f->cfg, NF_F32, f->context, &f->f32, err);
    find_need(&f->cfg, NF_BF16, f->context, &f->bf16, err);
    return (int)err->code;
}

/* ---- which analyses apply ---- */

struct analysis {
    const char *name;
    const char *applies; /* "yes", "by convention", "no" */
    const char *why;
};

enum { ANALYSES = 8 };

static size_t list_analyses(const struct facts *f, struct analysis *a)
{
    const struct nf_config *c = &f->cfg;
    bool off = nf_act_is_off(c->act);
    const char *positional = "the model has no positions", *vocabulary = "output rows against the unembedding";
    const char *firing = "the activation function is never quite off: a neuron fires where its pre-activation is above 0";

    if (off)
        firing = c->gated ? "a gate of ReLU is off or on" : "a ReLU neuron is off or on";
    else if (c->gated)
        firing = "the gate is never quite off: a neuron fires where the gate's pre-activation is above 0";
    if (c->positions == NF_POS_LEARNED)
        positional = firing;
    else if (c->positions == NF_POS_ROTARY)
        positional = "positions enter attention only";
    if (c->gated)
        vocabulary = "the activation takes both signs, so the sign of an effect is that of a positive activation";
    else if (c->E != c->D)
        vocabulary = "output rows go through project_out";
    const struct analysis all[] = {
        { "dead neurons", off ? "yes" : "by convention", firing },
        { "n-gram detectors", off ? "yes" : "by convention",
          f->tokenizer ? firing : "needs the model's tokenizer, which is not there" },
        { "positional neurons", off ? "yes" : "by convention", positional },
        { "vocabulary effects", "yes", vocabulary },
        { "residual stream", "yes",
          c->parallel ? "resid.pre and resid.post; no resid.mid: attention and FFN are parallel"
                      : "resid.pre, resid.mid, resid.post" },
        { "logit lens", c->pre_norm ? "yes" : "by convention",
          c->pre_norm ? "final norm and unembedding at every point" : "post-norm: every block ends in a norm of its own" },
        { "layer lesions", "yes", "blocks left out, exchanged, repeated; their attention, FFN, heads or neurons" },
        { "attention locality", "yes", c->window ? "some layers see a window only" : "all layers see the whole text" },
    };

    memcpy(a, all, sizeof all);
    for (size_t i = 0; f->checked && !f->weights.unembed.data && i < ANALYSES; i++)
        if (strcmp(a[i].name, "vocabulary effects") == 0 || strcmp(a[i].name, "logit lens") == 0 ||
            strcmp(a[i].name, "layer lesions") == 0) {
            a[i].applies = "no";
            a[i].why = "the checkpoint has no unembedding";
        }
    return sizeof all / sizeof *all;
}

/* ---- text ---- */

static const char *position_name(const struct nf_config *c)
{
    static const char *const names[] = { [NF_POS_NONE] = "none", [NF_POS_LEARNED] = "learned", [NF_POS_ROTARY] = "rotary" };

    return names[c->positions];
}

static const char *rope_name(const struct nf_config *c)
{
    static const char *const names[] = { [NF_ROPE_DEFAULT] = "default", [NF_ROPE_LINEAR] = "linear", [NF_ROPE_LLAMA3] = "llama3" };

    return names[c->rope.kind];
}

static void print_positions(const struct nf_config *c)
{
    size_t windowed = 0;

    printf("positions    %s", position_name(c));
    if (c->positions != NF_POS_NONE)
        printf(", %zu", c->max_positions);
    if (c->positions == NF_POS_ROTARY) {
        printf("; %zu of %zu coordinates of a head turn, base %g", c->rope.R, c->K, c->rope.theta);
        if (c->rope.kind != NF_ROPE_DEFAULT)
            printf(", %s scaling by %g", rope_name(c), c->rope.factor);
        if (c->rope.kind == NF_ROPE_LLAMA3)
            printf(" (from %zu positions, factors %g to %g)", c->rope.original, c->rope.low, c->rope.high);
    }
    for (size_t l = 0; l < c->L; l++)
        windowed += (c->layer[l] & NF_LAYER_WINDOW) != 0;
    if (windowed)
        printf("; %zu of %zu layers see %zu positions", windowed, c->L, c->window);
    putchar('\n');
}

/* The types of the stored tensors, each once. */
static void print_stored(const struct facts *f)
{
    const struct nf_weights *w = &f->weights;
    bool seen[NF_DTYPE_COUNT] = { false };
    const char *comma = "";

    for (size_t i = 0; i < w->file->n; i++)
        for (size_t k = 0; k < w->file->file[i].n; k++) {
            const struct nf_tf_entry *e = &w->file->file[i].entry[k];

            seen[e->t.dtype] |= e->used;
        }
    printf("stored       ");
    for (size_t t = 0; t < NF_DTYPE_COUNT; t++)
        if (seen[t]) {
            printf("%s%s", comma, nf_dtype_name((enum nf_dtype)t));
            comma = ", ";
        }
    printf(", %.1f MiB\n", (double)w->bytes / 0x1p20);
}

static void print_need(const char *type, const struct need *n)
{
    printf("memory       %-4s %.1f MiB with all weights, %.1f MiB the least\n", type, (double)n->resident / 0x1p20,
           (double)n->least / 0x1p20);
}

static void print_tokenizer(const struct facts *f)
{
    const struct nf_tokenizer *t = f->tokenizer;
    char name[64];

    if (!t) {
        printf("tokenizer    %s%s\n", *f->refused.text ? "refused: " : "none in this directory", f->refused.text);
        return;
    }
    printf("tokenizer    %s, %zu tokens", nf_tokenizer_type(t), t->vocab.V);
    if (t->vocab.V < f->cfg.V)
        printf("; %zu more rows in the embedding", f->cfg.V - t->vocab.V);
    printf("; sha256 %.12s..\n", t->digest);
    if (t->bos_id < 0)
        printf("BOS          none\n");
    else
        printf("BOS          %s (%" PRId64 "), %s\n", nf_vocab_show(&t->vocab, (uint32_t)t->bos_id, name, sizeof name), t->bos_id,
               t->bos_auto ? "put in front by the model's own tokenizer" : "not put in front by the model's own tokenizer");
}

static void print_parameters(const struct facts *f)
{
    const struct nf_parameters *p = &f->parameters;
    const struct nf_config *c = &f->cfg;

    printf("parameters   %" PRIu64 ": embedding %" PRIu64 ", unembedding %s", p->all, p->embedding, c->tied ? "tied" : "");
    if (c->tied && c->bias_head)
        printf(", bias ");
    if (!c->tied || c->bias_head)
        printf("%" PRIu64, p->unembedding);
    printf(", all else %" PRIu64 "\n", p->all - p->embedding - p->unembedding);
}

/* Number i of what is done differently from what the files say; tokens without rows come first. */
static bool find_difference(const struct facts *f, size_t i, char *buf, size_t size)
{
    size_t rows = f->cfg.V;

    if (f->tokenizer && f->tokenizer->vocab.V > rows && i-- == 0) {
        snprintf(buf, size, "%zu tokens have no row in the embedding: a text with one of them is refused",
                 f->tokenizer->vocab.V - rows);
        return true;
    }
    return nf_difference(&f->cfg, f->checked ? &f->weights : NULL, i, buf, size);
}

static void print_text(const struct facts *f)
{
    const struct nf_config *c = &f->cfg;
    struct analysis a[ANALYSES];
    size_t n = list_analyses(f, a);
    char line[600];

    printf("model        %s%s%s\n", c->name, *c->revision ? ", revision " : "", c->revision);
    printf("family       %s: %s\n", nf_family_name(c->family), c->architecture);
    printf("sizes        L %zu, D %zu, H %zu, G %zu, K %zu, F %zu, V %zu", c->L, c->D, c->H, c->G, c->K, c->F, c->V);
    printf(c->E != c->D ? ", E %zu\n" : "\n", c->E);
    print_positions(c);
    printf("norm         %s%s, %s attention and FFN, eps %g; %s%s\n", c->norm == NF_NORM_RMS ? "RMSNorm" : "LayerNorm",
           c->norm_affine ? "" : " without gain and bias", c->pre_norm ? "before" : "after", c->norm_eps,
           c->final_norm ? "final norm" : "no final norm", c->qk_norm != NF_NORM_NONE ? "; norms of queries and keys" : "");
    printf("FFN          %s%s; attention and FFN %s\n", nf_act_name(c->act), c->gated ? ", gated" : "",
           c->parallel ? "in parallel" : "one after the other");
    print_parameters(f);
    if (f->checked)
        print_stored(f);
    print_need("f32", &f->f32);
    print_need("bf16", &f->bf16);
    printf("work         %.1f MFLOP a token, in windows of %zu\n", f->f32.flops / 1e6, f->context);
    print_tokenizer(f);
    for (size_t i = 0; find_difference(f, i, line, sizeof line); i++)
        printf("%-12s %s\n", i ? "" : "differs", line);
    printf("digests      config %.12s.., weights %.12s%s\n", c->config_sha256, f->checked ? c->weights_sha256 : "not read",
           f->checked ? ".." : "");
    for (size_t i = 0; i < n; i++)
        printf("%-12s %-19s %-14s %s\n", i ? "" : "analyses", a[i].name, a[i].applies, a[i].why);
}

/* ---- JSON ---- */

static json_t *need_json(const struct need *n)
{
    return json_pack("{s:I, s:I, s:f}", "resident", (json_int_t)n->resident, "least", (json_int_t)n->least, "flops_per_token",
                     n->flops);
}

static json_t *positions_json(const struct nf_config *c)
{
    json_t *p = json_pack("{s:s}", "kind", position_name(c)), *windowed = json_array();

    if (c->positions != NF_POS_NONE)
        json_object_set_new(p, "most", json_integer((json_int_t)c->max_positions));
    if (c->positions == NF_POS_ROTARY)
        json_object_set_new(p, "rope",
                            json_pack("{s:s, s:I, s:f, s:f}", "kind", rope_name(c), "R", (json_int_t)c->rope.R, "theta",
                                      c->rope.theta, "factor", c->rope.factor));
    for (size_t l = 0; l < c->L; l++)
        if (c->layer[l] & NF_LAYER_WINDOW)
            json_array_append_new(windowed, json_integer((json_int_t)l));
    if (c->window)
        json_object_set_new(p, "window", json_integer((json_int_t)c->window));
    json_object_set_new(p, "windowed_layers", windowed);
    return p;
}

static json_t *tokenizer_json(const struct facts *f)
{
    const struct nf_tokenizer *t = f->tokenizer;

    if (!t && *f->refused.text)
        return json_pack("{s:s}", "refused", f->refused.text);
    return t ? json_pack("{s:s, s:I, s:s, s:o, s:b}", "type", nf_tokenizer_type(t), "vocab", (json_int_t)t->vocab.V, "digest",
                         t->digest, "bos_id", t->bos_id < 0 ? json_null() : json_integer(t->bos_id), "bos_auto", t->bos_auto)
             : json_null();
}

static json_t *facts_json(const struct facts *f)
{
    const struct nf_config *c = &f->cfg;
    struct analysis a[ANALYSES];
    size_t n = list_analyses(f, a);
    json_t *analyses = json_array(), *differs = json_array(), *j;
    char line[600];

    for (size_t i = 0; i < n; i++)
        json_array_append_new(analyses, json_pack("{s:s, s:s, s:s}", "name", a[i].name, "applies", a[i].applies, "why", a[i].why));
    for (size_t i = 0; find_difference(f, i, line, sizeof line); i++)
        json_array_append_new(differs, json_string(line));
    j = json_pack("{s:s, s:s, s:s, s:s, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}, s:o, s:s, s:b, s:f, s:s, s:b, s:b, s:b}",
                  "name", c->name, "revision", c->revision, "family", nf_family_name(c->family), "architecture", c->architecture,
                  "sizes", "L", (json_int_t)c->L, "D", (json_int_t)c->D, "H", (json_int_t)c->H, "G", (json_int_t)c->G, "K",
                  (json_int_t)c->K, "F", (json_int_t)c->F, "V", (json_int_t)c->V, "E", (json_int_t)c->E, "positions",
                  positions_json(c), "norm", c->norm == NF_NORM_RMS ? "rms" : "layer", "pre_norm", c->pre_norm, "norm_eps",
                  c->norm_eps, "activation", nf_act_name(c->act), "gated", c->gated, "parallel", c->parallel, "tied", c->tied);
    json_object_update_new(j, json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:s, s:s, s:o, s:o}", "parameters",
                                        (json_int_t)f->parameters.all, "embedding", (json_int_t)f->parameters.embedding,
                                        "unembedding", (json_int_t)f->parameters.unembedding, "context", (json_int_t)f->context,
                                        "f32", need_json(&f->f32), "bf16", need_json(&f->bf16), "tokenizer", tokenizer_json(f),
                                        "config_sha256", c->config_sha256, "weights_sha256", c->weights_sha256, "differs", differs,
                                        "analyses", analyses));
    return j;
}

static int print_json(json_t *j, struct nf_err *err)
{
    bool whole = j && json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0;

    putchar('\n');
    json_decref(j);
    return whole || ferror(stdout) ? NF_OK : nf_fail(err, NF_ESYS, "out of memory");
}

/* ---- --verify ---- */

#define LOGITS_F32 5e-5 /* what a float32 pass of a small model is off by: some hundred roundings of 2^-24 of values below 20 */
#define SHARE_BF16                                                                                                                 \
    0.04 /* bf16 keeps 8 bits of every input of a product; attn.local, a softmax, is the worst: 3.6 % on the demonstration's model */

/*
 * What a site may be off by: --atol; in float32, twice what transformers itself is between float32 and float64 (two passes round alike, not
 * the same), at least LOGITS_F32; in bf16 a share of the largest value.
 */
static double tolerance(const struct info_options *o, const json_t *reference, enum nf_site site, double largest)
{
    double noise = json_number_value(json_object_get(json_object_get(reference, "noise"), nf_site_name(site)));

    if (o->atol > 0)
        return o->atol;
    if (o->dtype == NF_BF16)
        return SHARE_BF16 * largest;
    return fmax(LOGITS_F32, 2 * noise);
}

/* Bits may differ where the pre-activation is as near to zero as ffn.pre may be off. */
static bool within(const struct nf_verify_site *s, enum nf_site site, double allowed)
{
    return site == NF_SITE_FFN_ACTIVE ? s->bit_pre <= allowed : s->off <= allowed;
}

static double allowed_of(const struct info_options *o, const json_t *reference, const struct nf_verify *p, enum nf_site site)
{
    enum nf_site by = site == NF_SITE_FFN_ACTIVE ? NF_SITE_FFN_PRE : site;

    return tolerance(o, reference, by, p->site[by].largest);
}

static void print_site(const struct info_options *o, const json_t *reference, const struct nf_verify *p, enum nf_site site)
{
    const struct nf_verify_site *s = &p->site[site];
    const json_t *noise = json_object_get(json_object_get(reference, "noise"), nf_site_name(site));
    double allowed = allowed_of(o, reference, p, site);
    char own[24] = "-", where[96], off[24];

    if (json_is_number(noise))
        snprintf(own, sizeof own, "%.2g", json_number_value(noise));
    snprintf(where, sizeof where, "layer %zu, window %zu, position %zu, unit %zu", s->layer, s->window, s->position, s->unit);
    if (site == NF_SITE_FFN_ACTIVE)
        snprintf(off, sizeof off, "%" PRIu64 " bits", s->bits);
    else
        snprintf(off, sizeof off, "%.2g", s->off);
    printf("%-11s %6" PRIu64 " %12" PRIu64 " %10s %10.3g %10s %10.2g  %-4s %s\n", nf_site_name(site), s->layers, s->elements, off,
           s->largest, own, allowed, within(s, site, allowed) ? "ok" : "OFF", site == NF_SITE_FFN_ACTIVE && !s->bits ? "" : where);
}

static json_t *site_json(const struct info_options *o, const json_t *reference, const struct nf_verify *p, enum nf_site site)
{
    const struct nf_verify_site *s = &p->site[site];
    double allowed = allowed_of(o, reference, p, site);

    return json_pack("{s:s, s:I, s:I, s:o, s:f, s:f, s:b, s:I, s:I, s:I, s:I, s:I}", "site", nf_site_name(site), "layers",
                     (json_int_t)s->layers, "elements", (json_int_t)s->elements, "off",
                     isfinite(s->off) ? json_real(s->off) : json_null(), "largest", s->largest, "allowed", allowed, "ok",
                     within(s, site, allowed), "bits", (json_int_t)s->bits, "layer", (json_int_t)s->layer, "window",
                     (json_int_t)s->window, "position", (json_int_t)s->position, "unit", (json_int_t)s->unit);
}

static void print_verify(const struct info_options *o, const struct nf_config *cfg, const json_t *reference,
                         const struct nf_verify *p)
{
    const char *dtype = json_string_value(json_object_get(reference, "dtype"));

    printf("%s in %s against %s (%s), %" PRIu64 " tokens in %" PRIu64 " windows\n", cfg->name, nf_dtype_name(o->dtype), o->verify,
           dtype ? dtype : "of unknown origin", p->tokens, p->windows);
    printf("%-11s %6s %12s %10s %10s %10s %10s\n", "site", "layers", "elements", "difference", "of up to", "theirs", "allowed");
    for (enum nf_site s = 0; s < NF_SITE_COUNT; s++)
        if (p->site[s].there)
            print_site(o, reference, p, s);
    if (p->rows)
        printf("next token: the same top-1 in %" PRIu64 " of %" PRIu64 " rows; total variation %.2g in the mean, %.2g at most; "
               "KL %.2g nats in the mean\n",
               p->top_same, p->rows, p->tv_sum / (double)p->rows, p->tv_most, fmax(0, p->kl_sum / (double)p->rows));
}

static json_t *verify_json(const struct info_options *o, const struct nf_config *cfg, const json_t *reference,
                           const struct nf_verify *p)
{
    json_t *sites = json_array();

    for (enum nf_site s = 0; s < NF_SITE_COUNT; s++)
        if (p->site[s].there)
            json_array_append_new(sites, site_json(o, reference, p, s));
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:o, s:I, s:I, s:f, s:f, s:f}", "name", cfg->name, "dtype", nf_dtype_name(o->dtype),
                     "reference", o->verify, "tokens", (json_int_t)p->tokens, "windows", (json_int_t)p->windows, "sites", sites,
                     "rows", (json_int_t)p->rows, "top_same", (json_int_t)p->top_same, "tv_mean",
                     p->rows ? p->tv_sum / (double)p->rows : 0, "tv_most", p->tv_most, "kl_mean",
                     p->rows ? p->kl_sum / (double)p->rows : 0);
}

/* The reference was made with the model's own tokenizer, where both are known. */
static int check_reference_tokenizer(const struct facts *f, const struct nf_reader *in, struct nf_err *err)
{
    const char *digest = json_string_value(json_object_get(json_object_get(nf_reader_header(in), "tokenizer"), "digest"));

    if (f->tokenizer && digest && strcmp(digest, f->tokenizer->digest) != 0)
        return nf_fail(err, NF_EFORMAT, "%s: its tokens were made by a tokenizer (%.12s...) that is not that of %s (%.12s...)",
                       nf_reader_what(in), digest, f->cfg.name, f->tokenizer->digest);
    return NF_OK;
}

/* The first site that is off by more than it may be, after the table of all is printed. */
static int give_verdict(const struct info_options *o, const struct facts *f, const json_t *reference, const struct nf_verify *p,
                        struct nf_err *err)
{
    if (nf_maps_check(err) < 0 || nf_output_close(err) < 0)
        return (int)err->code;
    for (enum nf_site s = 0; s < NF_SITE_COUNT; s++) {
        const struct nf_verify_site *v = &p->site[s];

        if (v->there && !within(v, s, allowed_of(o, reference, p, s)))
            return nf_fail(err, NF_EFORMAT, "%s: %s of layer %zu, window %zu, position %zu, unit %zu: %g, the reference has %g",
                           f->cfg.name, nf_site_name(s), v->layer, v->window, v->position, v->unit, v->ours, v->theirs);
    }
    return NF_OK;
}

static int verify(const struct info_options *o, struct facts *f, struct nf_err *err)
{
    const struct nf_forward_opts forward = { .dtype = o->dtype, .memory = o->memory };
    struct nf_reader *in = nf_reader_open_file(o->verify, "activations", err);
    const json_t *reference = in ? json_object_get(nf_reader_header(in), "reference") : NULL;
    struct nf_verify p;

    if (in && check_reference_tokenizer(f, in, err) == NF_OK &&
        nf_verify_run(&f->cfg, &f->weights, &forward, in, &p, err) == NF_OK) {
        if (o->json)
            print_json(verify_json(o, &f->cfg, reference, &p), err);
        else
            print_verify(o, &f->cfg, reference, &p);
        give_verdict(o, f, reference, &p, err);
    }
    nf_reader_close(in);
    return (int)err->code;
}

/* ---- command line ---- */

static int check_info_options(struct info_options *o, char **operand, int n, struct nf_err *err)
{
    if (n > 1 || (n == 1 && o->model))
        return nf_fail(err, NF_EUSAGE, "one model is required, as operand or with -m");
    if (n == 1)
        o->model = operand[0];
    if (!o->model)
        return nf_fail(err, NF_EUSAGE, "a model is required: a directory, or its name in the Hub cache");
    if (o->verify && o->no_weights)
        return nf_fail(err, NF_EUSAGE, "--verify needs the weights");
    return NF_OK;
}

static void describe(struct info_options *o, struct nf_err *err)
{
    struct facts f = { 0 };

    o->dir = nf_model_dir(o->model, o->revision, err);
    if (o->dir && find_facts(o, &f, err) == NF_OK) {
        if (o->verify)
            verify(o, &f, err);
        else if (o->json)
            print_json(facts_json(&f), err);
        else
            print_text(&f);
    }
    nf_tokenizer_close(f.tokenizer);
    nf_weights_close(&f.weights);
    free(o->dir);
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct info_options o = { .dtype = NF_F32 };
    const struct nf_opt opts[] = {
        OPT_MODEL(&o.model, &o.revision, "the model, also as operand: directory, GGUF file, or name in the Hub cache"),
        OPT_STR("verify", &o.verify, "FILE", "compare with a stream of activations that pipelines/reference.py made"),
        OPT_DTYPE(&o.dtype, "--verify: precision of weights and matrix products"),
        OPT_REAL("atol", &o.atol, 0, 1e6, "X", "--verify: maximum difference; 0: from the noise of each site"),
        OPT_SIZE("memory", &o.memory, 0, "--verify: limit for weights and work space; 0: no limit", .local = true),
        OPT_UINT("context", &o.context, 0, 1 << 24, "N", "window length of the estimates; 0: positions of the model, up to 2048",
                 .letter = 'c'),
        OPT_FLAG("no-weights", &o.no_weights, "do not read the tensors"),
        OPT_EITHER("format", &o.json, "text|json", "text for people, json for programs", .letter = 'f'),
        OPT_END,
    };
    const struct nf_cmd cmd = { "model-info", "describe a checkpoint, and compare its numbers with a reference",
                                "[MODEL]",    "",
                                "text",       opts };
    int first;

    nf_prog_start(cmd.name, argv);
    first = nf_opt_parse(&cmd, argc, argv, &err);
    if (first > 0 && check_info_options(&o, argv + first, argc - first, &err) == NF_OK && nf_output_open(false, &err) == NF_OK)
        describe(&o, &err);
    return nf_prog_end(&err);
}
