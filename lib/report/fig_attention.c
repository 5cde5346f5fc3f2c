/* fig_attention.c - where heads look: the positions just before, position 0, the beginning of a word (Lad et al. 2024, section 5.1). */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "report/means.h"

static const unsigned windows[] = { 1, 2, 4, 5, 8, 16 };
enum { WINDOWS = sizeof windows / sizeof *windows };

static bool measures(const struct nf_stage_input *run, const char *measure)
{
    size_t i;
    json_t *layer;

    json_array_foreach (run->things, i, layer)
        if (run->kind == NF_STAGE_STATS && nf_mean_of(layer, measure).n)
            return true;
    return false;
}

bool nf_has_locality(const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (measures(&r->stages[i], "local 5"))
            return true;
    return false;
}

bool nf_has_merging(const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (json_array_size(r->stages[i].heads))
            return true;
    return false;
}

/* ---- S7: the positions just before ---- */

static void say_locality(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    struct nf_shown name = nf_stage_prefix(r, run);
    double limit = nf_real_at(run->header, "reduce.measures.locality.sink");
    uint64_t heads = 0, sinks = 0;
    const json_t *low, *high;
    size_t i;
    json_t *layer;

    nf_mean_extremes(run, "", "local 5", &low, &high);
    if (high)
        nf_doc_say(d, "%sAttention on the five positions before is highest in block %s (%s; %s) and lowest in block %s (%s).",
                     name.s, nf_str_at(high, "name"), nf_show_percent(nf_mean_of(high, "local 5").mean).s,
                     nf_show_evidence(nf_mean_of(high, "local 5")).s, nf_str_at(low, "name"),
                     nf_show_percent(nf_mean_of(low, "local 5").mean).s);
    if (high)
        nf_doc_say(d, "%sUniform attention at the same positions would put %s there.", name.s,
                     nf_show_percent(nf_mean_of(high, "uniform local 5").mean).s);
    json_array_foreach (run->things, i, layer) {
        struct nf_mean m = nf_mean_of(layer, "sinks");

        heads += m.n;
        sinks += m.n ? (uint64_t)llround(m.mean * (double)m.n) : 0;
    }
    nf_doc_say(d, "%sSinks: %s of %s put %s or more of their attention on position 0 in the mean.", name.s, nf_show_count(sinks).s,
               nf_show_several(heads, "head", "heads").s, nf_show_percent(limit).s);
    if (json_is_false(nf_at(run->header, "reduce.measures.locality.bos_key")))
        nf_doc_note(d, "%sAttention on BOS is left out of these sums.", name.s);
}

static void locality_rows(struct nf_doc_writer *d, const struct nf_stage_input *run)
{
    size_t i;
    json_t *layer;

    json_array_foreach (run->things, i, layer) {
        if (!nf_mean_of(layer, "local 5").n)
            continue;
        nf_doc_cell(d, "%s", run->name);
        nf_depth_cells(d, run, layer);
        nf_doc_cell(d, "%s", nf_show_count(nf_mean_of(layer, "local 5").n).s);
        for (size_t w = 0; w < WINDOWS; w++) {
            char key[16];

            snprintf(key, sizeof key, "local %u", windows[w]);
            nf_doc_cell(d, "%s", nf_show_three(nf_mean_of(layer, key).mean, false).s);
        }
        nf_doc_cell(d, "%s", nf_show_three(nf_mean_of(layer, "local 5").se, false).s);
        nf_doc_cell(d, "%s", nf_show_three(nf_mean_of(layer, "uniform local 5").mean, false).s);
        nf_doc_cell(d, "%s", nf_show_three(nf_mean_of(layer, "each 5").mean, false).s);
        nf_doc_cell(d, "%s", nf_show_three(nf_mean_of(layer, "first").mean, false).s);
        nf_doc_cell(d, "%s", nf_show_percent(nf_mean_of(layer, "sinks").mean).s);
    }
}

void nf_fig_locality(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (measures(&r->stages[i], "local 5"))
            say_locality(d, r, &r->stages[i]);
    for (size_t i = 0; i < r->stages_n; i++)
        if (measures(&r->stages[i], "local 5"))
            nf_doc_chart(d, "S7a", i, "Attention on the 1, 2, 4, 8, 16 positions before, mean of the heads of a block, over depth");
    nf_doc_chart(d, "S7b", SIZE_MAX, "Share of heads that are attention sinks, over depth");
    nf_doc_guide(
        d, "Sum of the attention on the positions before, self left out; mean over queries (BOS left out) and heads. Dotted: "
           "uniform attention at the same queries. All of it depends on the length of windows. The authors' notebook shows the "
           "mean weight of one of the five positions: column \"each of 5\".");
    nf_doc_table(d, "Attention by block",
                 "Model|Block>|Depth>|n>|1 before>|2>|4>|5>|8>|16>|standard error of 5>|uniform, 5>|each of 5>|position 0>|sinks>",
                 true);
    for (size_t i = 0; i < r->stages_n; i++)
        if (measures(&r->stages[i], "local 5"))
            locality_rows(d, &r->stages[i]);
    nf_doc_table_end(d, true);
}

/* ---- S8: heads that merge the pieces of a word ---- */

static void say_merging(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    const json_t *best = json_array_get(run->heads, 0);

    if (best)
        nf_doc_say(
            d,
            "%sHead %llu of block %llu most prefers the first of a word's four tokens: from the last, it puts %s more attention "
            "on the third position back than it does from a word of one token (standard error %s; %s and %s positions).",
            nf_stage_prefix(r, run).s, (unsigned long long)nf_whole_at(best, "head"),
            (unsigned long long)nf_whole_at(best, "layer"), nf_show_three(nf_real_at(best, "score"), false).s,
            nf_show_three(nf_real_at(best, "se"), false).s, nf_show_count(nf_whole_at(best, "multi.n")).s,
            nf_show_count(nf_whole_at(best, "single.n")).s);
}

static void head_rows(struct nf_doc_writer *d, const struct nf_stage_input *run)
{
    size_t i;
    json_t *head;

    json_array_foreach (run->heads, i, head) {
        nf_doc_cell(d, "%s", run->name);
        nf_doc_cell(d, "%llu.%llu", (unsigned long long)nf_whole_at(head, "layer"), (unsigned long long)nf_whole_at(head, "head"));
        nf_doc_cell(d, "%s", nf_show_three(nf_real_at(head, "score"), true).s);
        nf_doc_cell(d, "%s", nf_show_three(nf_real_at(head, "se"), false).s);
        for (size_t k = 0; k < 2; k++) {
            const json_t *mean = nf_at(head, k ? "single.mean" : "multi.mean");

            nf_doc_cell(d, "%s", nf_show_three(json_number_value(json_array_get(mean, 3)), false).s);
        }
        nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(head, "docs")).s);
    }
}

void nf_fig_merging(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        say_merging(d, r, &r->stages[i]);
    for (size_t i = 0; i < r->stages_n; i++)
        if (json_array_size(r->stages[i].heads))
            nf_doc_chart(d, "S8", i,
                           "Attention of one head by positions back, from the last token of words of four tokens and of one");
    nf_doc_guide(
        d, "From the last token of a lower-case word that is four tokens long, and of one that is a single token; bars: 1.96 "
           "standard errors. Of many heads the highest is high by chance too: compare with the standard error, and with the heads "
           "below it.");
    nf_doc_table(d, "Heads by their preference", "Model|Layer.head|Score>|standard error>|four tokens>|one token>|documents>",
                   true);
    for (size_t i = 0; i < r->stages_n; i++)
        head_rows(d, &r->stages[i]);
    nf_doc_table_end(d, true);
}
