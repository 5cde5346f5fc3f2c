/* classify_layer.c - the rules applied to a layer. */
#include "classify/classify_layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "classify/detect.h"
#include "record/share.h"
#include "classify/position.h"

static enum nf_band band_of(const struct nf_classify *cfg, uint64_t fires, double freq)
{
    return fires == 0                  ? NF_BAND_DEAD
           : freq < cfg->ngram.dormant       ? NF_BAND_DORMANT
           : freq < cfg->ngram.rare          ? NF_BAND_RARE
           : freq > cfg->ngram.hyperactive   ? NF_BAND_HYPERACTIVE
                                     : NF_BAND_NORMAL;
}

/* Covering number and detector rule of one order. */
static void judge_order(const struct nf_classify *cfg, struct nf_layer_counts *l, size_t f, size_t o, struct nf_neuron_classes *j)
{
    struct nf_triggers *t = &l->triggers[o];
    uint64_t lost = l->lost[o][f];
    struct nf_count_histogram tally = nf_triggers_histogram(t, f, lost);
    struct nf_detect d = { .activations = t->total[f] + lost, .lost = lost };

    nf_coverage(&tally, nf_ratio(cfg->ngram.cover), &d.cover_lo, &d.cover_hi);
    j->activations[o] = d.activations;
    j->cover_lo[o] = d.cover_lo;
    j->cover_hi[o] = d.cover_hi;
    for (size_t v = 0; v < NF_VARIANTS; v++) {
        d.sure = t->sure[f * NF_VARIANTS + v];
        d.possible = t->possible[f * NF_VARIANTS + v];
        j->variant[o][v] = nf_detect(&d, cfg->ngram.most[o], nf_ratio(cfg->ngram.explain));
    }
    j->detector[o] = j->variant[o][0];
    if (j->detector[o] == NF_YES)
        j->classes |= 1u << (NF_TOKEN_DETECTOR + o);
    if (j->detector[o] == NF_OPEN)
        j->undecided |= 1u << (NF_TOKEN_DETECTOR + o);
}

static enum nf_verdict judge_stable(const struct nf_classify *cfg, const struct nf_layer_counts *l, size_t f, const uint32_t *curve)
{
    const uint32_t *domain[NF_DOMAINS_MAX];

    for (size_t q = 0; q < l->Q; q++)
        domain[q] = l->totals->domain_full[q] ? l->domain_curve + q * l->B * l->F + f : NULL;
    return l->B ? nf_position_stable(&cfg->position, curve, l->T, l->totals->full, l->totals->bin, l->Q, domain, l->F,
                                     l->totals->domain_full)
                : NF_OPEN;
}

/* Positional and first-positions.  `curve` [T] and `scratch` [T] are the thread's. */
static int judge_position(const struct nf_classify *cfg, const struct nf_layer_counts *l, size_t f, uint32_t *curve,
                          double *scratch, struct nf_neuron_classes *j)
{
    struct nf_positional *p = &j->position;
    uint64_t fires = 0;

    for (size_t i = 0; i < l->T; i++)
        fires += curve[i] = l->curve[i * l->F + f];
    if (fires == 0)
        return NF_OK;
    j->placed = true;
    p->full = l->totals->full;
    p->mi_raw = nf_position_information(curve, l->T, p->full);
    p->mi = p->mi_raw - nf_position_bias(l->T, p->full);
    if (p->mi > cfg->position.mi)
        j->classes |= 1u << NF_POSITIONAL;
    if (nf_position_first(&cfg->position, curve, l->T))
        j->classes |= 1u << NF_FIRST_POSITIONS;
    if (!(j->classes & (1u << NF_POSITIONAL | 1u << NF_FIRST_POSITIONS)) || l->T <= cfg->position.skip)
        return NF_OK;
    j->range = nf_alloc(l->T / 2 + 1, sizeof *j->range, NULL);
    j->curve = nf_alloc(l->T, sizeof *j->curve, NULL);
    if (!j->range || !j->curve)
        return NF_ESYS;
    memcpy(j->curve, curve, l->T * sizeof *curve);
    p->curve = j->curve;
    p->T = l->T;
    p->typed = true;
    nf_position_type(&cfg->position, curve, l->T, p->full, scratch, j->range, p);
    p->stable = judge_stable(cfg, l, f, curve);
    return NF_OK;
}

static int judge_neuron(const struct nf_classify *cfg, struct nf_layer_counts *l, size_t f, uint32_t *curve, double *scratch,
                        struct nf_neuron_classes *j)
{
    bool dead = l->all[f] == 0 && (cfg->ngram.ignore_bos || l->bos[f] == 0);
    int rc = NF_OK;

    *j = (struct nf_neuron_classes){ .freq = nf_wilson(l->all[f], l->totals->tokens) };
    j->band = band_of(cfg, l->all[f], j->freq.p);
    for (size_t o = 0; l->in_scope && o < NF_ORDERS; o++)
        if (l->totals->order[o])
            judge_order(cfg, l, f, o, j);
    if (dead) {
        j->classes = 1u << NF_DEAD;
        return NF_OK;
    }
    if (nf_layer_positions(l))
        rc = judge_position(cfg, l, f, curve, scratch, j);
    else
        j->undecided |= 1u << NF_POSITIONAL;
    if (j->classes == 0)
        j->classes = 1u << NF_OTHER;
    return rc;
}

int nf_classify_layer(const struct nf_classify *cfg, struct nf_layer_counts *l, struct nf_neuron_classes *judged,
                      struct nf_err *err)
{
    int failed = 0;

#pragma omp parallel reduction(| : failed)
    {
        uint32_t *curve = nf_alloc(l->T, sizeof *curve, NULL);
        double *scratch = nf_alloc(l->T, sizeof *scratch, NULL);
        bool room = curve && scratch;

        failed |= !room;
#pragma omp for schedule(dynamic, 16)
        for (size_t f = 0; f < l->F; f++)
            if (room)
                failed |= judge_neuron(cfg, l, f, curve, scratch, &judged[f]) < 0;
        free(curve);
        free(scratch);
    }
    return failed ? nf_fail(err, NF_ESYS, "out of memory: neurons of layer %zu", l->layer) : NF_OK;
}

void nf_neuron_classes_add(struct nf_neuron_classes *judged, size_t F, const unsigned *classes)
{
    for (size_t f = 0; f < F; f++)
        if (classes[f])
            judged[f].classes = (judged[f].classes & ~(1u << NF_OTHER)) | classes[f];
}

void nf_neuron_classes_clear(struct nf_neuron_classes *judged, size_t F)
{
    for (size_t f = 0; f < F; f++) {
        free(judged[f].range);
        free(judged[f].curve);
        judged[f] = (struct nf_neuron_classes){ 0 };
    }
}

/* ---- summary ---- */

static size_t cover_bin(uint64_t lo, uint64_t hi)
{
    size_t a = 0, b = 0;

    while (a < NF_COVER_BINS - 1 && lo > nf_cover_edge[a])
        a++;
    while (b < NF_COVER_BINS - 1 && hi > nf_cover_edge[b])
        b++;
    return a == b ? a : NF_COVER_BINS;
}

static void count_orders(const struct nf_neuron_classes *j, struct nf_layer_summary *s)
{
    for (size_t o = 0; o < NF_ORDERS; o++) {
        if (!s->counted[o])
            continue;
        if (j->activations[o] > 0)
            s->cover[o][cover_bin(j->cover_lo[o], j->cover_hi[o])]++;
        s->detectors.sure[o] += j->detector[o] == NF_YES;
        s->detectors.open[o] += j->detector[o] == NF_OPEN;
        for (size_t v = 0; v < s->n_variants; v++)
            s->variant[v].detectors[o] += j->variant[o][v] == NF_YES;
    }
}

void nf_neuron_classes_summary(const struct nf_classify *cfg, const struct nf_layer_counts *l,
                               const struct nf_neuron_classes *judged, struct nf_layer_summary *s)
{
    uint64_t dead = 0, dead_with_bos = 0;
    double sum = 0, squares = 0;

    *s = (struct nf_layer_summary){ .layer = l->layer,
                                    .neurons = l->F,
                                    .counted_fires = true,
                                    .in_scope = l->in_scope,
                                    .near_zero = l->near_zero,
                                    .n_variants = l->in_scope ? NF_VARIANTS : 0,
                                    .mean_freq = NAN,
                                    .mean_freq_sd = NAN };
    for (size_t o = 0; o < NF_ORDERS; o++)
        s->counted[o] = l->in_scope && l->totals->order[o];
    s->variant[0].min = cfg->ngram.min_count;
    s->variant[1].min = cfg->ngram.min_count > 5 ? cfg->ngram.min_count : 5;
    s->variant[2].min = cfg->ngram.min_count > 10 ? cfg->ngram.min_count : 10;
    for (size_t f = 0; f < l->F; f++) {
        const struct nf_neuron_classes *j = &judged[f];

        s->fires += l->all[f];
        dead += l->all[f] == 0;
        dead_with_bos += l->all[f] == 0 && l->bos[f] == 0;
        s->bands[j->band]++;
        count_orders(j, s);
        if (j->classes >> NF_POSITIONAL & 1 && j->position.typed)
            s->positional[nf_positional_kind(j->position.type, j->position.strong)]++;
        s->first_positions += j->classes >> NF_FIRST_POSITIONS & 1;
        s->undecided_position += j->undecided >> NF_POSITIONAL & 1;
        if (!(j->classes >> NF_DEAD & 1)) {
            s->alive++;
            sum += j->freq.p;
        }
    }
    s->dead = nf_wilson(dead, l->F);
    s->dead_with_bos = nf_wilson(dead_with_bos, l->F);
    if (s->alive == 0 || l->totals->tokens == 0)
        return;
    s->mean_freq = sum / (double)s->alive;
    for (size_t f = 0; f < l->F; f++)
        if (!(judged[f].classes >> NF_DEAD & 1))
            squares += (judged[f].freq.p - s->mean_freq) * (judged[f].freq.p - s->mean_freq);
    s->mean_freq_sd = sqrt(squares / (double)s->alive);
}

double nf_domain_entropy(const struct nf_share *domain, size_t Q)
{
    double sum = 0, H = 0;

    for (size_t q = 0; q < Q; q++)
        sum += domain[q].n ? domain[q].p : 0;
    for (size_t q = 0; q < Q; q++)
        if (domain[q].k > 0)
            H -= domain[q].p / sum * log2(domain[q].p / sum);
    return sum > 0 ? H : NAN;
}
