/* table.c - records as CSV or TSV. */
#include "inspect/table.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "inspect/json_text.h"
#include "inspect/value.h"
#include "record/plain.h"
#include "stream/mp.h"

enum { COLUMN = 256 };     /* bytes of a column */

struct column {
    char name[COLUMN], path[COLUMN];
    const struct nf_record *refers;   /* the field is of a record before, or NULL */
    char **cell;           /* of each of those records */
    size_t n, cap;
};

struct nf_table {
    FILE *f;
    char separator;
    const struct nf_record *type;
    bool text;
    struct column *columns;
    size_t n, cap;
    bool named;            /* the line of names is written */
    FILE *cell;            /* what is written here is escaped and goes to f */
    char cell_buf[4096];
};

static bool needs_quotes(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r')
            return true;
    return n == 0;   /* empty text is not an empty cell */
}

/* What stands between the quotes of a CSV cell, or in a TSV cell. */
static void put_quoted_cell(const struct nf_table *t, const char *p, size_t n)
{
    static const char special[] = "\t\n\r\\", escaped[] = "tnr\\";

    for (size_t i = 0; i < n; i++) {
        const char *s = t->separator == '\t' && p[i] ? strchr(special, p[i]) : NULL;

        if (s)
            putc('\\', t->f);
        else if (t->separator == ',' && p[i] == '"')
            putc('"', t->f);
        putc(s ? escaped[s - special] : p[i], t->f);
    }
}

static ssize_t cell_write(void *table, const char *p, size_t n)
{
    put_quoted_cell(table, p, n);
    return (ssize_t)n;   /* a failure of f is for its owner to see */
}

static void put_cell_text(const struct nf_table *t, const char *p, size_t n)
{
    bool quoted = t->separator == ',' && needs_quotes(p, n);

    if (quoted)
        putc('"', t->f);
    put_quoted_cell(t, p, n);
    if (quoted)
        putc('"', t->f);
}

static void free_table(struct nf_table *t)
{
    for (size_t i = 0; t && i < t->n; i++) {
        for (size_t k = 0; k < t->columns[i].n; k++)
            free(t->columns[i].cell[k]);
        free(t->columns[i].cell);
    }
    if (t)
        free(t->columns);
    if (t && t->cell)
        fclose(t->cell);
    free(t);
}

struct name_list {
    FILE *f;
    char last[COLUMN];
};

/* The field at the start of the column, once. */
static int append_name(void *list, const char *column, struct nf_err *err)
{
    struct name_list *l = list;
    const char *equals = strchr(column, '='), *path = equals ? equals + 1 : column;
    char name[COLUMN];

    (void)err;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "."), path);
    if (strcmp(name, l->last) != 0)
        fprintf(l->f, "%s%s", *l->last ? ", " : "", name);
    memcpy(l->last, name, sizeof name);
    return NF_OK;
}

static int refuse_column(const struct nf_record *type, const char *path, struct nf_err *err)
{
    char *names = NULL;
    size_t size;
    struct name_list list = { .f = open_memstream(&names, &size) };

    if (list.f) {
        nf_record_columns(type, append_name, &list, err);
        fclose(list.f);
    }
    nf_fail(err, NF_EUSAGE, "--columns: a record of type '%s' has no '%.60s', but: %s", type->type, path, names ? names : "");
    free(names);
    return NF_EUSAGE;
}

static int insert_column(struct nf_table *t, const char *name, const char *path, struct nf_err *err)
{
    struct column *c;

    if (nf_grow(&t->columns, &t->cap, t->n + 1, sizeof *t->columns, err) < 0)
        return NF_ESYS;
    c = &t->columns[t->n++];
    *c = (struct column){ .refers = nf_record_refers(t->type, path) };
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->path, sizeof c->path, "%s", path);
    return NF_OK;
}

static int add_column(void *table, const char *column, struct nf_err *err)
{
    struct nf_table *t = table;
    const char *equals = strchr(column, '='), *path = equals ? equals + 1 : column;
    char name[COLUMN], beside[2 * COLUMN];
    int rc;

    if (strlen(column) + strlen(NF_BESIDE) >= COLUMN)
        return nf_fail(err, NF_EUSAGE, "the column %.40s.. is longer than %zu bytes", column, COLUMN - 1 - strlen(NF_BESIDE));
    if (!nf_record_has_path(t->type, path))
        return refuse_column(t->type, path, err);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(column, "="), column);
    rc = insert_column(t, name, path, err);
    if (rc < 0 || !t->text || !nf_record_has_ids(t->type, path))
        return rc;
    strcat(name, NF_BESIDE);
    snprintf(beside, sizeof beside, "%s" NF_BESIDE, path);
    return insert_column(t, name, beside, err);
}

struct nf_table *nf_table_open(FILE *f, char separator, const struct nf_record *type, const char *const *columns, size_t n,
                               bool text, struct nf_err *err)
{
    struct nf_table *t = calloc(1, sizeof *t);
    int rc = t ? NF_OK : nf_fail(err, NF_ESYS, "out of memory");

    if (t) {
        t->f = f;
        t->separator = separator;
        t->type = type;
        t->text = text;
        t->cell = fopencookie(t, "w", (cookie_io_functions_t){ .write = cell_write });
        if (t->cell)
            setvbuf(t->cell, t->cell_buf, _IOFBF, sizeof t->cell_buf);
        else
            rc = nf_fail(err, NF_ESYS, "out of memory");
    }
    for (size_t i = 0; rc == NF_OK && i < n; i++)
        rc = add_column(t, columns[i], err);
    if (rc == NF_OK && n == 0)
        rc = nf_record_columns(type, add_column, t, err);
    if (rc < 0) {
        free_table(t);
        return NULL;
    }
    return t;
}

/* An array of single values, or a one-dimensional tensor. */
static bool is_list(const msgpack_object *o)
{
    char buf[NF_VALUE_TEXT];
    struct nf_tensor tensor;

    if (nf_mp_tensor_any(o, &tensor) == NF_OK)
        return tensor.ndim == 1;
    if (o->type != MSGPACK_OBJECT_ARRAY)
        return false;
    for (uint32_t i = 0; i < o->via.array.size; i++)
        if (o->via.array.ptr[i].type != MSGPACK_OBJECT_STR && !nf_show_scalar(&o->via.array.ptr[i], buf))
            return false;
    return true;
}

static bool list_needs_quotes(const msgpack_object *o)
{
    for (uint32_t i = 0; o->type == MSGPACK_OBJECT_ARRAY && i < o->via.array.size; i++) {
        const msgpack_object *v = &o->via.array.ptr[i];

        if (v->type == MSGPACK_OBJECT_STR && v->via.str.size && needs_quotes(v->via.str.ptr, v->via.str.size))
            return true;
    }
    return false;
}

static void put_list(FILE *f, const msgpack_object *o)
{
    char buf[NF_VALUE_TEXT];
    struct nf_tensor tensor;

    if (nf_mp_tensor_any(o, &tensor) == NF_OK) {
        for (size_t i = 0; i < tensor.shape[0]; i++)
            fprintf(f, "%s%s", i ? ";" : "", nf_show_element(&tensor, i, buf));
        return;
    }
    for (uint32_t i = 0; i < o->via.array.size; i++) {
        const msgpack_object *v = &o->via.array.ptr[i];

        if (i)
            putc(';', f);
        if (v->type == MSGPACK_OBJECT_STR)
            fwrite(v->via.str.ptr, 1, v->via.str.size, f);
        else
            fputs(nf_show_scalar(v, buf), f);
    }
}

static void put_nested(const struct nf_table *t, const msgpack_object *o)
{
    bool list = is_list(o), quoted = t->separator == ',' && (!list || list_needs_quotes(o));

    if (quoted)
        putc('"', t->f);
    if (list)
        put_list(t->cell, o);
    else
        nf_json_text(t->cell, o);
    fflush(t->cell);
    if (quoted)
        putc('"', t->f);
}

static void put_cell(const struct nf_table *t, const msgpack_object *o)
{
    char buf[NF_VALUE_TEXT];

    if (!o)
        return;
    if (nf_show_scalar(o, buf))
        fputs(buf, t->f);
    else if (o->type == MSGPACK_OBJECT_STR)
        put_cell_text(t, o->via.str.ptr, o->via.str.size);
    else
        put_nested(t, o);
}

/* The cell as the row of a later record will have it. */
static int keep_cell(struct nf_table *t, struct column *c, const msgpack_object *rec, struct nf_err *err)
{
    FILE *f = t->f;
    size_t size;
    int failed;

    if (nf_grow(&c->cell, &c->cap, c->n + 1, sizeof *c->cell, err) < 0)
        return NF_ESYS;
    c->cell[c->n] = NULL;
    t->f = open_memstream(&c->cell[c->n], &size);
    if (t->f)
        put_cell(t, nf_mp_path(rec, c->path + strlen(c->refers->type) + 1));
    failed = !t->f || fclose(t->f) != 0;
    t->f = f;
    c->n++;
    return failed ? nf_fail(err, NF_ESYS, "out of memory") : NF_OK;
}

int nf_table_see(struct nf_table *t, const msgpack_object *rec, struct nf_err *err)
{
    int rc = NF_OK;

    for (size_t i = 0; rc == NF_OK && i < t->n; i++) {
        struct column *c = &t->columns[i];
        uint64_t number;

        if (!c->refers || !nf_mp_is(rec, c->refers->type))
            continue;
        if (nf_mp_uint(rec, c->refers->type, UINT32_MAX, &number, err) < 0)
            return NF_EFORMAT;
        if (number != c->n)
            return nf_fail(err, NF_EFORMAT, "%s: number %" PRIu64 ", %zu expected", c->refers->type, number, c->n);
        rc = keep_cell(t, c, rec, err);
    }
    return rc;
}

static void put_names(struct nf_table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        if (i)
            putc(t->separator, t->f);
        put_cell_text(t, t->columns[i].name, strlen(t->columns[i].name));
    }
    if (t->n)
        putc('\n', t->f);
    t->named = true;
}

static void put_kept_cell(const struct nf_table *t, const struct column *c, const msgpack_object *rec)
{
    const msgpack_object *number = nf_mp_find(rec, c->refers->type);

    if (number && number->type == MSGPACK_OBJECT_POSITIVE_INTEGER && number->via.u64 < c->n)
        fputs(c->cell[number->via.u64], t->f);
}

void nf_table_row(struct nf_table *t, const msgpack_object *rec)
{
    if (!t->named)
        put_names(t);
    for (size_t i = 0; i < t->n; i++) {
        const struct column *c = &t->columns[i];

        if (i)
            putc(t->separator, t->f);
        if (c->refers)
            put_kept_cell(t, c, rec);
        else
            put_cell(t, nf_mp_path(rec, c->path));
    }
    putc('\n', t->f);
}

void nf_table_end(struct nf_table *t)
{
    if (t && !t->named)
        put_names(t);
}

void nf_table_close(struct nf_table *t)
{
    if (t)
        free_table(t);
}
