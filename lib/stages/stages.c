/* stages.c - measures and their sites. */
#include "stages/stages.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "record/stages.h"
#include "stages/locality.h"
#include "stages/subword_merge.h"
#include "stages/ratios.h"
#include "stages/similarity.h"
#include "stream/mp.h"

enum { NORMS_WIDTH = 8, LOCAL_WIDTH = 7, BATCH_LAST = 128, BATCH_ALL = 512 };

/* The measures that take one row at a time: a site, and how many values of a head (or in all) its rows have. */
static const struct {
    const char *name, *site;
    size_t width;
    bool heads;
} table[NF_MEASURES] = {
    [NF_MEASURE_SIMILARITY] = { "similarity", NULL, 0, false },
    [NF_MEASURE_RATIOS] = { "ratios", "norms", NORMS_WIDTH, false },
    [NF_MEASURE_LOCALITY] = { "locality", "attn.local", LOCAL_WIDTH, true },
    [NF_MEASURE_MERGING] = { "merging", "attn.back", NF_BACK_OFFSETS, true },
};

/* One such measure at one layer. */
struct layer {
    size_t layer;
    size_t row; /* of the batch */
    unsigned seen; /* merging: bit i: record i of its parts() came */
    struct nf_mergeable_means m;
};

struct rowwise {
    size_t W, H; /* values of a row; heads */
    struct layer *layer;
    size_t n, cap;
};

/* Where a point of the residual stream comes from. */
struct source {
    bool pre, post; /* resid.pre of this layer, resid.post of this layer are in the stream */
};

struct nf_stages {
    struct nf_stages_cfg cfg;
    const struct nf_vocab *vocab;
    size_t L, D;
    struct source *source; /* [sources] by layer */
    size_t sources, source_cap;
    struct nf_similarity similarity;
    struct rowwise rowwise[NF_MEASURES];

    const struct nf_batch_rows *rows;
    uint8_t *word; /* [R] enum nf_word of each row */
    float *x; /* [R, W] of one record */
    size_t word_cap, x_cap;
    unsigned seen; /* merging: of similarity */
};

struct nf_stages_cfg nf_stages_defaults(void)
{
    return (struct nf_stages_cfg){ .sink = 0.3 };
}

const char *nf_stages_name(enum nf_measure m)
{
    return m < NF_MEASURES ? table[m].name : NULL;
}

static size_t batch_of(const struct nf_stages_cfg *cfg)
{
    return cfg->cka_batch ? (size_t)cfg->cka_batch : cfg->cka_all ? BATCH_ALL : BATCH_LAST;
}

/* ---- header ---- */

int nf_stages_put_header(const struct nf_stages_cfg *cfg, json_t *reduce, struct nf_err *err)
{
    json_t *measures = json_object();
    int failed = 0;

    for (enum nf_measure m = 0; m < NF_MEASURES; m++) {
        json_t *options = cfg->want[m] ? json_object() : NULL;

        if (!options)
            continue;
        if (m == NF_MEASURE_SIMILARITY) {
            failed |= json_object_set_new(options, "rows", json_string(cfg->cka_all ? "all" : "last"));
            failed |= json_object_set_new(options, "batch", json_integer((json_int_t)batch_of(cfg)));
        } else if (m == NF_MEASURE_LOCALITY) {
            failed |= json_object_set_new(options, "sink", json_real(cfg->sink));
            failed |= json_object_set_new(options, "bos_key", json_boolean(!cfg->exclude_bos_key));
        }
        failed |= json_object_set_new(measures, table[m].name, options);
    }
    if (json_object_size(measures))
        failed |= json_object_set(reduce, "measures", measures);
    json_decref(measures);
    return failed ? nf_fail(err, NF_ESYS, "out of memory") : NF_OK;
}

int nf_stages_get_header(const json_t *reduce, struct nf_stages_cfg *cfg, struct nf_err *err)
{
    const json_t *measures = json_object_get(reduce, "measures"),
                 *similarity = json_object_get(measures, table[NF_MEASURE_SIMILARITY].name),
                 *locality = json_object_get(measures, table[NF_MEASURE_LOCALITY].name);
    const char *rows = json_string_value(json_object_get(similarity, "rows"));
    json_int_t batch = json_integer_value(json_object_get(similarity, "batch"));

    *cfg = nf_stages_defaults();
    for (enum nf_measure m = 0; m < NF_MEASURES; m++)
        cfg->want[m] = json_object_get(measures, table[m].name);
    if (similarity && (!rows || batch < NF_CKA_ROWS_MIN || batch > NF_CKA_ROWS_MAX))
        return nf_fail(err, NF_EFORMAT, "header: reduce.measures.similarity: rows, and a batch of %d to %d are expected",
                       NF_CKA_ROWS_MIN, NF_CKA_ROWS_MAX);
    if (locality && !json_is_number(json_object_get(locality, "sink")))
        return nf_fail(err, NF_EFORMAT, "header: reduce.measures.locality: sink is expected");
    cfg->cka_all = rows && strcmp(rows, "all") == 0;
    cfg->cka_batch = (uint64_t)batch;
    if (locality) {
        cfg->sink = json_number_value(json_object_get(locality, "sink"));
        cfg->exclude_bos_key = json_is_false(json_object_get(locality, "bos_key"));
    }
    return NF_OK;
}

/* ---- open, sites ---- */

struct nf_stages *nf_stages_open(const struct nf_stages_cfg *cfg, struct nf_err *err)
{
    struct nf_stages *s = nf_alloc(1, sizeof *s, err);

    if (s)
        s->cfg = *cfg;
    return s;
}

void nf_stages_close(struct nf_stages *s)
{
    if (!s)
        return;
    nf_similarity_close(&s->similarity);
    for (size_t m = 0; m < NF_MEASURES; m++) {
        for (size_t i = 0; i < s->rowwise[m].n; i++)
            nf_mergeable_means_close(&s->rowwise[m].layer[i].m);
        free(s->rowwise[m].layer);
    }
    free(s->source);
    free(s->word);
    free(s->x);
    free(s);
}

static int add_source(struct nf_stages *s, bool pre, size_t layer, size_t width, struct nf_err *err)
{
    if (layer >= NF_POINTS_MAX || (s->D && s->D != width))
        return nf_fail(err, NF_EFORMAT, "sites: resid.%s of layer %zu: over %d layers, or of another width", pre ? "pre" : "post",
                       layer, NF_POINTS_MAX - 1);
    if (nf_grow(&s->source, &s->source_cap, layer + 1, sizeof *s->source, err) < 0)
        return NF_ESYS;
    for (; s->sources <= layer; s->sources++)
        s->source[s->sources] = (struct source){ false, false };
    s->D = width;
    *(pre ? &s->source[layer].pre : &s->source[layer].post) = true;
    return NF_OK;
}

static int add_stage_layer(struct nf_stages *s, enum nf_measure m, size_t layer, size_t width, struct nf_err *err)
{
    struct rowwise *r = &s->rowwise[m];

    if (width % table[m].width || width / table[m].width > (table[m].heads ? NF_HEADS_MAX : 1) || (r->n && r->W != width))
        return nf_fail(err, NF_EFORMAT, "sites: %s of layer %zu has %zu values a row, not %zu%s", table[m].site, layer, width,
                       table[m].width, table[m].heads ? " a head" : "");
    if (nf_grow(&r->layer, &r->cap, r->n + 1, sizeof *r->layer, err) < 0)
        return NF_ESYS;
    r->W = width;
    r->H = width / table[m].width;
    r->layer[r->n++] = (struct layer){ .layer = layer };
    return NF_OK;
}

int nf_stages_site(struct nf_stages *s, const char *site, size_t layer, size_t width, struct nf_err *err)
{
    bool pre = strcmp(site, "resid.pre") == 0, post = strcmp(site, "resid.post") == 0;

    if (s->cfg.want[NF_MEASURE_SIMILARITY] && (pre || post))
        return add_source(s, pre, layer, width, err);
    for (enum nf_measure m = 0; m < NF_MEASURES; m++)
        if (s->cfg.want[m] && table[m].site && strcmp(site, table[m].site) == 0)
            return add_stage_layer(s, m, layer, width, err);
    return NF_OK;
}

static bool has_layer(const struct nf_stages *s, size_t layer, bool pre)
{
    return layer < s->sources && (pre ? s->source[layer].pre : s->source[layer].post);
}

/* Point l: resid.pre of layer l if it is there, else resid.post of layer l - 1. */
static int check_points(const struct nf_stages *s, struct nf_err *err)
{
    if (!s->L || s->L >= NF_POINTS_MAX)
        return nf_fail(err, NF_EFORMAT, "similarity: a model of 1 to %d layers is expected, the header says %zu", NF_POINTS_MAX - 1,
                       s->L);
    for (size_t p = 0; p <= s->L; p++)
        if (!(p < s->L && has_layer(s, p, true)) && !(p && has_layer(s, p - 1, false)))
            return nf_fail(err, NF_EFORMAT, "similarity needs resid.%s of layer %zu, which the stream lacks",
                           p < s->L ? "pre" : "post", p < s->L ? p : s->L - 1);
    return NF_OK;
}

static size_t columns(const struct rowwise *r, enum nf_measure m)
{
    return m == NF_MEASURE_RATIOS     ? NF_RATIOS
           : m == NF_MEASURE_LOCALITY ? nf_locality_columns(r->H)
                                      : nf_subword_merge_columns(r->H);
}

static size_t bytes_of(const struct nf_stages *s)
{
    const struct nf_stages_cfg *cfg = &s->cfg;
    size_t bytes = cfg->want[NF_MEASURE_SIMILARITY] ? nf_similarity_bytes(s->L + 1, s->D, cfg->cka_all, batch_of(cfg)) : 0;

    for (enum nf_measure m = NF_MEASURE_RATIOS; m < NF_MEASURES; m++)
        bytes += s->rowwise[m].n * nf_mergeable_means_bytes(columns(&s->rowwise[m], m), m == NF_MEASURE_MERGING);
    return bytes;
}

static int open_rowwise(struct nf_stages *s, enum nf_measure m, struct nf_err *err)
{
    struct rowwise *r = &s->rowwise[m];

    if (s->cfg.want[m] && !r->n)
        return nf_fail(err, NF_EFORMAT, "%s needs the site %s, which the stream lacks", table[m].name, table[m].site);
    for (size_t i = 0; i < r->n; i++)
        if (nf_mergeable_means_open(&r->layer[i].m, columns(r, m), m == NF_MEASURE_MERGING, err) < 0)
            return NF_ESYS;
    return NF_OK;
}

int nf_stages_ready(struct nf_stages *s, size_t L, size_t context, const struct nf_vocab *vocab, size_t memory, size_t *bytes,
                    struct nf_err *err)
{
    const struct nf_stages_cfg *cfg = &s->cfg;

    s->L = L;
    s->vocab = vocab;
    if (cfg->want[NF_MEASURE_SIMILARITY] && check_points(s, err) < 0)
        return NF_EFORMAT;
    *bytes = bytes_of(s);
    if (*bytes > memory)
        return nf_fail(err, NF_EUSAGE, "the measures need %zu bytes, more than the memory of %zu", *bytes, memory);
    if (cfg->want[NF_MEASURE_SIMILARITY] &&
        nf_similarity_open(&s->similarity, L + 1, s->D, cfg->cka_all, batch_of(cfg), context, memory, err) < 0)
        return err->code;
    for (enum nf_measure m = NF_MEASURE_RATIOS; m < NF_MEASURES; m++)
        if (open_rowwise(s, m, err) < 0)
            return err->code;
    return NF_OK;
}

/* ---- rows ---- */

static int find_words(struct nf_stages *s, struct nf_err *err)
{
    const struct nf_batch_rows *r = s->rows;

    if (nf_grow(&s->word, &s->word_cap, r->R, sizeof *s->word, err) < 0)
        return NF_ESYS;
    for (size_t i = 0; i < r->R; i++) {
        size_t w = r->window[i];

        s->word[i] = (uint8_t)nf_word_at(s->vocab, r->batch->ids + r->first[w], r->batch->length[w], r->pos[i]);
    }
    return NF_OK;
}

int nf_stages_batch(struct nf_stages *s, const struct nf_batch_rows *rows, struct nf_err *err)
{
    s->rows = rows;
    for (size_t m = 0; m < NF_MEASURES; m++)
        for (size_t i = 0; i < s->rowwise[m].n; i++)
            s->rowwise[m].layer[i].row = 0;
    if (s->cfg.want[NF_MEASURE_SIMILARITY] && nf_similarity_batch(&s->similarity, rows, err) < 0)
        return err->code;
    return s->cfg.want[NF_MEASURE_MERGING] ? find_words(s, err) : NF_OK;
}

/* Row `row` of the batch, its values in x. */
static void add_measured_row(const struct nf_stages *s, enum nf_measure m, struct nf_mergeable_means *means, size_t row,
                             const float *x)
{
    const struct nf_batch_rows *r = s->rows;
    const struct nf_batch *b = r->batch;
    size_t w = r->window[row], H = s->rowwise[m].H;

    if (!nf_row_counted(r, row) || (m == NF_MEASURE_MERGING && s->word[row] == NF_WORD_NONE))
        return;
    nf_mergeable_means_begin(means, b->doc[w]);
    if (m == NF_MEASURE_RATIOS)
        nf_ratios_row(x, means);
    else if (m == NF_MEASURE_LOCALITY)
        nf_locality_row(x, H, r->pos[row], s->cfg.exclude_bos_key && b->bos[w], means);
    else
        nf_subword_merge_row(x, H, s->word[row], means);
}

static struct layer *find_layer(struct rowwise *r, size_t layer)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->layer[i].layer == layer)
            return &r->layer[i];
    return NULL;
}

static int take_site_rows(struct nf_stages *s, enum nf_measure m, const struct nf_site_rows *rows, struct nf_err *err)
{
    struct layer *l = find_layer(&s->rowwise[m], rows->layer);
    const struct nf_tensor *t = &rows->data;
    size_t W = s->rowwise[m].W, R = t->shape[0], width = 1;

    for (size_t i = 1; i < t->ndim; i++)
        width *= t->shape[i];
    if (!l || width != W || !s->rows || rows->batch != s->rows->batch->batch || rows->row != l->row || R > s->rows->R - l->row)
        return nf_fail(err, NF_EFORMAT,
                       "batch %llu: %s of layer %zu, row %zu: not in the header's sites, of another width, or out of order",
                       (unsigned long long)rows->batch, rows->site, rows->layer, rows->row);
    if (nf_grow(&s->x, &s->x_cap, R * W, sizeof *s->x, err) < 0)
        return NF_ESYS;
    nf_to_f32(t->dtype, t->data, R * W, s->x);
    for (size_t i = 0; i < R * W; i++)
        if (!(fabsf(s->x[i]) < 0x1p31f))
            return nf_fail(err, NF_EFORMAT, "batch %llu: %s of layer %zu, row %zu is %g: finite values under 2^31 are expected",
                           (unsigned long long)rows->batch, rows->site, rows->layer, rows->row + i / W, (double)s->x[i]);
    for (size_t i = 0; i < R; i++)
        add_measured_row(s, m, &l->m, l->row + i, s->x + i * W);
    l->row += R;
    return NF_OK;
}

int nf_stages_rows(struct nf_stages *s, const struct nf_site_rows *rows, struct nf_err *err)
{
    if (s->cfg.want[NF_MEASURE_SIMILARITY]) {
        if (strcmp(rows->site, "resid.pre") == 0 && rows->layer < s->L && has_layer(s, rows->layer, true))
            return nf_similarity_rows(&s->similarity, rows->layer, rows, err);
        if (strcmp(rows->site, "resid.post") == 0 && rows->layer < s->L && has_layer(s, rows->layer, false) &&
            (rows->layer + 1 == s->L || !has_layer(s, rows->layer + 1, true)))
            return nf_similarity_rows(&s->similarity, rows->layer + 1, rows, err);
    }
    for (enum nf_measure m = NF_MEASURE_RATIOS; m < NF_MEASURES; m++)
        if (s->cfg.want[m] && strcmp(rows->site, table[m].site) == 0)
            return take_site_rows(s, m, rows, err);
    return NF_OK;
}

int nf_stages_end(struct nf_stages *s, struct nf_err *err)
{
    for (size_t m = 0; s->rows && m < NF_MEASURES; m++)
        for (size_t i = 0; i < s->rowwise[m].n; i++)
            if (s->rowwise[m].layer[i].row < s->rows->R)
                return nf_fail(err, NF_EFORMAT, "batch %llu: %s of layer %zu has %zu of %zu rows",
                               (unsigned long long)s->rows->batch->batch, table[m].site, s->rowwise[m].layer[i].layer,
                               s->rowwise[m].layer[i].row, s->rows->R);
    s->rows = NULL;
    return s->cfg.want[NF_MEASURE_SIMILARITY] ? nf_similarity_end(&s->similarity, err) : NF_OK;
}

void nf_stages_finish(struct nf_stages *s)
{
    if (s->cfg.want[NF_MEASURE_SIMILARITY])
        nf_similarity_finish(&s->similarity);
    for (size_t m = 0; m < NF_MEASURES; m++)
        for (size_t i = 0; i < s->rowwise[m].n; i++)
            nf_mergeable_means_end(&s->rowwise[m].layer[i].m);
}

bool nf_stages_groups(const struct nf_stages *s, uint64_t *groups, uint64_t *left_out)
{
    *groups = nf_cka_groups(&s->similarity.cka);
    *left_out = s->similarity.left_out + s->similarity.held;
    return s->cfg.want[NF_MEASURE_SIMILARITY];
}

/* ---- records ---- */

static int write_merging(const struct layer *l, size_t H, const struct nf_mergeable_means_rec *means, struct nf_writer *w,
                         struct nf_err *err)
{
    size_t n = l->m.pairs;
    double *y = nf_alloc(n, 2 * sizeof *y, err);

    if (!y)
        return NF_ESYS;
    for (size_t p = 0; p < n; p++)
        nf_mergeable_means_difference(&l->m, p, &y[p], &y[n + p]);
    nf_record_write(&nf_merging_record, w, &(struct nf_merging_rec){ l->layer, H, l->m.either, *means, y, y + n, l->m.cross });
    free(y);
    return NF_OK;
}

/* Records of a measure at one layer. */
static unsigned parts(enum nf_measure m)
{
    return m == NF_MEASURE_RATIOS ? NF_RATIOS : 1;
}

static void write_ratios(const struct layer *l, struct nf_writer *w)
{
    for (size_t u = 0; u < NF_RATIOS; u++) {
        struct nf_cluster_estimate x = nf_mergeable_means_get(&l->m, u);

        nf_record_write(&nf_ratio_record, w,
                        &(struct nf_ratio_rec){ l->layer, u, x.n, x.docs, x.mean, x.se, x.doc_mean, x.doc_se, &l->m.sum[u] });
    }
}

static int write_stage_layer(const struct nf_stages *s, enum nf_measure m, const struct layer *l, struct nf_writer *w,
                             struct nf_err *err)
{
    struct nf_mergeable_means_rec means;
    size_t H = s->rowwise[m].H;
    int rc = NF_OK;

    if (m == NF_MEASURE_RATIOS) {
        write_ratios(l, w);
        return NF_OK;
    }
    if (nf_mergeable_means_fill(&l->m, &means, err) < 0)
        return NF_ESYS;
    if (m == NF_MEASURE_LOCALITY)
        nf_record_write(&nf_locality_record, w,
                        &(struct nf_locality_rec){ l->layer, H, nf_locality_sinks(&l->m, H, s->cfg.sink), means });
    else
        rc = write_merging(l, H, &means, w, err);
    free((void *)means.n);
    return rc;
}

int nf_stages_write(struct nf_stages *s, struct nf_writer *w, struct nf_err *err)
{
    if (s->cfg.want[NF_MEASURE_SIMILARITY] && nf_similarity_write(&s->similarity, w, err) < 0)
        return NF_ESYS;
    for (enum nf_measure m = NF_MEASURE_RATIOS; m < NF_MEASURES; m++)
        for (size_t i = 0; i < s->rowwise[m].n; i++)
            if (write_stage_layer(s, m, &s->rowwise[m].layer[i], w, err) < 0)
                return NF_ESYS;
    return NF_OK;
}

/* ---- merging ---- */

void nf_stages_merge_begin(struct nf_stages *s)
{
    s->seen = 0;
    for (size_t m = 0; m < NF_MEASURES; m++)
        for (size_t i = 0; i < s->rowwise[m].n; i++)
            s->rowwise[m].layer[i].seen = 0;
}

static int merge_cross(struct layer *l, const struct nf_merging_rec *r, struct nf_err *err)
{
    if (l->m.either + r->either > UINT32_MAX)
        return nf_fail(err, NF_EFORMAT, "either: %llu documents are too many", (unsigned long long)r->either);
    l->m.either += r->either;
    for (size_t p = 0; p < l->m.pairs; p++) {
        struct nf_doc_cross cross;

        memcpy(&cross, (const char *)r->cross + p * sizeof cross, sizeof cross);
        for (size_t k = 0; k < NF_DOC_CROSS; k++)
            nf_exact_add(&l->m.cross[p].of[k], &cross.of[k]);
    }
    return NF_OK;
}

/* The layer that a record of U columns is about, marked as seen; NULL: none. */
static struct layer *find_record_layer(struct nf_stages *s, enum nf_measure m, size_t layer, size_t part, size_t U,
                                       struct nf_err *err)
{
    struct layer *l = find_layer(&s->rowwise[m], layer);

    if (!l || l->seen & 1u << part || U != l->m.U) {
        nf_fail(err, NF_EFORMAT, "%s of layer %zu: not in the header's sites, of another shape, or there twice", table[m].name,
                layer);
        return NULL;
    }
    l->seen |= 1u << part;
    return l;
}

static int merge_ratio(struct nf_stages *s, const struct nf_ratio_rec *r, struct nf_err *err)
{
    struct layer *l = find_record_layer(s, NF_MEASURE_RATIOS, r->layer, r->of, NF_RATIOS, err);

    return l ? nf_mergeable_means_merge_part(&l->m, r->of, 1, r->docs, r->sums, err) : NF_EFORMAT;
}

static int merge_locality(struct nf_stages *s, const struct nf_locality_rec *r, struct nf_err *err)
{
    struct layer *l = find_record_layer(s, NF_MEASURE_LOCALITY, r->layer, 0, r->m.U, err);

    return l ? nf_mergeable_means_merge(&l->m, &r->m, err) : NF_EFORMAT;
}

static int merge_merging(struct nf_stages *s, const struct nf_merging_rec *r, struct nf_err *err)
{
    struct layer *l = find_record_layer(s, NF_MEASURE_MERGING, r->layer, 0, r->m.U, err);

    return l && nf_mergeable_means_merge(&l->m, &r->m, err) == NF_OK ? merge_cross(l, r, err) : NF_EFORMAT;
}

int nf_stages_merge_record(struct nf_stages *s, const struct nf_any_record *in, struct nf_err *err)
{
    int rc = s->cfg.want[NF_MEASURE_SIMILARITY] ? nf_similarity_merge(&s->similarity, in, &s->seen, err) : NF_EOF;

    if (rc != NF_EOF)
        return rc;
    if (in->type == &nf_ratio_record)
        return merge_ratio(s, in->rec, err);
    if (in->type == &nf_locality_record)
        return merge_locality(s, in->rec, err);
    return in->type == &nf_merging_record ? merge_merging(s, in->rec, err) : NF_EOF;
}

int nf_stages_merge_end(struct nf_stages *s, struct nf_err *err)
{
    if (s->cfg.want[NF_MEASURE_SIMILARITY] && s->seen != NF_SIMILARITY_SEEN)
        return nf_fail(err, NF_EFORMAT, "records of similarity are missing");
    for (size_t m = 0; m < NF_MEASURES; m++)
        for (size_t i = 0; i < s->rowwise[m].n; i++)
            if (s->rowwise[m].layer[i].seen + 1 != 1u << parts(m))
                return nf_fail(err, NF_EFORMAT, "%s of layer %zu is missing", table[m].name, s->rowwise[m].layer[i].layer);
    return NF_OK;
}
