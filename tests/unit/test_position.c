/* test_position.c - positional information, types of curves, stability, teams: against other formulas and curves made by hand. */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "classify/position.h"
#include "classify/position_cover.h"

enum { T = 512, N = 1000 };

static uint32_t curve[2048];
static double scratch[2048];
static struct nf_interval range[2048];

/* I(act, pos) as H(act) - H(act | pos), every sum a double loop over the joint distribution. */
static double slow_information(const uint32_t *c, size_t t, double n)
{
    double I = 0, on = 0;

    for (size_t p = 0; p < t; p++)
        on += c[p] / n / (double)t;
    for (size_t p = 0; p < t; p++)
        for (int act = 0; act < 2; act++) {
            double joint = (act ? c[p] / n : 1 - c[p] / n) / (double)t, pa = act ? on : 1 - on, pp = 1 / (double)t;

            I += joint > 0 ? joint * (log(joint) - log(pa) - log(pp)) : 0;
        }
    return I;
}

static void information_is_the_joint_sum(void)
{
    struct nf_rng r = { 5 };

    for (int i = 0; i < 50; i++) {
        size_t t = 1 + nf_rng_below(&r, T);

        for (size_t p = 0; p < t; p++)
            curve[p] = (uint32_t)nf_rng_below(&r, i % 3 ? N + 1 : 2);
        CHECK_NEAR(nf_position_information(curve, t, N), slow_information(curve, t, N), 1e-12);   /* 512 terms of size < 1 */
    }
}

/* The numbers of the paper's reading notes: perfect indicators of w of 2048 positions, and a ramp. */
static void known_curves_have_known_information(void)
{
    static const struct {
        size_t w;
        double I;
    } want[] = { { 10, 0.031 }, { 20, 0.055 }, { 40, 0.096 } };

    for (size_t i = 0; i < 3; i++) {
        for (size_t p = 0; p < 2048; p++)
            curve[p] = p < want[i].w ? N : 0;
        CHECK_NEAR(nf_position_information(curve, 2048, N), want[i].I, 5e-4);   /* given to three decimals */
    }
    for (size_t p = 0; p < 2048; p++)
        curve[p] = (uint32_t)(2047 - p);
    CHECK_NEAR(nf_position_information(curve, 2048, 2047), 0.193, 5e-4);
    for (size_t p = 0; p < 2048; p++)
        curve[p] = p % 2 ? N : 0;
    CHECK_NEAR(nf_position_information(curve, 2048, N), log(2), 1e-12);
    memset(curve, 0, sizeof curve);
    CHECK(nf_position_information(curve, 2048, N) == 0);
}

/* A neuron that ignores position: the corrected estimate is 0 on average, the plug-in one is over the threshold with 10 windows. */
static void the_bias_is_removed(void)
{
    struct nf_rng r = { 9 };
    double raw = 0, corrected = 0;

    for (int i = 0; i < 20; i++) {
        for (size_t p = 0; p < T; p++) {
            curve[p] = 0;
            for (int w = 0; w < 10; w++)
                curve[p] += nf_rng_unit(&r) < 0.4;
        }
        raw += nf_position_information(curve, T, 10) / 20;
        corrected += (nf_position_information(curve, T, 10) - nf_position_bias(T, 10)) / 20;
    }
    CHECK(raw > 0.05);
    /* The estimate of one neuron has a deviation of about sqrt(2/T) / (2 N) = 0.003, their mean of 0.0007; the next term of the bias is about 1/(12 N^2 f(1-f)) = 0.0035. */
    CHECK_NEAR(corrected, 0, 0.006);
}

static struct nf_positional type_of(const struct nf_position_rules *cfg, size_t t, uint64_t n)
{
    struct nf_positional p = { 0 };

    nf_position_type(cfg, curve, t, n, scratch, range, &p);
    return p;
}

/* A wave of `cycles` periods between lo and hi; square or smooth. */
static void wave(size_t t, double cycles, double lo, double hi, bool square, uint32_t n)
{
    for (size_t p = 0; p < t; p++) {
        double s = sin(6.283185307179586 * cycles * (double)p / (double)t);

        curve[p] = (uint32_t)lround(n * (square ? (s >= 0 ? hi : lo) : lo + (hi - lo) * (s + 1) / 2));
    }
}

static void curves_have_their_types(void)
{
    struct nf_position_rules cfg = nf_classify_defaults().position;
    struct nf_positional p;
    struct nf_rng r = { 3 };

    wave(2048, 5, 0, 1, true, N);
    p = type_of(&cfg, 2048, N);
    CHECK(p.type == NF_OSCILLATORY && p.strong && p.cycles == 4 && p.n_ranges == 5);   /* five pulses: nine passages */
    wave(2048, 10, 0.15, 0.85, false, N);
    p = type_of(&cfg, 2048, N);
    CHECK(p.type == NF_OSCILLATORY && !p.strong);
    wave(2048, 1, 0, 1, true, N);   /* one step down: an interval at 1, one at 0 */
    p = type_of(&cfg, 2048, N);
    CHECK(p.type == NF_BOTH && p.strong && p.cycles == 0 && p.n_ranges == 1 && range[0].from == 0 &&
          range[0].to == 1025); /* sin(pi) > 0 in double */
    wave(2048, 1, 0.03, 0.97, true, N);
    p = type_of(&cfg, 2048, N);
    CHECK(p.type == NF_BOTH && !p.strong);
    wave(2048, 1, 0, 0.6, true, N);
    p = type_of(&cfg, 2048, N);
    CHECK(p.type == NF_ONE && p.strong && p.run1 == 0 && p.run0 > 900);
    wave(2048, 1, 0.03, 0.6, true, N);
    CHECK(type_of(&cfg, 2048, N).type == NF_ONE && !type_of(&cfg, 2048, N).strong);
    for (size_t i = 0; i < 2048; i++)
        curve[i] = (uint32_t)(N * (0.9 - 0.8 * (double)i / 2048));
    p = type_of(&cfg, 2048, N);
    CHECK(p.type == NF_OTHER_TYPE && p.strong && p.roughness < 0.01);
    for (size_t i = 0; i < 2048; i++)
        curve[i] = (uint32_t)(N * (0.7 - 0.4 * (double)i / 2048 + 0.4 * (nf_rng_unit(&r) - 0.5)));
    p = type_of(&cfg, 2048, N);
    CHECK(p.type == NF_OTHER_TYPE && !p.strong);
    /* Sampling noise is no roughness: 100 windows of a smooth curve have an rms of 0.05 about it. */
    for (size_t i = 0; i < 2048; i++)
        for (int w = curve[i] = 0; w < 100; w++)
            curve[i] += nf_rng_unit(&r) < 0.7 - 0.4 * (double)i / 2048;
    p = type_of(&cfg, 2048, 100);
    CHECK(p.type == NF_OTHER_TYPE && p.strong);
    /* A spike at the first positions does not count. */
    memset(curve, 0, sizeof curve);
    for (size_t i = 1024; i < 2048; i++)
        curve[i] = N;
    for (size_t i = 0; i < 8; i++)
        curve[i] = N;
    p = type_of(&cfg, 2048, N);
    CHECK(p.type == NF_BOTH && p.strong && p.n_ranges == 1 && range[0].from == 1024 && range[0].to == 2048);
}

static void thresholds_of_types_count(void)
{
    struct nf_position_rules cfg = nf_classify_defaults().position;

    wave(256, 4, 0, 1, true, N);
    CHECK(type_of(&cfg, 256, N).type == NF_OSCILLATORY);
    cfg.cycles = 4;   /* seven passages are three cycles */
    CHECK(type_of(&cfg, 256, N).type != NF_OSCILLATORY);
    cfg = nf_classify_defaults().position;
    wave(256, 3, 0.4, 0.75, true, N);
    CHECK(type_of(&cfg, 256, N).type == NF_OTHER_TYPE);
    cfg.swing = 0.3;
    CHECK(type_of(&cfg, 256, N).type == NF_OSCILLATORY);
}

static void first_positions_only(void)
{
    struct nf_position_rules cfg = nf_classify_defaults().position;

    memset(curve, 0, sizeof curve);
    curve[0] = 95;
    curve[100] = 5;
    CHECK(nf_position_first(&cfg, curve, T));
    curve[100] = 6;   /* 95 of 101 is below 95 % */
    CHECK(!nf_position_first(&cfg, curve, T));
    curve[100] = 0;
    curve[0] = 0;
    curve[17] = 5;
    CHECK(nf_position_first(&cfg, curve, T));
    curve[17] = 4;    /* too few to say */
    CHECK(!nf_position_first(&cfg, curve, T));
    curve[17] = 0;
    curve[18] = 5;
    CHECK(!nf_position_first(&cfg, curve, T));
}

static void stability_over_domains(void)
{
    struct nf_position_rules cfg = nf_classify_defaults().position;
    enum { BIN = 16, B = T / BIN, F = 3 };
    static uint32_t bins[3][B * F];
    const uint32_t *domain[3] = { bins[0] + 1, bins[1] + 1, bins[2] + 1 };   /* neuron 1 of 3 */
    uint64_t full[3] = { 40, 60, 5 };

    for (size_t p = 0; p < T; p++)
        curve[p] = p < T / 2 ? 105 : 0;
    for (size_t q = 0; q < 3; q++)
        for (size_t b = 0; b < B; b++)
            bins[q][b * F + 1] = b < B / 2 ? (uint32_t)full[q] * BIN : 0;
    CHECK(nf_position_stable(&cfg, curve, T, 105, BIN, 3, domain, F, full) == NF_YES);
    for (size_t b = 0; b < B; b++)   /* too few windows to be compared */
        bins[2][b * F + 1] = 0;
    CHECK(nf_position_stable(&cfg, curve, T, 105, BIN, 3, domain, F, full) == NF_YES);
    for (size_t b = 0; b < B / 4; b++)   /* fires nowhere in the first quarter: rms 0.5 */
        bins[0][b * F + 1] = 0;
    CHECK(nf_position_stable(&cfg, curve, T, 105, BIN, 3, domain, F, full) == NF_NO);
    full[0] = 0;
    CHECK(nf_position_stable(&cfg, curve, T, 105, BIN, 3, domain, F, full) == NF_OPEN);
}

static void a_team_is_scored(void)
{
    struct nf_interval a[] = { { 0, 4 }, { 10, 12 } }, b[] = { { 3, 10 } }, c[] = { { 4, 9 } };
    struct nf_member member[] = { { 7, 2, a }, { 3, 1, b }, { 9, 1, c } };
    size_t loss[3], greedy[3], gain[3];
    struct nf_team_rec rec = { 0 };

    CHECK(nf_position_cover_score(member, 3, 20, loss, greedy, gain, &rec, NULL) == NF_OK);
    CHECK(rec.covered == 12 && rec.context == 20);
    CHECK_NEAR(rec.multiplicity, 18.0 / 12, 1e-15);   /* 6 + 7 + 5 positions */
    CHECK(loss[0] == 5 && loss[1] == 1 && loss[2] == 0);
    CHECK(greedy[0] == 3 && gain[0] == 7 && greedy[1] == 7 && gain[1] == 5 && greedy[2] == 9 && gain[2] == 0);
}

int main(void)
{
    return RUN(information_is_the_joint_sum, known_curves_have_known_information, the_bias_is_removed, curves_have_their_types,
               thresholds_of_types_count, first_positions_only, stability_over_domains, a_team_is_scored);
}
