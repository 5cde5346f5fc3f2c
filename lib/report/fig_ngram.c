/* fig_ngram.c - Figures 2 to 4 and 12 to 15: n-gram coverage and detectors (Voita et al. 2023, section 4 and appendix A). */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "report/figures.h"

/* ---- coverage: 2, 12, 13 ---- */

/* Firing neurons of a layer that have a coverage number, `undecided` included. */
static uint64_t cover_total(const json_t *cover)
{
    uint64_t n = 0;
    const char *bin;
    json_t *v;

    json_object_foreach ((json_t *)cover, bin, v)
        n += (uint64_t)json_integer_value(v);
    return n;
}

/* "LAYER" with most of its firing neurons in the first bin, and the sums over the scope. */
static void say_cover(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_input *run, const char *field,
                      const char *ngrams)
{
    const char *first = NULL;
    uint64_t k = 0, n = 0, undecided = 0;
    struct nf_share best = nf_wilson(0, 0);
    size_t i, at = 0;
    json_t *layer;

    json_array_foreach (run->layers, i, layer) {
        const json_t *cover = nf_at(layer, field);
        struct nf_share s;

        if (!json_is_object(cover) || !json_object_iter((json_t *)cover))
            continue;
        first = first ? first : json_object_iter_key(json_object_iter((json_t *)cover));
        s = nf_wilson(nf_whole_at(cover, first), cover_total(cover));
        k += s.k;
        n += s.n;
        undecided += nf_whole_at(cover, "undecided");
        if (s.n && (best.n == 0 || s.p > best.p)) {
            best = s;
            at = (size_t)nf_whole_at(layer, "layer");
        }
    }
    if (n == 0) {
        nf_doc_say(d, "%sNo layer of this run was counted for %s.", nf_prefix(r, run).s, ngrams);
        return;
    }
    if (k == 0) {
        nf_doc_say(d, "%sNo firing neuron of %s (95 %% interval up to %s) is covered by %s %s.", nf_prefix(r, run).s,
                     nf_show_count(n).s, nf_show_percent(nf_wilson(0, n).hi).s, first, ngrams);
        return;
    }
    nf_doc_say(d,
               "%sFor %s firing neurons, %s %s are enough to cover 95 %% of their firings; the share is highest in layer %zu: %s.",
        nf_prefix(r, run).s, nf_show_share(nf_wilson(k, n)).s, first, ngrams, at, nf_show_share(best).s);
    if (undecided)
        nf_doc_note(d, "%s%s could not be decided: counts were dropped for lack of memory.", nf_prefix(r, run).s,
                      nf_show_several(undecided, "neuron", "neurons").s);
}

/* The bins are those of the stream; the first layer that has any names them. */
static void cover_table(struct nf_doc_writer *d, const struct nf_input *run, const char *field)
{
    char heads[512] = "Layer>";
    const json_t *bins = NULL;
    const char *bin;
    size_t i;
    json_t *layer, *v;

    json_array_foreach (run->layers, i, layer)
        bins = bins ? bins : json_is_object(nf_at(layer, field)) ? nf_at(layer, field) : NULL;
    if (!bins)
        return;
    json_object_foreach ((json_t *)bins, bin, v)
        snprintf(heads + strlen(heads), sizeof heads - strlen(heads), "|%.24s>", bin);
    nf_doc_table(d, run->name, heads, true);
    json_array_foreach (run->layers, i, layer) {
        if (!json_is_object(nf_at(layer, field)))
            continue;
        nf_doc_cell(d, "%llu", (unsigned long long)nf_whole_at(layer, "layer"));
        json_object_foreach ((json_t *)bins, bin, v)
            nf_doc_cell(d, "%s", nf_show_count((uint64_t)json_integer_value(json_object_get(nf_at(layer, field), bin))).s);
    }
    nf_doc_table_end(d, true);
}

static void cover(struct nf_doc_writer *d, const struct nf_report *r, const char *id, const char *field, const char *ngrams)
{
    for (size_t i = 0; i < r->n; i++) {
        say_cover(d, r, &r->runs[i], field, ngrams);
        nf_doc_chart(d, id, i, "Firing neurons of each layer by the number of n-grams that cover 95 % of their firings");
    }
    nf_doc_guide(d,
                  "Each bar is a layer: its firing neurons by the smallest number of %s that make up at least 95 %% of their "
                  "firings. The colour says how specific "
                  "they are; the interval in the tooltip is over the neurons of the layer.",
                  ngrams);
    for (size_t i = 0; i < r->n; i++)
        cover_table(d, &r->runs[i], field);
}

void nf_fig_cover_tokens(struct nf_doc_writer *d, const struct nf_report *r)
{
    cover(d, r, "2", "cover1", "tokens");
}

void nf_fig_cover_bigrams(struct nf_doc_writer *d, const struct nf_report *r)
{
    cover(d, r, "12", "cover2", "bigrams");
}

void nf_fig_cover_trigrams(struct nf_doc_writer *d, const struct nf_report *r)
{
    cover(d, r, "13", "cover3", "trigrams");
}

/* ---- detectors: 3a, 14a ---- */

/* The layer with the highest value at `path`; its value in *top (0: none has any). */
static size_t top_layer(const struct nf_input *run, const char *path, uint64_t *top)
{
    size_t i, at = 0;
    json_t *layer;

    *top = 0;
    json_array_foreach (run->layers, i, layer)
        if (nf_whole_at(layer, path) > *top) {
            *top = nf_whole_at(layer, path);
            at = (size_t)nf_whole_at(layer, "layer");
        }
    return at;
}

/* Neurons of the layers where `path` was computed at all. */
static uint64_t neurons_with(const struct nf_input *run, const char *path)
{
    uint64_t n = 0;
    size_t i;
    json_t *layer;

    json_array_foreach (run->layers, i, layer)
        n += json_is_integer(nf_at(layer, path)) ? nf_whole_at(layer, "neurons") : 0;
    return n;
}

static void say_detectors(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_input *run, const char *order)
{
    char path[64];
    uint64_t all, in, top;
    size_t at;

    snprintf(path, sizeof path, "detectors.%s", order);
    all = nf_layer_sum(run, path);
    in = neurons_with(run, path);
    at = top_layer(run, path, &top);
    if (all == 0)
        nf_doc_say(d, "%sThere are no %s detectors among %s neurons of the layers in scope.", nf_prefix(r, run).s, order,
                     nf_show_count(in).s);
    else
        nf_doc_say(d, "%s%s neurons of the layers in scope are %s detectors, most of them in layer %zu: %s.", nf_prefix(r, run).s,
                     nf_show_share(nf_wilson(all, in)).s, order, at, nf_show_count(top).s);
    snprintf(path, sizeof path, "detectors.undecided.%s", order);
    if (nf_layer_sum(run, path))
        nf_doc_note(d, "%s%s undecided as %s detectors: counts were dropped for lack of memory.", nf_prefix(r, run).s,
                      nf_show_several(nf_layer_sum(run, path), "neuron is", "neurons are").s, order);
}

/* What remains of the detectors when rare n-grams are left out (the paper sets no minimum). */
static void note_min_count(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_input *run, const char *order)
{
    const json_t *first = json_array_get(run->layers, 0);
    size_t n = json_array_size(nf_at(first, "min_count")), i;
    json_t *layer;

    for (size_t k = 0; k < n; k++) {
        uint64_t sum = 0, min = 0;

        json_array_foreach (run->layers, i, layer) {
            const json_t *row = json_array_get(nf_at(layer, "min_count"), k);

            sum += nf_whole_at(row, order);
            min = row ? nf_whole_at(row, "min") : min;
        }
        if (min > 1)
            nf_doc_note(d, "%sCounting only n-grams seen at least %s times: %s.", nf_prefix(r, run).s, nf_show_count(min).s,
                          nf_show_several(sum, "detector", "detectors").s);
    }
}

static void detector_table(struct nf_doc_writer *d, const struct nf_report *r, const char *const *orders, const char *heads)
{
    char path[64];
    size_t l;
    json_t *layer;

    nf_doc_table(d, "Detectors by layer", heads, true);
    for (size_t i = 0; i < r->n; i++)
        json_array_foreach (r->runs[i].layers, l, layer) {
            if (!json_is_object(nf_at(layer, "detectors")) || !json_is_integer(nf_at(nf_at(layer, "detectors"), orders[0])))
                continue;
            nf_doc_cell(d, "%s", r->runs[i].name);
            nf_doc_cell(d, "%llu", (unsigned long long)nf_whole_at(layer, "layer"));
            for (const char *const *o = orders; *o; o++) {
                struct nf_share s;

                snprintf(path, sizeof path, "detectors.%s", *o);
                s = nf_wilson(nf_whole_at(layer, path), nf_whole_at(layer, "neurons"));
                nf_doc_cell(d, "%s", nf_show_count(s.k).s);
                nf_doc_cell(d, "%s (%s)", nf_show_percent(s.p).s, nf_show_interval(s).s);
            }
        }
    nf_doc_table_end(d, true);
}

void nf_fig_token_detectors(struct nf_doc_writer *d, const struct nf_report *r)
{
    static const char *const orders[] = { "token", NULL };

    for (size_t i = 0; i < r->n; i++)
        say_detectors(d, r, &r->runs[i], "token");
    nf_doc_chart(d, "3a", SIZE_MAX, "Token detectors in each layer, with 95 % intervals");
    nf_doc_guide(d, "Bars of error: 95 %% Wilson intervals over the neurons of a layer. Dashed: OPT models, digitised from the "
                     "paper's figure; counts grow with the "
                     "width of the model (5,351 in OPT-66b).");
    for (size_t i = 0; i < r->n; i++)
        note_min_count(d, r, &r->runs[i], "token");
    detector_table(d, r, orders, "Model|Layer>|Token detectors>|Share of the layer>");
}

void nf_fig_trigram_detectors(struct nf_doc_writer *d, const struct nf_report *r)
{
    static const char *const orders[] = { "bigram", "trigram", NULL };

    for (size_t i = 0; i < r->n; i++) {
        say_detectors(d, r, &r->runs[i], "trigram");
        say_detectors(d, r, &r->runs[i], "bigram");
    }
    nf_doc_chart(d, "14a", SIZE_MAX, "Bigram and trigram detectors in each layer, with 95 % intervals");
    nf_doc_guide(d, "The paper shows trigram detectors only; the same rule is applied to bigrams here. The more n-grams a corpus "
                     "holds once only, the more of them look "
                     "like triggers: compare the counts with a minimum.");
    for (size_t i = 0; i < r->n; i++)
        note_min_count(d, r, &r->runs[i], "trigram");
    detector_table(d, r, orders, "Model|Layer>|Bigram detectors>|Share>|Trigram detectors>|Share>");
}

/* ---- covered n-grams: 3b, 4, 14b, 15 ---- */

static void covered_table(struct nf_doc_writer *d, const struct nf_report *r, const char *order, const char *const *fields,
                          const char *heads)
{
    char path[64];
    size_t l;
    json_t *layer;

    snprintf(path, sizeof path, "covered.%s", order);
    nf_doc_table(d, "Covered by layer", heads, true);
    for (size_t i = 0; i < r->n; i++)
        json_array_foreach (r->runs[i].layers, l, layer) {
            const json_t *c = nf_at(layer, path);

            if (!json_is_object(c))
                continue;
            nf_doc_cell(d, "%s", r->runs[i].name);
            nf_doc_cell(d, "%llu", (unsigned long long)nf_whole_at(layer, "layer"));
            for (const char *const *f = fields; *f; f++)
                nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(c, *f)).s);
        }
    nf_doc_table_end(d, true);
}

/* n-grams covered by any layer of the scope: the highest cumulative number. */
static uint64_t covered_overall(const struct nf_input *run, const char *order)
{
    char path[64];
    uint64_t top;

    snprintf(path, sizeof path, "covered.%s.cumulative", order);
    top_layer(run, path, &top);
    return top;
}

static void covered(struct nf_doc_writer *d, const struct nf_report *r, const char *id, const char *order)
{
    static const char *const fields[] = { "total", "cumulative", NULL };
    char path[64];

    snprintf(path, sizeof path, "covered.%s.total", order);
    for (size_t i = 0; i < r->n; i++) {
        const struct nf_input *run = &r->runs[i];
        uint64_t all = covered_overall(run, order), top;
        size_t at = top_layer(run, path, &top);
        struct nf_share s = nf_wilson(all, nf_whole_at(run->header, "model.V"));

        if (all == 0)
            nf_doc_say(d, "%sNo %s has a detector.", nf_prefix(r, run).s, order);
        else if (strcmp(order, "token") == 0 && s.k <= s.n)
            nf_doc_say(d,
                         "%s%s with a detector in some layer in scope (%s of the vocabulary of %s); layer %zu has detectors for "
                         "the most: %s.",
                       nf_prefix(r, run).s, nf_show_several(all, "token", "tokens").s, nf_show_percent(s.p).s, nf_show_count(s.n).s,
                       at, nf_show_count(top).s);
        else
            nf_doc_say(d, "%s%s different %ss have a detector in some layer in scope; layer %zu has detectors for the most: %s.",
                         nf_prefix(r, run).s, nf_show_count(all).s, order, at, nf_show_count(top).s);
    }
    nf_doc_chart(d, id, SIZE_MAX, "N-grams with a detector: in each layer, and in this or any lower layer");
    nf_doc_guide(d, "Solid: in the layer. Dotted: in it or any lower layer of the scope.%s",
                  strcmp(order, "token") ? ""
                                         : " Dashed: OPT models, digitised from the paper's figure. These are exact counts of a "
                                           "set, not samples: no interval applies.");
    covered_table(d, r, order, fields, "Model|Layer>|In this layer>|In this or a lower layer>");
}

void nf_fig_tokens_covered(struct nf_doc_writer *d, const struct nf_report *r)
{
    covered(d, r, "3b", "token");
}

void nf_fig_trigrams_covered(struct nf_doc_writer *d, const struct nf_report *r)
{
    covered(d, r, "14b", "trigram");
}

static void new_ngrams(struct nf_doc_writer *d, const struct nf_report *r, const char *id, const char *order)
{
    static const char *const fields[] = { "total", "in_lower", "in_previous", "new_overall", "new_previous", NULL };
    char total[64], lower[64];

    snprintf(total, sizeof total, "covered.%s.total", order);
    snprintf(lower, sizeof lower, "covered.%s.in_lower", order);
    for (size_t i = 0; i < r->n; i++) {
        const struct nf_input *run = &r->runs[i];
        struct nf_share s = nf_wilson(nf_layer_sum(run, lower), nf_layer_sum(run, total));

        if (s.n == 0)
            nf_doc_say(d, "%sNo %s has a detector.", nf_prefix(r, run).s, order);
        else
            nf_doc_say(d,
                         "%sCounting each %s once for every layer that has a detector for it, %s also had one in a lower layer; "
                         "the others are new.",
                         nf_prefix(r, run).s, order, nf_show_share(s).s);
        nf_doc_chart(d, id, i, "N-grams with a detector in each layer: new overall, in some lower layer, in the previous layer");
    }
    nf_doc_guide(d, "Each bar is the layer's set: covered by the previous layer too, by some lower layer but not the previous "
                     "one, and in no lower layer.");
    covered_table(d, r, order, fields,
                  "Model|Layer>|Covered>|In any lower layer>|In the previous layer>|New overall>|New since the previous layer>");
}

void nf_fig_tokens_new(struct nf_doc_writer *d, const struct nf_report *r)
{
    new_ngrams(d, r, "4", "token");
}

void nf_fig_trigrams_new(struct nf_doc_writer *d, const struct nf_report *r)
{
    new_ngrams(d, r, "15", "trigram");
}
