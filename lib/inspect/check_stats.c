/* check_stats.c - kind "stats". */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/at.h"
#include "record/stages.h"
#include "record/stats.h"
#include "inspect/check.h"
#include "inspect/check_context.h"
#include "stream/mp.h"

/* The order of FORMAT.md section 4.4. Records of one stage may repeat; `layered` stages repeat for each layer. */
static const struct {
    const char *type;
    int stage;
    bool layered;
} stages[] = {
    { "totals", 1, false },  { "ngrams", 2, false },         { "lost_ngrams", 2, false }, { "fires", 3, true },
    { "position", 4, true }, { "domain_position", 5, true }, { "counts", 6, true },       { "lost", 7, true },
    { "moments", 8, false }, { "histogram", 8, false },      { "top", 8, false },         { "cka", 9, false },
    { "similarity", 10, false }, { "influence", 11, false }, { "ratio", 12, false },     { "locality", 13, false },
    { "merging", 14, false },
};

struct stats {
    struct nf_check_context context;
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
    struct stats *s = state;

    if (!s)
        return;
    nf_check_context_close(&s->context);
    nf_totals_clear(&s->totals);
    free(s);
}

static void *stats_open(const json_t *header, struct nf_err *err)
{
    struct stats *s = nf_alloc(1, sizeof *s, err);

    if (!s || nf_check_context_open(&s->context, header, err) < 0) {
        stats_close(s);
        return NULL;
    }
    return s;
}

static int check_totals(struct stats *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_totals *t = &s->totals;
    uint64_t tokens = 0;

    if (s->any_totals)
        return nf_fail(err, NF_EFORMAT, "totals: a second time");
    if (nf_totals_read(rec, t, err) < 0)
        return err->code;
    s->any_totals = true;
    for (size_t q = 0; q < t->Q; q++)
        tokens += t->domain_tokens[q];
    if (tokens != t->tokens)
        return nf_fail(err, NF_EFORMAT, "totals: the domains have %" PRIu64 " tokens together, tokens says %" PRIu64, tokens,
                       t->tokens);
    return t->full <= t->windows ? NF_OK : nf_fail(err, NF_EFORMAT, "totals: more full windows than windows");
}

static int compare_keys(const uint32_t *a, const uint32_t *b, size_t order)
{
    for (size_t i = 0; i < order; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

static int check_ngram_lists(struct stats *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_ngrams g;
    uint32_t key[NF_ORDERS] = { 0 };
    bool same;
    size_t next;

    if (nf_ngrams_read(rec, &g, err) < 0)
        return err->code;
    same = g.order == s->order && g.planes == s->planes;
    next = same ? s->next : 0;
    if (g.order < s->order || (g.order == s->order && g.planes < s->planes) || g.first != next)
        return nf_fail(err, NF_EFORMAT, "ngrams: order %zu, planes %zu, first %zu is out of order", g.order, g.planes, g.first);
    for (size_t i = 0; i < g.k; i++) {
        for (size_t j = 0; j < g.order; j++) {
            key[j] = nf_u4_at(g.keys, i * g.order + j);
            if (key[j] >= s->context.V)
                return nf_fail(err, NF_EFORMAT, "ngrams: token id %" PRIu32 " of key %zu is outside the vocabulary of %zu", key[j],
                               g.first + i, s->context.V);
        }
        if (g.first + i > 0 && compare_keys(key, s->key, g.order) <= 0)
            return nf_fail(err, NF_EFORMAT, "ngrams: order %zu, key %zu is not above the one before", g.order, g.first + i);
        memcpy(s->key, key, sizeof key);
    }
    s->order = g.order;
    s->planes = g.planes;
    s->next = g.first + g.k;
    return NF_OK;
}

static int check_fires(struct stats *s, const msgpack_object *rec, struct nf_err *err)
{
    const struct nf_totals *t = &s->totals;
    struct nf_fires f;

    s->fires++;
    if (nf_fires_read(rec, t->F, t->Q, &f, err) < 0)
        return err->code;
    for (size_t i = 0; i < t->F; i++) {
        uint64_t all = nf_u8_at(f.all, i), sum = 0;

        for (size_t q = 0; q < t->Q; q++)
            sum += nf_u8_at(f.domain, q * t->F + i);
        if (all > t->tokens || nf_u8_at(f.bos, i) > t->bos)
            return nf_fail(err, NF_EFORMAT, "fires: layer %zu, neuron %zu fires more often than there are tokens", f.layer, i);
        if (sum != all)
            return nf_fail(err, NF_EFORMAT, "fires: layer %zu, neuron %zu: %" PRIu64 " fires, %" PRIu64 " in the domains together",
                           f.layer, i, all, sum);
    }
    return NF_OK;
}

static int check_position(struct stats *s, const msgpack_object *rec, struct nf_err *err)
{
    const struct nf_totals *t = &s->totals;
    struct nf_position p;

    if (nf_position_read(rec, t->F, &p, err) < 0)
        return err->code;
    for (size_t i = 0; i < p.P * t->F; i++)
        if (nf_u4_at(p.counts, i) > t->full)
            return nf_fail(err, NF_EFORMAT,
                           "position: layer %zu, position %zu, neuron %zu fires more often than there are full windows", p.layer,
                           p.first + i / t->F, i % t->F);
    return NF_OK;
}

static int check_counts(struct stats *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_counts c;
    size_t F = s->totals.F;

    if (nf_counts_read(rec, F, &c, err) < 0)
        return err->code;
    for (size_t r = 0; F % 8 && r < c.k * c.planes; r++)
        if (c.bits[(r + 1) * c.row_bytes - 1] >> F % 8)
            return nf_fail(err, NF_EFORMAT, "counts: layer %zu, order %zu: a bit is set beyond neuron %zu", c.layer, c.order,
                           F - 1);
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

static int check_cka(const msgpack_object *rec, struct nf_err *err)
{
    struct nf_cka_rec c;

    return nf_cka_rec_read(rec, &c, err) < 0 || check_symmetric("cka", c.cka, c.P, err) < 0 ||
                   check_symmetric("cka: se", c.se, c.P, err) < 0
               ? NF_EFORMAT
               : NF_OK;
}

/* Also: every mean is a cosine, or an angle in units of pi. */
static int check_similarity(const struct stats *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_similarity_rec r;

    if (nf_similarity_rec_read(rec, &r, err) < 0 || check_symmetric("similarity", r.mean, r.P, err) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; i < r.P * r.P; i++)
        if (nf_f8_at(r.mean, i) > 1 || nf_f8_at(r.mean, i) < (strcmp(r.measure, "cos") == 0 ? -1 : 0))
            return nf_fail(err, NF_EFORMAT, "similarity: %s of points %zu, %zu is %g", r.measure, i / r.P, i % r.P,
                           nf_f8_at(r.mean, i));
    if (r.n + r.zero > s->totals.tokens + s->totals.bos || r.docs > s->totals.docs)
        return nf_fail(err, NF_EFORMAT, "similarity: more positions or documents than totals has");
    return NF_OK;
}

static int check_influence(const msgpack_object *rec, struct nf_err *err)
{
    struct nf_influence_rec r;

    if (nf_influence_rec_read(rec, &r, err) < 0)
        return NF_EFORMAT;
    return r.influence < 0 || r.influence > 2
               ? nf_fail(err, NF_EFORMAT, "influence: layer %zu: %g is not from 0 to 2", r.layer, r.influence)
               : NF_OK;
}

static int check_docs(const struct stats *s, const char *type, size_t layer, const struct nf_mergeable_means_rec *m,
                      struct nf_err *err)
{
    for (size_t u = 0; u < m->U; u++)
        if (nf_u8_at(m->docs, u) > s->totals.docs || nf_u8_at(m->docs, u) > nf_u8_at(m->n, u))
            return nf_fail(err, NF_EFORMAT, "%s: layer %zu, column %zu: more documents than totals has, or than n", type, layer, u);
    return NF_OK;
}

static int check_ratio(const struct stats *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_ratio_rec r;

    if (nf_ratio_rec_read(rec, &r, err) < 0)
        return NF_EFORMAT;
    return r.docs <= s->totals.docs && r.docs <= r.n && r.n <= s->totals.tokens + s->totals.bos
               ? NF_OK
               : nf_fail(err, NF_EFORMAT, "ratio: layer %zu, %s: more documents or positions than totals has", r.layer,
                         nf_ratio_name(r.of));
}

static int check_locality(const struct stats *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_locality_rec r;

    if (nf_locality_rec_read(rec, &r, err) < 0)
        return NF_EFORMAT;
    if (r.sinks > r.H)
        return nf_fail(err, NF_EFORMAT, "locality: layer %zu: %" PRIu64 " sinks of %zu heads", r.layer, r.sinks, r.H);
    return check_docs(s, "locality", r.layer, &r.m, err);
}

static int check_merging(const struct stats *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_merging_rec r;

    return nf_merging_rec_read(rec, &r, err) < 0 ? NF_EFORMAT : check_docs(s, "merging", r.layer, &r.m, err);
}

static int check_content(struct stats *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_lost_ngrams lost_ngrams;
    struct nf_lost lost;
    struct nf_domain_position domain;
    struct nf_moments_rec moments;
    struct nf_histogram_rec histogram;
    struct nf_top_rec top;

    if (nf_mp_is(rec, "totals"))
        return check_totals(s, rec, err);
    if (nf_mp_is(rec, "ngrams"))
        return check_ngram_lists(s, rec, err);
    if (nf_mp_is(rec, "fires"))
        return check_fires(s, rec, err);
    if (nf_mp_is(rec, "position"))
        return check_position(s, rec, err);
    if (nf_mp_is(rec, "counts"))
        return check_counts(s, rec, err);
    if (nf_mp_is(rec, "lost_ngrams"))
        return nf_lost_ngrams_read(rec, &lost_ngrams, err);
    if (nf_mp_is(rec, "lost"))
        return nf_lost_read(rec, s->totals.F, &lost, err);
    if (nf_mp_is(rec, "domain_position"))
        return nf_domain_position_read(rec, s->totals.F, &domain, err);
    if (nf_mp_is(rec, "moments"))
        return nf_moments_rec_read(rec, &moments, err);
    if (nf_mp_is(rec, "histogram"))
        return nf_histogram_rec_read(rec, &histogram, err);
    if (nf_mp_is(rec, "top"))
        return nf_top_rec_read(rec, &top, err);
    if (nf_mp_is(rec, "cka"))
        return check_cka(rec, err);
    if (nf_mp_is(rec, "similarity"))
        return check_similarity(s, rec, err);
    if (nf_mp_is(rec, "influence"))
        return check_influence(rec, err);
    if (nf_mp_is(rec, "ratio"))
        return check_ratio(s, rec, err);
    return nf_mp_is(rec, "locality") ? check_locality(s, rec, err) : check_merging(s, rec, err);
}

/* Stages go up; from a layered one it may go back to the first of them with the next layer. */
static int check_stage(struct stats *s, size_t i, const msgpack_object *rec, struct nf_err *err)
{
    int before = s->stage;
    size_t layer_before = s->layer;
    uint64_t layer = 0;

    if (stages[i].layered && nf_mp_uint(rec, "layer", UINT32_MAX, &layer, err) < 0)
        return NF_EFORMAT;
    s->stage = stages[i].stage;
    if (stages[i].layered)
        s->layer = (size_t)layer;
    if (stages[i].stage >= before && (!stages[i].layered || before < 3 || layer == layer_before))
        return NF_OK;
    if (stages[i].layered && before >= 3 && before < 8 && layer > layer_before)
        return NF_OK;
    return nf_fail(err, NF_EFORMAT, "%s is out of order", stages[i].type);
}

static int stats_record(void *state, const msgpack_object *rec, struct nf_err *err)
{
    struct stats *s = state;
    int rc = nf_check_context_record(&s->context, rec, err);

    if (rc != NF_EOF)
        return rc == NF_OK && nf_mp_is(rec, "doc") ? nf_fail(err, NF_EFORMAT, "doc is not a record of kind stats") : rc;
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        if (!nf_mp_is(rec, stages[i].type))
            continue;
        if (!s->any_totals && stages[i].stage != 1)
            return nf_fail(err, NF_EFORMAT, "%s before totals", stages[i].type);
        rc = check_stage(s, i, rec, err);
        return check_content(s, rec, err) < 0 ? err->code : rc;
    }
    return nf_fail(err, NF_EFORMAT, "not a record of kind stats");
}

static int stats_end(void *state, const msgpack_object *end, struct nf_err *err)
{
    const struct stats *s = state;

    if (!s->any_totals)
        return nf_fail(err, NF_EFORMAT, "there is no totals record");
    if (s->fires != s->totals.n_layers)
        return nf_fail(err, NF_EFORMAT, "fires of %zu layers, totals says %zu", s->fires, s->totals.n_layers);
    if (nf_check_total(end, "positions", s->totals.tokens + s->totals.bos, err) < 0)
        return NF_EFORMAT;
    return nf_check_total(end, "windows", s->totals.windows, err);
}

const struct nf_check_kind nf_check_stats = { "stats", stats_open, stats_record, stats_end, stats_close };
