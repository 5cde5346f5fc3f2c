/* check_measures.c - kinds "effects" and "lens": what was measured is announced, then the means of each add up.  FORMAT.md sections 4.6 and 4.7. */
#include <inttypes.h>

#include "inspect/check_rules.h"
#include "record/effects.h"
#include "record/lens.h"

/* How the two kinds call what they measure, and END's total of it. */
struct words {
    const char *item, *total;
};

static const struct words effects_words = { "intervention", "interventions" };
static const struct words lens_words = { "point", "points" };

struct rows {
    uint64_t all, domain, position;
};

struct measures {
    uint64_t items, last; /* announced; that of the last record of means */
    bool means; /* one was seen: no further items, no further rows */
    struct rows rows; /* of the last item, by its records of means */
    uint64_t first; /* rows of the first item, which all have */
    uint64_t tokens, counted; /* token records; rows of all items */
    uint64_t parts, next_part; /* lens: `part` records; the part of the last attribution, + 1 */
};

static int announce(struct measures *m, const char *item, uint64_t number, uint64_t *announced, struct nf_err *err)
{
    return m->means || number != (*announced)++
               ? nf_fail(err, NF_EFORMAT, "%s %" PRIu64 ": they count up from 0, before all other records", item, number)
               : NF_OK;
}

/* An item is complete: domains share out its rows, and so do positions; every item was measured at the same ones. */
static int close_measured(struct measures *m, const struct words *words, struct nf_err *err)
{
    const struct rows r = m->rows;

    if (!m->means)
        return NF_OK;
    m->rows = (struct rows){ 0 };
    m->counted += r.all;
    if (m->last == 0)
        m->first = r.all;
    if (r.all != m->first)
        return nf_fail(err, NF_EFORMAT, "%s %" PRIu64 " has %" PRIu64 " rows, the first %" PRIu64, words->item, m->last, r.all,
                       m->first);
    if (r.domain != r.all || r.position != r.all)
        return nf_fail(err, NF_EFORMAT, "%s %" PRIu64 ": %" PRIu64 " rows, by domain %" PRIu64 ", by position %" PRIu64,
                       words->item, m->last, r.all, r.domain, r.position);
    return NF_OK;
}

/* m[0] of both kinds is kl, which every row has. */
static int check_means(struct measures *m, const struct words *words, const struct nf_means_rec *rec, struct nf_err *err)
{
    uint64_t *const to[NF_BY] = { &m->rows.all, &m->rows.domain, &m->rows.position };
    int rc = NF_OK;

    if (rec->of >= m->items)
        return nf_fail(err, NF_EFORMAT, "%s %zu of %" PRIu64, words->item, rec->of, m->items);
    if (m->means && rec->of < m->last)
        return nf_fail(err, NF_EFORMAT, "%s %zu after %s %" PRIu64, words->item, rec->of, words->item, m->last);
    if (m->means && rec->of != m->last)
        rc = close_measured(m, words, err);
    m->means = true;
    m->last = rec->of;
    *to[rec->by] += rec->m[0].n;
    return rc;
}

static int check_token(struct measures *m, const struct words *words, size_t item, struct nf_err *err)
{
    if (item >= m->items)
        return nf_fail(err, NF_EFORMAT, "%s %zu of %" PRIu64, words->item, item, m->items);
    m->tokens++;
    return m->means ? nf_fail(err, NF_EFORMAT, "a row after the means") : NF_OK;
}

static int check_item_count(struct measures *m, const struct words *words, const msgpack_object *end, struct nf_err *err)
{
    if (close_measured(m, words, err) < 0)
        return NF_EFORMAT;
    if (m->tokens && m->tokens != m->counted)
        return nf_fail(err, NF_EFORMAT, "%" PRIu64 " token records, the means have %" PRIu64 " rows", m->tokens, m->counted);
    return nf_check_total(end, words->total, m->items, err);
}

/* ---- effects ---- */

static int effects_record(void *state, struct nf_check_stream *s, const struct nf_any_record *in, struct nf_err *err)
{
    struct measures *m = state;

    (void)s;
    if (in->type == &nf_intervention_record)
        return announce(m, "intervention", ((const struct nf_intervention_rec *)in->rec)->intervention, &m->items, err);
    if (in->type == &nf_effect_token_record)
        return check_token(m, &effects_words, ((const struct nf_effect_token_rec *)in->rec)->intervention, err);
    return check_means(m, &effects_words, in->rec, err);
}

static int effects_end(void *state, const struct nf_check_stream *s, const msgpack_object *end, struct nf_err *err)
{
    (void)s;
    return check_item_count(state, &effects_words, end, err);
}

/* ---- lens: also parts of the last stream, their rows and means ---- */

static int check_parts(const struct measures *m, const struct nf_parts_rec *rec, struct nf_err *err)
{
    if (rec->n != m->parts)
        return nf_fail(err, NF_EFORMAT, "logit: %zu values for %" PRIu64 " parts", rec->n, m->parts);
    return m->means ? nf_fail(err, NF_EFORMAT, "a row after the means") : NF_OK;
}

static int check_attribution(struct measures *m, const struct nf_means_rec *rec, struct nf_err *err)
{
    uint64_t next = m->next_part;

    m->means = true;
    m->next_part = rec->of + 1;
    if (rec->of >= m->parts || rec->of + 1 < next || rec->of > next)
        return nf_fail(err, NF_EFORMAT, "attribution of part %zu of %" PRIu64 ", where %" PRIu64 " or the one before is next",
                       rec->of, m->parts, next);
    return NF_OK;
}

static int lens_record(void *state, struct nf_check_stream *s, const struct nf_any_record *in, struct nf_err *err)
{
    struct measures *m = state;

    (void)s;
    if (in->type == &nf_point_record)
        return announce(m, "point", ((const struct nf_point_rec *)in->rec)->point, &m->items, err);
    if (in->type == &nf_part_record)
        return announce(m, "part", ((const struct nf_part_rec *)in->rec)->part, &m->parts, err);
    if (in->type == &nf_lens_token_record)
        return check_token(m, &lens_words, ((const struct nf_lens_token_rec *)in->rec)->point, err);
    if (in->type == &nf_parts_record)
        return check_parts(m, in->rec, err);
    return in->type == &nf_attribution_record ? check_attribution(m, in->rec, err) : check_means(m, &lens_words, in->rec, err);
}

static int lens_end(void *state, const struct nf_check_stream *s, const msgpack_object *end, struct nf_err *err)
{
    struct measures *m = state;

    (void)s;
    if (check_item_count(m, &lens_words, end, err) < 0)
        return NF_EFORMAT;
    if (m->next_part != (m->means ? m->parts : 0))
        return nf_fail(err, NF_EFORMAT, "attribution of %" PRIu64 " of %" PRIu64 " parts", m->next_part, m->parts);
    return nf_check_total(end, "parts", m->parts, err);
}

const struct nf_check_rules nf_check_effects = {
    .kind = "effects", .size = sizeof(struct measures), .vocab_optional = true, .record = effects_record, .end = effects_end
};
const struct nf_check_rules nf_check_lens = {
    .kind = "lens", .size = sizeof(struct measures), .vocab_optional = true, .record = lens_record, .end = lens_end
};
