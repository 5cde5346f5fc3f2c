/*
 * opt.h - the command line of a filter, from one table: parsing, ranges, defaults, -h, and the "options" of the stream's history.
 */
#ifndef NF_BASE_OPT_H
#define NF_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

/* What `value` points to is in the comment. */
enum nf_opt_type {
    NF_OPT_FLAG,     /* bool: present or not */
    NF_OPT_REAL,     /* double in [min, max] */
    NF_OPT_UINT,     /* uint64_t in [min, max]; max 0: no upper bound */
    NF_OPT_SIZE,     /* uint64_t bytes, at least min: 100000, 4k, 512M, 1.5G; suffixes k M G T, powers of 1024 */
    NF_OPT_STR,      /* const char * */
    NF_OPT_CHOICE,   /* an enum: one of `arg`, "auto|always|never"; its index there, or what `means` has at that index */
    NF_OPT_EITHER,   /* bool: false for the first of `arg`, "half|all", true for the second */
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

/* A row of an option table; made by the macros below. */
struct nf_opt {
    enum nf_opt_type type;
    const char *name;         /* of the long form */
    char letter;              /* of the short form; 0: none */
    void *value;              /* holds the default when parsing starts; NULL strings have no default */
    double min, max;          /* NF_OPT_REAL, NF_OPT_UINT, NF_OPT_SIZE */
    const char *arg;          /* shown in -h; NF_OPT_CHOICE, NF_OPT_EITHER: the alternatives */
    const unsigned *means;    /* NF_OPT_CHOICE: the enum's value of each alternative; NULL: 0, 1, .. */
    const char *help;         /* one sentence, lower case, no full stop */
    bool local;               /* does not change the result (threads, verbosity, output file): not written to the history */
};

/*
 * The rows of a table.  What `value` points to is checked when the row is compiled.  Members that few rows have come last, by name:
 *
 *     OPT_FLAG("mid", &o.mid, "add the points between attention and FFN"),
 *     OPT_UINT("top-k", &o.top_k, 0, 1024, "K", "write the K most probable tokens"),
 *     OPT_RANGE("layers", &o.layers, "only these layers: 3, 0:6, 6:", .letter = 'l'),
 */
/* clang-format off */
#define NF_OPT_IS(type, v) _Generic((v), type *: (v))
#define OPT_FLAG(n, v, h, ...) { .type = NF_OPT_FLAG, .name = n, .value = NF_OPT_IS(bool, v), .help = h, __VA_ARGS__ }
#define OPT_REAL(n, v, low, high, a, h, ...) \
    { .type = NF_OPT_REAL, .name = n, .value = NF_OPT_IS(double, v), .min = low, .max = high, .arg = a, .help = h, __VA_ARGS__ }
#define OPT_UINT(n, v, low, high, a, h, ...) \
    { .type = NF_OPT_UINT, .name = n, .value = NF_OPT_IS(uint64_t, v), .min = low, .max = high, .arg = a, .help = h, __VA_ARGS__ }
#define OPT_SIZE(n, v, low, h, ...) \
    { .type = NF_OPT_SIZE, .name = n, .value = NF_OPT_IS(uint64_t, v), .min = low, .arg = "SIZE", .help = h, __VA_ARGS__ }
#define OPT_STR(n, v, a, h, ...) \
    { .type = NF_OPT_STR, .name = n, .value = NF_OPT_IS(const char *, v), .arg = a, .help = h, __VA_ARGS__ }
#define OPT_CHOICE(n, v, a, h, ...) \
    { .type = NF_OPT_CHOICE, .name = n, .value = _Generic((v), unsigned *: (v), int *: (v)), .arg = a, .help = h, __VA_ARGS__ }
#define OPT_EITHER(n, v, a, h, ...) \
    { .type = NF_OPT_EITHER, .name = n, .value = NF_OPT_IS(bool, v), .arg = a, .help = h, __VA_ARGS__ }
#define OPT_RANGE(n, v, h, ...) \
    { .type = NF_OPT_RANGE, .name = n, .value = NF_OPT_IS(struct nf_range, v), .arg = "A:B", .help = h, __VA_ARGS__ }
#define OPT_LIST(n, v, a, h, ...) \
    { .type = NF_OPT_LIST, .name = n, .value = NF_OPT_IS(struct nf_list, v), .arg = a, .help = h, __VA_ARGS__ }
#define OPT_END { .type = NF_OPT_END }
/* clang-format on */

/* Common to all filters, behind the rows of every table: -o, -j, -u, -q, -v, -h, -V. */
struct nf_common {
    const char *output;       /* NULL or "-": standard output */
    uint64_t threads;         /* 0: all cores the process may use */
    bool quiet, verbose;
    bool raw;                 /* write msgpack without zstd */
    bool json_progress;       /* --progress: progress.h */
};
extern struct nf_common nf_common;

struct nf_cmd {
    const char *name;
    const char *summary;      /* "name the role of each FFN neuron" */
    const char *operands;     /* "[FILE...]"; "" when there are none */
    const char *in, *out;     /* stream kinds for -h: "stats", "neurons", "text" */
    const struct nf_opt *opts;
};

/*
 * nf_opt_parse - parse argv against cmd->opts and the common options.
 *
 * Long options may be abbreviated, and written --x=y or --x y; short ones joined: -qj2.  Operands may stand between options; `--` ends the
 * options.  -h and -V print to stdout and exit.  Applies -j (nf_threads_start).
 *
 * NF_EUSAGE  an unknown option (named, with the nearest that exists), a value missing or out of its range (both named), an operand
 *            where the command takes none
 * NF_ESYS    nf_threads_start()
 *
 * Returns the index in argv of the first operand; argv is permuted so that operands stand at the end.
 */
int nf_opt_parse(const struct nf_cmd *cmd, int argc, char **argv, struct nf_err *err);

/*
 * nf_opt_json - the options as they were used, defaults included: {"min-kurtosis": 10.0, ...}, for the stream's history.
 * Options marked `local` and the common ones are left out.  New reference, or NULL (memory).
 */
json_t *nf_opt_json(const struct nf_cmd *cmd);

#endif
