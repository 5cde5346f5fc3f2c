/* activations.c - batch and site records. */
#include "record/activations.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "record/put.h"
#include "stream/mp.h"

/* ---- batch ---- */

int nf_batch_reserve(struct nf_batch *b, size_t W, size_t T, struct nf_err *err)
{
    uint32_t **const of_window[] = { &b->doc, &b->window, &b->start, &b->length };
    size_t W_cap = b->W_cap;

    for (size_t i = 0; i < 4; i++) {
        W_cap = b->W_cap;
        if (nf_grow(of_window[i], &W_cap, W, sizeof **of_window[i], err) < 0)
            return NF_ESYS;
    }
    W_cap = b->W_cap;
    if (nf_grow(&b->bos, &W_cap, W, sizeof *b->bos, err) < 0)
        return NF_ESYS;
    b->W_cap = W_cap;
    return nf_grow(&b->ids, &b->T_cap, T, sizeof *b->ids, err);
}

static int check_captured(const struct nf_batch *b, size_t V, size_t context, struct nf_err *err)
{
    size_t T = 0;

    for (size_t w = 0; w < b->W; w++) {
        if (b->length[w] < 1 || b->length[w] > context)
            return nf_fail(err, NF_EFORMAT, "batch %llu: window %zu has %u tokens, from 1 to %zu are wanted",
                           (unsigned long long)b->batch, w, (unsigned)b->length[w], context);
        if (b->bos[w] > 1)
            return nf_fail(err, NF_EFORMAT, "batch %llu: bos: 0 or 1 is wanted", (unsigned long long)b->batch);
        T += b->length[w];
    }
    if (T != b->T)
        return nf_fail(err, NF_EFORMAT, "batch %llu: %zu ids, the windows have %zu tokens", (unsigned long long)b->batch, b->T, T);
    for (size_t t = 0; t < b->T; t++)
        if (b->ids[t] >= V)
            return nf_fail(err, NF_EFORMAT, "batch %llu: token id %u at row %zu is outside the vocabulary of %zu",
                           (unsigned long long)b->batch, (unsigned)b->ids[t], t, V);
    return NF_OK;
}

int nf_batch_read(const msgpack_object *rec, size_t V, size_t context, struct nf_batch *b, struct nf_err *err)
{
    static const char *const keys[] = { "doc", "window", "start", "length", "bos", "ids" };
    struct nf_tensor t[6];

    if (!nf_mp_is(rec, "batch"))
        return nf_fail(err, NF_EFORMAT, "a batch record is wanted");
    if (nf_mp_uint(rec, "batch", UINT32_MAX, &b->batch, err) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; i < 6; i++)
        if (nf_mp_tensor(rec, keys[i], i == 4 ? NF_U8 : NF_U32, 1, &t[i], err) < 0)
            return NF_EFORMAT;
    for (size_t i = 1; i < 5; i++)
        if (t[i].shape[0] != t[0].shape[0])
            return nf_fail(err, NF_EFORMAT, "batch %llu: %s has %zu values, doc has %zu", (unsigned long long)b->batch, keys[i],
                           t[i].shape[0], t[0].shape[0]);
    if (t[0].shape[0] == 0)
        return nf_fail(err, NF_EFORMAT, "batch %llu: no windows", (unsigned long long)b->batch);
    if (nf_batch_reserve(b, t[0].shape[0], t[5].shape[0], err) < 0)
        return NF_ESYS;
    b->W = t[0].shape[0];
    b->T = t[5].shape[0];
    memcpy(b->doc, t[0].data, b->W * sizeof *b->doc);
    memcpy(b->window, t[1].data, b->W * sizeof *b->window);
    memcpy(b->start, t[2].data, b->W * sizeof *b->start);
    memcpy(b->length, t[3].data, b->W * sizeof *b->length);
    memcpy(b->bos, t[4].data, b->W);
    memcpy(b->ids, t[5].data, b->T * sizeof *b->ids);
    return check_captured(b, V, context, err);
}

void nf_batch_write(struct nf_writer *out, const struct nf_batch *b)
{
    struct nf_enc *e = nf_put_record(out, "batch", 7);

    nf_put_uint(e, "batch", b->batch);
    nf_put_1d(e, "doc", NF_U32, b->doc, b->W);
    nf_put_1d(e, "window", NF_U32, b->window, b->W);
    nf_put_1d(e, "start", NF_U32, b->start, b->W);
    nf_put_1d(e, "length", NF_U32, b->length, b->W);
    nf_put_1d(e, "bos", NF_U8, b->bos, b->W);
    nf_put_1d(e, "ids", NF_U32, b->ids, b->T);
    nf_writer_end(out);
}

void nf_batch_clear(struct nf_batch *b)
{
    free(b->doc);
    free(b->window);
    free(b->start);
    free(b->length);
    free(b->bos);
    free(b->ids);
    *b = (struct nf_batch){ 0 };
}

/* ---- site ---- */

static bool is_active(const char *site)
{
    return strcmp(site, "ffn.active") == 0;
}

int nf_site_rows_read(const msgpack_object *rec, struct nf_site_rows *s, struct nf_err *err)
{
    const msgpack_object *data = nf_mp_find(rec, "data");
    uint64_t layer, row;
    const char *site;
    size_t n;
    bool active;

    if (!nf_mp_is(rec, "site"))
        return nf_fail(err, NF_EFORMAT, "a site record is wanted");
    if (nf_mp_uint(rec, "batch", UINT32_MAX, &s->batch, err) < 0 || nf_mp_str(rec, "site", &site, &n, err) < 0 ||
        nf_mp_uint(rec, "layer", UINT32_MAX, &layer, err) < 0 || nf_mp_uint(rec, "row", UINT32_MAX, &row, err) < 0)
        return NF_EFORMAT;
    if (n == 0 || n >= sizeof s->site || memchr(site, 0, n))
        return nf_fail(err, NF_EFORMAT, "site: a name of 1 to %zu bytes is wanted", sizeof s->site - 1);
    memcpy(s->site, site, n);
    s->site[n] = '\0';
    s->layer = (size_t)layer;
    s->row = (size_t)row;
    active = is_active(s->site);
    s->near_zero = 0;
    if (active && nf_mp_uint(rec, "near_zero", UINT64_MAX, &s->near_zero, err) < 0)
        return NF_EFORMAT;
    if (!data || nf_mp_tensor_any(data, &s->data) < 0 || s->data.ndim < 2 || s->data.shape[0] == 0)
        return nf_fail(err, NF_EFORMAT, "site %s, layer %zu: data: a tensor of rows is wanted", s->site, s->layer);
    if (active ? s->data.dtype != NF_U8 : s->data.dtype != NF_F32 && s->data.dtype != NF_F16)
        return nf_fail(err, NF_EFORMAT, "site %s, layer %zu: data of type %s is not expected", s->site, s->layer,
                       nf_dtype_name(s->data.dtype));
    return NF_OK;
}

static void write_rows(struct nf_writer *out, const struct nf_site_rows *s)
{
    bool active = is_active(s->site);
    struct nf_enc *e = nf_put_record(out, "site", active ? 6 : 5);

    nf_put_uint(e, "batch", s->batch);
    nf_put_str(e, "site", s->site);
    nf_put_uint(e, "layer", s->layer);
    nf_put_uint(e, "row", s->row);
    if (active) {
        nf_put_uint(e, "near_zero", s->near_zero);
    }
    nf_enc_str(e, "data");
    nf_enc_tensor(e, &s->data);
    nf_writer_end(out);
}

void nf_site_rows_write(struct nf_writer *out, const struct nf_site_rows *s)
{
    struct nf_site_rows part = *s;
    size_t size = nf_dtype_size(s->data.dtype), rows;

    for (size_t i = 1; i < s->data.ndim; i++)
        size *= s->data.shape[i];
    rows = nf_max(NF_SITE_RECORD_BYTES / nf_max(size, 1), 1);
    for (size_t from = 0; from < s->data.shape[0]; from += rows) {
        part.row = s->row + from;
        part.data.shape[0] = nf_min(rows, s->data.shape[0] - from);
        part.data.data = (const unsigned char *)s->data.data + from * size;
        write_rows(out, &part);
        part.near_zero = 0;
    }
}
