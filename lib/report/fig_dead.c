/* fig_dead.c - Figure 1: dead neurons, and how often the others fire (Voita et al. 2023, section 3). */
#include <math.h>
#include <stdint.h>

#include "report/figures.h"

static void say_dead(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_input *run)
{
    size_t i, most = 0, last = 0;
    uint64_t k = 0, n = 0, top = 0;
    json_t *layer;

    json_array_foreach (run->layers, i, layer) {
        struct nf_share s = nf_share_at(layer, "dead");

        k += s.k;
        n += s.n;
        last = s.k ? i : last;
        if (s.k > top) {
            top = s.k;
            most = i;
        }
    }
    if (n == 0) {
        nf_doc_say(d, "%sThe stream holds no layer.", nf_prefix(r, run).s);
        return;
    }
    if (k == 0) {
        nf_doc_say(d, "%sNo neuron is dead: each of %s fires at least once in %s tokens.", nf_prefix(r, run).s, nf_show_count(n).s,
                   nf_show_count(nf_whole_at(run->run, "tokens")).s);
        return;
    }
    nf_doc_say(d, "%s%s neurons are dead. Layer %zu has the most: %s. %s%s.", nf_prefix(r, run).s, nf_show_share(nf_wilson(k, n)).s,
               most, nf_show_share(nf_share_at(json_array_get(run->layers, most), "dead")).s,
                 last + 1 < json_array_size(run->layers) ? "None are dead after layer " : "The last layer has dead neurons too",
                 last + 1 < json_array_size(run->layers) ? nf_show_count(last).s : "");
}

void nf_fig_dead_share(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->n; i++)
        say_dead(d, r, &r->runs[i]);
    nf_doc_chart(d, "1a", SIZE_MAX, "Share of dead neurons in each layer, with 95 % intervals");
    nf_doc_guide(d, "Bars of error: 95 %% Wilson intervals over the neurons of a layer. Dashed: OPT models, digitised from the "
                     "paper's figure (20 million tokens; "
                     "another corpus).");
    for (size_t i = 0; i < r->n; i++) {
        double tokens = (double)nf_whole_at(r->runs[i].run, "tokens");

        if (tokens > 0)
            nf_doc_note(d,
                          "%sDead means never seen to fire on this corpus. A neuron that never fired in %s tokens fires less often "
                          "than once in %s tokens (95 %% limit).",
                          nf_prefix(r, &r->runs[i]).s, nf_show_count((uint64_t)tokens).s, nf_show_count((uint64_t)(tokens / 3)).s);
    }
    nf_doc_table(d, "Dead neurons by layer", "Model|Layer>|Dead>|of>|Share>|95 % interval>|also silent at BOS>", true);
    for (size_t i = 0; i < r->n; i++) {
        size_t l;
        json_t *layer;

        json_array_foreach (r->runs[i].layers, l, layer) {
            struct nf_share s = nf_share_at(layer, "dead");

            nf_doc_cell(d, "%s", r->runs[i].name);
            nf_doc_cell(d, "%llu", (unsigned long long)nf_whole_at(layer, "layer"));
            nf_doc_cell(d, "%s", nf_show_count(s.k).s);
            nf_doc_cell(d, "%s", nf_show_count(s.n).s);
            nf_doc_cell(d, "%s %s", d->format == NF_DOC_MARKDOWN ? nf_show_bar(s.p).s : "", nf_show_percent(s.p).s);
            nf_doc_cell(d, "%s", nf_show_interval(s).s);
            nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(layer, "dead_with_bos.k")).s);
        }
    }
    nf_doc_table_end(d, true);
}

/* Half the width of the 95 % interval of a layer's mean frequency. */
static double mean_half(const json_t *layer)
{
    uint64_t alive = nf_whole_at(layer, "alive");

    return alive ? NF_Z95 * nf_real_at(layer, "mean_freq_sd") / sqrt((double)alive) : NAN;
}

void nf_fig_frequency(struct nf_doc_writer *d, const struct nf_report *r)
{
    static const char *const bands[] = { "dormant", "rare", "normal", "hyperactive", NULL };
    size_t l;
    json_t *layer;

    for (size_t i = 0; i < r->n; i++) {
        const struct nf_input *run = &r->runs[i];
        const json_t *lowest = NULL, *highest = NULL;

        json_array_foreach (run->layers, l, layer) {
            double f = nf_real_at(layer, "mean_freq");

            if (isnan(f))
                continue;
            lowest = !lowest || f < nf_real_at(lowest, "mean_freq") ? layer : lowest;
            highest = !highest || f > nf_real_at(highest, "mean_freq") ? layer : highest;
        }
        if (!lowest)
            nf_doc_say(d, "%sNo neuron fires.", nf_prefix(r, run).s);
        else
            nf_doc_say(d,
                         "%sThe neurons that fire do so most rarely in layer %llu (on average at %s of tokens) and most often in "
                         "layer %llu (%s).",
                         nf_prefix(r, run).s, (unsigned long long)nf_whole_at(lowest, "layer"),
                         nf_show_percent(nf_real_at(lowest, "mean_freq")).s, (unsigned long long)nf_whole_at(highest, "layer"),
                         nf_show_percent(nf_real_at(highest, "mean_freq")).s);
    }
    nf_doc_chart(d, "1b", SIZE_MAX, "Mean firing frequency of the neurons that are not dead, by layer, with 95 % intervals");
    nf_doc_guide(d, "Mean over the neurons of a layer that are not dead; bars: 95 %% interval of that mean. Dashed: OPT models, "
                     "digitised from the paper's figure.");
    nf_doc_table(d, "Firing by layer", "Model|Layer>|Alive>|Mean frequency>|\u00b1 95 %>|Dormant>|Rare>|Normal>|Hyperactive>",
                   true);
    for (size_t i = 0; i < r->n; i++)
        json_array_foreach (r->runs[i].layers, l, layer) {
            nf_doc_cell(d, "%s", r->runs[i].name);
            nf_doc_cell(d, "%llu", (unsigned long long)nf_whole_at(layer, "layer"));
            nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(layer, "alive")).s);
            nf_doc_cell(d, "%s", nf_show_percent(nf_real_at(layer, "mean_freq")).s);
            nf_doc_cell(d, "%s", nf_show_percent(mean_half(layer)).s);
            for (const char *const *b = bands; *b; b++)
                nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(nf_at(layer, "bands"), *b)).s);
        }
    nf_doc_table_end(d, true);
}
