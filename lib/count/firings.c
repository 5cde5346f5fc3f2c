/* firings.c - which counters each position of a batch belongs to, and the addition of its rows. */
#include "count/firings.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "count/firings_impl.h"
#include "count/bit_counters.h"

enum { AHEAD = 4 };   /* groups between the hint that a counter is needed and its use: 20 % of the whole run, measured */

struct nf_firings *nf_firings_open(const struct nf_totals *t, size_t memory, struct nf_err *err)
{
    struct nf_firings *f = nf_alloc(1, sizeof *f, err);
    size_t words = nf_bit_counters_words(t->F);
    uint32_t id;

    if (!f)
        return NULL;
    f->t = t;
    f->positions = t->to - t->from;
    f->bins = nf_blocks(t->to, t->bin);
    f->budget.limit = memory;
    nf_counter_pool_init(&f->fixed, t->F, t->n_layers, &f->budget);
    f->near_zero = nf_alloc(t->n_layers, sizeof *f->near_zero, err);
    f->scratch = nf_alloc(nf_threads(), 32 * words * sizeof *f->scratch, err);
    f->count = nf_alloc(t->F, sizeof *f->count, err);
    if (!f->near_zero || !f->scratch || !f->count || nf_ngrams_open(&f->ngrams, t->F, t->n_ngram_layers, &f->budget, err) < 0)
        goto fail;
    for (size_t i = 0; i < 1 + f->positions; i++)
        if (nf_counter_pool_new(&f->fixed, true, &id, err) < 0)
            goto fail;
    return f;
fail:
    nf_firings_close(f);
    return NULL;
}

void nf_firings_close(struct nf_firings *f)
{
    if (!f)
        return;
    nf_counter_pool_clear(&f->fixed);
    nf_ngrams_close(&f->ngrams);
    free(f->near_zero);
    free(f->scratch);
    free(f->count);
    free(f->rows);
    free(f->group);
    free(f->index);
    free(f->target);
    for (size_t o = 0; o < NF_ORDERS; o++)
        free(f->sorted[o]);
    free(f->run);
    free(f);
}

void nf_firings_held(const struct nf_firings *f, uint64_t delta[NF_ORDERS], size_t *ngrams, size_t *bytes)
{
    memcpy(delta, f->ngrams.delta, sizeof f->ngrams.delta);
    *ngrams = f->ngrams.used;
    *bytes = f->budget.used;
}

int nf_firings_domains(struct nf_firings *f, size_t Q, struct nf_err *err)
{
    uint32_t id;

    for (; f->domains < Q; f->domains++)
        for (size_t i = 0; i < 1 + f->bins; i++)
            if (nf_counter_pool_new(&f->fixed, true, &id, err) < 0)
                return NF_ESYS;
    return NF_OK;
}

int nf_firings_raise(struct nf_firings *f, uint32_t counter, uint64_t by, struct nf_err *err)
{
    uint64_t n = f->fixed.counter[counter].n + by;

    if (n > UINT32_MAX)
        return nf_fail(err, NF_EFORMAT, "more than %u positions in a count", UINT32_MAX);
    if (nf_counter_pool_raise(&f->fixed, counter, (uint32_t)n, true, err) < 0)
        return NF_ESYS;
    if (nf_counter_pool_bytes(&f->fixed) > f->budget.limit)
        return nf_fail(err, NF_EUSAGE, "memory of %zu bytes does not hold the counts by position and domain", f->budget.limit);
    return NF_OK;
}

size_t nf_firings_ngram_layer(const struct nf_firings *f, size_t i)
{
    for (size_t k = 0; k < f->t->n_ngram_layers; k++)
        if (f->t->ngram_layers[k] == f->t->layers[i])
            return k;
    return SIZE_MAX;
}

/* ---- a batch: its key spaces, one after the other ---- */

static int by_target(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Turn the targets of one key space into groups. */
static int group_targets(struct nf_firings *f, bool ngram, struct nf_err *err)
{
    size_t n = f->n_target;

    if (nf_grow(&f->index, &f->index_cap, f->n_index + n, sizeof *f->index, err) < 0 ||
        nf_grow(&f->group, &f->group_cap, f->groups + n, sizeof *f->group, err) < 0)
        return NF_ESYS;
    qsort(f->target, n, sizeof *f->target, by_target);
    for (size_t i = 0; i < n; i++) {
        uint32_t counter = (uint32_t)(f->target[i] >> 32);

        if (!i || counter != f->group[f->groups - 1].counter)
            f->group[f->groups++] = (struct nf_firing_group){ ngram, counter, f->n_index, 0 };
        f->group[f->groups - 1].m++;
        f->index[f->n_index++] = (uint32_t)f->target[i];
    }
    f->n_target = 0;
    return NF_OK;
}

static void aim_counter(struct nf_firings *f, uint32_t counter, size_t row)
{
    f->target[f->n_target++] = (uint64_t)counter << 32 | row;
}

/* A key space of fixed counters: which one the position p of a window gets, or NF_COUNTER_NONE. */
typedef uint32_t fixed_counter(const struct nf_firings *f, bool bos, bool full, size_t domain, size_t p);

static uint32_t domain_or_bos(const struct nf_firings *f, bool bos, bool full, size_t domain, size_t p)
{
    (void)full;
    return bos && p == 0 ? NF_COUNTER_BOS : nf_firings_domain(f, domain);
}

static uint32_t position(const struct nf_firings *f, bool bos, bool full, size_t domain, size_t p)
{
    (void)bos, (void)domain;
    return full ? nf_firings_position(f, p) : NF_COUNTER_NONE;
}

static uint32_t domain_bin(const struct nf_firings *f, bool bos, bool full, size_t domain, size_t p)
{
    (void)bos;
    return full ? nf_firings_bin(f, domain, p / f->t->bin) : NF_COUNTER_NONE;
}

static fixed_counter *const fixed_spaces[] = { domain_or_bos, position, domain_bin };
enum { FIXED_SPACES = sizeof fixed_spaces / sizeof *fixed_spaces };

/* The n-grams of all orders that end at position p of a window; ids: of the window. */
static int count_ngrams(struct nf_firings *f, const uint32_t *ids, size_t p, bool bos, struct nf_err *err)
{
    for (size_t order = 1; order <= NF_ORDERS && p + 1 >= order + bos; order++) {
        uint32_t key[3] = { NF_NGRAM_NONE, NF_NGRAM_NONE, NF_NGRAM_NONE };

        memcpy(key + 3 - order, ids + p + 1 - order, order * sizeof *ids);
        if (f->t->order[order - 1] && nf_ngrams_count(&f->ngrams, key, order, 1, 0, 0, err) < 0)
            return err->code;
    }
    return NF_OK;
}

/*
 * Raise the counters of every position, before any row is added: a later n-gram may drop an earlier one.  In the order of the
 * positions, so that what is dropped does not depend on the batches.
 */
static int count_batch(struct nf_firings *f, const struct nf_batch *b, const size_t *domain, struct nf_err *err)
{
    const uint32_t *ids = b->ids;

    nf_ngrams_begin(&f->ngrams);
    for (size_t w = 0; w < b->W; ids += b->length[w++])
        for (size_t p = f->t->from; p < nf_min(f->t->to, b->length[w]); p++) {
            for (size_t s = 0; s < FIXED_SPACES; s++) {
                uint32_t id = fixed_spaces[s](f, b->bos[w], b->length[w] == f->t->context, domain[w], p);

                if (id != NF_COUNTER_NONE && nf_firings_raise(f, id, 1, err) < 0)
                    return err->code;
            }
            if (count_ngrams(f, ids, p, b->bos[w], err) < 0)
                return err->code;
        }
    return NF_OK;
}

static int aim_fixed(struct nf_firings *f, const struct nf_batch *b, const size_t *domain, fixed_counter *space, struct nf_err *err)
{
    size_t row = 0;

    for (size_t w = 0; w < b->W; w++)
        for (size_t p = f->t->from; p < nf_min(f->t->to, b->length[w]); p++, row++) {
            uint32_t id = space(f, b->bos[w], b->length[w] == f->t->context, domain[w], p);

            if (id != NF_COUNTER_NONE)
                aim_counter(f, id, row);
        }
    return group_targets(f, false, err);
}

static int aim_ngrams(struct nf_firings *f, const struct nf_batch *b, size_t order, struct nf_err *err)
{
    size_t row = 0, i = 0;

    for (size_t w = 0; w < b->W; w++)
        for (size_t p = f->t->from; p < nf_min(f->t->to, b->length[w]); p++, row++)
            if (p + 1 >= order + b->bos[w])
                aim_counter(f, f->ngrams.pending[order - 1][i++], row);
    return group_targets(f, true, err);
}

int nf_firings_end(struct nf_firings *f, struct nf_err *err)
{
    if (!f->R || f->layer == f->t->n_layers)
        return NF_OK;
    return nf_fail(err, NF_EFORMAT, "batch %llu: ffn.active of layer %zu has %zu of %zu rows", (unsigned long long)f->batch,
                   f->t->layers[f->layer], f->row, f->R);
}

int nf_firings_batch(struct nf_firings *f, const struct nf_batch *b, const size_t *domain, struct nf_err *err)
{
    size_t last = 0;

    if (nf_firings_end(f, err) < 0)
        return NF_EFORMAT;
    f->batch = b->batch;
    f->R = f->layer = f->row = f->groups = f->n_index = 0;
    for (size_t w = 0; w < b->W; w++) {
        f->R += nf_max(nf_min(f->t->to, b->length[w]), f->t->from) - f->t->from;
        last = nf_max(last, domain[w]);
    }
    if (nf_grow(&f->target, &f->target_cap, f->R, sizeof *f->target, err) < 0 || nf_firings_domains(f, last + 1, err) < 0)
        return NF_ESYS;
    if (f->R * f->fixed.words > f->rows_cap) {
        free(f->rows);
        f->rows = nf_alloc(f->R, f->fixed.words * sizeof *f->rows, err);
        f->rows_cap = f->rows ? f->R * f->fixed.words : 0;
        if (!f->rows)
            return NF_ESYS;
    }
    if (count_batch(f, b, domain, err) < 0)
        return err->code;
    for (size_t s = 0; s < FIXED_SPACES; s++)
        if (aim_fixed(f, b, domain, fixed_spaces[s], err) < 0)
            return NF_ESYS;
    for (size_t order = 1; order <= NF_ORDERS; order++)
        if (f->t->order[order - 1] && aim_ngrams(f, b, order, err) < 0)
            return NF_ESYS;
    return NF_OK;
}

/* ---- rows ---- */

static void add_layer_counts(struct nf_firings *f)
{
    size_t ngram_layer = nf_firings_ngram_layer(f, f->layer), words = f->fixed.words;

#pragma omp parallel for schedule(dynamic, 16)
    for (size_t i = 0; i < f->groups; i++) {
        const struct nf_firing_group *g = &f->group[i];
        uint64_t *scratch = f->scratch + (size_t)omp_get_thread_num() * 32 * words;

        if (i + AHEAD < f->groups && g[AHEAD].ngram && ngram_layer != SIZE_MAX)
            nf_counter_pool_prefetch(&f->ngrams.counters, g[AHEAD].counter, ngram_layer);
        if (!g->ngram)
            nf_counter_pool_add(&f->fixed, g->counter, f->layer, f->rows, f->index + g->first, g->m, scratch);
        else if (ngram_layer != SIZE_MAX)
            nf_counter_pool_add(&f->ngrams.counters, g->counter, ngram_layer, f->rows, f->index + g->first, g->m, scratch);
    }
}

/* Copy packed rows into aligned ones. */
static int copy_rows(struct nf_firings *f, const unsigned char *data, size_t R, struct nf_err *err)
{
    size_t F = f->t->F, bytes = (F + 7) / 8, words = f->fixed.words;
    unsigned past = F % 8 ? 0xffu << F % 8 & 0xff : 0;

    for (size_t r = 0; r < R; r++) {
        uint64_t *to = f->rows + (f->row + r) * words;

        if (data[r * bytes + bytes - 1] & past)
            return nf_fail(err, NF_EFORMAT, "batch %llu: ffn.active of layer %zu, row %zu: a bit past the %zu neurons is set",
                           (unsigned long long)f->batch, f->t->layers[f->layer], f->row + r, F);
        memset(to + bytes / 8, 0, words * sizeof *to - bytes / 8 * sizeof *to);
        memcpy(to, data + r * bytes, bytes);
    }
    return NF_OK;
}

int nf_firings_rows(struct nf_firings *f, const struct nf_site_rows *s, struct nf_err *err)
{
    size_t R = s->data.shape[0];

    if (s->data.dtype != NF_U8 || s->data.ndim != 2 || s->data.shape[1] != (f->t->F + 7) / 8)
        return nf_fail(err, NF_EFORMAT, "ffn.active of layer %zu: rows of %zu packed bits are expected", s->layer, f->t->F);
    if (!R)
        return NF_OK;
    if (f->layer == f->t->n_layers || s->batch != f->batch || s->layer != f->t->layers[f->layer] || s->row != f->row ||
        R > f->R - f->row)
        return nf_fail(err, NF_EFORMAT, "batch %llu: ffn.active of layer %zu, rows %zu to %zu: out of order",
                       (unsigned long long)s->batch, s->layer, s->row, s->row + R - 1);
    if (copy_rows(f, s->data.data, R, err) < 0)
        return NF_EFORMAT;
    f->near_zero[f->layer] += s->near_zero;
    f->row += R;
    if (f->row < f->R)
        return NF_OK;
    add_layer_counts(f);
    f->layer++;
    f->row = 0;
    return NF_OK;
}
