/* firings_records.c - the counts as records, and the merging of such records. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "count/firings.h"
#include "count/firings_impl.h"
#include "count/bit_counters.h"

enum {
    RECORD_BYTES = 4 << 20, /* of the main table of a record: well under the limit of 16 MiB, large enough to cost nothing */
    RUN_MAX = 1 << 16, /* n-grams a record: 1 MiB of keys and counts */
};

static size_t rows_a_record(size_t row_bytes)
{
    return nf_max(1, RECORD_BYTES / nf_max(1, row_bytes));
}

/* ---- writing ---- */

static int add_run(struct nf_firings *f, const struct nf_ngram_run *run, struct nf_err *err)
{
    if (nf_grow(&f->run, &f->run_cap, f->runs + 1, sizeof *f->run, err) < 0)
        return NF_ESYS;
    f->run[f->runs++] = *run;
    return NF_OK;
}

/* Cut the sorted n-grams of one order into runs of the same number of planes. */
static int cut_into_runs(struct nf_firings *f, size_t order, struct nf_err *err)
{
    const struct nf_counter *counter = f->ngrams.counters.counter;
    const uint32_t *sorted = f->sorted[order - 1];
    size_t n = f->n_sorted[order - 1], row_bytes = (f->t->F + 7) / 8, first = 0;

    for (size_t at = 0, k; at < n; at += k) {
        size_t planes = nf_bit_counters_bits(counter[sorted[at]].n);
        size_t most = nf_min(RUN_MAX, rows_a_record(planes * row_bytes));

        for (k = 1; k < most && at + k < n && nf_bit_counters_bits(counter[sorted[at + k]].n) == planes;)
            k++;
        if (at && nf_bit_counters_bits(counter[sorted[at - 1]].n) != planes)
            first = 0;
        if (add_run(f, &(struct nf_ngram_run){ order, planes, first, k, at }, err) < 0)
            return NF_ESYS;
        first += k;
    }
    return NF_OK;
}

static int write_run(struct nf_firings *f, const struct nf_ngram_run *run, struct nf_writer *w, struct nf_err *err)
{
    size_t order = run->order;
    const uint32_t *sorted = f->sorted[order - 1] + run->at;
    uint32_t *keys = nf_alloc(run->k * (order + 2), sizeof *keys, err), *n, *dropped;

    if (!keys)
        return NF_ESYS;
    n = keys + run->k * order;
    dropped = n + run->k;
    for (size_t i = 0; i < run->k; i++) {
        memcpy(keys + i * order, f->ngrams.ngram[sorted[i]].token + 3 - order, order * sizeof *keys);
        n[i] = f->ngrams.counters.counter[sorted[i]].n;
        dropped[i] = f->ngrams.ngram[sorted[i]].dropped;
    }
    nf_record_write(
        &nf_ngrams_record, w,
        &(struct nf_ngrams){ order, run->planes, run->first, run->k, keys, n, f->ngrams.delta[order - 1] ? dropped : NULL });
    free(keys);
    return NF_OK;
}

int nf_firings_write_ngrams(struct nf_firings *f, struct nf_writer *w, struct nf_err *err)
{
    f->runs = 0;
    for (size_t order = 1; order <= NF_ORDERS; order++) {
        size_t o = order - 1, from = f->runs;

        if (!f->t->order[o])
            continue;
        if (f->ngrams.delta[o])
            nf_record_write(&nf_lost_ngrams_record, w,
                            &(struct nf_lost_ngrams){ order, f->ngrams.delta[o], f->ngrams.counters.counter[f->ngrams.lost[o]].n });
        free(f->sorted[o]);
        if (nf_ngrams_sorted(&f->ngrams, order, &f->sorted[o], &f->n_sorted[o], err) < 0 || cut_into_runs(f, order, err) < 0)
            return NF_ESYS;
        for (size_t i = from; i < f->runs; i++)
            if (write_run(f, &f->run[i], w, err) < 0)
                return NF_ESYS;
    }
    return NF_OK;
}

static void get_counts(const struct nf_counter_pool *c, uint32_t id, size_t layer, uint64_t *count)
{
    memset(count, 0, c->F * sizeof *count);
    nf_counter_pool_get(c, id, layer, count);
}

static int write_fires(struct nf_firings *f, size_t i, const size_t *order, struct nf_writer *w, struct nf_err *err)
{
    size_t F = f->t->F, Q = f->t->Q;
    uint64_t *all = nf_alloc(2 + Q, F * sizeof *all, err), *bos, *domain;

    if (!all)
        return NF_ESYS;
    bos = all + F;
    domain = bos + F;
    get_counts(&f->fixed, NF_COUNTER_BOS, i, bos);
    for (size_t q = 0; q < Q; q++) {
        get_counts(&f->fixed, nf_firings_domain(f, order[q]), i, domain + q * F);
        for (size_t n = 0; n < F; n++)
            all[n] += domain[q * F + n];
    }
    nf_record_write(&nf_fires_record, w, &(struct nf_fires){ f->t->layers[i], F, Q, all, bos, domain, f->near_zero[i] });
    free(all);
    return NF_OK;
}

/* counts[rows, F] of the counters first .. first + rows - 1. */
static void get_count_rows(struct nf_firings *f, size_t layer, uint32_t first, size_t rows, uint32_t *counts)
{
    for (size_t r = 0; r < rows; r++) {
        get_counts(&f->fixed, first + (uint32_t)r, layer, f->count);
        for (size_t n = 0; n < f->t->F; n++)
            counts[r * f->t->F + n] = (uint32_t)f->count[n];
    }
}

static int write_positions(struct nf_firings *f, size_t i, const size_t *order, struct nf_writer *w, struct nf_err *err)
{
    size_t F = f->t->F, most = rows_a_record(F * sizeof(uint32_t)), rows;
    uint32_t *counts = nf_alloc(most, F * sizeof *counts, err);

    if (!counts)
        return NF_ESYS;
    for (size_t p = f->t->from; p < f->t->to; p += rows) {
        rows = nf_min(most, f->t->to - p);
        get_count_rows(f, i, nf_firings_position(f, p), rows, counts);
        nf_record_write(&nf_position_record, w, &(struct nf_position){ f->t->layers[i], p, rows, F, counts });
    }
    for (size_t q = 0; q < f->t->Q; q++)
        for (size_t b = 0; b < f->bins; b += rows) {
            rows = nf_min(most, f->bins - b);
            get_count_rows(f, i, nf_firings_bin(f, order[q], b), rows, counts);
            nf_record_write(&nf_domain_position_record, w, &(struct nf_domain_position){ f->t->layers[i], q, b, rows, F, counts });
        }
    free(counts);
    return NF_OK;
}

static int write_counts(struct nf_firings *f, size_t layer, size_t ngram_layer, const struct nf_ngram_run *run, struct nf_writer *w,
                        struct nf_err *err)
{
    size_t row_bytes = (f->t->F + 7) / 8;
    unsigned char *bits = nf_alloc(run->k * run->planes, row_bytes, err), *to = bits;
    uint64_t *plane[32];

    if (!bits)
        return NF_ESYS;
    for (size_t i = 0; i < run->k; i++) {
        nf_counter_pool_planes(&f->ngrams.counters, f->sorted[run->order - 1][run->at + i], ngram_layer, plane);
        for (size_t p = 0; p < run->planes; p++, to += row_bytes)
            memcpy(to, plane[p], row_bytes);
    }
    nf_record_write(&nf_counts_record, w,
                    &(struct nf_counts){ layer, run->order, run->planes, run->first, run->k, bits, f->t->F, row_bytes });
    free(bits);
    return NF_OK;
}

int nf_firings_write_layer(struct nf_firings *f, size_t i, const size_t *order, struct nf_writer *w, struct nf_err *err)
{
    size_t layer = f->t->layers[i], ngram_layer = nf_firings_ngram_layer(f, i);

    if (nf_firings_domains(f, f->t->Q, err) < 0 || write_fires(f, i, order, w, err) < 0 || write_positions(f, i, order, w, err) < 0)
        return NF_ESYS;
    if (ngram_layer == SIZE_MAX)
        return NF_OK;
    for (size_t r = 0; r < f->runs; r++)
        if (write_counts(f, layer, ngram_layer, &f->run[r], w, err) < 0)
            return NF_ESYS;
    for (size_t o = 0; o < NF_ORDERS; o++)
        if (f->ngrams.delta[o]) {
            get_counts(&f->ngrams.counters, f->ngrams.lost[o], ngram_layer, f->count);
            nf_record_write(&nf_lost_record, w, &(struct nf_lost){ layer, o + 1, f->t->F, f->count });
        }
    return NF_OK;
}

/* ---- merging ---- */

static int refuse_firings_order(const char *type, struct nf_err *err)
{
    return nf_fail(err, NF_EFORMAT, "%s: a record out of order", type);
}

static int refuse_excess(const char *type, size_t layer, struct nf_err *err)
{
    return nf_fail(err, NF_EFORMAT, "%s of layer %zu: a neuron fired more often than there are positions", type, layer);
}

int nf_firings_merge_begin(struct nf_firings *f, const struct nf_totals *in, const size_t *domain, struct nf_err *err)
{
    size_t last = 0;
    int rc;

    f->in = in;
    f->runs = f->in_lost = f->seen_fires = f->seen_position = f->seen_bins = f->seen_counts = f->seen_lost = 0;
    memset(f->in_order, 0, sizeof f->in_order);
    memset(f->in_delta, 0, sizeof f->in_delta);
    nf_ngrams_begin(&f->ngrams);
    for (size_t q = 0; q < in->Q; q++) {
        f->in_domain[q] = domain[q];
        last = nf_max(last, domain[q] + 1);
    }
    rc = nf_firings_domains(f, last, err);
    if (rc == NF_OK)
        rc = nf_firings_raise(f, NF_COUNTER_BOS, in->bos, err);
    for (size_t p = in->from; rc == NF_OK && p < in->to; p++)
        rc = nf_firings_raise(f, nf_firings_position(f, p), in->full, err);
    for (size_t q = 0; rc == NF_OK && q < in->Q; q++) {
        rc = nf_firings_raise(f, nf_firings_domain(f, domain[q]), in->domain_tokens[q], err);
        for (size_t b = 0; rc == NF_OK && b < f->bins; b++) {
            size_t from = nf_max(b * in->bin, in->from), to = nf_min((b + 1) * in->bin, in->to);
            uint64_t n;

            if (__builtin_mul_overflow(in->domain_full[q], (uint64_t)(nf_max(from, to) - from), &n))
                return nf_fail(err, NF_EFORMAT, "totals: domain_full of %s is %llu", in->domain[q],
                               (unsigned long long)in->domain_full[q]);
            rc = nf_firings_raise(f, nf_firings_bin(f, domain[q], b), n, err);
        }
    }
    return rc;
}

static int merge_lost_ngrams(struct nf_firings *f, const struct nf_lost_ngrams *l, struct nf_err *err)
{
    if (f->in_order[l->order - 1] || (f->runs && f->run[f->runs - 1].order >= l->order))
        return refuse_firings_order("lost_ngrams", err);
    f->in_order[l->order - 1] = true;
    f->in_delta[l->order - 1] = (uint32_t)l->delta;
    f->in_lost++;
    return nf_ngrams_add_delta(&f->ngrams, l->order, l->delta, l->occurrences, err);
}

static int merge_ngrams(struct nf_firings *f, const struct nf_ngrams *g, struct nf_err *err)
{
    const struct nf_ngram_run run = { g->order, g->planes, g->first, g->k, f->ngrams.n_pending[g->order - 1] };
    uint32_t delta = f->in_delta[g->order - 1];

    if (!f->in->order[g->order - 1] || (f->runs && f->run[f->runs - 1].order > g->order))
        return refuse_firings_order("ngrams", err);
    for (size_t i = 0; i < g->k; i++) {
        uint32_t key[3] = { NF_NGRAM_NONE, NF_NGRAM_NONE, NF_NGRAM_NONE }, n, dropped = 0;

        memcpy(key + 3 - g->order, (const char *)g->keys + i * g->order * sizeof *key, g->order * sizeof *key);
        memcpy(&n, (const char *)g->n + i * sizeof n, sizeof n);
        if (g->dropped)
            memcpy(&dropped, (const char *)g->dropped + i * sizeof dropped, sizeof dropped);
        if (dropped > delta)
            return nf_fail(err, NF_EFORMAT, "ngrams: dropped is %u, over the delta of %u", (unsigned)dropped, (unsigned)delta);
        if (nf_ngrams_count(&f->ngrams, key, g->order, n, dropped, delta, err) < 0)
            return err->code;
    }
    return add_run(f, &run, err);
}

static int merge_counts(struct nf_firings *f, const struct nf_counts *c, struct nf_err *err)
{
    size_t words = f->fixed.words, layer = f->runs ? f->seen_counts / f->runs : 0;
    const struct nf_ngram_run *run;

    if (!f->runs || layer >= f->t->n_ngram_layers || c->layer != f->t->ngram_layers[layer])
        return refuse_firings_order("counts", err);
    run = &f->run[f->seen_counts++ % f->runs];
    if (c->order != run->order || c->planes != run->planes || c->first != run->first || c->k != run->k)
        return refuse_firings_order("counts", err);
    for (size_t i = 0; i < c->k; i++) {
        uint32_t id = f->ngrams.pending[c->order - 1][run->at + i];
        uint64_t *plane[32];
        const uint64_t *by[32];
        size_t n = nf_counter_pool_planes(&f->ngrams.counters, id, layer, plane);

        memset(f->scratch, 0, c->planes * words * sizeof *f->scratch);
        for (size_t p = 0; p < c->planes; p++) {
            memcpy(f->scratch + p * words, c->bits + (i * c->planes + p) * c->row_bytes, c->row_bytes);
            by[p] = f->scratch + p * words;
        }
        if (!nf_bit_counters_add(plane, n, by, c->planes, words))
            return refuse_excess("counts", c->layer, err);
    }
    return NF_OK;
}

/* Add u8 or u4 counts to a counter. */
static int add_counts(struct nf_firings *f, struct nf_counter_pool *c, uint32_t id, size_t layer, const void *counts, size_t size,
                      const char *type, struct nf_err *err)
{
    size_t F = f->t->F;

    for (size_t n = 0; size == sizeof(uint32_t) && n < F; n++) {
        uint32_t v;

        memcpy(&v, (const char *)counts + n * sizeof v, sizeof v);
        f->count[n] = v;
    }
    if (size == sizeof(uint64_t))
        memcpy(f->count, counts, F * sizeof *f->count);
    return nf_counter_pool_add_counts(c, id, layer, f->count, f->scratch) ? NF_OK : refuse_excess(type, f->t->layers[layer], err);
}

static int merge_fires(struct nf_firings *f, const struct nf_fires *r, struct nf_err *err)
{
    size_t F = f->t->F, i = f->seen_fires++;
    int rc;

    if (i >= f->t->n_layers || r->layer != f->t->layers[i])
        return refuse_firings_order("fires", err);
    f->near_zero[i] += r->near_zero;
    rc = add_counts(f, &f->fixed, NF_COUNTER_BOS, i, r->bos, sizeof(uint64_t), "fires", err);
    for (size_t q = 0; rc == NF_OK && q < r->Q; q++)
        rc = add_counts(f, &f->fixed, nf_firings_domain(f, f->in_domain[q]), i, (const char *)r->domain + q * F * sizeof(uint64_t),
                        sizeof(uint64_t), "fires", err);
    return rc;
}

static int merge_position(struct nf_firings *f, const struct nf_position *r, struct nf_err *err)
{
    size_t F = f->t->F, i = f->positions ? f->seen_position / f->positions : SIZE_MAX;

    if (i >= f->t->n_layers || r->layer != f->t->layers[i] || r->first != f->t->from + f->seen_position % f->positions ||
        r->P > f->t->to - r->first)
        return refuse_firings_order("position", err);
    f->seen_position += r->P;
    for (size_t p = 0; p < r->P; p++)
        if (add_counts(f, &f->fixed, nf_firings_position(f, r->first + p), i, (const char *)r->counts + p * F * sizeof(uint32_t),
                       sizeof(uint32_t), "position", err) < 0)
            return NF_EFORMAT;
    return NF_OK;
}

static int merge_domain_position(struct nf_firings *f, const struct nf_domain_position *r, struct nf_err *err)
{
    size_t F = f->t->F, a_layer = f->in->Q * f->bins, i = a_layer ? f->seen_bins / a_layer : SIZE_MAX;

    if (i >= f->t->n_layers || r->layer != f->t->layers[i] || r->domain * f->bins + r->first != f->seen_bins % a_layer ||
        r->first >= f->bins || r->B > f->bins - r->first)
        return refuse_firings_order("domain_position", err);
    f->seen_bins += r->B;
    for (size_t b = 0; b < r->B; b++)
        if (add_counts(f, &f->fixed, nf_firings_bin(f, f->in_domain[r->domain], r->first + b), i,
                       (const char *)r->counts + b * F * sizeof(uint32_t), sizeof(uint32_t), "domain_position", err) < 0)
            return NF_EFORMAT;
    return NF_OK;
}

static int merge_lost(struct nf_firings *f, const struct nf_lost *r, struct nf_err *err)
{
    size_t layer = f->in_lost ? f->seen_lost++ / f->in_lost : SIZE_MAX;
    uint32_t id;

    if (layer >= f->t->n_ngram_layers || r->layer != f->t->ngram_layers[layer] || !f->in_order[r->order - 1])
        return refuse_firings_order("lost", err);
    id = f->ngrams.lost[r->order - 1];
    memcpy(f->count, r->fires, f->t->F * sizeof *f->count);
    return nf_counter_pool_add_counts(&f->ngrams.counters, id, layer, f->count, f->scratch) ? NF_OK
                                                                                            : refuse_excess("lost", r->layer, err);
}

int nf_firings_merge_record(struct nf_firings *f, const struct nf_any_record *in, struct nf_err *err)
{
    if (in->type == &nf_lost_ngrams_record)
        return merge_lost_ngrams(f, in->rec, err);
    if (in->type == &nf_ngrams_record)
        return merge_ngrams(f, in->rec, err);
    if (in->type == &nf_fires_record)
        return merge_fires(f, in->rec, err);
    if (in->type == &nf_position_record)
        return merge_position(f, in->rec, err);
    if (in->type == &nf_domain_position_record)
        return merge_domain_position(f, in->rec, err);
    if (in->type == &nf_counts_record)
        return merge_counts(f, in->rec, err);
    return in->type == &nf_lost_record ? merge_lost(f, in->rec, err) : NF_EOF;
}

int nf_firings_merge_end(struct nf_firings *f, struct nf_err *err)
{
    size_t L = f->t->n_layers;

    if (f->seen_fires != L || f->seen_position != L * f->positions || f->seen_bins != L * f->in->Q * f->bins ||
        f->seen_counts != f->t->n_ngram_layers * f->runs || f->seen_lost != f->t->n_ngram_layers * f->in_lost)
        return nf_fail(err, NF_EFORMAT, "counts of a layer are missing");
    return NF_OK;
}
