/* position.c - positional information and the shape of a curve. */
#include "classify/position.h"

#include <math.h>

#include "base/par.h"

static double xlogxy(double x, double y)
{
    return x > 0 ? x * log(x / y) : 0;
}

double nf_position_information(const uint32_t *curve, size_t T, uint64_t N)
{
    double sum = 0, I = 0, n = (double)N, fr;

    for (size_t p = 0; p < T; p++)
        sum += curve[p];
    fr = sum / (n * (double)T);
    for (size_t p = 0; p < T; p++) {
        double x = curve[p] / n;

        I += xlogxy(x, fr) + xlogxy(1 - x, 1 - fr);
    }
    return I / (double)T;
}

double nf_position_bias(size_t T, uint64_t N)
{
    return ((double)T - 1) / (2 * (double)N * (double)T);
}

static void smooth(const uint32_t *curve, size_t from, size_t T, double N, size_t width, double *s)
{
    size_t half = width / 2;

    for (size_t p = from; p < T; p++) {
        size_t a = p - from < half ? from : p - half, b = nf_min(p + half + 1, T);
        uint64_t sum = 0;

        for (size_t i = a; i < b; i++)
            sum += curve[i];
        s[p] = (double)sum / (N * (double)(b - a));
    }
}

/* Passages between the high and the low phase, and whether every whole phase reached 0 or 1. */
static size_t passages(const double *s, size_t from, size_t T, double lo, double hi, double edge, int *strong)
{
    double reached = 0;   /* the best of the phase: largest in a high one, least in a low one */
    size_t n = 0;
    int phase = 0;        /* 1 high, -1 low, 0 not known yet */

    *strong = 1;
    for (size_t p = from; p < T; p++) {
        int next = s[p] >= hi ? 1 : s[p] <= lo ? -1 : phase;

        if (next != phase) {
            if (phase != 0 && n > 0)
                *strong &= phase > 0 ? reached >= 1 - edge : reached <= edge;
            n += phase != 0;
            phase = next;
            reached = s[p];
        }
        reached = phase > 0 ? fmax(reached, s[p]) : fmin(reached, s[p]);
    }
    return n;
}

/* Longest run with s <= edge (low) or s >= 1 - edge. */
static size_t longest(const double *s, size_t from, size_t T, double edge, int low)
{
    size_t best = 0, run = 0;

    for (size_t p = from; p < T; p++) {
        run = (low ? s[p] <= edge : s[p] >= 1 - edge) ? run + 1 : 0;
        best = nf_max(best, run);
    }
    return best;
}

static double roughness(const uint32_t *curve, const double *s, size_t from, size_t T, double N)
{
    double sum = 0;

    for (size_t p = from; p < T; p++) {
        double fr = curve[p] / N;

        sum += (fr - s[p]) * (fr - s[p]) - fr * (1 - fr) / N;
    }
    return sqrt(fmax(0, sum / (double)(T - from)));
}

static size_t find_ranges(const uint32_t *curve, const double *s, size_t from, size_t T, double N, double level,
                          struct nf_interval *range)
{
    size_t n = 0;

    for (size_t p = from; p < T; p++) {
        if (!(s[p] > level))
            continue;
        range[n].from = p;
        while (p < T && s[p] > level)
            p++;
        range[n++].to = p;
    }
    if (n > 0 && range[0].from == from)
        while (range[0].from > 0 && curve[range[0].from - 1] / N > level)
            range[0].from--;
    return n;
}

void nf_position_type(const struct nf_position_rules *rules, const uint32_t *curve, size_t T, uint64_t N, double *s,
                      struct nf_interval *range, struct nf_positional *p)
{
    size_t from = rules->skip, turns, strong0, strong1;
    double min = INFINITY, max = -INFINITY, n = (double)N;
    int reaches = 0;

    smooth(curve, from, T, n, rules->smooth, s);
    for (size_t i = from; i < T; i++) {
        min = fmin(min, s[i]);
        max = fmax(max, s[i]);
    }
    turns = max > min ? passages(s, from, T, min + rules->low * (max - min), min + rules->high * (max - min), rules->edge_strong,
                                 &reaches)
                : 0;
    p->cycles = turns / 2;
    p->run0 = longest(s, from, T, rules->edge_weak, 1);
    p->run1 = longest(s, from, T, rules->edge_weak, 0);
    strong0 = longest(s, from, T, rules->edge_strong, 1);
    strong1 = longest(s, from, T, rules->edge_strong, 0);
    p->roughness = roughness(curve, s, from, T, n);
    p->ranges = range;
    p->n_ranges = find_ranges(curve, s, from, T, n, min + (max - min) / 2, range);
    if (max - min >= rules->swing && p->cycles >= rules->cycles) {
        p->type = NF_OSCILLATORY;
        p->strong = reaches;
    } else if (p->run0 >= rules->run && p->run1 >= rules->run) {
        p->type = NF_BOTH;
        p->strong = strong0 >= rules->run && strong1 >= rules->run;
    } else if (p->run0 >= rules->run || p->run1 >= rules->run) {
        p->type = NF_ONE;
        p->strong = strong0 >= rules->run || strong1 >= rules->run;
    } else {
        p->type = NF_OTHER_TYPE;
        p->strong = p->roughness <= rules->rough;
    }
}

int nf_position_first(const struct nf_position_rules *rules, const uint32_t *curve, size_t T)
{
    uint64_t early = 0, all = 0;

    for (size_t p = 0; p < T; p++) {
        all += curve[p];
        if (p < rules->first)
            early += curve[p];
    }
    return all > 0 && all >= rules->first_fires && early >= nf_ratio_need(nf_ratio(rules->first_share), all);
}

/* Squared rms difference of one domain's curve to the pooled one, sampling removed. */
static double apart(const uint32_t *curve, size_t T, double N, size_t bin, const uint32_t *domain, size_t F, double n)
{
    double sum = 0;

    for (size_t b = 0; b * bin < T; b++) {
        size_t from = b * bin, to = nf_min(from + bin, T);
        double width = (double)(to - from), pooled = 0, f, d;

        for (size_t p = from; p < to; p++)
            pooled += curve[p];
        pooled /= N * width;
        f = domain[b * F] / (n * width);
        d = f - pooled;
        sum += width * (d * d - pooled * (1 - pooled) / (n * width));
    }
    return sum / (double)T;
}

enum nf_verdict nf_position_stable(const struct nf_position_rules *rules, const uint32_t *curve, size_t T, uint64_t N, size_t bin,
                                   size_t Q, const uint32_t *const *domain, size_t F, const uint64_t *full)
{
    size_t compared = 0;
    int stable = 1;

    for (size_t q = 0; q < Q; q++) {
        if (full[q] == 0 || full[q] < rules->stable_full)
            continue;
        compared++;
        stable &= apart(curve, T, (double)N, bin, domain[q], F, (double)full[q]) <= rules->stable_rms * rules->stable_rms;
    }
    return compared < 2 ? NF_OPEN : stable ? NF_YES : NF_NO;
}
