/* classifier.c - records in, layers judged, records out. */
#include "classify/classifier.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "vocab/logit_effect.h"
#include "classify/ngram_coverage.h"
#include "record/share.h"
#include "classify/position_cover.h"
#include "stream/mp.h"

struct nf_classifier {
    struct nf_classifier_setup setup;
    struct nf_vocab_projection *suppress;            /* NULL: left out */
    struct nf_folded_unembed *unembed;              /* NULL, as the next four: effects are left out */
    struct nf_logit_effects *effects;
    struct nf_logit_effect *effect;                /* [F] of the layer being written */
    unsigned *effect_class;                  /* [F] */
    struct nf_logit_effect_summary effect_sum;
    size_t next;                             /* first layer that is not written */
    struct nf_totals totals;
    bool has_totals, has_run, in_layer;
    struct nf_keys keys[NF_ORDERS];
    bool lossy;
    size_t *scope, n_scope, done;            /* layers; done: how many of totals.layers */
    struct nf_layer_counts layer;
    struct nf_neuron_classes *judged;                /* [F] */
    struct nf_ngram_coverage ensemble[NF_ORDERS][NF_VARIANTS];
    struct nf_suppression_counts tally[NF_PROJECTIONS];
    uint64_t classes[NF_CLASSES];
    struct nf_trigger *trigger[NF_ORDERS];   /* [top + listed] of the neuron being written */
};

struct nf_classifier *nf_classifier_open(const struct nf_classifier_setup *setup, struct nf_err *err)
{
    struct nf_classifier *s = nf_alloc(1, sizeof *s, err);
    size_t n = setup->cfg->ngram.top + setup->cfg->ngram.listed;

    if (!s)
        return NULL;
    s->setup = *setup;
    for (size_t o = 0; o < NF_ORDERS; o++) {
        s->trigger[o] = nf_alloc(n, sizeof *s->trigger[o], err);
        if (!s->trigger[o])
            goto fail;
    }
    if (setup->end && !setup->weights_only) {
        s->suppress = nf_vocab_projection_open(setup->end, err);
        if (!s->suppress)
            goto fail;
    }
    return s;

fail:
    nf_classifier_close(s);
    return NULL;
}

void nf_classifier_close(struct nf_classifier *s)
{
    if (!s)
        return;
    if (s->judged)
        nf_neuron_classes_clear(s->judged, s->totals.F);
    free(s->judged);
    nf_layer_clear(&s->layer);
    for (size_t o = 0; o < NF_ORDERS; o++) {
        nf_keys_clear(&s->keys[o]);
        free(s->trigger[o]);
        for (size_t v = 0; v < NF_VARIANTS; v++)
            nf_ngram_coverage_clear(&s->ensemble[o][v]);
    }
    nf_vocab_projection_close(s->suppress);
    nf_logit_effects_close(s->effects);
    nf_folded_unembed_close(s->unembed);
    free(s->effect);
    free(s->effect_class);
    nf_totals_clear(&s->totals);
    free(s->scope);
    free(s);
}

size_t nf_classifier_layer(const struct nf_classifier *s, size_t *layers)
{
    *layers = s->effects ? s->setup.L : s->totals.n_layers;
    return s->effects ? s->next : s->done;
}

/* ---- before the layers ---- */

static int take_class_totals(struct nf_classifier *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_totals *t = &s->totals;
    size_t bound = s->setup.cfg->ngram.all_layers ? s->setup.L : s->setup.L / 2;

    if (s->has_totals)
        return nf_fail(err, NF_EFORMAT, "a second totals record");
    if (nf_totals_read(rec, t, err) < 0)
        return NF_EFORMAT;
    s->has_totals = true;
    if (t->n_layers == 0 || t->F == 0)
        return nf_fail(err, NF_EFORMAT, "no firing counts: the site ffn.active was not captured");
    if (t->layers[t->n_layers - 1] >= s->setup.L)
        return nf_fail(err, NF_EFORMAT, "totals: layer %zu of a model with %zu", t->layers[t->n_layers - 1], s->setup.L);
    if (t->F != s->setup.F)
        return nf_fail(err, NF_EFORMAT, "totals: %zu neurons a layer, the model has %zu", t->F, s->setup.F);
    s->scope = nf_alloc(t->n_ngram_layers, sizeof *s->scope, err);
    s->judged = nf_alloc(t->F, sizeof *s->judged, err);
    if (!s->scope || !s->judged)
        return NF_ESYS;
    for (size_t i = 0; i < t->n_ngram_layers; i++)
        if (t->ngram_layers[i] < bound)
            s->scope[s->n_scope++] = t->ngram_layers[i];
    return NF_OK;
}

static int take_ngrams(struct nf_classifier *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_ngrams g;

    if (nf_ngrams_read(rec, &g, err) < 0)
        return NF_EFORMAT;
    if (!s->totals.order[g.order - 1])
        return nf_fail(err, NF_EFORMAT, "ngrams: order %zu is not among the orders of totals", g.order);
    return nf_keys_add(&s->keys[g.order - 1], &g, s->setup.V, err);
}

static int take_lost_ngrams(struct nf_classifier *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_lost_ngrams lost;

    if (nf_lost_ngrams_read(rec, &lost, err) < 0)
        return NF_EFORMAT;
    s->keys[lost.order - 1].delta = lost.delta;
    s->lossy |= lost.occurrences > 0;
    return NF_OK;
}

/* How often each column's token occurred, or NULL where unigrams were not counted.  NF_ESYS: memory. */
static int token_counts(const struct nf_classifier *s, size_t V, uint64_t **counts, struct nf_err *err)
{
    const struct nf_keys *k = &s->keys[0];

    *counts = NULL;
    if (!s->totals.order[0])
        return NF_OK;
    *counts = nf_alloc(V, sizeof **counts, err);
    for (size_t i = 0; *counts && i < k->k; i++)
        if (k->id[i] < V)
            (*counts)[k->id[i]] = k->n[i];
    return *counts ? NF_OK : NF_ESYS;
}

static int open_effects(struct nf_classifier *s, struct nf_run *run, struct nf_err *err)
{
    const struct nf_classifier_setup *o = &s->setup;
    size_t V = o->end ? o->end->V : 0;
    uint64_t *counts;

    if (!o->end || o->cfg->vocab.vocabulary == NF_VOCABULARY_NONE)
        return NF_OK;
    if (o->cfg->vocab.vocabulary == NF_VOCABULARY_TOKENIZER)
        V = nf_min(V, o->V);
    s->effect = nf_alloc(o->F, sizeof *s->effect, err);
    s->effect_class = nf_alloc(o->F, sizeof *s->effect_class, err);
    s->unembed = nf_folded_unembed_open(o->end, V, err);
    if (!s->effect || !s->effect_class || !s->unembed || token_counts(s, V, &counts, err) < 0)
        return NF_ESYS;
    s->effects = nf_logit_effects_open(&o->cfg->vocab, s->unembed, o->rows, o->end->D, o->F, counts, err);
    free(counts);
    if (!s->effects)
        return NF_ESYS;
    run->vocabulary = V;
    run->no_direction = nf_logit_effects_no_direction(s->effects);
    return NF_OK;
}

/* What the weights of a layer say, into effect, effect_class and effect_sum. */
static int find_effects(struct nf_classifier *s, size_t layer, struct nf_err *err)
{
    if (nf_logit_effects_layer(s->effects, layer, s->effect, err) < 0)
        return NF_ESYS;
    return nf_logit_effects_classify(s->effects, s->effect, layer, s->setup.L, s->effect_class, &s->effect_sum, err);
}

static void count_class(struct nf_classifier *s, unsigned classes)
{
    unsigned first = 0;

    while (!(classes >> first & 1))
        first++;
    s->classes[first]++;
}

/* Layers before `end` that are not written: they have no counts. */
static int write_uncounted(struct nf_classifier *s, size_t end, struct nf_err *err)
{
    for (; s->effects && s->next < end; s->next++) {
        const struct nf_layer_summary sum = { .layer = s->next, .F = s->setup.F, .effect = &s->effect_sum };

        if (find_effects(s, s->next, err) < 0)
            return NF_ESYS;
        nf_layer_summary_write(s->setup.out, &sum);
        for (size_t f = 0; f < s->setup.F; f++) {
            const struct nf_neuron n = { .layer = s->next,
                                         .neuron = f,
                                         .classes = s->effect_class[f] ? s->effect_class[f] : 1u << NF_OTHER,
                                         .effect = &s->effect[f] };

            count_class(s, n.classes);
            nf_neuron_write(s->setup.out, &n);
        }
    }
    return NF_OK;
}

/* All n-grams are known: make room for layers, and write the run record. */
static int begin_layers(struct nf_classifier *s, struct nf_err *err)
{
    struct nf_run run = { .totals = &s->totals,
                          .L = s->setup.L,
                          .n_scope = s->n_scope,
                          .scope = s->scope,
                          .full_needed = s->setup.cfg->position.full_needed,
                          .exact = !s->lossy,
                          .suppression = s->suppress != NULL,
                          .gated = s->setup.rows && s->setup.rows->gated };

    if (open_effects(s, &run, err) < 0)
        return NF_ESYS;
    for (size_t o = 0; o < NF_ORDERS; o++) {
        run.delta[o] = s->keys[o].delta;
        for (size_t v = 0; v < NF_VARIANTS; v++)
            if (nf_ngram_coverage_init(&s->ensemble[o][v], s->keys[o].k, err) < 0)
                return NF_ESYS;
    }
    if (nf_layer_init(&s->layer, &s->totals, s->keys, s->setup.cfg, err) < 0)
        return NF_ESYS;
    nf_run_write(s->setup.out, &run);
    s->has_run = true;
    return NF_OK;
}

/* ---- a layer's records ---- */

static void count_covered(struct nf_classifier *s, struct nf_layer_summary *sum)
{
    for (size_t o = 0; o < NF_ORDERS; o++) {
        const struct nf_triggers *t = &s->layer.triggers[o];

        if (!sum->counted[o])
            continue;
        for (size_t v = 0; v < NF_VARIANTS; v++) {
            struct nf_covered c;

            for (size_t f = 0; f < s->layer.F; f++)
                if (s->judged[f].variant[o][v] == NF_YES)
                    nf_ngram_coverage_add(&s->ensemble[o][v], &t->covered[f], s->keys[o].n, v ? t->min_count[v] : 0);
            c = nf_ngram_coverage_layer(&s->ensemble[o][v]);
            sum->variant[v].covered[o] = c.total;
            if (v == 0)
                sum->covered[o] = c;
        }
    }
}

static struct nf_trigger trigger_of(const struct nf_keys *keys, struct nf_hit hit)
{
    return (struct nf_trigger){ keys->id + (size_t)hit.key * keys->order, hit.c, keys->n[hit.key],
                                nf_wilson(hit.c, keys->n[hit.key]).lo };
}

/* What is shown of one order; false: nothing. */
static bool evidence_of(struct nf_classifier *s, size_t f, size_t o, struct nf_evidence *v)
{
    const struct nf_triggers *t = &s->layer.triggers[o];
    const struct nf_neuron_classes *j = &s->judged[f];
    const struct nf_hits *covered = &t->covered[f];
    const struct nf_classify *cfg = s->setup.cfg;
    struct nf_trigger *top = s->trigger[o], *list = top + cfg->ngram.top;
    bool within;

    if (!s->layer.in_scope || !s->totals.order[o] || j->activations[o] == 0)
        return false;
    within = j->cover_lo[o] <= cfg->ngram.most[o] && nf_triggers_candidate(t, f);
    if (o > 0 && !within)
        return false;
    *v = (struct nf_evidence){ .order = o + 1,
                               .m = j->cover_lo[o],
                               .activations = j->activations[o],
                               .verdict = j->detector[o],
                               .n_top = t->n_top[f],
                               .top = top,
                               .listed = within,
                               .covered = list,
                               .covered_total = covered->n };
    for (size_t i = 0; i < v->n_top; i++)
        top[i] = trigger_of(t->keys, t->top[f * t->top_max + i]);
    if (!within)
        return true;
    v->share = nf_wilson(t->sure[f * NF_VARIANTS], j->activations[o]);
    v->n_covered = nf_min(covered->n, cfg->ngram.listed);
    nf_hits_sort(covered->hit, covered->n);
    for (size_t i = 0; i < v->n_covered; i++)
        list[i] = trigger_of(t->keys, covered->hit[i]);
    return true;
}

static void write_neuron(struct nf_classifier *s, size_t f, const struct nf_suppressed *suppressed)
{
    const struct nf_layer_counts *l = &s->layer;
    const struct nf_neuron_classes *j = &s->judged[f];
    struct nf_share domain[NF_DOMAINS_MAX];
    struct nf_evidence evidence[NF_ORDERS];
    struct nf_neuron n = { .layer = l->layer,
                           .neuron = f,
                           .counted_fires = true,
                           .classes = j->classes,
                           .undecided = j->undecided,
                           .fires = l->all[f],
                           .fires_bos = l->bos[f],
                           .freq = j->freq,
                           .band = j->band,
                           .Q = l->Q,
                           .domain = domain,
                           .covered = l->in_scope,
                           .suppressed = suppressed,
                           .position = j->placed ? &j->position : NULL,
                           .effect = s->effects ? &s->effect[f] : NULL };

    for (size_t q = 0; q < l->Q; q++)
        domain[q] = nf_wilson(l->domain[q * l->F + f], s->totals.domain_tokens[q]);
    n.domain_entropy = nf_domain_entropy(domain, l->Q);
    for (size_t o = 0; o < NF_ORDERS; o++) {
        n.counted[o] = l->in_scope && s->totals.order[o];
        n.cover_lo[o] = j->cover_lo[o];
        n.cover_hi[o] = j->cover_hi[o];
        n.evidence[o] = evidence_of(s, f, o, &evidence[o]) ? &evidence[o] : NULL;
    }
    count_class(s, j->classes);
    nf_neuron_write(s->setup.out, &n);
}

static void write_suppression(struct nf_classifier *s, const struct nf_suppression_counts tally[NF_PROJECTIONS], size_t layer)
{
    for (size_t p = 0; p < NF_PROJECTIONS; p++) {
        struct nf_suppression rec = nf_suppression_counts_record(&tally[p], p, layer);

        nf_suppression_write(s->setup.out, &rec);
    }
}

static int write_team(struct nf_classifier *s, enum nf_position_type type, bool strong, struct nf_err *err)
{
    size_t F = s->layer.F, n = 0, weak = 0, *number = nf_alloc(4 * F, sizeof *number, err);
    struct nf_member *member = nf_alloc(F, sizeof *member, err);
    struct nf_team_rec rec = { .layer = s->layer.layer, .type = type, .strong = strong, .neuron = number };
    int rc = NF_ESYS;

    if (!number || !member)
        goto out;
    for (size_t f = 0; f < F; f++) {
        const struct nf_neuron_classes *j = &s->judged[f];

        if (!(j->classes >> NF_POSITIONAL & 1) || !j->position.typed || j->position.type != type || (strong && !j->position.strong))
            continue;
        weak += !j->position.strong;
        number[n] = f;
        member[n++] = (struct nf_member){ f, j->position.n_ranges, j->position.range };
    }
    rc = NF_OK;
    if (n < 2 || (!strong && weak == 0))   /* a team has two; `any` would repeat `strong` */
        goto out;
    rc = nf_position_cover_score(member, n, s->layer.T, number + F, number + 2 * F, number + 3 * F, &rec, err);
    if (rc == NF_OK)
        nf_team_write(s->setup.out, &rec);
out:
    free(number);
    free(member);
    return rc;
}

static int write_teams(struct nf_classifier *s, struct nf_err *err)
{
    static const enum nf_position_type type[] = { NF_OSCILLATORY, NF_BOTH };
    int rc = NF_OK;

    for (size_t t = 0; rc == NF_OK && t < sizeof type / sizeof *type; t++)
        for (int strong = 1; rc == NF_OK && strong >= 0; strong--)
            rc = write_team(s, type[t], strong, err);
    return rc;
}

static void write_classified_layer(struct nf_classifier *s, const struct nf_trigger_suppression *pushes)
{
    struct nf_layer_summary sum;
    size_t next = 0;

    nf_neuron_classes_summary(s->setup.cfg, &s->layer, s->judged, &sum);
    count_covered(s, &sum);
    sum.effect = s->effects ? &s->effect_sum : NULL;
    nf_layer_summary_write(s->setup.out, &sum);
    for (size_t f = 0; f < s->layer.F; f++) {
        bool pushed = next < pushes->n && pushes->push[next].neuron == f;

        write_neuron(s, f, pushed ? &pushes->push[next].record : NULL);
        next += pushed;
    }
}

static int end_layer(struct nf_classifier *s, struct nf_err *err)
{
    struct nf_trigger_suppression pushes = { 0 };
    int rc;

    if (!s->in_layer)
        return NF_OK;
    s->in_layer = false;
    rc = nf_layer_end(&s->layer, err);
    if (rc == NF_OK)
        rc = nf_classify_layer(s->setup.cfg, &s->layer, s->judged, err);
    if (rc == NF_OK && s->effects) {
        rc = find_effects(s, s->layer.layer, err);
        if (rc == NF_OK)
            nf_neuron_classes_add(s->judged, s->layer.F, s->effect_class);
    }
    if (rc == NF_OK && s->suppress)
        rc = nf_trigger_suppression_layer(s->suppress, s->setup.rows, s->setup.cfg, &s->layer, s->judged, &pushes, err);
    if (rc == NF_OK) {
        write_classified_layer(s, &pushes);
        for (size_t p = 0; p < NF_PROJECTIONS; p++)
            nf_suppression_counts_add(&s->tally[p], &pushes.tally[p]);
        if (s->suppress && s->layer.in_scope && s->totals.order[0])
            write_suppression(s, pushes.tally, s->layer.layer);
        rc = write_teams(s, err);
    }
    nf_trigger_suppression_clear(&pushes);
    nf_neuron_classes_clear(s->judged, s->layer.F);
    s->done++;
    s->next = s->layer.layer + 1;
    return rc;
}

/* All layers came: the last of them, and those above it without counts. */
static int end_layers(struct nf_classifier *s, struct nf_err *err)
{
    int rc = end_layer(s, err);

    if (rc == NF_OK && s->done != s->totals.n_layers)
        return nf_fail(err, NF_EFORMAT, "%zu of %zu layers came", s->done, s->totals.n_layers);
    return rc == NF_OK ? write_uncounted(s, s->setup.L, err) : rc;
}

static bool in_scope(const struct nf_classifier *s, size_t layer)
{
    for (size_t i = 0; i < s->n_scope; i++)
        if (s->scope[i] == layer)
            return true;
    return false;
}

static int take_fires(struct nf_classifier *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_fires f;
    int rc;

    if (nf_fires_read(rec, s->totals.F, s->totals.Q, &f, err) < 0)
        return NF_EFORMAT;
    rc = s->has_run ? end_layer(s, err) : begin_layers(s, err);
    if (rc < 0)
        return rc;
    if (s->done >= s->totals.n_layers || f.layer != s->totals.layers[s->done])
        return nf_fail(err, NF_EFORMAT, "fires: layer %zu is not the next of the layers of totals", f.layer);
    if (write_uncounted(s, f.layer, err) < 0)
        return NF_ESYS;
    s->in_layer = true;
    return nf_layer_begin(&s->layer, &f, in_scope(s, f.layer), err);
}

/* Of the sites with real values only the activations of gated FFNs are looked at: the sign of their mean. */
static int take_gate_moments(struct nf_classifier *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_moments_rec m;
    int rc = end_layers(s, err);

    if (rc < 0 || !s->effects || !s->setup.rows->gated)
        return rc;
    if (nf_moments_rec_read(rec, &m, err) < 0)
        return NF_EFORMAT;
    if (strcmp(m.site, "ffn.act") != 0 || m.layer >= s->setup.L || m.W != s->setup.F)
        return NF_OK;
    nf_activation_write(s->setup.out, &(struct nf_activation_rec){ m.layer, m.W, m.mean });
    return NF_OK;
}

int nf_classifier_take(struct nf_classifier *s, const msgpack_object *rec, struct nf_err *err)
{
    /* Of other sites than ffn.active: nothing here. */
    static const char *const elsewhere[] = { "histogram", "top", "cka", "similarity", "influence", "ratio", "locality", "merging" };
    int rc;

    if (nf_mp_is(rec, "totals"))
        return take_class_totals(s, rec, err);
    if (!s->has_totals)
        return nf_fail(err, NF_EFORMAT, "a record before totals");
    if (nf_mp_is(rec, "fires"))
        return take_fires(s, rec, err);
    if (!s->has_run && nf_mp_is(rec, "ngrams"))
        return take_ngrams(s, rec, err);
    if (!s->has_run && nf_mp_is(rec, "lost_ngrams"))
        return take_lost_ngrams(s, rec, err);
    rc = s->in_layer ? nf_layer_take(&s->layer, rec, err) : NF_EOF;
    if (rc != NF_EOF)
        return rc;
    if (nf_mp_is(rec, "moments"))
        return take_gate_moments(s, rec, err);
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        if (nf_mp_is(rec, elsewhere[i]))
            return end_layers(s, err);
    return nf_fail(err, NF_EFORMAT, "a record of unknown type, or out of order");
}

int nf_classifier_end(struct nf_classifier *s, json_t **totals, struct nf_err *err)
{
    uint64_t neurons = 0;
    int rc;

    if (s->setup.weights_only) {
        s->totals.F = s->setup.F;
        rc = begin_layers(s, err);
        if (rc < 0)
            return rc;
    } else if (!s->has_totals) {
        return nf_fail(err, NF_EFORMAT, "no totals record");
    }
    rc = end_layers(s, err);
    if (rc < 0)
        return rc;
    if (s->suppress)
        write_suppression(s, s->tally, NF_SCOPE_ALL);
    *totals = json_object();
    for (size_t c = 0; c < NF_CLASSES; c++)
        neurons += s->classes[c];
    json_object_set_new(*totals, "neurons", json_integer((json_int_t)neurons));
    for (size_t c = 0; c < NF_CLASSES; c++)
        json_object_set_new(*totals, nf_class_name(c), json_integer((json_int_t)s->classes[c]));
    return NF_OK;
}
