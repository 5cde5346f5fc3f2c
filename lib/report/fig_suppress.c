/* fig_suppress.c - Figures 5 and 6: what token detectors detect, promote and suppress (Voita et al. 2023, section 4.4). */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "report/figures.h"

enum { EXAMPLES = 12, EXAMPLE_TOKENS = 6 };
enum { MAX_TOKENS = 5 }; /* of the token rule in the paper, where the header does not say */

/* ---- 5: examples ---- */

/* Up to EXAMPLE_TOKENS tokens of an array of ids, or of rows [id, value], separated by spaces. */
static void cell_tokens(struct nf_doc_writer *d, const struct nf_input *run, const json_t *tokens, bool values)
{
    struct nf_text t = { 0 };

    for (size_t i = 0; i < json_array_size(tokens) && i < EXAMPLE_TOKENS; i++) {
        const json_t *item = json_array_get(tokens, i);

        nf_text_str(&t, i ? " " : "");
        nf_gram_show(&t, run, values ? json_array_get(item, 0) : item);
        if (values)
            nf_text_fmt(&t, " %+.2f", json_number_value(json_array_get(item, 1)));
    }
    if (json_array_size(tokens) > EXAMPLE_TOKENS)
        nf_text_str(&t, " \u2026");
    nf_doc_cell(d, "%s", t.p ? t.p : "");
    d->out.failed |= t.failed;
    nf_text_clear(&t);
}

static bool is_token_detector(const json_t *e)
{
    return !strcmp(nf_str_at(e, "class"), "token-detector");
}

/* The detector that fired most often of those not yet shown (`below`: fires of the one shown last; ties by order in the stream). */
static size_t next_example(const struct nf_input *run, const bool *used)
{
    size_t i, best = SIZE_MAX;
    json_t *e;

    json_array_foreach (run->evidence, i, e)
        if (is_token_detector(e) && !used[i] &&
            (best == SIZE_MAX || nf_whole_at(e, "fires") > nf_whole_at(json_array_get(run->evidence, best), "fires")))
            best = i;
    return best;
}

static void example_rows(struct nf_doc_writer *d, const struct nf_input *run)
{
    bool used[NF_PAGE_EVIDENCE + NF_PAGE_NEAR + NF_PAGE_CURVES] = { false };
    size_t i;

    for (size_t shown = 0; shown < EXAMPLES && (i = next_example(run, used)) != SIZE_MAX; shown++) {
        const json_t *e = json_array_get(run->evidence, i);

        used[i] = true;
        nf_doc_cell(d, "%llu.%llu", (unsigned long long)nf_whole_at(e, "layer"), (unsigned long long)nf_whole_at(e, "neuron"));
        nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(e, "fires")).s);
        cell_tokens(d, run, nf_at(e, "token.covered"), false);
        nf_doc_cell(d, "%s", nf_show_real(nf_real_at(e, "suppress.centred.mean"), 3).s);
        cell_tokens(d, run, nf_at(e, "suppress.promoted"), true);
        cell_tokens(d, run, nf_at(e, "suppress.suppressed"), true);
    }
}

/* Neurons whose firings few tokens cover, without being detectors of these: the tokens they fire on most. */
static void near_misses(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_input *run)
{
    uint64_t limit = nf_whole_at(run->header, "thresholds.max-tokens");
    size_t i, shown = 0;
    json_t *e;

    if (run->near == 0)
        return;
    nf_doc_say(d,
                 "%s%s besides: few tokens (at most %llu) make up nearly all of their firings, but they do not fire on nearly all "
                 "occurrences of these.",
                 nf_prefix(r, run).s, nf_show_several(run->near, "near miss", "near misses").s,
                 (unsigned long long)(limit ? limit : MAX_TOKENS));
    nf_doc_table(d, run->name, "Neuron|Fires>|On (fires of occurrences)", true);
    json_array_foreach (run->evidence, i, e) {
        struct nf_text t = { 0 };

        if (json_object_get(e, "suppress") || !json_object_get(e, "token") || is_token_detector(e) || shown == 4 * EXAMPLES)
            continue;
        shown++;
        for (size_t k = 0; k < json_array_size(nf_at(e, "token.top")) && k < EXAMPLE_TOKENS; k++) {
            const json_t *row = json_array_get(nf_at(e, "token.top"), k);

            nf_text_str(&t, k ? ", " : "");
            nf_gram_show(&t, run, json_array_get(row, 0));
            nf_text_fmt(&t, " %lld of %lld", (long long)json_integer_value(json_array_get(row, 1)),
                        (long long)json_integer_value(json_array_get(row, 2)));
        }
        nf_doc_cell(d, "%llu.%llu", (unsigned long long)nf_whole_at(e, "layer"), (unsigned long long)nf_whole_at(e, "neuron"));
        nf_doc_cell(d, "%s", nf_show_count(nf_whole_at(e, "fires")).s);
        nf_doc_cell(d, "%s", t.p ? t.p : "");
        d->out.failed |= t.failed;
        nf_text_clear(&t);
    }
    nf_doc_table_end(d, true);
}

void nf_fig_examples(struct nf_doc_writer *d, const struct nf_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct nf_input *run = &r->runs[i];
        uint64_t n = nf_layer_sum(run, "detectors.token");
        size_t best;
        bool none[NF_PAGE_EVIDENCE + NF_PAGE_NEAR + NF_PAGE_CURVES] = { false };
        struct nf_text t = { 0 };

        best = next_example(run, none);
        if (best == SIZE_MAX) {
            nf_doc_say(d, "%sThere are no token detectors to show.", nf_prefix(r, run).s);
            near_misses(d, r, run);
            continue;
        }
        nf_gram_show(&t, run, json_array_get(nf_at(json_array_get(run->evidence, best), "token.covered"), 0));
        nf_doc_say(d, "%s%s. Neuron %llu.%llu fires most often: %s times, on %s%s.", nf_prefix(r, run).s,
                     nf_show_several(n, "token detector", "token detectors").s,
                     (unsigned long long)nf_whole_at(json_array_get(run->evidence, best), "layer"),
                     (unsigned long long)nf_whole_at(json_array_get(run->evidence, best), "neuron"),
                     nf_show_count(nf_whole_at(json_array_get(run->evidence, best), "fires")).s, t.p ? t.p : "?",
                     json_array_size(nf_at(json_array_get(run->evidence, best), "token.covered")) > 1 ? " and others" : "");
        d->out.failed |= t.failed;
        nf_text_clear(&t);
        nf_doc_chart(
            d, "5", i,
            "Projection of one detector's output row on the vocabulary: its own tokens, the most promoted, the most suppressed");
        nf_doc_table(d, run->name, "Neuron|Fires>|Detects|On its tokens>|Promotes|Suppresses", false);
        example_rows(d, run);
        nf_doc_table_end(d, false);
        near_misses(d, r, run);
    }
    nf_doc_guide(
        d,
        "Values are the raw projection of the output row on the unembedding; \u201con its tokens\u201d is its mean over the "
        "detected tokens after the mean over the "
        "vocabulary was taken off (softmax ignores a constant). A neuron is written layer.neuron, both from 0; \u2423 is a space.");
}

/* ---- 6: shares ---- */

static const json_t *suppression_of(const struct nf_input *run, const char *projection)
{
    size_t i;
    json_t *s;

    json_array_foreach (run->suppression, i, s)
        if (!strcmp(nf_str_at(s, "projection"), projection) && !strcmp(nf_str_at(s, "scope"), "all"))
            return s;
    return NULL;
}

static void say_suppression(struct nf_doc_writer *d, const struct nf_report *r, const struct nf_input *run)
{
    const json_t *s = suppression_of(run, "centred");
    struct nf_share of = nf_share_at(s, "suppressing"), null = nf_share_at(s, "null");

    if (of.n == 0) {
        nf_doc_say(d, "%sNo suppression was measured: %s.", nf_prefix(r, run).s,
                     s ? "there are no token detectors" : "classify-neurons had no model, or no layer in scope");
        return;
    }
    nf_doc_say(d,
                 "%sThe output row of %s token detectors points away from the tokens they detect. For random tokens of the same "
                 "frequency it does so in %s of "
                 "draws%s.",
                 nf_prefix(r, run).s, nf_show_share(of).s, nf_show_percent(null.p).s,
                 null.n == 0       ? ""
                 : of.lo > null.hi ? ": the detectors suppress their triggers more than chance would"
                 : of.hi < null.lo ? ": the detectors promote their triggers"
                                   : "; the intervals overlap, so this run cannot tell them apart");
    if (of.n < 30)
        nf_doc_note(d, "%sOnly %s: the interval is wide.", nf_prefix(r, run).s,
                      nf_show_several(of.n, "token detector", "token detectors").s);
}

void nf_fig_suppression(struct nf_doc_writer *d, const struct nf_report *r)
{
    static const char *const shares[] = {
        "suppressing", "all_negative", "majority_negative", "weighted", "null", "null_alive", NULL
    };
    size_t k;
    json_t *s;

    for (size_t i = 0; i < r->n; i++)
        say_suppression(d, r, &r->runs[i]);
    nf_doc_chart(d, "6", SIZE_MAX,
                   "Share of token detectors that suppress their tokens, by projection, beside two nulls, with 95 % intervals");
    nf_doc_guide(d, "Four ways to project the output row: raw; with the mean over the vocabulary taken off; with the gain of the "
                     "final LayerNorm folded in; as a cosine. "
                     "Dashed line: the paper's \u201cover 80 %%\u201d. Null: the same neurons on random tokens of the same "
                     "frequency; null (others): random firing neurons that are no "
                     "detectors, on their own most frequent tokens.");
    nf_doc_table(d, "Token detectors whose output row is negative on their tokens",
                   "Model|Projection|Scope|Mean>|All>|Majority>|Weighted mean>|Null>|Null (others)>|n>", true);
    for (size_t i = 0; i < r->n; i++)
        json_array_foreach (r->runs[i].suppression, k, s) {
            nf_doc_cell(d, "%s", r->runs[i].name);
            nf_doc_cell(d, "%s", nf_str_at(s, "projection"));
            if (json_is_string(nf_at(s, "scope")))
                nf_doc_cell(d, "all layers");
            else
                nf_doc_cell(d, "layer %llu", (unsigned long long)nf_whole_at(s, "scope"));
            for (const char *const *f = shares; *f; f++)
                nf_doc_cell(d, "%s (%s)", nf_show_percent(nf_share_at(s, *f).p).s, nf_show_interval(nf_share_at(s, *f)).s);
            nf_doc_cell(d, "%s", nf_show_count(nf_share_at(s, "suppressing").n).s);
        }
    nf_doc_table_end(d, true);
}
