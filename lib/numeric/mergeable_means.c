/* mergeable_means.c - sums within a document in double, between documents exact. */
#include "numeric/mergeable_means.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/stats.h"

enum { X, W };                           /* the first of struct nf_doc_sums */
enum { XA_XB, XA_WB, WA_XB, WA_WB };     /* struct nf_doc_cross */

_Static_assert(sizeof(struct nf_doc_sums) == NF_DOC_SUMS * NF_SUM_LIMBS * sizeof(uint64_t) &&
                   sizeof(struct nf_doc_cross) == NF_DOC_CROSS * NF_SUM_LIMBS * sizeof(uint64_t),
               "the sums of a record are struct nf_doc_sums and struct nf_doc_cross");

size_t nf_mergeable_means_bytes(size_t U, bool paired)
{
    return U * (2 * sizeof(double) + sizeof(uint64_t) + sizeof(struct nf_doc_sums)) +
           (paired ? U / 2 * sizeof(struct nf_doc_cross) : 0);
}

int nf_mergeable_means_open(struct nf_mergeable_means *m, size_t U, bool paired, struct nf_err *err)
{
    *m = (struct nf_mergeable_means){ .U = U, .pairs = paired ? U / 2 : 0 };
    m->x = nf_alloc(U, sizeof *m->x, err);
    m->w = nf_alloc(U, sizeof *m->w, err);
    m->docs = nf_alloc(U, sizeof *m->docs, err);
    m->sum = nf_alloc(U, sizeof *m->sum, err);
    m->cross = nf_alloc(m->pairs, sizeof *m->cross, err);
    return m->x && m->w && m->docs && m->sum && m->cross ? NF_OK : NF_ESYS;
}

void nf_mergeable_means_close(struct nf_mergeable_means *m)
{
    free(m->x);
    free(m->w);
    free(m->docs);
    free(m->sum);
    free(m->cross);
    *m = (struct nf_mergeable_means){ 0 };
}

static void fold_pair(struct nf_mergeable_means *m, size_t a)
{
    struct nf_exact *s = m->cross[a].of;
    size_t b = a + m->pairs;

    nf_exact_add_product(&s[XA_XB], m->x[a], m->x[b]);
    nf_exact_add_product(&s[XA_WB], m->x[a], m->w[b]);
    nf_exact_add_product(&s[WA_XB], m->w[a], m->x[b]);
    nf_exact_add_product(&s[WA_WB], m->w[a], m->w[b]);
}

void nf_mergeable_means_end(struct nf_mergeable_means *m)
{
    bool any = false;

    for (size_t u = 0; m->open && u < m->U; u++)
        if (m->w[u] > 0) {
            m->docs[u]++;
            nf_doc_sums_add(&m->sum[u], m->x[u], m->w[u]);
            any = true;
        }
    for (size_t p = 0; any && p < m->pairs; p++)
        if (m->w[p] > 0 && m->w[p + m->pairs] > 0)
            fold_pair(m, p);
    m->either += any && m->pairs;
    m->open = false;
}

void nf_mergeable_means_begin(struct nf_mergeable_means *m, uint32_t doc)
{
    if (m->open && m->doc == doc)
        return;
    nf_mergeable_means_end(m);
    memset(m->x, 0, m->U * sizeof *m->x);
    memset(m->w, 0, m->U * sizeof *m->w);
    m->doc = doc;
    m->open = true;
}

void nf_mergeable_means_add(struct nf_mergeable_means *m, const double *x)
{
    for (size_t u = 0; u < m->U; u++) {
        m->x[u] += x[u];
        m->w[u] += 1;
    }
}

static struct nf_dd sum_of(const struct nf_mergeable_means *m, size_t u, size_t which)
{
    return nf_exact_dd(&m->sum[u].of[which]);
}

struct nf_cluster_estimate nf_mergeable_means_get(const struct nf_mergeable_means *m, size_t u)
{
    return nf_doc_sums_estimate(&m->sum[u], m->docs[u]);
}

/* By linearisation: the document's share in the difference is (Xa - ma Wa) / sum Wa - (Xb - mb Wb) / sum Wb. */
void nf_mergeable_means_difference(const struct nf_mergeable_means *m, size_t p, double *difference, double *se)
{
    size_t b = p + m->pairs;
    const struct nf_exact *s = m->cross[p].of;
    double wa = sum_of(m, p, W).hi, wb = sum_of(m, b, W).hi, docs = (double)m->either, var;
    struct nf_dd ma, mb, both;

    *difference = *se = NAN;
    if (!m->docs[p] || !m->docs[b])
        return;
    ma = nf_dd_div(sum_of(m, p, X), wa);
    mb = nf_dd_div(sum_of(m, b, X), wb);
    *difference = nf_dd_add(ma, nf_dd_scale(mb, -1)).hi;
    if (m->docs[p] < 2 || m->docs[b] < 2)
        return;
    both = nf_dd_add(nf_exact_dd(&s[XA_XB]), nf_dd_scale(nf_dd_mul(mb, nf_exact_dd(&s[XA_WB])), -1));
    both = nf_dd_add(both, nf_dd_scale(nf_dd_mul(ma, nf_exact_dd(&s[WA_XB])), -1));
    both = nf_dd_add(both, nf_dd_mul(nf_dd_mul(ma, mb), nf_exact_dd(&s[WA_WB])));
    var = nf_doc_sums_squares(&m->sum[p], ma).hi / (wa * wa) + nf_doc_sums_squares(&m->sum[b], mb).hi / (wb * wb) -
          2 * both.hi / (wa * wb);
    *se = sqrt(fmax(0, var * (docs / (docs - 1))));
}

/* ---- records ---- */

int nf_mergeable_means_fill(const struct nf_mergeable_means *m, struct nf_mergeable_means_rec *rec, struct nf_err *err)
{
    size_t U = m->U;
    uint64_t *n = nf_alloc(U, 2 * sizeof *n + 4 * sizeof(double), err);
    double *y = (double *)(n + 2 * U);

    if (!n)
        return NF_ESYS;
    for (size_t u = 0; u < U; u++) {
        struct nf_cluster_estimate x = nf_mergeable_means_get(m, u);

        n[u] = x.n;
        n[U + u] = x.docs;
        y[u] = x.mean;
        y[U + u] = x.se;
        y[2 * U + u] = x.doc_mean;
        y[3 * U + u] = x.doc_se;
    }
    *rec = (struct nf_mergeable_means_rec){ U, n, n + U, y, y + U, y + 2 * U, y + 3 * U, m->sum };
    return NF_OK;
}

/* Each document has a weight of at least 1. */
static bool weights_fit(const struct nf_mergeable_means *m, size_t u)
{
    double w = sum_of(m, u, W).hi;

    return w >= (double)m->docs[u] && w < 0x1p53;
}

static int merge_column(struct nf_mergeable_means *m, size_t u, uint64_t docs, const void *from, struct nf_err *err)
{
    struct nf_doc_sums sums;

    memcpy(&sums, from, sizeof sums);
    if (docs > UINT32_MAX || m->docs[u] + docs > UINT32_MAX)
        return nf_fail(err, NF_EFORMAT, "docs: %llu documents in column %zu are too many", (unsigned long long)docs, u);
    m->docs[u] += docs;
    for (size_t i = 0; i < NF_DOC_SUMS; i++)
        nf_exact_add(&m->sum[u].of[i], &sums.of[i]);
    return weights_fit(m, u) ? NF_OK : nf_fail(err, NF_EFORMAT, "sums: impossible weights in column %zu", u);
}

int nf_mergeable_means_merge(struct nf_mergeable_means *m, const struct nf_mergeable_means_rec *rec, struct nf_err *err)
{
    for (size_t u = 0; u < m->U; u++) {
        uint64_t docs;

        memcpy(&docs, (const char *)rec->docs + u * sizeof docs, sizeof docs);
        if (merge_column(m, u, docs, (const char *)rec->sums + u * sizeof(struct nf_doc_sums), err) < 0)
            return NF_EFORMAT;
    }
    return NF_OK;
}

int nf_mergeable_means_merge_part(struct nf_mergeable_means *m, size_t first, size_t n, uint64_t docs, const void *sums,
                                  struct nf_err *err)
{
    for (size_t u = 0; u < n; u++)
        if (merge_column(m, first + u, docs, (const char *)sums + u * sizeof(struct nf_doc_sums), err) < 0)
            return NF_EFORMAT;
    return NF_OK;
}
