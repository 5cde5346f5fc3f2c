/* stats.c - records of kind stats. */
#include "record/stats.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/get.h"
#include "record/put.h"
#include "stream/mp.h"

/* Optional: absent means all domains together. */
static int read_domain(const msgpack_object *rec, size_t *domain, struct nf_err *err)
{
    *domain = SIZE_MAX;
    return nf_mp_find(rec, "domain") ? nf_get_size(rec, "domain", 0, NF_DOMAINS_MAX - 1, domain, err) : NF_OK;
}

/* ---- totals ---- */

static int read_domains(const msgpack_object *rec, struct nf_totals *t, struct nf_err *err)
{
    const msgpack_object *a;
    const void *tokens, *full;

    if (nf_mp_array(rec, "domains", &a, &t->Q, err) < 0)
        return NF_EFORMAT;
    if (t->Q > NF_DOMAINS_MAX) {
        size_t Q = t->Q;

        t->Q = 0;
        return nf_fail(err, NF_EFORMAT, "totals: %zu domains, at most %d are possible", Q, NF_DOMAINS_MAX);
    }
    for (size_t q = 0; q < t->Q; q++) {
        if (a[q].type != MSGPACK_OBJECT_STR || memchr(a[q].via.str.ptr, 0, a[q].via.str.size))
            return nf_fail(err, NF_EFORMAT, "totals: domain %zu is not a name", q);
        t->domain[q] = strndup(a[q].via.str.ptr, a[q].via.str.size);
        if (!t->domain[q])
            return nf_fail(err, NF_ESYS, "out of memory");
        if (q && strcmp(t->domain[q - 1], t->domain[q]) >= 0)
            return nf_fail(err, NF_EFORMAT, "totals: the domains are not in byte order");
    }
    if (nf_get_array(rec, "domain_tokens", NF_U64, &t->Q, NULL, NULL, &tokens, err) < 0 ||
        nf_get_array(rec, "domain_full", NF_U64, &t->Q, NULL, NULL, &full, err) < 0)
        return NF_EFORMAT;
    memcpy(t->domain_tokens, tokens, t->Q * sizeof *t->domain_tokens);
    memcpy(t->domain_full, full, t->Q * sizeof *t->domain_full);
    return NF_OK;
}

static int read_layers(const msgpack_object *rec, const char *key, size_t **layers, size_t *n, struct nf_err *err)
{
    const msgpack_object *a;

    if (nf_mp_array(rec, key, &a, n, err) < 0)
        return NF_EFORMAT;
    if (*n > NF_STATS_LAYERS_MAX)
        return nf_fail(err, NF_EFORMAT, "totals: %s: %zu layers, at most %d are possible", key, *n, NF_STATS_LAYERS_MAX);
    *layers = nf_alloc(*n, sizeof **layers, err);
    if (!*layers)
        return NF_ESYS;
    for (size_t i = 0; i < *n; i++) {
        if (a[i].type != MSGPACK_OBJECT_POSITIVE_INTEGER || a[i].via.u64 > UINT32_MAX || (i && a[i].via.u64 <= (*layers)[i - 1]))
            return nf_fail(err, NF_EFORMAT, "totals: %s are not layers in ascending order", key);
        (*layers)[i] = (size_t)a[i].via.u64;
    }
    return NF_OK;
}

static bool subset(const size_t *a, size_t n, const size_t *of, size_t m)
{
    for (size_t i = 0, j = 0; i < n; i++, j++) {
        while (j < m && of[j] < a[i])
            j++;
        if (j == m || of[j] != a[i])
            return false;
    }
    return true;
}

static int read_orders(const msgpack_object *rec, struct nf_totals *t, struct nf_err *err)
{
    const msgpack_object *a;
    size_t n;

    if (nf_mp_array(rec, "orders", &a, &n, err) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; i < n; i++) {
        if (a[i].type != MSGPACK_OBJECT_POSITIVE_INTEGER || a[i].via.u64 < 1 || a[i].via.u64 > NF_ORDERS)
            return nf_fail(err, NF_EFORMAT, "totals: orders are from 1 to %d", NF_ORDERS);
        t->order[a[i].via.u64 - 1] = true;
    }
    return NF_OK;
}

static int read_counts(const msgpack_object *rec, struct nf_totals *t, struct nf_err *err)
{
    if (nf_get_type(rec, "totals", err) < 0 || nf_mp_uint(rec, "tokens", UINT64_MAX, &t->tokens, err) < 0 ||
        nf_mp_uint(rec, "bos", UINT64_MAX, &t->bos, err) < 0 || nf_mp_uint(rec, "windows", UINT64_MAX, &t->windows, err) < 0 ||
        nf_mp_uint(rec, "full", UINT64_MAX, &t->full, err) < 0 || nf_mp_uint(rec, "docs", UINT64_MAX, &t->docs, err) < 0 ||
        nf_get_size(rec, "context", 1, UINT32_MAX, &t->context, err) < 0 ||
        nf_get_size(rec, "to", 0, t->context, &t->to, err) < 0 || nf_get_size(rec, "from", 0, t->to, &t->from, err) < 0 ||
        nf_get_size(rec, "F", 0, UINT32_MAX, &t->F, err) < 0 || nf_get_size(rec, "bin", 1, UINT32_MAX, &t->bin, err) < 0)
        return NF_EFORMAT;
    return NF_OK;
}

int nf_totals_read(const msgpack_object *rec, struct nf_totals *t, struct nf_err *err)
{
    int rc = read_counts(rec, t, err);

    if (rc == NF_OK)
        rc = read_domains(rec, t, err);
    if (rc == NF_OK)
        rc = read_layers(rec, "layers", &t->layers, &t->n_layers, err);
    if (rc == NF_OK)
        rc = read_layers(rec, "ngram_layers", &t->ngram_layers, &t->n_ngram_layers, err);
    if (rc == NF_OK)
        rc = read_orders(rec, t, err);
    if (rc == NF_OK && !subset(t->ngram_layers, t->n_ngram_layers, t->layers, t->n_layers))
        rc = nf_fail(err, NF_EFORMAT, "totals: ngram_layers are not among the layers");
    return rc;
}

void nf_totals_put(struct nf_enc *e, const struct nf_totals *t)
{
    nf_put_uint(e, "tokens", t->tokens);
    nf_put_uint(e, "bos", t->bos);
    nf_put_uint(e, "windows", t->windows);
    nf_put_uint(e, "full", t->full);
    nf_put_uint(e, "docs", t->docs);
    nf_put_uint(e, "context", t->context);
    nf_put_uint(e, "from", t->from);
    nf_put_uint(e, "to", t->to);
    nf_enc_str(e, "domains");
    nf_enc_array(e, t->Q);
    for (size_t q = 0; q < t->Q; q++)
        nf_enc_str(e, t->domain[q]);
    nf_put_sizes(e, "layers", t->layers, t->n_layers);
    nf_enc_str(e, "orders");
    nf_enc_array(e, (size_t)t->order[0] + t->order[1] + t->order[2]);
    for (size_t o = 0; o < NF_ORDERS; o++)
        if (t->order[o])
            nf_enc_uint(e, o + 1);
    nf_put_sizes(e, "ngram_layers", t->ngram_layers, t->n_ngram_layers);
    nf_put_uint(e, "F", t->F);
    nf_put_uint(e, "bin", t->bin);
}

void nf_totals_write(struct nf_writer *w, const struct nf_totals *t)
{
    struct nf_enc *e = nf_put_record(w, "totals", NF_TOTALS_PAIRS + 2);

    nf_totals_put(e, t);
    nf_put_1d(e, "domain_tokens", NF_U64, t->domain_tokens, t->Q);
    nf_put_1d(e, "domain_full", NF_U64, t->domain_full, t->Q);
    nf_writer_end(w);
}

void nf_totals_clear(struct nf_totals *t)
{
    for (size_t q = 0; q < t->Q; q++)
        free(t->domain[q]);
    free(t->layers);
    free(t->ngram_layers);
    *t = (struct nf_totals){ 0 };
}

/* ---- n-grams and their counts ---- */

static int read_order(const msgpack_object *rec, size_t *order, struct nf_err *err)
{
    return nf_get_size(rec, "order", 1, NF_ORDERS, order, err);
}

int nf_ngrams_read(const msgpack_object *rec, struct nf_ngrams *g, struct nf_err *err)
{
    uint32_t n;

    if (nf_get_type(rec, "ngrams", err) < 0 || read_order(rec, &g->order, err) < 0 ||
        nf_get_size(rec, "planes", 1, NF_BIT_COUNTERS_MAX, &g->planes, err) < 0 ||
        nf_get_size(rec, "first", 0, UINT32_MAX, &g->first, err) < 0)
        return NF_EFORMAT;
    g->k = SIZE_MAX;
    g->dropped = NULL;
    if (nf_get_array(rec, "keys", NF_U32, &g->k, &g->order, NULL, &g->keys, err) < 0 ||
        nf_get_array(rec, "n", NF_U32, &g->k, NULL, NULL, &g->n, err) < 0 ||
        (nf_mp_find(rec, "dropped") && nf_get_array(rec, "dropped", NF_U32, &g->k, NULL, NULL, &g->dropped, err) < 0))
        return NF_EFORMAT;
    for (size_t i = 0; i < g->k; i++) {
        memcpy(&n, (const char *)g->n + i * sizeof n, sizeof n);
        if ((uint64_t)n >> g->planes || !(n >> (g->planes - 1)))
            return nf_fail(err, NF_EFORMAT, "ngrams: n = %u does not have %zu bits", (unsigned)n, g->planes);
    }
    return NF_OK;
}

void nf_ngrams_write(struct nf_writer *w, const struct nf_ngrams *g)
{
    struct nf_enc *e = nf_put_record(w, "ngrams", g->dropped ? 6 : 5);

    nf_put_uint(e, "order", g->order);
    nf_put_uint(e, "planes", g->planes);
    nf_put_uint(e, "first", g->first);
    nf_put_2d(e, "keys", NF_U32, g->keys, g->k, g->order);
    nf_put_1d(e, "n", NF_U32, g->n, g->k);
    if (g->dropped)
        nf_put_1d(e, "dropped", NF_U32, g->dropped, g->k);
    nf_writer_end(w);
}

int nf_counts_read(const msgpack_object *rec, size_t F, struct nf_counts *c, struct nf_err *err)
{
    const void *bits = NULL;

    c->row_bytes = (F + 7) / 8;
    c->k = SIZE_MAX;
    if (nf_get_type(rec, "counts", err) < 0 || nf_get_layer(rec, &c->layer, err) < 0 || read_order(rec, &c->order, err) < 0 ||
        nf_get_size(rec, "planes", 1, NF_BIT_COUNTERS_MAX, &c->planes, err) < 0 ||
        nf_get_size(rec, "first", 0, UINT32_MAX, &c->first, err) < 0 ||
        nf_get_array(rec, "bits", NF_U8, &c->k, &c->planes, &c->row_bytes, &bits, err) < 0)
        return NF_EFORMAT;
    c->bits = bits;
    return NF_OK;
}

void nf_counts_write(struct nf_writer *w, const struct nf_counts *c)
{
    struct nf_enc *e = nf_put_record(w, "counts", 5);

    nf_put_uint(e, "layer", c->layer);
    nf_put_uint(e, "order", c->order);
    nf_put_uint(e, "planes", c->planes);
    nf_put_uint(e, "first", c->first);
    nf_put_3d(e, "bits", NF_U8, c->bits, c->k, c->planes, c->row_bytes);
    nf_writer_end(w);
}

int nf_lost_ngrams_read(const msgpack_object *rec, struct nf_lost_ngrams *l, struct nf_err *err)
{
    if (nf_get_type(rec, "lost_ngrams", err) < 0 || read_order(rec, &l->order, err) < 0 ||
        nf_mp_uint(rec, "delta", UINT32_MAX, &l->delta, err) < 0 ||
        nf_mp_uint(rec, "occurrences", UINT64_MAX, &l->occurrences, err) < 0)
        return NF_EFORMAT;
    return NF_OK;
}

void nf_lost_ngrams_write(struct nf_writer *w, const struct nf_lost_ngrams *l)
{
    struct nf_enc *e = nf_put_record(w, "lost_ngrams", 3);

    nf_put_uint(e, "order", l->order);
    nf_put_uint(e, "delta", l->delta);
    nf_put_uint(e, "occurrences", l->occurrences);
    nf_writer_end(w);
}

int nf_lost_read(const msgpack_object *rec, size_t F, struct nf_lost *l, struct nf_err *err)
{
    l->F = F;
    if (nf_get_type(rec, "lost", err) < 0 || nf_get_layer(rec, &l->layer, err) < 0 || read_order(rec, &l->order, err) < 0 ||
        nf_get_array(rec, "fires", NF_U64, &l->F, NULL, NULL, &l->fires, err) < 0)
        return NF_EFORMAT;
    return NF_OK;
}

void nf_lost_write(struct nf_writer *w, const struct nf_lost *l)
{
    struct nf_enc *e = nf_put_record(w, "lost", 3);

    nf_put_uint(e, "layer", l->layer);
    nf_put_uint(e, "order", l->order);
    nf_put_1d(e, "fires", NF_U64, l->fires, l->F);
    nf_writer_end(w);
}

/* ---- fires, position, domain_position ---- */

int nf_fires_read(const msgpack_object *rec, size_t F, size_t Q, struct nf_fires *f, struct nf_err *err)
{
    f->F = F;
    f->Q = Q;
    if (nf_get_type(rec, "fires", err) < 0 || nf_get_layer(rec, &f->layer, err) < 0 ||
        nf_get_array(rec, "all", NF_U64, &f->F, NULL, NULL, &f->all, err) < 0 ||
        nf_get_array(rec, "bos", NF_U64, &f->F, NULL, NULL, &f->bos, err) < 0 ||
        nf_get_array(rec, "domain", NF_U64, &f->Q, &f->F, NULL, &f->domain, err) < 0 ||
        nf_mp_uint(rec, "near_zero", UINT64_MAX, &f->near_zero, err) < 0)
        return NF_EFORMAT;
    return NF_OK;
}

void nf_fires_write(struct nf_writer *w, const struct nf_fires *f)
{
    struct nf_enc *e = nf_put_record(w, "fires", 5);

    nf_put_uint(e, "layer", f->layer);
    nf_put_1d(e, "all", NF_U64, f->all, f->F);
    nf_put_1d(e, "bos", NF_U64, f->bos, f->F);
    nf_put_2d(e, "domain", NF_U64, f->domain, f->Q, f->F);
    nf_put_uint(e, "near_zero", f->near_zero);
    nf_writer_end(w);
}

int nf_position_read(const msgpack_object *rec, size_t F, struct nf_position *p, struct nf_err *err)
{
    p->F = F;
    p->P = SIZE_MAX;
    if (nf_get_type(rec, "position", err) < 0 || nf_get_layer(rec, &p->layer, err) < 0 ||
        nf_get_size(rec, "first", 0, UINT32_MAX, &p->first, err) < 0 ||
        nf_get_array(rec, "counts", NF_U32, &p->P, &p->F, NULL, &p->counts, err) < 0)
        return NF_EFORMAT;
    return NF_OK;
}

void nf_position_write(struct nf_writer *w, const struct nf_position *p)
{
    struct nf_enc *e = nf_put_record(w, "position", 3);

    nf_put_uint(e, "layer", p->layer);
    nf_put_uint(e, "first", p->first);
    nf_put_2d(e, "counts", NF_U32, p->counts, p->P, p->F);
    nf_writer_end(w);
}

int nf_domain_position_read(const msgpack_object *rec, size_t F, struct nf_domain_position *p, struct nf_err *err)
{
    p->F = F;
    p->B = SIZE_MAX;
    if (nf_get_type(rec, "domain_position", err) < 0 || nf_get_layer(rec, &p->layer, err) < 0 ||
        nf_get_size(rec, "domain", 0, NF_DOMAINS_MAX - 1, &p->domain, err) < 0 ||
        nf_get_size(rec, "first", 0, UINT32_MAX, &p->first, err) < 0 ||
        nf_get_array(rec, "counts", NF_U32, &p->B, &p->F, NULL, &p->counts, err) < 0)
        return NF_EFORMAT;
    return NF_OK;
}

void nf_domain_position_write(struct nf_writer *w, const struct nf_domain_position *p)
{
    struct nf_enc *e = nf_put_record(w, "domain_position", 4);

    nf_put_uint(e, "layer", p->layer);
    nf_put_uint(e, "domain", p->domain);
    nf_put_uint(e, "first", p->first);
    nf_put_2d(e, "counts", NF_U32, p->counts, p->B, p->F);
    nf_writer_end(w);
}

/* ---- real-valued sites ---- */

static struct nf_enc *begin_site(struct nf_writer *w, const char *type, const char *site, size_t layer, size_t domain,
                                 size_t fields)
{
    struct nf_enc *e = nf_put_record(w, type, fields + (domain == SIZE_MAX ? 2 : 3));

    nf_put_str(e, "site", site);
    nf_put_uint(e, "layer", layer);
    if (domain != SIZE_MAX)
        nf_put_uint(e, "domain", domain);
    return e;
}

int nf_moments_rec_read(const msgpack_object *rec, struct nf_moments_rec *m, struct nf_err *err)
{
    size_t orders = NF_MOMENT_ORDERS, limbs = NF_SUM_LIMBS;

    m->W = m->q = SIZE_MAX;
    if (nf_get_type(rec, "moments", err) < 0 || nf_get_name(rec, "site", m->site, sizeof m->site, err) < 0 ||
        nf_get_layer(rec, &m->layer, err) < 0 || read_domain(rec, &m->domain, err) < 0 ||
        nf_get_array(rec, "n", NF_U64, &m->W, NULL, NULL, &m->n, err) < 0 ||
        nf_get_array(rec, "min", NF_F64, &m->W, NULL, NULL, &m->min, err) < 0 ||
        nf_get_array(rec, "max", NF_F64, &m->W, NULL, NULL, &m->max, err) < 0 ||
        nf_get_array(rec, "mean", NF_F64, &m->W, NULL, NULL, &m->mean, err) < 0 ||
        nf_get_array(rec, "var", NF_F64, &m->W, NULL, NULL, &m->var, err) < 0 ||
        nf_get_array(rec, "skew", NF_F64, &m->W, NULL, NULL, &m->skew, err) < 0 ||
        nf_get_array(rec, "kurt", NF_F64, &m->W, NULL, NULL, &m->kurt, err) < 0 ||
        nf_get_array(rec, "quantiles", NF_F64, &m->q, NULL, NULL, &m->quantiles, err) < 0 ||
        nf_get_array(rec, "values", NF_F64, &m->q, &m->W, NULL, &m->values, err) < 0 ||
        nf_get_array(rec, "sums", NF_U64, &m->W, &orders, &limbs, &m->sums, err) < 0)
        return NF_EFORMAT;
    return NF_OK;
}

void nf_moments_rec_write(struct nf_writer *w, const struct nf_moments_rec *m)
{
    struct nf_enc *e = begin_site(w, "moments", m->site, m->layer, m->domain, 10);

    nf_put_1d(e, "n", NF_U64, m->n, m->W);
    nf_put_1d(e, "min", NF_F64, m->min, m->W);
    nf_put_1d(e, "max", NF_F64, m->max, m->W);
    nf_put_1d(e, "mean", NF_F64, m->mean, m->W);
    nf_put_1d(e, "var", NF_F64, m->var, m->W);
    nf_put_1d(e, "skew", NF_F64, m->skew, m->W);
    nf_put_1d(e, "kurt", NF_F64, m->kurt, m->W);
    nf_put_1d(e, "quantiles", NF_F64, m->quantiles, m->q);
    nf_put_2d(e, "values", NF_F64, m->values, m->q, m->W);
    nf_put_3d(e, "sums", NF_U64, m->sums, m->W, NF_MOMENT_ORDERS, NF_SUM_LIMBS);
    nf_writer_end(w);
}

int nf_histogram_rec_read(const msgpack_object *rec, struct nf_histogram_rec *h, struct nf_err *err)
{
    uint64_t sum = 0;
    uint32_t used;

    h->w = h->b = SIZE_MAX;
    if (nf_get_type(rec, "histogram", err) < 0 || nf_get_name(rec, "site", h->site, sizeof h->site, err) < 0 ||
        nf_get_layer(rec, &h->layer, err) < 0 || read_domain(rec, &h->domain, err) < 0 ||
        nf_get_size(rec, "first", 0, UINT32_MAX, &h->first, err) < 0 ||
        nf_get_array(rec, "used", NF_U32, &h->w, NULL, NULL, &h->used, err) < 0 ||
        nf_get_array(rec, "bins", NF_I32, &h->b, NULL, NULL, &h->bins, err) < 0 ||
        nf_get_array(rec, "counts", NF_U64, &h->b, NULL, NULL, &h->counts, err) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; i < h->w; i++) {
        memcpy(&used, (const char *)h->used + i * sizeof used, sizeof used);
        sum += used;
    }
    return sum == h->b ? NF_OK : nf_fail(err, NF_EFORMAT, "histogram: %zu bins, used says %llu", h->b, (unsigned long long)sum);
}

void nf_histogram_rec_write(struct nf_writer *w, const struct nf_histogram_rec *h)
{
    struct nf_enc *e = begin_site(w, "histogram", h->site, h->layer, h->domain, 4);

    nf_put_uint(e, "first", h->first);
    nf_put_1d(e, "used", NF_U32, h->used, h->w);
    nf_put_1d(e, "bins", NF_I32, h->bins, h->b);
    nf_put_1d(e, "counts", NF_U64, h->counts, h->b);
    nf_writer_end(w);
}

int nf_top_rec_read(const msgpack_object *rec, struct nf_top_rec *t, struct nf_err *err)
{
    t->w = t->k = t->C = SIZE_MAX;
    if (nf_get_type(rec, "top", err) < 0 || nf_get_name(rec, "site", t->site, sizeof t->site, err) < 0 ||
        nf_get_layer(rec, &t->layer, err) < 0 || nf_get_size(rec, "first", 0, UINT32_MAX, &t->first, err) < 0 ||
        nf_get_array(rec, "values", NF_F32, &t->w, &t->k, NULL, &t->values, err) < 0 ||
        nf_get_array(rec, "doc", NF_U32, &t->w, &t->k, NULL, &t->doc, err) < 0 ||
        nf_get_array(rec, "window", NF_U32, &t->w, &t->k, NULL, &t->window, err) < 0 ||
        nf_get_array(rec, "pos", NF_U32, &t->w, &t->k, NULL, &t->pos, err) < 0 ||
        nf_get_array(rec, "context", NF_U32, &t->w, &t->k, &t->C, &t->context, err) < 0)
        return NF_EFORMAT;
    return NF_OK;
}

void nf_top_rec_write(struct nf_writer *w, const struct nf_top_rec *t)
{
    struct nf_enc *e = begin_site(w, "top", t->site, t->layer, SIZE_MAX, 6);

    nf_put_uint(e, "first", t->first);
    nf_put_2d(e, "values", NF_F32, t->values, t->w, t->k);
    nf_put_2d(e, "doc", NF_U32, t->doc, t->w, t->k);
    nf_put_2d(e, "window", NF_U32, t->window, t->w, t->k);
    nf_put_2d(e, "pos", NF_U32, t->pos, t->w, t->k);
    nf_put_3d(e, "context", NF_U32, t->context, t->w, t->k, t->C);
    nf_writer_end(w);
}
