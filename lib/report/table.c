/* table.c - records as CSV or TSV. */
#include "report/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "report/json_text.h"
#include "report/value.h"
#include "stream/mp.h"

#define SHARE(field) field ".k", field ".n", field ".p", field ".lo", field ".hi"
#define COVER(field) field ".total", field ".new_overall", field ".new_previous", field ".in_lower", field ".in_previous", field ".cumulative"

/* The usual columns of each type: FORMAT.md section 4. What has no fixed length or is evidence in depth is left to --columns. */
#define DETECTOR(field) field ".m", field ".activations", field ".detector", field ".covered", SHARE(field ".share")

static const struct usual {
    const char *type;
    const char *const *columns;
} usual[] = {
    { "vocab", (const char *const[]){ "first", "tokens", NULL } },
    { "doc", (const char *const[]){ "doc", "name", "domain", "bytes", NULL } },
    { "window", (const char *const[]){ "doc", "window", "start", "bos", "ids", NULL } },
    { "batch", (const char *const[]){ "batch", "doc", "window", "start", "length", "bos", "ids", NULL } },
    { "site", (const char *const[]){ "batch", "site", "layer", "row", "near_zero", "data", NULL } },
    { "layer",
      (const char *const[]){ "layer", "neurons", "alive", "fires", SHARE("dead"), SHARE("dead_with_bos"), "mean_freq", "mean_freq_sd",
                             "bands.dead", "bands.dormant", "bands.rare", "bands.normal", "bands.hyperactive", "detectors.token",
                             "detectors.bigram", "detectors.trigram", COVER("covered.token"), COVER("covered.bigram"),
                             COVER("covered.trigram"), "first_positions", "undecided_position", "near_zero", NULL } },
    { "neuron",
      (const char *const[]){ "layer", "neuron", "class", "classes", "undecided", "fires", "fires_bos", "n", SHARE("freq"), "band",
                             "domain_freq", "domain_entropy", "cover1.lo=cover.0.0", "cover1.hi=cover.0.1", "cover2.lo=cover.1.0",
                             "cover2.hi=cover.1.1", "cover3.lo=cover.2.0", "cover3.hi=cover.2.1", DETECTOR("token"), DETECTOR("bigram"),
                             DETECTOR("trigram"), "position.mi", "position.mi_raw", "position.full", "position.type", "position.strength",
                             "position.ranges", "position.cycles", "position.run0", "position.run1", "position.roughness",
                             "position.stable", NULL } },
    { "suppression",
      (const char *const[]){ "projection", "scope", SHARE("suppressing"), SHARE("all_negative"), SHARE("majority_negative"),
                             SHARE("weighted"), SHARE("null"), SHARE("null_alive"), "mean_percentile", NULL } },
    { "team",
      (const char *const[]){ "layer", "type", "strength", "neurons", "covered", "context", "multiplicity", "loss", "greedy", "gain", NULL } },
};

struct column {
    char *name;            /* NULL-terminated; path points behind '=' or is the name */
    const char *path;
};

struct nf_table {
    FILE *f;
    char separator;
    struct column *columns;
    size_t n, cap;
    bool named;            /* the line of names is written */
    char *cell;            /* a JSON cell under construction */
    size_t cell_size;
};

static void free_table(struct nf_table *t)
{
    for (size_t i = 0; t && i < t->n; i++)
        free(t->columns[i].name);
    if (t)
        free(t->columns);
    free(t);
}

static int add_column(struct nf_table *t, const char *column, size_t len, struct nf_err *err)
{
    struct column *c;
    char *equals;

    if (nf_grow(&t->columns, &t->cap, t->n + 1, sizeof *t->columns, err) < 0)
        return NF_ESYS;
    c = &t->columns[t->n];
    c->name = strndup(column, len);
    if (!c->name)
        return nf_fail(err, NF_ESYS, "out of memory");
    t->n++;
    equals = strchr(c->name, '=');
    c->path = equals ? equals + 1 : c->name;
    if (equals)
        *equals = '\0';
    return NF_OK;
}

struct nf_table *nf_table_open(FILE *f, char separator, const char *type, const char *const *columns, size_t n, struct nf_err *err)
{
    struct nf_table *t = calloc(1, sizeof *t);
    int rc = t ? NF_OK : nf_fail(err, NF_ESYS, "out of memory");

    if (t) {
        t->f = f;
        t->separator = separator;
    }
    for (size_t i = 0; rc == NF_OK && i < n; i++)
        rc = add_column(t, columns[i], strlen(columns[i]), err);
    for (size_t i = 0; n == 0 && i < sizeof usual / sizeof *usual; i++)
        if (strcmp(usual[i].type, type) == 0)
            for (const char *const *c = usual[i].columns; rc == NF_OK && *c; c++)
                rc = add_column(t, *c, strlen(*c), err);
    if (rc < 0) {
        free_table(t);
        return NULL;
    }
    return t;
}

static bool needs_quotes(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r')
            return true;
    return n == 0;   /* empty text is not an empty cell */
}

static void put_csv(FILE *f, const char *p, size_t n)
{
    if (!needs_quotes(p, n)) {
        fwrite(p, 1, n, f);
        return;
    }
    putc('"', f);
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '"')
            putc('"', f);
        putc(p[i], f);
    }
    putc('"', f);
}

static void put_tsv(FILE *f, const char *p, size_t n)
{
    static const char special[] = "\t\n\r\\", escaped[] = "tnr\\";

    for (size_t i = 0; i < n; i++) {
        const char *s = p[i] ? strchr(special, p[i]) : NULL;

        if (s) {
            putc('\\', f);
            putc(escaped[s - special], f);
        } else {
            putc(p[i], f);
        }
    }
}

static void put_text(struct nf_table *t, const char *p, size_t n)
{
    if (t->separator == ',')
        put_csv(t->f, p, n);
    else
        put_tsv(t->f, p, n);
}

/* Text of a value inside a list: no quoting of its own. */
static bool put_item(FILE *f, const msgpack_object *o)
{
    char buf[NF_VALUE_TEXT];
    const char *p;
    size_t n;

    if (nf_show_scalar(o, buf))
        fputs(buf, f);
    else if (o->type == MSGPACK_OBJECT_STR && nf_value_bytes(o, &p, &n))
        fwrite(p, 1, n, f);
    else
        return false;
    return true;
}

/* Values joined by ';'; false: something in it is no single value. */
static bool put_list(FILE *f, const msgpack_object *o)
{
    char buf[NF_VALUE_TEXT];
    struct nf_tensor tensor;

    if (nf_mp_tensor_any(o, &tensor) == NF_OK) {
        for (size_t i = 0; tensor.ndim == 1 && i < tensor.shape[0]; i++)
            fprintf(f, "%s%s", i ? ";" : "", nf_show_element(&tensor, i, buf));
        return tensor.ndim == 1;
    }
    if (o->type != MSGPACK_OBJECT_ARRAY)
        return false;
    for (uint32_t i = 0; i < o->via.array.size; i++) {
        if (i)
            putc(';', f);
        if (!put_item(f, &o->via.array.ptr[i]))
            return false;
    }
    return true;
}

static int put_nested(struct nf_table *t, const msgpack_object *o, struct nf_err *err)
{
    FILE *f = open_memstream(&t->cell, &t->cell_size);
    bool list, failed;

    if (!f)
        return nf_fail(err, NF_ESYS, "out of memory");
    list = put_list(f, o);
    if (!list) {
        rewind(f);   /* what was written of the list is overwritten by the longer JSON, or cut off */
        nf_json_text(f, o);
    }
    failed = ferror(f) != 0;
    failed |= fclose(f) != 0;
    if (!failed && t->cell_size)
        put_text(t, t->cell, t->cell_size);
    free(t->cell);
    t->cell = NULL;
    return failed ? nf_fail(err, NF_ESYS, "out of memory") : NF_OK;
}

static int put_cell(struct nf_table *t, const msgpack_object *o, struct nf_err *err)
{
    char buf[NF_VALUE_TEXT];

    if (!o)
        return NF_OK;
    if (nf_show_scalar(o, buf)) {
        fputs(buf, t->f);
        return NF_OK;
    }
    if (o->type == MSGPACK_OBJECT_STR) {
        put_text(t, o->via.str.ptr, o->via.str.size);
        return NF_OK;
    }
    return put_nested(t, o, err);
}

/* No usual columns: the fields of the first record that fit a cell. */
static int columns_of(struct nf_table *t, const msgpack_object *rec, struct nf_err *err)
{
    char buf[NF_VALUE_TEXT];

    for (uint32_t i = 1; i < rec->via.map.size; i++) {
        const msgpack_object *k = &rec->via.map.ptr[i].key, *v = &rec->via.map.ptr[i].val;

        if (k->type == MSGPACK_OBJECT_STR && (v->type == MSGPACK_OBJECT_STR || nf_show_scalar(v, buf)) &&
            add_column(t, k->via.str.ptr, k->via.str.size, err) < 0)
            return NF_ESYS;
    }
    return NF_OK;
}

static void put_names(struct nf_table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        if (i)
            putc(t->separator, t->f);
        put_text(t, t->columns[i].name, strlen(t->columns[i].name));
    }
    if (t->n)
        putc('\n', t->f);
    t->named = true;
}

int nf_table_row(struct nf_table *t, const msgpack_object *rec, struct nf_err *err)
{
    if (t->n == 0 && columns_of(t, rec, err) < 0)
        return NF_ESYS;
    if (!t->named)
        put_names(t);
    for (size_t i = 0; i < t->n; i++) {
        if (i)
            putc(t->separator, t->f);
        if (put_cell(t, nf_mp_path(rec, t->columns[i].path), err) < 0)
            return NF_ESYS;
    }
    putc('\n', t->f);
    return NF_OK;
}

void nf_table_close(struct nf_table *t)
{
    if (!t)
        return;
    if (!t->named)
        put_names(t);
    free_table(t);
}
