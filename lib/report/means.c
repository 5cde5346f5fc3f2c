/* means.c - means of things: access, words, cells. */
#include "report/means.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct nf_mean nf_mean_in(const json_t *means, const char *measure)
{
    const json_t *j = json_object_get(means, measure);
    const json_t *docs = json_object_get(j, "docs");

    return (struct nf_mean){ nf_whole_at(j, "n"), nf_whole_at(docs ? j : means, "docs"), nf_real_at(j, "mean"),
                             nf_real_at(j, "se") };
}

struct nf_mean nf_mean_of(const json_t *thing, const char *measure)
{
    return nf_mean_in(nf_at(thing, "all"), measure);
}

bool nf_item_is(const json_t *thing, const char *kind)
{
    return !strcmp(nf_str_at(thing, "kind"), kind);
}

void nf_mean_extremes(const struct nf_stage_input *run, const char *kind, const char *measure, const json_t **low,
                      const json_t **high)
{
    size_t i;
    json_t *thing;

    *low = *high = NULL;

    json_array_foreach (run->things, i, thing) {
        double v = nf_mean_of(thing, measure).mean;

        if (!nf_item_is(thing, kind) || isnan(v))
            continue;
        *low = !*low || v < nf_mean_of(*low, measure).mean ? thing : *low;
        *high = !*high || v > nf_mean_of(*high, measure).mean ? thing : *high;
    }
}

struct nf_shown nf_stage_prefix(const struct nf_report *r, const struct nf_stage_input *run)
{
    struct nf_shown out = { "" };
    size_t same = 0;

    for (size_t i = 0; i < r->stages_n; i++)
        same += r->stages[i].kind == run->kind;
    if (same > 1)
        snprintf(out.s, sizeof out.s, "%.90s: ", run->name);
    return out;
}

struct nf_shown nf_show_three(double v, bool sign)
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

struct nf_shown nf_show_evidence(struct nf_mean m)
{
    struct nf_shown out, docs = nf_show_several(m.docs, "document", "documents");

    if (isnan(m.se))
        snprintf(out.s, sizeof out.s, "n %.30s in %.40s, no standard error", nf_show_count(m.n).s, docs.s);
    else
        snprintf(out.s, sizeof out.s, "n %.30s in %.40s, standard error %.20s", nf_show_count(m.n).s, docs.s,
                 nf_show_three(m.se, false).s);
    return out;
}

void nf_depth_cells(struct nf_doc_writer *d, const struct nf_stage_input *run, const json_t *thing)
{
    uint64_t layer = nf_whole_at(thing, "layer");

    nf_doc_cell(d, "%llu", (unsigned long long)layer);
    nf_doc_cell(d, "%s", nf_show_real(run->L > 1 ? (double)layer / (double)(run->L - 1) : 0, 2).s);
}

void nf_mean_cells(struct nf_doc_writer *d, struct nf_mean m, bool sign)
{
    nf_doc_cell(d, "%s", nf_show_three(m.mean, sign).s);
    nf_doc_cell(d, "%s", nf_show_three(m.se, false).s);
}
