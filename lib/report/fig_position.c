/* fig_position.c - Figures 7 to 11 and 16: positional neurons (Voita et al. 2023, sections 5 and 6). */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "report/figures.h"

static const char *const types[] = { "oscillatory", "both", "one", "other", NULL };
static const char *const type_words[] = { "oscillatory", "at both extremes", "at one extreme", "without an extreme" };
static const char *const strengths[] = { "strong", "weak", NULL };

/* Positional neurons of this type (NULL: any) and strength (NULL: any), in one layer. */
static uint64_t count_positional_type(const json_t *layer, const char *type, const char *strength)
{
    const json_t *counts = nf_at(layer, "positional");
    uint64_t n = 0;

    for (const char *const *t = types; *t; t++)
        for (const char *const *s = strengths; *s; s++) {
            char key[32];

            snprintf(key, sizeof key, "%s/%s", *t, *s);
            if ((!type || !strcmp(type, *t)) && (!strength || !strcmp(strength, *s)))
                n += (uint64_t)json_integer_value(json_object_get(counts, key));
        }
    return n;
}

static uint64_t positional_all(const struct nf_input *run, const char *type, const char *strength)
{
    uint64_t n = 0;
    size_t i;
    json_t *layer;

    json_array_foreach (run->layers, i, layer)
        n += count_positional_type(layer, type, strength);
    return n;
}

/* Too few full windows: said wherever a positional figure is shown. */
static void note_full(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct nf_input *run = &r->runs[i];
        uint64_t full = nf_whole_at(run->run, "full"), needed = nf_whole_at(run->run, "full_needed");

        needed = needed ? needed : 200; /* voita-2023, section 7.1 */
        if (full < needed)
            nf_doc_note(d,
                          "%sOnly %s of %zu tokens were seen, and %s are needed: the mutual information is corrected for its bias, "
                          "but the curves are noisy and the types "
                          "tentative.",
                          nf_prefix(r, run).s, nf_show_several(full, "full window", "full windows").s, run->T,
                          nf_show_count(needed).s);
    }
}

static void say_types(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_input *run)
{
    uint64_t all = positional_all(run, NULL, NULL);
    size_t best = 0;

    for (size_t t = 1; types[t]; t++)
        if (positional_all(run, types[t], NULL) > positional_all(run, types[best], NULL))
            best = t;
    if (all == 0)
        nf_doc_say(d, "%sNo neuron is positional.", nf_prefix(r, run).s);
    else
        nf_doc_say(d,
                     "%s%s neurons are positional. The most frequent kind is %s (%s); %s strong: their frequency stays at exactly "
                     "0 or 1 over ranges, or is smooth.",
                     nf_prefix(r, run).s, nf_show_share(nf_wilson(all, nf_layer_sum(run, "neurons"))).s, type_words[best],
                     nf_show_count(positional_all(run, types[best], NULL)).s,
                     nf_show_several(positional_all(run, NULL, "strong"), "neuron is", "neurons are").s);
}

static void type_table(struct nf_doc_writer *d, const struct nf_report *r)
{
    nf_doc_table(d, "Positional neurons by kind and strength", "Model|Kind|Strong>|Weak>|Together>|Share of all neurons>", true);
    for (size_t i = 0; i < r->n; i++)
        for (size_t t = 0; types[t]; t++) {
            const struct nf_input *run = &r->runs[i];
            struct nf_share s = nf_wilson(positional_all(run, types[t], NULL), nf_layer_sum(run, "neurons"));

            nf_doc_cell(d, "%s", run->name);
            nf_doc_cell(d, "%s", type_words[t]);
            nf_doc_cell(d, "%s", nf_show_count(positional_all(run, types[t], "strong")).s);
            nf_doc_cell(d, "%s", nf_show_count(positional_all(run, types[t], "weak")).s);
            nf_doc_cell(d, "%s", nf_show_count(s.k).s);
            nf_doc_cell(d, "%s (%s)", nf_show_percent(s.p).s, nf_show_interval(s).s);
        }
    nf_doc_table_end(d, true);
}

void nf_fig_gallery(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        say_types(d, r, &r->runs[i]);
        nf_doc_chart(d, "7", i, "Firing frequency over positions for examples of each kind, strong above weak");
    }
    nf_doc_guide(d, "Share of full windows in which the neuron fires at each position; band: 95 %% interval at each position. "
                     "Examples with the highest mutual information of "
                     "their kind.");
    note_full(d, r);
    type_table(d, r);
}

static void layer_table(struct nf_doc_writer *d, const struct nf_report *r)
{
    size_t l;
    json_t *layer;

    nf_doc_table(d, "Positional neurons by layer: strong + weak",
                 "Model|Layer>|oscillatory>|both extremes>|one extreme>|other>|Together>|Share of the layer>|First positions only>",
                 true);
    for (size_t i = 0; i < r->n; i++)
        json_array_foreach (r->runs[i].layers, l, layer) {
            struct nf_share s = nf_wilson(count_positional_type(layer, NULL, NULL), nf_whole_at(layer, "neurons"));

            nf_doc_cell(d, "%s", r->runs[i].name);
            nf_doc_cell(d, "%llu", (unsigned long long)nf_whole_at(layer, "layer"));
            for (const char *const *t = types; *t; t++)
                nf_doc_cell(d, "%s + %s", nf_show_count(count_positional_type(layer, *t, "strong")).s,
                              nf_show_count(count_positional_type(layer, *t, "weak")).s);
            nf_doc_cell(d, "%s", nf_show_count(s.k).s);
            nf_doc_cell(d, "%s (%s)", nf_show_percent(s.p).s, nf_show_interval(s).s);
            nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(layer, "first_positions")).s);
        }
    nf_doc_table_end(d, true);
}

static void say_layers(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_input *run)
{
    uint64_t top = 0, undecided = nf_layer_sum(run, "undecided_position");
    size_t i, at = 0, last = 0;
    json_t *layer;

    json_array_foreach (run->layers, i, layer) {
        uint64_t n = count_positional_type(layer, NULL, NULL);

        last = n ? i : last;
        if (n > top) {
            top = n;
            at = i;
        }
    }
    if (top == 0)
        nf_doc_say(d, "%sNo layer has positional neurons.", nf_prefix(r, run).s);
    else
        nf_doc_say(d, "%sLayer %zu has the most positional neurons (%s); the highest layer with any is %zu of 0 to %zu.",
                     nf_prefix(r, run).s, at, nf_show_count(top).s, last, json_array_size(run->layers) - 1);
    if (nf_layer_sum(run, "first_positions"))
        nf_doc_say(d,
                     "%s%s fire at the first positions only: too few to pass the threshold of mutual information, and a class of "
                     "their own here.",
                     nf_prefix(r, run).s, nf_show_several(nf_layer_sum(run, "first_positions"), "neuron", "neurons").s);
    if (undecided)
        nf_doc_note(d, "%s%s undecided: no full window was seen.", nf_prefix(r, run).s,
                      nf_show_several(undecided, "neuron is", "neurons are").s);
}

void nf_fig_circles(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        say_layers(d, r, &r->runs[i]);
        nf_doc_chart(d, "8", i, "One circle for each positional neuron, a row for each layer, coloured by kind");
    }
    nf_doc_guide(
        d,
        "One circle a neuron, one row a layer (layer 0 at the bottom); filled: strong, hollow: weak. Choose a circle to see its "
        "curve. The paper's counts, digitised: 127 in "
        "OPT-125m (34 and 42 in its first two layers), 251 in 1.3b, 274 in 2.7b, 194 in 6.7b, 300 in 13b, 283 in 30b, 353 in 66b.");
    note_full(d, r);
    layer_table(d, r);
}

/* ---- 9 ---- */

static const char *words_of(const char *type)
{
    size_t t = 0;

    while (types[t] && strcmp(types[t], type))
        t++;
    return types[t] ? type_words[t] : type;
}

void nf_fig_teams(struct nf_doc_writer *d, const struct nf_report *r)
{
    size_t k;
    json_t *t;

    for (size_t i = 0; i < r->n; i++) {
        const struct nf_input *run = &r->runs[i];
        const json_t *best = NULL;

        json_array_foreach (run->teams, k, t)
            best = !best || nf_whole_at(t, "covered") > nf_whole_at(best, "covered") ? t : best;
        if (!best) {
            nf_doc_say(d, "%sNo layer has two or more neurons of one kind whose ranges could be compared.", nf_prefix(r, run).s);
            continue;
        }
        nf_doc_say(d,
                     "%sThe ranges of %s positional neurons (%s) of layer %llu together cover %s of %s positions (%s); each "
                     "covered position belongs to %s of them on average.",
                   nf_prefix(r, run).s, nf_show_count(json_array_size(nf_at(best, "neurons"))).s, words_of(nf_str_at(best, "type")),
                   (unsigned long long)nf_whole_at(best, "layer"), nf_show_count(nf_whole_at(best, "covered")).s,
                   nf_show_count(nf_whole_at(best, "context")).s,
                     nf_show_percent(nf_wilson(nf_whole_at(best, "covered"), nf_whole_at(best, "context")).p).s,
                     nf_show_real(nf_real_at(best, "multiplicity"), 2).s);
        nf_doc_chart(d, "9", i, "Position ranges in which each neuron of a team fires");
    }
    nf_doc_guide(d, "Each row is a neuron, each bar a range of positions in which it fires. A team without redundancy covers "
                     "every position once (multiplicity 1). The list "
                     "ends with the paper's team: ten strong oscillatory neurons of OPT-125m's second layer, digitised.");
    note_full(d, r);
    nf_doc_table(d, "Teams",
                   "Model|Layer>|Kind|Strength|Neurons>|Positions covered>|Share>|Multiplicity>|Largest loss without one>", true);
    for (size_t i = 0; i < r->n; i++)
        json_array_foreach (r->runs[i].teams, k, t) {
            uint64_t loss = 0;

            for (size_t m = 0; m < json_array_size(nf_at(t, "loss")); m++) {
                uint64_t v = (uint64_t)json_integer_value(json_array_get(nf_at(t, "loss"), m));

                loss = v > loss ? v : loss;
            }
            nf_doc_cell(d, "%s", r->runs[i].name);
            nf_doc_cell(d, "%llu", (unsigned long long)nf_whole_at(t, "layer"));
            nf_doc_cell(d, "%s", words_of(nf_str_at(t, "type")));
            nf_doc_cell(d, "%s", nf_str_at(t, "strength"));
            nf_doc_cell(d, "%zu", json_array_size(nf_at(t, "neurons")));
            nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(t, "covered")).s);
            nf_doc_cell(d, "%s", nf_show_percent(nf_wilson(nf_whole_at(t, "covered"), nf_whole_at(t, "context")).p).s);
            nf_doc_cell(d, "%s", nf_show_real(nf_real_at(t, "multiplicity"), 2).s);
            nf_doc_cell(d, "%s", nf_show_count(loss).s);
        }
    nf_doc_table_end(d, true);
}

/* ---- comparisons: 10, 11, 16 ---- */

static void say_counts(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_input *run)
{
    const json_t *first = json_array_get(run->layers, 0);
    struct nf_share s = nf_wilson(positional_all(run, NULL, NULL), nf_layer_sum(run, "neurons"));

    nf_doc_say(d, "%s%s neurons are positional, %s of them oscillatory; layer 0 has %s.", nf_prefix(r, run).s, nf_show_share(s).s,
                 nf_show_count(positional_all(run, "oscillatory", NULL)).s, nf_show_count(count_positional_type(first, NULL, NULL)).s);
}

void nf_fig_positions(struct nf_doc_writer *d, const struct nf_report *r)
{
    bool with = false, without = false;

    for (size_t i = 0; i < r->n; i++) {
        bool none = !strcmp(nf_str_at(r->runs[i].header, "model.positions"), "none");

        with |= !none;
        without |= none;
    }
    if (!with || !without)
        nf_doc_say(
            d, "All inputs are models with%s position embeddings. Give render-report a model of each sort to compare them here.",
            with ? "" : "out");
    for (size_t i = 0; with && without && i < r->n; i++)
        say_counts(d, r, &r->runs[i]);
    nf_doc_chart(d, "10", SIZE_MAX, "Positional neurons by layer and kind, with and without position embeddings");
    nf_doc_guide(d, "Reference: the paper's two 125m models, with and without position embeddings, digitised from its figure; "
                     "without them no neuron is oscillatory and "
                     "layer 0 has no positional neuron at all.");
    note_full(d, r);
}

void nf_fig_checkpoints(struct nf_doc_writer *d, const struct nf_report *r)
{
    if (r->n < 2)
        nf_doc_say(d, "There is one input. Give render-report several checkpoints of a model, in the order of training, to "
                        "compare them here.");
    for (size_t i = 0; r->n > 1 && i < r->n; i++)
        say_counts(d, r, &r->runs[i]);
    if (r->n < 2)
        return;
    nf_doc_chart(d, "11", SIZE_MAX, "Positional neurons of each input by kind and strength, in the order given");
    nf_doc_guide(d, "Inputs in the order in which they were given; bars of error: 95 %% Wilson intervals over all neurons.");
    note_full(d, r);
    type_table(d, r);
}

void nf_fig_post_norm(struct nf_doc_writer *d, const struct nf_report *r)
{
    bool any = false;

    for (size_t i = 0; i < r->n; i++) {
        const struct nf_input *run = &r->runs[i];

        if (strcmp(nf_str_at(run->header, "model.norm"), "post"))
            continue;
        any = true;
        nf_doc_say(d,
                     "%s%s neurons are dead and %s positional. The paper finds in its post-LN model (OPT-350m) no dead neurons, "
                     "but positional ones.",
                     nf_prefix(r, run).s, nf_show_share(nf_wilson(nf_layer_sum(run, "dead.k"), nf_layer_sum(run, "dead.n"))).s,
                     nf_show_count(positional_all(run, NULL, NULL)).s);
        nf_doc_chart(d, "16", i, "One circle for each positional neuron of a post-LN model");
    }
    if (!any)
        nf_doc_say(d, "No input is a post-LN model (such as OPT-350m): there is nothing to show.");
    else
        note_full(d, r);
}
