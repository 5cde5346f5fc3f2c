/* table.c - records as CSV or TSV. */
#include "inspect/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "inspect/json_text.h"
#include "inspect/value.h"
#include "stream/mp.h"

#define SHARE(f) f ".k," f ".n," f ".p," f ".lo," f ".hi"
#define COVER(f) f ".total," f ".new_overall," f ".new_previous," f ".in_lower," f ".in_previous," f ".cumulative"
#define DETECTOR(f) f ".m," f ".activations," f ".detector," f ".covered," SHARE(f ".share")

#define MEAN(f) f ".n," f ".mean," f ".sd," f ".se," f ".doc_mean," f ".doc_sd"

/* The usual columns of each type, row after row: FORMAT.md section 4. What has no fixed length is left to --columns. */
static const struct {
    const char *type, *columns;
} usual[] = {
    { "vocab", "first,tokens" },
    { "doc", "doc,name,domain,bytes" },
    { "window", "doc,window,start,bos,ids" },
    { "batch", "batch,doc,window,start,length,bos,ids" },
    { "site", "batch,site,layer,row,near_zero,data" },
    { "cka", "rows,batch,P,n,left_out,cka,se" },
    { "similarity", "measure,rows,P,n,docs,zero,mean,se,doc_mean,doc_se" },
    { "influence", "layer,n,docs,influence,se" },
    { "ratio", "layer,of,n,docs,mean,se,doc_mean,doc_se" },
    { "locality", "layer,sinks,n,docs,mean,se,doc_mean,doc_se" },
    { "merging", "layer,either,n,docs,mean,se,difference,difference_se" },
    { "layer", "layer,neurons,alive,fires" },
    { "layer", SHARE("dead") },
    { "layer", SHARE("dead_with_bos") },
    { "layer", "mean_freq,mean_freq_sd,bands.dead,bands.dormant,bands.rare,bands.normal,bands.hyperactive" },
    { "layer", "detectors.token,detectors.bigram,detectors.trigram" },
    { "layer", COVER("covered.token") },
    { "layer", COVER("covered.bigram") },
    { "layer", COVER("covered.trigram") },
    { "layer", "first_positions,undecided_position,near_zero" },
    { "layer", "prediction=vocab.prediction,suppression=vocab.suppression,partition=vocab.partition,entropy=vocab.entropy" },
    { "layer", "token-frequency=vocab.token-frequency" },
    { "neuron", "layer,neuron,class,classes,undecided,fires,fires_bos,n" },
    { "neuron", SHARE("freq") },
    { "neuron", "band,domain_freq,domain_entropy,cover1.lo=cover.0.0,cover1.hi=cover.0.1,cover2.lo=cover.1.0" },
    { "neuron", "cover2.hi=cover.1.1,cover3.lo=cover.2.0,cover3.hi=cover.2.1" },
    { "neuron", DETECTOR("token") },
    { "neuron", DETECTOR("bigram") },
    { "neuron", DETECTOR("trigram") },
    { "neuron", "position.mi,position.mi_raw,position.full,position.type,position.strength,position.ranges,position.cycles" },
    { "neuron", "position.run0,position.run1,position.roughness,position.stable" },
    { "neuron", "weights.in_norm,weights.gate_norm,weights.out_norm,weights.cos_in_out,weights.cos_gate_out,weights.cos_gate_in" },
    { "neuron", "vocab.mean,vocab.var,vocab.skew,vocab.kurt,vocab.logit_var,vocab.null_share,vocab.frequency" },
    { "suppression", "projection,scope" },
    { "suppression", SHARE("suppressing") },
    { "suppression", SHARE("all_negative") },
    { "suppression", SHARE("majority_negative") },
    { "suppression", SHARE("weighted") },
    { "suppression", SHARE("null") },
    { "suppression", SHARE("null_alive") },
    { "suppression", "mean_percentile" },
    { "intervention", "intervention,name,kind,layer,to,neurons,steps" },
    { "effect", "intervention,name,by,domain,from,to,docs" },
    { "effect", MEAN("kl") },
    { "effect", MEAN("agree") },
    { "effect", MEAN("entropy") },
    { "effect", MEAN("entropy_change") },
    { "effect", MEAN("loss") },
    { "effect", MEAN("loss_change") },
    { "activation", "layer,mean" },
    { "point", "point,name,layer,depth" },
    { "lens", "point,by,domain,from,to,docs" },
    { "lens", MEAN("kl") },
    { "lens", MEAN("agree") },
    { "lens", MEAN("entropy") },
    { "lens", MEAN("loss") },
    { "lens", MEAN("rank") },
    { "part", "part,name,layer" },
    { "parts", "doc,window,position,token,logit" },
    { "attribution", "part,by,domain,from,to,docs" },
    { "attribution", MEAN("logit") },
    { "team", "layer,type,strength,neurons,covered,context,multiplicity,loss,greedy,gain" },
};

enum { COLUMN = 256 };     /* bytes of name and path together */

struct column {
    char name[COLUMN];     /* ends at '='; the path follows, or is the name */
    size_t path;           /* where in name it begins */
};

struct nf_table {
    FILE *f;
    char separator;
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
    if (t)
        free(t->columns);
    if (t && t->cell)
        fclose(t->cell);
    free(t);
}

static int add_column(struct nf_table *t, const char *column, size_t len, struct nf_err *err)
{
    struct column *c;
    char *equals;

    if (len >= COLUMN)
        return nf_fail(err, NF_EUSAGE, "the column %.40s.. is longer than %d bytes", column, COLUMN - 1);
    if (nf_grow(&t->columns, &t->cap, t->n + 1, sizeof *t->columns, err) < 0)
        return NF_ESYS;
    c = &t->columns[t->n++];
    memcpy(c->name, column, len);
    c->name[len] = '\0';
    equals = strchr(c->name, '=');
    c->path = equals ? (size_t)(equals + 1 - c->name) : 0;
    if (equals)
        *equals = '\0';
    return NF_OK;
}

/* Separated by commas. */
static int add_columns(struct nf_table *t, const char *list, struct nf_err *err)
{
    int rc = NF_OK;

    for (size_t len; rc == NF_OK && *list; list += len + (list[len] == ',')) {
        len = strcspn(list, ",");
        rc = add_column(t, list, len, err);
    }
    return rc;
}

struct nf_table *nf_table_open(FILE *f, char separator, const char *type, const char *const *columns, size_t n, struct nf_err *err)
{
    struct nf_table *t = calloc(1, sizeof *t);
    int rc = t ? NF_OK : nf_fail(err, NF_ESYS, "out of memory");

    if (t) {
        t->f = f;
        t->separator = separator;
        t->cell = fopencookie(t, "w", (cookie_io_functions_t){ .write = cell_write });
        if (t->cell)
            setvbuf(t->cell, t->cell_buf, _IOFBF, sizeof t->cell_buf);
        else
            rc = nf_fail(err, NF_ESYS, "out of memory");
    }
    for (size_t i = 0; rc == NF_OK && i < n; i++)
        rc = add_column(t, columns[i], strlen(columns[i]), err);
    for (size_t i = 0; rc == NF_OK && n == 0 && i < sizeof usual / sizeof *usual; i++)
        if (strcmp(usual[i].type, type) == 0)
            rc = add_columns(t, usual[i].columns, err);
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

/* No usual columns: the fields of the first record that fit a cell. */
static int columns_of(struct nf_table *t, const msgpack_object *rec, struct nf_err *err)
{
    char buf[NF_VALUE_TEXT];

    for (uint32_t i = 1; i < rec->via.map.size; i++) {
        const msgpack_object *k = &rec->via.map.ptr[i].key, *v = &rec->via.map.ptr[i].val;

        if (k->type == MSGPACK_OBJECT_STR && (v->type == MSGPACK_OBJECT_STR || nf_show_scalar(v, buf)) &&
            k->via.str.size < COLUMN && add_column(t, k->via.str.ptr, k->via.str.size, err) < 0)
            return NF_ESYS;
    }
    return NF_OK;
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

int nf_table_row(struct nf_table *t, const msgpack_object *rec, struct nf_err *err)
{
    if (t->n == 0 && columns_of(t, rec, err) < 0)
        return NF_ESYS;
    if (!t->named)
        put_names(t);
    for (size_t i = 0; i < t->n; i++) {
        if (i)
            putc(t->separator, t->f);
        put_cell(t, nf_mp_path(rec, t->columns[i].name + t->columns[i].path));
    }
    putc('\n', t->f);
    return NF_OK;
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
