/*
 * render-report - what the neurons of a model do, as one page.
 *
 *   in   neurons    one stream a model or checkpoint, as files or on standard input
 *   out  text       one HTML file that needs nothing else, or Markdown
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

enum { INPUTS_MAX = 16 };

/* Two inputs of the same name are told apart by a number: the second is "NAME (2)". */
static void unique_name(struct nf_input *inputs, size_t n)
{
    size_t same = 1;
    char base[sizeof inputs->name];

    memcpy(base, inputs[n].name, sizeof base);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(inputs[i].name, inputs[n].name)) {
            snprintf(inputs[n].name, sizeof inputs[n].name, "%.140s (%zu)", base, ++same);
            i = SIZE_MAX; /* the new name may be taken too: from the first again */
        }
}

static int read_input(struct nf_input *run, const char *path, size_t room, struct nf_err *err)
{
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO, rc;
    struct nf_reader *in;

    if (fd < 0)
        return nf_fail_errno(err, "%s", path);
    in = nf_reader_open(fd, path ? path : "standard input", "neurons", err);
    rc = in ? nf_input_read(run, in, room, err) : err->code;
    nf_reader_close(in);
    if (path)
        close(fd);
    return rc;
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
    const char *output = NULL, *format = "html";
    struct nf_list names = { .n = 0 };
    const struct nf_opt opts[] = {
        { 'o', "output", NF_OPT_STR, &output, 0, 0, "FILE", "write to FILE, whole or not at all, instead of standard output",
          true },
        { 'f', "format", NF_OPT_CHOICE, &format, 0, 0, "html|markdown",
          "a page for browsers, or text for terminals and pull requests", false },
        { 'n', "name", NF_OPT_LIST, &names, 0, 0, "NAME", "call the inputs so, in their order, instead of by their models' names",
          false },
        NF_OPT_LAST,
    };
    const struct nf_cmd cmd = { "render-report", "show what the neurons of a model do, as one page",
                                "[FILE...]",     "neurons",
                                "text",          opts };
    struct nf_input inputs[INPUTS_MAX] = { 0 };
    struct nf_report report = { inputs, 0 };
    struct nf_text out = { 0 };
    size_t room = NF_PAGE_NEURONS, operands;
    int first, rc = NF_OK;

    nf_prog_start(cmd.name, argv);
    first = nf_opt_parse(&cmd, argc, argv);
    operands = (size_t)(argc - first);
    if (operands > INPUTS_MAX)
        nf_die(NF_EXIT_USAGE, "%zu inputs: at most %d fit one report", operands, INPUTS_MAX);

    if (names.n > (operands ? operands : 1))
        nf_die(NF_EXIT_USAGE, "--name: %zu names for %zu inputs", names.n, operands ? operands : 1);

    for (size_t i = 0; rc == NF_OK && (i < operands || i == 0); i++) {
        rc = read_input(&inputs[i], operands ? argv[first + (int)i] : NULL, room, &err);
        report.n = i + 1;
        if (i < names.n)
            nf_utf8_show(names.item[i], strlen(names.item[i]), inputs[i].name, sizeof inputs[i].name);
        unique_name(inputs, i);
        room -= inputs[i].all ? (size_t)inputs[i].seen : 0;
    }
    if (rc == NF_OK) {
        (strcmp(format, "html") ? nf_page_markdown : nf_page_html)(&out, &report);
        rc = out.failed || nf_json_starved() ? nf_fail(&err, NF_ESYS, "out of memory") : write_output(output, &out, &err);
    }
    nf_text_clear(&out);
    for (size_t i = 0; i < report.n; i++)
        nf_input_clear(&inputs[i]);
    if (rc < 0)
        nf_die_err(&err);
    return NF_EXIT_OK;
}
