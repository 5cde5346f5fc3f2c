/* kind.c - which records a kind has, and END of each. */
#include "record/kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/activations.h"
#include "record/context.h"
#include "record/effects.h"
#include "record/field.h"
#include "record/lens.h"
#include "record/neurons.h"
#include "record/read_impl.h"
#include "record/stages.h"
#include "record/stats.h"
#include "record/tokens.h"

/* ---- END: what `totals` holds ---- */

struct tokens_totals {
    uint64_t tokens, bos, windows, full, docs, bytes;
};
/* clang-format off */
#define REC struct tokens_totals
static const struct nf_field tokens_totals[] = {
    UINT(tokens, "BOS included"),
    UINT(bos, "BOS tokens"),
    UINT(windows, "windows"),
    UINT(full, "windows of T = `context`"),
    UINT(docs, "doc records"),
    UINT(bytes, "bytes that the text tokens stand for", .flags = NF_OPT),
};
/* clang-format on */
static const struct nf_record tokens_totals_record = RECORD("totals", tokens_totals, "of tokens");
#undef REC

struct activations_totals {
    uint64_t tokens, windows, batches, rows;
};
#define REC struct activations_totals
static const struct nf_field activations_totals[] = {
    UINT(tokens, "BOS included"),
    UINT(windows, "windows"),
    UINT(batches, "batch records"),
    UINT(rows, "selected positions: the rows of each site and layer"),
};
static const struct nf_record activations_totals_record = RECORD("totals", activations_totals, "of activations");
#undef REC

struct stats_totals {
    uint64_t positions, windows;
};
#define REC struct stats_totals
static const struct nf_field stats_totals[] = {
    UINT(positions, "BOS included"),
    UINT(windows, "windows"),
};
static const struct nf_record stats_totals_record = RECORD("totals", stats_totals, "of stats");
#undef REC

struct neurons_totals {
    uint64_t neurons, of[NF_CLASSES];
};
#define REC struct neurons_totals
#define CLASS(name, c) UINT_AS(name, of[c], "neurons whose first class it is")
#define LATER(name, c) UINT_AS(name, of[c], "likewise; absent: the writer did not know the class", .flags = NF_OPT)
static const struct nf_field neurons_totals[] = {
    UINT(neurons, "neuron records"),
    CLASS("dead", NF_DEAD),
    CLASS("token-detector", NF_TOKEN_DETECTOR),
    CLASS("bigram-detector", NF_BIGRAM_DETECTOR),
    CLASS("trigram-detector", NF_TRIGRAM_DETECTOR),
    CLASS("positional", NF_POSITIONAL),
    CLASS("first-positions", NF_FIRST_POSITIONS),
    LATER("prediction", NF_PREDICTION),
    LATER("suppression", NF_SUPPRESSION),
    LATER("partition", NF_PARTITION),
    LATER("entropy", NF_ENTROPY),
    LATER("token-frequency", NF_TOKEN_FREQUENCY),
    CLASS("other", NF_OTHER),
};
static const struct nf_record neurons_totals_record = RECORD("totals", neurons_totals, "of neurons");
#undef REC

struct effects_totals {
    uint64_t interventions, tokens, windows;
};
#define REC struct effects_totals
static const struct nf_field effects_totals[] = {
    UINT(interventions, "intervention records"),
    UINT(tokens, "read, BOS included"),
    UINT(windows, "windows"),
};
static const struct nf_record effects_totals_record = RECORD("totals", effects_totals, "of effects");
#undef REC

struct lens_totals {
    uint64_t points, parts, tokens, windows;
};
#define REC struct lens_totals
static const struct nf_field lens_totals[] = {
    UINT(points, "point records"),
    UINT(parts, "part records; 0: not asked for"),
    UINT(tokens, "read, BOS included"),
    UINT(windows, "windows"),
};
static const struct nf_record lens_totals_record = RECORD("totals", lens_totals, "of lens");
#undef REC

/* The END record of a kind. */
#define END(kind)                                                                                                                  \
    struct kind##_end {                                                                                                            \
        uint64_t records;                                                                                                          \
        struct kind##_totals totals;                                                                                               \
    };                                                                                                                             \
    static const struct nf_field kind##_end[] = {                                                                                  \
        UINT(records, "records between header and END"),                                                                           \
        MAP(totals, kind##_totals_record, "sums over the stream"),                                                                 \
    };                                                                                                                             \
    static const struct nf_record kind##_end_record = RECORD("end", kind##_end, "the last record")

#define REC struct tokens_end
END(tokens);
#undef REC
#define REC struct activations_end
END(activations);
#undef REC
#define REC struct stats_end
END(stats);
#undef REC
#define REC struct neurons_end
END(neurons);
#undef REC
#define REC struct effects_end
END(effects);
#undef REC
#define REC struct lens_end
END(lens);
#undef REC

/* ---- kinds ---- */

static const struct nf_record *const tokens[] = { &nf_vocab_record, &nf_special_record, &nf_doc_record, &nf_window_record };
static const struct nf_record *const activations[] = { &nf_vocab_record, &nf_special_record, &nf_doc_record, &nf_batch_record,
                                                       &nf_site_record };
static const struct nf_record *const stats[] = {
    &nf_vocab_record,  &nf_special_record,  &nf_totals_record,     &nf_lost_ngrams_record,
    &nf_ngrams_record, &nf_fires_record,    &nf_position_record,   &nf_domain_position_record,
    &nf_counts_record, &nf_lost_record,     &nf_moments_record,    &nf_histogram_record,
    &nf_top_record,    &nf_cka_record,      &nf_similarity_record, &nf_influence_record,
    &nf_ratio_record,  &nf_locality_record, &nf_merging_record,
};
static const struct nf_record *const neurons[] = { &nf_vocab_record,      &nf_special_record, &nf_run_record,
                                                   &nf_layer_record,      &nf_neuron_record,  &nf_suppression_record,
                                                   &nf_activation_record, &nf_team_record };
static const struct nf_record *const effects[] = { &nf_vocab_record, &nf_special_record, &nf_intervention_record,
                                                   &nf_effect_token_record, &nf_effect_record };
static const struct nf_record *const lens[] = {
    &nf_vocab_record,      &nf_special_record, &nf_point_record, &nf_part_record,
    &nf_lens_token_record, &nf_parts_record,   &nf_lens_record,  &nf_attribution_record
};

#define KIND(kind, usual_record)                                                                                                   \
    {                                                                                                                              \
#kind, kind, sizeof kind / sizeof *kind, &kind##_end_record, &usual_record                                                 \
    }

/* clang-format off */
const struct nf_kind nf_kinds[NF_KINDS] = {
    KIND(tokens, nf_window_record),
    KIND(activations, nf_site_record),
    KIND(stats, nf_fires_record),
    KIND(neurons, nf_neuron_record),
    KIND(effects, nf_effect_record),
    KIND(lens, nf_lens_record),
};
/* clang-format on */

const struct nf_kind *nf_kind_find(const char *name)
{
    for (size_t i = 0; i < NF_KINDS; i++)
        if (strcmp(nf_kinds[i].name, name) == 0)
            return &nf_kinds[i];
    return NULL;
}

const struct nf_record *nf_kind_record(const struct nf_kind *k, const char *type, size_t n)
{
    for (size_t i = 0; i < k->n; i++)
        if (strlen(k->record[i]->type) == n && memcmp(k->record[i]->type, type, n) == 0)
            return k->record[i];
    return NULL;
}

/* ---- any record ---- */

static int refuse_type(const struct nf_kind *k, const msgpack_object_str *type, struct nf_err *err)
{
    char known[300] = "";
    size_t n = 0;

    for (size_t i = 0; i < k->n && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", k->record[i]->type);
    return nf_fail(err, NF_EFORMAT, "record type \"%.*s\" in a stream of kind %s, one of %s expected",
                   type->size < 40 ? (int)type->size : 40, type->ptr, k->name, known);
}

int nf_any_read(struct nf_any_record *a, const struct nf_kind *k, const msgpack_object *o, const struct nf_sizes *sizes,
                struct nf_err *err)
{
    const msgpack_object *type = nf_mp_find(o, "r");
    void *larger;

    if (!type || type->type != MSGPACK_OBJECT_STR)
        return nf_fail(err, NF_EFORMAT, "a record without its type");
    a->type = nf_kind_record(k, type->via.str.ptr, type->via.str.size);
    if (!a->type)
        return refuse_type(k, &type->via.str, err);
    if (a->room < a->type->size) {
        larger = realloc(a->rec, a->type->size);
        if (!larger)
            return nf_fail(err, NF_ESYS, "out of memory");
        a->rec = larger;
        a->room = a->type->size;
    }
    a->object = o;
    return nf_read_record(a->type, o, sizes, a->rec, &a->mem, err);
}

void nf_any_clear(struct nf_any_record *a)
{
    nf_mem_clear(&a->mem);
    free(a->rec);
    *a = (struct nf_any_record){ 0 };
}
