/*
 * stream-dump - show a stream, or hand it to other programs.
 *
 *   in   any kind
 *   out  text for people; ndjson, csv, tsv, npy or safetensors for jq, DuckDB, R, NumPy
 *   doc  src/stream-dump.md
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/prog.h"
#include "record/context.h"
#include "inspect/arrays.h"
#include "inspect/json_text.h"
#include "inspect/table.h"
#include "inspect/text.h"
#include "stream/reader.h"

enum { OUT_BYTES = 256 << 10 }; /* gathered before a write */

struct dump_options {
    const char *format, *field;
    struct nf_list records, sites, columns;
    struct nf_range layers;
    uint64_t values;
    bool header; /* header and END are shown: asked for, or a whole stream as text */
};

/* What a dump is made of; the members that the format does not need stay NULL. */
struct dump {
    const struct dump_options *opt;
    struct nf_vocab vocab;
    struct nf_table *table;
    struct nf_arrays *arrays;
};

static bool is_format(const char *format, const char *name)
{
    return strcmp(format, name) == 0;
}

static bool tabular(const struct dump_options *opt)
{
    return is_format(opt->format, "csv") || is_format(opt->format, "tsv");
}

static bool is_selected(const struct nf_list *list, const msgpack_object *o)
{
    for (size_t i = 0; o && o->type == MSGPACK_OBJECT_STR && i < list->n; i++)
        if (strlen(list->item[i]) == o->via.str.size && memcmp(list->item[i], o->via.str.ptr, o->via.str.size) == 0)
            return true;
    return list->n == 0;
}

static bool all_layers(const struct dump_options *opt)
{
    return opt->layers.from == 0 && opt->layers.to == SIZE_MAX;
}

static bool chosen(const struct dump_options *opt, const msgpack_object *rec)
{
    const msgpack_object *layer = nf_mp_find(rec, "layer");

    return is_selected(&opt->records, nf_mp_find(rec, "r")) && is_selected(&opt->sites, nf_mp_find(rec, "site")) &&
           (all_layers(opt) || (layer && layer->type == MSGPACK_OBJECT_POSITIVE_INTEGER && layer->via.u64 >= opt->layers.from &&
                                layer->via.u64 < opt->layers.to));
}

/* The records that a table of this kind is usually about. */
static const char *usual_record(const char *kind)
{
    static const char *const usual[][2] = {
        { "tokens", "window" },  { "activations", "site" }, { "stats", "fires" },
        { "neurons", "neuron" }, { "effects", "effect" },   { "lens", "lens" },
    };

    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strcmp(usual[i][0], kind) == 0)
            return usual[i][1];
    return NULL;
}

static void check_dump_options(const struct dump_options *opt)
{
    if (opt->field && !is_format(opt->format, "npy") && !is_format(opt->format, "safetensors"))
        nf_die(NF_EXIT_USAGE, "--field is for --format npy and safetensors, not %s", opt->format);
    if (opt->columns.n && !tabular(opt))
        nf_die(NF_EXIT_USAGE, "--columns is for --format csv and tsv, not %s", opt->format);
    if (opt->header && !is_format(opt->format, "ndjson") && !is_format(opt->format, "text"))
        nf_die(NF_EXIT_USAGE, "--header is for --format text and ndjson, not %s", opt->format);
    if (tabular(opt) && opt->records.n > 1)
        nf_die(NF_EXIT_USAGE, "--record: a table holds one type of record, %zu were given", opt->records.n);
}

static int header(const struct dump_options *opt, const struct nf_reader *in, struct nf_err *err)
{
    json_t *h;
    bool whole;

    if (is_format(opt->format, "text")) {
        nf_text_header(stdout, nf_reader_header(in));
        return NF_OK;
    }
    h = json_pack("{s:s}", "r", "header");
    whole = h && json_object_update(h, nf_reader_header(in)) == 0 && json_dumpf(h, stdout, JSON_COMPACT) == 0;
    json_decref(h);
    putchar('\n');
    return whole || ferror(stdout) ? NF_OK : nf_fail(err, NF_ESYS, "out of memory");
}

static int begin_dump(struct dump *d, struct dump_options *opt, struct nf_reader *in, struct nf_err *err)
{
    d->opt = opt;
    if (tabular(opt)) {
        if (opt->records.n == 0 && !(opt->records.item[0] = usual_record(nf_reader_kind(in))))
            return nf_fail(err, NF_EUSAGE, "--record is wanted: a stream of kind '%.40s' has no usual table", nf_reader_kind(in));
        opt->records.n = 1;
        d->table = nf_table_open(stdout, is_format(opt->format, "csv") ? ',' : '\t', opt->records.item[0], opt->columns.item,
                                 opt->columns.n, err);
    } else if (is_format(opt->format, "npy") || is_format(opt->format, "safetensors")) {
        d->arrays = nf_arrays_open(err);
    } else if (opt->header) {
        header(opt, in, err);
    }
    return err->code;
}

static int record(struct dump *d, const msgpack_object *rec, struct nf_err *err)
{
    if (d->table)
        return nf_table_row(d->table, rec, err);
    if (d->arrays)
        return nf_arrays_add(d->arrays, rec, d->opt->field, err);
    if (is_format(d->opt->format, "text")) {
        nf_text_record(stdout, rec, &d->vocab, d->opt->values);
    } else {
        nf_json_text(stdout, rec);
        putchar('\n');
    }
    return NF_OK;
}

static int finish_dump(struct dump *d, struct nf_reader *in, struct nf_err *err)
{
    if (is_format(d->opt->format, "npy"))
        nf_arrays_npy(d->arrays, stdout, err);
    else if (is_format(d->opt->format, "safetensors"))
        nf_arrays_safetensors(d->arrays, stdout, err);
    else if (d->opt->header)
        record(d, nf_reader_end(in), err);
    nf_table_close(d->table);
    nf_arrays_close(d->arrays);
    nf_vocab_clear(&d->vocab);
    return err->code;
}

static int dump(struct dump_options *opt, struct nf_reader *in, struct nf_err *err)
{
    struct dump d = { 0 };
    const msgpack_object *rec;
    int rc = begin_dump(&d, opt, in, err);

    while (rc == NF_OK && !ferror(stdout) && (rc = nf_reader_next(in, &rec)) == NF_OK) {
        if (is_format(opt->format, "text"))
            rc = nf_context_read(rec, &d.vocab, err);
        if (rc >= 0)
            rc = chosen(opt, rec) ? record(&d, rec, err) : NF_OK;
    }
    if (rc == NF_EOF)
        rc = finish_dump(&d, in, err);
    if (fflush(stdout) != 0 || ferror(stdout))
        return nf_fail_errno(err, "standard output");
    return rc;
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct dump_options opt = { .format = "text", .layers = NF_RANGE_ALL, .values = 8 };
    static char buffer[OUT_BYTES];
    const struct nf_opt opts[] = {
        { 'f', "format", NF_OPT_CHOICE, &opt.format, 0, 0, "text|ndjson|csv|tsv|npy|safetensors", "format of the output", true },
        { 'r', "record", NF_OPT_LIST, &opt.records, 0, 0, "TYPE,...", "only records of these types; csv and tsv take one type",
          true },
        { 'l', "layer", NF_OPT_RANGE, &opt.layers, 0, 0, "RANGE", "only records of these layers: 3, 0:6, 6:", true },
        { 's', "site", NF_OPT_LIST, &opt.sites, 0, 0, "SITE,...", "only records of these sites", true },
        { 'c', "columns", NF_OPT_LIST, &opt.columns, 0, 0, "PATH,...",
          "csv, tsv: these columns, for example layer,dead.p or share=token.share.p", true },
        { 0, "field", NF_OPT_STR, &opt.field, 0, 0, "PATH", "npy, safetensors: only the tensor of this name", true },
        { 0, "header", NF_OPT_FLAG, &opt.header, 0, 0, NULL, "also print header and END (text of a whole stream always has them)",
          true },
        { 'n', "values", NF_OPT_UINT, &opt.values, 0, 0, "N", "text: print N values of an array or tensor; 0: all", true },
        NF_OPT_LAST,
    };
    const struct nf_cmd cmd = { "stream-dump", "print a stream, or convert it for other programs", "[FILE]",
                                "any kind",    "text, ndjson, csv, tsv, npy, safetensors",         opts };
    int first, fd = STDIN_FILENO;
    struct nf_reader *in;

    nf_prog_start(cmd.name, argv);
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    first = nf_opt_parse(&cmd, argc, argv);
    if (argc - first > 1)
        nf_die(NF_EXIT_USAGE, "takes one file at most, %d were given", argc - first);
    check_dump_options(&opt);
    opt.header |= is_format(opt.format, "text") && opt.records.n + opt.sites.n == 0 && all_layers(&opt);
    if (is_format(opt.format, "npy") || is_format(opt.format, "safetensors"))
        nf_prog_no_terminal(STDOUT_FILENO);
    if (first < argc && (fd = open(argv[first], O_RDONLY | O_CLOEXEC)) < 0)
        nf_die(NF_EXIT_SYS, "%s: %s", argv[first], strerror(errno));

    in = nf_reader_open(fd, first < argc ? argv[first] : "standard input", NULL, &err);
    if (!in || dump(&opt, in, &err) != NF_OK)
        nf_die_err(&err);
    nf_reader_close(in);
    return NF_EXIT_OK;
}
