/*
 * rare-figure - a figure of a report: neurons that fire seldom, by layer.  The example of CONTRIBUTING.md, "Add a figure".
 *
 *   in   neurons
 *   out  the figure alone, as HTML or (with the operand "markdown") as Markdown
 *
 * In the project write_rare() would be nf_fig_rare() in lib/report, with a row in the table of figures.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/prog.h"
#include "report/figures.h"

/* The figure: a sentence with this run's number, then the numbers by layer.  Every value comes from the records by its path. */
static void write_rare(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        uint64_t rare = 0, neurons = 0;
        size_t l;
        json_t *layer;

        json_array_foreach (r->runs[i].layers, l, layer) {
            rare += nf_whole_at(layer, "bands.rare");
            neurons += nf_whole_at(layer, "neurons");
        }
        nf_doc_say(d, "%s: %s neurons are rare.", r->runs[i].name, nf_show_share(nf_wilson(rare, neurons)).s);
    }
    nf_doc_guide(d, "Rare: fires at less than 10 %% of the tokens, but not dead or dormant.");
    nf_doc_table(d, "Rare neurons by layer", "Model|Layer>|Rare>|of>", true);
    for (size_t i = 0; i < r->n; i++) {
        size_t l;
        json_t *layer;

        json_array_foreach (r->runs[i].layers, l, layer) {
            nf_doc_cell(d, "%s", r->runs[i].name);
            nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(layer, "layer")).s);
            nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(layer, "bands.rare")).s);
            nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(layer, "neurons")).s);
        }
    }
    nf_doc_table_end(d, true);
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_input run = { .name = "" };
    struct nf_report r = { .runs = &run, .n = 1 };
    struct nf_doc_writer d = { .format = argc > 1 && strcmp(argv[1], "markdown") == 0 ? NF_DOC_MARKDOWN : NF_DOC_HTML };
    struct nf_reader *in;

    nf_prog_start("rare-figure", argv);
    in = nf_reader_open_file(NULL, "neurons", &err);
    if (in && nf_input_read(&run, in, NF_PAGE_NEURONS, &err) == NF_OK) {
        nf_doc_figure(&d, "figure-X1", "X1", "Neurons that fire seldom");
        write_rare(&d, &r);
        nf_doc_figure_end(&d);
        if (d.out.failed)
            nf_fail(&err, NF_ESYS, "out of memory");
        else
            fwrite(d.out.p, 1, d.out.n, stdout); /* a failure is found by nf_prog_end() */
    }
    nf_text_clear(&d.out);
    nf_input_clear(&run);
    nf_reader_close(in);
    return nf_prog_end(&err);
}
