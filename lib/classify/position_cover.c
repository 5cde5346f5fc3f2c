/* position_cover.c - union, multiplicity and greedy order of ranges. */
#include "classify/position_cover.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Positions of m whose entry of `cover` is `want`. */
static size_t count_positions(const struct nf_member *m, const size_t *cover, size_t want)
{
    size_t n = 0;

    for (size_t r = 0; r < m->n_ranges; r++)
        for (size_t p = m->range[r].from; p < m->range[r].to; p++)
            n += cover[p] == want;
    return n;
}

static void add_member(const struct nf_member *m, size_t *cover)
{
    for (size_t r = 0; r < m->n_ranges; r++)
        for (size_t p = m->range[r].from; p < m->range[r].to; p++)
            cover[p]++;
}

static void order_greedily(const struct nf_member *member, size_t n, size_t *cover, bool *taken, size_t *greedy, size_t *gain)
{
    for (size_t i = 0; i < n; i++) {
        size_t best = SIZE_MAX, best_gain = 0;

        for (size_t m = 0; m < n; m++) {
            size_t g = taken[m] ? 0 : count_positions(&member[m], cover, 0);

            if (!taken[m] && (best == SIZE_MAX || g > best_gain)) {
                best = m;
                best_gain = g;
            }
        }
        taken[best] = true;
        greedy[i] = member[best].neuron;
        gain[i] = best_gain;
        add_member(&member[best], cover);
    }
}

int nf_position_cover_score(const struct nf_member *member, size_t n, size_t T, size_t *loss, size_t *greedy, size_t *gain,
                            struct nf_team_rec *rec, struct nf_err *err)
{
    size_t *cover = nf_alloc(T, sizeof *cover, err), sum = 0;
    bool *taken = nf_alloc(n, sizeof *taken, err);

    if (!cover || !taken) {
        free(cover);
        free(taken);
        return NF_ESYS;
    }
    for (size_t m = 0; m < n; m++)
        add_member(&member[m], cover);
    rec->covered = 0;
    for (size_t p = 0; p < T; p++) {
        rec->covered += cover[p] > 0;
        sum += cover[p];
    }
    rec->multiplicity = rec->covered ? (double)sum / (double)rec->covered : NAN;
    for (size_t m = 0; m < n; m++)
        loss[m] = count_positions(&member[m], cover, 1);
    memset(cover, 0, T * sizeof *cover);
    order_greedily(member, n, cover, taken, greedy, gain);
    rec->n = n;
    rec->context = T;
    rec->loss = loss;
    rec->greedy = greedy;
    rec->gain = gain;
    free(cover);
    free(taken);
    return NF_OK;
}
