/* reals_records.c - moments, histograms and highest positions as records, and the merging of such records. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "reduce/reals.h"
#include "reduce/reals_impl.h"

enum { RECORD_BYTES = 4 << 20 };   /* of the tables of a record, about */

static const double levels[] = { 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999 };
enum { LEVELS = sizeof levels / sizeof *levels };

_Static_assert((int)NF_SUM_LIMBS == (int)NF_EXACT_LIMBS && sizeof(struct nf_exact) == NF_SUM_LIMBS * sizeof(uint64_t),
               "the sums of a moments record are struct nf_exact");

/* ---- writing ---- */

static int write_moments(const struct nf_real_site *s, size_t domain, const struct nf_distribution *d, struct nf_writer *w,
                         struct nf_err *err)
{
    size_t W = s->W;
    double *y = nf_alloc(W, (6 + LEVELS) * sizeof *y, err), at[LEVELS];
    struct nf_moments_rec m = {
        .layer = s->layer, .domain = domain, .W = W, .q = LEVELS, .n = d->moments.n, .sums = d->moments.sum, .quantiles = levels
    };

    if (!y)
        return NF_ESYS;
    strcpy(m.site, s->site);
    for (size_t u = 0; u < W; u++) {
        struct nf_summary x = nf_moments_get(&d->moments, u);
        const double six[] = { x.min, x.max, x.mean, x.var, x.skew, x.kurt };

        for (size_t i = 0; i < 6; i++)
            y[i * W + u] = six[i];
        nf_histogram_quantiles(&d->histogram, u, x.min, x.max, levels, LEVELS, at);
        for (size_t i = 0; i < LEVELS; i++)
            y[(6 + i) * W + u] = at[i];
    }
    m.min = y;
    m.max = y + W;
    m.mean = y + 2 * W;
    m.var = y + 3 * W;
    m.skew = y + 4 * W;
    m.kurt = y + 5 * W;
    m.values = y + 6 * W;
    nf_moments_rec_write(w, &m);
    free(y);
    return NF_OK;
}

/* Tables of a histogram record under construction. */
struct bins {
    uint32_t *used;
    int32_t *bin;
    uint64_t *count;
    size_t w, b, used_cap, bin_cap, count_cap;
};

static int add_unit(struct bins *t, const struct nf_histogram *h, size_t unit, struct nf_err *err)
{
    size_t b = t->b;

    if (nf_grow(&t->used, &t->used_cap, t->w + 1, sizeof *t->used, err) < 0)
        return NF_ESYS;
    for (int i = -NF_BIN_MAX; i <= NF_BIN_MAX; i++) {
        uint64_t n = nf_histogram_count(h, unit, i);

        if (!n)
            continue;
        if (nf_grow(&t->bin, &t->bin_cap, t->b + 1, sizeof *t->bin, err) < 0 ||
            nf_grow(&t->count, &t->count_cap, t->b + 1, sizeof *t->count, err) < 0)
            return NF_ESYS;
        t->bin[t->b] = i;
        t->count[t->b++] = n;
    }
    t->used[t->w++] = (uint32_t)(t->b - b);
    return NF_OK;
}

static int write_histogram(const struct nf_real_site *s, size_t domain, const struct nf_distribution *d, struct nf_writer *w,
                           struct nf_err *err)
{
    struct bins t = { 0 };
    struct nf_histogram_rec rec = { .layer = s->layer, .domain = domain };
    int rc = NF_OK;

    strcpy(rec.site, s->site);
    for (size_t u = 0; rc == NF_OK && u < s->W; u++) {
        rc = add_unit(&t, &d->histogram, u, err);
        if (rc == NF_OK && (u + 1 == s->W || t.b * (sizeof *t.bin + sizeof *t.count) > RECORD_BYTES)) {
            rec.first = u + 1 - t.w;
            rec.w = t.w;
            rec.b = t.b;
            rec.used = t.used;
            rec.bins = t.bin;
            rec.counts = t.count;
            nf_histogram_rec_write(w, &rec);
            t.w = t.b = 0;
        }
    }
    free(t.used);
    free(t.bin);
    free(t.count);
    return rc;
}

static int write_distribution(const struct nf_real_site *s, size_t domain, const struct nf_distribution *d, struct nf_writer *w,
                              struct nf_err *err)
{
    return write_moments(s, domain, d, w, err) < 0 || write_histogram(s, domain, d, w, err) < 0 ? NF_ESYS : NF_OK;
}

static int write_top(const struct nf_real_site *s, size_t first, size_t units, struct nf_writer *w, struct nf_err *err)
{
    const struct nf_top *t = &s->top;
    size_t n = units * t->k;
    float *value = nf_alloc(n, sizeof *value, err);
    uint32_t *where = nf_alloc(n, 3 * sizeof *where, err), *context = nf_alloc(n, t->C * sizeof *context, err);
    struct nf_top_rec rec = {
        .layer = s->layer, .first = first, .w = units, .k = t->k, .C = t->C, .values = value, .context = context
    };

    if (value && where && context) {
        for (size_t i = 0; i < n; i++) {
            const struct nf_top_entry *e = &t->entry[first * t->k + i];
            bool held = i % t->k < t->held[first + i / t->k];

            value[i] = held ? e->value : NAN;
            where[i] = held ? e->doc : NF_TOP_NONE;
            where[n + i] = held ? e->window : NF_TOP_NONE;
            where[2 * n + i] = held ? e->pos : NF_TOP_NONE;
            for (size_t c = 0; c < t->C; c++)
                context[i * t->C + c] = held ? t->context[(first * t->k + i) * t->C + c] : NF_TOP_NONE;
        }
        strcpy(rec.site, s->site);
        rec.doc = where;
        rec.window = where + n;
        rec.pos = where + 2 * n;
        nf_top_rec_write(w, &rec);
    }
    free(value);
    free(where);
    free(context);
    return value && where && context ? NF_OK : NF_ESYS;
}

static int write_site(struct nf_real_site *s, size_t Q, const size_t *order, struct nf_writer *w, struct nf_err *err)
{
    size_t most = nf_max(1, RECORD_BYTES / nf_max(1, s->top.k * (4 + s->top.C) * sizeof(uint32_t))), units;

    if (write_distribution(s, SIZE_MAX, &s->all, w, err) < 0)
        return NF_ESYS;
    for (size_t q = 0; s->by_domain && q < Q; q++) {
        const struct nf_distribution *d = nf_reals_distribution(s, order[q], err);

        if (!d || write_distribution(s, q, d, w, err) < 0)
            return NF_ESYS;
    }
    for (size_t u = 0; s->top.k && u < s->W; u += units) {
        units = nf_min(most, s->W - u);
        if (write_top(s, u, units, w, err) < 0)
            return NF_ESYS;
    }
    return NF_OK;
}

int nf_reals_write(struct nf_reals *r, size_t Q, const size_t *order, struct nf_writer *w, struct nf_err *err)
{
    for (size_t i = 0; i < r->sites; i++)
        if (write_site(r->site[i], Q, order, w, err) < 0)
            return NF_ESYS;
    return NF_OK;
}

/* ---- merging ---- */

int nf_reals_merge_begin(struct nf_reals *r, size_t Q, const size_t *domain, struct nf_err *err)
{
    r->in_Q = Q;
    r->in_domain = domain;
    for (size_t i = 0; i < r->sites; i++) {
        struct nf_real_site *s = r->site[i];

        s->seen = 0;
        s->all.seen = SIZE_MAX;
        for (size_t q = 0; s->by_domain && q < Q; q++) {
            struct nf_distribution *d = nf_reals_distribution(s, domain[q], err);

            if (!d)
                return NF_ESYS;
            d->seen = SIZE_MAX;
        }
    }
    return NF_OK;
}

static int refuse_reals_order(const char *type, const char *site, size_t layer, struct nf_err *err)
{
    return nf_fail(err, NF_EFORMAT, "%s of %s, layer %zu: not in the header's sites, of another shape, or out of order", type, site,
                   layer);
}

/* The distribution that a record is about; NULL: none, or out of memory. */
static struct nf_distribution *find_distribution(struct nf_reals *r, const char *site, size_t layer, size_t domain,
                                                 struct nf_real_site **s, struct nf_err *err)
{
    *s = nf_reals_find(r, site, layer);
    if (!*s || (domain != SIZE_MAX && (!(*s)->by_domain || domain >= r->in_Q)))
        return NULL;
    return nf_reals_distribution(*s, domain == SIZE_MAX ? SIZE_MAX : r->in_domain[domain], err);
}

static int merge_moments(struct nf_reals *r, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_moments_rec m;
    struct nf_real_site *s;
    struct nf_distribution *d;

    if (nf_moments_rec_read(rec, &m, err) < 0)
        return NF_EFORMAT;
    d = find_distribution(r, m.site, m.layer, m.domain, &s, err);
    if (!d || m.W != s->W || d->seen != SIZE_MAX)
        return refuse_reals_order("moments", m.site, m.layer, err);
    d->seen = 0;
    for (size_t u = 0; u < m.W; u++) {
        struct nf_exact sum[NF_MOMENT_ORDERS];
        uint64_t n;
        double low, high;

        memcpy(&n, (const char *)m.n + u * sizeof n, sizeof n);
        memcpy(&low, (const char *)m.min + u * sizeof low, sizeof low);
        memcpy(&high, (const char *)m.max + u * sizeof high, sizeof high);
        memcpy(sum, (const char *)m.sums + u * sizeof sum, sizeof sum);
        if (n > UINT32_MAX || d->moments.n[u] + n > UINT32_MAX ||
            (n && !(fabs(low) < 0x1p31 && fabs(high) < 0x1p31 && low <= high)))
            return nf_fail(err, NF_EFORMAT, "moments of %s, layer %zu, unit %zu: impossible n, min or max", m.site, m.layer, u);
        d->moments.n[u] += n;
        if (n) {
            d->moments.min[u] = fminf(d->moments.min[u], (float)low);
            d->moments.max[u] = fmaxf(d->moments.max[u], (float)high);
        }
        for (size_t k = 0; k < NF_MOMENT_ORDERS; k++)
            nf_exact_add(&d->moments.sum[u][k], &sum[k]);
    }
    return NF_OK;
}

static int merge_histogram(struct nf_reals *r, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_histogram_rec h;
    struct nf_real_site *s;
    struct nf_distribution *d;
    size_t at = 0;

    if (nf_histogram_rec_read(rec, &h, err) < 0)
        return NF_EFORMAT;
    d = find_distribution(r, h.site, h.layer, h.domain, &s, err);
    if (!d || d->seen != h.first || h.w > s->W - h.first)
        return refuse_reals_order("histogram", h.site, h.layer, err);
    d->seen += h.w;
    for (size_t i = 0; i < h.w; i++) {
        uint32_t used;

        memcpy(&used, (const char *)h.used + i * sizeof used, sizeof used);
        for (size_t end = at + used; at < end; at++) {
            int32_t bin;
            uint64_t n;

            memcpy(&bin, (const char *)h.bins + at * sizeof bin, sizeof bin);
            memcpy(&n, (const char *)h.counts + at * sizeof n, sizeof n);
            if (bin < -NF_BIN_MAX || bin > NF_BIN_MAX || nf_histogram_count(&d->histogram, h.first + i, bin) + n > UINT32_MAX ||
                n > UINT32_MAX)
                return nf_fail(err, NF_EFORMAT, "histogram of %s, layer %zu: bin %d with %llu values is impossible", h.site,
                               h.layer, (int)bin, (unsigned long long)n);
            if (nf_histogram_add(&d->histogram, h.first + i, bin, (uint32_t)n, err) < 0)
                return NF_ESYS;
        }
    }
    return NF_OK;
}

static int merge_top(struct nf_reals *r, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_top_rec t;
    struct nf_real_site *s;

    if (nf_top_rec_read(rec, &t, err) < 0)
        return NF_EFORMAT;
    s = nf_reals_find(r, t.site, t.layer);
    if (!s || t.first != s->seen || t.w > s->W - t.first || t.k != r->k || t.C != r->C)
        return refuse_reals_order("top", t.site, t.layer, err);
    s->seen += t.w;
    for (size_t i = 0; i < t.w * t.k; i++) {
        struct nf_top_entry e;

        memcpy(&e.value, (const char *)t.values + i * sizeof e.value, sizeof e.value);
        memcpy(&e.doc, (const char *)t.doc + i * sizeof e.doc, sizeof e.doc);
        memcpy(&e.window, (const char *)t.window + i * sizeof e.window, sizeof e.window);
        memcpy(&e.pos, (const char *)t.pos + i * sizeof e.pos, sizeof e.pos);
        memcpy(r->context, (const char *)t.context + i * t.C * sizeof *r->context, t.C * sizeof *r->context);
        if (!isnan(e.value))
            nf_top_offer(&s->top, t.first + i / t.k, &e, r->context);
    }
    return NF_OK;
}

int nf_reals_merge_record(struct nf_reals *r, const msgpack_object *rec, struct nf_err *err)
{
    if (nf_mp_is(rec, "moments"))
        return merge_moments(r, rec, err);
    if (nf_mp_is(rec, "histogram"))
        return merge_histogram(r, rec, err);
    return nf_mp_is(rec, "top") ? merge_top(r, rec, err) : NF_EOF;
}

int nf_reals_merge_end(struct nf_reals *r, struct nf_err *err)
{
    for (size_t i = 0; i < r->sites; i++) {
        const struct nf_real_site *s = r->site[i];
        bool whole = s->all.seen == s->W && (!r->k || s->seen == s->W);

        for (size_t q = 0; s->by_domain && q < r->in_Q; q++)
            whole &= s->domain[r->in_domain[q]]->seen == s->W;
        if (!whole)
            return nf_fail(err, NF_EFORMAT, "records of %s, layer %zu, are missing", s->site, s->layer);
    }
    return NF_OK;
}
