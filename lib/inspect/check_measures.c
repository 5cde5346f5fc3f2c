/* check_measures.c - kinds "effects" and "lens": things with numbers, then means of each, FORMAT.md sections 4.6 and 4.7. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "inspect/check.h"
#include "inspect/check_context.h"
#include "stream/mp.h"

/* How the two kinds call their things. */
struct words {
    const char *thing, *mean, *total;   /* record of a thing, and its field in the others; record of means; END total */
};

static const struct words effects_words = { "intervention", "effect", "interventions" };
static const struct words lens_words = { "point", "lens", "points" };

struct rows {
    uint64_t all, domain, position;
};

struct measures {
    struct nf_check_context context;   /* rows bring their vocabulary along */
    const struct words *words;
    uint64_t things, last;   /* thing of the last record of means */
    bool means;              /* one was seen: no further things, no further rows */
    struct rows rows;        /* of the last thing, by its records of means */
    uint64_t first;          /* rows of the first thing, which all have */
    uint64_t tokens, counted;   /* token records; rows of all things */
};

/* The start of a state, which is the caller's to free. */
static int measures_open(struct measures *m, const struct words *words, const json_t *header, struct nf_err *err)
{
    m->words = words;
    m->context.vocab_optional = true;
    return nf_check_context_open(&m->context, header, err);
}

static void measures_close(void *state)
{
    struct measures *m = state;

    if (m)
        nf_check_context_close(&m->context);
    free(m);
}

static void *effects_open(const json_t *header, struct nf_err *err)
{
    struct measures *m = nf_alloc(1, sizeof *m, err);

    if (!m || measures_open(m, &effects_words, header, err) < 0) {
        measures_close(m);
        return NULL;
    }
    return m;
}

/* A mean over n > 0 rows has a value, and a spread that is not negative. */
static bool is_mean(const msgpack_object *v)
{
    double mean, sd;

    return nf_mp_real(v, "mean", &mean, NULL) == NF_OK && nf_mp_real(v, "sd", &sd, NULL) == NF_OK && sd >= 0;
}

/* So has that of their documents, where the writer knew it; one document has no spread. */
static bool is_doc_mean(const msgpack_object *v)
{
    const msgpack_object *spread = nf_mp_find(v, "doc_sd");
    double mean, sd = 0;

    if (!nf_mp_find(v, "doc_mean") && !spread)
        return true;
    return nf_mp_real(v, "doc_mean", &mean, NULL) == NF_OK && spread &&
           (spread->type == MSGPACK_OBJECT_NIL || (nf_mp_real(v, "doc_sd", &sd, NULL) == NF_OK && sd >= 0));
}

/* Every map with a mean in it. */
static int check_means(const msgpack_object *rec, struct nf_err *err)
{
    for (uint32_t i = 0; i < rec->via.map.size; i++) {
        const msgpack_object *v = &rec->via.map.ptr[i].val, *key = &rec->via.map.ptr[i].key;
        uint64_t n;

        if (v->type != MSGPACK_OBJECT_MAP || nf_mp_uint(v, "n", UINT64_MAX, &n, NULL) < 0 || n == 0)
            continue;
        if (!is_mean(v) || !is_doc_mean(v))
            return nf_fail(err, NF_EFORMAT, "%.*s: n is %" PRIu64 ", but %s is none", (int)key->via.str.size, key->via.str.ptr, n,
                           is_mean(v) ? "doc_mean or doc_sd" : "mean or sd");
    }
    return NF_OK;
}

static int check_thing(struct measures *m, const msgpack_object *rec, struct nf_err *err)
{
    uint64_t number;

    if (nf_mp_uint(rec, m->words->thing, UINT32_MAX, &number, err) < 0)
        return NF_EFORMAT;
    if (m->means || number != m->things++)
        return nf_fail(err, NF_EFORMAT, "%s %" PRIu64 ": they count up from 0, before all other records", m->words->thing, number);
    return NF_OK;
}

/* A thing is complete: domains share out its rows, and so do positions; every thing was measured at the same ones. */
static int close_thing(struct measures *m, struct nf_err *err)
{
    const struct rows r = m->rows;

    if (!m->means)
        return NF_OK;
    m->rows = (struct rows){ 0 };
    m->counted += r.all;
    if (m->last == 0)
        m->first = r.all;
    if (r.all != m->first)
        return nf_fail(err, NF_EFORMAT, "%s %" PRIu64 " has %" PRIu64 " rows, the first %" PRIu64, m->words->thing, m->last, r.all,
                       m->first);
    if (r.domain != r.all || r.position != r.all)
        return nf_fail(err, NF_EFORMAT, "%s %" PRIu64 ": %" PRIu64 " rows, by domain %" PRIu64 ", by position %" PRIu64,
                       m->words->thing, m->last, r.all, r.domain, r.position);
    return NF_OK;
}

static int count_rows(struct rows *r, const char *by, size_t len, uint64_t n, struct nf_err *err)
{
    static const char *const words[] = { "all", "domain", "position" };
    uint64_t *const to[] = { &r->all, &r->domain, &r->position };

    for (size_t i = 0; i < 3; i++)
        if (len == strlen(words[i]) && memcmp(by, words[i], len) == 0) {
            *to[i] += n;
            return NF_OK;
        }
    return nf_fail(err, NF_EFORMAT, "by '%.*s': all, domain or position is expected", len < 80 ? (int)len : 80, by);
}

static int check_mean(struct measures *m, const msgpack_object *rec, uint64_t number, struct nf_err *err)
{
    const msgpack_object *kl = nf_mp_find(rec, "kl");
    uint64_t rows;
    const char *by;
    size_t n;
    int rc = NF_OK;

    if (nf_mp_str(rec, "by", &by, &n, err) < 0 || check_means(rec, err) < 0)
        return NF_EFORMAT;
    if (!kl || kl->type != MSGPACK_OBJECT_MAP || nf_mp_uint(kl, "n", UINT64_MAX, &rows, NULL) < 0)
        return nf_fail(err, NF_EFORMAT, "kl: {n, mean, sd, ..} is expected");
    if (m->means && number < m->last)
        return nf_fail(err, NF_EFORMAT, "%s %" PRIu64 " after %s %" PRIu64, m->words->thing, number, m->words->thing, m->last);
    if (m->means && number != m->last)
        rc = close_thing(m, err);
    m->means = true;
    m->last = number;
    return count_rows(&m->rows, by, n, rows, rc < 0 ? NULL : err) < 0 ? NF_EFORMAT : rc;
}

static int measures_record(void *state, const msgpack_object *rec, struct nf_err *err)
{
    struct measures *m = state;
    uint64_t number;

    if (nf_mp_is(rec, m->words->thing))
        return check_thing(m, rec, err);
    if (nf_mp_uint(rec, m->words->thing, UINT32_MAX, &number, err) < 0)
        return NF_EFORMAT;
    if (number >= m->things)
        return nf_fail(err, NF_EFORMAT, "%s %" PRIu64 " of %" PRIu64, m->words->thing, number, m->things);
    if (nf_mp_is(rec, m->words->mean))
        return check_mean(m, rec, number, err);
    if (!nf_mp_is(rec, "token"))
        return nf_fail(err, NF_EFORMAT, "a record of a type that does not belong here");
    m->tokens++;
    return m->means ? nf_fail(err, NF_EFORMAT, "a row after the means") : NF_OK;
}

/* A record of the kind, by `own`, unless it is of the vocabulary; the first is also where a part of that may be found missing. */
static int after_vocab(struct nf_check_context *c, int (*own)(void *, const msgpack_object *, struct nf_err *), void *state,
                       const msgpack_object *rec, struct nf_err *err)
{
    int rc = nf_check_vocab_record(c, rec, err), fault;

    if (nf_mp_is(rec, "vocab") || nf_mp_is(rec, "special"))
        return rc;
    fault = own(state, rec, rc == NF_EOF ? err : NULL);
    return rc == NF_EOF ? fault : rc;
}

static int effects_record(void *state, const msgpack_object *rec, struct nf_err *err)
{
    struct measures *m = state;

    return after_vocab(&m->context, measures_record, m, rec, err);
}

static int measures_end(void *state, const msgpack_object *end, struct nf_err *err)
{
    struct measures *m = state;

    if (close_thing(m, err) < 0)
        return NF_EFORMAT;
    if (m->tokens && m->tokens != m->counted)
        return nf_fail(err, NF_EFORMAT, "%" PRIu64 " token records, the means have %" PRIu64 " rows", m->tokens, m->counted);
    return nf_check_total(end, m->words->total, m->things, err);
}

/* ---- lens: also parts of the last stream, their rows and means; FORMAT.md section 4.7 ---- */

struct lens {
    struct measures points;   /* first: measures_close() frees both */
    uint64_t parts, last;   /* `part` records; the part of the last attribution, + 1 */
};

static void *lens_open(const json_t *header, struct nf_err *err)
{
    struct lens *s = nf_alloc(1, sizeof *s, err);

    if (!s || measures_open(&s->points, &lens_words, header, err) < 0) {
        measures_close(s);
        return NULL;
    }
    return s;
}

static int check_part(struct lens *s, const msgpack_object *rec, struct nf_err *err)
{
    uint64_t number;

    if (nf_mp_uint(rec, "part", UINT32_MAX, &number, err) < 0)
        return NF_EFORMAT;
    if (s->points.means || number != s->parts++)
        return nf_fail(err, NF_EFORMAT, "part %" PRIu64 ": they count up from 0, before rows and means", number);
    return NF_OK;
}

static int check_parts(const struct lens *s, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_tensor t;

    if (nf_mp_tensor(rec, "logit", NF_F32, 1, &t, err) < 0)
        return NF_EFORMAT;
    if (t.shape[0] != s->parts)
        return nf_fail(err, NF_EFORMAT, "logit: %zu values for %" PRIu64 " parts", t.shape[0], s->parts);
    return s->points.means ? nf_fail(err, NF_EFORMAT, "a row after the means") : NF_OK;
}

static int check_attribution(struct lens *s, const msgpack_object *rec, struct nf_err *err)
{
    uint64_t part, last = s->last;

    if (nf_mp_uint(rec, "part", UINT32_MAX, &part, err) < 0 || check_means(rec, err) < 0)
        return NF_EFORMAT;
    s->points.means = true;
    s->last = part + 1;
    if (part >= s->parts || part + 1 < last || part > last)
        return nf_fail(err, NF_EFORMAT,
                       "attribution of part %" PRIu64 " of %" PRIu64 ", where %" PRIu64 " or the one before is next", part,
                       s->parts, last);
    return NF_OK;
}

static int own_record(void *state, const msgpack_object *rec, struct nf_err *err)
{
    struct lens *s = state;

    if (nf_mp_is(rec, "part"))
        return check_part(s, rec, err);
    if (nf_mp_is(rec, "parts"))
        return check_parts(s, rec, err);
    return nf_mp_is(rec, "attribution") ? check_attribution(s, rec, err) : measures_record(&s->points, rec, err);
}

static int lens_record(void *state, const msgpack_object *rec, struct nf_err *err)
{
    struct lens *s = state;

    return after_vocab(&s->points.context, own_record, s, rec, err);
}

static int lens_end(void *state, const msgpack_object *end, struct nf_err *err)
{
    struct lens *s = state;

    if (measures_end(&s->points, end, err) < 0)
        return NF_EFORMAT;
    if (s->last != (s->points.means ? s->parts : 0))
        return nf_fail(err, NF_EFORMAT, "attribution of %" PRIu64 " of %" PRIu64 " parts", s->last, s->parts);
    return nf_check_total(end, "parts", s->parts, err);
}

const struct nf_check_kind nf_check_effects = { "effects", effects_open, effects_record, measures_end, measures_close };
const struct nf_check_kind nf_check_lens = { "lens", lens_open, lens_record, lens_end, measures_close };
