/* measures.c - tables of means. */
#include "record/measures.h"

#include <math.h>

#include "record/field.h"

const char *const nf_by_names[NF_BY] = { "all", "domain", "position" };

#define REC struct nf_measured
static const struct nf_field measure[] = {
    UINT(n, "rows"),
    REAL(mean, "over all rows; nil: no rows", .flags = NF_NIL | NF_INHERIT),
    REAL(sd, "standard deviation (divides by n)", .max = INFINITY, .flags = NF_NIL),
    REAL(se, "standard error of the mean with documents as clusters; nil: one document", .max = INFINITY, .flags = NF_NIL),
    REAL(doc_mean, "mean of the documents' means", .flags = NF_NIL | NF_INHERIT, .group = WHEN(by_docs)),
    REAL(doc_sd, "standard deviation of those (divides by documents - 1); nil: one document", .max = INFINITY, .flags = NF_NIL,
         .group = WHEN(by_docs)),
};

static int check_measure_map(const void *rec, struct nf_err *err)
{
    const struct nf_measured *m = rec;

    if (m->n > 0 && (isnan(m->mean) || isnan(m->sd)))
        return nf_fail(err, NF_EFORMAT, "n is %zu, but mean or sd is none", (size_t)m->n);
    if (m->n > 0 && m->by_docs && isnan(m->doc_mean))
        return nf_fail(err, NF_EFORMAT, "n is %zu, but doc_mean is none", (size_t)m->n);
    return NF_OK;
}

const struct nf_record nf_measure_record = RECORD("mean", measure, "a mean over rows", .check = check_measure_map);
#undef REC

int nf_means_check(const void *rec, struct nf_err *err)
{
    const struct nf_means_rec *m = rec;
    bool position = m->from != NF_NONE || m->to != NF_NONE;

    if ((m->domain != NULL) != (m->by == NF_BY_DOMAIN) || position != (m->by == NF_BY_POSITION) ||
        (position && (m->to == NF_NONE || m->from >= m->to)))
        return nf_fail(err, NF_EFORMAT, "by %s: domain, from or to do not fit", nf_by_names[m->by]);
    return NF_OK;
}
