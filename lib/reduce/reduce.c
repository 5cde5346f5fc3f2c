/* reduce.c - one reduction: what the header promises, documents and domains, and who gets which record. */
#include "reduce/reduce.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "record/activations.h"
#include "record/context.h"
#include "record/stats.h"
#include "count/firings.h"
#include "reduce/reals.h"
#include "record/rows.h"
#include "stages/stages.h"
#include "stream/mp.h"

enum {
    /* widths whose records stay under NF_MP_BYTES: fires has 8 bytes a neuron and domain, moments about 290 a unit */
    WIDTH_ACTIVE_MAX = NF_MP_BYTES / 64,
    WIDTH_REAL_MAX = NF_MP_BYTES / 300,
    CONTEXT_MAX = NF_MP_BYTES / 4,   /* the ids of a window are in one record */
};

struct document {
    uint64_t doc;
    size_t domain;
};

struct nf_reduce {
    struct nf_reduce_cfg cfg;
    json_t *header;                /* of the first input */
    bool merging;
    size_t V, inputs;
    struct nf_vocab vocab;
    struct nf_totals t;            /* domains in the order of their first document */
    struct nf_firings *firings;    /* NULL: the stream has no ffn.active */
    struct nf_reals *reals;
    size_t real_bytes;             /* of its sites, and of the measures */
    struct nf_stages *stages;

    struct nf_batch batch;
    struct nf_batch_rows rows;     /* of it */
    uint64_t batches;
    size_t *domain;                /* [W] of the batch */
    size_t domain_cap;
    struct document *doc;          /* those that windows may still come from */
    size_t docs, doc_cap;

    struct nf_totals in;           /* merging: of the stream that is being read */
    bool in_totals;
    size_t in_domain[NF_DOMAINS_MAX];
};

struct nf_reduce_cfg nf_reduce_defaults(void)
{
    return (struct nf_reduce_cfg){ .memory = (uint64_t)2 << 30,
                                   .bin = 16,
                                   .order = { true, true, true },
                                   .ngram_layers = NF_RANGE_ALL,
                                   .top = 10,
                                   .context = 8,
                                   .stages = nf_stages_defaults() };
}

void nf_reduce_close(struct nf_reduce *r)
{
    if (!r)
        return;
    json_decref(r->header);
    nf_vocab_clear(&r->vocab);
    nf_totals_clear(&r->t);
    nf_totals_clear(&r->in);
    nf_firings_close(r->firings);
    nf_reals_close(r->reals);
    nf_stages_close(r->stages);
    nf_batch_clear(&r->batch);
    nf_batch_rows_clear(&r->rows);
    free(r->domain);
    free(r->doc);
    free(r);
}

/* ---- the header ---- */

static int read_header_size(const json_t *parent, const char *key, size_t max, size_t *v, struct nf_err *err)
{
    const json_t *j = json_object_get(parent, key);

    if (!json_is_integer(j) || json_integer_value(j) < 1 || (uint64_t)json_integer_value(j) > max)
        return nf_fail(err, NF_EFORMAT, "header: %s: an integer from 1 to %zu is expected", key, max);
    *v = (size_t)json_integer_value(j);
    return NF_OK;
}

/* capture.positions: [from, to), both within the context. */
static int read_positions(struct nf_reduce *r, struct nf_err *err)
{
    const json_t *p = json_object_get(json_object_get(r->header, "capture"), "positions");
    json_int_t from, to;

    r->t.to = r->t.context;
    if (!p)
        return NF_OK;
    from = json_integer_value(json_array_get(p, 0));
    to = json_is_integer(json_array_get(p, 1)) ? json_integer_value(json_array_get(p, 1)) : (json_int_t)r->t.context;
    if (json_array_size(p) != 2 || from < 0 || to < from)
        return nf_fail(err, NF_EFORMAT, "header: capture.positions: [from, to) is expected");
    r->t.to = nf_min((size_t)to, r->t.context);
    r->t.from = nf_min((size_t)from, r->t.to);
    return NF_OK;
}

static int read_site_layers(const json_t *site, size_t **layers, size_t *n, struct nf_err *err)
{
    const json_t *a = json_object_get(site, "layers");

    *n = json_array_size(a);
    *layers = nf_alloc_bounded(*n, sizeof **layers, NF_STATS_LAYERS_MAX * sizeof **layers, "header: sites.layers", err);
    if (!*layers)
        return err->code;
    for (size_t i = 0; i < *n; i++) {
        json_int_t l = json_is_integer(json_array_get(a, i)) ? json_integer_value(json_array_get(a, i)) : -1;

        if (l < 0 || l > INT_MAX || (i && (size_t)l <= (*layers)[i - 1]))
            return nf_fail(err, NF_EFORMAT, "header: sites.layers: layers in ascending order are expected");
        (*layers)[i] = (size_t)l;
    }
    return *n ? NF_OK : nf_fail(err, NF_EFORMAT, "header: sites.layers: no layers");
}

/* The real-valued sites come first in the memory; the counters get the rest. */
static int charge_reals(struct nf_reduce *r, const char *site, size_t units, struct nf_err *err)
{
    r->real_bytes += units * nf_reals_unit_bytes(r->cfg.top, r->cfg.context);
    if (r->real_bytes <= r->cfg.memory)
        return NF_OK;
    return nf_fail(err, NF_EUSAGE, "the sites up to %s need %zu bytes, more than the memory of %llu", site, r->real_bytes,
                   (unsigned long long)r->cfg.memory);
}

static int read_header_site(struct nf_reduce *r, const json_t *site, struct nf_err *err)
{
    const char *name = json_string_value(json_object_get(site, "site"));
    bool active = name && strcmp(name, "ffn.active") == 0;
    size_t width, *layers = NULL, n = 0;
    int rc;

    if (!name)
        return nf_fail(err, NF_EFORMAT, "header: sites: a name is expected");
    rc = read_header_size(site, "width", active ? WIDTH_ACTIVE_MAX : WIDTH_REAL_MAX, &width, err);
    if (rc == NF_OK)
        rc = read_site_layers(site, &layers, &n, err);
    if (rc == NF_OK && active) {
        free(r->t.layers);
        r->t.layers = layers;
        r->t.n_layers = n;
        r->t.F = width;
        return NF_OK;
    }
    if (rc == NF_OK && !r->cfg.no_moments)
        rc = charge_reals(r, name, n * width, err);
    for (size_t i = 0; rc == NF_OK && i < n; i++) {
        if (!r->cfg.no_moments)
            rc = nf_reals_site(r->reals, name, layers[i], width, err);
        if (rc == NF_OK)
            rc = nf_stages_site(r->stages, name, layers[i], width, err);
    }
    free(layers);
    return rc;
}

static int choose_ngram_layers(struct nf_reduce *r, struct nf_err *err)
{
    struct nf_totals *t = &r->t;

    t->ngram_layers = nf_alloc(t->n_layers, sizeof *t->ngram_layers, err);
    if (!t->ngram_layers)
        return NF_ESYS;
    memcpy(t->order, r->cfg.order, sizeof t->order);
    for (size_t i = 0; i < t->n_layers; i++)
        if (t->layers[i] >= r->cfg.ngram_layers.from && t->layers[i] < r->cfg.ngram_layers.to)
            t->ngram_layers[t->n_ngram_layers++] = t->layers[i];
    if (!t->n_ngram_layers || !(t->order[0] | t->order[1] | t->order[2])) {
        memset(t->order, 0, sizeof t->order);
        t->n_ngram_layers = 0;
    }
    return NF_OK;
}

/* The options that an earlier reduction put into the header. */
static int read_options(struct nf_reduce *r, struct nf_err *err)
{
    const json_t *o = json_object_get(r->header, "reduce");
    const json_t *top = json_object_get(o, "top");
    size_t context;

    if (!json_is_integer(top) || json_integer_value(top) < 0 || json_integer_value(top) > NF_REDUCE_TOP_MAX)
        return nf_fail(err, NF_EFORMAT, "header: reduce.top: an integer from 0 to %d is expected", NF_REDUCE_TOP_MAX);
    if (read_header_size(o, "context", NF_REDUCE_CONTEXT_MAX, &context, err) < 0)
        return NF_EFORMAT;
    r->cfg.top = (uint64_t)json_integer_value(top);
    r->cfg.context = context;
    r->cfg.no_moments = json_is_false(json_object_get(o, "moments"));
    return nf_stages_get_header(o, &r->cfg.stages, err);
}

static int open_stages(struct nf_reduce *r, struct nf_err *err)
{
    json_int_t L = json_integer_value(json_object_get(json_object_get(r->header, "model"), "L"));
    size_t bytes;

    if (nf_stages_ready(r->stages, L > 0 ? (size_t)L : 0, r->t.context, &r->vocab, r->cfg.memory - r->real_bytes, &bytes, err) < 0)
        return err->code;
    r->real_bytes += bytes;
    return NF_OK;
}

static int open_parts(struct nf_reduce *r, struct nf_err *err)
{
    const json_t *sites = json_object_get(r->header, "sites"), *site;
    size_t i;

    if (read_header_size(r->header, "context", CONTEXT_MAX, &r->t.context, err) < 0 ||
        read_header_size(json_object_get(r->header, "tokenizer"), "vocab", UINT32_MAX, &r->V, err) < 0 || read_positions(r, err) < 0 ||
        (r->merging && read_options(r, err) < 0))
        return NF_EFORMAT;
    if (!json_array_size(sites))
        return nf_fail(err, NF_EFORMAT, "header: sites: at least one is expected");
    r->t.bin = r->cfg.bin;
    r->rows = (struct nf_batch_rows){ .from = r->t.from, .to = r->t.to, .bos = r->cfg.include_bos };
    r->reals = nf_reals_open(r->cfg.top, r->cfg.context, err);
    r->stages = nf_stages_open(&r->cfg.stages, err);
    if (!r->reals || !r->stages)
        return NF_ESYS;
    json_array_foreach (sites, i, site)
        if (read_header_site(r, site, err) < 0)
            return err->code;
    return open_stages(r, err);
}

static int open_firings(struct nf_reduce *r, struct nf_err *err)
{
    r->firings = r->t.F ? nf_firings_open(&r->t, r->cfg.memory - r->real_bytes, err) : NULL;
    return r->t.F && !r->firings ? NF_ESYS : NF_OK;
}

struct nf_reduce *nf_reduce_open(const struct nf_reduce_cfg *cfg, const json_t *header, struct nf_err *err)
{
    struct nf_reduce *r = nf_alloc(1, sizeof *r, err);
    const char *kind = json_string_value(json_object_get(header, "kind"));

    if (!r)
        return NULL;
    r->cfg = *cfg;
    r->merging = kind && strcmp(kind, "stats") == 0;
    r->header = json_deep_copy(header);
    if (!r->header)
        nf_fail(err, NF_ESYS, "out of memory");
    /* merging: totals say which n-grams were counted */
    if (!r->header || open_parts(r, err) < 0 || (!r->merging && (choose_ngram_layers(r, err) < 0 || open_firings(r, err) < 0))) {
        nf_reduce_close(r);
        return NULL;
    }
    return r;
}

int nf_reduce_header(const struct nf_reduce *r, json_t *header, struct nf_err *err)
{
    json_t *excluded = json_array(),
           *reduce = json_pack("{s:I, s:I}", "top", (json_int_t)r->cfg.top, "context", (json_int_t)r->cfg.context);
    int failed = 0;

    if (r->merging) {
        json_decref(excluded);
        json_decref(reduce);
        return NF_OK;
    }
    failed |= json_array_append_new(excluded, json_string("BOS positions, except from fires.bos and the counts by position"));
    failed |= json_array_append_new(excluded, json_string("n-grams that contain a BOS or cross the start of their window"));
    failed |= json_array_append_new(
        excluded, json_string(r->cfg.include_bos ? "real-valued sites: nothing" : "real-valued sites: BOS positions"));
    if (r->cfg.stages.want[NF_MEASURE_LOCALITY] && r->cfg.stages.exclude_bos_key)
        failed |=
            json_array_append_new(excluded, json_string("locality: attention on BOS, from the sums over preceding positions"));
    if (r->cfg.no_moments)
        failed |= json_object_set_new(reduce, "moments", json_false());
    failed |= nf_stages_put_header(&r->cfg.stages, reduce, err) < 0;
    failed |= json_object_set_new(header, "excluded", excluded);
    failed |= json_object_set_new(header, "reduce", reduce);
    return failed ? nf_fail(err, NF_ESYS, "out of memory") : NF_OK;
}

/* ---- inputs ---- */

static int differs(const char *field, struct nf_err *err)
{
    return nf_fail(err, NF_EFORMAT, "%s differs from that of the first stream: not shards of one run", field);
}

/* All but what says how a stream came about must agree. */
static int compare_merged_headers(const json_t *a, const json_t *b, struct nf_err *err)
{
    const char *key;
    json_t *v;

    json_object_foreach ((json_t *)a, key, v)
        if (strcmp(key, "history") != 0 && !json_equal(v, json_object_get(b, key)))
            return differs(key, err);
    json_object_foreach ((json_t *)b, key, v)
        if (!json_object_get(a, key))
            return differs(key, err);
    return NF_OK;
}

int nf_reduce_begin(struct nf_reduce *r, const json_t *header, struct nf_err *err)
{
    r->inputs++;
    r->in_totals = false;
    nf_totals_clear(&r->in);
    return compare_merged_headers(r->header, header, err);
}

static bool same_layers(const size_t *a, size_t n, const size_t *b, size_t m)
{
    return n == m && (!n || memcmp(a, b, n * sizeof *a) == 0);
}

static int compare_totals(const struct nf_totals *a, const struct nf_totals *b, struct nf_err *err)
{
    if (a->context != b->context)
        return differs("totals.context", err);
    if (a->from != b->from || a->to != b->to)
        return differs("totals.from or totals.to", err);
    if (a->F != b->F)
        return differs("totals.F", err);
    if (a->bin != b->bin)
        return differs("totals.bin", err);
    if (!same_layers(a->layers, a->n_layers, b->layers, b->n_layers))
        return differs("totals.layers", err);
    if (!same_layers(a->ngram_layers, a->n_ngram_layers, b->ngram_layers, b->n_ngram_layers))
        return differs("totals.ngram_layers", err);
    return memcmp(a->order, b->order, sizeof a->order) ? differs("totals.orders", err) : NF_OK;
}

/* The index of a domain, which is added when it is new. */
static int find_domain(struct nf_reduce *r, const char *name, size_t n, size_t *index, struct nf_err *err)
{
    struct nf_totals *t = &r->t;

    for (*index = 0; *index < t->Q; ++*index)
        if (strlen(t->domain[*index]) == n && memcmp(t->domain[*index], name, n) == 0)
            return NF_OK;
    /* the counts by domain of one layer are one record */
    if (t->Q == NF_DOMAINS_MAX || (t->Q + 3) * t->F * sizeof(uint64_t) + 4096 > NF_MP_BYTES || memchr(name, 0, n))
        return nf_fail(err, NF_EFORMAT, "more than %zu domains, or a name with a NUL", t->Q);
    t->domain[t->Q] = strndup(name, n);
    if (!t->domain[t->Q])
        return nf_fail(err, NF_ESYS, "out of memory");
    t->Q++;
    return NF_OK;
}

/* The first totals decide what is counted; later ones must agree. */
static int merge_totals(struct nf_reduce *r, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_totals *t = &r->t, *in = &r->in;

    if (r->in_totals)
        return nf_fail(err, NF_EFORMAT, "totals: there twice");
    if (nf_totals_read(rec, in, err) < 0)
        return err->code;
    if (!t->ngram_layers) {
        t->bin = in->bin;
        memcpy(t->order, in->order, sizeof t->order);
        t->ngram_layers = nf_alloc(in->n_ngram_layers, sizeof *t->ngram_layers, err);
        if (!t->ngram_layers)
            return NF_ESYS;
        for (size_t i = 0; i < in->n_ngram_layers; i++)
            t->ngram_layers[t->n_ngram_layers++] = in->ngram_layers[i];
        if (compare_totals(t, in, err) < 0 || open_firings(r, err) < 0)
            return err->code;
    }
    r->in_totals = true;
    if (compare_totals(t, in, err) < 0)
        return NF_EFORMAT;
    for (size_t q = 0; q < in->Q; q++) {
        if (find_domain(r, in->domain[q], strlen(in->domain[q]), &r->in_domain[q], err) < 0)
            return err->code;
        t->domain_tokens[r->in_domain[q]] += in->domain_tokens[q];
        t->domain_full[r->in_domain[q]] += in->domain_full[q];
    }
    t->tokens += in->tokens;
    t->bos += in->bos;
    t->windows += in->windows;
    t->full += in->full;
    t->docs += in->docs;
    nf_stages_merge_begin(r->stages);
    if (nf_reals_merge_begin(r->reals, in->Q, r->in_domain, err) < 0)
        return err->code;
    return r->firings ? nf_firings_merge_begin(r->firings, in, r->in_domain, err) : NF_OK;
}

static int merge_record(struct nf_reduce *r, const msgpack_object *rec, struct nf_err *err)
{
    int rc = NF_EOF;

    if (nf_mp_is(rec, "totals"))
        return merge_totals(r, rec, err);
    if (!r->in_totals)
        return nf_fail(err, NF_EFORMAT, "totals must come first");
    if (r->firings)
        rc = nf_firings_merge_record(r->firings, rec, err);
    if (rc == NF_EOF)
        rc = nf_reals_merge_record(r->reals, rec, err);
    if (rc == NF_EOF)
        rc = nf_stages_merge_record(r->stages, rec, err);
    return rc == NF_EOF ? nf_fail(err, NF_EFORMAT, "a record of an unknown type") : rc;
}

/* ---- activations ---- */

static int take_doc(struct nf_reduce *r, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_doc d;

    if (nf_doc_read(rec, &d, err) < 0 || nf_grow(&r->doc, &r->doc_cap, r->docs + 1, sizeof *r->doc, err) < 0)
        return err->code;
    r->doc[r->docs].doc = d.doc;
    if (find_domain(r, d.domain, d.domain_len, &r->doc[r->docs].domain, err) < 0)
        return err->code;
    r->docs++;
    r->t.docs++;
    return NF_OK;
}

static int domain_of(const struct nf_reduce *r, uint32_t doc, size_t *domain, struct nf_err *err)
{
    for (size_t i = r->docs; i-- > 0;)
        if (r->doc[i].doc == doc) {
            *domain = r->doc[i].domain;
            return NF_OK;
        }
    return nf_fail(err, NF_EFORMAT, "a window of document %u, which has no doc record before it", (unsigned)doc);
}

/* Windows come in the order of their documents: those before the last one of a batch are done. */
static void forget_documents(struct nf_reduce *r)
{
    uint32_t last = r->batch.doc[r->batch.W - 1];
    size_t from = 0;

    while (from < r->docs && r->doc[from].doc != last)
        from++;
    r->docs -= from;
    memmove(r->doc, r->doc + from, r->docs * sizeof *r->doc);
}

static int end_batch(struct nf_reduce *r, struct nf_err *err)
{
    if ((r->firings && nf_firings_end(r->firings, err) < 0) || nf_reals_end(r->reals, err) < 0)
        return NF_EFORMAT;
    return nf_stages_end(r->stages, err);
}

static void count_windows(struct nf_reduce *r)
{
    struct nf_totals *t = &r->t;

    for (size_t w = 0; w < r->batch.W; w++) {
        size_t q = r->domain[w], to = nf_min(t->to, r->batch.length[w]), n = to > t->from ? to - t->from : 0;
        bool bos = n && !t->from && r->batch.bos[w], full = r->batch.length[w] == t->context;

        t->windows++;
        t->bos += bos;
        t->tokens += n - bos;
        t->domain_tokens[q] += n - bos;
        t->full += full;
        t->domain_full[q] += full;
    }
}

static int take_batch(struct nf_reduce *r, const msgpack_object *rec, struct nf_err *err)
{
    if (end_batch(r, err) < 0 || nf_batch_read(rec, r->V, r->t.context, &r->batch, err) < 0)
        return err->code;
    if (r->batch.batch != r->batches++)
        return nf_fail(err, NF_EFORMAT, "batch %llu: batch %llu is expected", (unsigned long long)r->batch.batch,
                       (unsigned long long)r->batches - 1);
    if (nf_grow(&r->domain, &r->domain_cap, r->batch.W, sizeof *r->domain, err) < 0)
        return NF_ESYS;
    for (size_t w = 0; w < r->batch.W; w++)
        if (domain_of(r, r->batch.doc[w], &r->domain[w], err) < 0)
            return NF_EFORMAT;
    forget_documents(r);
    count_windows(r);
    if (r->t.tokens + r->t.bos > UINT32_MAX)
        return nf_fail(err, NF_EFORMAT, "more than %u positions", UINT32_MAX);
    if (r->firings && nf_firings_batch(r->firings, &r->batch, r->domain, err) < 0)
        return err->code;
    if (nf_batch_rows_set(&r->rows, &r->batch, err) < 0)
        return NF_ESYS;
    nf_reals_batch(r->reals, &r->rows, r->domain);
    return nf_stages_batch(r->stages, &r->rows, err);
}

static int take_site(struct nf_reduce *r, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_site_rows s;

    if (nf_site_rows_read(rec, &s, err) < 0)
        return NF_EFORMAT;
    if (r->firings && strcmp(s.site, "ffn.active") == 0)
        return nf_firings_rows(r->firings, &s, err);
    if (!r->cfg.no_moments && nf_reals_rows(r->reals, &s, err) < 0)
        return err->code;
    return nf_stages_rows(r->stages, &s, err);
}

/* ---- records ---- */

/* vocab and special: kept from the first input; later ones have the same digest in their headers. */
static int take_context(struct nf_reduce *r, const msgpack_object *rec, struct nf_err *err)
{
    if (!nf_mp_is(rec, "vocab") && !nf_mp_is(rec, "special"))
        return NF_EOF;
    return r->inputs > 1 ? NF_OK : nf_context_read(rec, &r->vocab, err);
}

int nf_reduce_record(struct nf_reduce *r, const msgpack_object *rec, struct nf_err *err)
{
    int rc = take_context(r, rec, err);

    if (rc != NF_EOF)
        return rc;
    if (r->vocab.V != r->V)
        return nf_fail(err, NF_EFORMAT, "vocab: %zu tokens, the header says %zu", r->vocab.V, r->V);
    if (r->merging)
        return merge_record(r, rec, err);
    if (nf_mp_is(rec, "doc"))
        return take_doc(r, rec, err);
    if (nf_mp_is(rec, "batch"))
        return take_batch(r, rec, err);
    if (nf_mp_is(rec, "site"))
        return take_site(r, rec, err);
    return nf_fail(err, NF_EFORMAT, "a record of an unknown type");
}

int nf_reduce_end(struct nf_reduce *r, struct nf_err *err)
{
    if (!r->merging) {
        int rc = end_batch(r, err);

        nf_stages_finish(r->stages);
        return rc;
    }
    if (!r->in_totals)
        return nf_fail(err, NF_EFORMAT, "totals are missing");
    if ((r->firings && nf_firings_merge_end(r->firings, err) < 0) || nf_reals_merge_end(r->reals, err) < 0)
        return NF_EFORMAT;
    return nf_stages_merge_end(r->stages, err);
}

/* ---- output ---- */

static int compare_domain_names(const void *a, const void *b, void *totals)
{
    const struct nf_totals *t = totals;

    return strcmp(t->domain[*(const size_t *)a], t->domain[*(const size_t *)b]);
}

/* Totals with the domains in byte order: order[i] is the index in r->t of the i-th. */
static void write_totals(const struct nf_reduce *r, struct nf_writer *w, size_t order[NF_DOMAINS_MAX])
{
    struct nf_totals t = r->t;

    for (size_t q = 0; q < t.Q; q++)
        order[q] = q;
    qsort_r(order, t.Q, sizeof *order, compare_domain_names, (void *)&r->t);
    for (size_t q = 0; q < t.Q; q++) {
        t.domain[q] = r->t.domain[order[q]];
        t.domain_tokens[q] = r->t.domain_tokens[order[q]];
        t.domain_full[q] = r->t.domain_full[order[q]];
    }
    nf_totals_write(w, &t);
}

int nf_reduce_write(struct nf_reduce *r, struct nf_writer *w, struct nf_err *err)
{
    size_t order[NF_DOMAINS_MAX];

    nf_vocab_write(w, &r->vocab);
    write_totals(r, w, order);
    if (r->firings && nf_firings_write_ngrams(r->firings, w, err) < 0)
        return NF_ESYS;
    for (size_t i = 0; r->firings && i < r->t.n_layers; i++)
        if (nf_firings_write_layer(r->firings, i, order, w, err) < 0)
            return NF_ESYS;
    if (nf_reals_write(r->reals, r->t.Q, order, w, err) < 0)
        return NF_ESYS;
    return nf_stages_write(r->stages, w, err);
}

struct nf_reduce_progress nf_reduce_progress(const struct nf_reduce *r)
{
    struct nf_reduce_progress p = { .positions = r->t.tokens + r->t.bos, .windows = r->t.windows };

    if (r->firings)
        nf_firings_held(r->firings, p.delta, &p.ngrams, &p.bytes);
    p.cka = nf_stages_groups(r->stages, &p.cka_groups, &p.cka_left_out);
    return p;
}
