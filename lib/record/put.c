/* put.c - pairs of records. */
#include "record/put.h"

#include <math.h>

struct nf_enc *nf_put_record(struct nf_writer *w, const char *type, size_t pairs)
{
    struct nf_enc *e = nf_writer_begin(w);

    nf_enc_map(e, pairs + 1);
    nf_put_str(e, "r", type);
    return e;
}

void nf_put_uint(struct nf_enc *e, const char *key, uint64_t v)
{
    nf_enc_str(e, key);
    nf_enc_uint(e, v);
}

void nf_enc_real_or_nil(struct nf_enc *e, double v)
{
    if (isnan(v))
        nf_enc_nil(e);
    else
        nf_enc_real(e, v);
}

void nf_put_real(struct nf_enc *e, const char *key, double v)
{
    nf_enc_str(e, key);
    nf_enc_real_or_nil(e, v);
}

void nf_put_bool(struct nf_enc *e, const char *key, bool v)
{
    nf_enc_str(e, key);
    nf_enc_bool(e, v);
}

void nf_put_str(struct nf_enc *e, const char *key, const char *v)
{
    nf_enc_str(e, key);
    nf_enc_str(e, v);
}

void nf_put_nil(struct nf_enc *e, const char *key)
{
    nf_enc_str(e, key);
    nf_enc_nil(e);
}

void nf_put_sizes(struct nf_enc *e, const char *key, const size_t *v, size_t n)
{
    nf_enc_str(e, key);
    nf_enc_array(e, n);
    for (size_t i = 0; i < n; i++)
        nf_enc_uint(e, v[i]);
}

void nf_put_u64s(struct nf_enc *e, const char *key, const uint64_t *v, size_t n)
{
    nf_enc_str(e, key);
    nf_enc_array(e, n);
    for (size_t i = 0; i < n; i++)
        nf_enc_uint(e, v[i]);
}

void nf_put_reals(struct nf_enc *e, const char *key, const double *v, size_t n)
{
    nf_enc_str(e, key);
    nf_enc_array(e, n);
    for (size_t i = 0; i < n; i++)
        nf_enc_real_or_nil(e, v[i]);
}

static void put_tensor(struct nf_enc *e, const char *key, struct nf_tensor t)
{
    nf_enc_str(e, key);
    nf_enc_tensor(e, &t);
}

void nf_put_1d(struct nf_enc *e, const char *key, enum nf_dtype type, const void *data, size_t n)
{
    put_tensor(e, key, nf_tensor_1d(type, data, n));
}

void nf_put_2d(struct nf_enc *e, const char *key, enum nf_dtype type, const void *data, size_t a, size_t b)
{
    put_tensor(e, key, nf_tensor_2d(type, data, a, b));
}

void nf_put_3d(struct nf_enc *e, const char *key, enum nf_dtype type, const void *data, size_t a, size_t b, size_t c)
{
    put_tensor(e, key, nf_tensor_3d(type, data, a, b, c));
}
