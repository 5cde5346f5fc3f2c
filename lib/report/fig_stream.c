/* fig_stream.c - what blocks add to the residual stream, and how similar it is from point to point (Lad et al. 2024, sections 5 and 5.4). */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "report/means.h"

/* ---- S9: lengths, ratios, influence ---- */

static const char *const ratios[] = {
    "attn.out", "ffn.out", "block", "resid.pre", "attn.out/resid.pre", "ffn.out/resid.pre", "cos block resid.pre", "influence"
};
enum { RATIOS = sizeof ratios / sizeof *ratios };

static bool measured(const json_t *layer)
{
    for (size_t k = 0; k < RATIOS; k++)
        if (nf_mean_of(layer, ratios[k]).n)
            return true;
    return false;
}

static bool has_norms(const struct nf_stage_input *run)
{
    size_t i;
    json_t *layer;

    json_array_foreach (run->things, i, layer)
        if (run->kind == NF_STAGE_STATS && measured(layer))
            return true;
    return false;
}

bool nf_has_norms(const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (has_norms(&r->stages[i]))
            return true;
    return false;
}

static void say_extremes(struct nf_doc_writer *d, struct nf_shown name, const struct nf_stage_input *run, const char *measure,
                         const char *what)
{
    const json_t *low, *high;

    nf_mean_extremes(run, "", measure, &low, &high);
    if (high)
        nf_doc_say(d, "%s%s: most in block %s (%s; %s), least in block %s (%s).", name.s, what, nf_str_at(high, "name"),
                   nf_show_three(nf_mean_of(high, measure).mean, false).s, nf_show_evidence(nf_mean_of(high, measure)).s,
                   nf_str_at(low, "name"), nf_show_three(nf_mean_of(low, measure).mean, false).s);
}

static void norm_rows(struct nf_doc_writer *d, const struct nf_stage_input *run)
{
    size_t i;
    json_t *layer;

    json_array_foreach (run->things, i, layer) {
        if (!measured(layer))
            continue;
        nf_doc_cell(d, "%s", run->name);
        nf_depth_cells(d, run, layer);
        for (size_t k = 0; k < RATIOS; k++)
            nf_doc_cell(d, "%s", nf_show_three(nf_mean_of(layer, ratios[k]).mean, false).s);
    }
}

void nf_fig_norms(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (has_norms(&r->stages[i])) {
            struct nf_shown name = nf_stage_prefix(r, &r->stages[i]);

            say_extremes(d, name, &r->stages[i], "ffn.out", "Length of the FFN's output");
            say_extremes(d, name, &r->stages[i], "ffn.out/resid.pre", "The same, of the stream that enters the block");
            say_extremes(d, name, &r->stages[i], "influence",
                         "Block influence (1 less the cosine of the stream before and behind the block)");
        }
    nf_doc_chart(d, "S9a", SIZE_MAX, "Lengths of the outputs of FFN and attention, over depth");
    nf_doc_chart(d, "S9b", SIZE_MAX, "These lengths as parts of the length of the stream, over depth");
    nf_doc_chart(d, "S9c", SIZE_MAX, "Block influence and the cosine of what a block adds with the stream, over depth");
    nf_doc_guide(d,
                 "Means over tokens, BOS left out, of L2 norms in the model's own units, of ratios at each token, and of cosines; "
                 "bars: 1.96 standard errors. The authors' library takes each row's mean over D off first; here streams are as the "
                 "model has them.");
    nf_doc_table(d, "Lengths, ratios and cosines by block",
                 "Model|Block>|Depth>|Attention, length>|FFN>|Block>|Stream>|Attention / stream>|FFN / stream>|cos(block, "
                 "stream)>|Influence>",
                 true);
    for (size_t i = 0; i < r->stages_n; i++)
        norm_rows(d, &r->stages[i]);
    nf_doc_table_end(d, true);
}

/* ---- S10: pairs of points ---- */

bool nf_has_similarity(const struct nf_report *r)
{
    for (size_t i = 0; i < r->stages_n; i++)
        if (json_array_size(r->stages[i].pairs))
            return true;
    return false;
}

static double find_pair_value(const json_t *pairs, size_t i, size_t j)
{
    const json_t *v = json_array_get(nf_at(pairs, "value"), i * (size_t)nf_whole_at(pairs, "P") + j);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* The first point whose distance from the point n layers on is the least; SIZE_MAX: none is known. */
static size_t nearest(const json_t *pairs, size_t n)
{
    size_t best = SIZE_MAX, P = (size_t)nf_whole_at(pairs, "P");

    for (size_t i = 0; i + n < P; i++)
        if (!isnan(find_pair_value(pairs, i, i + n)) &&
            (best == SIZE_MAX || find_pair_value(pairs, i, i + n) < find_pair_value(pairs, best, best + n)))
            best = i;
    return best;
}

static bool is_pairs(const json_t *pairs, const char *what)
{
    return !strcmp(nf_str_at(pairs, "what"), what);
}

/* Neighbouring points between which CKA is lowest: where one group of layers ends and another begins. */
static void say_cka(struct nf_doc_writer *d, struct nf_shown name, const json_t *pairs)
{
    size_t low = SIZE_MAX, P = (size_t)nf_whole_at(pairs, "P");

    for (size_t i = 0; i + 1 < P; i++)
        if (!isnan(find_pair_value(pairs, i, i + 1)) &&
            (low == SIZE_MAX || find_pair_value(pairs, i, i + 1) < find_pair_value(pairs, low, low + 1)))
            low = i;
    if (low == SIZE_MAX)
        nf_doc_note(d, "%sNo CKA: there was no full group of rows.", name.s);
    else
        nf_doc_say(d, "%sCKA of neighbouring points is lowest across block %zu (%s); of the first point with the last it is %s.",
                   name.s, low, nf_show_three(find_pair_value(pairs, low, low + 1), false).s,
                   nf_show_three(find_pair_value(pairs, 0, P - 1), false).s);
}

static void say_angle(struct nf_doc_writer *d, struct nf_shown name, const json_t *pairs)
{
    size_t one = nearest(pairs, 1), n = (size_t)nf_whole_at(pairs, "P") / 4, several = n > 1 ? nearest(pairs, n) : SIZE_MAX;

    if (one != SIZE_MAX)
        nf_doc_say(d, "%sBlock %zu turns the stream least, by %s of pi.", name.s, one,
                   nf_show_three(find_pair_value(pairs, one, one + 1), false).s);
    if (several != SIZE_MAX)
        nf_doc_say(d, "%sOf %zu blocks in a row those from block %zu on turn it least, by %s of pi.", name.s, n, several,
                   nf_show_three(find_pair_value(pairs, several, several + n), false).s);
}

static void angle_rows(struct nf_doc_writer *d, const struct nf_stage_input *run, const json_t *pairs)
{
    for (size_t n = 1; n < (size_t)nf_whole_at(pairs, "P"); n++) {
        size_t from = nearest(pairs, n);

        if (from == SIZE_MAX)
            continue;
        nf_doc_cell(d, "%s", run->name);
        nf_doc_cell(d, "%zu", n);
        nf_doc_cell(d, "%zu", from);
        nf_doc_cell(d, "%s", nf_show_three(find_pair_value(pairs, from, from + n), false).s);
        nf_doc_cell(
            d, "%s",
            nf_show_three(json_number_value(json_array_get(nf_at(pairs, "se"), from * (size_t)nf_whole_at(pairs, "P") + from + n)),
                          false)
                .s);
    }
}

/* Of the two readings of the angle the published one. */
static bool is_gromov(const json_t *pairs)
{
    return is_pairs(pairs, "angle") && !strcmp(nf_str_at(pairs, "rows"), "last");
}

static void say_pairs(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_stage_input *run)
{
    size_t k;
    json_t *pairs;

    json_array_foreach (run->pairs, k, pairs) {
        if (is_pairs(pairs, "cka"))
            say_cka(d, nf_stage_prefix(r, run), pairs);
        else if (is_gromov(pairs))
            say_angle(d, nf_stage_prefix(r, run), pairs);
    }
}

void nf_fig_similarity(struct nf_doc_writer *d, const struct nf_report *r)
{
    size_t k;
    json_t *pairs;

    for (size_t i = 0; i < r->stages_n; i++)
        say_pairs(d, r, &r->stages[i]);
    for (size_t i = 0; i < r->stages_n; i++)
        if (json_array_size(r->stages[i].pairs))
            nf_doc_chart(d, "S10", i, "Similarity of the stream at every pair of points");
    nf_doc_guide(
        d, "Point l is the stream that enters block l; the last leaves the last block. CKA: linear, unbiased (Lad et al. 2024, "
           "section 5). Angle: arccos of the cosine in units of pi (Gromov et al. 2024, arXiv:2403.17887), over the last positions "
           "of windows, or all.");
    nf_doc_table(d, "Blocks in a row that turn the stream least, at the last position",
                 "Model|Blocks>|First>|Angle, of pi>|standard error>", true);
    for (size_t i = 0; i < r->stages_n; i++)
        json_array_foreach (r->stages[i].pairs, k, pairs)
            if (is_gromov(pairs))
                angle_rows(d, &r->stages[i], pairs);
    nf_doc_table_end(d, true);
}
