/*
 * opt.h - the command line of a filter, from one table: parsing, ranges, defaults, -h, and the "options" of the stream's history.
 */
#ifndef NF_BASE_OPT_H
#define NF_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* What `value` points to is in the comment. */
enum nf_opt_type {
    NF_OPT_FLAG,     /* bool: present or not */
    NF_OPT_REAL,     /* double in [min, max] */
    NF_OPT_UINT,     /* uint64_t in [min, max]; max 0: no upper bound */
    NF_OPT_SIZE,     /* uint64_t bytes: 512M, 2G, 100000; suffixes k M G T, powers of 1024 */
    NF_OPT_STR,      /* const char * */
    NF_OPT_CHOICE,   /* const char *: one of `arg`, "auto|always|never" */
    NF_OPT_RANGE,    /* struct nf_range: "3", "0:6", ":6", "6:"; [from, to) */
    NF_OPT_LIST,     /* struct nf_list: may be given many times, or comma-separated */
    NF_OPT_END,
};

/* A half-open range of indices as typed; to == SIZE_MAX: open end. */
struct nf_range {
    size_t from, to;
};
/* clang-format off */
#define NF_RANGE_ALL { 0, SIZE_MAX }
/* clang-format on */

enum { NF_LIST_MAX = 256 };
struct nf_list {
    const char *item[NF_LIST_MAX];   /* point into argv (separators overwritten) */
    size_t n;
};

struct nf_opt {
    char letter;              /* 0: long form only */
    const char *name;
    enum nf_opt_type type;
    void *value;              /* holds the default when parsing starts; NULL strings have no default */
    double min, max;          /* NF_OPT_REAL, NF_OPT_UINT, NF_OPT_SIZE */
    const char *arg;          /* shown in -h; NF_OPT_CHOICE: the alternatives */
    const char *help;         /* one sentence, lower case, no full stop */
    bool local;               /* does not change the result (threads, verbosity, output file): not written to the history */
};

/* Common to all filters: the last row of every table.  `-h`, `--version`, `-j`, `-q`, `-v`, `-u`. */
struct nf_common {
    uint64_t threads;         /* 0: all cores the process may use */
    bool quiet, verbose;
    bool raw;                 /* write msgpack without zstd */
};
extern struct nf_common nf_common;

/* clang-format off */
#define NF_OPT_LAST { 0, NULL, NF_OPT_END, NULL, 0, 0, NULL, NULL, false }
/* clang-format on */

struct nf_cmd {
    const char *name;
    const char *summary;      /* "name the role of each FFN neuron" */
    const char *operands;     /* "[FILE...]", "" when there are none */
    const char *in, *out;     /* stream kinds for -h: "stats", "neurons", "text" */
    const struct nf_opt *opts;
};

/*
 * nf_opt_parse - parse argv against cmd->opts and the common options.
 *
 * Prints -h / --version to stdout and exits 0; a bad command line is a message naming the option, the value and its range, and
 * exit 2.  Applies -j (nf_threads_start).  Operands may stand between options; `--` ends the options.
 *
 * Returns the index in argv of the first operand; argv is permuted so that operands stand at the end.
 */
int nf_opt_parse(const struct nf_cmd *cmd, int argc, char **argv);

/*
 * nf_opt_json - the options as they were used, defaults included: {"min-kurtosis": 10.0, ...}, for the stream's history.
 * Options marked `local` and the common ones are left out.  New reference, or NULL (memory).
 */
json_t *nf_opt_json(const struct nf_cmd *cmd);

#endif
