/* verify.c - the rows of a forward pass and those of a reference, side by side. */
#include "run/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "model/sites.h"
#include "record/activations.h"
#include "stream/mp.h"

/* Rows of one site of the layer at hand that the reference has given and the pass not yet. */
struct shelf {
    void *data;              /* [have - from, width] float; uint8 of ffn.active */
    size_t cap;              /* bytes */
    size_t from, have;       /* rows of the batch */
};

struct verify_run {
    const struct nf_config *cfg;
    struct nf_reader *in;
    struct nf_verify *p;
    bool *want[NF_SITE_COUNT];          /* [L+1] in the reference */
    struct nf_sizes sizes;
    struct nf_batch batch;
    size_t layer;                       /* at hand */
    struct shelf shelf[NF_SITE_COUNT];
    float *pre;                         /* [rows, F] ours, of the chunk whose signs come next */
    size_t pre_cap;
    struct nf_err *err;
};

/* ---- the header ---- */

static int refuse_reference(const struct verify_run *r, const char *what)
{
    return nf_fail(r->err, NF_EFORMAT, "%s: %s", nf_reader_what(r->in), what);
}

static int check_sizes(const struct verify_run *r, const json_t *model)
{
    const struct nf_config *c = r->cfg;
    const struct {
        const char *name;
        size_t ours;
    } size[] = { { "L", c->L }, { "D", c->D }, { "H", c->H }, { "F", c->F }, { "V", c->V } };

    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        json_int_t v = json_integer_value(json_object_get(model, size[i].name));

        if (v != (json_int_t)size[i].ours)
            return nf_fail(r->err, NF_EFORMAT, "%s: made with a model of %s = %lld, %s has %zu", nf_reader_what(r->in),
                           size[i].name, (long long)v, c->name, size[i].ours);
    }
    return NF_OK;
}

static int read_reference_site(struct verify_run *r, const json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "site"));
    const json_t *layers = json_object_get(entry, "layers");
    enum nf_site site = name ? nf_site_find(name) : NF_SITE_COUNT;
    struct nf_verify_site *s = &r->p->site[site == NF_SITE_COUNT ? 0 : site];

    if (site == NF_SITE_COUNT || (site == NF_SITE_FFN_UP && !r->cfg->gated) || (site == NF_SITE_RESID_MID && r->cfg->parallel))
        return nf_fail(r->err, NF_EFORMAT, "%s: site %.40s, which %s has not", nf_reader_what(r->in),
                       name ? name : "without a name", r->cfg->name);
    for (size_t i = 0; i < json_array_size(layers); i++) {
        json_int_t l = json_integer_value(json_array_get(layers, i));

        if (l < 0 || (size_t)l > r->cfg->L || ((size_t)l == r->cfg->L) != nf_site_is_final(site))
            return nf_fail(r->err, NF_EFORMAT, "%s: site %s of layer %lld, which %s has not", nf_reader_what(r->in), name,
                           (long long)l, r->cfg->name);
        s->there = true;
        s->layers += !r->want[site][l];
        r->want[site][l] = true;
    }
    return NF_OK;
}

static int read_reference_header(struct verify_run *r)
{
    const json_t *h = nf_reader_header(r->in), *sites = json_object_get(h, "sites"),
                 *positions = json_object_get(json_object_get(h, "capture"), "positions");
    json_int_t context = json_integer_value(json_object_get(h, "context"));

    if (json_integer_value(json_array_get(positions, 0)) != 0 || !json_is_null(json_array_get(positions, 1)))
        return refuse_reference(r, "holds some positions only, all are expected");
    if (context < 1 || (uint64_t)context > r->cfg->max_positions)
        return refuse_reference(r, "header: context is not that of the model");
    r->sizes = (struct nf_sizes){ .V = r->cfg->V, .context = (size_t)context, .L = r->cfg->L };
    if (check_sizes(r, json_object_get(h, "model")) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; i < json_array_size(sites); i++)
        if (read_reference_site(r, json_array_get(sites, i)) < 0)
            return NF_EFORMAT;
    return NF_OK;
}

/* ---- the reference's rows ---- */

static size_t count_site_bytes(const struct verify_run *r, enum nf_site site)
{
    return nf_site_width(site, r->cfg) * (site == NF_SITE_FFN_ACTIVE ? 1 : sizeof(float));
}

/* Put the record's rows behind those that its shelf holds. */
static int store(struct verify_run *r, const msgpack_object *rec)
{
    struct nf_site_rows rows;
    enum nf_site site;
    struct shelf *s;
    size_t n, bytes;

    if (!nf_mp_is(rec, "site"))
        return refuse_reference(r, "rows of a batch are missing");
    if (nf_record_read(&nf_site_record, rec, &r->sizes, &rows, r->err) < 0)
        return NF_EFORMAT;
    site = nf_site_find(rows.site);
    if (rows.batch != r->batch.batch || rows.layer != r->layer || site == NF_SITE_COUNT || !r->want[site][rows.layer])
        return nf_fail(r->err, NF_EFORMAT, "%s: rows of site %s, batch %llu, layer %zu, where layer %zu of batch %llu was at hand",
                       nf_reader_what(r->in), rows.site, (unsigned long long)rows.batch, rows.layer, r->layer,
                       (unsigned long long)r->batch.batch);
    s = &r->shelf[site];
    bytes = count_site_bytes(r, site);
    if (!nf_tensor_count(&rows.data, &n) || rows.data.ndim < 2 || rows.data.shape[0] == 0 ||
        n / rows.data.shape[0] != nf_site_width(site, r->cfg) || rows.row != s->have || rows.data.shape[0] > r->batch.T - s->have ||
        (site == NF_SITE_FFN_ACTIVE ? rows.data.dtype != NF_U8 : !nf_dtype_real(rows.data.dtype)))
        return nf_fail(r->err, NF_EFORMAT, "%s: site %s, layer %zu: rows of another shape or order", nf_reader_what(r->in),
                       rows.site, rows.layer);
    if (nf_grow(&s->data, &s->cap, (s->have - s->from + rows.data.shape[0]) * bytes, 1, r->err) < 0)
        return NF_ESYS;
    if (site == NF_SITE_FFN_ACTIVE)
        memcpy((char *)s->data + (s->have - s->from) * bytes, rows.data.data, n);
    else
        nf_to_f32(rows.data.dtype, rows.data.data, n, (float *)((char *)s->data + (s->have - s->from) * bytes));
    s->have += rows.data.shape[0];
    return NF_OK;
}

/* Read until the shelf holds the batch's rows below `end`. */
static int fetch(struct verify_run *r, struct shelf *s, size_t end)
{
    const msgpack_object *rec;
    int rc = NF_OK;

    while (rc == NF_OK && s->have < end) {
        rc = nf_reader_next(r->in, &rec);
        if (rc == NF_OK)
            rc = store(r, rec);
        else if (rc == NF_EOF)
            rc = refuse_reference(r, "rows of the last batch are missing");
    }
    return rc;
}

/* ---- comparing ---- */

/* Where row `row` of the batch is. */
static void locate(const struct verify_run *r, size_t row, struct nf_verify_site *s)
{
    size_t w = 0;

    while (row >= r->batch.length[w])
        row -= r->batch.length[w++];
    s->window = (size_t)r->p->windows + w;
    s->position = row;
}

static void compare_real(struct verify_run *r, const struct nf_rows *rows, const float *want, size_t columns)
{
    struct nf_verify_site *s = &r->p->site[rows->site];

    for (size_t i = 0; i < rows->rows; i++)
        for (size_t k = 0; k < columns; k++) {
            double a = ((const float *)rows->data)[i * rows->width + k], b = want[i * rows->width + k], off = fabs(a - b);

            s->elements++;
            if (isnan(a) && isnan(b))
                continue;
            if (isnan(off))
                off = a == b ? 0 : INFINITY;
            if (fabs(b) > s->largest)
                s->largest = fabs(b);
            if (off > s->off || s->elements == 1) {
                s->off = off;
                s->layer = rows->layer;
                s->unit = k;
                s->ours = a;
                s->theirs = b;
                locate(r, rows->row + i, s);
            }
        }
}

static void compare_bits(struct verify_run *r, const struct nf_rows *rows, const uint8_t *want)
{
    struct nf_verify_site *s = &r->p->site[rows->site];
    const uint8_t *ours = rows->data;
    size_t F = r->cfg->F;

    s->elements += rows->rows * F;
    for (size_t i = 0; i < rows->rows; i++)
        for (size_t f = 0; f < F; f++) {
            if (!((ours[i * rows->width + f / 8] ^ want[i * rows->width + f / 8]) >> f % 8 & 1))
                continue;
            s->bits++;
            if (fabsf(r->pre[i * F + f]) >= s->bit_pre) {
                s->bit_pre = fabsf(r->pre[i * F + f]);
                s->layer = rows->layer;
                s->unit = f;
                locate(r, rows->row + i, s);
            }
        }
}

struct softmax {
    size_t top;
    double max, sum;
};

static struct softmax softmax_of(const float *x, size_t n)
{
    struct softmax s = { 0, x[0], 0 };

    for (size_t v = 1; v < n; v++)
        if (x[v] > s.max) {
            s.max = x[v];
            s.top = v;
        }
    for (size_t v = 0; v < n; v++)
        s.sum += exp(x[v] - s.max);
    return s;
}

static void compare_distributions(struct verify_run *r, const struct nf_rows *rows, const float *want)
{
    for (size_t i = 0; i < rows->rows; i++) {
        const float *a = (const float *)rows->data + i * rows->width, *b = want + i * rows->width;
        struct softmax p = softmax_of(a, rows->width), q = softmax_of(b, rows->width);
        double tv = 0, kl = 0, log_p = log(p.sum), log_q = log(q.sum);

        for (size_t v = 0; v < rows->width; v++) {
            double x = exp(a[v] - p.max) / p.sum, y = exp(b[v] - q.max) / q.sum;

            tv += fabs(x - y) / 2;
            kl += y > 0 ? y * ((b[v] - q.max - log_q) - (a[v] - p.max - log_p)) : 0;
        }
        r->p->rows++;
        r->p->top_same += p.top == q.top;
        r->p->tv_sum += tv;
        r->p->kl_sum += kl;
        r->p->tv_most = tv <= r->p->tv_most ? r->p->tv_most : tv;   /* NaN stays */
    }
}

static int keep_pre(struct verify_run *r, const struct nf_rows *rows)
{
    size_t bytes = rows->rows * rows->width * sizeof *r->pre;

    if (nf_grow(&r->pre, &r->pre_cap, bytes, 1, r->err) < 0)
        return NF_ESYS;
    memcpy(r->pre, rows->data, bytes);
    return NF_OK;
}

static void next_layer(struct verify_run *r, size_t layer)
{
    r->layer = layer;
    for (size_t i = 0; i < NF_SITE_COUNT; i++)
        r->shelf[i].from = r->shelf[i].have = 0;
}

static bool verify_wants(void *self, enum nf_site site, size_t layer)
{
    const struct verify_run *r = self;

    return r->want[site][layer] || (site == NF_SITE_FFN_PRE && r->want[NF_SITE_FFN_ACTIVE][layer]);
}

static int compare_rows(void *self, const struct nf_rows *rows)
{
    struct verify_run *r = self;
    struct shelf *s = &r->shelf[rows->site];
    int rc = NF_OK;

    if (rows->layer != r->layer)
        next_layer(r, rows->layer);
    if (rows->site == NF_SITE_FFN_PRE && r->want[NF_SITE_FFN_ACTIVE][rows->layer])
        rc = keep_pre(r, rows);
    if (rc < 0 || !r->want[rows->site][rows->layer])
        return rc;
    rc = fetch(r, s, rows->row + rows->rows);
    if (rc < 0)
        return rc;
    if (rows->site == NF_SITE_FFN_ACTIVE)
        compare_bits(r, rows, s->data);
    else
        compare_real(r, rows, s->data, rows->site == NF_SITE_PRED ? 2 : rows->width);
    if (rows->site == NF_SITE_LOGITS)
        compare_distributions(r, rows, s->data);
    /* what was compared leaves the shelf */
    memmove(s->data, (char *)s->data + rows->rows * count_site_bytes(r, rows->site),
            (s->have - rows->row - rows->rows) * count_site_bytes(r, rows->site));
    s->from = rows->row + rows->rows;
    return NF_OK;
}

/* ---- the run ---- */

/* All windows of a batch through one run: their rows come as the reference has them, layer by layer. */
static int verify_batch(struct verify_run *r, struct nf_forward **f, const struct nf_weights *w, struct nf_forward_opts *opts)
{
    const struct nf_windows win = { r->batch.ids, r->batch.length, r->batch.W, r->batch.T };
    int rc;

    if (!*f || nf_forward_get_plan(*f)->batch_tokens < win.T) {
        nf_forward_close(*f);
        opts->batch_tokens = win.T;
        *f = nf_forward_open(r->cfg, w, opts, r->sizes.context, r->err);
        if (!*f)
            return (int)r->err->code;
    }
    next_layer(r, 0);
    rc = nf_forward_run(*f, &win, r->err);
    r->p->windows += win.W;
    r->p->tokens += win.T;
    return rc;
}

static int run_all(struct verify_run *r, const struct nf_weights *w, struct nf_forward_opts *opts)
{
    struct nf_forward *f = NULL;
    const msgpack_object *rec;
    int rc;

    while ((rc = nf_reader_next(r->in, &rec)) == NF_OK) {
        if (nf_mp_is(rec, "batch")) {
            rc = nf_record_read(&nf_batch_record, rec, &r->sizes, &r->batch, r->err);
            if (rc == NF_OK)
                rc = verify_batch(r, &f, w, opts);
        } else if (nf_mp_is(rec, "site")) {
            rc = refuse_reference(r, "rows that belong to no batch, or more than a batch has");
        }
        if (rc < 0)
            break;
    }
    nf_forward_close(f);
    return rc < 0 ? rc : NF_OK;
}

int nf_verify_run(const struct nf_config *cfg, const struct nf_weights *w, const struct nf_forward_opts *opts, struct nf_reader *in,
                  struct nf_verify *p, struct nf_err *err)
{
    struct verify_run r = { .cfg = cfg, .in = in, .p = p, .err = err };
    const struct nf_tap tap = { &r, verify_wants, compare_rows, 0 };
    struct nf_forward_opts own = *opts;
    int rc = NF_OK;

    *p = (struct nf_verify){ 0 };
    own.tap = &tap;
    for (size_t i = 0; i < NF_SITE_COUNT && rc == NF_OK; i++)
        if (!(r.want[i] = nf_alloc(cfg->L + 1, sizeof *r.want[i], err)))
            rc = NF_ESYS;
    if (rc == NF_OK)
        rc = read_reference_header(&r);
    if (rc == NF_OK)
        rc = run_all(&r, w, &own);
    for (size_t i = 0; i < NF_SITE_COUNT; i++) {
        free(r.want[i]);
        free(r.shelf[i].data);
    }
    free(r.pre);
    nf_record_clear(&nf_batch_record, &r.batch);
    return rc;
}
