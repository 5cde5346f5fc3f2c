/* stages.c - records of kind stats: similarity of residual streams, norms, attention. */
#include "record/stages.h"

#include <math.h>
#include <string.h>

#include "record/get.h"
#include "record/put.h"
#include "record/stats.h"
#include "stream/mp.h"

/* ---- means ---- */

enum { MEANS_PAIRS = 7 };

/* Rows of columns, or blocks of them (c not NULL): as in nf_get_array(). */
static int get_means(const msgpack_object *rec, size_t *a, size_t *b, size_t *c, struct nf_mergeable_means_rec *m,
                     struct nf_err *err)
{
    size_t sums = NF_DOC_SUMS, limbs = NF_SUM_LIMBS;

    if (nf_get_array(rec, "n", NF_U64, a, b, c, &m->n, err) < 0 || nf_get_array(rec, "docs", NF_U64, a, b, c, &m->docs, err) < 0 ||
        nf_get_array(rec, "mean", NF_F64, a, b, c, &m->mean, err) < 0 ||
        nf_get_array(rec, "se", NF_F64, a, b, c, &m->se, err) < 0 ||
        nf_get_array(rec, "doc_mean", NF_F64, a, b, c, &m->doc_mean, err) < 0 ||
        nf_get_array(rec, "doc_se", NF_F64, a, b, c, &m->doc_se, err) < 0)
        return NF_EFORMAT;
    m->U = *a * *b * (c ? *c : 1);   /* bounded: that many elements were there */
    return nf_get_array(rec, "sums", NF_U64, &m->U, &sums, &limbs, &m->sums, err);
}

/* c = 0: two dimensions */
static void put_shaped(struct nf_enc *e, const char *key, enum nf_dtype type, const void *data, size_t a, size_t b, size_t c)
{
    if (c)
        nf_put_3d(e, key, type, data, a, b, c);
    else
        nf_put_2d(e, key, type, data, a, b);
}

static void put_means(struct nf_enc *e, const struct nf_mergeable_means_rec *m, size_t a, size_t b, size_t c)
{
    put_shaped(e, "n", NF_U64, m->n, a, b, c);
    put_shaped(e, "docs", NF_U64, m->docs, a, b, c);
    put_shaped(e, "mean", NF_F64, m->mean, a, b, c);
    put_shaped(e, "se", NF_F64, m->se, a, b, c);
    put_shaped(e, "doc_mean", NF_F64, m->doc_mean, a, b, c);
    put_shaped(e, "doc_se", NF_F64, m->doc_se, a, b, c);
    nf_put_3d(e, "sums", NF_U64, m->sums, m->U, NF_DOC_SUMS, NF_SUM_LIMBS);
}

/* ---- similarity of residual streams ---- */

static int get_rows(const msgpack_object *rec, char rows[8], struct nf_err *err)
{
    if (nf_get_name(rec, "rows", rows, 8, err) < 0)
        return NF_EFORMAT;
    return strcmp(rows, "last") == 0 || strcmp(rows, "all") == 0
               ? NF_OK
               : nf_fail(err, NF_EFORMAT, "rows: \"%s\", last or all is wanted", rows);
}

int nf_cka_rec_read(const msgpack_object *rec, struct nf_cka_rec *c, struct nf_err *err)
{
    size_t pairs, blocks = NF_CKA_BLOCKS, limbs = NF_SUM_LIMBS;

    if (nf_get_type(rec, "cka", err) < 0 || get_rows(rec, c->rows, err) < 0 ||
        nf_get_size(rec, "batch", 1, UINT32_MAX, &c->batch, err) < 0 || nf_get_size(rec, "P", 2, NF_POINTS_MAX, &c->P, err) < 0 ||
        nf_mp_uint(rec, "n", UINT32_MAX, &c->n, err) < 0 || nf_mp_uint(rec, "left_out", UINT32_MAX, &c->left_out, err) < 0 ||
        nf_get_array(rec, "cka", NF_F64, &c->P, &c->P, NULL, &c->cka, err) < 0 ||
        nf_get_array(rec, "se", NF_F64, &c->P, &c->P, NULL, &c->se, err) < 0 ||
        nf_get_array(rec, "blocks", NF_U64, &blocks, NULL, NULL, &c->blocks, err) < 0)
        return NF_EFORMAT;
    pairs = c->P * (c->P + 1) / 2;
    return nf_get_array(rec, "sums", NF_U64, &pairs, &blocks, &limbs, &c->sums, err);
}

void nf_cka_rec_write(struct nf_writer *w, const struct nf_cka_rec *c)
{
    struct nf_enc *e = nf_put_record(w, "cka", 9);

    nf_put_str(e, "rows", c->rows);
    nf_put_uint(e, "batch", c->batch);
    nf_put_uint(e, "P", c->P);
    nf_put_uint(e, "n", c->n);
    nf_put_uint(e, "left_out", c->left_out);
    nf_put_2d(e, "cka", NF_F64, c->cka, c->P, c->P);
    nf_put_2d(e, "se", NF_F64, c->se, c->P, c->P);
    nf_put_1d(e, "blocks", NF_U64, c->blocks, NF_CKA_BLOCKS);
    nf_put_3d(e, "sums", NF_U64, c->sums, c->P * (c->P + 1) / 2, NF_CKA_BLOCKS, NF_SUM_LIMBS);
    nf_writer_end(w);
}

int nf_similarity_rec_read(const msgpack_object *rec, struct nf_similarity_rec *s, struct nf_err *err)
{
    size_t *P = &s->P, pairs, sums = NF_DOC_SUMS, limbs = NF_SUM_LIMBS;

    if (nf_get_type(rec, "similarity", err) < 0 || nf_get_name(rec, "measure", s->measure, sizeof s->measure, err) < 0 ||
        get_rows(rec, s->rows, err) < 0 || nf_get_size(rec, "P", 2, NF_POINTS_MAX, P, err) < 0 ||
        nf_mp_uint(rec, "n", UINT32_MAX, &s->n, err) < 0 || nf_mp_uint(rec, "docs", UINT32_MAX, &s->docs, err) < 0 ||
        nf_mp_uint(rec, "zero", UINT32_MAX, &s->zero, err) < 0 ||
        nf_get_array(rec, "mean", NF_F64, P, P, NULL, &s->mean, err) < 0 ||
        nf_get_array(rec, "se", NF_F64, P, P, NULL, &s->se, err) < 0 ||
        nf_get_array(rec, "doc_mean", NF_F64, P, P, NULL, &s->doc_mean, err) < 0 ||
        nf_get_array(rec, "doc_se", NF_F64, P, P, NULL, &s->doc_se, err) < 0)
        return NF_EFORMAT;
    if (strcmp(s->measure, "cos") != 0 && strcmp(s->measure, "angle") != 0)
        return nf_fail(err, NF_EFORMAT, "measure: \"%s\", cos or angle is wanted", s->measure);
    pairs = *P * (*P - 1) / 2;
    return nf_get_array(rec, "sums", NF_U64, &pairs, &sums, &limbs, &s->sums, err);
}

void nf_similarity_rec_write(struct nf_writer *w, const struct nf_similarity_rec *s)
{
    struct nf_enc *e = nf_put_record(w, "similarity", 11);

    nf_put_str(e, "measure", s->measure);
    nf_put_str(e, "rows", s->rows);
    nf_put_uint(e, "P", s->P);
    nf_put_uint(e, "n", s->n);
    nf_put_uint(e, "docs", s->docs);
    nf_put_uint(e, "zero", s->zero);
    nf_put_2d(e, "mean", NF_F64, s->mean, s->P, s->P);
    nf_put_2d(e, "se", NF_F64, s->se, s->P, s->P);
    nf_put_2d(e, "doc_mean", NF_F64, s->doc_mean, s->P, s->P);
    nf_put_2d(e, "doc_se", NF_F64, s->doc_se, s->P, s->P);
    nf_put_3d(e, "sums", NF_U64, s->sums, s->P * (s->P - 1) / 2, NF_DOC_SUMS, NF_SUM_LIMBS);
    nf_writer_end(w);
}

static int get_real_or_nil(const msgpack_object *rec, const char *key, double *v, struct nf_err *err)
{
    const msgpack_object *o = nf_mp_find(rec, key);

    *v = NAN;
    return o && o->type == MSGPACK_OBJECT_NIL ? NF_OK : nf_mp_real(rec, key, v, err);
}

int nf_influence_rec_read(const msgpack_object *rec, struct nf_influence_rec *i, struct nf_err *err)
{
    if (nf_get_type(rec, "influence", err) < 0 || nf_get_layer(rec, &i->layer, err) < 0 ||
        nf_mp_uint(rec, "n", UINT32_MAX, &i->n, err) < 0 || nf_mp_uint(rec, "docs", UINT32_MAX, &i->docs, err) < 0 ||
        get_real_or_nil(rec, "influence", &i->influence, err) < 0)
        return NF_EFORMAT;
    return get_real_or_nil(rec, "se", &i->se, err);
}

void nf_influence_rec_write(struct nf_writer *w, const struct nf_influence_rec *i)
{
    struct nf_enc *e = nf_put_record(w, "influence", 5);

    nf_put_uint(e, "layer", i->layer);
    nf_put_uint(e, "n", i->n);
    nf_put_uint(e, "docs", i->docs);
    nf_put_real(e, "influence", i->influence);
    nf_put_real(e, "se", i->se);
    nf_writer_end(w);
}

/* ---- norms and attention ---- */

static const char *const ratio[NF_RATIOS] = { "attn.out/resid.pre",
                                              "ffn.out/resid.pre",
                                              "block/resid.pre",
                                              "ffn.out/attn.out",
                                              "cos block resid.pre",
                                              "cos attn.out resid.pre",
                                              "cos resid.pre resid.post",
                                              "attn.out",
                                              "ffn.out",
                                              "block",
                                              "resid.pre" };

const char *nf_ratio_name(size_t of)
{
    return ratio[of];
}

int nf_ratio_rec_read(const msgpack_object *rec, struct nf_ratio_rec *r, struct nf_err *err)
{
    size_t sums = NF_DOC_SUMS, limbs = NF_SUM_LIMBS;
    char name[32];

    if (nf_get_type(rec, "ratio", err) < 0 || nf_get_layer(rec, &r->layer, err) < 0 ||
        nf_get_name(rec, "of", name, sizeof name, err) < 0 || nf_mp_uint(rec, "n", UINT32_MAX, &r->n, err) < 0 ||
        nf_mp_uint(rec, "docs", UINT32_MAX, &r->docs, err) < 0 || get_real_or_nil(rec, "mean", &r->mean, err) < 0 ||
        get_real_or_nil(rec, "se", &r->se, err) < 0 || get_real_or_nil(rec, "doc_mean", &r->doc_mean, err) < 0 ||
        get_real_or_nil(rec, "doc_se", &r->doc_se, err) < 0)
        return NF_EFORMAT;
    for (r->of = 0; r->of < NF_RATIOS && strcmp(ratio[r->of], name) != 0; r->of++)
        ;
    if (r->of == NF_RATIOS)
        return nf_fail(err, NF_EFORMAT, "of: \"%s\" is none of the ratios", name);
    return nf_get_array(rec, "sums", NF_U64, &sums, &limbs, NULL, &r->sums, err);
}

void nf_ratio_rec_write(struct nf_writer *w, const struct nf_ratio_rec *r)
{
    struct nf_enc *e = nf_put_record(w, "ratio", 9);

    nf_put_uint(e, "layer", r->layer);
    nf_put_str(e, "of", ratio[r->of]);
    nf_put_uint(e, "n", r->n);
    nf_put_uint(e, "docs", r->docs);
    nf_put_real(e, "mean", r->mean);
    nf_put_real(e, "se", r->se);
    nf_put_real(e, "doc_mean", r->doc_mean);
    nf_put_real(e, "doc_se", r->doc_se);
    nf_put_2d(e, "sums", NF_U64, r->sums, NF_DOC_SUMS, NF_SUM_LIMBS);
    nf_writer_end(w);
}

int nf_locality_rec_read(const msgpack_object *rec, struct nf_locality_rec *l, struct nf_err *err)
{
    size_t heads = SIZE_MAX, columns = NF_LOCAL_COLUMNS;

    if (nf_get_type(rec, "locality", err) < 0 || nf_get_layer(rec, &l->layer, err) < 0 ||
        nf_mp_uint(rec, "sinks", UINT32_MAX, &l->sinks, err) < 0 || get_means(rec, &heads, &columns, NULL, &l->m, err) < 0)
        return NF_EFORMAT;
    l->H = heads - 2;
    return heads > 2 ? NF_OK : nf_fail(err, NF_EFORMAT, "locality: no heads");
}

void nf_locality_rec_write(struct nf_writer *w, const struct nf_locality_rec *l)
{
    struct nf_enc *e = nf_put_record(w, "locality", 2 + MEANS_PAIRS);

    nf_put_uint(e, "layer", l->layer);
    nf_put_uint(e, "sinks", l->sinks);
    put_means(e, &l->m, l->H + 2, NF_LOCAL_COLUMNS, 0);
    nf_writer_end(w);
}

int nf_merging_rec_read(const msgpack_object *rec, struct nf_merging_rec *m, struct nf_err *err)
{
    size_t classes = 2, offsets = NF_BACK_OFFSETS, pairs, sums = NF_DOC_CROSS, limbs = NF_SUM_LIMBS;

    m->H = SIZE_MAX;
    if (nf_get_type(rec, "merging", err) < 0 || nf_get_layer(rec, &m->layer, err) < 0 ||
        nf_mp_uint(rec, "either", UINT32_MAX, &m->either, err) < 0 || get_means(rec, &classes, &m->H, &offsets, &m->m, err) < 0 ||
        nf_get_array(rec, "difference", NF_F64, &m->H, &offsets, NULL, &m->difference, err) < 0 ||
        nf_get_array(rec, "difference_se", NF_F64, &m->H, &offsets, NULL, &m->difference_se, err) < 0)
        return NF_EFORMAT;
    pairs = m->H * NF_BACK_OFFSETS;
    return nf_get_array(rec, "cross", NF_U64, &pairs, &sums, &limbs, &m->cross, err);
}

void nf_merging_rec_write(struct nf_writer *w, const struct nf_merging_rec *m)
{
    struct nf_enc *e = nf_put_record(w, "merging", 5 + MEANS_PAIRS);

    nf_put_uint(e, "layer", m->layer);
    nf_put_uint(e, "either", m->either);
    put_means(e, &m->m, 2, m->H, NF_BACK_OFFSETS);
    nf_put_2d(e, "difference", NF_F64, m->difference, m->H, NF_BACK_OFFSETS);
    nf_put_2d(e, "difference_se", NF_F64, m->difference_se, m->H, NF_BACK_OFFSETS);
    nf_put_3d(e, "cross", NF_U64, m->cross, m->H * NF_BACK_OFFSETS, NF_DOC_CROSS, NF_SUM_LIMBS);
    nf_writer_end(w);
}
