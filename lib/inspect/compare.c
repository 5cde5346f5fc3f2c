/* compare.c - two records value by value. */
#include "inspect/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "stream/mp.h"

static double compute_excess(const struct nf_difference *d)
{
    return d->allowed > 0 ? d->size / d->allowed : INFINITY;
}

static bool worse(const struct nf_difference *d, const struct nf_difference *worst)
{
    double x = compute_excess(d), y = compute_excess(worst);

    return x > y || (x == y && d->size > worst->size);
}

static void add_difference(struct nf_compare *c, const struct nf_difference *d)
{
    if (c->different == 0 || worse(d, &c->worst)) {
        c->worst = *d;
        c->worst.record = c->record;
        memcpy(c->worst.where, c->where, sizeof c->worst.where);
    }
    c->different++;
}

/* What differs has no size. */
static void differ(struct nf_compare *c, const char *how)
{
    struct nf_difference d = { .size = INFINITY };
    size_t n = strlen(c->where);

    snprintf(c->where + n, sizeof c->where - n, "%s%s", n ? ": " : "", how);
    add_difference(c, &d);
    c->where[n] = '\0';
}

/* Not within the tolerance?  `size` out. */
static bool beyond(const struct nf_compare *c, double a, double b, double *size, double *allowed)
{
    *allowed = c->atol + c->rtol * fabs(b);
    if (a == b || (c->nan_equal && isnan(a) && isnan(b))) {
        *size = 0;
        return false;
    }
    *size = fabs(a - b);
    if (isnan(*size) || isinf(b))   /* rtol * infinity allows everything */
        *size = INFINITY;
    return isinf(*size) || !(*size <= *allowed);
}

static void compare_reals(struct nf_compare *c, double a, double b)
{
    struct nf_difference d;

    c->values++;
    if (beyond(c, a, b, &d.size, &d.allowed)) {
        nf_show_double(a, d.a);
        nf_show_double(b, d.b);
        add_difference(c, &d);
    } else if (d.size > c->largest) {
        c->largest = d.size;
    }
}

/* "[i,j]" of element i of the tensor, appended to the place at hand. */
static void append_index(struct nf_compare *c, const struct nf_tensor *t, size_t i)
{
    size_t n = strlen(c->where), inner = 1;

    for (size_t d = 1; d < t->ndim; d++)
        inner *= t->shape[d];
    for (size_t d = 0; d < t->ndim && n < sizeof c->where; d++) {
        n += (size_t)snprintf(c->where + n, sizeof c->where - n, "%c%zu", d ? ',' : '[', i / inner);
        i %= inner;
        inner /= d + 1 < t->ndim ? t->shape[d + 1] : 1;
    }
    if (t->ndim && n < sizeof c->where)
        snprintf(c->where + n, sizeof c->where - n, "]");
}

static void compare_elements(struct nf_compare *c, const struct nf_tensor *a, const struct nf_tensor *b, size_t i)
{
    struct nf_difference d;
    size_t n = strlen(c->where);
    bool bad;

    if (nf_dtype_real(a->dtype)) {
        bad = beyond(c, nf_tensor_real(a, i), nf_tensor_real(b, i), &d.size, &d.allowed);
    } else {
        bad = nf_tensor_int(a, i) != nf_tensor_int(b, i);
        d.size = fabs(nf_tensor_real(a, i) - nf_tensor_real(b, i));
        d.allowed = 0;
    }
    if (bad) {
        nf_show_element(a, i, d.a);
        nf_show_element(b, i, d.b);
        append_index(c, a, i);
        add_difference(c, &d);
        c->where[n] = '\0';
    } else if (d.size > c->largest) {
        c->largest = d.size;
    }
}

static void compare_tensors(struct nf_compare *c, const struct nf_tensor *a, const struct nf_tensor *b)
{
    size_t count = 0;
    bool same = a->ndim == b->ndim;

    for (size_t d = 0; same && d < a->ndim; d++)
        same = a->shape[d] == b->shape[d];
    if (!same || (a->dtype != b->dtype && !(nf_dtype_real(a->dtype) && nf_dtype_real(b->dtype)))) {
        c->values++;
        differ(c, same ? "tensors of different types" : "tensors of different shapes");
        return;
    }
    nf_tensor_count(a, &count);
    c->values += count;
    if (count && !nf_dtype_real(a->dtype) && memcmp(a->data, b->data, count * nf_dtype_size(a->dtype)) == 0)
        return;
    for (size_t i = 0; i < count; i++)
        compare_elements(c, a, b, i);
}

static bool number(const msgpack_object *o, double *v)
{
    switch (o->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        *v = (double)o->via.u64;
        return true;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        *v = (double)o->via.i64;
        return true;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        *v = o->via.f64;
        return true;
    default:
        return false;
    }
}

static bool integer(const msgpack_object *o)
{
    return o->type == MSGPACK_OBJECT_POSITIVE_INTEGER || o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
}

static void compare_integers(struct nf_compare *c, const msgpack_object *a, const msgpack_object *b)
{
    struct nf_difference d = { .allowed = 0 };
    double x = 0, y = 0;

    c->values++;
    if (a->type == b->type && a->via.u64 == b->via.u64)
        return;
    number(a, &x);
    number(b, &y);
    d.size = fabs(x - y);
    nf_show_scalar(a, d.a);
    nf_show_scalar(b, d.b);
    add_difference(c, &d);
}

/* Appends a member to the place at hand; returns what to cut it back to. */
static size_t enter_key(struct nf_compare *c, const char *name, size_t len)
{
    size_t n = strlen(c->where);

    snprintf(c->where + n, sizeof c->where - n, "%s%.*s", n ? "." : "", len > 80 ? 80 : (int)len, name);
    return n;
}

static size_t enter_index(struct nf_compare *c, size_t i)
{
    size_t n = strlen(c->where);

    snprintf(c->where + n, sizeof c->where - n, "[%zu]", i);
    return n;
}

static const msgpack_object *same_key(const msgpack_object *map, const msgpack_object *key)
{
    for (uint32_t i = 0; i < map->via.map.size; i++)
        if (msgpack_object_equal(map->via.map.ptr[i].key, *key))
            return &map->via.map.ptr[i].val;
    return NULL;
}

static void compare_maps(struct nf_compare *c, const msgpack_object *a, const msgpack_object *b)
{
    for (int side = 0; side < 2; side++) {
        const msgpack_object *one = side ? b : a, *other = side ? a : b;

        for (uint32_t i = 0; i < one->via.map.size; i++) {
            const msgpack_object *key = &one->via.map.ptr[i].key, *twin = same_key(other, key);
            const char *name = "?";
            size_t len = 1, n;

            nf_value_bytes(key, &name, &len);
            n = enter_key(c, name, len);
            if (!twin) {
                c->values++;
                differ(c, side ? "missing in the first" : "missing in the second");
            } else if (!side) {
                nf_compare(c, &one->via.map.ptr[i].val, twin);
            }
            c->where[n] = '\0';
        }
    }
}

static void compare_arrays(struct nf_compare *c, const msgpack_object_array *a, const msgpack_object_array *b)
{
    if (a->size != b->size) {
        c->values++;
        differ(c, "arrays of different lengths");
        return;
    }
    for (uint32_t i = 0; i < a->size; i++) {
        size_t n = enter_index(c, i);

        nf_compare(c, &a->ptr[i], &b->ptr[i]);
        c->where[n] = '\0';
    }
}

static void compare_others(struct nf_compare *c, const msgpack_object *a, const msgpack_object *b)
{
    c->values++;
    if (a->type != b->type)
        differ(c, "values of different types");
    else if (!msgpack_object_equal(*a, *b))
        differ(c, a->type == MSGPACK_OBJECT_BOOLEAN ? "true against false" : "different text");
}

void nf_compare(struct nf_compare *c, const msgpack_object *a, const msgpack_object *b)
{
    struct nf_tensor x, y;
    double u, v;

    if (nf_mp_tensor_any(a, &x) == NF_OK && nf_mp_tensor_any(b, &y) == NF_OK)
        compare_tensors(c, &x, &y);
    else if (integer(a) && integer(b))
        compare_integers(c, a, b);
    else if (number(a, &u) && number(b, &v))
        compare_reals(c, u, v);
    else if (a->type == MSGPACK_OBJECT_MAP && b->type == MSGPACK_OBJECT_MAP)
        compare_maps(c, a, b);
    else if (a->type == MSGPACK_OBJECT_ARRAY && b->type == MSGPACK_OBJECT_ARRAY)
        compare_arrays(c, &a->via.array, &b->via.array);
    else
        compare_others(c, a, b);
}
