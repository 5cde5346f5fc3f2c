/* test_logit_effect.c - moments over the vocabulary against two passes in double, on weights with a heavy tail; and the classes. */
#include <math.h>
#include <stdlib.h>

#include <omp.h>

#include "base/rng.h"
#include "check.h"
#include "classify/classify.h"
#include "vocab/logit_effect.h"

/* V: more than two tiles of columns, the last part-filled; F: more than one chunk of rows, no multiple of anything. */
enum { V = 2500, D = 48, E = 40, F = 267, NULL_SPACE = 7 };

static float unembed[V * D], gain[D], project[E * D], ffn_gain[D], in[F * D], gate[F * D], out[F * D];
static uint64_t counts[V];
static struct nf_logit_effect effect[F], again[F];

/* Normal by the sum of twelve. */
static double normal(struct nf_rng *r)
{
    double sum = -6;

    for (size_t i = 0; i < 12; i++)
        sum += nf_rng_unit(r);
    return sum;
}

/*
 * Column 5 is the mean of all others (no direction), neuron 3 writes nothing, neuron 7 writes column 11 and neuron 8 its opposite.
 */
static void randomise(size_t width)
{
    struct nf_rng r = { 3 };

    for (size_t i = 0; i < V * width; i++)
        unembed[i] = (float)normal(&r);
    for (size_t e = 0; e < width; e++) {
        double sum = 0;

        for (size_t v = 0; v < V; v++)
            sum += v == 5 ? 0 : unembed[v * width + e];
        unembed[5 * width + e] = (float)(sum / (V - 1));
    }
    for (size_t d = 0; d < D; d++) {
        gain[d] = (float)(0.5 + nf_rng_unit(&r));
        ffn_gain[d] = (float)(0.5 + nf_rng_unit(&r));
    }
    for (size_t i = 0; i < E * D; i++)
        project[i] = (float)normal(&r);
    for (size_t i = 0; i < F * D; i++) {
        in[i] = (float)normal(&r);
        gate[i] = (float)normal(&r);
        out[i] = (float)(normal(&r) + 0.5);   /* a mean, which LayerNorm takes off */
    }
    for (size_t d = 0; d < D; d++) {
        out[3 * D + d] = 0;
        out[7 * D + d] = width == D ? unembed[11 * D + d] * gain[d] * 0.1f : out[7 * D + d];
        out[8 * D + d] = -out[7 * D + d];
    }
    for (size_t v = 0; v < V; v++)
        counts[v] = nf_rng_below(&r, 10) * nf_rng_below(&r, 100);
}

static void rows(void *ctx, size_t layer, enum nf_ffn_map map, size_t first, size_t n, float *w)
{
    const float *from = map == NF_FFN_IN ? in : map == NF_FFN_GATE ? gate : out;

    (void)ctx;
    (void)layer;
    memcpy(w, from + first * D, n * D * sizeof *w);
}

static void gains(void *ctx, size_t layer, float *g)
{
    (void)ctx;
    (void)layer;
    memcpy(g, ffn_gain, sizeof ffn_gain);
}

static struct nf_output_end end_of(size_t width, bool norm, bool rms)
{
    return (struct nf_output_end){ .V = V,
                                   .D = D,
                                   .unembed = nf_tensor_2d(NF_F32, unembed, V, width),
                                   .project_out = width == D ? (struct nf_tensor){ 0 } : nf_tensor_2d(NF_F32, project, E, D),
                                   .final_norm = norm,
                                   .gain = nf_tensor_1d(NF_F32, gain, D),
                                   .rms = rms };
}

static void run(const struct nf_vocab_rules *cfg, const struct nf_output_end *end, size_t columns, bool gated,
                struct nf_logit_effect *x)
{
    const struct nf_ffn_rows ffn = { rows, gains, NULL, gated };
    struct nf_folded_unembed *u = nf_folded_unembed_open(end, columns, NULL);
    struct nf_logit_effects *e = u ? nf_logit_effects_open(cfg, u, &ffn, D, F, counts, NULL) : NULL;

    CHECK(e && nf_logit_effects_layer(e, 0, x, NULL) == NF_OK);
    CHECK(e && nf_logit_effects_no_direction(e) == (columns == V && cfg->vocabulary == NF_VOCABULARY_ALL));
    nf_logit_effects_close(e);
    nf_folded_unembed_close(u);
}

/* ---- the same, slowly ---- */

static double u[V * D], y[D];

static void take_mean_off(double *x, size_t n, size_t stride)
{
    double mean = 0;

    for (size_t i = 0; i < n; i++)
        mean += x[i * stride] / (double)n;
    for (size_t i = 0; i < n; i++)
        x[i * stride] -= mean;
}

static void slow_columns(const struct nf_output_end *end, size_t n, size_t width)
{
    for (size_t v = 0; v < n; v++) {
        for (size_t e = 0; e < width; e++)
            u[v * width + e] = (double)unembed[v * width + e] * (end->final_norm && width == D ? gain[e] : 1);
        if (end->final_norm && !end->rms && width == D)
            take_mean_off(u + v * width, width, 1);
    }
    for (size_t e = 0; e < width; e++)
        take_mean_off(u + e, n, width);
}

static void slow_row(const struct nf_output_end *end, size_t f, size_t width)
{
    double w[D];

    for (size_t d = 0; d < D; d++)
        w[d] = out[f * D + d];
    if (end->final_norm && !end->rms)
        take_mean_off(w, D, 1);
    memcpy(y, w, sizeof y);
    for (size_t e = 0; width != D && e < E; e++) {
        y[e] = 0;
        for (size_t d = 0; d < D; d++)
            y[e] += (double)project[e * D + d] * w[d] * (end->final_norm ? gain[d] : 1);
    }
}

static double length(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* Moments of x [n]: mean, variance, skew, kurtosis. */
static void slow_moments(const double *x, size_t n, double m[4])
{
    double sum[4] = { 0 };

    for (size_t i = 0; i < n; i++)
        sum[0] += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t p = 1; p < 4; p++)
            sum[p] += pow(x[i] - sum[0], (double)p + 1) / (double)n;
    m[0] = sum[0];
    m[1] = sum[1];
    m[2] = sum[2] / pow(sum[1], 1.5);
    m[3] = sum[3] / (sum[1] * sum[1]);
}

static void compare(const struct nf_output_end *end, bool raw, size_t columns, size_t width)
{
    struct nf_vocab_rules cfg = nf_classify_defaults().vocab;
    double c[V], logit[V], p[V], m[4], lm[4], pm[4];

    cfg.raw_product = raw;
    cfg.null_space = NULL_SPACE;
    cfg.vocabulary = columns == V && !end->project_out.data ? NF_VOCABULARY_ALL : NF_VOCABULARY_TOKENIZER;
    run(&cfg, end, columns, false, effect);
    slow_columns(end, columns, width);
    for (size_t v = 0; v < columns; v++)
        p[v] = log((double)counts[v] + 1);
    slow_moments(p, columns, pm);
    for (size_t f = 0; f < F; f++) {
        const struct nf_logit_effect *x = &effect[f];
        double norm, cross = 0;
        size_t n = 0;

        slow_row(end, f, width);
        norm = length(y, width);
        if (f == 3) {
            CHECK(isnan(x->mean) && isnan(x->kurt) && isnan(x->logit_var) && isnan(x->frequency) && isnan(x->null_share));
            continue;
        }
        for (size_t v = 0; v < columns; v++) {
            double lv = length(u + v * width, width);

            logit[v] = 0;
            for (size_t e = 0; e < width; e++)
                logit[v] += u[v * width + e] * y[e];
            if (lv > 1e-5)
                c[n++] = raw ? logit[v] : logit[v] / (norm * lv);
            cross += logit[v] * (p[v] - pm[0]) / (double)columns;
        }
        slow_moments(c, n, m);
        slow_moments(logit, columns, lm);
        /* Products of float vectors: E terms, each 2^-24 of its own size, 1/sqrt E of the whole; powers multiply that by up to four. */
        CHECK_NEAR(x->mean, m[0], 1e-7 * sqrt(lm[1]) + 1e-8);
        CHECK_NEAR(x->var, m[1], 1e-6 * m[1]);
        CHECK_NEAR(x->skew, m[2], 1e-6 * (1 + fabs(m[2])));
        CHECK_NEAR(x->kurt, m[3], 1e-6 * m[3]);
        CHECK_NEAR(x->logit_var, lm[1], 1e-6 * lm[1]);
        CHECK_NEAR(x->frequency, cross / sqrt(lm[1] * pm[1]), 1e-6);
    }
}

static void layernorm(void)
{
    struct nf_output_end end = end_of(D, true, false);

    randomise(D);
    compare(&end, false, V, D);
    CHECK(effect[7].skew > 0 && effect[8].skew < 0);
    compare(&end, true, V, D);
}

static void rmsnorm(void)
{
    struct nf_output_end end = end_of(D, true, true);

    randomise(D);
    compare(&end, false, V, D);
}

static void through_project_out(void)
{
    struct nf_output_end bare = end_of(E, false, false), normed = end_of(E, true, false);

    randomise(E);
    compare(&bare, false, V - 1, E);
    compare(&normed, false, V - 1, E);
}

/* Rows from the tokenizer's vocabulary on are as if they were not there: also for the mean of the columns. */
static void without_padding(void)
{
    struct nf_output_end end = end_of(D, true, false);

    randomise(D);
    compare(&end, false, 1027, D);
}

/* One token far from the others: cosines of a neuron on it have a kurtosis near V. */
static void kurtosis_of_a_thousand(void)
{
    struct nf_output_end end = end_of(D, false, false);
    struct nf_rng r = { 17 };

    randomise(D);
    for (size_t v = 0; v < V; v++) {
        for (size_t d = 0; d < D; d++)
            unembed[v * D + d] = (float)(d == 0 ? 0.01 * normal(&r) : normal(&r));
        unembed[v * D] += v == 77 ? 40 : 0;
    }
    unembed[5 * D] += 1e-3f;   /* has a direction here */
    for (size_t d = 0; d < D; d++)
        out[9 * D + d] = d == 0 ? 2 : 0;
    compare(&end, false, V - 1, D);
    CHECK(effect[9].kurt > 1000 && effect[9].skew > 30);
}

static void norms_and_cosines(void)
{
    struct nf_vocab_rules cfg = nf_classify_defaults().vocab;
    struct nf_output_end end = end_of(D, true, false);

    randomise(D);
    run(&cfg, &end, V, true, effect);
    for (size_t f = 0; f < F; f++) {
        double x[3][D], n[3];

        for (size_t d = 0; d < D; d++) {
            x[0][d] = (double)in[f * D + d] * ffn_gain[d];
            x[1][d] = (double)gate[f * D + d] * ffn_gain[d];
            x[2][d] = out[f * D + d];
        }
        for (size_t i = 0; i < 3; i++) {
            take_mean_off(x[i], D, 1);
            n[i] = length(x[i], D);
        }
        CHECK_NEAR(effect[f].in_norm, n[0], 1e-6 * n[0]);
        CHECK_NEAR(effect[f].gate_norm, n[1], 1e-6 * n[1]);
        CHECK_NEAR(effect[f].out_norm, n[2], 1e-6 * n[2]);
        for (size_t i = 0; i < 3; i++) {   /* in and out, gate and out, gate and in */
            const double got[] = { effect[f].cos_in_out, effect[f].cos_gate_out, effect[f].cos_gate_in };
            size_t a = i == 0 ? 0 : 1, b = i == 2 ? 0 : 2;
            double dot = 0;

            for (size_t d = 0; d < D; d++)
                dot += x[a][d] * x[b][d];
            if (f == 3 && b == 2)
                CHECK(isnan(got[i]));
            else
                CHECK_NEAR(got[i], dot / (n[a] * n[b]), 1e-6);
        }
    }
}

/* Six dimensions in which the columns do not differ: what a neuron writes there is lost. */
static void null_space(void)
{
    struct nf_vocab_rules cfg = nf_classify_defaults().vocab;
    struct nf_output_end end = end_of(D, false, false);

    randomise(D);
    for (size_t v = 0; v < V; v++)
        for (size_t d = 20; d < 26; d++)
            unembed[v * D + d] = 0.25f;   /* the same for all columns */
    for (size_t d = 0; d < D; d++) {
        out[9 * D + d] = d >= 20 && d < 26 ? 1.5f : 0;
        out[10 * D + d] = d == 20 ? 3 : d == 30 ? 4 : 0;
        out[11 * D + d] = d == 30 ? 4 : 0;
    }
    cfg.null_space = 6;
    run(&cfg, &end, V, false, effect);
    CHECK_NEAR(effect[9].null_share, 1, 1e-9);
    CHECK_NEAR(effect[10].null_share, 0.6, 1e-9);
    CHECK_NEAR(effect[11].null_share, 0, 1e-9);
    cfg.null_space = 0;
    run(&cfg, &end, V, false, effect);
    CHECK(isnan(effect[9].null_share));
    cfg.null_space = 1000;   /* all directions */
    run(&cfg, &end, V, false, effect);
    CHECK_NEAR(effect[11].null_share, 1, 1e-9);
}

static void threads_do_not_matter(void)
{
    struct nf_vocab_rules cfg = nf_classify_defaults().vocab;
    struct nf_output_end end = end_of(D, true, false);

    randomise(D);
    for (int threads = 1; threads <= 4; threads++) {
        omp_set_num_threads(threads);
        memset(again, 0, sizeof again);
        run(&cfg, &end, V, true, again);
        if (threads == 1)
            memcpy(effect, again, sizeof effect);
        CHECK(memcmp(effect, again, sizeof effect) == 0);
    }
}

/* ---- classes ---- */

/* Strict inequalities at the published thresholds; NaN is of no class. */
static void rules(void)
{
    static const struct {
        double kurt, skew, var, frequency;
        unsigned want;
    } row[] = {
        { 10.001, 1e-9, 0.001, 0.1, 1u << NF_PREDICTION },
        { 10.001, -1e-9, 0.001, NAN, 1u << NF_SUPPRESSION },
        { 10.001, 0, 0.001, 0, 0 },
        { 10, 1, 0.005, 0.49, 0 },
        { 10, -1, 0.0051, -0.5, 1u << NF_PARTITION | 1u << NF_TOKEN_FREQUENCY },
        { 11, 1, 0.0051, 0.5, 1u << NF_PREDICTION | 1u << NF_PARTITION | 1u << NF_TOKEN_FREQUENCY },
        { NAN, NAN, NAN, NAN, 0 },
        { 3, 0, 0.0002, 0, 1u << NF_ENTROPY },   /* large norms: below */
        { 3, 0, 0.0002, 0, 0 },
        { 11, 0.1, 0.0002, 0, 1u << NF_PREDICTION },   /* large norms, but a sharp effect */
    };
    struct nf_vocab_rules cfg = nf_classify_defaults().vocab;
    struct nf_output_end end = end_of(D, true, false);
    const struct nf_ffn_rows ffn = { rows, gains, NULL, false };
    unsigned classes[F];
    struct nf_logit_effect_summary sum;
    struct nf_folded_unembed *un;
    struct nf_logit_effects *e;

    randomise(D);
    un = nf_folded_unembed_open(&end, V, NULL);
    e = nf_logit_effects_open(&cfg, un, &ffn, D, F, counts, NULL);
    for (size_t f = 0; f < F; f++) {
        size_t i = f < sizeof row / sizeof *row ? f : 2;

        effect[f] = (struct nf_logit_effect){ .in_norm = i == 7 || i == 9 ? 2 : 1,
                                        .gate_norm = NAN,
                                        .out_norm = 1,
                                        .kurt = row[i].kurt,
                                        .skew = row[i].skew,
                                        .var = row[i].var,
                                        .frequency = row[i].frequency };
    }
    cfg.entropy_norm = 0.995;   /* the two with the largest norms of 267 */
    cfg.partition = 0.005;
    CHECK(nf_logit_effects_classify(e, effect, 11, 12, classes, &sum, NULL) == NF_OK);
    CHECK(!sum.partition && sum.count[NF_PARTITION] == 0);   /* 48 wide: a random direction has 0.02 */
    for (size_t f = 0; f < F; f++)
        effect[f].var *= 10;   /* the same rules at ten times the variances */
    cfg.partition = 0.05;
    CHECK(nf_logit_effects_classify(e, effect, 11, 12, classes, &sum, NULL) == NF_OK);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        CHECK(classes[i] == row[i].want);
    CHECK(sum.partition && sum.entropy && sum.frequency && sum.count[NF_PREDICTION] == 3 && sum.count[NF_ENTROPY] == 1);
    CHECK(sum.norm_limit == 5 && fabs(sum.var_limit - 0.0025) < 1e-15);
    CHECK(nf_logit_effects_classify(e, effect, 9, 12, classes, &sum, NULL) == NF_OK);
    CHECK(!sum.entropy && sum.count[NF_ENTROPY] == 0 && isnan(sum.norm_limit));
    nf_logit_effects_close(e);
    nf_folded_unembed_close(un);
}

int main(void)
{
    return RUN(layernorm, rmsnorm, through_project_out, without_padding, kurtosis_of_a_thousand, norms_and_cosines, null_space,
               threads_do_not_matter, rules);
}
