/*
 * triggers.c - counts from bit planes.
 *
 * Most n-grams of a corpus occur once.  Their rows are one plane, and for the histogram only the column sums matter: they are added
 * 64 neurons at a time in bit-sliced counters.  Rows of more planes are taken apart bit by bit.
 */
#include "classify/triggers.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"

enum {
    WORDS = 4,      /* 64-neuron words of a block: one thread's share of a row, 32 bytes */
    SLICES = 8,     /* bits of a bit-sliced counter */
};

enum trouble { CORRUPT = 1, NO_MEMORY = 2 };

int nf_triggers_init(struct nf_triggers *t, size_t F, size_t order, const struct nf_classify *cfg, struct nf_err *err)
{
    size_t words = nf_blocks(F, 64);

    *t = (struct nf_triggers){ .F = F,
                               .order = order,
                               .top_max = cfg->ngram.top,
                               .rate = nf_ratio(cfg->ngram.rate),
                               .most = cfg->ngram.most[order - 1],
                               .cover = cfg->ngram.cover,
                               .min_count = { cfg->ngram.min_count, nf_max(5, cfg->ngram.min_count),
                                              nf_max(10, cfg->ngram.min_count) } };
    t->few = nf_alloc(F * NF_FEW, sizeof *t->few, err);
    t->many = nf_alloc(F, sizeof *t->many, err);
    t->total = nf_alloc(F, sizeof *t->total, err);
    t->distinct = nf_alloc(F, sizeof *t->distinct, err);
    t->sure = nf_alloc(F * NF_VARIANTS, sizeof *t->sure, err);
    t->sure_n = nf_alloc(F * NF_VARIANTS, sizeof *t->sure_n, err);
    t->possible = nf_alloc(F * NF_VARIANTS, sizeof *t->possible, err);
    t->limit = nf_alloc(F, sizeof *t->limit, err);
    t->candidate = nf_alloc(words, sizeof *t->candidate, err);
    t->room = nf_alloc(words, sizeof *t->room, err);
    t->covered = nf_alloc(F, sizeof *t->covered, err);
    t->top = nf_alloc(F * cfg->ngram.top, sizeof *t->top, err);
    t->n_top = nf_alloc(F, sizeof *t->n_top, err);
    return t->few && t->many && t->total && t->distinct && t->sure && t->sure_n && t->possible && t->limit && t->candidate &&
                   t->room && t->covered && t->top && t->n_top
               ? NF_OK
               : NF_ESYS;
}

void nf_triggers_clear(struct nf_triggers *t)
{
    for (size_t f = 0; f < t->F; f++) {
        if (t->many)
            free(t->many[f].c);
        if (t->covered)
            free(t->covered[f].hit);
    }
    free(t->few);
    free(t->many);
    free(t->total);
    free(t->distinct);
    free(t->sure);
    free(t->sure_n);
    free(t->possible);
    free(t->limit);
    free(t->candidate);
    free(t->room);
    free(t->covered);
    free(t->top);
    free(t->n_top);
    *t = (struct nf_triggers){ 0 };
}

void nf_triggers_begin(struct nf_triggers *t, const struct nf_keys *keys, const uint64_t *fires, uint64_t tokens)
{
    struct nf_ratio cover = nf_ratio(t->cover);
    uint64_t most = nf_min(nf_keys_max(keys, t->most), tokens) * cover.den / cover.num;   /* activations of a detector */
    uint64_t apart = tokens > keys->occurrences ? tokens - keys->occurrences : 0;   /* positions without n-gram, or dropped */
    size_t words = nf_blocks(t->F, 64);

    t->keys = keys;
    t->seen = 0;
    memset(t->few, 0, t->F * NF_FEW * sizeof *t->few);
    memset(t->total, 0, t->F * sizeof *t->total);
    memset(t->distinct, 0, t->F * sizeof *t->distinct);
    memset(t->sure, 0, t->F * NF_VARIANTS * sizeof *t->sure);
    memset(t->sure_n, 0, t->F * NF_VARIANTS * sizeof *t->sure_n);
    memset(t->possible, 0, t->F * NF_VARIANTS * sizeof *t->possible);
    memset(t->n_top, 0, t->F);
    memset(t->candidate, 0, words * sizeof *t->candidate);
    memset(t->room, t->top_max ? 0xff : 0, words * sizeof *t->room);
    for (size_t f = 0; f < t->F; f++) {
        t->many[f].n = 0;
        t->covered[f].n = 0;
        t->limit[f] = t->most + (cover.den - cover.num) * nf_min(fires[f], most) / cover.den;
        t->candidate[f / 64] |= (uint64_t)(fires[f] > 0 && fires[f] <= most + apart) << f % 64;
    }
}

/* ---- one count ---- */

/* A key's thresholds: fires from which it is surely, or possibly, in C. */
struct bar {
    uint32_t key, n, dropped, sure, possible;
};

static struct bar bar_of(const struct nf_triggers *t, size_t key)
{
    uint32_t n = t->keys->n[key], d = t->keys->dropped[key];
    uint64_t sure = nf_ratio_need(t->rate, (uint64_t)n + d);

    /* Best case: the neuron fired at every dropped occurrence. */
    return (struct bar){ (uint32_t)key, n, d, (uint32_t)nf_min(sure, UINT32_MAX),
                         (uint32_t)(sure > d ? nf_min(sure - d, UINT32_MAX) : 1) };
}

static void drop_candidate(struct nf_triggers *t, size_t f)
{
    t->candidate[f / 64] &= ~(1ull << f % 64);
    free(t->covered[f].hit);
    t->covered[f] = (struct nf_hits){ 0 };
}

static int add_covered_ngram(struct nf_triggers *t, size_t f, struct nf_hit hit)
{
    struct nf_hits *h = &t->covered[f];

    if (nf_grow(&h->hit, &h->cap, h->n + 1, sizeof *h->hit, NULL) < 0)
        return NO_MEMORY;
    h->hit[h->n++] = hit;
    return 0;
}

/* Keep the triggers of most fires; of equal ones the first. */
static void add_top(struct nf_triggers *t, size_t f, struct nf_hit hit)
{
    struct nf_hit *top = t->top + f * t->top_max;
    size_t i = t->n_top[f];

    if (i == t->top_max) {
        if (i == 0 || hit.c <= top[i - 1].c)
            return;
        i--;
    } else if (++t->n_top[f] == t->top_max) {
        t->room[f / 64] &= ~(1ull << f % 64);
    }
    for (; i > 0 && top[i - 1].c < hit.c; i--)
        top[i] = top[i - 1];
    top[i] = hit;
}

static int add_count(struct nf_triggers *t, size_t f, const struct bar *bar, uint32_t c)
{
    struct nf_many *many = &t->many[f];
    bool candidate = t->candidate[f / 64] >> f % 64 & 1;

    if (c > bar->n)
        return CORRUPT;
    t->total[f] += c;
    t->distinct[f]++;
    if (c < NF_FEW) {
        t->few[f * NF_FEW + c]++;
    } else {
        if (nf_grow(&many->c, &many->cap, many->n + 1, sizeof *many->c, NULL) < 0)
            return NO_MEMORY;
        many->c[many->n++] = c;
    }
    for (size_t v = 0; v < NF_VARIANTS && c >= bar->possible; v++) {
        if ((uint64_t)bar->n + bar->dropped >= t->min_count[v])
            t->possible[f * NF_VARIANTS + v] += c;
        if (c >= bar->sure && bar->n >= t->min_count[v]) {
            t->sure[f * NF_VARIANTS + v] += c;
            t->sure_n[f * NF_VARIANTS + v]++;
        }
    }
    add_top(t, f, (struct nf_hit){ bar->key, c });
    if (candidate && t->distinct[f] > t->limit[f])
        drop_candidate(t, f);
    else if (candidate && c >= bar->sure && bar->n >= t->min_count[0])
        return add_covered_ngram(t, f, (struct nf_hit){ bar->key, c });
    return 0;
}

/* ---- rows ---- */

/* Word w of a row of packed bits; bits past F are 0. */
static uint64_t word_at(const unsigned char *row, size_t w, size_t F)
{
    uint64_t x = 0;
    size_t bytes = nf_min(8, (F + 7) / 8 - w * 8);

    memcpy(&x, row + w * 8, bytes);
    if (F - w * 64 < 64)
        x &= (1ull << (F - w * 64)) - 1;
    return x;
}

static int take_count_row(struct nf_triggers *t, const struct nf_counts *c, size_t row, const struct bar *bar, size_t w)
{
    const unsigned char *at = c->bits + row * c->planes * c->row_bytes;
    uint64_t plane[NF_BIT_COUNTERS_MAX], any = 0;
    int trouble = 0;

    for (size_t p = 0; p < c->planes; p++)
        any |= plane[p] = word_at(at + p * c->row_bytes, w, t->F);
    for (; any; any &= any - 1) {
        size_t b = (size_t)__builtin_ctzll(any);
        uint32_t count = 0;

        for (size_t p = 0; p < c->planes; p++)
            count |= (uint32_t)(plane[p] >> b & 1) << p;
        trouble |= add_count(t, w * 64 + b, bar, count);
    }
    return trouble;
}

/* 64 counters, bit i of all of them in slice[i]. */
static void slices_add(uint64_t slice[SLICES], uint64_t x)
{
    for (size_t i = 0; x; i++) {
        uint64_t carry = slice[i] & x;

        slice[i] ^= x;
        x = carry;
    }
}

/* The sums of up to 2^SLICES - 1 rows of n-grams that occurred once and were fired on once. */
static void take_slices(struct nf_triggers *t, size_t w, uint64_t slice[SLICES])
{
    uint64_t any = 0;

    for (size_t i = 0; i < SLICES; i++)
        any |= slice[i];
    for (; any; any &= any - 1) {
        size_t b = (size_t)__builtin_ctzll(any), f = w * 64 + b;
        uint32_t n = 0;

        for (size_t i = 0; i < SLICES; i++)
            n |= (uint32_t)(slice[i] >> b & 1) << i;
        t->few[f * NF_FEW + 1] += n;
        t->total[f] += n;
        t->distinct[f] += n;
        for (size_t v = 0; v < NF_VARIANTS; v++)
            if (t->min_count[v] <= 1) {
                t->possible[f * NF_VARIANTS + v] += n;
                t->sure[f * NF_VARIANTS + v] += n;
                t->sure_n[f * NF_VARIANTS + v] += n;
            }
        if (t->candidate[w] >> b & 1 && t->distinct[f] > t->limit[f])
            drop_candidate(t, f);
    }
    memset(slice, 0, SLICES * sizeof *slice);
}

/* A row of one plane, nothing dropped: counts are 0 or 1, and 1 of 1 is in C.  The sums come with the slices. */
static int take_single(struct nf_triggers *t, uint32_t key, uint64_t fired, size_t w)
{
    uint64_t x = fired & (t->candidate[w] | t->room[w]);
    int trouble = 0;

    for (; x; x &= x - 1) {
        size_t b = (size_t)__builtin_ctzll(x), f = w * 64 + b;

        if (t->room[w] >> b & 1)
            add_top(t, f, (struct nf_hit){ key, 1 });
        if (t->candidate[w] >> b & 1 && t->min_count[0] <= 1)
            trouble |= add_covered_ngram(t, f, (struct nf_hit){ key, 1 });
    }
    return trouble;
}

/* All rows of a record for the 64-neuron words w0 .. w1-1, at most WORDS of them. */
static int take_words(struct nf_triggers *t, const struct nf_counts *c, size_t w0, size_t w1)
{
    uint64_t slice[WORDS][SLICES] = { { 0 } };
    size_t sliced = 0;
    int trouble = 0;

    for (size_t row = 0; row < c->k; row++) {
        size_t key = t->seen + row;
        struct bar bar = bar_of(t, key);
        bool single = c->planes == 1 && bar.dropped == 0;

        for (size_t w = w0; w < w1; w++) {
            uint64_t fired;

            if (!single) {
                trouble |= take_count_row(t, c, row, &bar, w);
                continue;
            }
            fired = word_at(c->bits + row * c->row_bytes, w, t->F);
            trouble |= take_single(t, bar.key, fired, w);
            slices_add(slice[w - w0], fired);
        }
        sliced += single;
        if (sliced == (1 << SLICES) - 1 || row + 1 == c->k) {
            for (size_t w = w0; w < w1; w++)
                take_slices(t, w, slice[w - w0]);
            sliced = 0;
        }
    }
    return trouble;
}

int nf_triggers_add(struct nf_triggers *t, const struct nf_counts *c, struct nf_err *err)
{
    size_t words = nf_blocks(t->F, 64), blocks = nf_blocks(words, WORDS);
    int trouble = 0;

    if (c->planes == 0 || c->planes > NF_BIT_COUNTERS_MAX || t->keys->start[c->planes] + c->first != t->seen ||
        c->k > t->keys->start[c->planes + 1] - t->seen)
        return nf_fail(err, NF_EFORMAT, "counts: layer %zu, order %zu: %zu planes from %zu on are not the next n-grams", c->layer,
                       t->order, c->planes, c->first);
#pragma omp parallel for schedule(dynamic) reduction(| : trouble)
    for (size_t b = 0; b < blocks; b++)
        trouble |= take_words(t, c, b * WORDS, nf_min((b + 1) * WORDS, words));
    t->seen += c->k;
    if (trouble & NO_MEMORY)
        return nf_fail(err, NF_ESYS, "out of memory: triggers of layer %zu", c->layer);
    if (trouble & CORRUPT)
        return nf_fail(err, NF_EFORMAT, "counts: layer %zu, order %zu: more fires on an n-gram than occurrences of it", c->layer,
                       t->order);
    return NF_OK;
}

static int descending(const void *a, const void *b)
{
    uint32_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x < y) - (x > y);
}

struct nf_count_histogram nf_triggers_histogram(struct nf_triggers *t, size_t f, uint64_t lost)
{
    struct nf_many *many = &t->many[f];

    if (many->n > 1)
        qsort(many->c, many->n, sizeof *many->c, descending);
    return (struct nf_count_histogram){ t->few + f * NF_FEW, many->c, many->n, t->total[f], t->distinct[f], lost, t->keys->delta };
}

bool nf_triggers_candidate(const struct nf_triggers *t, size_t f)
{
    return t->candidate[f / 64] >> f % 64 & 1;
}
