/* check.c - what the checks of all kinds share. */
#include "inspect/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "inspect/value.h"
#include "stream/mp.h"

const struct nf_check_kind *nf_check_find(const char *kind)
{
    static const struct nf_check_kind *const kinds[] = { &nf_check_tokens,  &nf_check_activations, &nf_check_stats,
                                                         &nf_check_neurons, &nf_check_effects,     &nf_check_lens };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i]->kind, kind) == 0)
            return kinds[i];
    return NULL;
}

int nf_check_size(const json_t *header, const char *map, const char *key, size_t max, size_t *v, struct nf_err *err)
{
    const json_t *j = json_object_get(map ? json_object_get(header, map) : header, key);
    json_int_t n = json_integer_value(j);

    if (!json_is_integer(j) || n < 1 || (uint64_t)n > max)
        return nf_fail(err, NF_EFORMAT, "header: %s%s%s: a size from 1 to %zu is expected", map ? map : "", map ? "." : "", key, max);
    *v = (size_t)n;
    return NF_OK;
}

int nf_check_total(const msgpack_object *end, const char *key, uint64_t want, struct nf_err *err)
{
    const msgpack_object *totals = nf_mp_find(end, "totals");
    uint64_t v;

    if (!totals || totals->type != MSGPACK_OBJECT_MAP)
        return nf_fail(err, NF_EFORMAT, "END has no totals");
    if (nf_mp_uint(totals, key, UINT64_MAX, &v, NULL) < 0)
        return nf_fail(err, NF_EFORMAT, "END: total '%s' is missing", key);
    return v == want ? NF_OK : nf_fail(err, NF_EFORMAT, "END: total '%s' is %" PRIu64 ", the records have %" PRIu64, key, v, want);
}

/* ---- finite ---- */

/* Fields that may hold NaN: FORMAT.md sections 4.3 to 4.5. */
static bool may_be_nan(const msgpack_object *rec, const msgpack_object *key, const struct nf_tensor *t, size_t i)
{
    static const char *const moments[] = { "min", "max", "mean", "var", "skew", "kurt", "values" };
    static const char *const stages[] = { "cka", "similarity", "locality", "merging" };
    const msgpack_object *site = nf_mp_find(rec, "site");

    if (nf_mp_is(rec, "site"))   /* loss and rank: columns 0 and 3 of 4 */
        return site && site->type == MSGPACK_OBJECT_STR && site->via.str.size == 4 && memcmp(site->via.str.ptr, "pred", 4) == 0 &&
               t->ndim == 2 && t->shape[1] == 4 && (i % 4 == 0 || i % 4 == 3);
    if (nf_mp_is(rec, "top") || nf_mp_is(rec, "activation"))
        return true;
    for (size_t k = 0; k < sizeof stages / sizeof *stages; k++)
        if (nf_mp_is(rec, stages[k]))   /* means without positions, errors of one document */
            return true;
    for (size_t k = 0; nf_mp_is(rec, "moments") && key->type == MSGPACK_OBJECT_STR && k < sizeof moments / sizeof *moments; k++)
        if (key->via.str.size == strlen(moments[k]) && memcmp(key->via.str.ptr, moments[k], key->via.str.size) == 0)
            return true;
    return false;
}

static int not_finite(double v, const msgpack_object *key, const char *index, struct nf_err *err)
{
    const char *name = "?";
    size_t n = 1;

    nf_value_bytes(key, &name, &n);
    return nf_fail(err, NF_EFORMAT, "field '%.*s'%s is %s", n > 80 ? 80 : (int)n, name, index, isnan(v) ? "NaN" : "infinite");
}

static int finite_tensor(const msgpack_object *rec, const msgpack_object *key, const struct nf_tensor *t, struct nf_err *err)
{
    size_t count = 0, row = t->ndim > 1 && t->shape[0] ? 0 : 1;
    char index[80];

    nf_tensor_count(t, &count);
    for (size_t i = 0; nf_dtype_real(t->dtype) && i < count; i++) {
        double v = nf_tensor_real(t, i);

        if (isfinite(v) || (isnan(v) && may_be_nan(rec, key, t, i)))
            continue;
        if (row == 0)
            row = count / t->shape[0];
        snprintf(index, sizeof index, row > 1 ? "[%zu], value %zu," : "[%zu]", i / row, i % row);
        return not_finite(v, key, index, err);
    }
    return NF_OK;
}

/* `key` names the field of the record that v is in. */
static int finite_value(const msgpack_object *rec, const msgpack_object *key, const msgpack_object *v, struct nf_err *err)
{
    struct nf_tensor t;
    int rc = NF_OK;

    if (v->type == MSGPACK_OBJECT_MAP && nf_mp_tensor_any(v, &t) == NF_OK)
        return finite_tensor(rec, key, &t, err);
    if ((v->type == MSGPACK_OBJECT_FLOAT32 || v->type == MSGPACK_OBJECT_FLOAT64) && !isfinite(v->via.f64))
        return not_finite(v->via.f64, key, "", err);
    for (uint32_t i = 0; rc == NF_OK && v->type == MSGPACK_OBJECT_ARRAY && i < v->via.array.size; i++)
        rc = finite_value(rec, key, &v->via.array.ptr[i], err);
    for (uint32_t i = 0; rc == NF_OK && v->type == MSGPACK_OBJECT_MAP && i < v->via.map.size; i++)
        rc = finite_value(rec, &v->via.map.ptr[i].key, &v->via.map.ptr[i].val, err);
    return rc;
}

int nf_check_finite(const msgpack_object *rec, struct nf_err *err)
{
    return finite_value(rec, &rec->via.map.ptr[0].key, rec, err);
}
