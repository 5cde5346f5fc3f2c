/* layer.c - a layer's records, checked and copied. */
#include "classify/layer.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "stream/mp.h"

int nf_layer_init(struct nf_layer_counts *l, const struct nf_totals *totals, const struct nf_keys keys[NF_ORDERS],
                  const struct nf_classify *cfg, struct nf_err *err)
{
    size_t F = totals->F, Q = totals->Q;

    *l = (struct nf_layer_counts){ .totals = totals,
                                   .keys = keys,
                                   .F = F,
                                   .T = totals->context,
                                   .Q = Q,
                                   .B = totals->bin ? nf_blocks(totals->context, totals->bin) : 0 };
    l->all = nf_alloc(F, sizeof *l->all, err);
    l->bos = nf_alloc(F, sizeof *l->bos, err);
    l->domain = nf_alloc(Q * F, sizeof *l->domain, err);
    l->curve = nf_alloc(l->T * F, sizeof *l->curve, err);
    l->domain_curve = nf_alloc(Q * l->B * F, sizeof *l->domain_curve, err);
    if (!l->all || !l->bos || !l->domain || !l->curve || !l->domain_curve)
        return NF_ESYS;
    for (size_t o = 0; o < NF_ORDERS; o++) {
        l->lost[o] = nf_alloc(F, sizeof *l->lost[o], err);
        if (!l->lost[o] || (totals->order[o] && nf_triggers_init(&l->triggers[o], F, o + 1, cfg, err) < 0))
            return NF_ESYS;
    }
    return NF_OK;
}

void nf_layer_clear(struct nf_layer_counts *l)
{
    free(l->all);
    free(l->bos);
    free(l->domain);
    free(l->curve);
    free(l->domain_curve);
    for (size_t o = 0; o < NF_ORDERS; o++) {
        free(l->lost[o]);
        nf_triggers_clear(&l->triggers[o]);
    }
    *l = (struct nf_layer_counts){ 0 };
}

int nf_layer_begin(struct nf_layer_counts *l, const struct nf_fires *f, bool in_scope, struct nf_err *err)
{
    l->layer = f->layer;
    l->in_scope = in_scope;
    l->near_zero = f->near_zero;
    l->positions = 0;
    memset(l->bins, 0, sizeof l->bins);
    memcpy(l->all, f->all, l->F * sizeof *l->all);
    memcpy(l->bos, f->bos, l->F * sizeof *l->bos);
    memcpy(l->domain, f->domain, l->Q * l->F * sizeof *l->domain);
    for (size_t n = 0; n < l->F; n++) {
        if (l->all[n] > l->totals->tokens || l->bos[n] > l->totals->bos)
            return nf_fail(err, NF_EFORMAT, "fires: layer %zu: neuron %zu fired at more positions than there are", l->layer, n);
        for (size_t q = 0; q < l->Q; q++)
            if (l->domain[q * l->F + n] > l->totals->domain_tokens[q])
                return nf_fail(err, NF_EFORMAT, "fires: layer %zu: neuron %zu fired at more positions of domain %s than there are",
                               l->layer, n, l->totals->domain[q]);
    }
    for (size_t o = 0; o < NF_ORDERS; o++) {
        memset(l->lost[o], 0, l->F * sizeof *l->lost[o]);
        if (in_scope && l->totals->order[o])
            nf_triggers_begin(&l->triggers[o], &l->keys[o], l->all, l->totals->tokens);
    }
    return NF_OK;
}

static int take_position(struct nf_layer_counts *l, const msgpack_object *rec, struct nf_err *err)
{
    size_t first = l->positions ? l->positions : l->totals->from;
    struct nf_position p;

    if (nf_position_read(rec, l->F, &p, err) < 0)
        return NF_EFORMAT;
    if (p.layer != l->layer || p.first != first || p.P > l->T - first)
        return nf_fail(err, NF_EFORMAT, "position: layer %zu, positions from %zu on: layer %zu, from %zu on is expected", p.layer,
                       p.first, l->layer, first);
    memcpy(l->curve + first * l->F, p.counts, p.P * l->F * sizeof *l->curve);
    for (size_t i = first * l->F; i < (first + p.P) * l->F; i++)
        if (l->curve[i] > l->totals->full)
            return nf_fail(err, NF_EFORMAT, "position: layer %zu: neuron %zu fired in more windows than there are", l->layer,
                           i % l->F);
    l->positions = first + p.P;
    return NF_OK;
}

static int take_domain_position(struct nf_layer_counts *l, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_domain_position p;

    if (nf_domain_position_read(rec, l->F, &p, err) < 0)
        return NF_EFORMAT;
    if (p.layer != l->layer || p.domain >= l->Q || p.first != l->bins[p.domain] || p.B > l->B - p.first)
        return nf_fail(err, NF_EFORMAT, "domain_position: layer %zu, domain %zu, bins from %zu on are not expected here", p.layer,
                       p.domain, p.first);
    memcpy(l->domain_curve + (p.domain * l->B + p.first) * l->F, p.counts, p.B * l->F * sizeof *l->domain_curve);
    l->bins[p.domain] += p.B;
    return NF_OK;
}

static int take_counts(struct nf_layer_counts *l, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_counts c;

    if (nf_counts_read(rec, l->F, &c, err) < 0)
        return NF_EFORMAT;
    if (c.layer != l->layer || c.order < 1 || c.order > NF_ORDERS || !l->totals->order[c.order - 1])
        return nf_fail(err, NF_EFORMAT, "counts: layer %zu, order %zu are not expected here", c.layer, c.order);
    return l->in_scope ? nf_triggers_add(&l->triggers[c.order - 1], &c, err) : NF_OK;
}

static int take_lost(struct nf_layer_counts *l, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_lost x;

    if (nf_lost_read(rec, l->F, &x, err) < 0)
        return NF_EFORMAT;
    if (x.layer != l->layer || x.order < 1 || x.order > NF_ORDERS)
        return nf_fail(err, NF_EFORMAT, "lost: layer %zu, order %zu are not expected here", x.layer, x.order);
    memcpy(l->lost[x.order - 1], x.fires, l->F * sizeof(uint64_t));
    return NF_OK;
}

int nf_layer_take(struct nf_layer_counts *l, const msgpack_object *rec, struct nf_err *err)
{
    return nf_mp_is(rec, "position")          ? take_position(l, rec, err)
           : nf_mp_is(rec, "domain_position") ? take_domain_position(l, rec, err)
           : nf_mp_is(rec, "counts")          ? take_counts(l, rec, err)
           : nf_mp_is(rec, "lost")            ? take_lost(l, rec, err)
                                              : NF_EOF;
}

bool nf_layer_positions(const struct nf_layer_counts *l)
{
    return l->totals->full > 0 && l->totals->from == 0 && l->totals->to == l->totals->context;
}

int nf_layer_end(const struct nf_layer_counts *l, struct nf_err *err)
{
    if (nf_layer_positions(l) && l->positions != l->T)
        return nf_fail(err, NF_EFORMAT, "layer %zu: positions end at %zu of %zu", l->layer, l->positions, l->T);
    for (size_t q = 0; nf_layer_positions(l) && q < l->Q; q++)
        if (l->totals->domain_full[q] > 0 && l->bins[q] != l->B)
            return nf_fail(err, NF_EFORMAT, "layer %zu: positions of domain %s end at bin %zu of %zu", l->layer,
                           l->totals->domain[q], l->bins[q], l->B);
    for (size_t o = 0; l->in_scope && o < NF_ORDERS; o++) {
        const struct nf_triggers *t = &l->triggers[o];

        if (!l->totals->order[o])
            continue;
        if (t->seen != l->keys[o].k)
            return nf_fail(err, NF_EFORMAT, "layer %zu: counts of order %zu end at n-gram %zu of %zu", l->layer, o + 1, t->seen,
                           l->keys[o].k);
        for (size_t f = 0; f < l->F; f++)
            if (t->total[f] > l->all[f] || l->lost[o][f] > l->all[f] - t->total[f])
                return nf_fail(err, NF_EFORMAT, "layer %zu: neuron %zu fired more often on n-grams of order %zu than in all",
                               l->layer, f, o + 1);
    }
    return NF_OK;
}
