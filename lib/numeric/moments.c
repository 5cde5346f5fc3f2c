/* moments.c - sums within a window in double, between windows exact. */
#include "numeric/moments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"

int nf_moments_open(struct nf_moments *m, size_t W, struct nf_err *err)
{
    *m = (struct nf_moments){ .W = W };
    m->n = nf_alloc(W, sizeof *m->n, err);
    m->min = nf_alloc(W, sizeof *m->min, err);
    m->max = nf_alloc(W, sizeof *m->max, err);
    m->sum = nf_alloc(W, sizeof *m->sum, err);
    m->open = nf_alloc(nf_blocks(W, NF_UNITS), sizeof *m->open, err);
    if (!m->n || !m->min || !m->max || !m->sum || !m->open)
        return NF_ESYS;
    for (size_t u = 0; u < W; u++) {
        m->min[u] = INFINITY;
        m->max[u] = -INFINITY;
    }
    return NF_OK;
}

void nf_moments_close(struct nf_moments *m)
{
    free(m->n);
    free(m->min);
    free(m->max);
    free(m->sum);
    free(m->open);
    *m = (struct nf_moments){ 0 };
}

/* x cut to 12 significant bits; 0 for NaN. */
static double shift_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    bits &= 0xfffff000u;
    memcpy(&x, &bits, sizeof x);
    return isnan(x) ? 0 : x;
}

static void begin_window(struct nf_window_sums *w, const float *x)
{
    memset(w, 0, sizeof *w);
    for (size_t u = 0; u < NF_UNITS; u++)
        w->shift[u] = shift_of(x[u]);
}

static void add_window_row(struct nf_window_sums *w, const float *x)
{
    for (size_t u = 0; u < NF_UNITS; u++) {
        double counted = x[u] == x[u], d = counted != 0 ? x[u] - w->shift[u] : 0, d2 = d * d;

        w->n[u] += counted;
        w->d[0][u] += d;
        w->d[1][u] += d2;
        w->d[2][u] += d2 * d;
        w->d[3][u] += d2 * d2;
    }
}

/* S_k += sum over j of C(k, j) s^(k-j) D_j */
static void fold_unit(const struct nf_window_sums *w, size_t u, struct nf_exact sum[4])
{
    static const double choose[5][5] = { { 1 }, { 1, 1 }, { 1, 2, 1 }, { 1, 3, 3, 1 }, { 1, 4, 6, 4, 1 } };
    double s = w->shift[u], power[5] = { 1, s, s * s, s * s * s, s * s * s * s };

    for (size_t k = 1; k <= 4; k++)
        for (size_t j = 0; j <= k; j++)
            nf_exact_add_product(&sum[k - 1], choose[k][j] * power[k - j], j ? w->d[j - 1][u] : w->n[u]);
}

void nf_moments_rows(struct nf_moments *m, size_t group, const float *x, size_t rows, size_t stride, bool start, bool end)
{
    struct nf_window_sums *w = &m->open[group];
    size_t first = group * NF_UNITS, units = nf_min(NF_UNITS, m->W - first);

    if (start)
        begin_window(w, x);
    for (size_t r = 0; r < rows; r++)
        add_window_row(w, x + r * stride);
    for (size_t r = 0; r < rows; r++)
        for (size_t u = 0; u < units; u++) {
            float v = x[r * stride + u];

            m->min[first + u] = v < m->min[first + u] ? v : m->min[first + u];
            m->max[first + u] = v > m->max[first + u] ? v : m->max[first + u];
        }
    for (size_t u = 0; end && u < units; u++) {
        m->n[first + u] += (uint64_t)w->n[u];
        fold_unit(w, u, m->sum[first + u]);
    }
}

struct nf_summary nf_moments_get(const struct nf_moments *m, size_t unit)
{
    struct nf_summary y = { NAN, NAN, NAN, NAN, NAN, NAN };
    struct nf_dd s[5], mean, mean2, m2, m3, m4;
    double n = (double)m->n[unit];

    if (!m->n[unit])
        return y;
    for (size_t k = 1; k <= 4; k++)
        s[k] = nf_dd_div(nf_exact_dd(&m->sum[unit][k - 1]), n);
    mean = s[1];
    mean2 = nf_dd_mul(mean, mean);
    m2 = nf_dd_add(s[2], nf_dd_scale(mean2, -1));
    m3 = nf_dd_add(nf_dd_add(s[3], nf_dd_scale(nf_dd_mul(mean, s[2]), -3)), nf_dd_scale(nf_dd_mul(mean2, mean), 2));
    m4 = nf_dd_add(nf_dd_add(s[4], nf_dd_scale(nf_dd_mul(mean, s[3]), -4)),
                   nf_dd_add(nf_dd_scale(nf_dd_mul(mean2, s[2]), 6), nf_dd_scale(nf_dd_mul(mean2, mean2), -3)));
    y = (struct nf_summary){ m->min[unit], m->max[unit], mean.hi, m2.hi, NAN, NAN };
    if (m->min[unit] == m->max[unit] || !(m2.hi > 0)) {
        y.var = 0;
        return y;
    }
    y.skew = m3.hi / (m2.hi * sqrt(m2.hi));
    y.kurt = m4.hi / (m2.hi * m2.hi);
    return y;
}
