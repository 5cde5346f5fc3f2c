/* sizes.c - the sizes that a header gives. */
#include <stdint.h>

#include "record/record.h"

static int read_size(const json_t *header, const char *map, const char *key, size_t max, bool must, size_t *v, struct nf_err *err)
{
    const json_t *j = json_object_get(map ? json_object_get(header, map) : header, key);
    json_int_t n = json_integer_value(j);

    *v = 0;
    if (!j && !must)
        return NF_OK;
    if (!json_is_integer(j) || n < (must ? 1 : 0) || (uint64_t)n > max)
        return nf_fail(err, NF_EFORMAT, "header: %s%s%s: an integer from 1 to %zu expected", map ? map : "", map ? "." : "", key,
                       max);
    *v = (size_t)n;
    return NF_OK;
}

int nf_sizes_read(const json_t *header, struct nf_sizes *s, struct nf_err *err)
{
    static const char *const letters[] = { "L", "D", "H", "G", "K", "F" };
    size_t *const of_model[] = { &s->L, &s->D, &s->H, &s->G, &s->K, &s->F };

    *s = (struct nf_sizes){ 0 };
    if (read_size(header, "tokenizer", "vocab", UINT32_MAX, true, &s->V, err) < 0 ||
        read_size(header, NULL, "context", NF_CONTEXT_MAX, true, &s->context, err) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (read_size(header, "model", letters[i], UINT32_MAX, false, of_model[i], err) < 0)
            return NF_EFORMAT;
    return NF_OK;
}
