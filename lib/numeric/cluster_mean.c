/* cluster_mean.c - sums over rows and over documents. */
#include "numeric/cluster_mean.h"

#include <math.h>

static void close_document(struct nf_cluster_mean *t)
{
    double off;

    if (!t->doc)
        return;
    t->docs++;
    off = t->doc_sum / t->doc_n - t->doc_mean;
    t->doc_mean += off / (double)t->docs;
    t->doc_square += off * (t->doc_sum / t->doc_n - t->doc_mean);
    t->ss += t->doc_sum * t->doc_sum;
    t->sn += t->doc_sum * t->doc_n;
    t->nn += t->doc_n * t->doc_n;
    t->doc_sum = t->doc_n = 0;
}

void nf_cluster_mean_add(struct nf_cluster_mean *t, uint64_t doc, double x)
{
    if (isnan(x))
        return;
    if (t->doc != doc + 1) {
        close_document(t);
        t->doc = doc + 1;
    }
    t->n++;
    t->sum += x;
    t->square += x * x;
    t->doc_sum += x;
    t->doc_n++;
}

struct nf_cluster_estimate nf_cluster_mean_read(const struct nf_cluster_mean *t)
{
    struct nf_cluster_mean all = *t;
    struct nf_cluster_estimate m = { t->n, 0, NAN, NAN, NAN, NAN, NAN };
    double n = (double)t->n, G, spread;

    close_document(&all);
    m.docs = all.docs;
    if (t->n == 0)
        return m;
    G = (double)all.docs;
    m.mean = all.sum / n;
    m.sd = sqrt(fmax(0, all.square / n - m.mean * m.mean));
    spread = fmax(0, all.ss - 2 * m.mean * all.sn + m.mean * m.mean * all.nn);
    m.doc_mean = all.doc_mean;
    if (all.docs > 1) {
        m.se = sqrt(G / (G - 1) * spread) / n;
        m.doc_sd = sqrt(all.doc_square / (G - 1));
    }
    return m;
}
