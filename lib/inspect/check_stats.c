/* check_stats.c - kind "stats": the order of the records, and counts that must agree. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/at.h"
#include "inspect/check_rules.h"
#include "record/stages.h"
#include "record/stats.h"

/* The order of FORMAT.md section 4.4. Records of one stage may repeat; `layered` stages repeat for each layer. */
static const struct {
    const struct nf_record *type;
    int stage;
    bool layered;
} stages[] = {
    { &nf_totals_record, 1, false },          { &nf_ngrams_record, 2, false },    { &nf_lost_ngrams_record, 2, false },
    { &nf_fires_record, 3, true },            { &nf_position_record, 4, true },   { &nf_domain_position_record, 5, true },
    { &nf_counts_record, 6, true },           { &nf_lost_record, 7, true },       { &nf_moments_record, 8, false },
    { &nf_histogram_record, 8, false },       { &nf_top_record, 8, false },       { &nf_cka_record, 9, false },
    { &nf_similarity_record, 10, false },     { &nf_influence_record, 11, false }, { &nf_ratio_record, 12, false },
    { &nf_locality_record, 13, false },       { &nf_merging_record, 14, false },
};

struct stats {
    struct nf_totals totals;
    bool any_totals;
    int stage;
    size_t layer;                  /* of the layered record at hand */
    size_t fires;                  /* fires records so far */
    size_t order, planes, next;    /* of the last ngrams record: what follows it */
    uint32_t key[NF_ORDERS];       /* its last */
};

static void stats_close(void *state)
{
    nf_record_clear(&nf_totals_record, &((struct stats *)state)->totals);
}

static int check_totals(struct stats *s, struct nf_check_stream *stream, const struct nf_any_record *in, struct nf_err *err)
{
    if (s->any_totals)
        return nf_fail(err, NF_EFORMAT, "totals: a second time");
    if (nf_record_read(&nf_totals_record, in->object, &stream->sizes, &s->totals, err) < 0)
        return err->code;
    s->any_totals = true;
    stream->sizes.F = s->totals.F;
    stream->sizes.Q = s->totals.Q;
    return NF_OK;
}

static int compare_keys(const uint32_t *a, const uint32_t *b, size_t order)
{
    for (size_t i = 0; i < order; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

static int check_ngram_lists(struct stats *s, const struct nf_ngrams *g, struct nf_err *err)
{
    uint32_t key[NF_ORDERS] = { 0 };
    bool same;
    size_t next;

    same = g->order == s->order && g->planes == s->planes;
    next = same ? s->next : 0;
    if (g->order < s->order || (g->order == s->order && g->planes < s->planes) || g->first != next)
        return nf_fail(err, NF_EFORMAT, "ngrams: order %zu, planes %zu, first %zu is out of order", g->order, g->planes, g->first);
    for (size_t i = 0; i < g->k; i++) {
        for (size_t j = 0; j < g->order; j++)
            key[j] = nf_u4_at(g->keys, i * g->order + j);
        if (g->first + i > 0 && compare_keys(key, s->key, g->order) <= 0)
            return nf_fail(err, NF_EFORMAT, "ngrams: order %zu, key %zu is not above the one before", g->order, g->first + i);
        memcpy(s->key, key, sizeof key);
    }
    s->order = g->order;
    s->planes = g->planes;
    s->next = g->first + g->k;
    return NF_OK;
}

static int check_fires(struct stats *s, const struct nf_fires *f, struct nf_err *err)
{
    const struct nf_totals *t = &s->totals;

    for (size_t i = 0; i < t->F; i++) {
        uint64_t all = nf_u8_at(f->all, i), sum = 0;

        for (size_t q = 0; q < t->Q; q++)
            sum += nf_u8_at(f->domain, q * t->F + i);
        if (all > t->tokens || nf_u8_at(f->bos, i) > t->bos)
            return nf_fail(err, NF_EFORMAT, "fires: layer %zu, neuron %zu fires more often than there are tokens", f->layer, i);
        if (sum != all)
            return nf_fail(err, NF_EFORMAT, "fires: layer %zu, neuron %zu: %" PRIu64 " fires, %" PRIu64 " in the domains together",
                           f->layer, i, all, sum);
    }
    return NF_OK;
}

static int check_position(struct stats *s, const struct nf_position *p, struct nf_err *err)
{
    const struct nf_totals *t = &s->totals;

    for (size_t i = 0; i < p->P * t->F; i++)
        if (nf_u4_at(p->counts, i) > t->full)
            return nf_fail(err, NF_EFORMAT,
                           "position: layer %zu, position %zu, neuron %zu fires more often than there are full windows", p->layer,
                           p->first + i / t->F, i % t->F);
    return NF_OK;
}

/* Both halves of a matrix say the same; NaN is the same as NaN. */
static int check_symmetric(const char *type, const void *matrix, size_t P, struct nf_err *err)
{
    for (size_t i = 0; i < P; i++)
        for (size_t j = 0; j < i; j++)
            if (nf_u8_at(matrix, i * P + j) != nf_u8_at(matrix, j * P + i))
                return nf_fail(err, NF_EFORMAT, "%s: points %zu, %zu and %zu, %zu differ", type, i, j, j, i);
    return NF_OK;
}

static int check_cka(const struct nf_cka_rec *c, struct nf_err *err)
{
    return check_symmetric("cka", c->cka, c->P, err) < 0 ? NF_EFORMAT : check_symmetric("cka: se", c->se, c->P, err);
}

static int check_similarity(const struct stats *s, const struct nf_similarity_rec *r, struct nf_err *err)
{
    if (check_symmetric("similarity", r->mean, r->P, err) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; i < r->P * r->P; i++)
        if (strcmp(r->measure, "angle") == 0 && nf_f8_at(r->mean, i) < 0)
            return nf_fail(err, NF_EFORMAT, "similarity: angle of points %zu, %zu is %g", i / r->P, i % r->P, nf_f8_at(r->mean, i));
    if (r->n + r->zero > s->totals.tokens + s->totals.bos || r->docs > s->totals.docs)
        return nf_fail(err, NF_EFORMAT, "similarity: more positions or documents than totals has");
    return NF_OK;
}

static int check_docs(const struct stats *s, const char *type, size_t layer, const struct nf_mergeable_means_rec *m,
                      struct nf_err *err)
{
    for (size_t u = 0; u < m->U; u++)
        if (nf_u8_at(m->docs, u) > s->totals.docs || nf_u8_at(m->docs, u) > nf_u8_at(m->n, u))
            return nf_fail(err, NF_EFORMAT, "%s: layer %zu, column %zu: more documents than totals has, or than n", type, layer, u);
    return NF_OK;
}

static int check_ratio(const struct stats *s, const struct nf_ratio_rec *r, struct nf_err *err)
{
    return r->docs <= s->totals.docs && r->docs <= r->n && r->n <= s->totals.tokens + s->totals.bos
               ? NF_OK
               : nf_fail(err, NF_EFORMAT, "ratio: layer %zu, %s: more documents or positions than totals has", r->layer,
                         nf_ratio_name(r->of));
}

/* What the records before say of this one. */
static int check_content(struct stats *s, struct nf_check_stream *stream, const struct nf_any_record *in, struct nf_err *err)
{
    if (in->type == &nf_totals_record)
        return check_totals(s, stream, in, err);
    if (in->type == &nf_ngrams_record)
        return check_ngram_lists(s, in->rec, err);
    if (in->type == &nf_fires_record)
        return check_fires(s, in->rec, err);
    if (in->type == &nf_position_record)
        return check_position(s, in->rec, err);
    if (in->type == &nf_cka_record)
        return check_cka(in->rec, err);
    if (in->type == &nf_similarity_record)
        return check_similarity(s, in->rec, err);
    if (in->type == &nf_ratio_record)
        return check_ratio(s, in->rec, err);
    if (in->type == &nf_locality_record) {
        const struct nf_locality_rec *r = in->rec;

        return check_docs(s, "locality", r->layer, &r->m, err);
    }
    if (in->type == &nf_merging_record) {
        const struct nf_merging_rec *r = in->rec;

        return check_docs(s, "merging", r->layer, &r->m, err);
    }
    return NF_OK;
}

/* Stages go up; from a layered one it may go back to the first of them with the next layer.  `layer` is the first member of those records. */
static int check_stage(struct stats *s, size_t i, const struct nf_any_record *in, struct nf_err *err)
{
    int before = s->stage;
    size_t layer_before = s->layer, layer = stages[i].layered ? *(const size_t *)in->rec : 0;

    s->stage = stages[i].stage;
    if (stages[i].layered)
        s->layer = layer;
    if (stages[i].stage >= before && (!stages[i].layered || before < 3 || layer == layer_before))
        return NF_OK;
    if (stages[i].layered && before >= 3 && before < 8 && layer > layer_before)
        return NF_OK;
    return nf_fail(err, NF_EFORMAT, "%s is out of order", stages[i].type->type);
}

static int stats_record(void *state, struct nf_check_stream *stream, const struct nf_any_record *in, struct nf_err *err)
{
    struct stats *s = state;
    size_t i = 0;
    int rc;

    while (stages[i].type != in->type)
        i++;
    if (!s->any_totals && stages[i].stage != 1)
        return nf_fail(err, NF_EFORMAT, "%s before totals", in->type->type);
    rc = check_stage(s, i, in, err);
    s->fires += in->type == &nf_fires_record;
    return check_content(s, stream, in, err) < 0 ? err->code : rc;
}

static int stats_end(void *state, const struct nf_check_stream *stream, const msgpack_object *end, struct nf_err *err)
{
    const struct stats *s = state;

    (void)stream;
    if (!s->any_totals)
        return nf_fail(err, NF_EFORMAT, "there is no totals record");
    if (s->fires != s->totals.n_layers)
        return nf_fail(err, NF_EFORMAT, "fires of %zu layers, totals says %zu", s->fires, s->totals.n_layers);
    if (nf_check_total(end, "positions", s->totals.tokens + s->totals.bos, err) < 0)
        return NF_EFORMAT;
    return nf_check_total(end, "windows", s->totals.windows, err);
}

const struct nf_check_rules nf_check_stats = {
    .kind = "stats", .size = sizeof(struct stats), .record = stats_record, .end = stats_end, .close = stats_close
};
