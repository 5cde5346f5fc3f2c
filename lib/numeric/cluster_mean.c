/* cluster_mean.c - sums within a document in double, over documents exact. */
#include "numeric/cluster_mean.h"

#include <math.h>

enum { X, W, XX, XW, WW, M, MM };        /* struct nf_doc_sums */

void nf_doc_sums_add(struct nf_doc_sums *s, double x, double w)
{
    double mean = x / w;

    nf_exact_add_product(&s->of[X], x, 1);
    nf_exact_add_product(&s->of[W], w, 1);
    nf_exact_add_product(&s->of[XX], x, x);
    nf_exact_add_product(&s->of[XW], x, w);
    nf_exact_add_product(&s->of[WW], w, w);
    nf_exact_add_product(&s->of[M], mean, 1);
    nf_exact_add_product(&s->of[MM], mean, mean);
}

struct nf_dd nf_doc_sums_squares(const struct nf_doc_sums *s, struct nf_dd mean)
{
    struct nf_dd cross = nf_dd_scale(nf_dd_mul(mean, nf_exact_dd(&s->of[XW])), -2),
                 weight = nf_dd_mul(nf_dd_mul(mean, mean), nf_exact_dd(&s->of[WW]));

    return nf_dd_add(nf_exact_dd(&s->of[XX]), nf_dd_add(cross, weight));
}

/* The root of a sum of squares that rounding may have left below 0. */
static double root_of_squares(double x)
{
    return x > 0 ? sqrt(x) : 0;
}

struct nf_cluster_estimate nf_doc_sums_estimate(const struct nf_doc_sums *s, uint64_t docs)
{
    struct nf_cluster_estimate y = { 0, docs, NAN, NAN, NAN, NAN, NAN, NAN };
    double D = (double)docs, w = nf_exact_dd(&s->of[W]).hi;
    struct nf_dd mean, doc_mean, spread;

    if (!docs)
        return y;
    y.n = (uint64_t)w;
    mean = nf_dd_div(nf_exact_dd(&s->of[X]), w);
    doc_mean = nf_dd_div(nf_exact_dd(&s->of[M]), D);
    y.mean = mean.hi;
    y.doc_mean = doc_mean.hi;
    if (docs < 2)
        return y;
    spread = nf_dd_add(nf_exact_dd(&s->of[MM]), nf_dd_scale(nf_dd_mul(doc_mean, doc_mean), -D));
    y.se = root_of_squares(nf_doc_sums_squares(s, mean).hi * (D / (D - 1))) / w;
    y.doc_sd = root_of_squares(spread.hi / (D - 1));
    y.doc_se = root_of_squares(spread.hi / (D - 1) / D);
    return y;
}

void nf_cluster_mean_end(struct nf_cluster_mean *t)
{
    if (t->doc && t->w > 0) {
        t->docs++;
        nf_doc_sums_add(&t->sum, t->x, t->w);
        nf_exact_add_product(&t->square, t->xx, 1);
    }
    t->doc = 0;
    t->x = t->w = t->xx = 0;
}

void nf_cluster_mean_add(struct nf_cluster_mean *t, uint64_t doc, double x)
{
    if (isnan(x))
        return;
    if (t->doc != doc + 1) {
        nf_cluster_mean_end(t);
        t->doc = doc + 1;
    }
    if (isinf(x)) {
        t->beyond += x;
        return;
    }
    t->x += x;
    t->w++;
    t->xx += x * x;
}

void nf_cluster_mean_merge(struct nf_cluster_mean *t, const struct nf_cluster_mean *from)
{
    t->docs += from->docs;
    t->beyond += from->beyond;
    nf_exact_add(&t->square, &from->square);
    for (size_t i = 0; i < NF_DOC_SUMS; i++)
        nf_exact_add(&t->sum.of[i], &from->sum.of[i]);
}

struct nf_cluster_estimate nf_cluster_mean_read(const struct nf_cluster_mean *t)
{
    struct nf_cluster_mean all = *t;
    struct nf_cluster_estimate y;
    struct nf_dd mean, square;

    nf_cluster_mean_end(&all);
    y = nf_doc_sums_estimate(&all.sum, all.docs);
    if (all.beyond != 0)
        y.mean = y.doc_mean = all.beyond;
    if (y.n) {
        mean = nf_dd_div(nf_exact_dd(&all.sum.of[X]), (double)y.n);
        square = nf_dd_div(nf_exact_dd(&all.square), (double)y.n);
        y.sd = root_of_squares(nf_dd_add(square, nf_dd_scale(nf_dd_mul(mean, mean), -1)).hi);
    }
    return y;
}
