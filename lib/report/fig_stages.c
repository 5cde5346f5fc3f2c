/* fig_stages.c - stages of inference: effects of lesions on blocks, and the lens over depth (Lad et al. 2024). */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/figures.h"

/* ---- access ---- */

/* A mean over n rows with its standard error over documents; n 0 and NaN where it is missing. */
struct mean {
    uint64_t n, docs;
    double mean, se;
};

static struct mean mean_of(const json_t *thing, const char *measure)
{
    const json_t *j = nf_at(nf_at(thing, "all"), measure);

    return (struct mean){ nf_whole_at(j, "n"), nf_whole_at(thing, "all.docs"), nf_real_at(j, "mean"), nf_real_at(j, "se") };
}

static bool is_kind(const json_t *thing, const char *kind)
{
    return !strcmp(nf_str_at(thing, "kind"), kind);
}

/* An intervention of a kind with something measured of it. */
static bool shown(const json_t *thing, const char *kind)
{
    return is_kind(thing, kind) && !isnan(mean_of(thing, "kl").mean);
}

static size_t count(const struct nf_stage_input *run, const char *kind)
{
    size_t i, n = 0;
    json_t *thing;

    json_array_foreach (run->things, i, thing)
        n += shown(thing, kind);
    return n;
}

static bool any(const struct nf_report *r, const char *kind)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_EFFECTS && count(&r->stages[i], kind))
            return true;
    return false;
}

bool nf_has_drops(const struct nf_report *r)
{
    return any(r, "drop");
}

bool nf_has_layers(const struct nf_report *r)
{
    return any(r, "drop") || any(r, "swap");
}

bool nf_has_repeat(const struct nf_report *r)
{
    return any(r, "repeat");
}

bool nf_has_lens(const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_LENS && count(&r->stages[i], ""))
            return true;
    return false;
}

/* ---- words and numbers ---- */

/* As nf_prefix(), among the inputs of one kind. */
static struct nf_shown prefix(const struct nf_report *r, const struct nf_stage_input *run)
{
    struct nf_shown out = { "" };
    size_t same = 0;

    for (size_t i = 0; i < r->stages_n; i++)
        same += r->stages[i].kind == run->kind;
    if (same > 1)
        snprintf(out.s, sizeof out.s, "%.90s: ", run->name);
    return out;
}

/* Three significant digits: divergences span orders of magnitude. */
static struct nf_shown show(double v, bool sign)
{
    struct nf_shown out = { "-" };
    size_t n;

    if (!isnan(v))
        snprintf(out.s, sizeof out.s, v == 0 ? "0" : sign ? "%+#.3g" : "%#.3g", v);
    n = strlen(out.s);
    if (out.s[n - 1] == '.')
        out.s[n - 1] = '\0';
    return out;
}

/* "n 5,986 in 4 documents, standard error 0.0835" */
static struct nf_shown evidence(struct mean m)
{
    struct nf_shown out, docs = nf_show_several(m.docs, "document", "documents");

    if (isnan(m.se))
        snprintf(out.s, sizeof out.s, "n %.30s in %.40s, no standard error", nf_show_count(m.n).s, docs.s);
    else
        snprintf(out.s, sizeof out.s, "n %.30s in %.40s, standard error %.20s", nf_show_count(m.n).s, docs.s, show(m.se, false).s);
    return out;
}

/* "block 3", "blocks 3 and 4", "blocks 3 to 5" */
static struct nf_shown blocks(const json_t *thing)
{
    unsigned long long layer = nf_whole_at(thing, "layer"), to = nf_whole_at(thing, "to");
    struct nf_shown out;

    if (is_kind(thing, "swap"))
        snprintf(out.s, sizeof out.s, "blocks %llu and %llu", layer, layer + 1);
    else if (is_kind(thing, "repeat") && to > layer + 1)
        snprintf(out.s, sizeof out.s, "blocks %llu to %llu", layer, to - 1);
    else
        snprintf(out.s, sizeof out.s, "block %llu", layer);
    return out;
}

static void depth_cells(struct nf_sheet *d, const struct nf_stage_input *run, const json_t *thing)
{
    uint64_t layer = nf_whole_at(thing, "layer");

    nf_sheet_cell(d, "%llu", (unsigned long long)layer);
    nf_sheet_cell(d, "%s", nf_show_real(run->L > 1 ? (double)layer / (double)(run->L - 1) : 0, 2).s);
}

static void mean_cells(struct nf_sheet *d, struct mean m, bool sign)
{
    nf_sheet_cell(d, "%s", show(m.mean, sign).s);
    nf_sheet_cell(d, "%s", show(m.se, false).s);
}

/* The things of a kind where a measure is lowest and highest; NULL where there is none. */
static void extremes(const struct nf_stage_input *run, const char *kind, const char *measure, const json_t **low,
                     const json_t **high)
{
    size_t i;
    json_t *thing;

    *low = *high = NULL;
    json_array_foreach (run->things, i, thing) {
        double v = mean_of(thing, measure).mean;

        if (!is_kind(thing, kind) || isnan(v))
            continue;
        *low = !*low || v < mean_of(*low, measure).mean ? thing : *low;
        *high = !*high || v > mean_of(*high, measure).mean ? thing : *high;
    }
}

/* ---- S1, S2: a block left out, or exchanged with the next ---- */

static const struct {
    const char *kind, *doing, *done;
} by_layer[] = {
    { "drop", "Leaving out", "left out" },
    { "swap", "Exchanging", "exchanged" },
};
enum { BY_LAYER = sizeof by_layer / sizeof *by_layer };

static void say_divergence(struct nf_sheet *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    for (size_t k = 0; k < BY_LAYER; k++) {
        const json_t *low, *high;

        extremes(run, by_layer[k].kind, "kl", &low, &high);
        if (!high)
            continue;
        nf_sheet_say(d, "%s%s %s changes the prediction by a KL of %s nats (%s)%s.", prefix(r, run).s, by_layer[k].doing,
                     blocks(high).s, show(mean_of(high, "kl").mean, false).s, evidence(mean_of(high, "kl")).s,
                     low == high ? "" : ", the most");
        if (low != high)
            nf_sheet_say(d, "%s%s %s changes it least, by %s nats (%s).", prefix(r, run).s, by_layer[k].doing, blocks(low).s,
                         show(mean_of(low, "kl").mean, false).s, evidence(mean_of(low, "kl")).s);
    }
}

static void divergence_row(struct nf_sheet *d, const struct nf_stage_input *run, const json_t *thing)
{
    struct mean kl = mean_of(thing, "kl");

    nf_sheet_cell(d, "%s", run->name);
    nf_sheet_cell(d, "%s", nf_str_at(thing, "name"));
    depth_cells(d, run, thing);
    nf_sheet_cell(d, "%s", nf_show_count(kl.n).s);
    mean_cells(d, kl, false);
}

static void accuracy_row(struct nf_sheet *d, const struct nf_stage_input *run, const json_t *thing)
{
    struct mean agree = mean_of(thing, "agree");

    nf_sheet_cell(d, "%s", run->name);
    nf_sheet_cell(d, "%s", nf_str_at(thing, "name"));
    depth_cells(d, run, thing);
    nf_sheet_cell(d, "%s", nf_show_count(agree.n).s);
    mean_cells(d, agree, false);
    mean_cells(d, mean_of(thing, "entropy_change"), true);
}

/* One row an intervention of the kinds of by_layer. */
static void rows(struct nf_sheet *d, const struct nf_report *r,
                 void (*row)(struct nf_sheet *d, const struct nf_stage_input *run, const json_t *thing))
{
    for (size_t i = 0; i < r->stages_n; i++)
        for (size_t k = 0; r->stages[i].kind == NF_STAGE_EFFECTS && k < BY_LAYER; k++) {
            size_t t;
            json_t *thing;

            json_array_foreach (r->stages[i].things, t, thing)
                if (shown(thing, by_layer[k].kind))
                    row(d, &r->stages[i], thing);
        }
}

void nf_fig_divergence(struct nf_sheet *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_EFFECTS)
            say_divergence(d, r, &r->stages[i]);
    nf_sheet_chart(d, "S1", SIZE_MAX,
                   "KL from the model's prediction with a block left out, or exchanged with the next, over depth");
    nf_sheet_read(
        d, "KL(original || intervened), mean over tokens; bars: 1.96 standard errors. Blocks l and l + 1 exchanged stand at l.");
    nf_sheet_table(d, "KL by block", "Model|Intervention|Block>|Depth>|n>|KL, nats>|standard error>", true);
    rows(d, r, divergence_row);
    nf_sheet_table_end(d, true);
}

/* From the lowest to the highest change of entropy by one kind of intervention; done: "left out". */
static void say_entropy(struct nf_sheet *d, struct nf_shown who, const struct nf_stage_input *run, const char *kind,
                        const char *done)
{
    const json_t *low, *high;

    extremes(run, kind, "entropy_change", &low, &high);
    if (!high)
        return;
    nf_sheet_say(d, "%sWith %s %s, entropy changes by %s bits (%s)%s.", who.s, blocks(low).s, done,
                 show(mean_of(low, "entropy_change").mean, true).s, evidence(mean_of(low, "entropy_change")).s,
                 low == high ? "" : ", the lowest change");
    if (low != high)
        nf_sheet_say(d, "%sWith %s %s, by %s bits (%s), the highest.", who.s, blocks(high).s, done,
                     show(mean_of(high, "entropy_change").mean, true).s, evidence(mean_of(high, "entropy_change")).s);
}

static void say_accuracy(struct nf_sheet *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    for (size_t k = 0; k < BY_LAYER; k++) {
        const json_t *low, *high;

        extremes(run, by_layer[k].kind, "agree", &low, &high);
        if (!high)
            continue;
        nf_sheet_say(d, "%sWith %s %s, the most probable token stays the same at %s of positions (%s)%s.", prefix(r, run).s,
                     blocks(low).s, by_layer[k].done, nf_show_percent(mean_of(low, "agree").mean).s,
                     evidence(mean_of(low, "agree")).s, low == high ? "" : ", the fewest");
        if (low != high)
            nf_sheet_say(d, "%sWith %s %s, at %s (%s), the most.", prefix(r, run).s, blocks(high).s, by_layer[k].done,
                         nf_show_percent(mean_of(high, "agree").mean).s, evidence(mean_of(high, "agree")).s);
        say_entropy(d, prefix(r, run), run, by_layer[k].kind, by_layer[k].done);
    }
}

void nf_fig_accuracy(struct nf_sheet *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_EFFECTS)
            say_accuracy(d, r, &r->stages[i]);
    nf_sheet_chart(d, "S2a", SIZE_MAX, "Share of positions whose most probable token stays the same, over depth");
    nf_sheet_chart(d, "S2b", SIZE_MAX, "Change of the entropy of the prediction, over depth");
    nf_sheet_read(
        d,
        "Relative accuracy: the intervened model has the same most probable token as the model itself. Entropy change: intervened "
        "less original. Means over tokens; bars: 1.96 standard errors.");
    nf_sheet_table(d, "Relative accuracy and entropy by block",
                   "Model|Intervention|Block>|Depth>|n>|Relative accuracy>|standard error>|Entropy change, bits>|standard error>",
                   true);
    rows(d, r, accuracy_row);
    nf_sheet_table_end(d, true);
}

/* ---- S3: blocks run twice ---- */

static void say_repeat(struct nf_sheet *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    const json_t *none, *unused;

    if (!count(run, "repeat"))
        return;
    extremes(run, "none", "entropy", &none, &unused);
    if (none)
        nf_sheet_say(d, "%sThe entropy of the unmodified prediction is %s bits (%s).", prefix(r, run).s,
                     show(mean_of(none, "entropy").mean, false).s, evidence(mean_of(none, "entropy")).s);
    say_entropy(d, prefix(r, run), run, "repeat", "run twice");
}

static void repeat_rows(struct nf_sheet *d, const struct nf_stage_input *run)
{
    size_t i;
    json_t *thing;

    json_array_foreach (run->things, i, thing) {
        struct mean entropy = mean_of(thing, "entropy");

        if (!shown(thing, "repeat") && !shown(thing, "none"))
            continue;
        nf_sheet_cell(d, "%s", run->name);
        nf_sheet_cell(d, "%s", is_kind(thing, "none") ? "unmodified" : nf_str_at(thing, "name"));
        nf_sheet_cell(d, "%s", nf_show_count(entropy.n).s);
        mean_cells(d, entropy, false);
        mean_cells(d, mean_of(thing, "entropy_change"), true);
        mean_cells(d, mean_of(thing, "kl"), false);
    }
}

void nf_fig_repeat(struct nf_sheet *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_EFFECTS)
            say_repeat(d, r, &r->stages[i]);
    nf_sheet_chart(d, "S3", SIZE_MAX, "Entropy of the prediction with blocks run twice, and of the unmodified model, over depth");
    nf_sheet_read(
        d, "Entropy of the prediction, mean over tokens; bars: 1.96 standard errors. Repeated blocks stand at the middle of them.");
    nf_sheet_table(d, "Entropy with blocks run twice",
                   "Model|Intervention|n>|Entropy, bits>|standard error>|Change, bits>|standard error>|KL, nats>|standard error>",
                   true);
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_EFFECTS && count(&r->stages[i], "repeat"))
            repeat_rows(d, &r->stages[i]);
    nf_sheet_table_end(d, true);
}

/* ---- S4: the lens ---- */

/* The first point from which on the divergence stays at or below half of that of the first point. */
static const json_t *half_way(const struct nf_stage_input *run)
{
    const json_t *from = NULL;
    double first = NAN;
    size_t i;
    json_t *point;

    json_array_foreach (run->things, i, point) {
        double kl = mean_of(point, "kl").mean;

        if (isnan(kl))
            continue;
        first = isnan(first) ? kl : first;
        from = kl > first / 2 ? NULL : from ? from : point;
    }
    return from;
}

static void say_lens(struct nf_sheet *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    const json_t *half = half_way(run), *low, *high, *first = NULL;
    size_t i;
    json_t *point;

    json_array_foreach (run->things, i, point)
        first = !first && shown(point, "") ? point : first;
    if (!first)
        return;
    nf_sheet_say(d, "%sAt point %s the lens is %s nats from the model's output (%s).", prefix(r, run).s, nf_str_at(first, "name"),
                 show(mean_of(first, "kl").mean, false).s, evidence(mean_of(first, "kl")).s);
    if (half)
        nf_sheet_say(d, "%sFrom point %s on (%s nats; %s) it is at most half of that.", prefix(r, run).s, nf_str_at(half, "name"),
                     show(mean_of(half, "kl").mean, false).s, evidence(mean_of(half, "kl")).s);
    extremes(run, "", "entropy", &low, &high);
    if (high)
        nf_sheet_say(d, "%sIts entropy is highest at point %s (%s bits; %s) and lowest at point %s (%s bits; %s).",
                     prefix(r, run).s, nf_str_at(high, "name"), show(mean_of(high, "entropy").mean, false).s,
                     evidence(mean_of(high, "entropy")).s, nf_str_at(low, "name"), show(mean_of(low, "entropy").mean, false).s,
                     evidence(mean_of(low, "entropy")).s);
}

static void lens_rows(struct nf_sheet *d, const struct nf_stage_input *run)
{
    size_t i;
    json_t *point;

    json_array_foreach (run->things, i, point) {
        if (!shown(point, ""))
            continue;
        nf_sheet_cell(d, "%s", run->name);
        nf_sheet_cell(d, "%s", nf_str_at(point, "name"));
        nf_sheet_cell(d, "%s", nf_show_real(nf_real_at(point, "depth"), 2).s);
        nf_sheet_cell(d, "%s", nf_show_count(mean_of(point, "kl").n).s);
        mean_cells(d, mean_of(point, "entropy"), false);
        mean_cells(d, mean_of(point, "kl"), false);
        mean_cells(d, mean_of(point, "agree"), false);
    }
}

void nf_fig_lens(struct nf_sheet *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_LENS)
            say_lens(d, r, &r->stages[i]);
    nf_sheet_chart(d, "S4a", SIZE_MAX, "Entropy of the lens over depth");
    nf_sheet_chart(d, "S4b", SIZE_MAX, "KL from the model's output to the lens over depth");
    nf_sheet_read(d, "The stream that enters block l (L: that leaves the last), through the final norm and the unembedding. "
                     "KL(output || lens). Means "
                     "over tokens; bars: 1.96 standard errors.");
    nf_sheet_table(
        d, "Lens by point",
        "Model|Point|Depth>|n>|Entropy, bits>|standard error>|KL, nats>|standard error>|Same top-1 token>|standard error>", true);
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_LENS)
            lens_rows(d, &r->stages[i]);
    nf_sheet_table_end(d, true);
}

/* ---- S5: the end of stage 1, by a rule of thumb ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The "drop" of a block; NULL: it was not left out. */
static const json_t *drop_of(const struct nf_stage_input *run, size_t layer)
{
    size_t i;
    json_t *thing;

    json_array_foreach (run->things, i, thing)
        if (shown(thing, "drop") && nf_whole_at(thing, "layer") == layer)
            return thing;
    return NULL;
}

/*
 * The median KL of the drops in the middle half, blocks at relative depth 1/4 .. 3/4; *n of them.
 * NaN: fewer than two, of which a median says nothing, or some block of the model was not left out.
 */
static double middle_median(struct nf_sheet *d, const struct nf_stage_input *run, size_t *n)
{
    bool whole = run->L > 0 && run->L <= json_array_size(run->things);
    double *kl = whole ? calloc(run->L, sizeof *kl) : NULL, median = NAN;

    *n = 0;
    d->out.failed |= whole && !kl;
    for (size_t l = 0; kl && whole && l < run->L; l++) {
        const json_t *drop = drop_of(run, l);

        whole = drop != NULL;
        if (drop && 4 * l >= run->L - 1 && 4 * l <= 3 * (run->L - 1))
            kl[(*n)++] = mean_of(drop, "kl").mean;
    }
    if (kl && whole && *n > 1) {
        qsort(kl, *n, sizeof *kl, ascending);
        median = (kl[(*n - 1) / 2] + kl[*n / 2]) / 2;
    }
    free(kl);
    return median;
}

static void say_boundary(struct nf_sheet *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    size_t n, l = 0;
    double median = middle_median(d, run, &n);
    struct mean at, before;

    if (isnan(median)) {
        nf_sheet_say(d, "%sNo boundary: not every block was left out, or the middle half has fewer than two blocks.",
                     prefix(r, run).s);
        return;
    }
    while (l < run->L && mean_of(drop_of(run, l), "kl").mean >= 2 * median)
        l++;
    if (l == 0 || l == run->L) {
        nf_sheet_say(
            d,
            "%sNo boundary: %s block at the beginning stands out from twice the median of the middle half (%s nats, %zu blocks).",
            prefix(r, run).s, l ? "every" : "no", show(2 * median, false).s, n);
        return;
    }
    at = mean_of(drop_of(run, l), "kl");
    before = mean_of(drop_of(run, l - 1), "kl");
    nf_sheet_say(d,
                 "%sThe first stage ends before block %zu (heuristic): leaving it out costs %s nats (%s), below twice the median "
                 "of the middle "
                 "half (%s nats, %zu blocks); leaving out block %zu costs %s nats (%s).",
                 prefix(r, run).s, l, show(at.mean, false).s, evidence(at).s, show(2 * median, false).s, n, l - 1,
                 show(before.mean, false).s, evidence(before).s);
}

void nf_fig_boundary(struct nf_sheet *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (r->stages[i].kind == NF_STAGE_EFFECTS && count(&r->stages[i], "drop"))
            say_boundary(d, r, &r->stages[i]);
    nf_sheet_note(d, "A rule of thumb of this program, not of the paper, which calls its boundaries approximate: the first block "
                     "whose KL, left out, is "
                     "below twice the median over the blocks at relative depth 1/4 to 3/4.");
}
