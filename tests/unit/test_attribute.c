/* test_attribute.c - what parts of the last stream give to a logit, against logits worked out one by one in double. */
#include "check.h"
#include "model/attribute.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

enum { D = 6, E = 4, V = 9, L = 2, T = 5, STREAMS = 2 * L + 1 };

static float unembed[V * D], unembed_bias[V], project[E * D], project_bias[E], gain[D], bias[D];
static float x[STREAMS][T * D], last[T * D]; /* embedding, attention and FFN of block 0, 1 */
static const uint32_t ids[T] = { 3, 8, 0, 5, 5 };

static void fill(float *y, size_t n, struct nf_rng *r)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(2 * nf_rng_unit(r) - 1);
}

static void make(void)
{
    struct nf_rng r = { 11 };

    fill(unembed, V * D, &r);
    fill(unembed_bias, V, &r);
    fill(project, E * D, &r);
    fill(project_bias, E, &r);
    fill(gain, D, &r);
    fill(bias, D, &r);
    memset(last, 0, sizeof last);
    for (size_t s = 0; s < STREAMS; s++) {
        fill(x[s], T * D, &r);
        for (size_t i = 0; i < T * D; i++)
            last[i] += x[s][i];
    }
}

/* A model with what comes behind its last stream: width E of the unembedding, of a norm of that kind. */
static void open_end(struct nf_config *cfg, struct nf_weights *w, size_t width, enum nf_norm_kind norm)
{
    *cfg = (struct nf_config){
        .L = L, .D = D, .E = width, .V = V, .pre_norm = true, .final_norm = true, .norm = norm, .norm_eps = 1e-5
    };
    *w = (struct nf_weights){ .unembed = nf_tensor_2d(NF_F32, unembed, V, width),
                              .unembed_bias = { .dtype = NF_F32, .ndim = 1, .shape = { V }, .data = unembed_bias },
                              .final_norm = {
                                  { .dtype = NF_F32, .ndim = 1, .shape = { D }, .data = gain },
                                  { .dtype = NF_F32, .ndim = 1, .shape = { D }, .data = norm == NF_NORM_LAYER ? bias : NULL } } };
    if (width != D)
        w->project_out = nf_linear_whole(nf_tensor_2d(NF_F32, project, E, D),
                                         (struct nf_tensor){ .dtype = NF_F32, .ndim = 1, .shape = { E }, .data = project_bias });
}

/* Logit v of a row that has been normalised; biases: of all that comes behind. */
static double logit(const double *h, size_t width, size_t v, bool biases)
{
    double sum = biases ? unembed_bias[v] : 0;

    for (size_t e = 0; e < width; e++) {
        double y = width == D ? h[e] : biases ? project_bias[e] : 0;

        for (size_t d = 0; width != D && d < D; d++)
            y += (double)project[e * D + d] * h[d];
        sum += y * unembed[v * width + e];
    }
    return sum;
}

/* Less the mean over the vocabulary. */
static double above_mean(const double *h, size_t width, size_t next, bool biases)
{
    double mean = 0;

    for (size_t v = 0; v < V; v++)
        mean += logit(h, width, v, biases) / V;
    return logit(h, width, next, biases) - mean;
}

/* c of row t through the norm with the scale of the last stream. */
static void through_norm(const float *c, size_t t, bool layer, bool biases, double *h)
{
    double mean = 0, own = 0, square = 0;

    for (size_t d = 0; d < D; d++) {
        mean += layer ? last[t * D + d] / (double)D : 0;
        own += layer ? c[t * D + d] / (double)D : 0;
    }
    for (size_t d = 0; d < D; d++)
        square += pow(last[t * D + d] - mean, 2) / D;
    for (size_t d = 0; d < D; d++)
        h[d] = (c[t * D + d] - own) / sqrt(square + 1e-5) * gain[d] + (biases && layer ? bias[d] : 0);
}

static void check_end(size_t width, enum nf_norm_kind norm)
{
    static const uint32_t length[2] = { 3, 2 };
    struct nf_config cfg;
    struct nf_weights w;
    struct nf_attribute *a;
    size_t parts;

    make();
    open_end(&cfg, &w, width, norm);
    a = nf_attribute_open(&cfg, &w, T, NULL);
    CHECK(a != NULL);
    nf_attribute_start(a, &(struct nf_windows){ .ids = ids, .length = length, .W = 2, .T = T });
    for (size_t s = 0; s < STREAMS; s++) {
        struct nf_part p = nf_attribute_part(&cfg, s);

        nf_attribute_rows(a, p.kind, p.layer, 0, T, x[s]);
    }
    nf_attribute_finish(a, last);
    parts = nf_attribute_parts(&cfg);
    for (size_t t = 0; t < T; t++) {
        double h[D], sum = 0;

        if (t == 2 || t == 4) { /* the last of their windows */
            for (size_t i = 0; i < parts; i++)
                CHECK(isnan(nf_attribute_of(a, i)[t]));
            continue;
        }
        for (size_t s = 0; s < STREAMS; s++) {
            through_norm(x[s], t, norm == NF_NORM_LAYER, false, h);
            CHECK_NEAR((double)nf_attribute_of(a, s)[t], above_mean(h, width, ids[t + 1], false),
                       2e-6); /* values of a few units, in float */
        }
        for (size_t i = 0; i + 1 < parts; i++)
            sum += (double)nf_attribute_of(a, i)[t];
        through_norm(last, t, norm == NF_NORM_LAYER, true, h);
        CHECK_NEAR(sum, above_mean(h, width, ids[t + 1], true), 5e-6);
        CHECK_NEAR((double)nf_attribute_of(a, parts - 1)[t], above_mean(h, width, ids[t + 1], true), 2e-6);
    }
    nf_attribute_close(a);
}

static void with_layernorm(void)
{
    check_end(D, NF_NORM_LAYER);
}

static void with_rmsnorm(void)
{
    check_end(D, NF_NORM_RMS);
}

static void through_project_out(void)
{
    check_end(E, NF_NORM_LAYER);
    check_end(E, NF_NORM_RMS);
}

static void post_norm_is_refused(void)
{
    struct nf_config cfg = { .L = L, .D = D, .E = D, .V = V, .architecture = "P" };
    struct nf_weights w = { 0 };
    struct nf_err err = NF_ERR_INIT;

    CHECK(!nf_attribute_open(&cfg, &w, T, &err) && err.code == NF_EUSAGE);
}

int main(void)
{
    return RUN(with_layernorm, with_rmsnorm, through_project_out, post_norm_is_refused);
}
