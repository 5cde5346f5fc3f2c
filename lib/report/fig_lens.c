/* fig_lens.c - what the stream would predict at every point, and neurons by what they do to the vocabulary (Lad et al. 2024, section 5.3). */
#include <math.h>
#include <stdint.h>

#include "report/means.h"

static bool is_point_measured(const json_t *point)
{
    return !isnan(nf_mean_of(point, "kl").mean);
}

bool nf_has_lens(const struct nf_report *r)
{
    size_t k;
    json_t *point;

    for (size_t i = 0; i < r->stages_n; i++)
        json_array_foreach (r->stages[i].things, k, point)
            if (r->stages[i].kind == NF_STAGE_LENS && is_point_measured(point))
                return true;
    return false;
}

/* ---- S5: the lens ---- */

/* The first point from which on the divergence stays at or below half of that of the first point. */
static const json_t *half_way(const struct nf_stage_input *run)
{
    const json_t *from = NULL;
    double first = NAN;
    size_t i;
    json_t *point;

    json_array_foreach (run->things, i, point) {
        double kl = nf_mean_of(point, "kl").mean;

        if (isnan(kl))
            continue;
        first = isnan(first) ? kl : first;
        from = kl > first / 2 ? NULL : from ? from : point;
    }
    return from;
}

static void say_lens(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    const json_t *half = half_way(run), *low, *high, *first = NULL;
    size_t i;
    json_t *point;

    json_array_foreach (run->things, i, point)
        first = !first && is_point_measured(point) ? point : first;
    if (!first)
        return;
    nf_doc_say(d, "%sAt point %s the lens is %s nats from the model's output (%s).", nf_stage_prefix(r, run).s,
               nf_str_at(first, "name"), nf_show_three(nf_mean_of(first, "kl").mean, false).s,
               nf_show_evidence(nf_mean_of(first, "kl")).s);
    if (half)
        nf_doc_say(d, "%sFrom point %s on (%s nats; %s) it is at most half of that.", nf_stage_prefix(r, run).s,
                   nf_str_at(half, "name"), nf_show_three(nf_mean_of(half, "kl").mean, false).s,
                   nf_show_evidence(nf_mean_of(half, "kl")).s);
    nf_mean_extremes(run, "", "entropy", &low, &high);
    if (high)
        nf_doc_say(d, "%sIts entropy is highest at point %s (%s bits; %s) and lowest at point %s (%s bits; %s).",
                   nf_stage_prefix(r, run).s, nf_str_at(high, "name"), nf_show_three(nf_mean_of(high, "entropy").mean, false).s,
                   nf_show_evidence(nf_mean_of(high, "entropy")).s, nf_str_at(low, "name"),
                   nf_show_three(nf_mean_of(low, "entropy").mean, false).s, nf_show_evidence(nf_mean_of(low, "entropy")).s);
}

static void lens_rows(struct nf_doc_writer *d, const struct nf_stage_input *run)
{
    size_t i;
    json_t *point;

    json_array_foreach (run->things, i, point) {
        if (!is_point_measured(point))
            continue;
        nf_doc_cell(d, "%s", run->name);
        nf_doc_cell(d, "%s", nf_str_at(point, "name"));
        nf_doc_cell(d, "%s", nf_show_real(nf_real_at(point, "depth"), 2).s);
        nf_doc_cell(d, "%s", nf_show_count(nf_mean_of(point, "kl").n).s);
        nf_mean_cells(d, nf_mean_of(point, "entropy"), false);
        nf_mean_cells(d, nf_mean_of(point, "kl"), false);
        nf_mean_cells(d, nf_mean_of(point, "agree"), false);
    }
}

void nf_fig_lens(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_LENS)
            say_lens(d, r, &r->stages[i]);
    nf_doc_chart(d, "S5a", SIZE_MAX, "Entropy of the lens over depth");
    nf_doc_chart(d, "S5b", SIZE_MAX, "KL from the model's output to the lens over depth");
    nf_doc_guide(d, "The stream that enters block l (L: that leaves the last), through the final norm and the unembedding. "
                    "KL(output || lens). Means over tokens; bars: 1.96 standard errors.");
    nf_doc_table(d, "Lens by point",
                 "Model|Point|Depth>|n>|Entropy, bits>|standard error>|KL, nats>|standard error>|Same top-1 token>|standard error>",
                 true);
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_LENS)
            lens_rows(d, &r->stages[i]);
    nf_doc_table_end(d, true);
}

/* ---- S6: prediction and suppression neurons ---- */

/* Neurons of a class in a layer; false: the rule was not applied there. */
static bool class_share(const json_t *layer, const char *class, struct nf_share *s)
{
    const json_t *k = json_object_get(nf_at(layer, "vocab"), class);

    *s = nf_wilson(json_is_integer(k) ? (uint64_t)json_integer_value(k) : 0, nf_whole_at(layer, "neurons"));
    return json_is_integer(k);
}

bool nf_has_vocabulary(const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_NEURONS)
            return true;
    return false;
}

static void say_class(struct nf_doc_writer *d, struct nf_shown name, const struct nf_stage_input *run, const char *class)
{
    struct nf_share s, most = { 0 };
    uint64_t all = 0;
    size_t i, at = 0;
    json_t *layer;

    json_array_foreach (run->things, i, layer)
        if (class_share(layer, class, &s)) {
            all += s.k;
            if (!most.n || s.p > most.p) {
                most = s;
                at = (size_t)nf_whole_at(layer, "layer");
            }
        }
    if (all)
        nf_doc_say(d, "%sNeurons of class %s: %s in all, most in block %zu, %s.", name.s, class, nf_show_count(all).s, at,
                   nf_show_share(most).s);
    else if (most.n)
        nf_doc_say(d, "%sNeurons of class %s: none.", name.s, class);
}

static void vocabulary_rows(struct nf_doc_writer *d, const struct nf_stage_input *run)
{
    static const char *const classes[] = { "prediction", "suppression", "partition", "entropy", "token-frequency" };
    struct nf_share s;
    size_t i;
    json_t *layer;

    json_array_foreach (run->things, i, layer) {
        nf_doc_cell(d, "%s", run->name);
        nf_depth_cells(d, run, layer);
        nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(layer, "neurons")).s);
        for (size_t c = 0; c < sizeof classes / sizeof *classes; c++) {
            bool known = class_share(layer, classes[c], &s);

            nf_doc_cell(d, "%s", known ? nf_show_count(s.k).s : "-");
            if (c < 2)
                nf_doc_cell(d, "%s", known ? nf_show_percent(s.p).s : "-");
        }
    }
}

void nf_fig_vocabulary(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_NEURONS) {
            say_class(d, nf_stage_prefix(r, &r->stages[i]), &r->stages[i], "prediction");
            say_class(d, nf_stage_prefix(r, &r->stages[i]), &r->stages[i], "suppression");
        }
    for (size_t i = 0; i < r->models_n; i++)
        if (r->models[i].of[NF_STAGE_NEURONS])
            nf_doc_chart(d, "S6", i, "Share of prediction and suppression neurons, and KL from the output to the lens, over depth");
    nf_doc_guide(d, "By the cosines of a neuron's output row with all columns of the unembedding: prediction neurons have a "
                    "kurtosis above 10 and a positive skew, suppression neurons a negative one (the limits of this run are at "
                    "the end of the page). The text plays no part. Dashed, right axis: KL(output || lens).");
    nf_doc_table(d, "Neurons by their effect on the vocabulary",
                 "Model|Block>|Depth>|Neurons>|Prediction>|share>|Suppression>|share>|Partition>|Entropy>|Token-frequency>", true);
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_NEURONS)
            vocabulary_rows(d, &r->stages[i]);
    nf_doc_table_end(d, true);
}
