/*
 * render-report - what the neurons and the layers of a model do, as one page.
 *
 *   in   neurons, effects, lens, stats   one stream of a kind a model or checkpoint, as files or on standard input
 *   out  text                            one HTML file that needs nothing else, or Markdown
 *   doc  src/render-report.md
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/opt.h"
#include "base/output.h"
#include "base/par.h"
#include "base/prog.h"
#include "base/utf8.h"
#include "report/page.h"

enum { INPUTS_MAX = 64 }; /* four streams of 16 models */

/* What was read.  names[i]: of operand i, within one of the others. */
struct inputs {
    struct nf_input neurons[INPUTS_MAX];
    struct nf_stage_input stages[INPUTS_MAX];
    struct nf_model_streams models[INPUTS_MAX];
    struct nf_report report;
    const char *kinds[INPUTS_MAX];
    char *names[INPUTS_MAX];
    size_t n, room; /* room: of the page, for rows of neurons */
};

/* Two inputs of the same kind and name are told apart by a number: the second is "NAME (2)". */
static void unique_name(struct inputs *all, char *name, size_t size, const char *kind)
{
    size_t same = 1;
    char base[160];

    snprintf(base, sizeof base, "%s", name);
    for (size_t i = 0; i < all->n; i++)
        if (!strcmp(all->kinds[i], kind) && !strcmp(all->names[i], name)) {
            snprintf(name, size, "%.140s (%zu)", base, ++same);
            i = SIZE_MAX; /* the new name may be taken too: from the first again */
        }
}

/* The name of the stream after those before: `as`, or its model's where that is NULL. */
static void name_stream(struct inputs *all, char *name, size_t size, const json_t *header, const char *as)
{
    if (as)
        nf_utf8_show(as, strlen(as), name, size);
    all->kinds[all->n] = nf_str_at(header, "kind");
    unique_name(all, name, size, all->kinds[all->n]);
    all->names[all->n++] = name;
}

/* What was read is counted also where reading failed: main() clears it. */
static int take_stage(struct inputs *all, struct nf_reader *in, const char *as, struct nf_err *err)
{
    struct nf_stage_input *stage = &all->stages[all->report.stages_n++];
    int rc = nf_stage_input_read(stage, in, err);

    if (rc == NF_OK)
        name_stream(all, stage->name, sizeof stage->name, stage->header, as);
    return rc;
}

/* A neurons stream has counts, or what the weights say, or both. */
static int take_neurons(struct inputs *all, struct nf_reader *in, const char *as, struct nf_err *err)
{
    struct nf_input *run = &all->neurons[all->report.n++];
    int rc = nf_input_read(run, in, all->room, err);

    if (rc < 0)
        return rc;
    name_stream(all, run->name, sizeof run->name, run->header, as);
    all->room -= run->all ? (size_t)run->seen : 0;
    if (json_array_size(run->weights) == 0)
        return NF_OK;
    nf_stage_input_of(&all->stages[all->report.stages_n], run);
    if (json_array_size(run->layers) == 0) { /* nothing was counted: its name lives on in the other */
        all->names[all->n - 1] = all->stages[all->report.stages_n].name;
        nf_input_clear(run);
        all->report.n--;
    }
    all->report.stages_n++;
    return NF_OK;
}

static int read_input(struct inputs *all, const char *path, const char *as, struct nf_err *err)
{
    struct nf_reader *in = nf_reader_open_file(path, "neurons|effects|lens|stats", err);

    if (in && strcmp(nf_reader_kind(in), "neurons") == 0)
        take_neurons(all, in, as, err);
    else if (in)
        take_stage(all, in, as, err);
    nf_reader_close(in);
    return (int)err->code;
}

static int group_inputs(struct inputs *all, struct nf_err *err)
{
    long n = nf_models_of(all->stages, all->report.stages_n, all->models);

    all->report.models = all->models;
    all->report.models_n = n < 0 ? 0 : (size_t)n;
    return n < 0 ? nf_fail(err, NF_ESYS, "out of memory") : NF_OK;
}

static int write_page(const struct nf_report *report, bool markdown, struct nf_err *err)
{
    struct nf_text out = { 0 };

    if (markdown)
        nf_page_markdown(&out, report);
    else
        nf_page_html(&out, report);
    if (out.failed || nf_json_starved())
        nf_fail(err, NF_ESYS, "out of memory");
    else
        nf_write_all(STDOUT_FILENO, out.p, out.n, nf_output_name(), err);
    nf_text_clear(&out);
    return (int)err->code;
}

/* n operands; without one, standard input. */
static int render(struct inputs *all, const struct nf_list *names, bool markdown, char **path, size_t n, struct nf_err *err)
{
    size_t inputs = nf_max(n, 1);

    if (n > INPUTS_MAX)
        return nf_fail(err, NF_EUSAGE, "%zu inputs: at most %d fit one report", n, INPUTS_MAX);
    if (names->n > inputs)
        return nf_fail(err, NF_EUSAGE, "--name: %zu names for %zu inputs", names->n, inputs);
    if (nf_output_open(false, err) < 0)
        return (int)err->code;
    all->report.runs = all->neurons;
    all->report.stages = all->stages;
    for (size_t i = 0; err->code == NF_OK && i < inputs; i++)
        read_input(all, path[i], i < names->n ? names->item[i] : NULL, err);
    if (err->code == NF_OK && group_inputs(all, err) == NF_OK)
        write_page(&all->report, markdown, err);
    for (size_t i = 0; i < all->report.n; i++)
        nf_input_clear(&all->neurons[i]);
    for (size_t i = 0; i < all->report.stages_n; i++)
        nf_stage_input_clear(&all->stages[i]);
    return (int)err->code;
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct inputs all = { .room = NF_PAGE_NEURONS };
    struct nf_list names = { .n = 0 };
    bool markdown = false;
    const struct nf_opt opts[] = {
        OPT_EITHER("format", &markdown, "html|markdown", "a page for browsers, or text for terminals and pull requests",
                   .letter = 'f'),
        OPT_LIST("name", &names, "NAME", "names of the inputs, in their order; default: the names of the models", .letter = 'n'),
        OPT_END,
    };
    const struct nf_cmd cmd = { "render-report", "make one page that shows what the neurons and layers of a model do",
                                "[FILE...]",     "neurons, effects, lens, stats",
                                "text",          opts };
    int first;

    nf_prog_start(cmd.name, argv);
    first = nf_opt_parse(&cmd, argc, argv, &err);
    if (first > 0)
        render(&all, &names, markdown, argv + first, (size_t)(argc - first), &err);
    return nf_prog_end(&err);
}
