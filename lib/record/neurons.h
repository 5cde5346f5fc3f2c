/*
 * neurons.h - kind "neurons": every neuron's classes with their evidence.  FORMAT.md section 4.5.
 *
 * The structs are views: what they point to is the writer's, or in `mem` after a read (record.h).
 */
#ifndef NF_RECORD_NEURONS_H
#define NF_RECORD_NEURONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/share.h"
#include "record/stats.h"
#include "stream/writer.h"

/* In the order in which `class` is chosen. */
enum nf_class {
    NF_DEAD,
    NF_TOKEN_DETECTOR,      /* + order - 1 */
    NF_BIGRAM_DETECTOR,
    NF_TRIGRAM_DETECTOR,
    NF_POSITIONAL,
    NF_FIRST_POSITIONS,
    NF_PREDICTION,          /* from here on by the weights alone, but for the frequencies of tokens */
    NF_SUPPRESSION,
    NF_PARTITION,
    NF_ENTROPY,
    NF_TOKEN_FREQUENCY,
    NF_OTHER,
    NF_CLASSES,
};
#define NF_WEIGHT_CLASSES                                                                                                          \
    (1u << NF_PREDICTION | 1u << NF_SUPPRESSION | 1u << NF_PARTITION | 1u << NF_ENTROPY | 1u << NF_TOKEN_FREQUENCY)
const char *nf_class_name(enum nf_class c);   /* "token-detector" */

enum nf_band { NF_BAND_DEAD, NF_BAND_DORMANT, NF_BAND_RARE, NF_BAND_NORMAL, NF_BAND_HYPERACTIVE, NF_BANDS };

enum nf_position_type { NF_OSCILLATORY, NF_BOTH, NF_ONE, NF_OTHER_TYPE, NF_POSITION_TYPES };

enum nf_projection { NF_RAW, NF_CENTRED, NF_LN, NF_COSINE, NF_PROJECTIONS };

/* Bins of covering numbers: bin i holds edge[i-1] < m <= edge[i]; the last is open.  nf_cover_bin_name(NF_COVER_BINS) is "undecided". */
enum { NF_COVER_BINS = 9 };
extern const uint64_t nf_cover_edge[NF_COVER_BINS - 1];
const char *nf_cover_bin_name(size_t bin);

/* An n-gram with the neuron's fires on it and its occurrences. */
struct nf_trigger {
    struct nf_gram gram;
    uint64_t c, n;
    double lo;               /* Wilson 95 % lower limit of c/n */
};

/* Token, bigram or trigram rule. */
struct nf_evidence {
    uint64_t m;              /* covering number; its lower bound when counts were lost */
    uint64_t activations;
    enum nf_verdict detector;
    size_t n_top;
    const struct nf_trigger *top;
    bool listed;             /* the fields below are there */
    struct nf_share share;
    size_t n_covered, covered_total;   /* covered_total: NF_NONE where all are listed */
    const struct nf_trigger *covered;
};

struct nf_projected {
    double mean, weighted;               /* over the covered tokens; weighted by fires */
    bool all_negative, majority_negative;
    size_t n;                            /* tokens with values, the first of `covered` */
    const double *percentiles, *values;  /* [n] */
};

struct nf_scored {
    uint32_t id;
    double value;
};

struct nf_suppressed {
    struct nf_projected by[NF_PROJECTIONS];
    size_t n_extreme;
    const struct nf_scored *promoted, *suppressed;   /* [n_extreme]: highest first, lowest first */
};

struct nf_interval {
    size_t from, to;                     /* positions, half-open */
};

struct nf_positional {
    double mi, mi_raw;                   /* nats */
    uint64_t full;
    bool typed;                          /* the fields below are there */
    enum nf_position_type type;
    bool strong;
    size_t n_ranges, cycles, run0, run1;
    const struct nf_interval *ranges;
    double roughness;
    enum nf_verdict stable;              /* NF_OPEN: fewer than two domains to compare */
    const uint32_t *curve;               /* [T] */
    size_t T;
};

/* What a neuron's weights say.  Every real is NaN where it was not computed or is not defined. */
struct nf_logit_effect {
    double in_norm, gate_norm, out_norm;             /* lengths of the processed vectors */
    bool gated;                                      /* gate_norm, cos_gate_out and cos_gate_in are there */
    double cos_in_out, cos_gate_out, cos_gate_in;
    double mean, var, skew, kurt;                    /* over the vocabulary; var divides by its size, kurt of a Gaussian is 3 */
    double logit_var;                                /* variance of the effect on the logits, unnormalised */
    double null_share;                               /* of the output's length in the weakest directions of the unembedding, 0 .. 1 */
    double frequency;                                /* correlation with log frequency, -1 .. 1 */
};

/* Covering number of an order; equal when exact. */
struct nf_bounds {
    uint64_t lo, hi;                     /* lo NF_NONE: the order was not counted */
};

struct nf_neuron {
    size_t layer, neuron;
    enum nf_class class;                 /* the first of classes */
    unsigned classes, undecided;         /* bits of enum nf_class */
    bool counted_fires;                  /* false: the layer has no counts, only the classes and `effect` are there */
    uint64_t fires, fires_bos, n;        /* n: the tokens */
    struct nf_share freq;
    enum nf_band band;
    size_t Q;
    const struct nf_share *domain;       /* [Q]; read: p, lo, hi */
    double domain_entropy;               /* bits; NaN: no fires */
    bool covered;                        /* the cover of every order was sought */
    struct nf_bounds cover[NF_ORDERS];   /* [order-1] */
    const struct nf_evidence *evidence[NF_ORDERS];   /* NULL: none */
    const struct nf_suppressed *suppress;            /* NULL: none */
    const struct nf_positional *position;            /* NULL: none */
    const struct nf_logit_effect *effect;            /* NULL: none */
    struct nf_mem mem;
};
extern const struct nf_record nf_neuron_record;

/* nf_class_first - the class that a set of them is called by; `other` when it is empty. */
enum nf_class nf_class_first(unsigned classes);

/* Tokens or n-grams covered by the detectors of a layer.  Paper section 4.3, figures 3 and 4. */
struct nf_covered {
    uint64_t total, new_overall, new_previous, in_lower, in_previous, cumulative;
};

struct nf_covered_orders {
    struct nf_covered of[NF_ORDERS];
};

/* The rules once more with rarer n-grams left out. */
struct nf_variant {
    uint64_t min;
    uint64_t detectors[NF_ORDERS], covered[NF_ORDERS];
};
enum { NF_VARIANTS = 3 };

struct nf_detector_counts {
    uint64_t sure[NF_ORDERS], open[NF_ORDERS];
};

/* Neurons of a layer by the classes of their weights, and the limits that the layer set for entropy neurons. */
struct nf_logit_effect_summary {
    uint64_t count[NF_CLASSES];
    bool partition, entropy,
        frequency;                       /* rules that were applied: the model is wide enough, one of the last layers, tokens were counted */
    double norm_limit, var_limit;        /* NaN: !entropy */
};

/* Of positional neurons by type and strength. */
enum { NF_POSITIONAL_KINDS = 2 * NF_POSITION_TYPES };
static inline size_t nf_positional_kind(enum nf_position_type type, bool strong)
{
    return 2 * (size_t)type + !strong;
}

struct nf_layer_summary {
    size_t layer, neurons;
    bool counted_fires;                  /* false: what rests on counts is absent */
    uint64_t fires;                      /* of all neurons, BOS left out */
    struct nf_share dead, dead_with_bos;
    uint64_t alive;
    double mean_freq, mean_freq_sd;      /* NaN: none alive */
    uint64_t bands[NF_BANDS];
    bool counted[NF_ORDERS];             /* cover of the order: in scope, and counted */
    uint64_t cover[NF_ORDERS][NF_COVER_BINS + 1];
    bool in_scope;                       /* false: the next three are nil */
    struct nf_detector_counts detectors;
    struct nf_variant variant[NF_VARIANTS];
    size_t n_variants;
    struct nf_covered_orders covered;
    uint64_t positional[NF_POSITIONAL_KINDS];    /* nf_positional_kind() */
    uint64_t first_positions, undecided_position;
    uint64_t near_zero;
    const struct nf_logit_effect_summary *effect;      /* NULL: none */
    struct nf_mem mem;
};
extern const struct nf_record nf_layer_record;

struct nf_run {
    struct nf_totals totals;             /* what is in its own `mem` is not the run's */
    size_t L;
    size_t n_scope;
    const size_t *scope;
    uint64_t full_needed;
    bool full_enough, exact, suppression;
    double dead_bound;                   /* 3 / tokens; NaN: no tokens */
    bool gated;                          /* of the model's FFNs */
    size_t vocabulary;                   /* columns of the unembedding that effects are on; 0: no effects */
    size_t no_direction;                 /* of these without a direction, left out */
    uint64_t delta[NF_ORDERS];
    struct nf_mem mem;
};
extern const struct nf_record nf_run_record;

/* Gated FFNs: mean activation of each neuron, whose sign turns the effect of its output round. */
struct nf_activation_rec {
    size_t layer, F;
    const void *mean;                    /* f8[F]; NaN where undefined */
};
extern const struct nf_record nf_activation_record;

#define NF_SCOPE_ALL NF_NONE

struct nf_suppression {
    enum nf_projection projection;
    size_t scope;                        /* layer, or NF_SCOPE_ALL: all of the scope */
    struct nf_share suppressing, all_negative, majority_negative, weighted, null, null_alive;
    double mean_percentile;              /* NaN: no detector */
};
extern const struct nf_record nf_suppression_record;

struct nf_team_rec {
    size_t layer;
    enum nf_position_type type;
    bool strong;                         /* false: strong and weak */
    size_t n;
    const size_t *neurons, *loss;        /* [n] */
    size_t covered, context;
    double multiplicity;                 /* NaN: no position is covered */
    const size_t *greedy, *gain;         /* [n] */
    struct nf_mem mem;
};
extern const struct nf_record nf_team_record;

#endif
