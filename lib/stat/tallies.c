/* tallies.c - tallies by thing, group and measure. */
#include "stat/tallies.h"

#include <stdlib.h>

#include "base/alloc.h"

int nf_tallies_init(struct nf_tallies *t, size_t things, size_t measures, struct nf_err *err)
{
    *t = (struct nf_tallies){ .things = things, .measures = measures };
    t->all = nf_alloc(things * measures, sizeof *t->all, err);
    return t->all ? NF_OK : NF_ESYS;
}

void nf_tallies_clear(struct nf_tallies *t)
{
    free(t->all);
    for (size_t i = 0; i < NF_TALLY_BINS; i++)
        free(t->bin[i]);
    for (size_t i = 0; i < t->domains; i++)
        free(t->domain[i]);
    free(t->domain);
    *t = (struct nf_tallies){ 0 };
}

static size_t bin_of(size_t position)
{
    size_t b = 0;

    for (; position; position >>= 1)
        b++;
    return b < NF_TALLY_BINS ? b : NF_TALLY_BINS - 1;
}

size_t nf_tallies_bin_from(size_t bin)
{
    return bin ? (size_t)1 << (bin - 1) : 0;
}

size_t nf_tallies_bin_to(size_t bin)
{
    return (size_t)1 << bin;
}

/* The group's tallies, made when its first row comes. */
static struct nf_tally *group(struct nf_tallies *t, struct nf_tally **g, struct nf_err *err)
{
    if (!*g)
        *g = nf_alloc(t->things * t->measures, sizeof **g, err);
    return *g;
}

static int room_for_domain(struct nf_tallies *t, size_t domain, struct nf_err *err)
{
    if (nf_grow(&t->domain, &t->domains_cap, domain + 1, sizeof *t->domain, err) < 0)
        return NF_ESYS;
    while (t->domains <= domain)
        t->domain[t->domains++] = NULL;
    return NF_OK;
}

int nf_tallies_add(struct nf_tallies *t, size_t thing, uint64_t doc, size_t domain, size_t position, const double *x,
                   struct nf_err *err)
{
    struct nf_tally *to[3];

    if (domain >= t->domains && room_for_domain(t, domain, err) < 0)
        return NF_ESYS;
    to[0] = t->all;
    to[1] = group(t, &t->domain[domain], err);
    to[2] = group(t, &t->bin[bin_of(position)], err);
    for (size_t g = 0; g < 3; g++) {
        if (!to[g])
            return NF_ESYS;
        for (size_t m = 0; m < t->measures; m++)
            nf_tally_add(&to[g][thing * t->measures + m], doc, x[m]);
    }
    return NF_OK;
}
