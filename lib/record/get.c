/* get.c - one field of a record and its shape. */
#include "record/get.h"

#include <stdint.h>
#include <string.h>

#include "stream/mp.h"

int nf_get_type(const msgpack_object *rec, const char *type, struct nf_err *err)
{
    return nf_mp_is(rec, type) ? NF_OK : nf_fail(err, NF_EFORMAT, "a %s record is wanted", type);
}

int nf_get_size(const msgpack_object *rec, const char *key, size_t min, size_t max, size_t *v, struct nf_err *err)
{
    uint64_t u;

    if (nf_mp_uint(rec, key, max, &u, err) < 0)
        return NF_EFORMAT;
    if (u < min)
        return nf_fail(err, NF_EFORMAT, "%s: %zu, from %zu to %zu is wanted", key, (size_t)u, min, max);
    *v = (size_t)u;
    return NF_OK;
}

int nf_get_layer(const msgpack_object *rec, size_t *layer, struct nf_err *err)
{
    return nf_get_size(rec, "layer", 0, UINT32_MAX, layer, err);
}

int nf_get_name(const msgpack_object *rec, const char *key, char *name, size_t size, struct nf_err *err)
{
    const char *s;
    size_t n;

    if (nf_mp_str(rec, key, &s, &n, err) < 0)
        return NF_EFORMAT;
    if (n >= size || memchr(s, 0, n))
        return nf_fail(err, NF_EFORMAT, "%s: a name of 1 to %zu bytes is wanted", key, size - 1);
    memcpy(name, s, n);
    name[n] = '\0';
    return NF_OK;
}

int nf_get_array(const msgpack_object *rec, const char *key, enum nf_dtype type, size_t *a, size_t *b, size_t *c, const void **data,
                 struct nf_err *err)
{
    size_t *const shape[] = { a, b, c };
    size_t ndim = c ? 3 : b ? 2 : 1;
    struct nf_tensor t;

    *data = NULL;
    if (nf_mp_tensor(rec, key, type, ndim, &t, err) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; i < ndim; i++) {
        if (*shape[i] == SIZE_MAX)
            *shape[i] = t.shape[i];
        if (t.shape[i] != *shape[i])
            return nf_fail(err, NF_EFORMAT, "%s: dimension %zu is %zu, %zu is wanted", key, i, t.shape[i], *shape[i]);
    }
    *data = t.data;
    return NF_OK;
}
