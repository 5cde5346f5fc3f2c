/* ngram_keys.c - the list of n-grams. */
#include "count/ngram_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static size_t count_bits(uint32_t n)
{
    size_t b = 0;

    for (; n; n >>= 1)
        b++;
    return b;
}

static int check_ngrams(const struct nf_keys *keys, const struct nf_ngrams *g, size_t V, struct nf_err *err)
{
    for (size_t i = keys->k; i < keys->k + g->k; i++) {
        if (count_bits(keys->n[i]) != g->planes)
            return nf_fail(err, NF_EFORMAT, "ngrams: order %zu: n = %u has not %zu bits", g->order, keys->n[i], g->planes);
        for (size_t j = 0; j < g->order; j++)
            if (keys->id[i * g->order + j] >= V)
                return nf_fail(err, NF_EFORMAT, "ngrams: token id %u is outside the vocabulary of %zu", keys->id[i * g->order + j],
                               V);
    }
    return NF_OK;
}

int nf_keys_add(struct nf_keys *keys, const struct nf_ngrams *g, size_t V, struct nf_err *err)
{
    size_t k = keys->k + g->k;

    if (g->planes < keys->planes || (g->planes == keys->planes && g->first != k - g->k - keys->start[g->planes]) ||
        (g->planes > keys->planes && g->first != 0))
        return nf_fail(err, NF_EFORMAT, "ngrams: order %zu: %zu planes from %zu on are out of order", g->order, g->planes,
                       g->first);
    if (nf_grow(&keys->id, &keys->id_cap, k * g->order, sizeof *keys->id, err) < 0 ||
        nf_grow(&keys->n, &keys->n_cap, k, sizeof *keys->n, err) < 0 ||
        nf_grow(&keys->dropped, &keys->dropped_cap, k, sizeof *keys->dropped, err) < 0)
        return NF_ESYS;
    for (; keys->planes < g->planes; keys->planes++)
        keys->start[keys->planes + 1] = keys->k;
    memcpy(keys->id + keys->k * g->order, g->keys, g->k * g->order * sizeof *keys->id);
    memcpy(keys->n + keys->k, g->n, g->k * sizeof *keys->n);
    if (g->dropped)
        memcpy(keys->dropped + keys->k, g->dropped, g->k * sizeof *keys->dropped);
    else
        memset(keys->dropped + keys->k, 0, g->k * sizeof *keys->dropped);
    if (check_ngrams(keys, g, V, err) < 0)
        return NF_EFORMAT;
    for (size_t i = keys->k; i < k; i++)
        keys->occurrences += keys->n[i];
    keys->order = g->order;
    keys->k = k;
    for (size_t p = g->planes + 1; p < NF_BIT_COUNTERS_MAX + 2; p++)
        keys->start[p] = k;
    return NF_OK;
}

uint64_t nf_keys_max(const struct nf_keys *keys, uint64_t m)
{
    uint64_t sum = m * keys->delta;

    /* All keys of most planes, then fewer; of those that do not all fit as many of the largest. */
    for (size_t p = NF_BIT_COUNTERS_MAX; p > 0 && m > 0; p--) {
        uint64_t all = 0, k = keys->start[p + 1] - keys->start[p];
        uint32_t largest = 0;

        for (size_t i = keys->start[p]; i < keys->start[p + 1]; i++) {
            all += keys->n[i];
            largest = keys->n[i] > largest ? keys->n[i] : largest;
        }
        sum += k <= m ? all : m * largest;
        m -= k <= m ? k : m;
    }
    return sum;
}

size_t nf_keys_planes(const struct nf_keys *keys, size_t i)
{
    return count_bits(keys->n[i]);
}

void nf_keys_clear(struct nf_keys *keys)
{
    free(keys->id);
    free(keys->n);
    free(keys->dropped);
    *keys = (struct nf_keys){ 0 };
}
