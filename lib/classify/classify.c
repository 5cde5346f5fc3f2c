/* classify.c - default thresholds and their checks. */
#include "classify/classify.h"

#include <math.h>

struct nf_classify nf_classify_defaults(void)
{
    return (struct nf_classify){
        .ngram = {
            .cover = 0.95,
            .rate = 0.95,
            .explain = 0.95,
            .most = { 5, 50, 50 },
            .min_count = 1,
            .dormant = 0.01,
            .rare = 0.10,
            .hyperactive = 0.99,
            .draws = 100,
            .null_neurons = 100,
            .seed = 1,
            .top = 10,
            .listed = 256,
            .extremes = 10,
        },
        .position = {
            .mi = 0.05,
            .full_needed = 200,
            .skip = 8,
            .smooth = 17,
            .high = 0.65,
            .low = 0.35,
            .swing = 0.4,
            .cycles = 2,
            .run = 64,
            .edge_strong = 0.005,
            .edge_weak = 0.05,
            .rough = 0.04,
            .first = 18,
            .first_share = 0.95,
            .first_fires = 5,
            .stable_rms = 0.1,
            .stable_full = 10,
        },
        .vocab = {
            .vocabulary = NF_VOCABULARY_ALL,
            .kurtosis = 10,
            .partition = 0.005,
            .entropy_layers = 2,
            .entropy_norm = 0.95,
            .entropy_var = 0.25,
            .null_space = 40,
            .frequency = 0.5,
        },
    };
}

struct nf_ratio nf_ratio(double share)
{
    struct nf_ratio r = { (uint64_t)llround(share * 1e6), 1000000 };
    uint64_t a = r.den, b = r.num, t;

    while (b) {
        t = a % b;
        a = b;
        b = t;
    }
    r.num /= a;
    r.den /= a;
    return r;
}

int nf_classify_check(const struct nf_classify *c, struct nf_err *err)
{
    if (!(c->position.low < c->position.high))
        return nf_fail(err, NF_EUSAGE, "--osc-low %g is not below --osc-high %g", c->position.low, c->position.high);
    if (!(c->position.edge_strong <= c->position.edge_weak))
        return nf_fail(err, NF_EUSAGE, "--edge-strong %g is above --edge-weak %g", c->position.edge_strong, c->position.edge_weak);
    if (!(c->ngram.dormant <= c->ngram.rare && c->ngram.rare <= c->ngram.hyperactive))
        return nf_fail(err, NF_EUSAGE, "--dormant %g, --rare %g, --hyperactive %g are not in ascending order", c->ngram.dormant,
                       c->ngram.rare, c->ngram.hyperactive);
    if (c->position.smooth % 2 == 0)
        return nf_fail(err, NF_EUSAGE, "--smooth %llu is even: the moving average has a middle",
                       (unsigned long long)c->position.smooth);
    return NF_OK;
}
