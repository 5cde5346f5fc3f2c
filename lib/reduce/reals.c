/* reals.c - rows of real-valued sites into moments, histograms and highest positions. */
#include "reduce/reals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "reduce/reals_impl.h"

enum { PRED_TOP1 = 2 };   /* the column of pred that holds an id */

struct nf_reals *nf_reals_open(size_t top, size_t context, struct nf_err *err)
{
    struct nf_reals *r = nf_alloc(1, sizeof *r, err);

    if (!r)
        return NULL;
    *r = (struct nf_reals){ .k = top, .C = context };
    r->context = nf_alloc(context, sizeof *r->context, err);
    if (!r->context) {
        nf_reals_close(r);
        return NULL;
    }
    return r;
}

static void close_distribution(struct nf_distribution *d)
{
    nf_moments_close(&d->moments);
    nf_histogram_close(&d->histogram);
}

static void close_site(struct nf_real_site *s)
{
    close_distribution(&s->all);
    for (size_t q = 0; q < NF_DOMAINS_MAX; q++)
        if (s->domain[q]) {
            close_distribution(s->domain[q]);
            free(s->domain[q]);
        }
    nf_top_close(&s->top);
    free(s);
}

void nf_reals_close(struct nf_reals *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->sites; i++)
        close_site(r->site[i]);
    free(r->site);
    free(r->context);
    free(r->x);
    free(r);
}

static int open_distribution(struct nf_distribution *d, size_t W, struct nf_err *err)
{
    d->open = true;
    return nf_moments_open(&d->moments, W, err) < 0 || nf_histogram_open(&d->histogram, W, err) < 0 ? NF_ESYS : NF_OK;
}

struct nf_distribution *nf_reals_distribution(struct nf_real_site *s, size_t domain, struct nf_err *err)
{
    struct nf_distribution **d;

    if (domain == SIZE_MAX)
        return &s->all;
    d = &s->domain[domain];
    if (!*d)
        *d = nf_alloc(1, sizeof **d, err);
    return *d && ((*d)->open || open_distribution(*d, s->W, err) == NF_OK) ? *d : NULL;
}

size_t nf_reals_unit_bytes(size_t top, size_t context)
{
    size_t moments = sizeof(uint64_t) + 2 * sizeof(float) + 4 * sizeof(struct nf_exact) + sizeof(struct nf_window_sums) / NF_UNITS;
    size_t histogram = sizeof(uint64_t) + 2 * NF_OCTAVES * sizeof(uint32_t);

    return moments + histogram + sizeof(size_t) + sizeof(float) + top * (sizeof(struct nf_top_entry) + context * sizeof(uint32_t));
}

struct nf_real_site *nf_reals_find(struct nf_reals *r, const char *site, size_t layer)
{
    for (size_t i = 0; i < r->sites; i++)
        if (r->site[i]->layer == layer && strcmp(r->site[i]->site, site) == 0)
            return r->site[i];
    return NULL;
}

static int by_name_and_layer(const void *a, const void *b)
{
    const struct nf_real_site *const *x = a, *const *y = b;
    int names = strcmp((*x)->site, (*y)->site);

    return names ? names : ((*x)->layer > (*y)->layer) - ((*x)->layer < (*y)->layer);
}

int nf_reals_site(struct nf_reals *r, const char *site, size_t layer, size_t W, struct nf_err *err)
{
    struct nf_real_site *s;

    if (strlen(site) >= sizeof s->site || !W || nf_reals_find(r, site, layer))
        return nf_fail(err, NF_EFORMAT, "sites: %s of layer %zu: too long a name, no units, or there twice", site, layer);
    s = nf_alloc(1, sizeof *s, err);
    if (!s || nf_grow(&r->site, &r->site_cap, r->sites + 1, sizeof *r->site, err) < 0) {
        free(s);
        return NF_ESYS;
    }
    r->site[r->sites++] = s;
    strcpy(s->site, site);
    s->layer = layer;
    s->W = W;
    s->by_domain = strcmp(site, "pred") == 0;
    if (open_distribution(&s->all, W, err) < 0 || nf_top_open(&s->top, W, r->k, r->C, err) < 0)
        return NF_ESYS;
    qsort(r->site, r->sites, sizeof *r->site, by_name_and_layer);
    return NF_OK;
}

int nf_reals_end(struct nf_reals *r, struct nf_err *err)
{
    for (size_t i = 0; r->rows && i < r->sites; i++)
        if (r->site[i]->row < r->rows->R)
            return nf_fail(err, NF_EFORMAT, "batch %llu: %s of layer %zu has %zu of %zu rows",
                           (unsigned long long)r->rows->batch->batch, r->site[i]->site, r->site[i]->layer, r->site[i]->row,
                           r->rows->R);
    r->rows = NULL;
    return NF_OK;
}

void nf_reals_batch(struct nf_reals *r, const struct nf_batch_rows *rows, const size_t *domain)
{
    r->rows = rows;
    r->domain = domain;
    for (size_t i = 0; i < r->sites; i++)
        r->site[i]->row = 0;
}

static size_t padded(size_t W)
{
    return nf_blocks(W, NF_UNITS) * NF_UNITS;
}

/* One row as f32, checked, padded with NaN; -0 becomes 0, so that a minimum does not depend on the order. */
static int take_real_row(const struct nf_reals *r, const struct nf_real_site *s, enum nf_dtype type, const char *data, size_t row,
                         float *x, struct nf_err *err)
{
    nf_to_f32(type, data, s->W, x);
    for (size_t u = s->W; u < padded(s->W); u++)
        x[u] = NAN;
    if (s->by_domain && s->W > PRED_TOP1)
        x[PRED_TOP1] = NAN;
    for (size_t u = 0; u < s->W; u++) {
        if (!(fabsf(x[u]) < 0x1p31f) && !(s->by_domain && isnan(x[u])))
            return nf_fail(err, NF_EFORMAT,
                           "batch %llu: %s of layer %zu, row %zu, unit %zu is %g: finite values under 2^31 are expected",
                           (unsigned long long)r->rows->batch->batch, s->site, s->layer, row, u, (double)x[u]);
        x[u] += 0.0f;
    }
    return NF_OK;
}

/* Tokens up to and including a position. */
static void tokens_before(struct nf_reals *r, size_t window, size_t pos)
{
    const uint32_t *ids = r->rows->batch->ids + r->rows->first[window];

    for (size_t i = 0; i < r->C; i++)
        r->context[r->C - 1 - i] = i <= pos ? ids[pos - i] : NF_TOP_NONE;
}

static void offer_rows(struct nf_reals *r, struct nf_real_site *s, size_t u0, size_t u1, const float *x, size_t rows, size_t stride,
                       size_t row)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t u = u0; u < u1; u++) {
            float v = x[i * stride + u];
            size_t w = r->rows->window[row + i];

            if (!(v >= s->top.floor[u]))
                continue;
            tokens_before(r, w, r->rows->pos[row + i]);
            nf_top_offer(&s->top, u,
                         &(struct nf_top_entry){ v, r->rows->batch->doc[w], r->rows->batch->window[w], r->rows->pos[row + i] },
                         r->context);
        }
}

static int bin_rows(struct nf_distribution *d, size_t u0, size_t u1, const float *x, size_t rows, size_t stride, struct nf_err *err)
{
    for (size_t u = u0; u < u1; u++)
        for (size_t i = 0; i < rows; i++) {
            float v = x[i * stride + u];

            if (v == v && nf_histogram_add(&d->histogram, u, nf_histogram_bin(v), 1, err) < 0)
                return NF_ESYS;
        }
    return NF_OK;
}

/* Rows of one window, `row` the first of them in the batch. */
static int add_window_rows(struct nf_reals *r, struct nf_real_site *s, const float *x, size_t rows, size_t row, bool start,
                           bool end, struct nf_err *err)
{
    struct nf_distribution *of[2] = { &s->all, NULL };
    size_t stride = padded(s->W), targets = 1;

    if (s->by_domain) {
        of[1] = nf_reals_distribution(s, r->domain[r->rows->window[row]], err);
        targets = 2;
        if (!of[1])
            return NF_ESYS;
    }
    for (size_t u = 0; u < s->W; u += NF_UNITS) {
        size_t u1 = nf_min(u + NF_UNITS, s->W);

        for (size_t i = 0; i < targets; i++) {
            nf_moments_rows(&of[i]->moments, u / NF_UNITS, x + u, rows, stride, start, end);
            if (bin_rows(of[i], u, u1, x, rows, stride, err) < 0)
                return NF_ESYS;
        }
        offer_rows(r, s, u, u1, x, rows, stride, row);
    }
    return NF_OK;
}

static bool is_first(const struct nf_batch_rows *r, size_t row)
{
    return row == 0 || r->window[row - 1] != r->window[row] || !nf_row_counted(r, row - 1);
}

int nf_reals_rows(struct nf_reals *r, const struct nf_site_rows *rows, struct nf_err *err)
{
    struct nf_real_site *s = nf_reals_find(r, rows->site, rows->layer);
    const struct nf_batch_rows *at = r->rows;
    const struct nf_tensor *t = &rows->data;
    size_t R = t->shape[0], stride, W = 1, n;

    for (size_t i = 1; i < t->ndim; i++)
        W *= t->shape[i];
    if (!s || W != s->W || !at || rows->batch != at->batch->batch || rows->row != s->row || R > at->R - s->row)
        return nf_fail(err, NF_EFORMAT,
                       "batch %llu: %s of layer %zu, row %zu: not in the header's sites, of another width, or out of order",
                       (unsigned long long)rows->batch, rows->site, rows->layer, rows->row);
    stride = padded(s->W);
    if (nf_grow(&r->x, &r->x_cap, R * stride, sizeof *r->x, err) < 0)
        return NF_ESYS;
    for (size_t i = 0; i < R; i++)
        if (take_real_row(r, s, t->dtype, (const char *)t->data + i * W * nf_dtype_size(t->dtype), s->row + i, r->x + i * stride,
                          err) < 0)
            return NF_EFORMAT;
    for (size_t i = 0; i < R; i += n) {
        size_t row = s->row + i;

        for (n = 1; i + n < R && at->window[row + n] == at->window[row] && nf_row_counted(at, row); n++)
            ;
        if (nf_row_counted(at, row) && add_window_rows(r, s, r->x + i * stride, n, row, is_first(at, row),
                                                       row + n == at->R || at->window[row + n] != at->window[row], err) < 0)
            return err->code;
    }
    s->row += R;
    return NF_OK;
}
