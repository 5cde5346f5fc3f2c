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
struct pass {
    const struct nf_suppress *s;
    const struct nf_ffn_rows *rows;
    const struct nf_classify *cfg;
    const struct nf_layer_counts *l;
    size_t V, D;
    float *w;                    /* [BATCH, D] */
    double *p;                   /* [BATCH, NF_PROJECTIONS, V] */
    struct nf_weighted *token, *match;   /* [keys] */
    struct nf_hit *sorted;       /* [keys] */
    struct nf_pushes *out;
};

static int by_fires(const void *a, const void *b)
{
    const struct nf_hit *x = a, *y = b;

    return x->c != y->c ? (x->c < y->c) - (x->c > y->c) : (x->key > y->key) - (x->key < y->key);
}

void nf_push_sort(struct nf_hit *hit, size_t n)
{
    if (n > 1)
        qsort(hit, n, sizeof *hit, by_fires);
}

static struct nf_rng seeded(const struct pass *x, size_t neuron)
{
    struct nf_rng rng = { x->cfg->seed };
    uint64_t a = nf_rng_next(&rng);

    rng.state = a ^ ((uint64_t)x->l->layer << 32 | neuron);
    nf_rng_next(&rng);
    return rng;
}

static int project(struct pass *x, const size_t *neuron, size_t n, struct nf_err *err)
{
    for (size_t i = 0; i < n; i++)
        x->rows->rows(x->rows->ctx, x->l->layer, NF_FFN_OUT, neuron[i], 1, x->w + i * x->D);
    return nf_suppress_project(x->s, x->w, n, x->p, err);
}

/* Token sets drawn at random for a detector's row p [NF_PROJECTIONS, V]. */
static void draw_null(struct pass *x, size_t f, const double *p)
{
    const struct nf_hits *covered = &x->l->triggers[0].covered[f];
    struct nf_rng rng = seeded(x, f);

    for (uint64_t d = 0; d < x->cfg->draws; d++) {
        size_t n = nf_suppress_match(&x->l->keys[0], covered, &rng.state, x->match);

        if (n < covered->n)
            return;
        for (size_t q = 0; q < NF_PROJECTIONS; q++) {
            x->out->tally[q].null += nf_suppress_mean(p + q * x->V, x->match, n) < 0;
            x->out->tally[q].null_n++;
        }
    }
}

static void judge_row(struct pass *x, const double *p, size_t n, size_t listed, struct nf_push *push)
{
    for (size_t q = 0; q < NF_PROJECTIONS; q++) {
        struct nf_push_tally *t = &x->out->tally[q];
        struct nf_projected *by = &push->record.by[q];
        double *percentile = push->number + 2 * q * listed, *value = percentile + listed, sum = 0;
        const double *pq = p + q * x->V;
        size_t negative = nf_suppress_negative(pq, x->token, n);

        for (size_t i = 0; i < n; i++) {
            double rank = nf_suppress_percentile(pq, x->V, x->token[i].id);

            sum += rank;
            if (i < listed) {
                percentile[i] = rank;
                value[i] = pq[x->token[i].id];
            }
        }
        *by = (struct nf_projected){ nf_suppress_mean(pq, x->token, n),
                                     nf_suppress_weighted(pq, x->token, n),
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

static int push_detector(struct pass *x, size_t f, const double *p, struct nf_push *push, struct nf_err *err)
{
    const struct nf_hits *covered = &x->l->triggers[0].covered[f];
    size_t n = covered->n, listed = nf_min(n, x->cfg->listed), k = nf_min(x->cfg->extremes, x->V);

    push->neuron = f;
    push->number = nf_alloc(2 * NF_PROJECTIONS * listed, sizeof *push->number, err);
    push->extreme = nf_alloc(2 * k, sizeof *push->extreme, err);
    if (!push->number || !push->extreme)
        return NF_ESYS;
    memcpy(x->sorted, covered->hit, n * sizeof *x->sorted);
    nf_push_sort(x->sorted, n);
    for (size_t i = 0; i < n; i++)
        x->token[i] = (struct nf_weighted){ x->l->keys[0].id[x->sorted[i].key], x->sorted[i].c };
    judge_row(x, p, n, listed, push);
    nf_suppress_extremes(p + NF_RAW * x->V, x->V, k, push->extreme, push->extreme + k);
    push->record.n = listed;
    push->record.n_extreme = k;
    push->record.promoted = push->extreme;
    push->record.suppressed = push->extreme + k;
    draw_null(x, f, p);
    return NF_OK;
}

static void push_alive(struct pass *x, size_t f, const double *p)
{
    const struct nf_triggers *t = &x->l->triggers[0];
    size_t n = nf_min(t->n_top[f], x->cfg->most[0]);

    for (size_t i = 0; i < n; i++)
        x->token[i] = (struct nf_weighted){ t->keys->id[t->top[f * t->top_max + i].key], t->top[f * t->top_max + i].c };
    for (size_t q = 0; q < NF_PROJECTIONS && n > 0; q++) {
        x->out->tally[q].alive += nf_suppress_mean(p + q * x->V, x->token, n) < 0;
        x->out->tally[q].alive_n++;
    }
}

/* The neurons of the layer to look at: all detectors in pick[0..*detectors), then random others.  Returns how many in all. */
static size_t pick_neurons(const struct pass *x, const struct nf_judged *judged, size_t *pick, size_t *detectors)
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
    k = nf_min(others, x->cfg->null_neurons);
    for (size_t i = 0; i < k; i++) {   /* first k of a random permutation */
        size_t j = i + nf_rng_below(&rng, others - i), *a = pick + *detectors, swap = a[i];

        a[i] = a[j];
        a[j] = swap;
    }
    return *detectors + k;
}

static int run(struct pass *x, const size_t *pick, size_t n, size_t detectors, struct nf_err *err)
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

int nf_push_layer(const struct nf_suppress *s, const struct nf_ffn_rows *rows, const struct nf_classify *cfg,
                  const struct nf_layer_counts *l, const struct nf_judged *judged, struct nf_pushes *out, struct nf_err *err)
{
    struct pass x = { .s = s, .rows = rows, .cfg = cfg, .l = l, .out = out };
    size_t *pick, keys = nf_max(l->keys[0].k, cfg->top), n;
    int rc = NF_ESYS;

    *out = (struct nf_pushes){ 0 };
    if (!l->in_scope || !l->totals->order[0])
        return NF_OK;
    nf_suppress_sizes(s, &x.V, &x.D);
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

void nf_push_add(struct nf_push_tally *sum, const struct nf_push_tally *t)
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

struct nf_suppression nf_push_record(const struct nf_push_tally *t, enum nf_projection projection, size_t layer)
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

void nf_push_clear(struct nf_pushes *p)
{
    for (size_t i = 0; p->push && i < p->n; i++) {
        free(p->push[i].number);
        free(p->push[i].extreme);
    }
    free(p->push);
    *p = (struct nf_pushes){ 0 };
}
