/* grouped_means.c - tallies by thing, group and measure. */
#include "run/grouped_means.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "record/measures.h"

enum { MEASURES_MAX = 16 };

int nf_grouped_means_init(struct nf_grouped_means *t, size_t things, size_t measures, struct nf_err *err)
{
    assert(measures <= MEASURES_MAX);
    *t = (struct nf_grouped_means){ .things = things, .measures = measures };
    t->all = nf_alloc(things * measures, sizeof *t->all, err);
    return t->all ? NF_OK : NF_ESYS;
}

void nf_grouped_means_clear(struct nf_grouped_means *t)
{
    free(t->all);
    for (size_t i = 0; i < NF_POSITION_BINS; i++)
        free(t->bin[i]);
    for (size_t i = 0; i < t->domains; i++)
        free(t->domain[i]);
    free(t->domain);
    *t = (struct nf_grouped_means){ 0 };
}

static size_t bin_of(size_t position)
{
    size_t b = 0;

    for (; position; position >>= 1)
        b++;
    return b < NF_POSITION_BINS ? b : NF_POSITION_BINS - 1;
}

/* The group's tallies, made when its first row comes. */
static struct nf_cluster_mean *find_group(struct nf_grouped_means *t, struct nf_cluster_mean **g, struct nf_err *err)
{
    if (!*g)
        *g = nf_alloc(t->things * t->measures, sizeof **g, err);
    return *g;
}

static int room_for_domain(struct nf_grouped_means *t, size_t domain, struct nf_err *err)
{
    if (nf_grow(&t->domain, &t->domains_cap, domain + 1, sizeof *t->domain, err) < 0)
        return NF_ESYS;
    while (t->domains <= domain)
        t->domain[t->domains++] = NULL;
    return NF_OK;
}

int nf_grouped_means_add(struct nf_grouped_means *t, size_t thing, uint64_t doc, size_t domain, size_t position, const double *x,
                         struct nf_err *err)
{
    struct nf_cluster_mean *to[3];

    if (domain >= t->domains && room_for_domain(t, domain, err) < 0)
        return NF_ESYS;
    to[0] = t->all;
    to[1] = find_group(t, &t->domain[domain], err);
    to[2] = find_group(t, &t->bin[bin_of(position)], err);
    for (size_t g = 0; g < 3; g++) {
        if (!to[g])
            return NF_ESYS;
        for (size_t m = 0; m < t->measures; m++)
            nf_cluster_mean_add(&to[g][thing * t->measures + m], doc, x[m]);
    }
    return NF_OK;
}

static void write_group(const struct nf_grouped_means *t, const struct nf_cluster_mean *group, size_t thing,
                        struct nf_measure_group g, struct nf_writer *out, const char *type, const char *key,
                        const char *const *name)
{
    struct nf_measured m[MEASURES_MAX];
    bool any = false;

    for (size_t i = 0; group && i < t->measures; i++) {
        struct nf_cluster_estimate mean = nf_cluster_mean_read(&group[thing * t->measures + i]);

        m[i] = (struct nf_measured){ mean.n, mean.mean, mean.sd, mean.se, mean.doc_mean, mean.doc_sd };
        g.docs = mean.docs > g.docs ? mean.docs : g.docs;
        any = any || mean.n;
    }
    if (any)
        nf_measures_write(out, type, key, thing, &g, name, m, t->measures);
}

void nf_grouped_means_write(const struct nf_grouped_means *t, struct nf_writer *out, const char *type, const char *key,
                            const char *const *thing, char *const *domain, const char *const *name)
{
    for (size_t i = 0; i < t->things; i++) {
        const char *label = thing ? thing[i] : NULL;

        write_group(t, t->all, i, (struct nf_measure_group){ .name = label }, out, type, key, name);
        for (size_t q = 0; q < t->domains; q++)
            write_group(t, t->domain[q], i, (struct nf_measure_group){ .name = label, .domain = domain[q] }, out, type, key, name);
        for (size_t b = 0; b < NF_POSITION_BINS; b++)
            write_group(t, t->bin[b], i,
                        (struct nf_measure_group){ .name = label, .from = b ? (size_t)1 << (b - 1) : 0, .to = (size_t)1 << b }, out,
                        type, key, name);
    }
}
