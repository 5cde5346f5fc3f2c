/* read_tensor.c - shapes and what tensors hold. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/at.h"
#include "record/read_impl.h"
#include "stream/mp.h"

/* ---- sizes and shapes ---- */

struct nf_names nf_read_names(const struct nf_read_frame *s)
{
    return (struct nf_names){ s->record, s->rec, s->w->sizes };
}

/* A size that only the struct has becomes known. */
static int bind_size(struct nf_read_frame *s, const char *name, size_t v)
{
    const struct nf_field *f = nf_size_row(s->record, name);

    if (!f)
        return NF_OK;
    if (nf_read_limits(s, f, v) < 0)
        return NF_EFORMAT;
    nf_member_set_uint(f, nf_member(f, s->rec), v);
    return NF_OK;
}

/* "f8[P,P] = f8[4,4]", or without a type "[n] = [4]". */
int nf_read_refuse_shape(struct nf_read_frame *s, const struct nf_field *f, const char *found)
{
    const char *type = f->list ? "" : nf_type_short(f->dtype), *rest = f->shape;
    const struct nf_names names = nf_read_names(s);
    char sizes[120] = "";
    struct nf_dim d;
    size_t n = 0;

    while (*rest && n < sizeof sizes) {
        rest = nf_shape_next(rest, nf_names_lookup(&names), &d);
        if (d.known)
            n += (size_t)snprintf(sizes + n, sizeof sizes - n, "%s%zu", n ? "," : "", d.value);
        else
            n += (size_t)snprintf(sizes + n, sizeof sizes - n, "%s?", n ? "," : "");
    }
    if (strcmp(sizes, f->shape) == 0)
        return nf_read_fail(s->w, "%.100s, %s[%s] expected", found, type, f->shape);
    return nf_read_fail(s->w, "%.100s, %s[%s] = %s[%s] expected", found, type, f->shape, type, sizes);
}

/* Do the dimensions fit?  Those that were not known become known. */
int nf_read_shape(struct nf_read_frame *s, const struct nf_field *f, const size_t *shape, size_t ndim, bool *fits)
{
    const struct nf_names names = nf_read_names(s);
    const char *rest = f->shape;
    struct nf_dim d;
    size_t i = 0;

    *fits = true;
    for (; *rest && i < ndim && *fits; i++) {
        rest = nf_shape_next(rest, nf_names_lookup(&names), &d);
        if (d.known)
            *fits = shape[i] == d.value;
        else if (d.unknown[0] && shape[i] < d.plus)
            *fits = false;
        else if (d.unknown[0] && bind_size(s, d.unknown, shape[i] - d.plus) < 0)
            return NF_EFORMAT;
    }
    *fits = *fits && i == ndim && !*rest;
    return NF_OK;
}

/* ---- tensors ---- */

/* Exponent of all ones: NaN or infinite.  Reals of any address; loops that compilers make wide. */
static bool all_finite(const struct nf_tensor *t, size_t n)
{
    uint64_t bad = 0;

    switch (t->dtype) {
    case NF_F64:
        for (size_t i = 0; i < n; i++)
            bad |= (nf_u8_at(t->data, i) & 0x7ff0000000000000) == 0x7ff0000000000000;
        break;
    case NF_F32:
        for (size_t i = 0; i < n; i++)
            bad |= (nf_u4_at(t->data, i) & 0x7f800000) == 0x7f800000;
        break;
    default:
        for (size_t i = 0; i < n; i++)
            bad |= !isfinite(nf_tensor_real(t, i));
    }
    return !bad;
}

/* "[2,0,17]" */
static void put_index(const struct nf_tensor *t, size_t i, char text[80])
{
    size_t at[NF_NDIM_MAX], n = 0;

    for (size_t d = t->ndim; d-- > 0; i /= t->shape[d])
        at[d] = i % t->shape[d];
    for (size_t d = 0; d < t->ndim && n < 80; d++)
        n += (size_t)snprintf(text + n, 80 - n, "%s%zu", d ? "," : "[", at[d]);
    snprintf(text + n, 80 - n, "]");
}

static int refuse_element(struct nf_read_frame *s, const struct nf_field *f, const struct nf_tensor *t, size_t i)
{
    char index[80], expected[NF_EXPECTED] = "a finite number";
    size_t limit = nf_read_below(s, f);

    put_index(t, i, index);
    if (limit != SIZE_MAX)
        snprintf(expected, sizeof expected, "below %s = %zu", f->below, limit);
    else if (f->max != 0)
        snprintf(expected, sizeof expected, "from %.15g to %.15g", f->min, f->max);
    return nf_read_fail(s->w, "%.9g at %s, %s expected", nf_tensor_real(t, i), index, expected);
}

static int check_reals(struct nf_read_frame *s, const struct nf_field *f, const struct nf_tensor *t, size_t n)
{
    if (!nf_field_ranged(f) && all_finite(t, n))
        return NF_OK;
    for (size_t i = 0; i < n; i++) {
        double v = nf_tensor_real(t, i);

        if (isnan(v) ? !(f->flags & NF_NAN) : isinf(v) || !nf_read_in_range(f, v))
            return refuse_element(s, f, t, i);
    }
    return NF_OK;
}

static int check_elements(struct nf_read_frame *s, const struct nf_field *f, const struct nf_tensor *t)
{
    size_t n = 0, limit = nf_read_below(s, f);

    if (f->flags & NF_LOOSE)
        return NF_OK;
    nf_tensor_count(t, &n);
    if (nf_dtype_real(t->dtype))
        return check_reals(s, f, t, n);
    if (limit == SIZE_MAX && !nf_field_ranged(f))
        return NF_OK;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = t->dtype == NF_U32 ? nf_u4_at(t->data, i) : (uint64_t)nf_tensor_int(t, i);

        if (v >= limit || !nf_read_in_range(f, (double)v))
            return refuse_element(s, f, t, i);
    }
    return NF_OK;
}

static int copy_elements(struct nf_read_frame *s, const struct nf_field *f, const struct nf_tensor *t)
{
    size_t n = 0;
    void *to = nf_member(f, s->rec);

    nf_tensor_count(t, &n);
    if (!f->pointer && n > f->room)
        return nf_read_fail(s->w, "%zu elements, at most %zu are possible", n, f->room);
    if (f->pointer) {
        to = nf_mem_get(s->w->mem, n, f->width, s->w->err);
        *(void **)nf_member(f, s->rec) = to;
    }
    if (!to)
        return NF_ESYS;
    if (n)
        memcpy(to, t->data, n * f->width);
    return NF_OK;
}

int nf_read_tensor(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o)
{
    char found[NF_EXPECTED];
    struct nf_tensor t;
    bool fits = false;

    if (nf_mp_tensor_any(o, &t) < 0)
        return nf_read_fail(s->w, "%.100s, a tensor whose shape fits its data expected", nf_read_describe(o, found));
    if (f->type == NF_FIELD_ANY) {
        *(struct nf_tensor *)nf_member(f, s->rec) = t;
        return check_elements(s, f, &t);
    }
    if (t.dtype == f->dtype && nf_read_shape(s, f, t.shape, t.ndim, &fits) < 0)
        return NF_EFORMAT;
    if (!fits)
        return nf_read_refuse_shape(s, f, nf_read_describe(o, found));
    if (check_elements(s, f, &t) < 0)
        return NF_EFORMAT;
    if (f->type == NF_FIELD_ARRAY)
        return copy_elements(s, f, &t);
    *(const void **)nf_member(f, s->rec) = t.data;
    return NF_OK;
}
