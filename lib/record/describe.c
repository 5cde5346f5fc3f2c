/* describe.c - columns and Markdown tables. */
#include "record/describe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "record/context.h"
#include "record/walk.h"

enum { PATH_BYTES = 200, LINE = 100 };

bool nf_kind_is_own(const struct nf_record *r)
{
    return r != &nf_vocab_record && r != &nf_special_record && r != &nf_doc_record;
}

/* ---- columns ---- */

struct columns {
    int (*add)(void *ctx, const char *column, struct nf_err *err);
    void *ctx;
    struct nf_err *err;
};

static int add_columns_of(const struct columns *c, const struct nf_record *r, const char *name, const char *path);

/* "name=path", or one of them where they are the same. */
static int add_column_path(const struct columns *c, const char *name, const char *path)
{
    bool same = strcmp(name, path) == 0;
    char *column;
    int rc;

    if (asprintf(&column, "%s%s%s", name, same ? "" : "=", same ? "" : path) < 0)
        return nf_fail(c->err, NF_ESYS, "out of memory");
    rc = c->add(c->ctx, column, c->err);
    free(column);
    return rc;
}

/* A tuple of fixed number: an own column for each number, cover1.lo=cover.0.0. */
static int add_tuple_columns(const struct columns *c, const struct nf_field *f, size_t n)
{
    int rc = NF_OK;

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; rc == NF_OK && k < f->of->n; k++) {
            char name[PATH_BYTES], path[PATH_BYTES];

            snprintf(name, sizeof name, "%s%zu.%s", f->key, i + 1, f->of->field[k].key);
            snprintf(path, sizeof path, "%s.%zu.%zu", f->key, i, k);
            rc = add_column_path(c, name, path);
        }
    return rc;
}

static int add_columns_beside(const struct columns *c, const struct nf_field *f)
{
    int rc = NF_OK;

    for (const char *at = f->beside; rc == NF_OK && *at;) {
        int n = (int)strcspn(at, ",");
        char name[PATH_BYTES], path[PATH_BYTES];

        snprintf(name, sizeof name, "%.*s", n, at);
        snprintf(path, sizeof path, "%s.%.*s", f->key, n, at);
        rc = add_column_path(c, name, path);
        at += n + (at[n] == ',');
    }
    return rc;
}

static int add_field_columns(const struct columns *c, const struct nf_field *f, const char *name, const char *path)
{
    int rc = NF_OK;

    if (f->type == NF_FIELD_TUPLE && f->room)
        return add_tuple_columns(c, f, f->room);
    if (f->type == NF_FIELD_MAP && !f->list)
        return add_columns_of(c, f->of, f->column ? f->column : name, path);
    if (f->type != NF_FIELD_COUNTS) {
        rc = add_column_path(c, name, path);
        return rc == NF_OK && f->refers ? add_columns_beside(c, f) : rc;
    }
    for (size_t i = 0; rc == NF_OK && i < f->n_names; i++) {
        char column[2 * PATH_BYTES];

        snprintf(column, sizeof column, "%.*s.%s", PATH_BYTES, path, f->names[i]);
        rc = add_column_path(c, column, column);
    }
    return rc;
}

static int add_columns_of(const struct columns *c, const struct nf_record *r, const char *name, const char *path)
{
    int rc = NF_OK;

    for (size_t i = 0; rc == NF_OK && i < r->n; i++) {
        const struct nf_field *f = &r->field[i];
        char inner[PATH_BYTES], inner_path[PATH_BYTES];

        if (f->type == NF_FIELD_SIZE || f->flags & NF_ASIDE)
            continue;
        snprintf(inner, sizeof inner, "%s%s%s", name, *name ? "." : "", f->key);
        snprintf(inner_path, sizeof inner_path, "%s%s%s", path, *path ? "." : "", f->key);
        rc = add_field_columns(c, f, inner, inner_path);
    }
    return rc;
}

int nf_record_columns(const struct nf_record *r, int (*add)(void *ctx, const char *column, struct nf_err *err), void *ctx,
                      struct nf_err *err)
{
    return add_columns_of(&(struct columns){ add, ctx, err }, r, "", "");
}

static bool is_number_path(const char *path)
{
    return strspn(path, "0123456789.") == strlen(path);
}

static bool field_has_path(const struct nf_field *f, const char *path)
{
    size_t digits = strspn(path, "0123456789");

    if (!*path)
        return true;
    if (f->refers)
        return nf_record_has_path(f->refers, path);
    if (f->list) {
        struct nf_field item = *f;

        item.list = false;
        return digits && (path[digits] == '.' || !path[digits]) && field_has_path(&item, path + digits + (path[digits] == '.'));
    }
    if (f->type == NF_FIELD_MAP)
        return nf_record_has_path(f->of, path);
    for (size_t i = 0; f->type == NF_FIELD_COUNTS && i < f->n_names; i++)
        if (strcmp(f->names[i], path) == 0)
            return true;
    return (f->type == NF_FIELD_TUPLE || f->type == NF_FIELD_SET || f->type == NF_FIELD_NUMBERS || f->type == NF_FIELD_GRAM) &&
           is_number_path(path);
}

bool nf_record_has_path(const struct nf_record *r, const char *path)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct nf_field *f = &r->field[i];
        size_t n = strlen(f->key);

        if (f->type != NF_FIELD_SIZE && strncmp(path, f->key, n) == 0 && (path[n] == '.' || !path[n]) &&
            field_has_path(f, path + n + (path[n] == '.')))
            return true;
    }
    return false;
}

const struct nf_record *nf_record_refers(const struct nf_record *r, const char *path)
{
    for (size_t i = 0; i < r->n; i++) {
        size_t n = strlen(r->field[i].key);

        if (r->field[i].refers && strncmp(path, r->field[i].key, n) == 0 && path[n] == '.')
            return r->field[i].refers;
    }
    return NULL;
}

/* ---- Markdown ---- */

static void list_cell_names(FILE *f, const struct nf_field *row)
{
    for (size_t i = 0; i < row->n_names; i++)
        fprintf(f, "%s`%s`", i ? ", " : "", row->names[i]);
}

static void write_cell_type(FILE *f, const struct nf_field *row)
{
    switch (row->type) {
    case NF_FIELD_UINT:
        fputs(row->flags & NF_ALL ? "uint or `all`" : "uint", f);
        break;
    case NF_FIELD_REAL:
        fputs("real", f);
        break;
    case NF_FIELD_BOOL:
        fputs("bool", f);
        break;
    case NF_FIELD_VERDICT:
        fputs("bool or nil", f);
        break;
    case NF_FIELD_CHOICE:
        list_cell_names(f, row);
        break;
    case NF_FIELD_SET:
        fputs("array of ", f);
        list_cell_names(f, row);
        break;
    case NF_FIELD_NUMBERS:
        fprintf(f, "array of uint, 1 to %zu", row->n_names);
        break;
    case NF_FIELD_COUNTS:
        fputs("map of uint: ", f);
        list_cell_names(f, row);
        break;
    case NF_FIELD_BYTES:
        fputs("bin", f);
        break;
    case NF_FIELD_GRAM:
        fputs("id, or array of ids", f);
        break;
    case NF_FIELD_MAP:
    case NF_FIELD_TUPLE:
        fprintf(f, "%s*%s*", row->type == NF_FIELD_TUPLE ? "array " : "", row->of->type);
        break;
    case NF_FIELD_TENSOR:
    case NF_FIELD_ARRAY:
        fprintf(f, "%s[%s]", nf_type_short(row->dtype), row->shape);
        break;
    case NF_FIELD_ANY:
        fprintf(f, "tensor [%s]", row->shape);
        break;
    default:
        if (row->names)
            list_cell_names(f, row);
        else
            fputs("str", f);
    }
}

static void write_cell_limits(FILE *f, const struct nf_field *row)
{
    if (row->below)
        fprintf(f, ", below %s", row->below);
    if (row->max != 0 && isfinite(row->max) && row->max != UINT32_MAX)
        fprintf(f, ", %.9g to %.9g", row->min, row->max);
    else if (row->min != 0)
        fprintf(f, ", from %.9g up", row->min);
    if (row->unit)
        fprintf(f, ", %s", row->unit);
    if (row->flags & NF_NIL || row->nil)
        fputs(", or nil", f);
}

/* A bar would end the cell. */
static void write_cell_help(FILE *f, const char *help)
{
    for (; *help; help++) {
        if (*help == '|')
            fputc('\\', f);
        fputc(*help, f);
    }
}

static void write_field_table(FILE *f, const struct nf_record *r)
{
    fputs("| field | type | |\n|---|---|---|\n", f);
    for (size_t i = 0; i < r->n; i++) {
        const struct nf_field *row = &r->field[i];

        if (row->type == NF_FIELD_SIZE)
            continue;
        fprintf(f, "| `%s`%s | ", row->key, row->flags & (NF_OPT | NF_LATER) || row->group ? "?" : "");
        if (row->list)
            fprintf(f, "array[%s] of ", row->shape);
        write_cell_type(f, row);
        write_cell_limits(f, row);
        fputs(" | ", f);
        write_cell_help(f, row->help);
        fputs(" |\n", f);
    }
}

/* What a record is, above its table: words in lines of at most LINE columns. */
static void write_heading(FILE *f, const char *mark, const struct nf_record *r)
{
    size_t column = (size_t)fprintf(f, "%s%s%s:", mark, r->type, mark);

    for (const char *word = r->help; *word;) {
        size_t n = strcspn(word, " ");
        bool last = !word[n];

        if (column + 1 + n + last > LINE) {
            fputc('\n', f);
            column = 0;
        } else {
            fputc(' ', f);
            column++;
        }
        fprintf(f, "%.*s", (int)n, word);
        column += n;
        word += n + strspn(word + n, " ");
    }
    fputs(".\n\n", f);
}

enum { MAPS = 16 };

/* The maps that a record holds, each once. */
static size_t find_maps(const struct nf_record *r, const struct nf_record *map[MAPS], size_t n)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct nf_record *of = r->field[i].of;
        bool known = !of;

        for (size_t k = 0; k < n; k++)
            known = known || map[k] == of;
        if (known || n == MAPS)
            continue;
        map[n++] = of;
        n = find_maps(of, map, n);
    }
    return n;
}

void nf_record_tables(FILE *f, const struct nf_record *r)
{
    const struct nf_record *map[MAPS];
    size_t n = find_maps(r, map, 0);

    write_heading(f, "**", r);
    write_field_table(f, r);
    for (size_t i = 0; i < n; i++) {
        fputc('\n', f);
        write_heading(f, "*", map[i]);
        write_field_table(f, map[i]);
    }
    fputc('\n', f);
}
