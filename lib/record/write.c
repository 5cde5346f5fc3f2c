/* write.c - from a struct to the bytes of a record: pairs are counted, then put in the order of the table. */
#include "record/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "record/walk.h"
#include "stream/mp.h"

static void write_fields(struct nf_enc *e, const struct nf_record *r, const void *rec, const char *type);
static void write_tuple(struct nf_enc *e, const struct nf_record *r, const void *rec);

static double member_real(const struct nf_field *f, const void *at)
{
    float four;
    double eight;

    if (f->width == 4) {
        memcpy(&four, at, 4);
        return four;
    }
    memcpy(&eight, at, 8);
    return eight;
}

static void write_real(struct nf_enc *e, double v)
{
    if (isnan(v))
        nf_enc_nil(e);
    else
        nf_enc_real(e, v);
}

static void write_uint(struct nf_enc *e, const struct nf_field *f, size_t v)
{
    if (f->flags & NF_ALL && v == NF_NONE)
        nf_enc_str(e, "all");
    else
        nf_enc_uint(e, v);
}

static void write_choice(struct nf_enc *e, const struct nf_field *f, size_t i)
{
    if (i >= f->n_names)
        abort();   /* our own mistake */
    nf_enc_str(e, f->names[i]);
}

static void write_set(struct nf_enc *e, const struct nf_field *f, unsigned mask)
{
    size_t n = 0;

    for (unsigned m = mask; m; m &= m - 1)
        n++;
    nf_enc_array(e, n);
    for (size_t i = 0; i < f->n_names; i++)
        if (mask >> i & 1)
            write_choice(e, f, i);
}

static void write_numbers(struct nf_enc *e, const struct nf_field *f, const bool *set)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n_names; i++)
        n += set[i];
    nf_enc_array(e, n);
    for (size_t i = 0; i < f->n_names; i++)
        if (set[i])
            nf_enc_uint(e, i + 1);
}

static void write_name_counts(struct nf_enc *e, const struct nf_field *f, const uint64_t *count)
{
    nf_enc_map(e, f->n_names);
    for (size_t i = 0; i < f->n_names; i++) {
        nf_enc_str(e, f->names[i]);
        nf_enc_uint(e, count[i]);
    }
}

static void write_gram(struct nf_enc *e, const struct nf_gram *g)
{
    if (g->n != 1)
        nf_enc_array(e, g->n);
    for (uint32_t i = 0; i < g->n; i++)
        nf_enc_uint(e, g->id[i]);
}

static void write_verdict(struct nf_enc *e, enum nf_verdict v)
{
    if (v == NF_OPEN)
        nf_enc_nil(e);
    else
        nf_enc_bool(e, v == NF_YES);
}

/* A value other than a tensor. */
static void write_value(struct nf_enc *e, const struct nf_field *f, const void *at)
{
    switch (f->type) {
    case NF_FIELD_UINT:
        write_uint(e, f, nf_member_uint(f, at));
        break;
    case NF_FIELD_REAL:
        write_real(e, member_real(f, at));
        break;
    case NF_FIELD_BOOL:
        nf_enc_bool(e, *(const bool *)at);
        break;
    case NF_FIELD_VERDICT:
        write_verdict(e, *(const enum nf_verdict *)at);
        break;
    case NF_FIELD_TEXT:
        nf_enc_str(e, *(const char *const *)at);
        break;
    case NF_FIELD_NAME:
        nf_enc_str(e, at);
        break;
    case NF_FIELD_CHOICE:
        write_choice(e, f, nf_member_uint(f, at));
        break;
    case NF_FIELD_SET:
        write_set(e, f, *(const unsigned *)at);
        break;
    case NF_FIELD_NUMBERS:
        write_numbers(e, f, at);
        break;
    case NF_FIELD_COUNTS:
        write_name_counts(e, f, at);
        break;
    case NF_FIELD_BYTES:
        nf_enc_bin(e, ((const struct nf_blob *)at)->p, ((const struct nf_blob *)at)->n);
        break;
    case NF_FIELD_GRAM:
        write_gram(e, at);
        break;
    case NF_FIELD_TUPLE:
        write_tuple(e, f->of, at);
        break;
    default:
        write_fields(e, f->of, at, NULL);
    }
}

static void write_tuple(struct nf_enc *e, const struct nf_record *r, const void *rec)
{
    nf_enc_array(e, r->n);
    for (size_t i = 0; i < r->n; i++)
        write_value(e, &r->field[i], nf_member(&r->field[i], rec));
}

/* A tuple is nil when its first number is none. */
static bool item_none(const struct nf_field *f, const char *item)
{
    return f->flags & NF_ITEM_NIL && f->type == NF_FIELD_TUPLE && nf_member_none(f->of->field, item);
}

static void compute_shape(const struct nf_record *r, const void *rec, const struct nf_field *f, struct nf_tensor *t)
{
    const struct nf_names names = { r, rec, NULL };
    const char *rest = f->shape;
    struct nf_dim d;

    for (t->ndim = 0; *rest; t->shape[t->ndim++] = d.value) {
        rest = nf_shape_next(rest, nf_names_lookup(&names), &d);
        if (!d.known)
            abort();   /* our own mistake: the table speaks of a size that is not in the struct */
    }
}

static void write_list(struct nf_enc *e, const struct nf_record *r, const void *rec, const struct nf_field *f)
{
    const char *item = nf_pointed(f, rec);
    struct nf_tensor n;

    compute_shape(r, rec, f, &n);
    nf_enc_array(e, n.shape[0]);
    for (size_t i = 0; i < n.shape[0]; i++, item += f->stride)
        if (item_none(f, item + f->inner))
            nf_enc_nil(e);
        else
            write_value(e, f, item + f->inner);
}

static void write_tensor(struct nf_enc *e, const struct nf_record *r, const void *rec, const struct nf_field *f)
{
    struct nf_tensor t = { .dtype = f->dtype, .data = nf_pointed(f, rec) };

    if (f->type == NF_FIELD_ANY)
        t = *(const struct nf_tensor *)nf_member(f, rec);
    else
        compute_shape(r, rec, f, &t);
    nf_enc_tensor(e, &t);
}

static void write_field(struct nf_enc *e, const struct nf_record *r, const void *rec, const struct nf_field *f)
{
    if ((f->flags & NF_NIL && nf_member_none(f, rec)) || (f->nil && !*((const bool *)rec + f->nil - 1)))
        nf_enc_nil(e);
    else if (f->list)
        write_list(e, r, rec, f);
    else if (f->type == NF_FIELD_TENSOR || f->type == NF_FIELD_ARRAY || f->type == NF_FIELD_ANY)
        write_tensor(e, r, rec, f);
    else
        write_value(e, f, nf_pointed(f, rec));
}

static bool is_written(const struct nf_field *f, const void *rec)
{
    if (f->type == NF_FIELD_SIZE || (f->group && !*((const bool *)rec + f->group - 1)))
        return false;
    return !(f->flags & NF_OPT) || f->flags & NF_NIL || !nf_member_none(f, rec);
}

static void write_fields(struct nf_enc *e, const struct nf_record *r, const void *rec, const char *type)
{
    size_t pairs = type != NULL;

    for (size_t i = 0; i < r->n; i++)
        pairs += is_written(&r->field[i], rec);
    nf_enc_map(e, pairs);
    if (type) {
        nf_enc_str(e, "r");
        nf_enc_str(e, type);
    }
    for (size_t i = 0; i < r->n; i++)
        if (is_written(&r->field[i], rec)) {
            nf_enc_str(e, r->field[i].key);
            write_field(e, r, rec, &r->field[i]);
        }
}

void nf_record_write(const struct nf_record *r, struct nf_writer *w, const void *rec)
{
    write_fields(nf_writer_begin(w), r, rec, r->type);
    nf_writer_end(w);
}
