/* fig_domains.c - whether what lesions do, and what the lens says, depends on the domain of the text. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "report/means.h"

/* The means by domain of the first thing that has them: all things of a stream have the same domains. */
static const json_t *domains_of(const struct nf_stage_input *run)
{
    size_t i;
    json_t *thing;

    json_array_foreach (run->things, i, thing)
        if (json_array_size(json_object_get(thing, "domains")) > 1)
            return json_object_get(thing, "domains");
    return NULL;
}

bool nf_has_domains(const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (domains_of(&r->stages[i]))
            return true;
    return false;
}

/* The domains of a thing with the lowest and highest KL; NULL where it has none. */
static void extremes(const json_t *thing, const json_t **low, const json_t **high)
{
    size_t i;
    json_t *domain;

    *low = *high = NULL;
    json_array_foreach (json_object_get(thing, "domains"), i, domain) {
        double v = nf_mean_in(domain, "kl").mean;

        if (isnan(v))
            continue;
        *low = !*low || v < nf_mean_in(*low, "kl").mean ? domain : *low;
        *high = !*high || v > nf_mean_in(*high, "kl").mean ? domain : *high;
    }
}

/* Of the blocks that were left out the one whose KL differs most, as a ratio, from domain to domain. */
static void say_domains(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    const json_t *most = NULL, *low, *high;
    double ratio = 0;
    size_t i;
    json_t *thing;

    json_array_foreach (run->things, i, thing) {
        extremes(thing, &low, &high);
        if (nf_item_is(thing, "drop") && low && nf_mean_in(low, "kl").mean > 0 &&
            nf_mean_in(high, "kl").mean / nf_mean_in(low, "kl").mean > ratio) {
            ratio = nf_mean_in(high, "kl").mean / nf_mean_in(low, "kl").mean;
            most = thing;
        }
    }
    if (!most)
        return;
    extremes(most, &low, &high);
    nf_doc_say(
        d, "%sOf the blocks left out, what block %llu costs depends most on the text: %s nats on %s (%s), %s nats on %s (%s).",
        nf_stage_prefix(r, run).s, (unsigned long long)nf_whole_at(most, "layer"),
        nf_show_three(nf_mean_in(high, "kl").mean, false).s, nf_str_at(high, "domain"), nf_show_evidence(nf_mean_in(high, "kl")).s,
        nf_show_three(nf_mean_in(low, "kl").mean, false).s, nf_str_at(low, "domain"), nf_show_evidence(nf_mean_in(low, "kl")).s);
}

static void domain_rows(struct nf_doc_writer *d, const struct nf_stage_input *run)
{
    size_t i, k;
    json_t *thing, *domain;

    json_array_foreach (run->things, i, thing)
        json_array_foreach (json_object_get(thing, "domains"), k, domain) {
            nf_doc_cell(d, "%s", run->name);
            nf_doc_cell(d, run->kind == NF_STAGE_LENS ? "point %s" : "%s", nf_str_at(thing, "name"));
            nf_doc_cell(d, "%s", nf_str_at(domain, "domain"));
            nf_doc_cell(d, "%s", nf_show_count(nf_mean_in(domain, "kl").n).s);
            nf_doc_cell(d, "%s", nf_show_count(nf_mean_in(domain, "kl").docs).s);
            nf_mean_cells(d, nf_mean_in(domain, "kl"), false);
            nf_doc_cell(d, "%s", nf_show_three(nf_mean_in(domain, "agree").mean, false).s);
            nf_doc_cell(d, "%s", nf_show_three(nf_mean_in(domain, "entropy").mean, false).s);
        }
}

void nf_fig_domains(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++) {
        const json_t *domains = domains_of(&r->stages[i]);

        if (!domains)
            continue;
        say_domains(d, r, &r->stages[i]);
        nf_doc_chart(d, "S11", i, "Measures of lesions, or of the lens, by domain over depth");
        if (json_array_size(domains) == NF_PAGE_DOMAINS)
            nf_doc_note(d, "%sOf more than %d domains the first are shown.", nf_stage_prefix(r, &r->stages[i]).s, NF_PAGE_DOMAINS);
    }
    nf_doc_guide(d, "Means over the tokens of a domain; bars: 1.96 standard errors, which a domain with one document has not.");
    nf_doc_table(d, "By domain", "Model|Of|Domain|n>|Documents>|KL, nats>|standard error>|Same top-1 token>|Entropy, bits>", true);
    for (size_t i = 0; i < r->stages_n; i++)
        if (domains_of(&r->stages[i]))
            domain_rows(d, &r->stages[i]);
    nf_doc_table_end(d, true);
}
