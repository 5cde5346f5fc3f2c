/* stage_stats.c - records of a stream of stats that measure layers and heads, as the means of a report. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/at.h"
#include "record/stages.h"
#include "report/stage_input.h"
#include "stream/mp.h"

static const unsigned window[NF_LOCAL_WINDOWS] = { 1, 2, 4, 5, 8, 16 };
enum { FIRST = NF_LOCAL_WINDOWS, EACH = FIRST + 1 }; /* columns of locality behind the sums over the windows */

static json_t *real(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *reals(const void *x, size_t from, size_t n)
{
    json_t *a = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, real(nf_f8_at(x, from + i)));
    return a;
}

/* The means of layer l, made with those below it when it is the first that is said of it; NULL: the model has no such layer. */
static json_t *all_of(struct nf_stage_input *run, size_t l, struct nf_err *err)
{
    json_t *all;

    if (l >= run->L) {
        nf_fail(err, NF_EFORMAT, "layer %zu of a model with %zu layers", l, run->L);
        return NULL;
    }
    for (size_t i = json_array_size(run->things); i <= l; i++) {
        char name[24];

        snprintf(name, sizeof name, "%zu", i);
        json_array_append_new(run->things, json_pack("{sIsss{}}", "layer", (json_int_t)i, "name", name, "all"));
    }
    all = json_object_get(json_array_get(run->things, l), "all");
    if (!all)
        nf_fail(err, NF_ESYS, "out of memory");
    return all;
}

static int put_mean(json_t *all, const char *key, uint64_t n, uint64_t docs, double mean, double se, struct nf_err *err)
{
    if (json_object_get(all, key))
        return nf_fail(err, NF_EFORMAT, "%s of a layer comes twice", key);
    json_object_set_new(all, key,
                        json_pack("{sIsIsoso}", "n", (json_int_t)n, "docs", (json_int_t)docs, "mean", real(mean), "se", real(se)));
    return NF_OK;
}

static int take_ratio(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_ratio_rec r;
    json_t *all = nf_ratio_rec_read(rec, &r, err) == NF_OK ? all_of(run, r.layer, err) : NULL;

    return all ? put_mean(all, nf_ratio_name(r.of), r.n, r.docs, r.mean, r.se, err) : NF_EFORMAT;
}

static int take_influence(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_influence_rec i;
    json_t *all = nf_influence_rec_read(rec, &i, err) == NF_OK ? all_of(run, i.layer, err) : NULL;

    return all ? put_mean(all, "influence", i.n, i.docs, i.influence, i.se, err) : NF_EFORMAT;
}

/* A column of the mean over heads, and of uniform attention. */
static int put_column(json_t *all, const struct nf_locality_rec *l, const char *what, unsigned w, size_t column, struct nf_err *err)
{
    size_t own = l->H * NF_LOCAL_COLUMNS + column, uniform = own + NF_LOCAL_COLUMNS;
    char key[32], key_uniform[48];

    snprintf(key, sizeof key, w ? "%s %u" : "%s", what, w);
    snprintf(key_uniform, sizeof key_uniform, "uniform %s", key);
    if (put_mean(all, key, nf_u8_at(l->m.n, own), nf_u8_at(l->m.docs, own), nf_f8_at(l->m.mean, own), nf_f8_at(l->m.se, own), err) <
        0)
        return NF_EFORMAT;
    return put_mean(all, key_uniform, nf_u8_at(l->m.n, uniform), nf_u8_at(l->m.docs, uniform), nf_f8_at(l->m.mean, uniform),
                    nf_f8_at(l->m.se, uniform), err);
}

static int take_locality(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_locality_rec l;
    json_t *all = nf_locality_rec_read(rec, &l, err) == NF_OK ? all_of(run, l.layer, err) : NULL;
    int rc = all ? put_column(all, &l, "first", 0, FIRST, err) : NF_EFORMAT;

    for (size_t i = 0; rc == NF_OK && i < NF_LOCAL_WINDOWS; i++) {
        rc = put_column(all, &l, "local", window[i], i, err);
        rc = rc == NF_OK ? put_column(all, &l, "each", window[i], EACH + i, err) : rc;
    }
    return rc == NF_OK ? put_mean(all, "sinks", l.H, 0, l.H ? (double)l.sinks / (double)l.H : NAN, NAN, err) : rc;
}

/* ---- merging heads ---- */

/* Attention of a head by positions back, of one class of words. */
static json_t *by_offset(const struct nf_merging_rec *m, size_t class, size_t head)
{
    size_t at = (class * m->H + head) * NF_BACK_OFFSETS;

    return json_pack("{sIsoso}", "n", (json_int_t)nf_u8_at(m->m.n, at), "mean", reals(m->m.mean, at, NF_BACK_OFFSETS), "se",
                     reals(m->m.se, at, NF_BACK_OFFSETS));
}

/* The head among the best, where its score is one of the highest; of equals the one that came first stands first. */
static void rank_head(struct nf_stage_input *run, const struct nf_merging_rec *m, size_t head)
{
    size_t score_at = head * NF_BACK_OFFSETS + 3, rank = json_array_size(run->heads); /* 3 back: the first of four tokens */
    double score = nf_f8_at(m->difference, score_at);

    if (isnan(score))
        return;
    while (rank > 0 && nf_real_at(json_array_get(run->heads, rank - 1), "score") < score)
        rank--;
    if (rank >= NF_PAGE_HEADS)
        return;
    json_array_insert_new(run->heads, rank,
                          json_pack("{sIsIsososososo}", "layer", (json_int_t)m->layer, "head", (json_int_t)head, "score",
                                    real(score), "se", real(nf_f8_at(m->difference_se, score_at)), "docs",
                                    json_integer((json_int_t)m->either), "multi", by_offset(m, 0, head), "single",
                                    by_offset(m, 1, head)));
    json_array_remove(run->heads, NF_PAGE_HEADS);
}

static int take_merging(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_merging_rec m;

    if (nf_merging_rec_read(rec, &m, err) < 0 || !all_of(run, m.layer, err))
        return NF_EFORMAT;
    for (size_t h = 0; h < m.H; h++)
        rank_head(run, &m, h);
    return NF_OK;
}

/* ---- pairs of points ---- */

static int take_pairs(struct nf_stage_input *run, const char *what, const char *rows, size_t P, uint64_t n, const void *value,
                      const void *se, struct nf_err *err)
{
    if (P != run->L + 1)
        return nf_fail(err, NF_EFORMAT, "%s of %zu points of a model with %zu layers", what, P, run->L);
    json_array_append_new(run->pairs, json_pack("{sssssIsIsoso}", "what", what, "rows", rows, "P", (json_int_t)P, "n",
                                                (json_int_t)n, "value", reals(value, 0, P * P), "se", reals(se, 0, P * P)));
    return NF_OK;
}

static int take_cka(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_cka_rec c;

    if (nf_cka_rec_read(rec, &c, err) < 0)
        return NF_EFORMAT;
    return take_pairs(run, "cka", c.rows, c.P, c.n, c.cka, c.se, err);
}

/* Of the similarities the angle: mean cosines of neighbours are in the influence of a layer. */
static int take_similarity(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_similarity_rec s;

    if (nf_similarity_rec_read(rec, &s, err) < 0)
        return NF_EFORMAT;
    return strcmp(s.measure, "angle") ? NF_OK : take_pairs(run, "angle", s.rows, s.P, s.n, s.mean, s.se, err);
}

int nf_stage_stats_take(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    static const struct {
        const char *type;
        int (*take)(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err);
    } types[] = {
        { "ratio", take_ratio },     { "influence", take_influence },   { "locality", take_locality },
        { "merging", take_merging }, { "similarity", take_similarity }, { "cka", take_cka },
    };
    static const char *const others[] = { "totals", "lost_ngrams", "ngrams",  "fires",     "position", "domain_position",
                                          "counts", "lost",        "moments", "histogram", "top" };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (nf_mp_is(rec, types[i].type))
            return types[i].take(run, rec, err);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (nf_mp_is(rec, others[i]))
            return NF_OK;
    return NF_EOF;
}
