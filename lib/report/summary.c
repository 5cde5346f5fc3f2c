/* summary.c - the key numbers at the top of a report, and where its numbers come from at the end. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/figures.h"

/* ---- key numbers ---- */

static uint64_t count_positional(const struct nf_input *run)
{
    uint64_t n = 0;
    size_t i;
    json_t *layer, *v;
    const char *key;

    json_array_foreach (run->layers, i, layer)
        json_object_foreach ((json_t *)nf_at(layer, "positional"), key, v)
            n += (uint64_t)json_integer_value(v);
    return n;
}

static void tile_share(struct nf_doc_writer *d, const char *label, struct nf_share s, const char *of)
{
    nf_doc_tile(d, label, nf_show_percent(s.p).s, "%s of %s %s; 95 %% interval %s", nf_show_count(s.k).s, nf_show_count(s.n).s, of,
                nf_show_interval(s).s);
}

static void tile_suppression(struct nf_doc_writer *d, const struct nf_input *run)
{
    size_t i;
    json_t *s;

    json_array_foreach (run->suppression, i, s)
        if (!strcmp(nf_str_at(s, "projection"), "centred") && !strcmp(nf_str_at(s, "scope"), "all") &&
            nf_share_at(s, "suppressing").n) {
            struct nf_share of = nf_share_at(s, "suppressing"), null = nf_share_at(s, "null");

            nf_doc_tile(d, "Suppress triggers", nf_show_percent(of.p).s, "%s of %s detectors; 95 %% interval %s; by chance %s",
                        nf_show_count(of.k).s, nf_show_count(of.n).s, nf_show_interval(of).s, nf_show_percent(null.p).s);
        }
}

static void tiles(struct nf_doc_writer *d, const struct nf_input *run)
{
    uint64_t neurons = nf_layer_sum(run, "neurons"), detectors = nf_layer_sum(run, "detectors.token"), covered = 0, scope = 0;
    size_t i;
    json_t *layer;

    json_array_foreach (run->layers, i, layer) {
        uint64_t c = nf_whole_at(layer, "covered.token.cumulative");

        covered = c > covered ? c : covered;
        scope += json_is_object(nf_at(layer, "covered")) ? nf_whole_at(layer, "neurons") : 0;
    }
    nf_doc_tiles(d, true);
    nf_doc_tile(d, "Neurons", nf_show_count(neurons).s, "%s, on %s of text",
                nf_show_several(json_array_size(run->layers), "layer", "layers").s,
                nf_show_several(nf_whole_at(run->run, "tokens"), "token", "tokens").s);
    tile_share(d, "Dead", nf_wilson(nf_layer_sum(run, "dead.k"), nf_layer_sum(run, "dead.n")), "neurons");
    tile_share(d, "Token detectors", nf_wilson(detectors, scope), "neurons in scope");
    nf_doc_tile(d, "Tokens detected", nf_show_count(covered).s, "of a vocabulary of %s",
                nf_show_count(nf_whole_at(run->header, "model.V")).s);
    tile_suppression(d, run);
    tile_share(d, "Positional", nf_wilson(count_positional(run), neurons), "neurons");
    nf_doc_tiles(d, false);
}

static void say_classes(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_input *run)
{
    uint64_t dead = nf_layer_sum(run, "dead.k"), token = nf_layer_sum(run, "detectors.token"),
             tri = nf_layer_sum(run, "detectors.trigram"), bi = nf_layer_sum(run, "detectors.bigram");

    nf_doc_say(d,
               "%sOf %s FFN neurons, %s never fired on this corpus; %s detect%s single tokens, %s bigrams and %s trigrams; %s "
               "respond%s to the position in the window.",
               nf_prefix(r, run).s, nf_show_count(nf_layer_sum(run, "neurons")).s, nf_show_count(dead).s, nf_show_count(token).s,
               token == 1 ? "s" : "", nf_show_count(bi).s, nf_show_count(tri).s, nf_show_count(count_positional(run)).s,
               count_positional(run) == 1 ? "s" : "");
}

void nf_fig_summary(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct nf_input *run = &r->runs[i];

        say_classes(d, r, run);
        tiles(d, run);
        nf_doc_chart(d, "classes", i, "Neurons of each layer by class");
        if (json_array_size(run->layers) == 0)
            nf_doc_note(d, "%sThe stream holds no layer.", nf_prefix(r, run).s);
        if (json_is_false(nf_at(run->run, "exact")))
            nf_doc_note(d,
                        "%sN-gram counts were dropped for lack of memory: what they leave open is marked undecided, never guessed.",
                        nf_prefix(r, run).s);
    }
    nf_doc_note(d, "All of this depends on the corpus: a neuron that is silent here may have a trigger that was not sampled.");
}

/* ---- provenance ---- */

static void row(struct nf_doc_writer *d, const char *name, const char *value)
{
    if (*value) {
        nf_doc_cell(d, "%s", name);
        nf_doc_cell(d, "%s", value);
    }
}

/* A JSON value as a person would write it: strings bare, lists with commas, {a: 1, b: 2}. */
static void plain(struct nf_text *t, const json_t *j)
{
    size_t i;
    json_t *v;
    const char *key;
    bool first = true;

    if (json_is_object(j)) {
        json_object_foreach ((json_t *)j, key, v) {
            nf_text_fmt(t, "%s%s: ", first ? "" : ", ", key);
            plain(t, v);
            first = false;
        }
    } else if (json_is_array(j)) {
        json_array_foreach (j, i, v) {
            nf_text_str(t, i ? ", " : "");
            plain(t, v);
        }
    } else if (json_is_string(j)) {
        nf_text_str(t, json_string_value(j));
    } else {
        char *s = json_dumps(j, JSON_ENCODE_ANY | JSON_REAL_PRECISION(10));

        nf_text_str(t, s && !json_is_null(j) ? s : "-");
        free(s);
    }
}

static void row_json(struct nf_doc_writer *d, const char *name, const json_t *j)
{
    struct nf_text t = { 0 };

    if (j && !json_is_null(j) && !(json_is_array(j) && json_array_size(j) == 0)) {
        plain(&t, j);
        row(d, name, t.p ? t.p : "");
    }
    d->out.failed |= t.failed;
    nf_text_clear(&t);
}

static void row_command(struct nf_doc_writer *d, const json_t *h)
{
    struct nf_text t = { 0 };
    const char *key;
    json_t *v;

    nf_text_str(&t, nf_str_at(h, "tool"));
    json_object_foreach ((json_t *)nf_at(h, "options"), key, v) {
        if (json_is_null(v) || json_is_false(v) || (json_is_array(v) && json_array_size(v) == 0))
            continue;
        nf_text_fmt(&t, " --%s", key);
        if (!json_is_true(v)) {
            nf_text_str(&t, " ");
            plain(&t, v);
        }
    }
    nf_text_fmt(&t, "   (%s %s)", nf_str_at(h, "tool"), nf_str_at(h, "version"));
    row(d, "command", t.p ? t.p : "");
    d->out.failed |= t.failed;
    nf_text_clear(&t);
    if (json_array_size(nf_at(h, "inputs")))
        row_json(d, "  its inputs", nf_at(h, "inputs"));
}

static void rows_model(struct nf_doc_writer *d, const json_t *h)
{
    static const char *const model[] = { "name",           "architecture", "config_sha256",
                                         "weights_sha256", "dtype",        "activation",
                                         "norm",           "positions",    NULL };
    struct nf_text sizes = { 0 };

    for (const char *const *m = model; *m; m++)
        row(d, *m, nf_str_at(nf_at(h, "model"), *m));
    nf_text_fmt(&sizes, "L %llu layers, D %llu wide, H %llu heads, F %llu FFN neurons, V %llu tokens",
                (unsigned long long)nf_whole_at(h, "model.L"), (unsigned long long)nf_whole_at(h, "model.D"),
                (unsigned long long)nf_whole_at(h, "model.H"), (unsigned long long)nf_whole_at(h, "model.F"),
                (unsigned long long)nf_whole_at(h, "model.V"));
    row(d, "sizes", sizes.p ? sizes.p : "");
    d->out.failed |= sizes.failed;
    nf_text_clear(&sizes);
    row_json(d, "tokenizer", nf_at(h, "tokenizer"));
}

/* The model of a header, where no header before it in the report has the same. */
static bool is_new(const struct nf_report *r, const json_t *h)
{
    for (size_t i = 0; i < r->n + r->stages_n; i++) {
        const json_t *other = i < r->n ? r->runs[i].header : r->stages[i - r->n].header;

        if (other == h)
            return true;
        if (json_equal(nf_at(other, "model"), nf_at(h, "model")) && json_equal(nf_at(other, "tokenizer"), nf_at(h, "tokenizer")))
            return false;
    }
    return true;
}

/* counts: record "run" of a neurons stream, NULL of others. */
static void provenance_of(struct nf_doc_writer *d, const struct nf_report *r, const char *caption, const json_t *h,
                          const json_t *counts)
{
    static const char *const counted[] = { "tokens", "bos", "windows", "full", "context", "docs", NULL };
    const json_t *names = nf_at(counts, "domains");
    size_t i;
    json_t *v;

    nf_doc_table(d, caption, "What|Value", false);
    if (is_new(r, h))
        rows_model(d, h);
    else
        row(d, "model, tokenizer", "as above");
    for (const char *const *c = counted; *c; c++)
        row_json(d, *c, nf_at(counts, *c));
    json_array_foreach (names, i, v) {
        struct nf_text t = { 0 };

        nf_text_fmt(&t, "%s tokens, %s",
                    nf_show_count((uint64_t)json_integer_value(json_array_get(nf_at(counts, "domain_tokens"), i))).s,
                    nf_show_several((uint64_t)json_integer_value(json_array_get(nf_at(counts, "domain_full"), i)), "full window",
                                    "full windows")
                        .s);
        nf_doc_cell(d, "domain %s", json_string_value(v) ? json_string_value(v) : "?");
        nf_doc_cell(d, "%s", t.p ? t.p : "");
        d->out.failed |= t.failed;
        nf_text_clear(&t);
    }
    row_json(d, "layers in scope of the n-gram rules", nf_at(counts, "scope"));
    row_json(d, "excluded", nf_at(h, "excluded"));
    row_json(d, "thresholds", nf_at(h, "thresholds"));
    row_json(d, "lens", nf_at(h, "lens"));
    row_json(d, "pre-activations near zero", nf_at(counts, "near_zero"));
    json_array_foreach (nf_at(h, "history"), i, v)
        row_command(d, v);
    nf_doc_table_end(d, false);
}

/* Whether the weights are of a stream that is also among the runs. */
static bool is_counted(const struct nf_report *r, const struct nf_stage_input *weights)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->runs[i].header == weights->header)
            return true;
    return false;
}

void nf_fig_provenance(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct nf_input *run = &r->runs[i];

        provenance_of(d, r, run->name, run->header, run->run);
        if (!run->all)
            nf_doc_note(d,
                        "%sThe tables of this page hold the %s with a class of their own, of %s: the others and the dead are in "
                        "the counts only.",
                        nf_prefix(r, run).s, nf_show_several(json_array_size(nf_at(run->neurons, "layer")), "neuron", "neurons").s,
                        nf_show_count(run->seen).s);
        if (run->cut)
            nf_doc_note(d, "%sThe evidence of %s did not fit the page; it is in the stream (stream-dump).", nf_prefix(r, run).s,
                        nf_show_several(run->cut, "further neuron", "further neurons").s);
    }
    for (size_t i = 0; i < r->stages_n; i++) {
        const struct nf_stage_input *run = &r->stages[i];
        char caption[sizeof run->name + 16];

        if (run->kind == NF_STAGE_NEURONS && is_counted(r, run))
            continue;
        snprintf(caption, sizeof caption, "%s, %s", run->name, nf_stage_kind_name(run->kind));
        provenance_of(d, r, caption, run->header, NULL);
    }
}
