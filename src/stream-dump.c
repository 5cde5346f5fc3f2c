/*
 * stream-dump - show a stream, or hand it to other programs.
 *
 *   in   any kind
 *   out  text for people; ndjson, csv, tsv, npy or safetensors for jq, DuckDB, R, NumPy
 *   doc  src/stream-dump.md
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/opt.h"
#include "base/output.h"
#include "base/prog.h"
#include "record/context.h"
#include "record/describe.h"
#include "record/kind.h"
#include "record/plain.h"
#include "inspect/arrays.h"
#include "inspect/json_text.h"
#include "inspect/table.h"
#include "inspect/text.h"
#include "stream/reader.h"

enum { OUT_BYTES = 256 << 10 }; /* gathered before a write */

struct dump_options {
    enum format { TEXT, NDJSON, CSV, TSV, NPY, SAFETENSORS } format;
    const char *field, *schema;
    struct nf_list records, sites, columns;
    struct nf_range layers;
    uint64_t values;
    struct nf_list neurons;
    bool list, text;
    bool header; /* header and END are shown: asked for, or a whole stream as text */
};

/* What a dump is made of; the members that the format does not need stay NULL. */
struct dump {
    const struct dump_options *opt;
    const struct nf_kind *kind;
    struct nf_vocab vocab;
    struct nf_table *table;
    struct nf_arrays *arrays;
    msgpack_zone *zone;   /* of the record that is printed */
};

static const char *format_name(enum format f)
{
    static const char *const name[] = { "text", "ndjson", "csv", "tsv", "npy", "safetensors" };

    return name[f];
}

static bool is_table(const struct dump_options *opt)
{
    return opt->format == CSV || opt->format == TSV;
}

/* Binary: the tensors alone. */
static bool is_arrays(const struct dump_options *opt)
{
    return opt->format == NPY || opt->format == SAFETENSORS;
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

static bool is_neuron(const struct nf_list *neurons, const msgpack_object *layer, const msgpack_object *neuron)
{
    char name[48];

    if (neurons->n == 0)
        return true;
    if (!layer || layer->type != MSGPACK_OBJECT_POSITIVE_INTEGER || !neuron || neuron->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return false;
    snprintf(name, sizeof name, "%" PRIu64 ".%" PRIu64, layer->via.u64, neuron->via.u64);
    for (size_t i = 0; i < neurons->n; i++)
        if (strcmp(neurons->item[i], name) == 0)
            return true;
    return false;
}

static bool chosen(const struct dump_options *opt, const msgpack_object *rec)
{
    const msgpack_object *layer = nf_mp_find(rec, "layer");

    return is_neuron(&opt->neurons, layer, nf_mp_find(rec, "neuron")) && is_selected(&opt->records, nf_mp_find(rec, "r")) && is_selected(&opt->sites, nf_mp_find(rec, "site")) &&
           (all_layers(opt) || (layer && layer->type == MSGPACK_OBJECT_POSITIVE_INTEGER && layer->via.u64 >= opt->layers.from &&
                                layer->via.u64 < opt->layers.to));
}

/* "3.17": as the numbers are printed, without leading zeros. */
static int check_neurons(const struct nf_list *neurons, struct nf_err *err)
{
    for (size_t i = 0; i < neurons->n; i++) {
        const char *name = neurons->item[i];
        size_t layer = strspn(name, "0123456789"), neuron = name[layer] == '.' ? strspn(name + layer + 1, "0123456789") : 0;

        if (!layer || !neuron || name[layer + 1 + neuron] || (*name == '0' && layer > 1) || (name[layer + 1] == '0' && neuron > 1))
            return nf_fail(err, NF_EUSAGE, "--neuron %.40s: layer and neuron are expected, as 3.17", name);
    }
    return NF_OK;
}

static int check_dump_options(const struct dump_options *opt, struct nf_err *err)
{
    const char *name = format_name(opt->format);

    if (opt->field && !is_arrays(opt))
        return nf_fail(err, NF_EUSAGE, "--field is for --format npy and safetensors, not %s", name);
    if (opt->columns.n && !is_table(opt))
        return nf_fail(err, NF_EUSAGE, "--columns is for --format csv and tsv, not %s", name);
    if (opt->header && opt->format != NDJSON && opt->format != TEXT)
        return nf_fail(err, NF_EUSAGE, "--header is for --format text and ndjson, not %s", name);
    if (opt->text && is_arrays(opt))
        return nf_fail(err, NF_EUSAGE, "--text is for --format ndjson, csv and tsv, not %s", name);
    if (check_neurons(&opt->neurons, err) < 0)
        return (int)err->code;
    if (opt->list && opt->header)
        return nf_fail(err, NF_EUSAGE, "--list and --header exclude each other");
    if (is_table(opt) && opt->records.n > 1)
        return nf_fail(err, NF_EUSAGE, "--record: a table holds one type of record, %zu were given", opt->records.n);
    return NF_OK;
}

static int header(const struct dump_options *opt, const struct nf_reader *in, struct nf_err *err)
{
    json_t *h;
    bool whole;

    if (opt->format == TEXT) {
        nf_text_header(stdout, nf_reader_header(in));
        return NF_OK;
    }
    h = json_pack("{s:s}", "r", "header");
    whole = h && json_object_update(h, nf_reader_header(in)) == 0 && json_dumpf(h, stdout, JSON_COMPACT) == 0;
    json_decref(h);
    putchar('\n');
    return whole || ferror(stdout) ? NF_OK : nf_fail(err, NF_ESYS, "out of memory");
}

static int refuse_kind(const struct nf_reader *in, struct nf_err *err)
{
    return nf_fail(err, NF_EFORMAT, "a stream of kind '%.40s' is not known", nf_reader_kind(in));
}

/* The kind has records of each type that was asked for; `end` alone leaves what --header shows. */
static int check_types(const struct nf_kind *kind, const struct dump_options *opt, struct nf_err *err)
{
    const struct nf_list *types = &opt->records;
    char *names = NULL;
    size_t size;
    FILE *f;

    for (size_t i = 0; i < types->n; i++) {
        if (nf_kind_record(kind, types->item[i], strlen(types->item[i])) || (opt->header && strcmp(types->item[i], "end") == 0))
            continue;
        f = open_memstream(&names, &size);
        for (size_t k = 0; f && k < kind->n; k++)
            fprintf(f, "%s%s", k ? ", " : "", kind->record[k]->type);
        if (f)
            fclose(f);
        nf_fail(err, NF_EUSAGE, "--record: a stream of kind '%s' has no records of type '%.40s', but: %s", kind->name, types->item[i],
                names ? names : "");
        free(names);
        return NF_EUSAGE;
    }
    return NF_OK;
}

static int open_table(struct dump *d, struct nf_err *err)
{
    const struct dump_options *opt = d->opt;
    const char *type = opt->records.n ? opt->records.item[0] : d->kind->usual->type;

    d->table = nf_table_open(stdout, opt->format == CSV ? ',' : '\t', nf_kind_record(d->kind, type, strlen(type)), opt->columns.item,
                             opt->columns.n, opt->text, err);
    return err->code;
}

static int begin_dump(struct dump *d, struct dump_options *opt, struct nf_reader *in, struct nf_err *err)
{
    d->opt = opt;
    d->zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    if (!d->zone)
        return nf_fail(err, NF_ESYS, "out of memory");
    d->kind = nf_kind_find(nf_reader_kind(in));
    if (!d->kind)
        return refuse_kind(in, err);
    if (check_types(d->kind, opt, err) < 0)
        return (int)err->code;
    if (is_table(opt)) {
        if (opt->records.n == 0)
            opt->records.item[opt->records.n++] = d->kind->usual->type;
        return open_table(d, err);
    }
    if (is_arrays(opt))
        d->arrays = nf_arrays_open(err);
    else if (opt->header)
        header(opt, in, err);
    return err->code;
}

static const struct nf_record *table_of(const struct nf_kind *kind, const msgpack_object *rec)
{
    const msgpack_object *type = nf_mp_find(rec, "r");

    if (nf_mp_is(rec, kind->end->type))
        return kind->end;
    return type && type->type == MSGPACK_OBJECT_STR ? nf_kind_record(kind, type->via.str.ptr, type->via.str.size) : NULL;
}

/* For other programs. */
static int plain_record(struct dump *d, const msgpack_object *rec, struct nf_err *err)
{
    const struct nf_record *r = table_of(d->kind, rec);
    msgpack_object plain = *rec;

    msgpack_zone_clear(d->zone);
    if (r && nf_plain_record(r, rec, d->opt->text ? &d->vocab : NULL, d->zone, &plain, err) < 0)
        return (int)err->code;
    if (d->table) {
        nf_table_row(d->table, &plain);
        return NF_OK;
    }
    nf_json_text(stdout, &plain);
    putchar('\n');
    return NF_OK;
}

static int record(struct dump *d, const msgpack_object *rec, struct nf_err *err)
{
    if (d->arrays)
        return nf_arrays_add(d->arrays, rec, d->opt->field, err);
    if (d->opt->format != TEXT)
        return plain_record(d, rec, err);
    nf_text_record(stdout, rec, &d->vocab, d->opt->values);
    return NF_OK;
}

static int finish_dump(struct dump *d, struct nf_reader *in, struct nf_err *err)
{
    if (d->opt->format == NPY)
        nf_arrays_npy(d->arrays, stdout, err);
    else if (d->opt->format == SAFETENSORS)
        nf_arrays_safetensors(d->arrays, stdout, err);
    else if (d->opt->header)
        record(d, nf_reader_end(in), err);
    nf_table_end(d->table);
    return err->code;
}

static int dump_stream(struct dump_options *opt, struct nf_reader *in, struct nf_err *err)
{
    struct dump d = { 0 };
    const msgpack_object *rec;
    int rc = begin_dump(&d, opt, in, err);

    while (rc == NF_OK && !ferror(stdout) && (rc = nf_reader_next(in, &rec)) == NF_OK) {
        if (opt->format == TEXT || opt->text)
            rc = nf_context_read(rec, &d.vocab, err);
        if (rc >= 0 && d.table)
            rc = nf_table_see(d.table, rec, err);
        if (rc >= 0)
            rc = chosen(opt, rec) ? record(&d, rec, err) : NF_OK;
    }
    if (ferror(stdout))
        rc = nf_fail_errno(err, "%s", nf_output_name());
    if (rc == NF_EOF)
        rc = finish_dump(&d, in, err);
    nf_table_close(d.table);
    nf_arrays_close(d.arrays);
    nf_vocab_clear(&d.vocab);
    msgpack_zone_free(d.zone);
    return rc;
}

static int join_column(void *f, const char *column, struct nf_err *err)
{
    (void)err;
    fprintf(f, ",%.*s", (int)strcspn(column, "="), column);
    return NF_OK;
}

/* Which records there are, how many, and with which columns. */
static int list_records(const struct nf_kind *kind, struct nf_reader *in, struct nf_err *err)
{
    uint64_t n[NF_RECORD_TYPES] = { 0 };
    const msgpack_object *rec;
    int rc;

    if (!kind)
        return refuse_kind(in, err);
    while ((rc = nf_reader_next(in, &rec)) == NF_OK)
        for (size_t i = 0; i < kind->n; i++)
            n[i] += nf_mp_is(rec, kind->record[i]->type);
    for (size_t i = 0; rc == NF_EOF && i < kind->n; i++) {
        char *columns = NULL;
        size_t size;
        FILE *f = open_memstream(&columns, &size);

        if (!f || nf_record_columns(kind->record[i], join_column, f, err) < 0 || fclose(f) != 0)
            return nf_fail(err, NF_ESYS, "out of memory");
        printf("%s\t%" PRIu64 "\t%s\n", kind->record[i]->type, n[i], *columns ? columns + 1 : "");
        free(columns);
    }
    return err->code;
}

static int print_schema(const char *name, struct nf_err *err)
{
    const struct nf_kind *kind = nf_kind_find(name);
    json_t *schema;

    if (!kind)
        return nf_fail(err, NF_EUSAGE, "--schema %.40s: there are tokens, activations, stats, neurons, effects, lens", name);
    schema = nf_kind_schema(kind);
    if (!schema || json_dumpf(schema, stdout, JSON_INDENT(2)) < 0)
        nf_fail(err, NF_ESYS, "the schema cannot be written");
    putchar('\n');
    json_decref(schema);
    return err->code;
}

static int dump(struct dump_options *opt, char **path, int n, struct nf_err *err)
{
    struct nf_reader *in;

    if (n > 1)
        return nf_fail(err, NF_EUSAGE, "one file at most is expected, %d were given", n);
    if (check_dump_options(opt, err) < 0 || nf_output_open(is_arrays(opt), err) < 0)
        return (int)err->code;
    if (opt->schema)
        return print_schema(opt->schema, err);
    if (opt->format == TEXT && opt->records.n + opt->sites.n == 0 && all_layers(opt))
        opt->header = true;
    in = nf_reader_open_file(path[0], NULL, err);
    if (in && opt->list)
        list_records(nf_kind_find(nf_reader_kind(in)), in, err);
    else if (in)
        dump_stream(opt, in, err);
    nf_reader_close(in);
    return (int)err->code;
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct dump_options opt = { .layers = NF_RANGE_ALL, .values = 8 };
    static char buffer[OUT_BYTES];
    const struct nf_opt opts[] = {
        OPT_CHOICE("format", &opt.format, "text|ndjson|csv|tsv|npy|safetensors", "format of the output", .letter = 'f',
                   .local = true),
        OPT_LIST("record", &opt.records, "TYPE,...", "only records of these types; csv and tsv take one type", .letter = 'r',
                 .local = true),
        OPT_RANGE("layer", &opt.layers, "only records of these layers: 3, 0:6, 6:", .letter = 'l', .local = true),
        OPT_LIST("site", &opt.sites, "SITE,...", "only records of these sites", .letter = 's', .local = true),
        OPT_LIST("neuron", &opt.neurons, "L.N,...", "only the records of these neurons: 3.17", .local = true),
        OPT_LIST("columns", &opt.columns, "PATH,...", "csv, tsv: these columns, for example layer,dead.p or share=token.share.p",
                 .letter = 'c', .local = true),
        OPT_STR("field", &opt.field, "PATH", "npy, safetensors: only the tensor of this name", .local = true),
        OPT_FLAG("text", &opt.text, "ndjson, csv, tsv: beside token ids their text, as FIELD_text", .local = true),
        OPT_FLAG("list", &opt.list, "print the types of records, how many there are, and their usual columns", .local = true),
        OPT_STR("schema", &opt.schema, "KIND", "print the JSON Schema of the ndjson of a kind; nothing is read", .local = true),
        OPT_FLAG("header", &opt.header, "also print header and END (text of a whole stream always has them)", .local = true),
        OPT_UINT("values", &opt.values, 0, 0, "N", "text: print N values of an array or tensor; 0: all", .letter = 'n',
                 .local = true),
        OPT_END,
    };
    const struct nf_cmd cmd = { "stream-dump", "print a stream, or convert it for other programs", "[FILE]",
                                "any kind",    "text, ndjson, csv, tsv, npy, safetensors",         opts };
    int first;

    nf_prog_start(cmd.name, argv);
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    first = nf_opt_parse(&cmd, argc, argv, &err);
    if (first > 0)
        dump(&opt, argv + first, argc - first, &err);
    return nf_prog_end(&err);
}
