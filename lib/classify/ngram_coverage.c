/* ngram_coverage.c - unions of covered n-grams. */
#include "classify/ngram_coverage.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"

int nf_ngram_coverage_init(struct nf_ngram_coverage *e, size_t k, struct nf_err *err)
{
    *e = (struct nf_ngram_coverage){ .k = k, .words = nf_blocks(k, 64) };
    e->here = nf_alloc(e->words, sizeof *e->here, err);
    e->previous = nf_alloc(e->words, sizeof *e->previous, err);
    e->lower = nf_alloc(e->words, sizeof *e->lower, err);
    return e->here && e->previous && e->lower ? NF_OK : NF_ESYS;
}

void nf_ngram_coverage_add(struct nf_ngram_coverage *e, const struct nf_hits *covered, const uint32_t *n, uint64_t min)
{
    for (size_t i = 0; i < covered->n; i++)
        if (n[covered->hit[i].key] >= min)
            e->here[covered->hit[i].key / 64] |= 1ull << covered->hit[i].key % 64;
}

static uint64_t ones(uint64_t x)
{
    return (uint64_t)__builtin_popcountll(x);
}

struct nf_covered nf_ngram_coverage_layer(struct nf_ngram_coverage *e)
{
    struct nf_covered c = { 0 };
    uint64_t *old = e->previous;

    for (size_t w = 0; w < e->words; w++) {
        c.total += ones(e->here[w]);
        c.in_lower += ones(e->here[w] & e->lower[w]);
        c.in_previous += ones(e->here[w] & e->previous[w]);
        e->lower[w] |= e->here[w];
        c.cumulative += ones(e->lower[w]);
    }
    c.new_overall = c.total - c.in_lower;
    c.new_previous = c.total - c.in_previous;
    e->previous = e->here;
    e->here = old;
    memset(e->here, 0, e->words * sizeof *e->here);
    return c;
}

void nf_ngram_coverage_clear(struct nf_ngram_coverage *e)
{
    free(e->here);
    free(e->previous);
    free(e->lower);
    *e = (struct nf_ngram_coverage){ 0 };
}
