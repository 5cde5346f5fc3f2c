/* fig_lesions.c - what leaving out, exchanging and repeating blocks does (Lad et al. 2024, sections 4.1 and 5.4). */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "report/means.h"

/* An intervention of a kind with something measured of it. */
static bool is_measured(const json_t *thing, const char *kind)
{
    return nf_item_is(thing, kind) && !isnan(nf_mean_of(thing, "kl").mean);
}

static size_t count_interventions(const struct nf_stage_input *run, const char *kind)
{
    size_t i, n = 0;
    json_t *thing;

    json_array_foreach (run->things, i, thing)
        n += is_measured(thing, kind);
    return n;
}

/* Whether an intervention of a kind was measured in any stream. */
static bool any(const struct nf_report *r, const char *kind)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_EFFECTS && count_interventions(&r->stages[i], kind))
            return true;
    return false;
}

bool nf_has_layers(const struct nf_report *r)
{
    return any(r, "drop") || any(r, "swap");
}

bool nf_has_repeat(const struct nf_report *r)
{
    return any(r, "repeat");
}

/* "block 3", "blocks 3 and 4", "blocks 3 to 5" */
static struct nf_shown blocks(const json_t *thing)
{
    unsigned long long layer = nf_whole_at(thing, "layer"), to = nf_whole_at(thing, "to");
    struct nf_shown out;

    if (nf_item_is(thing, "swap"))
        snprintf(out.s, sizeof out.s, "blocks %llu and %llu", layer, layer + 1);
    else if (nf_item_is(thing, "repeat") && to > layer + 1)
        snprintf(out.s, sizeof out.s, "blocks %llu to %llu", layer, to - 1);
    else
        snprintf(out.s, sizeof out.s, "block %llu", layer);
    return out;
}

/* ---- S2, S3: a block left out, or exchanged with the next ---- */

static const struct {
    const char *kind, *doing, *done;
} by_layer[] = {
    { "drop", "Leaving out", "left out" },
    { "swap", "Exchanging", "exchanged" },
};
enum { BY_LAYER = sizeof by_layer / sizeof *by_layer };

static void say_divergence(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    for (size_t k = 0; k < BY_LAYER; k++) {
        const json_t *low, *high;

        nf_mean_extremes(run, by_layer[k].kind, "kl", &low, &high);
        if (!high)
            continue;
        nf_doc_say(d, "%s%s %s changes the prediction by a KL of %s nats (%s)%s.", nf_stage_prefix(r, run).s, by_layer[k].doing,
                   blocks(high).s, nf_show_three(nf_mean_of(high, "kl").mean, false).s, nf_show_evidence(nf_mean_of(high, "kl")).s,
                   low == high ? "" : ", the most");
        if (low != high)
            nf_doc_say(d, "%s%s %s changes it least, by %s nats (%s).", nf_stage_prefix(r, run).s, by_layer[k].doing, blocks(low).s,
                       nf_show_three(nf_mean_of(low, "kl").mean, false).s, nf_show_evidence(nf_mean_of(low, "kl")).s);
    }
}

static void row_head(struct nf_doc_writer *d, const struct nf_stage_input *run, const json_t *thing, struct nf_mean m)
{
    nf_doc_cell(d, "%s", run->name);
    nf_doc_cell(d, "%s", nf_str_at(thing, "name"));
    nf_depth_cells(d, run, thing);
    nf_doc_cell(d, "%s", nf_show_count(m.n).s);
    nf_mean_cells(d, m, false);
}

static void divergence_row(struct nf_doc_writer *d, const struct nf_stage_input *run, const json_t *thing)
{
    row_head(d, run, thing, nf_mean_of(thing, "kl"));
}

static void accuracy_row(struct nf_doc_writer *d, const struct nf_stage_input *run, const json_t *thing)
{
    row_head(d, run, thing, nf_mean_of(thing, "agree"));
    nf_mean_cells(d, nf_mean_of(thing, "entropy_change"), true);
}

/* One row an intervention of the kinds of by_layer. */
static void rows(struct nf_doc_writer *d, const struct nf_report *r,
                 void (*row)(struct nf_doc_writer *d, const struct nf_stage_input *run, const json_t *thing))
{
    for (size_t i = 0; i < r->stages_n; i++)
        for (size_t k = 0; r->stages[i].kind == NF_STAGE_EFFECTS && k < BY_LAYER; k++) {
            size_t t;
            json_t *thing;

            json_array_foreach (r->stages[i].things, t, thing)
                if (is_measured(thing, by_layer[k].kind))
                    row(d, &r->stages[i], thing);
        }
}

void nf_fig_divergence(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_EFFECTS)
            say_divergence(d, r, &r->stages[i]);
    nf_doc_chart(d, "S2", SIZE_MAX, "KL from the model's prediction with a block left out, or exchanged with the next, over depth");
    nf_doc_guide(
        d, "KL(original || intervened), mean over tokens; bars: 1.96 standard errors. Blocks l and l + 1 exchanged stand at l.");
    nf_doc_table(d, "KL by block", "Model|Intervention|Block>|Depth>|n>|KL, nats>|standard error>", true);
    rows(d, r, divergence_row);
    nf_doc_table_end(d, true);
}

/* From the lowest to the highest change of entropy by one kind of intervention; done: "left out". */
static void say_entropy(struct nf_doc_writer *d, struct nf_shown who, const struct nf_stage_input *run, const char *kind,
                        const char *done)
{
    const json_t *low, *high;

    nf_mean_extremes(run, kind, "entropy_change", &low, &high);
    if (!high)
        return;
    nf_doc_say(d, "%sWith %s %s, entropy changes by %s bits (%s)%s.", who.s, blocks(low).s, done,
               nf_show_three(nf_mean_of(low, "entropy_change").mean, true).s, nf_show_evidence(nf_mean_of(low, "entropy_change")).s,
               low == high ? "" : ", the lowest change");
    if (low != high)
        nf_doc_say(d, "%sWith %s %s, by %s bits (%s), the highest.", who.s, blocks(high).s, done,
                   nf_show_three(nf_mean_of(high, "entropy_change").mean, true).s,
                   nf_show_evidence(nf_mean_of(high, "entropy_change")).s);
}

static void say_accuracy(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    for (size_t k = 0; k < BY_LAYER; k++) {
        const json_t *low, *high;

        nf_mean_extremes(run, by_layer[k].kind, "agree", &low, &high);
        if (!high)
            continue;
        nf_doc_say(d, "%sWith %s %s, the most probable token stays the same at %s of positions (%s)%s.", nf_stage_prefix(r, run).s,
                   blocks(low).s, by_layer[k].done, nf_show_percent(nf_mean_of(low, "agree").mean).s,
                   nf_show_evidence(nf_mean_of(low, "agree")).s, low == high ? "" : ", the fewest");
        if (low != high)
            nf_doc_say(d, "%sWith %s %s, at %s (%s), the most.", nf_stage_prefix(r, run).s, blocks(high).s, by_layer[k].done,
                       nf_show_percent(nf_mean_of(high, "agree").mean).s, nf_show_evidence(nf_mean_of(high, "agree")).s);
        say_entropy(d, nf_stage_prefix(r, run), run, by_layer[k].kind, by_layer[k].done);
    }
}

void nf_fig_accuracy(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_EFFECTS)
            say_accuracy(d, r, &r->stages[i]);
    nf_doc_chart(d, "S3a", SIZE_MAX, "Share of positions whose most probable token stays the same, over depth");
    nf_doc_chart(d, "S3b", SIZE_MAX, "Change of the entropy of the prediction, over depth");
    nf_doc_guide(d, "Relative accuracy: the intervened model has the same most probable token as the model itself. Entropy change: "
                    "intervened less original. Means over tokens; bars: 1.96 standard errors.");
    nf_doc_table(d, "Relative accuracy and entropy by block",
                 "Model|Intervention|Block>|Depth>|n>|Relative accuracy>|standard error>|Entropy change, bits>|standard error>",
                 true);
    rows(d, r, accuracy_row);
    nf_doc_table_end(d, true);
}

/* ---- S4: blocks run twice ---- */

static void say_repeat(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    const json_t *none, *unused;

    if (!count_interventions(run, "repeat"))
        return;
    nf_mean_extremes(run, "none", "entropy", &none, &unused);
    if (none)
        nf_doc_say(d, "%sThe entropy of the unmodified prediction is %s bits (%s).", nf_stage_prefix(r, run).s,
                   nf_show_three(nf_mean_of(none, "entropy").mean, false).s, nf_show_evidence(nf_mean_of(none, "entropy")).s);
    say_entropy(d, nf_stage_prefix(r, run), run, "repeat", "run twice");
}

static void repeat_rows(struct nf_doc_writer *d, const struct nf_stage_input *run)
{
    size_t i;
    json_t *thing;

    json_array_foreach (run->things, i, thing) {
        struct nf_mean entropy = nf_mean_of(thing, "entropy");

        if (!is_measured(thing, "repeat") && !is_measured(thing, "none"))
            continue;
        nf_doc_cell(d, "%s", run->name);
        nf_doc_cell(d, "%s", nf_item_is(thing, "none") ? "unmodified" : nf_str_at(thing, "name"));
        nf_doc_cell(d, "%s", nf_show_count(entropy.n).s);
        nf_mean_cells(d, entropy, false);
        nf_mean_cells(d, nf_mean_of(thing, "entropy_change"), true);
        nf_mean_cells(d, nf_mean_of(thing, "kl"), false);
    }
}

void nf_fig_repeat(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_EFFECTS)
            say_repeat(d, r, &r->stages[i]);
    nf_doc_chart(d, "S4", SIZE_MAX, "Entropy of the prediction with blocks run twice, and of the unmodified model, over depth");
    nf_doc_guide(
        d, "Entropy of the prediction, mean over tokens; bars: 1.96 standard errors. Repeated blocks stand at the middle of them.");
    nf_doc_table(d, "Entropy with blocks run twice",
                 "Model|Intervention|n>|Entropy, bits>|standard error>|Change, bits>|standard error>|KL, nats>|standard error>",
                 true);
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_EFFECTS && count_interventions(&r->stages[i], "repeat"))
            repeat_rows(d, &r->stages[i]);
    nf_doc_table_end(d, true);
}
