/*
 * render-report - what the neurons and the layers of a model do, as one page.
 *
 *   in   neurons, effects, lens, stats   one stream of a kind a model or checkpoint, as files or on standard input
 *   out  text                            one HTML file that needs nothing else, or Markdown
 *   doc  src/render-report.md
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/opt.h"
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
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO, rc;
    struct nf_reader *in;

    if (fd < 0)
        return nf_fail_errno(err, "%s", path);
    in = nf_reader_open(fd, path ? path : "standard input", "neurons|effects|lens|stats", err);
    rc = !in ? err->code : strcmp(nf_reader_kind(in), "neurons") ? take_stage(all, in, as, err) : take_neurons(all, in, as, err);
    nf_reader_close(in);
    if (path)
        close(fd);
    return rc;
}

static int group(struct inputs *all, struct nf_err *err)
{
    long n = nf_models_of(all->stages, all->report.stages_n, all->models);

    all->report.models = all->models;
    all->report.models_n = n < 0 ? 0 : (size_t)n;
    return n < 0 ? nf_fail(err, NF_ESYS, "out of memory") : NF_OK;
}

static int write_output(const char *path, const struct nf_text *out, struct nf_err *err)
{
    struct nf_replace file;
    int rc;

    if (!path)
        return nf_write_all(STDOUT_FILENO, out->p, out->n, "standard output", err);
    rc = nf_replace_open(&file, path, err);
    if (rc < 0)
        return rc;
    rc = nf_write_all(file.fd, out->p, out->n, path, err);
    if (rc < 0) {
        nf_replace_abort(&file);
        return rc;
    }
    return nf_replace_commit(&file, err);
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    const char *output = NULL;
    bool markdown = false;
    struct nf_list names = { .n = 0 };
    const struct nf_opt opts[] = {
        OPT_STR("output", &output, "FILE", "write to FILE instead of standard output; a failure keeps the old FILE", .letter = 'o',
                .local = true),
        OPT_EITHER("format", &markdown, "html|markdown", "a page for browsers, or text for terminals and pull requests",
                   .letter = 'f'),
        OPT_LIST("name", &names, "NAME", "names of the inputs, in their order; default: the names of the models", .letter = 'n'),
        OPT_END,
    };
    const struct nf_cmd cmd = { "render-report", "make one page that shows what the neurons and layers of a model do",
                                "[FILE...]",     "neurons, effects, lens, stats",
                                "text",          opts };
    struct inputs all = { .room = NF_PAGE_NEURONS };
    struct nf_text out = { 0 };
    size_t operands;
    int first, rc = NF_OK;

    nf_prog_start(cmd.name, argv);
    if ((first = nf_opt_parse(&cmd, argc, argv, &err)) < 0)
        nf_die_err(&err);
    operands = (size_t)(argc - first);
    if (operands > INPUTS_MAX)
        nf_die(NF_EXIT_USAGE, "%zu inputs: at most %d fit one report", operands, INPUTS_MAX);

    if (names.n > (operands ? operands : 1))
        nf_die(NF_EXIT_USAGE, "--name: %zu names for %zu inputs", names.n, operands ? operands : 1);

    all.report.runs = all.neurons;
    all.report.stages = all.stages;
    for (size_t i = 0; rc == NF_OK && (i < operands || i == 0); i++)
        rc = read_input(&all, operands ? argv[first + (int)i] : NULL, i < names.n ? names.item[i] : NULL, &err);
    rc = rc == NF_OK ? group(&all, &err) : rc;
    if (rc == NF_OK) {
        if (markdown)
            nf_page_markdown(&out, &all.report);
        else
            nf_page_html(&out, &all.report);
        rc = out.failed || nf_json_starved() ? nf_fail(&err, NF_ESYS, "out of memory") : write_output(output, &out, &err);
    }
    nf_text_clear(&out);
    for (size_t i = 0; i < all.report.n; i++)
        nf_input_clear(&all.neurons[i]);
    for (size_t i = 0; i < all.report.stages_n; i++)
        nf_stage_input_clear(&all.stages[i]);
    if (rc < 0)
        nf_die_err(&err);
    return NF_EXIT_OK;
}
