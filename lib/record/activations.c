/* activations.c - batch and site records. */
#include "record/activations.h"

#include <string.h>

#include "base/par.h"
#include "record/field.h"

/* ---- batch ---- */

#define REC struct nf_batch
static const struct nf_field batch[] = {
    SIZE(W, "windows", .min = 1),
    SIZE(T, "tokens, the sum of `length`"),
    UINT(batch, "0, 1, ..", IN_U32),
    ARRAY(doc, U32, "W", "document of each window"),
    ARRAY(window, U32, "W", "its number in the document"),
    ARRAY(start, U32, "W", "index of its first text token in the document's tokens"),
    ARRAY(length, U32, "W", "its tokens", .min = 1, .below = "context+1"),
    ARRAY(bos, U8, "W", "1: its first token is BOS", .max = 1),
    ARRAY(ids, U32, "T", "token ids", .below = "V"),
};

static int check_batch_record(const void *rec, struct nf_err *err)
{
    const struct nf_batch *b = rec;
    size_t T = 0;

    for (size_t w = 0; w < b->W; w++)
        T += b->length[w];
    return T == b->T ? NF_OK : nf_fail(err, NF_EFORMAT, "%zu ids, the sum of length = %zu expected", b->T, T);
}

const struct nf_record nf_batch_record =
    RECORD("batch", batch, "windows whose tokens lie one after the other in `ids`", .check = check_batch_record, .mem = NF_MEM);
#undef REC

/* Room for n elements at *p, which has room for `had`. */
static int move_to_larger(struct nf_batch *b, void *p, size_t had, size_t n, size_t size, struct nf_err *err)
{
    void **array = p, *larger = nf_mem_get(&b->mem, n, size, err);

    if (!larger)
        return NF_ESYS;
    if (had)
        memcpy(larger, *array, had * size);
    *array = larger;
    return NF_OK;
}

int nf_batch_reserve(struct nf_batch *b, size_t W, size_t T, struct nf_err *err)
{
    uint32_t **const of_window[] = { &b->doc, &b->window, &b->start, &b->length };

    if (W > b->W_cap) {
        size_t cap = nf_max(W, 2 * b->W_cap);

        for (size_t i = 0; i < 4; i++)
            if (move_to_larger(b, of_window[i], b->W_cap, cap, sizeof **of_window[i], err) < 0)
                return NF_ESYS;
        if (move_to_larger(b, &b->bos, b->W_cap, cap, sizeof *b->bos, err) < 0)
            return NF_ESYS;
        b->W_cap = cap;
    }
    if (T > b->T_cap) {
        size_t cap = nf_max(T, 2 * b->T_cap);

        if (move_to_larger(b, &b->ids, b->T_cap, cap, sizeof *b->ids, err) < 0)
            return NF_ESYS;
        b->T_cap = cap;
    }
    return NF_OK;
}

/* ---- site ---- */

#define REC struct nf_site_rows
static const struct nf_field site[] = {
    UINT(batch, "batch that the rows are of", IN_U32),
    NAME(site, "name of the site"),
    UINT(layer, "layer, from 0; of `pred` and `logits`: L", .below = "L+1", IN_U32),
    UINT(row, "first row: rows are the batch's selected positions, in order", IN_U32),
    UINT(near_zero, "`ffn.active` only: pre-activations of these rows with |pre| < `capture.near_zero`", .flags = NF_OPT),
    ANY(data, "rows row .. row + R - 1", .shape = "R,..", .flags = NF_LOOSE),
};

static int check_site_record(const void *rec, struct nf_err *err)
{
    const struct nf_site_rows *s = rec;
    bool active = strcmp(s->site, "ffn.active") == 0;
    enum nf_dtype t = s->data.dtype;

    if (active && s->near_zero == NF_NONE)
        return nf_fail(err, NF_EFORMAT, "near_zero: missing");
    if (s->data.ndim < 2 || s->data.shape[0] == 0)
        return nf_fail(err, NF_EFORMAT, "data of %s, layer %zu: a tensor of rows expected", s->site, s->layer);
    if (active ? t != NF_U8 : t != NF_F32 && t != NF_F16)
        return nf_fail(err, NF_EFORMAT, "data of %s, layer %zu: type %s, %s expected", s->site, s->layer, nf_dtype_name(t),
                       active ? "u8" : "f32 or f16");
    return NF_OK;
}

const struct nf_record nf_site_record = RECORD("site", site, "rows of one site of one layer", .check = check_site_record);
#undef REC

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
        nf_record_write(&nf_site_record, out, &part);
        if (part.near_zero != NF_NONE)
            part.near_zero = 0;
    }
}
