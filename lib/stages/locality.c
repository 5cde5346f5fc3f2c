/* locality.c - one query of all heads. */
#include "stages/locality.h"

#include "base/par.h"

enum { SITE_WIDTH = 7, FIRST = 6, OFFSETS = 7 };   /* columns of the site; where column FIRST and the means per offset begin */

static const size_t window[NF_LOCAL_WINDOWS] = { 1, 2, 4, 5, 8, 16 };

/* What a row of columns gets from one query: a [7] in double, reach [6] the offsets that exist. */
static void add_query(const double *a, const double *reach, double *x, double *w)
{
    for (size_t k = 0; k < NF_LOCAL_WINDOWS; k++) {
        x[k] += a[k];
        w[k] += 1;
        x[OFFSETS + k] += a[k];
        w[OFFSETS + k] += reach[k];
    }
    x[FIRST] += a[FIRST];
    w[FIRST] += 1;
}

void nf_locality_row(const float *a, size_t H, size_t t, bool exclude, struct nf_mergeable_means *m)
{
    double reach[NF_LOCAL_WINDOWS], head[SITE_WIDTH], mean[SITE_WIDTH] = { 0 }, uniform[SITE_WIDTH];
    bool without[NF_LOCAL_WINDOWS];

    for (size_t k = 0; k < NF_LOCAL_WINDOWS; k++) {
        without[k] = exclude && t > 0 && t <= window[k];
        reach[k] = (double)(nf_min(window[k], t) - without[k]);
        uniform[k] = reach[k] / (double)(t + 1);
    }
    uniform[FIRST] = 1 / (double)(t + 1);
    for (size_t h = 0; h < H; h++) {
        const float *from = a + h * SITE_WIDTH;

        for (size_t k = 0; k < SITE_WIDTH; k++) {
            head[k] = (double)from[k] - (k < FIRST && without[k] ? from[FIRST] : 0);
            mean[k] += head[k] / (double)H;
        }
        add_query(head, reach, m->x + h * NF_LOCAL_COLUMNS, m->w + h * NF_LOCAL_COLUMNS);
    }
    add_query(mean, reach, m->x + H * NF_LOCAL_COLUMNS, m->w + H * NF_LOCAL_COLUMNS);
    add_query(uniform, reach, m->x + (H + 1) * NF_LOCAL_COLUMNS, m->w + (H + 1) * NF_LOCAL_COLUMNS);
}

uint64_t nf_locality_sinks(const struct nf_mergeable_means *m, size_t H, double threshold)
{
    uint64_t sinks = 0;

    for (size_t h = 0; h < H; h++)
        sinks += nf_mergeable_means_get(m, h * NF_LOCAL_COLUMNS + FIRST).mean >= threshold;
    return sinks;
}
