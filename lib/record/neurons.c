/* neurons.c - tables of kind neurons. */
#include "record/neurons.h"

#include <math.h>

#include "record/field.h"
#include "record/stats_rows.h"

static const char *const class_names[NF_CLASSES] = {
    "dead",       "token-detector", "bigram-detector", "trigram-detector", "positional",      "first-positions",
    "prediction", "suppression",    "partition",       "entropy",          "token-frequency", "other",
};
static const char *const band_names[NF_BANDS] = { "dead", "dormant", "rare", "normal", "hyperactive" };
static const char *const order_names[NF_ORDERS] = { "token", "bigram", "trigram" };
static const char *const type_names[NF_POSITION_TYPES] = { "oscillatory", "both", "one", "other" };
static const char *const strength_names[] = { "weak", "strong" };
static const char *const kind_names[NF_POSITIONAL_KINDS] = {
    "oscillatory/strong", "oscillatory/weak", "both/strong", "both/weak", "one/strong", "one/weak", "other/strong", "other/weak"
};
static const char *const projection_names[NF_PROJECTIONS] = { "raw", "centred", "ln", "cosine" };

/* As in the histograms that figure 2 of the paper shows; its text names only the first bin. */
const uint64_t nf_cover_edge[NF_COVER_BINS - 1] = { 5, 10, 20, 50, 200, 1000, 2000, 5000 };
static const char *const cover_names[NF_COVER_BINS + 1] = {
    "1-5", "6-10", "11-20", "21-50", "51-200", "201-1000", "1001-2000", "2001-5000", "5001-", "undecided",
};

const char *nf_class_name(enum nf_class c)
{
    return class_names[c];
}

enum nf_class nf_class_first(unsigned classes)
{
    return classes ? (enum nf_class)__builtin_ctz(classes) : NF_OTHER;
}

const char *nf_cover_bin_name(size_t bin)
{
    return cover_names[bin];
}

/* ---- run ---- */

#define REC struct nf_run
static const struct nf_field run[] = {
    SIZE(n_scope, "layers", .max = NF_STATS_LAYERS_MAX),
    TOTALS_ROWS(totals.),
    UINTS_IN("domain_tokens", totals.domain_tokens, "Q", "tokens of each domain", .flags = NF_ASIDE),
    UINTS_IN("domain_full", totals.domain_full, "Q", "full windows of each domain", .flags = NF_ASIDE),
    UINT(L, "layers of the model", IN_U32),
    UINTS(scope, "n_scope", "layers that the n-gram rules apply to", .below = "L", .flags = NF_ASCENDING),
    UINT(full_needed, "full windows below which positional results are too few"),
    BOOL(full_enough, "there are so many"),
    BOOL(exact, "no n-gram count was lost"),
    UINTS_IN("delta", delta, "3", "of each order: so many occurrences of an n-gram may have been lost", .flags = NF_ASIDE),
    REAL(dead_bound, "3 / tokens: upper 95 % limit of the rate of a neuron that never fired", .max = INFINITY, .flags = NF_NIL),
    BOOL(suppression, "a model was given: suppression of triggers was measured"),
    BOOL(gated, "the model's FFNs are gated; false without a model", .flags = NF_LATER),
    UINT(vocabulary, "columns of the unembedding that `vocab` is over; 0: not computed", .flags = NF_LATER),
    UINT(no_direction, "how many of them have none and are left out", .flags = NF_LATER),
};

static int check_run_record(const void *rec, struct nf_err *err)
{
    return nf_totals_check(&((const struct nf_run *)rec)->totals, err);
}

const struct nf_record nf_run_record = RECORD("run", run, "what was classified: the fields of `totals`, and what was asked for",
                                              .check = check_run_record, .mem = NF_MEM);
#undef REC

/* ---- layer ---- */

#define REC struct nf_detector_counts
static const struct nf_field detectors[] = {
    UINT_AS("token", sure[0], "token detectors"),
    UINT_AS("bigram", sure[1], "bigram detectors"),
    UINT_AS("trigram", sure[2], "trigram detectors"),
    COUNTS_AS("undecided", open, order_names, "neurons whose lost counts allow both", .flags = NF_ASIDE),
};
static const struct nf_record detectors_record = RECORD("detectors", detectors, "neurons by n-gram rule");
#undef REC

#define REC struct nf_variant
static const struct nf_field variant[] = {
    UINT(min, "least occurrences of an n-gram"),
    UINT_AS("token", detectors[0], "token detectors"),
    UINT_AS("bigram", detectors[1], "bigram detectors"),
    UINT_AS("trigram", detectors[2], "trigram detectors"),
    COUNTS(covered, order_names, "n-grams that have a detector"),
};
static const struct nf_record variant_record = RECORD("min_count", variant, "the same rules with rarer n-grams left out");
#undef REC

/* clang-format off */
#define REC struct nf_covered
static const struct nf_field covered[] = {
    UINT(total, "n-grams that have a detector in the layer"),
    UINT(new_overall, "of these in no lower layer of the scope"),
    UINT(new_previous, "of these not in the layer before"),
    UINT(in_lower, "of these in a lower layer of the scope"),
    UINT(in_previous, "of these in the layer before"),
    UINT(cumulative, "in this or any lower layer of the scope"),
};
/* clang-format on */
static const struct nf_record covered_record = RECORD("covered", covered, "n-grams of one order that have a detector");
#undef REC

#define REC struct nf_covered_orders
static const struct nf_field covered_orders[] = {
    MAP_AS("token", of[0], covered_record, "tokens"),
    MAP_AS("bigram", of[1], covered_record, "bigrams"),
    MAP_AS("trigram", of[2], covered_record, "trigrams"),
};
static const struct nf_record covered_orders_record =
    RECORD("covered_orders", covered_orders, "n-grams that have a detector, by order");
#undef REC

#define REC struct nf_logit_effect_summary
static const struct nf_field effect_summary[] = {
    UINT_AS("prediction", count[NF_PREDICTION], "neurons of this class"),
    UINT_AS("suppression", count[NF_SUPPRESSION], "likewise"),
    UINT_AS("partition", count[NF_PARTITION], "likewise; nil: the rule was not applied", .nil = WHEN(partition)),
    UINT_AS("entropy", count[NF_ENTROPY], "likewise", .nil = WHEN(entropy)),
    UINT_AS("token-frequency", count[NF_TOKEN_FREQUENCY], "likewise", .nil = WHEN(frequency)),
    REAL(norm_limit, "squared norm that the layer asked of an entropy neuron at least", .max = INFINITY,
         .flags = NF_NIL | NF_ASIDE),
    REAL(var_limit, "variance that it allowed at most", .max = INFINITY, .flags = NF_NIL | NF_ASIDE),
};
static const struct nf_record effect_summary_record =
    RECORD("layer_vocab", effect_summary, "neurons of a layer by the classes of their weights");
#undef REC

#define REC struct nf_layer_summary
#define COUNTED .group = WHEN(counted_fires)
static const struct nf_field layer[] = {
    SIZE(n_variants, "variants", .max = NF_VARIANTS),
    LAYER,
    UINT(neurons, "neurons of the layer", .below = "F+1", IN_U32),
    UINT(fires, "fires of all neurons, BOS left out", COUNTED),
    MAP(dead, nf_share_record, "neurons that fire at no text position", COUNTED),
    MAP(dead_with_bos, nf_share_record, "neurons that fire at no position, BOS included", COUNTED),
    UINT(alive, "neurons that are not of class dead", COUNTED),
    REAL(mean_freq, "fires / tokens, mean over alive neurons", .max = 1, .flags = NF_NIL, COUNTED),
    REAL(mean_freq_sd, "its standard deviation (divides by their number)", .max = 1, .flags = NF_NIL, COUNTED),
    COUNTS(bands, band_names, "neurons by firing frequency", COUNTED),
    COUNTS_AS("cover1", cover[0], cover_names, "firing neurons by how many tokens cover their fires; nil: not in scope",
              .nil = WHEN(counted[0]), .flags = NF_ASIDE, COUNTED),
    COUNTS_AS("cover2", cover[1], cover_names, "by how many bigrams", .nil = WHEN(counted[1]), .flags = NF_ASIDE, COUNTED),
    COUNTS_AS("cover3", cover[2], cover_names, "by how many trigrams", .nil = WHEN(counted[2]), .flags = NF_ASIDE, COUNTED),
    MAP(detectors, detectors_record, "neurons by n-gram rule; nil: not in scope", .nil = WHEN(in_scope), COUNTED),
    MAPS_IN("min_count", variant, variant_record, "n_variants", "the same rules with rarer n-grams left out", .nil = WHEN(in_scope),
            .flags = NF_ASIDE, COUNTED),
    MAP(covered, covered_orders_record, "n-grams that have a detector", .nil = WHEN(in_scope), COUNTED),
    COUNTS(positional, kind_names, "neurons of class positional by type/strength", .flags = NF_ASIDE, COUNTED),
    UINT(first_positions, "neurons of class first-positions", COUNTED),
    UINT(undecided_position, "neurons whose position rules are open", COUNTED),
    UINT(near_zero, "pre-activations with |pre| < `capture.near_zero`", COUNTED),
    MAP_AT("vocab", effect, effect_summary_record, "neurons by the classes of their weights; nil: not computed",
           .flags = NF_NIL | NF_LATER, .column = ""),
};

static int check_layer_record(const void *rec, struct nf_err *err)
{
    const struct nf_layer_summary *s = rec;

    return s->alive <= s->neurons ? NF_OK : nf_fail(err, NF_EFORMAT, "%zu alive of %zu neurons", (size_t)s->alive, s->neurons);
}

const struct nf_record nf_layer_record = RECORD("layer", layer, "one for each layer", .check = check_layer_record, .mem = NF_MEM);
#undef REC

/* ---- neuron ---- */

#define REC struct nf_trigger
static const struct nf_field trigger[] = {
    GRAM_AS("ngram", gram, "token id, or array of ids"),
    UINT(c, "fires at its last token"),
    UINT(n, "its occurrences"),
};
static const struct nf_record trigger_record = RECORD("trigger", trigger, "an n-gram, fires on it, its occurrences");
#undef REC

#define REC struct nf_evidence
#define LISTED .group = WHEN(listed)
static const struct nf_field evidence[] = {
    SIZE(n_top, "triggers"),
    SIZE(n_covered, "n-grams"),
    UINT(m, "covering number; with lost counts its lower bound"),
    UINT(activations, "fires at a position that ends an n-gram of the order"),
    VERDICT(detector, "nil: open"),
    TUPLES(top, trigger_record, "n_top", "the most frequent triggers", .flags = NF_ASIDE),
    MAP(share, nf_share_record, "fires that the covered set explains; where `m` is within the limit or open, as the next four",
        LISTED),
    GRAMS_OF("covered", covered, gram, "n_covered", "the covered set", LISTED),
    UINTS_OF("c", covered, c, "n_covered", "fires on each", .flags = NF_ASIDE, LISTED),
    UINTS_OF("n", covered, n, "n_covered", "occurrences of each", .flags = NF_ASIDE, LISTED),
    REALS_OF("lo", covered, lo, "n_covered", "Wilson 95 % lower limit of c/n", .max = 1, .flags = NF_ASIDE, LISTED),
    UINT(covered_total, "size of the set, where the lists are cut", .flags = NF_OPT | NF_ASIDE, LISTED),
};
static const struct nf_record evidence_record = RECORD("evidence", evidence, "what an n-gram rule goes by");
#undef REC

#define REC struct nf_projected
static const struct nf_field projected[] = {
    SIZE(n, "tokens"),
    REAL(mean, "over the covered tokens", .flags = NF_NIL),
    REAL(weighted, "weighted by fires", .flags = NF_NIL),
    BOOL_AS("all_negative", all_negative, "at all of them"),
    BOOL_AS("majority_negative", majority_negative, "at more than half of them"),
    REALS(percentiles, "n", "of each of `covered`: share of the vocabulary with a lower value", .max = 1, .flags = NF_ITEM_NIL),
    REALS(values, "n", "of each of `covered`", .flags = NF_ITEM_NIL),
};
static const struct nf_record projected_record = RECORD("projected", projected, "a detector's output row on its covered tokens");
#undef REC

#define REC struct nf_scored
static const struct nf_field scored[] = {
    UINT(id, "token id", IN_U32, .flags = NF_IDS),
    REAL(value, "raw projection"),
};
static const struct nf_record scored_record = RECORD("scored", scored, "a token and its value");
#undef REC

#define REC struct nf_suppressed
static const struct nf_field suppress[] = {
    SIZE(n_extreme, "tokens"),
    MAP_AS("raw", by[NF_RAW], projected_record, "raw projection"),
    MAP_AS("centred", by[NF_CENTRED], projected_record, "less its mean over the vocabulary"),
    MAP_AS("ln", by[NF_LN], projected_record, "as the final norm passes it"),
    MAP_AS("cosine", by[NF_COSINE], projected_record, "cosines"),
    TUPLES(promoted, scored_record, "n_extreme", "highest first"),
    TUPLES(suppressed, scored_record, "n_extreme", "lowest first"),
};
static const struct nf_record suppress_record =
    RECORD("suppress", suppress, "what a token detector's output does to its own tokens");
#undef REC

#define REC struct nf_interval
static const struct nf_field interval[] = {
    UINT(from, "first position", IN_U32),
    UINT(to, "behind the last one", IN_U32),
};

static int check_interval_map(const void *rec, struct nf_err *err)
{
    const struct nf_interval *i = rec;

    return i->from <= i->to ? NF_OK : nf_fail(err, NF_EFORMAT, "[%zu, %zu], from <= to expected", i->from, i->to);
}

static const struct nf_record interval_record = RECORD("range", interval, "positions, half-open", .check = check_interval_map);
#undef REC

#define REC struct nf_positional
#define TYPED .group = WHEN(typed)
static const struct nf_field position[] = {
    SIZE(n_ranges, "ranges"),
    SIZE(T, "positions", .below = "context+1"),
    REAL(mi, "mutual information of firing and position, corrected for its bias", .unit = "nats", .flags = NF_NIL),
    REAL(mi_raw, "not corrected", .unit = "nats", .flags = NF_NIL),
    UINT(full, "full windows"),
    CHOICE(type, type_names, "of classes positional and first-positions, as all that follow", TYPED),
    CHOICE_AS("strength", strong, strength_names, "how well the type is met", TYPED),
    TUPLES(ranges, interval_record, "n_ranges", "where it fires often", TYPED),
    UINT(cycles, "cycles of an oscillation", TYPED),
    UINT(run0, "longest run at 0", TYPED),
    UINT(run1, "longest run at 1", TYPED),
    REAL(roughness, "rms difference of curve and smoothed curve, sampling removed", .max = INFINITY, TYPED),
    VERDICT(stable, "domains agree; nil: fewer than two to compare", TYPED),
    ARRAY(curve, U32, "T", "fires at each position of the full windows", .flags = NF_ASIDE, TYPED),
};
static const struct nf_record position_record = RECORD("position", position, "firing by position");
#undef REC

#define REC struct nf_logit_effect
static const struct nf_field weights[] = {
    REAL(in_norm, "length of the processed input row", .max = INFINITY, .flags = NF_NIL),
    REAL(out_norm, "of the output row", .max = INFINITY, .flags = NF_NIL),
    REAL(cos_in_out, "nil: a length is 0", COSINE_RANGE, .flags = NF_NIL),
    REAL(gate_norm, "gated FFNs only, as the next two", .max = INFINITY, .flags = NF_NIL, .group = WHEN(gated)),
    REAL(cos_gate_out, "gate and output row", COSINE_RANGE, .flags = NF_NIL, .group = WHEN(gated)),
    REAL(cos_gate_in, "gate and input row", COSINE_RANGE, .flags = NF_NIL, .group = WHEN(gated)),
};
static const struct nf_record weights_record =
    RECORD("weights", weights, "lengths and cosines of the processed vectors: src/classify-neurons.md");

static const struct nf_field vocab_effect[] = {
    REAL(mean, "of the cosine of the output row with each column of the unembedding (or of the product)", .flags = NF_NIL),
    REAL(var, "variance, divides by their number", .max = INFINITY, .flags = NF_NIL),
    REAL(skew, "skewness", .flags = NF_NIL),
    REAL(kurt, "kurtosis, 3 for a Gaussian", .flags = NF_NIL),
    REAL(logit_var, "variance of the effect on the logits", .max = INFINITY, .flags = NF_NIL),
    REAL(null_share, "share of the row's length in the weakest directions of the unembedding", .max = 1, .flags = NF_NIL),
    REAL(frequency, "correlation with log frequency", .min = -1, .max = 1, .flags = NF_NIL),
};
static const struct nf_record vocab_effect_record =
    RECORD("vocab", vocab_effect, "effect on the vocabulary; nil: not computed, or not defined");
#undef REC

#define REC struct nf_bounds
static const struct nf_field bounds[] = {
    UINT(lo, "at least"),
    UINT(hi, "at most; the same when exact"),
};
static const struct nf_record bounds_record = RECORD("bounds", bounds, "covering number");
#undef REC

#define REC struct nf_neuron
static const struct nf_field neuron[] = {
    SIZE(Q, "domains", .max = NF_DOMAINS_MAX),
    LAYER,
    UINT(neuron, "number in its layer, from 0", .below = "F", IN_U32),
    CHOICE(class, class_names, "the first of `classes`"),
    SET(classes, class_names, "all that hold"),
    SET(undecided, class_names, "rules that lost counts, or no full window, leave open"),
    UINT(fires, "fires, BOS left out", COUNTED),
    UINT(fires_bos, "fires at BOS", COUNTED),
    UINT(n, "tokens", COUNTED),
    MAP(freq, nf_share_record, "fires of tokens", COUNTED),
    CHOICE(band, band_names, "by firing frequency", COUNTED),
    REALS_OF("domain_freq", domain, p, "Q", "fires / tokens by domain; nil: the domain has no token", .max = 1,
             .flags = NF_ITEM_NIL, COUNTED),
    REALS_OF("domain_lo", domain, lo, "Q", "lower limit of its Wilson 95 % interval", .max = 1, .flags = NF_ITEM_NIL | NF_ASIDE,
             COUNTED),
    REALS_OF("domain_hi", domain, hi, "Q", "upper limit", .max = 1, .flags = NF_ITEM_NIL | NF_ASIDE, COUNTED),
    REAL(domain_entropy, "of the normalised frequencies; nil: it fires in none", .unit = "bits", .min = -1e-6, .max = 8,
         .flags = NF_NIL, COUNTED),
    TUPLES_IN("cover", cover, bounds_record, "3",
              "covering numbers by order; an item is nil: the order was not counted; nil: not in scope", .nil = WHEN(covered),
              .flags = NF_ITEM_NIL, COUNTED),
    MAP_AT("token", evidence[0], evidence_record, "every firing neuron of the scope", .flags = NF_OPT),
    MAP_AT("bigram", evidence[1], evidence_record, "where `m` is within the limit, or open", .flags = NF_OPT),
    MAP_AT("trigram", evidence[2], evidence_record, "likewise", .flags = NF_OPT),
    MAP_AT("suppress", suppress, suppress_record, "token detectors, with a model", .flags = NF_OPT | NF_ASIDE),
    MAP_AT("position", position, position_record, "full windows were seen, and it fires in them", .flags = NF_OPT),
    MAP_AT("weights", effect, weights_record, "with a model", .flags = NF_OPT),
    MAP_AT("vocab", effect, vocab_effect_record, "with a model", .flags = NF_OPT),
};

static int check_grams(const struct nf_trigger *t, size_t n, uint32_t order, struct nf_err *err)
{
    for (size_t i = 0; t && i < n; i++)
        if (t[i].gram.n != order)
            return nf_fail(err, NF_EFORMAT, "%s: an n-gram of %u tokens", order_names[order - 1], (unsigned)t[i].gram.n);
    return NF_OK;
}

static int check_neuron_record(const void *rec, struct nf_err *err)
{
    const struct nf_neuron *n = rec;

    if (!(n->classes >> n->class & 1) && n->class != NF_OTHER)
        return nf_fail(err, NF_EFORMAT, "class %s is not among its classes", class_names[n->class]);
    for (uint32_t o = 0; o < NF_ORDERS; o++) {
        const struct nf_evidence *e = n->evidence[o];

        if (e && (check_grams(e->top, e->n_top, o + 1, err) < 0 || check_grams(e->covered, e->n_covered, o + 1, err) < 0))
            return NF_EFORMAT;
    }
    return NF_OK;
}

const struct nf_record nf_neuron_record =
    RECORD("neuron", neuron, "one for each neuron", .check = check_neuron_record, .mem = NF_MEM);
#undef REC

/* ---- activation, suppression, team ---- */

#define REC struct nf_activation_rec
static const struct nf_field activation[] = {
    SIZE(F, "neurons"),
    LAYER,
    TENSOR(mean, F64, "F", "mean activation of each neuron; NaN: undefined", .flags = NF_NAN),
};
const struct nf_record nf_activation_record = RECORD("activation", activation,
                                                     "of gated FFNs, when the input has moments of `ffn.act`. Where the mean is "
                                                     "negative, the neuron mostly adds its output with the "
                                                     "sign turned");
#undef REC

#define REC struct nf_suppression
static const struct nf_field suppression[] = {
    CHOICE(projection, projection_names, "of the output row on the vocabulary"),
    UINT(scope, "a layer; `all`: all layers of the scope", .below = "L", IN_U32, .flags = NF_ALL),
    MAP(suppressing, nf_share_record, "token detectors whose mean over their tokens is negative"),
    MAP(all_negative, nf_share_record, "that are negative on all their tokens"),
    MAP(majority_negative, nf_share_record, "on more than half of them"),
    MAP(weighted, nf_share_record, "whose mean weighted by fires is negative"),
    MAP(null, nf_share_record,
        "the same neurons on frequency-matched random tokens: n = neurons x draws, and the draws of a neuron share its row"),
    MAP(null_alive, nf_share_record, "random firing neurons that are no detectors, on their own most frequent tokens"),
    REAL(mean_percentile, "of the tokens of all detectors", .max = 1, .flags = NF_NIL),
};
const struct nf_record nf_suppression_record = RECORD("suppression", suppression, "shares of the token detectors");
#undef REC

#define REC struct nf_team_rec
static const char *const team_strength_names[] = { "any", "strong" };
static const struct nf_field team[] = {
    SIZE(n, "neurons"),
    LAYER,
    CHOICE(type, type_names, "type of its neurons"),
    CHOICE_AS("strength", strong, team_strength_names, "any: strong and weak"),
    UINTS(neurons, "n", "members", .below = "F"),
    UINT(covered, "positions in the union of their ranges"),
    UINT(context, "positions of a window"),
    REAL(multiplicity, "mean over covered positions of how many cover it; nil: none is covered", .max = INFINITY, .flags = NF_NIL),
    UINTS(loss, "n", "positions that only this member covers"),
    UINTS(greedy, "n", "members in an order in which each adds most (ties: the lowest)", .below = "F"),
    UINTS(gain, "n", "positions that each adds"),
};
const struct nf_record nf_team_record =
    RECORD("team", team, "positional neurons of one type that cover positions together", .mem = NF_MEM);
#undef REC
