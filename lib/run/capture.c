/* capture.c - rows from the forward pass: positions selected, narrowed, written. */
#include "run/capture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static enum nf_dtype type_of_site(const struct nf_capture *c, enum nf_site site)
{
    if (site == NF_SITE_FFN_ACTIVE)
        return NF_U8;
    return c->half && site != NF_SITE_PRED ? NF_F16 : NF_F32;   /* f16 has no room for an id */
}

static bool capture_wants(void *self, enum nf_site site, size_t layer)
{
    return nf_sites_want(((const struct nf_capture *)self)->sites, site, layer);
}

/* n floats to f16; n_bad: index of the first finite one that becomes infinite, else n. */
static size_t narrow(const float *x, size_t n, uint16_t *y)
{
    size_t bad = n;

    for (size_t i = n; i-- > 0;) {
        y[i] = nf_f32_to_f16(x[i]);
        if ((y[i] & 0x7fff) == 0x7c00 && isfinite(x[i]))
            bad = i;
    }
    return bad;
}

static int put_row(const struct nf_capture *c, const struct nf_rows *r, size_t i, unsigned char *to)
{
    const size_t size = r->site == NF_SITE_FFN_ACTIVE ? 1 : sizeof(float);
    const unsigned char *from = (const unsigned char *)r->data + i * r->width * size;
    size_t bad;

    if (type_of_site(c, r->site) != NF_F16) {
        memcpy(to, from, r->width * size);
        return NF_OK;
    }
    bad = narrow((const float *)(const void *)from, r->width, (uint16_t *)(void *)to);
    if (bad < r->width)
        return nf_fail(c->err, NF_EFORMAT, "batch %llu, row %zu: site %s, layer %zu: unit %zu is %g: too large for f16, use f32",
                       (unsigned long long)c->batch, r->row + i, nf_site_name(r->site), r->layer, bad,
                       (double)((const float *)r->data)[i * r->width + bad]);
    return NF_OK;
}

/* The selected rows, one after the other, in c->buf. */
static int gather_rows(struct nf_capture *c, const struct nf_rows *r, size_t n)
{
    size_t row_bytes = nf_capture_row_bytes(c, r->site), at = 0;

    if (nf_grow(&c->buf, &c->buf_cap, n * row_bytes, 1, c->err) < 0)
        return NF_ESYS;
    for (size_t i = 0; i < r->rows; i++) {
        if (c->before[r->row + i + 1] == c->before[r->row + i])
            continue;
        if (put_row(c, r, i, c->buf + at) < 0)
            return NF_EFORMAT;
        at += row_bytes;
    }
    return NF_OK;
}

/* pred has no loss and no rank at the end of a window. */
static int check_rows_finite(const struct nf_capture *c, const struct nf_rows *r)
{
    const float *x = r->data;

    if (c->allow_nonfinite || r->site == NF_SITE_FFN_ACTIVE)
        return NF_OK;
    for (size_t i = 0; i < r->rows * r->width; i++)
        if (!isfinite(x[i]) && !(r->site == NF_SITE_PRED && i % r->width % 3 == 0 && isnan(x[i])))
            return nf_fail(c->err, NF_EFORMAT, "batch %llu, row %zu: site %s, layer %zu: unit %zu is %g",
                           (unsigned long long)c->batch, r->row + i / r->width, nf_site_name(r->site), r->layer, i % r->width,
                           (double)x[i]);
    return NF_OK;
}

static struct nf_tensor shaped(const struct nf_capture *c, enum nf_site site, size_t rows, const void *data)
{
    size_t dims[2];

    if (nf_site_shape(site, c->cfg, dims) == 2)
        return nf_tensor_3d(type_of_site(c, site), data, rows, dims[0], dims[1]);
    return nf_tensor_2d(type_of_site(c, site), data, rows, dims[0]);
}

static int write_tap_rows(void *self, const struct nf_rows *r)
{
    struct nf_capture *c = self;
    size_t from = c->before[r->row], n = c->before[r->row + r->rows] - from;
    struct nf_site_rows rec = { .batch = c->batch, .layer = r->layer, .row = from };
    const void *data = r->data;

    if (n == 0)
        return (int)c->err->code;
    if (check_rows_finite(c, r) < 0)
        return NF_EFORMAT;
    if (n < r->rows || type_of_site(c, r->site) == NF_F16) {
        if (gather_rows(c, r, n) < 0)
            return (int)c->err->code;
        data = c->buf;
    }
    for (size_t i = 0; r->near_zero && i < r->rows; i++)
        if (c->before[r->row + i + 1] > c->before[r->row + i])
            rec.near_zero += r->near_zero[i];
    c->near_zero += rec.near_zero;
    strcpy(rec.site, nf_site_name(r->site));   /* at most 10 bytes */
    rec.data = shaped(c, r->site, n, data);
    nf_site_rows_write(c->out, &rec);
    return (int)c->err->code;
}

struct nf_tap nf_capture_tap(struct nf_capture *c, float near_zero)
{
    return (struct nf_tap){ c, capture_wants, write_tap_rows, near_zero };
}

int nf_capture_batch(struct nf_capture *c, const struct nf_batch *b)
{
    size_t t = 0;

    if (nf_grow(&c->before, &c->before_cap, b->T + 1, sizeof *c->before, c->err) < 0)
        return NF_ESYS;
    c->batch = b->batch;
    c->before[0] = 0;
    for (size_t w = 0; w < b->W; w++)
        for (size_t p = 0; p < b->length[w]; p++, t++)
            c->before[t + 1] = c->before[t] + (p >= c->positions.from && p < c->positions.to);
    c->rows += c->before[t];
    nf_batch_write(c->out, b);
    return (int)c->err->code;
}

size_t nf_capture_row_bytes(const struct nf_capture *c, enum nf_site site)
{
    return nf_site_width(site, c->cfg) * nf_dtype_size(type_of_site(c, site));
}

static json_t *one_site(const struct nf_capture *c, enum nf_site site)
{
    size_t units = site == NF_SITE_FFN_ACTIVE ? c->cfg->F : nf_site_width(site, c->cfg);
    json_t *layers = json_array();

    for (size_t l = 0; layers && l <= c->cfg->L; l++)
        if (nf_sites_want(c->sites, site, l))
            json_array_append_new(layers, json_integer((json_int_t)l));
    return json_pack("{s:s, s:o, s:s, s:I, s:s}", "site", nf_site_name(site), "layers", layers, "dtype",
                     nf_dtype_name(type_of_site(c, site)), "width", (json_int_t)units, "unit", nf_site_unit(site));
}

json_t *nf_capture_sites(const struct nf_capture *c)
{
    json_t *all = json_array();

    for (enum nf_site s = 0; all && s < NF_SITE_COUNT; s++)
        if (nf_sites_any(c->sites, s))
            json_array_append_new(all, one_site(c, s));
    return all;
}

void nf_capture_clear(struct nf_capture *c)
{
    free(c->before);
    free(c->buf);
    c->before = NULL;
    c->buf = NULL;
    c->before_cap = c->buf_cap = 0;
}
