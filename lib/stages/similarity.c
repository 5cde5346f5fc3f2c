/* similarity.c - the points of a batch side by side: cosines of each position, groups for the CKA. */
#include "stages/similarity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/rng.h"
#include "record/stats.h"
#include "stream/mp.h"

enum { BLOCK = 64 }; /* rows whose cosines are worked out together */

static const double pi = 3.14159265358979323846;

static size_t count_point_pairs(size_t P)
{
    return P * (P - 1) / 2;
}

/* i < j: by i, then j */
static size_t index_pair(size_t P, size_t i, size_t j)
{
    return i * (2 * P - i - 1) / 2 + j - i - 1;
}

size_t nf_similarity_bytes(size_t P, size_t D, bool all, size_t B)
{
    return nf_cka_bytes(P, D, B) + 2 * nf_mergeable_means_bytes(2 * count_point_pairs(P), false) +
           BLOCK * 2 * count_point_pairs(P) * sizeof(double) + (all ? 0 : P * B * D * sizeof(float));
}

int nf_similarity_open(struct nf_similarity *s, size_t P, size_t D, bool all, size_t B, size_t context, uint64_t memory,
                       struct nf_err *err)
{
    *s = (struct nf_similarity){ .P = P, .D = D, .B = B, .all = all, .context = context, .memory = memory };
    if (nf_cka_open(&s->cka, P, D, B, err) < 0 ||
        nf_mergeable_means_open(&s->positions, 2 * count_point_pairs(P), false, err) < 0 ||
        nf_mergeable_means_open(&s->lasts, 2 * count_point_pairs(P), false, err) < 0)
        return NF_ESYS;
    s->row = nf_alloc(P, sizeof *s->row, err);
    s->value = nf_alloc(BLOCK * 2 * count_point_pairs(P), sizeof *s->value, err);
    s->group = all ? NULL : nf_alloc(P * B * D, sizeof *s->group, err);
    return s->row && s->value && (all || s->group) ? NF_OK : NF_ESYS;
}

void nf_similarity_close(struct nf_similarity *s)
{
    nf_cka_close(&s->cka);
    nf_mergeable_means_close(&s->positions);
    nf_mergeable_means_close(&s->lasts);
    free(s->group);
    free(s->x);
    free(s->row);
    free(s->value);
    *s = (struct nf_similarity){ 0 };
}

/* ---- rows in ---- */

int nf_similarity_batch(struct nf_similarity *s, const struct nf_batch_rows *rows, struct nf_err *err)
{
    size_t n, bytes;

    if (!nf_mul(s->P * s->D, rows->R, &n) || !nf_mul(n, sizeof *s->x, &bytes) || bytes > s->memory)
        return nf_fail(err, NF_EUSAGE,
                       "%zu points of a batch of %zu positions take more than the memory of %llu: give more, or "
                       "let forward-capture take fewer --batch-tokens",
                       s->P, rows->R, (unsigned long long)s->memory);
    if (nf_grow(&s->x, &s->x_cap, n, sizeof *s->x, err) < 0)
        return NF_ESYS;
    s->rows = rows;
    memset(s->row, 0, s->P * sizeof *s->row);
    return NF_OK;
}

int nf_similarity_rows(struct nf_similarity *s, size_t point, const struct nf_site_rows *rows, struct nf_err *err)
{
    const struct nf_tensor *t = &rows->data;
    size_t R = t->shape[0], D = s->D;
    float *x;

    if (!s->rows || rows->batch != s->rows->batch->batch || rows->row != s->row[point] || R > s->rows->R - s->row[point] ||
        t->ndim != 2 || t->shape[1] != D)
        return nf_fail(err, NF_EFORMAT, "batch %llu: %s of layer %zu, row %zu: of another width, or out of order",
                       (unsigned long long)rows->batch, rows->site, rows->layer, rows->row);
    x = s->x + (point * s->rows->R + s->row[point]) * D;
    nf_to_f32(t->dtype, t->data, R * D, x);
    for (size_t i = 0; i < R * D; i++)
        if (!(fabsf(x[i]) < 0x1p31f))
            return nf_fail(err, NF_EFORMAT, "batch %llu: %s of layer %zu, row %zu is %g: finite values under 2^31 are expected",
                           (unsigned long long)rows->batch, rows->site, rows->layer, rows->row + i / D, (double)x[i]);
    s->row[point] += R;
    return NF_OK;
}

/* ---- cosines and angles ---- */

static double dot_floats(const float *a, const float *b, size_t n)
{
    double lane[8] = { 0 }, sum = 0;

    for (size_t i = 0; i < n / 8 * 8; i += 8)
        for (size_t l = 0; l < 8; l++)
            lane[l] += (double)a[i + l] * b[i + l];
    for (size_t i = n / 8 * 8; i < n; i++)
        lane[i % 8] += (double)a[i] * b[i];
    for (size_t l = 0; l < 8; l++)
        sum += lane[l];
    return sum;
}

static const float *point_row(const struct nf_similarity *s, size_t point, size_t row)
{
    return s->x + (point * s->rows->R + row) * s->D;
}

/* Cosines of all pairs, then angles.  A zero vector: the first is NaN. */
static void compare_points(const struct nf_similarity *s, size_t row, double *value)
{
    size_t P = s->P, pairs = count_point_pairs(P);
    double square[NF_POINTS_MAX];

    for (size_t p = 0; p < P; p++) {
        square[p] = dot_floats(point_row(s, p, row), point_row(s, p, row), s->D);
        if (!(square[p] > 0)) {
            value[0] = NAN;
            return;
        }
    }
    for (size_t i = 0; i < P; i++)
        for (size_t j = i + 1; j < P; j++) {
            double c = dot_floats(point_row(s, i, row), point_row(s, j, row), s->D) / sqrt(square[i] * square[j]);

            c = fmin(1, fmax(-1, c));
            value[index_pair(P, i, j)] = c;
            value[pairs + index_pair(P, i, j)] = acos(c) / pi;
        }
}

static bool is_last(const struct nf_batch_rows *r, size_t row)
{
    return r->pos[row] + 1 == r->batch->length[r->window[row]];
}

static void add_position(struct nf_similarity *s, size_t row, const double *value)
{
    const struct nf_batch_rows *r = s->rows;
    uint32_t doc = r->batch->doc[r->window[row]];
    bool zero = isnan(value[0]), last = is_last(r, row);

    s->zero += zero;
    s->zero_last += zero && last;
    if (zero)
        return;
    nf_mergeable_means_begin(&s->positions, doc);
    nf_mergeable_means_add(&s->positions, value);
    if (!last)
        return;
    nf_mergeable_means_begin(&s->lasts, doc);
    nf_mergeable_means_add(&s->lasts, value);
}

static void add_window_positions(struct nf_similarity *s)
{
    size_t R = s->rows->R, stride = 2 * count_point_pairs(s->P);

    for (size_t first = 0; first < R; first += BLOCK) {
        size_t n = nf_min(BLOCK, R - first);

#pragma omp parallel for schedule(dynamic)
        for (size_t i = 0; i < n; i++)
            if (nf_row_counted(s->rows, first + i))
                compare_points(s, first + i, s->value + i * stride);
        for (size_t i = 0; i < n; i++)
            if (nf_row_counted(s->rows, first + i))
                add_position(s, first + i, s->value + i * stride);
    }
}

/* ---- groups ---- */

static size_t hashed_block(uint32_t doc, uint32_t window)
{
    struct nf_rng rng = { (uint64_t)doc << 32 | window };

    return (size_t)nf_rng_below(&rng, NF_CKA_BLOCKS);
}

/* The last position of a full window joins the group at hand. */
static int add_last(struct nf_similarity *s, size_t row, struct nf_err *err)
{
    const struct nf_batch *b = s->rows->batch;
    size_t w = s->rows->window[row];

    if (!s->held)
        s->block = hashed_block(b->doc[w], b->window[w]);
    for (size_t p = 0; p < s->P; p++)
        memcpy(s->group + (p * s->B + s->held) * s->D, point_row(s, p, row), s->D * sizeof *s->group);
    if (++s->held < s->B)
        return NF_OK;
    s->held = 0;
    return nf_cka_group(&s->cka, s->group, s->B * s->D, s->B, s->block, err);
}

/* Rows first .. end of one window, in runs. */
static int add_runs(struct nf_similarity *s, size_t first, size_t end, struct nf_err *err)
{
    size_t block = first < end ? s->rows->batch->doc[s->rows->window[first]] % NF_CKA_BLOCKS : 0;

    for (size_t n; first < end; first += n) {
        n = nf_min(s->B, end - first);
        if (n < NF_CKA_ROWS_MIN)
            s->left_out += n;
        else if (nf_cka_group(&s->cka, point_row(s, 0, first), s->rows->R * s->D, n, block, err) < 0)
            return NF_EFORMAT;
    }
    return NF_OK;
}

static int add_cka_groups(struct nf_similarity *s, struct nf_err *err)
{
    const struct nf_batch_rows *r = s->rows;
    int rc = NF_OK;

    for (size_t row = 0, end; rc == NF_OK && row < r->R; row = end) {
        size_t first = row + !nf_row_counted(r, row);

        end = nf_rows_of_window(r, row);
        if (s->all)
            rc = add_runs(s, first, end, err);
        else if (first < end && is_last(r, end - 1) && r->batch->length[r->window[row]] == s->context)
            rc = add_last(s, end - 1, err);
    }
    return rc;
}

int nf_similarity_end(struct nf_similarity *s, struct nf_err *err)
{
    int rc;

    for (size_t p = 0; s->rows && p < s->P; p++)
        if (s->row[p] < s->rows->R)
            return nf_fail(err, NF_EFORMAT, "batch %llu: point %zu of the residual stream has %zu of %zu rows",
                           (unsigned long long)s->rows->batch->batch, p, s->row[p], s->rows->R);
    if (!s->rows)
        return NF_OK;
    add_window_positions(s);
    rc = add_cka_groups(s, err);
    s->rows = NULL;
    return rc;
}

void nf_similarity_finish(struct nf_similarity *s)
{
    nf_mergeable_means_end(&s->positions);
    nf_mergeable_means_end(&s->lasts);
}

/* ---- records ---- */

static int write_cka(struct nf_similarity *s, struct nf_writer *w, struct nf_err *err)
{
    size_t P = s->P;
    double *y = nf_alloc(P * P, 2 * sizeof *y, err);
    struct nf_cka_rec rec = { .batch = s->B,
                              .P = P,
                              .n = nf_cka_groups(&s->cka),
                              .left_out = s->left_out + s->held,
                              .cka = y,
                              .se = y + P * P,
                              .blocks = s->cka.blocks,
                              .sums = s->cka.sum };

    if (!y)
        return NF_ESYS;
    strcpy(rec.rows, s->all ? "all" : "last");
    for (size_t j = 0; j < P; j++)
        for (size_t i = 0; i <= j; i++) {
            nf_cka_get(&s->cka, i, j, &y[i * P + j], &y[(P + i) * P + j]);
            y[j * P + i] = y[i * P + j];
            y[(P + j) * P + i] = y[(P + i) * P + j];
        }
    nf_record_write(&nf_cka_record, w, &rec);
    free(y);
    return NF_OK;
}

/* The four matrices; a point with itself has cosine 1 and angle 0. */
static void fill_matrices(const struct nf_mergeable_means *m, size_t P, bool angle, double *y)
{
    for (size_t i = 0; i < P; i++)
        for (size_t j = 0; j < P; j++) {
            struct nf_cluster_estimate x = nf_mergeable_means_get(m, (angle ? count_point_pairs(P) : 0) +
                                                                         (i == j ? 0 : index_pair(P, nf_min(i, j), nf_max(i, j))));
            double self = x.docs ? !angle : NAN, no_error = x.docs > 1 ? 0 : NAN;

            y[i * P + j] = i == j ? self : x.mean;
            y[(P + i) * P + j] = i == j ? no_error : x.se;
            y[(2 * P + i) * P + j] = i == j ? self : x.doc_mean;
            y[(3 * P + i) * P + j] = i == j ? no_error : x.doc_se;
        }
}

static int write_similarity(const struct nf_similarity *s, bool last, bool angle, struct nf_writer *w, struct nf_err *err)
{
    const struct nf_mergeable_means *m = last ? &s->lasts : &s->positions;
    size_t P = s->P;
    struct nf_cluster_estimate any = nf_mergeable_means_get(m, 0);
    double *y = nf_alloc(P * P, 4 * sizeof *y, err);
    struct nf_similarity_rec rec = { .P = P,
                                     .n = any.n,
                                     .docs = any.docs,
                                     .zero = last ? s->zero_last : s->zero,
                                     .mean = y,
                                     .se = y + P * P,
                                     .doc_mean = y + 2 * P * P,
                                     .doc_se = y + 3 * P * P,
                                     .sums = m->sum + (angle ? count_point_pairs(P) : 0) };

    if (!y)
        return NF_ESYS;
    strcpy(rec.measure, angle ? "angle" : "cos");
    strcpy(rec.rows, last ? "last" : "all");
    fill_matrices(m, P, angle, y);
    nf_record_write(&nf_similarity_record, w, &rec);
    free(y);
    return NF_OK;
}

int nf_similarity_write(struct nf_similarity *s, struct nf_writer *w, struct nf_err *err)
{
    if (write_cka(s, w, err) < 0)
        return NF_ESYS;
    for (int which = 0; which < 4; which++)
        if (write_similarity(s, which & 2, which & 1, w, err) < 0)
            return NF_ESYS;
    for (size_t l = 0; l + 1 < s->P; l++) {
        struct nf_cluster_estimate x = nf_mergeable_means_get(&s->positions, index_pair(s->P, l, l + 1));

        nf_record_write(&nf_influence_record, w, &(struct nf_influence_rec){ l, x.n, x.docs, 1 - x.mean, x.se });
    }
    return NF_OK;
}

/* ---- merging ---- */

static int merge_cka(struct nf_similarity *s, const struct nf_cka_rec *r, struct nf_err *err)
{
    if (r->P != s->P || r->batch != s->B || (strcmp(r->rows, "all") == 0) != s->all)
        return nf_fail(err, NF_EFORMAT, "cka: of other points, rows or groups than the header says");
    for (size_t k = 0; k < NF_CKA_BLOCKS; k++) {
        uint64_t n;

        memcpy(&n, (const char *)r->blocks + k * sizeof n, sizeof n);
        if (n > UINT32_MAX || s->cka.blocks[k] + n > UINT32_MAX)
            return nf_fail(err, NF_EFORMAT, "cka: %llu groups in block %zu are too many", (unsigned long long)n, k);
        s->cka.blocks[k] += n;
    }
    s->left_out += r->left_out;
    for (size_t i = 0; i < s->P * (s->P + 1) / 2; i++) {
        struct nf_cka_sums sums;

        memcpy(&sums, (const char *)r->sums + i * sizeof sums, sizeof sums);
        for (size_t k = 0; k < NF_CKA_BLOCKS; k++)
            nf_exact_add(&s->cka.sum[i].of[k], &sums.of[k]);
    }
    return NF_OK;
}

static int merge_means(struct nf_similarity *s, const struct nf_similarity_rec *r, unsigned *bit, struct nf_err *err)
{
    bool angle, last;

    if (r->P != s->P)
        return nf_fail(err, NF_EFORMAT, "similarity: %zu points, %zu are expected", r->P, s->P);
    angle = strcmp(r->measure, "angle") == 0;
    last = strcmp(r->rows, "last") == 0;
    *bit = 2u << (2 * last + angle);
    if (!angle)
        *(last ? &s->zero_last : &s->zero) += r->zero;
    return nf_mergeable_means_merge_part(last ? &s->lasts : &s->positions, angle ? count_point_pairs(s->P) : 0,
                                         count_point_pairs(s->P), r->docs, r->sums, err);
}

int nf_similarity_merge(struct nf_similarity *s, const struct nf_any_record *in, unsigned *seen, struct nf_err *err)
{
    unsigned bit = 1;
    int rc;

    if (in->type == &nf_influence_record)
        return NF_OK;
    if (in->type == &nf_cka_record)
        rc = merge_cka(s, in->rec, err);
    else if (in->type == &nf_similarity_record)
        rc = merge_means(s, in->rec, &bit, err);
    else
        return NF_EOF;
    if (rc == NF_OK && *seen & bit)
        return nf_fail(err, NF_EFORMAT, "%s: there twice", in->type->type);
    *seen |= bit;
    return rc;
}
