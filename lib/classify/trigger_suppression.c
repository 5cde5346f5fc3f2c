/* trigger_suppression.c - suppression of triggers over a layer. */
#include "classify/trigger_suppression.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/rng.h"
#include "record/share.h"

enum { BATCH = 16 };   /* rows projected at a time: 16 x 4 x V doubles */

/* What a pass over rows needs. */
struct projection_pass {
    const struct nf_vocab_projection *s;
    const struct nf_ffn_rows *rows;
    const struct nf_classify *cfg;
    const struct nf_layer_counts *l;
    size_t V, D;
    float *w;                    /* [BATCH, D] */
    double *p;                   /* [BATCH, NF_PROJECTIONS, V] */
    struct nf_weighted *token, *match;   /* [keys] */
    struct nf_hit *sorted;       /* [keys] */
    struct nf_trigger_suppression *out;
};

static int by_fires(const void *a, const void *b)
{
    const struct nf_hit *x = a, *y = b;

    return x->c != y->c ? (x->c < y->c) - (x->c > y->c) : (x->key > y->key) - (x->key < y->key);
}

void nf_hits_sort(struct nf_hit *hit, size_t n)
{
    if (n > 1)
        qsort(hit, n, sizeof *hit, by_fires);
}

/* Members of `covered` below key index i. */
static size_t count_members_below(const struct nf_hits *covered, size_t i)
{
    size_t lo = 0, hi = covered->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (covered->hit[mid].key < i)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* A uniformly random key with so many planes that is not covered; SIZE_MAX: there is none. */
static size_t draw(const struct nf_keys *keys, const struct nf_hits *covered, size_t planes, struct nf_rng *rng)
{
    size_t from = keys->start[planes], to = keys->start[planes + 1], first = count_members_below(covered, from),
           last = count_members_below(covered, to), key;

    if (to - from == last - first)
        return SIZE_MAX;
    /* The j-th of the uncovered keys: every covered one at or before it moves it on by one. */
    key = from + nf_rng_below(rng, to - from - (last - first));
    for (size_t i = first; i < last && covered->hit[i].key <= key; i++)
        key++;
    return key;
}

size_t nf_hits_match(const struct nf_keys *keys, const struct nf_hits *covered, uint64_t *state, struct nf_weighted *match)
{
    struct nf_rng rng = { *state };
    size_t n = 0;

    for (size_t i = 0; i < covered->n; i++) {
        size_t planes = nf_keys_planes(keys, covered->hit[i].key), key = SIZE_MAX;

        for (size_t off = 0; key == SIZE_MAX && off <= NF_BIT_COUNTERS_MAX; off++) {
            if (planes > off)
                key = draw(keys, covered, planes - off, &rng);
            if (key == SIZE_MAX && planes + off <= NF_BIT_COUNTERS_MAX)
                key = draw(keys, covered, planes + off, &rng);
        }
        if (key == SIZE_MAX)
            break;
        match[n++] = (struct nf_weighted){ keys->id[key], 1 };
    }
    *state = rng.state;
    return n;
}

static struct nf_rng seeded(const struct projection_pass *x, size_t neuron)
{
    struct nf_rng rng = { x->cfg->ngram.seed };
    uint64_t a = nf_rng_next(&rng);

    rng.state = a ^ ((uint64_t)x->l->layer << 32 | neuron);
    nf_rng_next(&rng);
    return rng;
}

static int project(struct projection_pass *x, const size_t *neuron, size_t n, struct nf_err *err)
{
    for (size_t i = 0; i < n; i++)
        x->rows->rows(x->rows->ctx, x->l->layer, NF_FFN_OUT, neuron[i], 1, x->w + i * x->D);
    return nf_vocab_projection_project(x->s, x->w, n, x->p, err);
}

/* Token sets drawn at random for a detector's row p [NF_PROJECTIONS, V]. */
static void draw_null(struct projection_pass *x, size_t f, const double *p)
{
    const struct nf_hits *covered = &x->l->triggers[0].covered[f];
    struct nf_rng rng = seeded(x, f);

    for (uint64_t d = 0; d < x->cfg->ngram.draws; d++) {
        size_t n = nf_hits_match(&x->l->keys[0], covered, &rng.state, x->match);

        if (n < covered->n)
            return;
        for (size_t q = 0; q < NF_PROJECTIONS; q++) {
            x->out->tally[q].null += nf_vocab_projection_mean(p + q * x->V, x->match, n) < 0;
            x->out->tally[q].null_n++;
        }
    }
}

static void judge_row(struct projection_pass *x, const double *p, size_t n, size_t listed, struct nf_suppressing_detector *push)
{
    for (size_t q = 0; q < NF_PROJECTIONS; q++) {
        struct nf_suppression_counts *t = &x->out->tally[q];
        struct nf_projected *by = &push->record.by[q];
        double *percentile = push->number + 2 * q * listed, *value = percentile + listed, sum = 0;
        const double *pq = p + q * x->V;
        size_t negative = nf_vocab_projection_negative(pq, x->token, n);

        for (size_t i = 0; i < n; i++) {
            double rank = nf_vocab_projection_percentile(pq, x->V, x->token[i].id);

            sum += rank;
            if (i < listed) {
                percentile[i] = rank;
                value[i] = pq[x->token[i].id];
            }
        }
        *by = (struct nf_projected){ nf_vocab_projection_mean(pq, x->token, n),
                                     nf_vocab_projection_weighted(pq, x->token, n),
                                     negative == n,
                                     2 * negative > n,
                                     percentile,
                                     value };
        t->detectors++;
        t->suppressing += by->mean < 0;
        t->weighted += by->weighted < 0;
        t->all_negative += by->all_negative;
        t->majority_negative += by->majority_negative;
        t->percentile += sum / (double)n;
    }
}

static int push_detector(struct projection_pass *x, size_t f, const double *p, struct nf_suppressing_detector *push,
                         struct nf_err *err)
{
    const struct nf_hits *covered = &x->l->triggers[0].covered[f];
    size_t n = covered->n, listed = nf_min(n, x->cfg->ngram.listed), k = nf_min(x->cfg->ngram.extremes, x->V);

    push->neuron = f;
    push->number = nf_alloc(2 * NF_PROJECTIONS * listed, sizeof *push->number, err);
    push->extreme = nf_alloc(2 * k, sizeof *push->extreme, err);
    if (!push->number || !push->extreme)
        return NF_ESYS;
    memcpy(x->sorted, covered->hit, n * sizeof *x->sorted);
    nf_hits_sort(x->sorted, n);
    for (size_t i = 0; i < n; i++)
        x->token[i] = (struct nf_weighted){ x->l->keys[0].id[x->sorted[i].key], x->sorted[i].c };
    judge_row(x, p, n, listed, push);
    nf_vocab_projection_extremes(p + NF_RAW * x->V, x->V, k, push->extreme, push->extreme + k);
    push->record.n = listed;
    push->record.n_extreme = k;
    push->record.promoted = push->extreme;
    push->record.suppressed = push->extreme + k;
    draw_null(x, f, p);
    return NF_OK;
}

static void push_alive(struct projection_pass *x, size_t f, const double *p)
{
    const struct nf_triggers *t = &x->l->triggers[0];
    size_t n = nf_min(t->n_top[f], x->cfg->ngram.most[0]);

    for (size_t i = 0; i < n; i++)
        x->token[i] = (struct nf_weighted){ t->keys->id[t->top[f * t->top_max + i].key], t->top[f * t->top_max + i].c };
    for (size_t q = 0; q < NF_PROJECTIONS && n > 0; q++) {
        x->out->tally[q].alive += nf_vocab_projection_mean(p + q * x->V, x->token, n) < 0;
        x->out->tally[q].alive_n++;
    }
}

/* The neurons of the layer to look at: all detectors in pick[0..*detectors), then random others.  Returns how many in all. */
static size_t pick_neurons(const struct projection_pass *x, const struct nf_neuron_classes *judged, size_t *pick, size_t *detectors)
{
    struct nf_rng rng = seeded(x, UINT32_MAX);   /* no neuron's own */
    size_t n = 0, others, k;

    for (size_t f = 0; f < x->l->F; f++)
        if (judged[f].detector[0] == NF_YES)
            pick[n++] = f;
    *detectors = n;
    for (size_t f = 0; f < x->l->F; f++)
        if (judged[f].detector[0] != NF_YES && x->l->all[f] > 0)
            pick[n++] = f;
    others = n - *detectors;
    k = nf_min(others, x->cfg->ngram.null_neurons);
    for (size_t i = 0; i < k; i++) {   /* first k of a random permutation */
        size_t j = i + nf_rng_below(&rng, others - i), *a = pick + *detectors, swap = a[i];

        a[i] = a[j];
        a[j] = swap;
    }
    return *detectors + k;
}

static int run(struct projection_pass *x, const size_t *pick, size_t n, size_t detectors, struct nf_err *err)
{
    for (size_t i = 0; i < n; i += BATCH) {
        size_t k = nf_min(BATCH, n - i);

        if (project(x, pick + i, k, err) < 0)
            return NF_ESYS;
        for (size_t j = i; j < i + k; j++) {
            const double *p = x->p + (j - i) * NF_PROJECTIONS * x->V;

            if (j >= detectors)
                push_alive(x, pick[j], p);
            else if (push_detector(x, pick[j], p, &x->out->push[j], err) < 0)
                return NF_ESYS;
        }
    }
    return NF_OK;
}

int nf_trigger_suppression_layer(const struct nf_vocab_projection *s, const struct nf_ffn_rows *rows, const struct nf_classify *cfg,
                                 const struct nf_layer_counts *l, const struct nf_neuron_classes *judged,
                                 struct nf_trigger_suppression *out, struct nf_err *err)
{
    struct projection_pass x = { .s = s, .rows = rows, .cfg = cfg, .l = l, .out = out };
    size_t *pick, keys = nf_max(l->keys[0].k, cfg->ngram.top), n;
    int rc = NF_ESYS;

    *out = (struct nf_trigger_suppression){ 0 };
    if (!l->in_scope || !l->totals->order[0])
        return NF_OK;
    nf_vocab_projection_sizes(s, &x.V, &x.D);
    pick = nf_alloc(l->F, sizeof *pick, err);
    x.w = nf_alloc(BATCH * x.D, sizeof *x.w, err);
    x.p = nf_alloc(BATCH * NF_PROJECTIONS * x.V, sizeof *x.p, err);
    x.token = nf_alloc(keys, sizeof *x.token, err);
    x.match = nf_alloc(keys, sizeof *x.match, err);
    x.sorted = nf_alloc(keys, sizeof *x.sorted, err);
    if (pick && x.w && x.p && x.token && x.match && x.sorted) {
        n = pick_neurons(&x, judged, pick, &out->n);
        out->push = nf_alloc(out->n, sizeof *out->push, err);
        rc = out->push ? run(&x, pick, n, out->n, err) : NF_ESYS;
    }
    free(pick);
    free(x.w);
    free(x.p);
    free(x.token);
    free(x.match);
    free(x.sorted);
    return rc;
}

void nf_suppression_counts_add(struct nf_suppression_counts *sum, const struct nf_suppression_counts *t)
{
    sum->detectors += t->detectors;
    sum->suppressing += t->suppressing;
    sum->all_negative += t->all_negative;
    sum->majority_negative += t->majority_negative;
    sum->weighted += t->weighted;
    sum->null += t->null;
    sum->null_n += t->null_n;
    sum->alive += t->alive;
    sum->alive_n += t->alive_n;
    sum->percentile += t->percentile;
}

struct nf_suppression nf_suppression_counts_record(const struct nf_suppression_counts *t, enum nf_projection projection,
                                                   size_t layer)
{
    uint64_t n = t->detectors;

    return (struct nf_suppression){ projection,
                                    layer,
                                    nf_wilson(t->suppressing, n),
                                    nf_wilson(t->all_negative, n),
                                    nf_wilson(t->majority_negative, n),
                                    nf_wilson(t->weighted, n),
                                    nf_wilson(t->null, t->null_n),
                                    nf_wilson(t->alive, t->alive_n),
                                    n ? t->percentile / (double)n : NAN };
}

void nf_trigger_suppression_clear(struct nf_trigger_suppression *p)
{
    for (size_t i = 0; p->push && i < p->n; i++) {
        free(p->push[i].number);
        free(p->push[i].extreme);
    }
    free(p->push);
    *p = (struct nf_trigger_suppression){ 0 };
}
