/* histogram.c - bins from the bits of a float. */
#include "numeric/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
    FIRST_BIN = (127 - 24) << 4,   /* biased exponent of 2^-24 and the top 4 mantissa bits */
    BIN_SHIFT = 23 - 4,
};

int nf_histogram_open(struct nf_histogram *h, size_t W, struct nf_err *err)
{
    *h = (struct nf_histogram){ .W = W };
    h->zero = nf_alloc(W, sizeof *h->zero, err);
    h->octave = nf_alloc(W, 2 * NF_OCTAVES * sizeof *h->octave, err);
    return h->zero && h->octave ? NF_OK : NF_ESYS;
}

void nf_histogram_close(struct nf_histogram *h)
{
    free(h->zero);
    free(h->octave);
    free(h->block);
    *h = (struct nf_histogram){ 0 };
}

int nf_histogram_bin(float x)
{
    uint32_t bits;
    int i;

    memcpy(&bits, &x, sizeof bits);
    i = (int)((bits & 0x7fffffffu) >> BIN_SHIFT) - FIRST_BIN + 1;
    return i < 1 ? 0 : bits >> 31 ? -i : i;
}

double nf_histogram_edge(int i)
{
    int j = i - 1;

    return ldexp(1 + j % NF_BINS_AN_OCTAVE / (double)NF_BINS_AN_OCTAVE, j / NF_BINS_AN_OCTAVE - 24);
}

/* Where the block of bin i != 0 is noted, and the place of the bin in it. */
static uint32_t *octave_of(const struct nf_histogram *h, size_t unit, int i, size_t *place)
{
    size_t j = (size_t)(i < 0 ? -i : i) - 1;

    *place = j % NF_BINS_AN_OCTAVE;
    return h->octave + unit * 2 * NF_OCTAVES + (i < 0) * NF_OCTAVES + j / NF_BINS_AN_OCTAVE;
}

int nf_histogram_add(struct nf_histogram *h, size_t unit, int bin, uint32_t n, struct nf_err *err)
{
    size_t place;
    uint32_t *o;

    if (!bin) {
        h->zero[unit] += n;
        return NF_OK;
    }
    o = octave_of(h, unit, bin, &place);
    if (!*o) {
        if (nf_grow(&h->block, &h->cap, h->blocks + 1, sizeof *h->block, err) < 0)
            return NF_ESYS;
        memset(h->block[h->blocks], 0, sizeof *h->block);
        *o = (uint32_t)++h->blocks;
    }
    h->block[*o - 1][place] += n;
    return NF_OK;
}

uint64_t nf_histogram_count(const struct nf_histogram *h, size_t unit, int bin)
{
    size_t place;
    uint32_t *o;

    if (!bin)
        return h->zero[unit];
    o = octave_of(h, unit, bin, &place);
    return *o ? h->block[*o - 1][place] : 0;
}

static double middle(int bin)
{
    double x = bin ? (nf_histogram_edge(abs(bin)) + nf_histogram_edge(abs(bin) + 1)) / 2 : 0;

    return bin < 0 ? -x : x;
}

void nf_histogram_quantiles(const struct nf_histogram *h, size_t unit, double min, double max, const double *level, size_t k,
                            double *value)
{
    uint64_t n = 0, below = 0;
    size_t i = 0;

    for (int bin = -NF_BIN_MAX; bin <= NF_BIN_MAX; bin++)
        n += nf_histogram_count(h, unit, bin);
    for (int bin = -NF_BIN_MAX; bin <= NF_BIN_MAX && i < k && n; bin++) {
        below += nf_histogram_count(h, unit, bin);
        for (; i < k && (double)below >= fmax(1, ceil(level[i] * (double)n)); i++)
            value[i] = fmin(fmax(middle(bin), min), max);
    }
    for (; i < k; i++)
        value[i] = NAN;
}
