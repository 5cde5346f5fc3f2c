/* page.c - the skeleton of a report around its figures. */
#include "report/page.h"

#include <stdint.h>
#include <string.h>

#include "report/asset.h"
#include "version.h"

/* No fetch of any kind. Inline scripts and styles are the page's own; Vega's expressions run in its interpreter, without eval. */
#define POLICY                                                                                                                     \
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "            \
    "form-action 'none'"

static void put_run_name(struct nf_text *t, const char *name, size_t i, size_t n)
{
    nf_text_fmt(t, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " and ", name);
}

/* Whether neurons and stages are of the same models, in one order. */
static bool same_models(const struct nf_report *r)
{
    for (size_t i = 0; i < r->n && i < r->models_n; i++)
        if (strcmp(r->runs[i].name, r->models[i].name))
            return false;
    return r->n == r->models_n;
}

static void title(struct nf_text *t, const struct nf_report *r)
{
    bool same = same_models(r);

    if (r->n) {
        nf_text_str(t, same ? "What the neurons and blocks of " : "What the FFN neurons of ");
        for (size_t k = 0; k < r->n; k++)
            put_run_name(t, r->runs[k].name, k, r->n);
        nf_text_str(t, " do");
    }
    if (same)
        return;
    if (r->models_n)
        nf_text_str(t, r->n ? ", and stages of inference of " : "Stages of inference of ");
    for (size_t k = 0; k < r->models_n; k++)
        put_run_name(t, r->models[k].name, k, r->models_n);
}

/* ---- what both renderings hold ---- */

static void summary(struct nf_doc_writer *d, const struct nf_report *r)
{
    nf_doc_section(
        d, "summary", "Summary",
        "Every neuron of the feed-forward layers, by what makes it fire. Definitions: Voita, Ferrando and Nalmpantis 2023, "
        "arXiv:2309.04827. Layers and neurons count from 0.");
    nf_fig_summary(d, r);
    nf_doc_section_end(d);
}

static void body(struct nf_doc_writer *d, const struct nf_report *r)
{
    if (r->n)
        summary(d, r);
    for (size_t s = 0; s < nf_sections_n; s++) {
        if (!nf_section_shown(&nf_sections[s], r))
            continue;
        nf_doc_section(d, nf_sections[s].id, nf_sections[s].title, nf_sections[s].intro);
        for (size_t f = 0; f < nf_sections[s].n; f++) {
            const struct nf_figure *fig = &nf_sections[s].figures[f];
            char id[32] = "figure-";

            if (!nf_figure_shown(fig, r))
                continue;
            strncat(id, fig->id, sizeof id - sizeof "figure-");
            nf_doc_figure(d, id, fig->id, fig->title);
            fig->write(d, r);
            nf_doc_figure_end(d);
        }
        nf_doc_section_end(d);
    }
}

static void provenance(struct nf_doc_writer *d, const struct nf_report *r)
{
    nf_doc_section(d, "provenance", "Where the numbers come from",
                   "Models, tokenizers, corpus, thresholds, and the commands with their options. The names of the text files are "
                   "not in a stream: keep them to repeat the run.");
    nf_fig_provenance(d, r);
    nf_doc_section_end(d);
}

void nf_page_markdown(struct nf_text *out, const struct nf_report *r)
{
    struct nf_doc_writer d = { .format = NF_DOC_MARKDOWN, .out = *out };
    struct nf_text t = { 0 };

    title(&t, r);
    nf_text_str(&d.out, "# ");
    nf_md_text(&d.out, t.p ? t.p : "");
    nf_text_str(&d.out, "\n");
    body(&d, r);
    provenance(&d, r);
    d.out.failed |= t.failed;
    nf_text_clear(&t);
    *out = d.out;
}

/* ---- HTML ---- */

static void contents(struct nf_text *out, const struct nf_report *r)
{
    nf_text_str(out, "<nav class=\"contents\" aria-label=\"Contents\"><ol>\n");
    if (r->n)
        nf_text_str(out, "<li><a href=\"#summary\">Summary</a></li>\n");
    for (size_t s = 0; s < nf_sections_n; s++) {
        if (!nf_section_shown(&nf_sections[s], r))
            continue;
        nf_text_fmt(out, "<li><a href=\"#%s\">%s</a><span class=\"figures\">", nf_sections[s].id, nf_sections[s].title);
        for (size_t f = 0; f < nf_sections[s].n; f++)
            if (nf_figure_shown(&nf_sections[s].figures[f], r))
                nf_text_fmt(out, " <a href=\"#figure-%s\">%s</a>", nf_sections[s].figures[f].id, nf_sections[s].figures[f].id);
        nf_text_str(out, "</span></li>\n");
    }
    if (r->n)
        nf_text_str(out, "<li class=\"script\"><a href=\"#tokens\">Find a token</a></li>\n<li class=\"script\"><a "
                         "href=\"#neurons\">Find a neuron</a></li>\n");
    nf_text_str(out, "<li><a href=\"#provenance\">Where the numbers come from</a></li>\n</ol></nav>\n");
}

/* The tables that the script fills; hidden without it. */
static void finders(struct nf_text *out, const struct nf_report *r)
{
    if (r->n)
        nf_text_str(out, "<section id=\"tokens\" class=\"script\"><h2>Find a token</h2>\n<p class=\"intro\">Which neurons detect a "
                         "token, promote it, or suppress it.</p>\n"
                         "<div class=\"finder\" data-table=\"tokens\"></div></section>\n"
                         "<section id=\"neurons\" class=\"script\"><h2>Find a neuron</h2>\n<p class=\"intro\">By layer.neuron or "
                         "class; a row opens to the evidence.</p>\n"
                         "<div class=\"finder\" data-table=\"neurons\"></div></section>\n");
    nf_text_str(out, "<noscript><p class=\"note\">Charts and searchable tables need JavaScript; the numbers above and below do "
                     "not.</p></noscript>\n");
}

static json_t *stages(const struct nf_report *r)
{
    json_t *all = json_array();

    for (size_t i = 0; i < r->stages_n; i++)
        json_array_append_new(all, json_pack("{sssssIsOsOsO}", "name", r->stages[i].name, "kind",
                                             nf_stage_kind_name(r->stages[i].kind), "L", (json_int_t)r->stages[i].L, "things",
                                             r->stages[i].things, "pairs", r->stages[i].pairs, "heads", r->stages[i].heads));
    return all;
}

/* Streams by model, as indices of stages; blocks before which stages end, null where none does. */
static json_t *models(const struct nf_report *r)
{
    json_t *all = json_array();

    for (size_t i = 0; i < r->models_n; i++) {
        const struct nf_model_streams *m = &r->models[i];
        json_t *of = json_object(), *ends = json_array();

        for (size_t k = 0; k < NF_STAGE_KINDS; k++)
            json_object_set_new(of, nf_stage_kind_name(k), m->of[k] ? json_integer(m->of[k] - r->stages) : json_null());
        for (size_t b = 0; b < NF_BOUNDARIES; b++)
            json_array_append_new(ends, m->end[b].block == SIZE_MAX ? json_null() : json_integer((json_int_t)m->end[b].block));
        json_array_append_new(
            all, json_pack("{sssIsosbso}", "name", m->name, "L", (json_int_t)m->L, "of", of, "ordered", m->ordered, "ends", ends));
    }
    return all;
}

/* The data of all inputs, columns where there are many rows; page/data.js documents what it makes of it. */
static void data(struct nf_text *out, const struct nf_report *r)
{
    json_t *runs = json_array(), *classes = json_array(), *all;

    for (size_t c = 0; c < NF_CLASSES; c++)
        json_array_append_new(classes, json_string(nf_class_name(c)));
    for (size_t i = 0; i < r->n; i++) {
        const struct nf_input *run = &r->runs[i];

        json_array_append_new(runs,
                              json_pack("{sssIsIsIsbsOsOsOsOsOsOsOsO}", "name", run->name, "L", (json_int_t)run->L, "F",
                                        (json_int_t)run->F, "T", (json_int_t)run->T, "all", run->all, "model",
                                        json_object_get(run->header, "model") ? json_object_get(run->header, "model") : json_null(),
                                        "run", run->run, "layers", run->layers, "suppression", run->suppression, "teams",
                                        run->teams, "neurons", run->neurons, "evidence", run->evidence, "tokens", run->tokens));
    }
    all = json_pack("{soso}", "classes", classes, "runs", runs);
    if (r->stages_n) {
        json_object_set_new(all, "stages", stages(r));
        json_object_set_new(all, "models", models(r));
    }
    nf_text_str(out, "<script type=\"application/json\" id=\"data\">");
    nf_html_json(out, all);
    nf_text_str(out, "</script>\n<script type=\"application/json\" id=\"published\">");
    nf_html_script(out, nf_published.begin, (size_t)(nf_published.end - nf_published.begin));
    nf_text_str(out, "</script>\n");
    json_decref(all);
}

static void head(struct nf_text *out, const char *name)
{
    nf_text_str(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"" POLICY "\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" "
                     "content=\"light dark\">\n"
                     "<meta name=\"generator\" content=\"neurofilters " NF_VERSION "\">\n<title>");
    nf_html_text(out, name);
    nf_text_str(out, "</title>\n<style>\n");
    for (const struct nf_asset *a = nf_styles; a->name; a++)
        nf_text_add(out, a->begin, (size_t)(a->end - a->begin));
    nf_text_str(out, "</style>\n</head>\n<body>\n<header><h1>");
    nf_html_text(out, name);
    nf_text_str(out, "</h1></header>\n");
}

void nf_page_html(struct nf_text *out, const struct nf_report *r)
{
    struct nf_doc_writer d = { .format = NF_DOC_HTML };
    struct nf_text t = { 0 };

    title(&t, r);
    head(&d.out, t.p ? t.p : "");
    contents(&d.out, r);
    nf_text_str(&d.out, "<main>\n");
    body(&d, r);
    finders(&d.out, r);
    provenance(&d, r);
    nf_text_str(&d.out,
                "</main>\n<footer>neurofilters " NF_VERSION ". Charts: Vega, Vega-Lite, Vega-Embed (BSD 3-Clause).</footer>\n");
    data(&d.out, r);
    for (const struct nf_asset *a = nf_scripts; a->name; a++) {
        nf_text_fmt(&d.out, "<script>/* %s */\n", a->name);
        nf_html_script(&d.out, a->begin, (size_t)(a->end - a->begin));
        nf_text_str(&d.out, "\n</script>\n");
    }
    nf_text_str(&d.out, "</body>\n</html>\n");
    nf_text_add(out, d.out.p ? d.out.p : "", d.out.n);
    out->failed |= d.out.failed || t.failed;
    nf_text_clear(&d.out);
    nf_text_clear(&t);
}
