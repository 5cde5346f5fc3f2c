/* tokens.c - window records. */
#include "record/tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/put.h"
#include "stream/mp.h"

static int check(const struct nf_window *w, size_t V, struct nf_err *err)
{
    for (size_t i = 0; i < w->T; i++)
        if (w->ids[i] >= V)
            return nf_fail(err, NF_EFORMAT,
                           "document %llu, window %llu: token id %u at position %zu is outside the vocabulary of %zu",
                           (unsigned long long)w->doc, (unsigned long long)w->window, (unsigned)w->ids[i], i, V);
    return NF_OK;
}

int nf_window_read(const msgpack_object *rec, size_t V, size_t context, struct nf_window *w, struct nf_err *err)
{
    struct nf_tensor ids;

    if (!nf_mp_is(rec, "window"))
        return nf_fail(err, NF_EFORMAT, "a window record is wanted");
    if (nf_mp_uint(rec, "doc", UINT32_MAX, &w->doc, err) < 0 || nf_mp_uint(rec, "window", UINT32_MAX, &w->window, err) < 0 ||
        nf_mp_uint(rec, "start", UINT32_MAX, &w->start, err) < 0 || nf_mp_bool(rec, "bos", &w->bos, err) < 0 ||
        nf_mp_tensor(rec, "ids", NF_U32, 1, &ids, err) < 0)
        return NF_EFORMAT;
    w->T = ids.shape[0];
    if (w->T < 1 || w->T > context)
        return nf_fail(err, NF_EFORMAT, "document %llu, window %llu: %zu tokens, from 1 to %zu are wanted",
                       (unsigned long long)w->doc, (unsigned long long)w->window, w->T, context);
    if (nf_grow(&w->own, &w->own_cap, w->T, sizeof *w->own, err) < 0)
        return NF_ESYS;
    memcpy(w->own, ids.data, w->T * sizeof *w->own);
    w->ids = w->own;
    return check(w, V, err);
}

void nf_window_write(struct nf_writer *out, const struct nf_window *w)
{
    struct nf_enc *e = nf_put_record(out, "window", 5);

    nf_put_uint(e, "doc", w->doc);
    nf_put_uint(e, "window", w->window);
    nf_put_uint(e, "start", w->start);
    nf_put_bool(e, "bos", w->bos);
    nf_put_1d(e, "ids", NF_U32, w->ids, w->T);
    nf_writer_end(out);
}

void nf_window_clear(struct nf_window *w)
{
    free(w->own);
    *w = (struct nf_window){ 0 };
}
