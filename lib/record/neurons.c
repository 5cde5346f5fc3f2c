/* neurons.c - records of kind neurons. */
#include "record/neurons.h"

#include <math.h>
#include <stdio.h>

#include "record/put.h"
#include "stream/mp.h"

static const char *const class_name[NF_CLASSES] = {
    "dead",       "token-detector", "bigram-detector", "trigram-detector", "positional",      "first-positions",
    "prediction", "suppression",    "partition",       "entropy",          "token-frequency", "other",
};
static const char *const band_name[NF_BANDS] = { "dead", "dormant", "rare", "normal", "hyperactive" };
static const char *const order_name[NF_ORDERS] = { "token", "bigram", "trigram" };
static const char *const type_name[NF_POSITION_TYPES] = { "oscillatory", "both", "one", "other" };
static const char *const strength_name[2] = { "weak", "strong" };
static const char *const projection_name[NF_PROJECTIONS] = { "raw", "centred", "ln", "cosine" };

/* As in the histograms that figure 2 of the paper shows; its text names only the first bin. */
const uint64_t nf_cover_edge[NF_COVER_BINS - 1] = { 5, 10, 20, 50, 200, 1000, 2000, 5000 };
static const char *const cover_name[NF_COVER_BINS + 1] = {
    "1-5", "6-10", "11-20", "21-50", "51-200", "201-1000", "1001-2000", "2001-5000", "5001-", "undecided",
};

const char *nf_class_name(enum nf_class c)
{
    return class_name[c];
}

const char *nf_cover_bin_name(size_t bin)
{
    return cover_name[bin];
}

/* ---- pairs ---- */

static void put_verdict(struct nf_enc *e, const char *key, enum nf_verdict v)
{
    nf_enc_str(e, key);
    if (v == NF_OPEN)
        nf_enc_nil(e);
    else
        nf_enc_bool(e, v == NF_YES);
}

static void put_share(struct nf_enc *e, const char *key, const struct nf_share *s)
{
    nf_enc_str(e, key);
    nf_enc_map(e, 5);
    nf_put_uint(e, "k", s->k);
    nf_put_uint(e, "n", s->n);
    nf_put_real(e, "p", s->p);
    nf_put_real(e, "lo", s->lo);
    nf_put_real(e, "hi", s->hi);
}

/* Map token, bigram, trigram. */
static void put_orders(struct nf_enc *e, const char *key, const uint64_t v[NF_ORDERS])
{
    nf_enc_str(e, key);
    nf_enc_map(e, NF_ORDERS);
    for (size_t o = 0; o < NF_ORDERS; o++)
        nf_put_uint(e, order_name[o], v[o]);
}

/* ---- run ---- */

void nf_run_write(struct nf_writer *w, const struct nf_run *r)
{
    const struct nf_totals *t = r->totals;
    struct nf_enc *e = nf_put_record(w, "run", 27);

    nf_totals_put(e, t);
    nf_put_u64s(e, "domain_tokens", t->domain_tokens, t->Q);
    nf_put_u64s(e, "domain_full", t->domain_full, t->Q);
    nf_put_uint(e, "L", r->L);
    nf_put_sizes(e, "scope", r->scope, r->n_scope);
    nf_put_uint(e, "full_needed", r->full_needed);
    nf_put_bool(e, "full_enough", t->full >= r->full_needed);
    nf_put_bool(e, "exact", r->exact);
    nf_put_u64s(e, "delta", r->delta, NF_ORDERS);
    nf_put_real(e, "dead_bound", t->tokens ? 3.0 / (double)t->tokens : NAN);
    nf_put_bool(e, "suppression", r->suppression);
    nf_put_bool(e, "gated", r->gated);
    nf_put_uint(e, "vocabulary", r->vocabulary);
    nf_put_uint(e, "no_direction", r->no_direction);
    nf_writer_end(w);
}

/* ---- layer ---- */

static void put_cover(struct nf_enc *e, const struct nf_layer_summary *s, size_t o)
{
    static const char *const key[NF_ORDERS] = { "cover1", "cover2", "cover3" };

    if (!s->in_scope || !s->counted[o]) {
        nf_put_nil(e, key[o]);
        return;
    }
    nf_enc_str(e, key[o]);
    nf_enc_map(e, NF_COVER_BINS + 1);
    for (size_t b = 0; b <= NF_COVER_BINS; b++)
        nf_put_uint(e, cover_name[b], s->cover[o][b]);
}

static void put_covered(struct nf_enc *e, const char *key, const struct nf_covered *c)
{
    nf_enc_str(e, key);
    nf_enc_map(e, 6);
    nf_put_uint(e, "total", c->total);
    nf_put_uint(e, "new_overall", c->new_overall);
    nf_put_uint(e, "new_previous", c->new_previous);
    nf_put_uint(e, "in_lower", c->in_lower);
    nf_put_uint(e, "in_previous", c->in_previous);
    nf_put_uint(e, "cumulative", c->cumulative);
}

static void put_detectors(struct nf_enc *e, const struct nf_layer_summary *s)
{
    nf_enc_str(e, "detectors");
    nf_enc_map(e, NF_ORDERS + 1);
    for (size_t o = 0; o < NF_ORDERS; o++)
        nf_put_uint(e, order_name[o], s->detectors[o]);
    put_orders(e, "undecided", s->open);
    nf_enc_str(e, "min_count");
    nf_enc_array(e, s->n_variants);
    for (size_t v = 0; v < s->n_variants; v++) {
        nf_enc_map(e, NF_ORDERS + 2);
        nf_put_uint(e, "min", s->variant[v].min);
        for (size_t o = 0; o < NF_ORDERS; o++)
            nf_put_uint(e, order_name[o], s->variant[v].detectors[o]);
        put_orders(e, "covered", s->variant[v].covered);
    }
    nf_enc_str(e, "covered");
    nf_enc_map(e, NF_ORDERS);
    for (size_t o = 0; o < NF_ORDERS; o++)
        put_covered(e, order_name[o], &s->covered[o]);
}

static void put_types(struct nf_enc *e, const struct nf_layer_summary *s)
{
    char key[32];

    nf_enc_str(e, "positional");
    nf_enc_map(e, 2 * NF_POSITION_TYPES);
    for (size_t t = 0; t < NF_POSITION_TYPES; t++)
        for (size_t strong = 2; strong-- > 0;) {
            snprintf(key, sizeof key, "%s/%s", type_name[t], strength_name[strong]);
            nf_put_uint(e, key, s->positional[t][strong]);
        }
}

static void put_fires(struct nf_enc *e, const struct nf_layer_summary *s)
{
    nf_put_uint(e, "fires", s->fires);
    put_share(e, "dead", &s->dead);
    put_share(e, "dead_with_bos", &s->dead_with_bos);
    nf_put_uint(e, "alive", s->alive);
    nf_put_real(e, "mean_freq", s->mean_freq);
    nf_put_real(e, "mean_freq_sd", s->mean_freq_sd);
    nf_enc_str(e, "bands");
    nf_enc_map(e, NF_BANDS);
    for (size_t b = 0; b < NF_BANDS; b++)
        nf_put_uint(e, band_name[b], s->bands[b]);
    for (size_t o = 0; o < NF_ORDERS; o++)
        put_cover(e, s, o);
    if (s->in_scope) {
        put_detectors(e, s);
    } else {
        nf_put_nil(e, "detectors");
        nf_put_nil(e, "min_count");
        nf_put_nil(e, "covered");
    }
    put_types(e, s);
    nf_put_uint(e, "first_positions", s->first_positions);
    nf_put_uint(e, "undecided_position", s->open_position);
    nf_put_uint(e, "near_zero", s->near_zero);
}

static void put_effect_summary(struct nf_enc *e, const struct nf_logit_effect_summary *s)
{
    if (!s) {
        nf_put_nil(e, "vocab");
        return;
    }
    nf_enc_str(e, "vocab");
    nf_enc_map(e, 7);
    for (enum nf_class c = NF_PREDICTION; c <= NF_TOKEN_FREQUENCY; c++)
        if ((c == NF_PARTITION && !s->partition) || (c == NF_ENTROPY && !s->entropy) || (c == NF_TOKEN_FREQUENCY && !s->frequency))
            nf_put_nil(e, class_name[c]);
        else
            nf_put_uint(e, class_name[c], s->count[c]);
    nf_put_real(e, "norm_limit", s->norm_limit);
    nf_put_real(e, "var_limit", s->var_limit);
}

void nf_layer_summary_write(struct nf_writer *w, const struct nf_layer_summary *s)
{
    struct nf_enc *e = nf_put_record(w, "layer", s->counted_fires ? 20 : 3);

    nf_put_uint(e, "layer", s->layer);
    nf_put_uint(e, "neurons", s->F);
    if (s->counted_fires)
        put_fires(e, s);
    put_effect_summary(e, s->effect);
    nf_writer_end(w);
}

/* ---- neuron ---- */

static size_t bits(unsigned set)
{
    size_t n = 0;

    for (; set; set &= set - 1)
        n++;
    return n;
}

static void put_classes(struct nf_enc *e, const char *key, unsigned set)
{
    nf_enc_str(e, key);
    nf_enc_array(e, bits(set));
    for (unsigned c = 0; c < NF_CLASSES; c++)
        if (set >> c & 1)
            nf_enc_str(e, class_name[c]);
}

static void enc_gram(struct nf_enc *e, const uint32_t *id, size_t order)
{
    if (order == 1) {
        nf_enc_uint(e, id[0]);
        return;
    }
    nf_enc_array(e, order);
    for (size_t i = 0; i < order; i++)
        nf_enc_uint(e, id[i]);
}

static void put_listed(struct nf_enc *e, const struct nf_evidence *v)
{
    put_share(e, "share", &v->share);
    nf_enc_str(e, "covered");
    nf_enc_array(e, v->n_covered);
    for (size_t i = 0; i < v->n_covered; i++)
        enc_gram(e, v->covered[i].id, v->order);
    nf_enc_str(e, "c");
    nf_enc_array(e, v->n_covered);
    for (size_t i = 0; i < v->n_covered; i++)
        nf_enc_uint(e, v->covered[i].c);
    nf_enc_str(e, "n");
    nf_enc_array(e, v->n_covered);
    for (size_t i = 0; i < v->n_covered; i++)
        nf_enc_uint(e, v->covered[i].n);
    nf_enc_str(e, "lo");
    nf_enc_array(e, v->n_covered);
    for (size_t i = 0; i < v->n_covered; i++)
        nf_enc_real(e, v->covered[i].lo);
    if (v->covered_total > v->n_covered)
        nf_put_uint(e, "covered_total", v->covered_total);
}

static void put_evidence(struct nf_enc *e, const struct nf_evidence *v)
{
    nf_enc_str(e, order_name[v->order - 1]);
    nf_enc_map(e, 4 + (v->listed ? 5 + (v->covered_total > v->n_covered) : 0));
    nf_put_uint(e, "m", v->m);
    nf_put_uint(e, "activations", v->activations);
    put_verdict(e, "detector", v->verdict);
    nf_enc_str(e, "top");
    nf_enc_array(e, v->n_top);
    for (size_t i = 0; i < v->n_top; i++) {
        nf_enc_array(e, 3);
        enc_gram(e, v->top[i].id, v->order);
        nf_enc_uint(e, v->top[i].c);
        nf_enc_uint(e, v->top[i].n);
    }
    if (v->listed)
        put_listed(e, v);
}

static void put_scored(struct nf_enc *e, const char *key, const struct nf_scored *s, size_t n)
{
    nf_enc_str(e, key);
    nf_enc_array(e, n);
    for (size_t i = 0; i < n; i++) {
        nf_enc_array(e, 2);
        nf_enc_uint(e, s[i].id);
        nf_enc_real(e, s[i].value);
    }
}

static void put_suppressed(struct nf_enc *e, const struct nf_suppressed *s)
{
    nf_enc_str(e, "suppress");
    nf_enc_map(e, NF_PROJECTIONS + 2);
    for (size_t p = 0; p < NF_PROJECTIONS; p++) {
        nf_enc_str(e, projection_name[p]);
        nf_enc_map(e, 6);
        nf_put_real(e, "mean", s->by[p].mean);
        nf_put_real(e, "weighted", s->by[p].weighted);
        nf_put_bool(e, "all_negative", s->by[p].all_negative);
        nf_put_bool(e, "majority_negative", s->by[p].majority_negative);
        nf_put_reals(e, "percentiles", s->by[p].percentile, s->n);
        nf_put_reals(e, "values", s->by[p].value, s->n);
    }
    put_scored(e, "promoted", s->promoted, s->n_extreme);
    put_scored(e, "suppressed", s->suppressed, s->n_extreme);
}

static void put_position(struct nf_enc *e, const struct nf_positional *p)
{
    struct nf_tensor curve = nf_tensor_1d(NF_U32, p->curve, p->T);

    nf_enc_str(e, "position");
    nf_enc_map(e, p->typed ? 12 : 3);
    nf_put_real(e, "mi", p->mi);
    nf_put_real(e, "mi_raw", p->mi_raw);
    nf_put_uint(e, "full", p->full);
    if (!p->typed)
        return;
    nf_put_str(e, "type", type_name[p->type]);
    nf_put_str(e, "strength", strength_name[p->strong]);
    nf_enc_str(e, "ranges");
    nf_enc_array(e, p->n_ranges);
    for (size_t i = 0; i < p->n_ranges; i++) {
        nf_enc_array(e, 2);
        nf_enc_uint(e, p->range[i].from);
        nf_enc_uint(e, p->range[i].to);
    }
    nf_put_uint(e, "cycles", p->cycles);
    nf_put_uint(e, "run0", p->run0);
    nf_put_uint(e, "run1", p->run1);
    nf_put_real(e, "roughness", p->roughness);
    put_verdict(e, "stable", p->stable);
    nf_enc_str(e, "curve");
    nf_enc_tensor(e, &curve);
}

static void put_domains(struct nf_enc *e, const struct nf_neuron *n)
{
    static const char *const key[3] = { "domain_freq", "domain_lo", "domain_hi" };

    for (size_t i = 0; i < 3; i++) {
        nf_enc_str(e, key[i]);
        nf_enc_array(e, n->Q);
        for (size_t q = 0; q < n->Q; q++)
            nf_enc_real_or_nil(e, i == 0 ? n->domain[q].p : i == 1 ? n->domain[q].lo : n->domain[q].hi);
    }
    nf_put_real(e, "domain_entropy", n->domain_entropy);
}

static void put_cover_numbers(struct nf_enc *e, const struct nf_neuron *n)
{
    if (!n->covered) {
        nf_put_nil(e, "cover");
        return;
    }
    nf_enc_str(e, "cover");
    nf_enc_array(e, NF_ORDERS);
    for (size_t o = 0; o < NF_ORDERS; o++) {
        if (!n->counted[o]) {
            nf_enc_nil(e);
            continue;
        }
        nf_enc_array(e, 2);
        nf_enc_uint(e, n->cover_lo[o]);
        nf_enc_uint(e, n->cover_hi[o]);
    }
}

static void put_effect(struct nf_enc *e, const struct nf_logit_effect *x)
{
    const struct {
        const char *key;
        double v;
    } weights[] = { { "in_norm", x->in_norm },           { "out_norm", x->out_norm },         { "cos_in_out", x->cos_in_out },
                    { "gate_norm", x->gate_norm },       { "cos_gate_out", x->cos_gate_out }, { "cos_gate_in", x->cos_gate_in } },
      vocab[] = { { "mean", x->mean },           { "var", x->var },
                  { "skew", x->skew },           { "kurt", x->kurt },
                  { "logit_var", x->logit_var }, { "null_share", x->null_share },
                  { "frequency", x->frequency } };
    size_t n = isnan(x->gate_norm) ? 3 : 6;

    nf_enc_str(e, "weights");
    nf_enc_map(e, n);
    for (size_t i = 0; i < n; i++)
        nf_put_real(e, weights[i].key, weights[i].v);
    nf_enc_str(e, "vocab");
    nf_enc_map(e, sizeof vocab / sizeof *vocab);
    for (size_t i = 0; i < sizeof vocab / sizeof *vocab; i++)
        nf_put_real(e, vocab[i].key, vocab[i].v);
}

static void put_counted(struct nf_enc *e, const struct nf_neuron *n)
{
    nf_put_uint(e, "fires", n->fires);
    nf_put_uint(e, "fires_bos", n->fires_bos);
    nf_put_uint(e, "n", n->freq.n);
    put_share(e, "freq", &n->freq);
    nf_put_str(e, "band", band_name[n->band]);
    put_domains(e, n);
    put_cover_numbers(e, n);
    for (size_t o = 0; o < NF_ORDERS; o++)
        if (n->evidence[o])
            put_evidence(e, n->evidence[o]);
    if (n->suppressed)
        put_suppressed(e, n->suppressed);
    if (n->position)
        put_position(e, n->position);
}

void nf_neuron_write(struct nf_writer *w, const struct nf_neuron *n)
{
    size_t extra = (n->suppressed != NULL) + (n->position != NULL) + 2 * (n->effect != NULL);
    struct nf_enc *e;
    unsigned first = 0;

    while (!(n->classes >> first & 1))
        first++;
    for (size_t o = 0; o < NF_ORDERS; o++)
        extra += n->evidence[o] != NULL;
    e = nf_put_record(w, "neuron", (n->counted_fires ? 15 : 5) + extra);
    nf_put_uint(e, "layer", n->layer);
    nf_put_uint(e, "neuron", n->neuron);
    nf_put_str(e, "class", class_name[first]);
    put_classes(e, "classes", n->classes);
    put_classes(e, "undecided", n->undecided);
    if (n->counted_fires)
        put_counted(e, n);
    if (n->effect)
        put_effect(e, n->effect);
    nf_writer_end(w);
}

void nf_activation_write(struct nf_writer *w, const struct nf_activation_rec *a)
{
    struct nf_enc *e = nf_put_record(w, "activation", 2);

    nf_put_uint(e, "layer", a->layer);
    nf_put_1d(e, "mean", NF_F64, a->mean, a->F);
    nf_writer_end(w);
}

/* ---- suppression, team ---- */

void nf_suppression_write(struct nf_writer *w, const struct nf_suppression *s)
{
    struct nf_enc *e = nf_put_record(w, "suppression", 9);

    nf_put_str(e, "projection", projection_name[s->projection]);
    if (s->layer == NF_SCOPE_ALL)
        nf_put_str(e, "scope", "all");
    else
        nf_put_uint(e, "scope", s->layer);
    put_share(e, "suppressing", &s->suppressing);
    put_share(e, "all_negative", &s->all_negative);
    put_share(e, "majority_negative", &s->majority_negative);
    put_share(e, "weighted", &s->weighted);
    put_share(e, "null", &s->null);
    put_share(e, "null_alive", &s->null_alive);
    nf_put_real(e, "mean_percentile", s->mean_percentile);
    nf_writer_end(w);
}

void nf_team_write(struct nf_writer *w, const struct nf_team_rec *t)
{
    struct nf_enc *e = nf_put_record(w, "team", 10);

    nf_put_uint(e, "layer", t->layer);
    nf_put_str(e, "type", type_name[t->type]);
    nf_put_str(e, "strength", t->strong ? "strong" : "any");
    nf_put_sizes(e, "neurons", t->neuron, t->n);
    nf_put_uint(e, "covered", t->covered);
    nf_put_uint(e, "context", t->context);
    nf_put_real(e, "multiplicity", t->multiplicity);
    nf_put_sizes(e, "loss", t->loss, t->n);
    nf_put_sizes(e, "greedy", t->greedy, t->n);
    nf_put_sizes(e, "gain", t->gain, t->n);
    nf_writer_end(w);
}
