/* stats.c - tables of the records of kind stats: what was counted, firings, n-grams, moments. */
#include "record/stats.h"

#include <string.h>

#include "base/at.h"
#include "record/field.h"
#include "record/stats_rows.h"

_Static_assert(NF_MOMENT_ORDERS == 4 && NF_SUM_LIMBS == 5, "the shapes below have these numbers");

/* ---- totals ---- */

#define REC struct nf_totals
static const struct nf_field totals[] = {
    TOTALS_ROWS(),
    ARRAY_IN("domain_tokens", domain_tokens, U64, "Q", "tokens of each domain"),
    ARRAY_IN("domain_full", domain_full, U64, "Q", "full windows of each domain"),
};

static bool is_subset(const size_t *a, size_t n, const size_t *of, size_t m)
{
    for (size_t i = 0, j = 0; i < n; i++, j++) {
        while (j < m && of[j] < a[i])
            j++;
        if (j == m || of[j] != a[i])
            return false;
    }
    return true;
}

int nf_totals_check(const struct nf_totals *t, struct nf_err *err)
{
    uint64_t tokens = 0, full = 0;

    for (size_t q = 0; q < t->Q; q++) {
        tokens += t->domain_tokens[q];
        full += t->domain_full[q];
    }
    if (tokens != t->tokens || full != t->full || t->full > t->windows)
        return nf_fail(err, NF_EFORMAT, "%zu tokens and %zu full windows of %zu, the domains have %zu and %zu", (size_t)t->tokens,
                       (size_t)t->full, (size_t)t->windows, (size_t)tokens, (size_t)full);
    if (t->from > t->to || t->to > t->context)
        return nf_fail(err, NF_EFORMAT, "from %zu, to %zu, from <= to <= context = %zu expected", t->from, t->to, t->context);
    return is_subset(t->ngram_layers, t->n_ngram_layers, t->layers, t->n_layers)
               ? NF_OK
               : nf_fail(err, NF_EFORMAT, "ngram_layers are not among the layers");
}

static int check_totals_record(const void *rec, struct nf_err *err)
{
    const struct nf_totals *t = rec;

    if (t->context == 0 || t->bin == 0)
        return nf_fail(err, NF_EFORMAT, "context %zu, bin %zu, both from 1 up expected", t->context, t->bin);
    return nf_totals_check(t, err);
}

const struct nf_record nf_totals_record =
    RECORD("totals", totals, "what was counted over", .check = check_totals_record, .mem = NF_MEM);
#undef REC

/* ---- n-grams and their counts ---- */

#define ORDER UINT(order, "tokens of an n-gram", .min = 1, .max = NF_ORDERS)
#define PLANES UINT(planes, "bits of each `n`", .min = 1, .max = NF_BIT_COUNTERS_MAX)

#define REC struct nf_lost_ngrams
static const struct nf_field lost_ngrams[] = {
    ORDER,
    UINT(delta, "at most so many occurrences of any one n-gram were dropped", IN_U32),
    UINT(occurrences, "so many were dropped in all"),
};
const struct nf_record nf_lost_ngrams_record =
    RECORD("lost_ngrams", lost_ngrams, "there when memory ran out for the order (Misra-Gries)");
#undef REC

#define REC struct nf_ngrams
static const struct nf_field ngrams[] = {
    SIZE(k, "n-grams"),
    ORDER,
    PLANES,
    UINT(first, "index of the first key among those of the same order and planes", IN_U32),
    TENSOR(keys, U32, "k,order", "token ids, the oldest first; sorted by (planes, key)", .below = "V", .flags = NF_ASIDE),
    TENSOR(n, U32, "k", "occurrences", .flags = NF_ASIDE),
    TENSOR(dropped, U32, "k", "at most so many further occurrences were dropped; absent: none", .flags = NF_OPT | NF_ASIDE),
};

static int check_ngrams_record(const void *rec, struct nf_err *err)
{
    const struct nf_ngrams *g = rec;

    for (size_t i = 0; i < g->k; i++) {
        uint32_t n = nf_u4_at(g->n, i);

        if ((uint64_t)n >> g->planes || !(n >> (g->planes - 1)))
            return nf_fail(err, NF_EFORMAT, "n[%zu] is %u, a number of %zu bits expected", i, (unsigned)n, g->planes);
    }
    return NF_OK;
}

const struct nf_record nf_ngrams_record = RECORD("ngrams", ngrams, "n-grams that were seen", .check = check_ngrams_record);
#undef REC

#define REC struct nf_counts
static const struct nf_field counts[] = {
    SIZE(k, "n-grams"),
    SIZE(F, "neurons"),
    SIZE_IS("row_bytes", row_bytes, "(F+7)/8", "bytes of a row"),
    LAYER,
    ORDER,
    PLANES,
    UINT(first, "index of the first n-gram, as in the `ngrams` record that it belongs to", IN_U32),
    TENSOR(bits, U8, "k,planes,(F+7)/8", "how often each neuron fired at the last token of the n-grams: bit planes",
           .flags = NF_ASIDE),
};
/* Bits from F on are padding. */
static int check_counts_record(const void *rec, struct nf_err *err)
{
    const struct nf_counts *c = rec;

    for (size_t r = 0; c->F % 8 && r < c->k * c->planes; r++)
        if (c->bits[(r + 1) * c->row_bytes - 1] >> c->F % 8)
            return nf_fail(err, NF_EFORMAT, "layer %zu, order %zu: a bit is set beyond neuron %zu", c->layer, c->order, c->F - 1);
    return NF_OK;
}

const struct nf_record nf_counts_record =
    RECORD("counts", counts, "fires of a layer's neurons on n-grams", .check = check_counts_record);
#undef REC

#define REC struct nf_lost
static const struct nf_field lost[] = {
    SIZE(F, "neurons"),
    LAYER,
    ORDER,
    TENSOR(fires, U64, "F", "fires at dropped occurrences", .flags = NF_ASIDE),
};
const struct nf_record nf_lost_record = RECORD("lost", lost, "fires that were dropped with their n-grams");
#undef REC

/* ---- fires, position, domain_position ---- */

#define REC struct nf_fires
static const struct nf_field fires[] = {
    SIZE(F, "neurons"),
    SIZE(Q, "domains"),
    LAYER,
    TENSOR(all, U64, "F", "fires at positions that are not BOS", .flags = NF_ASIDE),
    TENSOR(bos, U64, "F", "fires at BOS positions", .flags = NF_ASIDE),
    TENSOR(domain, U64, "Q,F", "`all` by domain", .flags = NF_ASIDE),
    UINT(near_zero, "pre-activations with |pre| < `capture.near_zero`"),
};
const struct nf_record nf_fires_record = RECORD("fires", fires, "how often each neuron of a layer fired");
#undef REC

#define REC struct nf_position
static const struct nf_field position[] = {
    SIZE(P, "positions"),
    SIZE(F, "neurons"),
    LAYER,
    UINT(first, "position of the first row", IN_U32),
    TENSOR(counts, U32, "P,F", "fires at positions first .. first + P - 1 of the full windows, BOS included", .flags = NF_ASIDE),
};
const struct nf_record nf_position_record = RECORD("position", position, "fires by position");
#undef REC

#define REC struct nf_domain_position
static const struct nf_field domain_position[] = {
    SIZE(B, "bins"),
    SIZE(F, "neurons"),
    LAYER,
    UINT(domain, "index in `totals.domains`", .max = NF_DOMAINS_MAX - 1),
    UINT(first, "bin of the first row; bin b: positions b * bin .. (b + 1) * bin - 1", IN_U32),
    TENSOR(counts, U32, "B,F", "fires in bins first .. first + B - 1 of the full windows", .flags = NF_ASIDE),
};
const struct nf_record nf_domain_position_record =
    RECORD("domain_position", domain_position, "the same by domain, summed over bins");
#undef REC

/* ---- real-valued sites ---- */

#define SITE NAME(site, "name of the site")
#define SITE_LAYER UINT(layer, "layer, from 0; of `pred`: L", .below = "L+1", IN_U32)
#define DOMAIN                                                                                                                     \
    UINT(domain, "`pred` only: index in `totals.domains`; absent: all domains", .max = NF_DOMAINS_MAX - 1, .flags = NF_OPT)
#define FIRST UINT(first, "unit of the first row", IN_U32)

#define REC struct nf_moments_rec
static const struct nf_field moments[] = {
    SIZE(W, "units"),
    SIZE(q, "quantiles"),
    SITE,
    SITE_LAYER,
    DOMAIN,
    TENSOR(n, U64, "W", "values of each unit", .flags = NF_ASIDE),
    TENSOR(min, F64, "W", "least", .flags = NF_NAN | NF_ASIDE),
    TENSOR(max, F64, "W", "greatest", .flags = NF_NAN | NF_ASIDE),
    TENSOR(mean, F64, "W", "mean", .flags = NF_NAN | NF_ASIDE),
    TENSOR(var, F64, "W", "variance, divides by `n`", .flags = NF_NAN | NF_ASIDE),
    TENSOR(skew, F64, "W", "skewness", .flags = NF_NAN | NF_ASIDE),
    TENSOR(kurt, F64, "W", "kurtosis, 3 for a Gaussian", .flags = NF_NAN | NF_ASIDE),
    TENSOR(quantiles, F64, "q", "levels, from 0 to 1", .min = 0, .max = 1, .flags = NF_ASIDE),
    TENSOR(values, F64, "q,W", "quantile of each level and unit", .flags = NF_NAN | NF_ASIDE),
    TENSOR(sums, U64, "W,4,5", "exact sums of x, x^2, x^3, x^4, which make merging exact (below)", .flags = NF_ASIDE),
};
const struct nf_record nf_moments_record = RECORD("moments", moments, "distribution of each unit of a site; NaN where undefined");
#undef REC

#define REC struct nf_histogram_rec
static const struct nf_field histogram[] = {
    SIZE(w, "units"),
    SIZE(b, "bins"),
    SITE,
    SITE_LAYER,
    DOMAIN,
    FIRST,
    TENSOR(used, U32, "w", "non-empty bins of each unit; their sum is b", .flags = NF_ASIDE),
    TENSOR(bins, I32, "b",
           "ascending within a unit, one unit after the other. Bin 0: |x| < 2^-24; bin +-i: 16 bins an octave from there: "
           "lib/numeric/histogram.h",
           .flags = NF_ASIDE),
    TENSOR(counts, U64, "b", "values in each", .flags = NF_ASIDE),
};

static int check_histogram_record(const void *rec, struct nf_err *err)
{
    const struct nf_histogram_rec *h = rec;
    uint64_t sum = 0;

    for (size_t i = 0; i < h->w; i++)
        sum += nf_u4_at(h->used, i);
    return sum == h->b ? NF_OK
                       : nf_fail(err, NF_EFORMAT, "used has %llu bins together, b = %zu expected", (unsigned long long)sum, h->b);
}

const struct nf_record nf_histogram_record =
    RECORD("histogram", histogram, "non-empty bins of units first .. first + w - 1", .check = check_histogram_record);
#undef REC

#define REC struct nf_top_rec
static const struct nf_field top[] = {
    SIZE(w, "units"),
    SIZE(k, "places"),
    SIZE(C, "tokens"),
    SITE,
    SITE_LAYER,
    FIRST,
    TENSOR(values, F32, "w,k", "highest first, ties by (doc, window, pos); NaN where there is none", .flags = NF_NAN | NF_ASIDE),
    TENSOR(doc, U32, "w,k", "document; 0xffffffff where there is none", .flags = NF_ASIDE),
    TENSOR(window, U32, "w,k", "window; likewise", .flags = NF_ASIDE),
    TENSOR(pos, U32, "w,k", "position; likewise", .flags = NF_ASIDE),
    TENSOR(context, U32, "w,k,C", "tokens up to and including it, the oldest first; likewise", .flags = NF_ASIDE | NF_IDS),
};
const struct nf_record nf_top_record = RECORD("top", top, "the k highest positions of units first .. first + w - 1");
#undef REC
