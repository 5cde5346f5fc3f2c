/* fig_stages.c - where the four stages of inference end, by rules of thumb, with what they rest on (Lad et al. 2024, table 1 and section 6). */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/means.h"

static const char *const stage_names[NF_BOUNDARIES] = { "detokenization", "feature engineering", "prediction ensembling" };

enum { FEW = 20 };   /* neurons, of which 5 % are one */

static bool found(const struct nf_model_streams *m, size_t stage)
{
    return m->end[stage].block != SIZE_MAX && m->end[stage].block > 0;
}

static bool applied(const struct nf_model_streams *m)
{
    for (size_t i = 0; i < NF_BOUNDARIES; i++)
        if (!isnan(m->end[i].limit))
            return true;
    return false;
}

/* The divergence of a block that was left out. */
static struct nf_mean drop_of(const struct nf_stage_input *run, size_t layer)
{
    size_t i;
    json_t *thing;

    json_array_foreach (run->things, i, thing)
        if (nf_item_is(thing, "drop") && nf_whole_at(thing, "layer") == layer)
            return nf_mean_of(thing, "kl");
    return nf_mean_of(NULL, "kl");
}

/* Whether some rule has what it takes, or nearly so: then the figure says what is missing. */
static bool has_stages(const struct nf_model_streams *m)
{
    const json_t *low, *dropped = NULL;

    if (m->of[NF_STAGE_EFFECTS])
        nf_mean_extremes(m->of[NF_STAGE_EFFECTS], "drop", "kl", &low, &dropped);
    return applied(m) || dropped;
}

bool nf_has_stages(const struct nf_report *r)
{
    for (size_t i = 0; i < r->models_n; i++)
        if (has_stages(&r->models[i]))
            return true;
    return false;
}

static struct nf_shown who(const struct nf_report *r, const struct nf_model_streams *m)
{
    struct nf_shown out = { "" };

    if (r->models_n > 1)
        snprintf(out.s, sizeof out.s, "%.90s: ", m->name);
    return out;
}

/* ---- the rules ---- */

static void say_detokenization(struct nf_doc_writer *d, struct nf_shown name, const struct nf_model_streams *m)
{
    const struct nf_boundary *b = &m->end[0];
    struct nf_mean at, before;

    if (!m->of[NF_STAGE_EFFECTS] || isnan(b->limit)) {
        nf_doc_say(
            d,
            "%sNo end of detokenization: that takes every block left out (lesion --drop all), and two or more in the middle half.",
            name.s);
        return;
    }
    if (!found(m, 0)) {
        nf_doc_say(d, "%sNo end of detokenization: %s from twice the median of the middle half (%s nats, %llu blocks).", name.s,
                   b->block == 0 ? "no block at the beginning stands out" : "every block stands out",
                   nf_show_three(b->limit, false).s, (unsigned long long)b->n);
        return;
    }
    at = drop_of(m->of[NF_STAGE_EFFECTS], b->block);
    before = drop_of(m->of[NF_STAGE_EFFECTS], b->block - 1);
    nf_doc_say(
        d,
        "%sDetokenization ends before block %zu (heuristic): leaving it out costs %s nats (%s), below twice the median of the "
        "middle half (%s nats, %llu blocks); leaving out block %zu costs %s nats (%s).",
        name.s, b->block, nf_show_three(at.mean, false).s, nf_show_evidence(at).s, nf_show_three(b->limit, false).s,
        (unsigned long long)b->n, b->block - 1, nf_show_three(before.mean, false).s, nf_show_evidence(before).s);
}

static void say_prediction(struct nf_doc_writer *d, struct nf_shown name, const struct nf_model_streams *m)
{
    const struct nf_boundary *ensembling = &m->end[1], *calibration = &m->end[2];

    if (isnan(ensembling->limit)) {
        nf_doc_say(
            d,
            "%sNo end of feature engineering, nor of prediction ensembling: that takes the prediction and suppression neurons of "
            "every block (classify-neurons --model).",
            name.s);
        return;
    }
    if (ensembling->n == 0)
        nf_doc_say(d, "%sNo end of feature engineering: there are no prediction neurons.", name.s);
    else
        nf_doc_say(d, "%sFeature engineering ends before block %zu (heuristic): with it, more than 5 %% of the %s have come%s.",
                   name.s, ensembling->block, nf_show_several(ensembling->n, "prediction neuron", "prediction neurons").s,
                   ensembling->n < FEW ? ": so few say little" : "");
    if (found(m, 2))
        nf_doc_say(d,
                   "%sPrediction ensembling ends before block %zu (heuristic): from there on every block has more suppression than "
                   "prediction neurons (%s against %s in all%s).",
                   name.s, calibration->block, nf_show_count(calibration->n).s, nf_show_count((uint64_t)calibration->limit).s,
                   calibration->n < FEW ? "; so few say little" : "");
    else
        nf_doc_say(d, "%sNo end of prediction ensembling: %s.", name.s,
                   calibration->block == 0 ? "every block has more suppression than prediction neurons"
                                           : "the last block has not more suppression than prediction neurons");
}

/* ---- beside the rules: the other signatures of the paper's table 1 ---- */

static void say_attention(struct nf_doc_writer *d, struct nf_shown name, const struct nf_stage_input *stats)
{
    const json_t *low, *high;

    nf_mean_extremes(stats, "", "local 5", &low, &high);
    if (high)
        nf_doc_say(d, "%sAttention on the five positions before is highest in block %s: %s, where uniform attention would put %s.",
                   name.s, nf_str_at(high, "name"), nf_show_three(nf_mean_of(high, "local 5").mean, false).s,
                   nf_show_three(nf_mean_of(high, "uniform local 5").mean, false).s);
    nf_mean_extremes(stats, "", "ffn.out", &low, &high);
    if (high)
        nf_doc_say(d, "%sThe output of the FFN is longest in block %s (%s) and shortest in block %s (%s).", name.s,
                   nf_str_at(high, "name"), nf_show_three(nf_mean_of(high, "ffn.out").mean, false).s, nf_str_at(low, "name"),
                   nf_show_three(nf_mean_of(low, "ffn.out").mean, false).s);
}

/* From the lowest entropy in the upper half to that of the output. */
static void say_rise(struct nf_doc_writer *d, struct nf_shown name, const struct nf_stage_input *lens)
{
    const json_t *low = NULL, *output = json_array_get(lens->things, json_array_size(lens->things) - 1);
    size_t i;
    json_t *point;

    json_array_foreach (lens->things, i, point)
        if (nf_real_at(point, "depth") >= 0.5 && (!low || nf_mean_of(point, "entropy").mean < nf_mean_of(low, "entropy").mean))
            low = point;
    if (!low || isnan(nf_mean_of(low, "entropy").mean))
        return;
    if (low == output)
        nf_doc_say(d, "%sIn the upper half its entropy is lowest at the output (%s bits): it does not rise at the end.", name.s,
                   nf_show_three(nf_mean_of(low, "entropy").mean, false).s);
    else
        nf_doc_say(d,
                   "%sIn the upper half its entropy is lowest at point %s (%s bits); from there to the output it rises by %s bits.",
                   name.s, nf_str_at(low, "name"), nf_show_three(nf_mean_of(low, "entropy").mean, false).s,
                   nf_show_three(nf_mean_of(output, "entropy").mean - nf_mean_of(low, "entropy").mean, false).s);
}

/* Where the lens comes nearer to the output fastest, once detokenization is over; and its entropy at the end. */
static void say_lens_stages(struct nf_doc_writer *d, struct nf_shown name, const struct nf_model_streams *m)
{
    const struct nf_stage_input *lens = m->of[NF_STAGE_LENS];
    size_t from = found(m, 0) ? m->end[0].block : 0;
    double *kl = calloc(m->L + 1, sizeof *kl);
    struct nf_boundary fall = { SIZE_MAX, 0, 0 };

    d->out.failed |= !kl;
    if (kl) {
        nf_layer_reals(lens, "", "kl", kl, m->L + 1);
        fall = nf_boundary_descent(kl, m->L, from);
    }
    free(kl);
    if (fall.block != SIZE_MAX)
        nf_doc_say(d, "%sThe lens comes nearer to the output fastest between points %zu and %llu, by %s nats of KL%s.", name.s,
                   fall.block, (unsigned long long)fall.block + fall.n, nf_show_three(fall.limit, false).s,
                   from ? " (points from the end of detokenization on)" : "");
    say_rise(d, name, lens);
}

/* ---- the figure ---- */

static void boundary_rows(struct nf_doc_writer *d, const struct nf_model_streams *m)
{
    for (size_t i = 0; i < NF_BOUNDARIES; i++) {
        nf_doc_cell(d, "%s", m->name);
        nf_doc_cell(d, "%s", stage_names[i]);
        if (found(m, i)) {
            nf_doc_cell(d, "%zu", m->end[i].block);
            nf_doc_cell(d, "%s", nf_show_real(m->L > 1 ? ((double)m->end[i].block - 0.5) / (double)(m->L - 1) : 0, 2).s);
        } else {
            nf_doc_cell(d, "-");
            nf_doc_cell(d, "-");
        }
    }
}

static void one_model(struct nf_doc_writer *d, const struct nf_report *r, size_t i)
{
    const struct nf_model_streams *m = &r->models[i];
    struct nf_shown name = who(r, m);

    say_detokenization(d, name, m);
    say_prediction(d, name, m);
    if (!m->ordered)
        nf_doc_note(
            d, "%sThese do not come in the order of the stages, so none are drawn: by these rules this model does not show them.",
            name.s);
    if (json_is_true(nf_at(m->of[NF_STAGE_NEURONS] ? m->of[NF_STAGE_NEURONS]->header : NULL, "model.gated")))
        nf_doc_note(
            d, "%sA gated FFN's activations take both signs, so a prediction neuron may also suppress its tokens, and the reverse.",
            name.s);
    if (m->of[NF_STAGE_STATS])
        say_attention(d, name, m->of[NF_STAGE_STATS]);
    if (m->of[NF_STAGE_LENS])
        say_lens_stages(d, name, m);
    nf_doc_chart(d, "S1", i,
                 "Signatures of the stages over relative depth, each scaled to its own maximum, and where the stages end");
}

void nf_fig_stages(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->models_n; i++)
        if (has_stages(&r->models[i]))
            one_model(d, r, i);
    nf_doc_guide(d, "Each curve is divided by its own maximum. A boundary stands between two blocks.");
    nf_doc_table(d, "Ends of the stages (heuristic)", "Model|Stage|Ends before block>|Relative depth>", false);
    for (size_t i = 0; i < r->models_n; i++)
        if (has_stages(&r->models[i]))
            boundary_rows(d, &r->models[i]);
    nf_doc_table_end(d, false);
    nf_doc_note(d, "Rules of thumb of this program, not of the paper, which calls its boundaries approximate and overlapping. "
                   "Detokenization: up to the first block whose KL, left out, is below twice the median over the blocks at "
                   "relative depth 1/4 to 3/4. Feature engineering: up to the block with which more than 5 %% of all "
                   "prediction neurons have come. Prediction ensembling: up to the block from which on suppression neurons "
                   "outnumber prediction neurons everywhere.");
}
