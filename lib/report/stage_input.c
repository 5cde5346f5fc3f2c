/* stage_input.c - read a stream of effects, lens or stats into the means of its interventions, points or layers. */
#include "report/stage_input.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "record/context.h"
#include "stream/mp.h"

/* Of the two kinds that announce their things: record types, and the measures that figures show. */
static const struct {
    const char *thing, *mean, *measure[5];
} types[] = {
    [NF_STAGE_EFFECTS] = { "intervention", "effect", { "kl", "agree", "entropy", "entropy_change", NULL } },
    [NF_STAGE_LENS] = { "point", "lens", { "kl", "agree", "entropy", NULL } },
};

static bool says(const msgpack_object *rec, const char *key, const char *value)
{
    const char *s;
    size_t n;

    return nf_mp_str(rec, key, &s, &n, NULL) == NF_OK && n == strlen(value) && !memcmp(s, value, n);
}

/* The layers of an intervention lie in the model: a block (nil for those without), of "repeat" a range; a point also after the last. */
static int check_place(const struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    const msgpack_object *layer = nf_mp_find(rec, "layer");
    uint64_t at = 0, to;

    if (run->kind == NF_STAGE_LENS)
        return nf_mp_uint(rec, "layer", run->L, &at, err);
    if (layer && layer->type != MSGPACK_OBJECT_NIL && (run->L == 0 || nf_mp_uint(rec, "layer", run->L - 1, &at, err) < 0))
        return nf_fail(err, NF_EFORMAT, "an intervention on a layer outside the model");
    if ((says(rec, "kind", "drop") || says(rec, "kind", "swap")) && (!layer || layer->type == MSGPACK_OBJECT_NIL))
        return nf_fail(err, NF_EFORMAT, "an intervention without its layer");
    if (says(rec, "kind", "repeat") && (nf_mp_uint(rec, "to", run->L, &to, err) < 0 || to <= at))
        return nf_fail(err, NF_EFORMAT, "a repetition of no layers");
    return NF_OK;
}

static int take_thing(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    const char *what = types[run->kind].thing, *name;
    uint64_t number;
    size_t n;

    if (nf_mp_uint(rec, what, INT64_MAX, &number, err) < 0 || nf_mp_str(rec, "name", &name, &n, err) < 0 ||
        (run->kind == NF_STAGE_EFFECTS && nf_mp_str(rec, "kind", &name, &n, err) < 0))
        return NF_EFORMAT;
    if (number != json_array_size(run->things))
        return nf_fail(err, NF_EFORMAT, "%s %llu comes twice, or out of order", what, (unsigned long long)number);
    if (check_place(run, rec, err) < 0)
        return NF_EFORMAT;
    return json_array_append_new(run->things, nf_json_of(rec)) < 0 ? nf_fail(err, NF_ESYS, "out of memory") : NF_OK;
}

static int check_measures(const struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    uint64_t n;

    for (const char *const *m = types[run->kind].measure; *m; m++) {
        const msgpack_object *o = nf_mp_find(rec, *m);

        if (!o || o->type != MSGPACK_OBJECT_MAP || nf_mp_uint(o, "n", INT64_MAX, &n, err) < 0)
            return nf_fail(err, NF_EFORMAT, "%s record: %s is no mean", types[run->kind].mean, *m);
    }
    return NF_OK;
}

/* The means of a domain, of things that have a figure by domain. */
static void keep_domain(json_t *thing, const msgpack_object *rec)
{
    const char *kind = nf_str_at(thing, "kind");
    json_t *domains = json_object_get(thing, "domains");

    if (*kind && strcmp(kind, "drop") && strcmp(kind, "swap"))
        return;
    if (!domains)
        json_object_set_new(thing, "domains", domains = json_array());
    if (json_array_size(domains) < NF_PAGE_DOMAINS)
        json_array_append_new(domains, nf_json_of(rec));
}

static int take_mean(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    const char *what = types[run->kind].thing;
    uint64_t number;
    json_t *thing;

    if (nf_mp_uint(rec, what, INT64_MAX, &number, err) < 0 || check_measures(run, rec, err) < 0)
        return NF_EFORMAT;
    thing = json_array_get(run->things, (size_t)number);
    if (!thing)
        return nf_fail(err, NF_EFORMAT, "a mean of %s %llu, which was not announced", what, (unsigned long long)number);
    if (says(rec, "by", "domain"))
        keep_domain(thing, rec);
    if (!says(rec, "by", "all"))
        return NF_OK;
    if (json_object_get(thing, "all"))
        return nf_fail(err, NF_EFORMAT, "%s %llu has its means twice", what, (unsigned long long)number);
    return json_object_set_new(thing, "all", nf_json_of(rec)) < 0 ? nf_fail(err, NF_ESYS, "out of memory") : NF_OK;
}

/* NF_EOF: of no type that belongs to effects or lens. */
static int take_measured(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    if (nf_mp_is(rec, types[run->kind].thing))
        return take_thing(run, rec, err);
    if (nf_mp_is(rec, types[run->kind].mean))
        return take_mean(run, rec, err);
    if (nf_mp_is(rec, "token"))
        return NF_OK;
    return run->kind == NF_STAGE_LENS && (nf_mp_is(rec, "part") || nf_mp_is(rec, "parts") || nf_mp_is(rec, "attribution")) ? NF_OK
                                                                                                                           : NF_EOF;
}

static int take_stage_record(struct nf_stage_input *run, const msgpack_object *rec, struct nf_err *err)
{
    int rc = run->kind == NF_STAGE_STATS ? nf_stage_stats_take(run, rec, err) : take_measured(run, rec, err);
    const char *type = "?";
    size_t len = 1;

    if (rc != NF_EOF)
        return rc;
    nf_mp_str(rec, "r", &type, &len, NULL);
    return nf_fail(err, NF_EFORMAT, "unknown record type \"%.*s\" in a stream of kind %s", (int)len, type,
                   nf_stage_kind_name(run->kind));
}

static const char *const kinds[NF_STAGE_KINDS] = { "effects", "lens", "stats", "neurons" };

const char *nf_stage_kind_name(enum nf_stage_kind k)
{
    return kinds[k];
}

/* The kind of a stream that the reader let through. */
static enum nf_stage_kind kind_of(const struct nf_reader *in)
{
    enum nf_stage_kind k = 0;

    while (k + 1 < NF_STAGE_KINDS && strcmp(kinds[k], nf_reader_kind(in)))
        k++;
    return k;
}

int nf_stage_input_read(struct nf_stage_input *run, struct nf_reader *in, struct nf_err *err)
{
    json_t *header = nf_reader_header(in);
    const char *name = nf_str_at(header, "model.name");
    struct nf_vocab vocab = { 0 };
    const msgpack_object *rec;
    int rc = NF_OK;

    *run = (struct nf_stage_input){ .kind = kind_of(in),
                                    .header = json_incref(header),
                                    .things = json_array(),
                                    .pairs = json_array(),
                                    .heads = json_array(),
                                    .L = nf_whole_at(header, "model.L") };
    snprintf(run->name, sizeof run->name, "%s", *name ? name : "model");
    if (!run->things || !run->pairs || !run->heads)
        rc = nf_fail(err, NF_ESYS, "out of memory");
    if (run->L > NF_REPORT_LAYERS)
        rc = nf_fail(err, NF_EFORMAT, "a model of %zu layers: a report takes up to %d", run->L, NF_REPORT_LAYERS);
    while (rc == NF_OK && (rc = nf_reader_next(in, &rec)) == NF_OK) {
        rc = nf_context_read(rec, &vocab, err);
        if (rc == NF_EOF)
            rc = take_stage_record(run, rec, err);
    }
    nf_vocab_clear(&vocab);
    if (rc == NF_EOF && run->kind == NF_STAGE_STATS && !json_array_size(run->things) && !json_array_size(run->pairs))
        return nf_fail(err, NF_EFORMAT,
                       "stats without measures of layers (reduce-stats --measure); those of neurons go through classify-neurons");
    return rc == NF_EOF ? NF_OK : rc;
}

void nf_stage_input_of(struct nf_stage_input *stage, const struct nf_input *run)
{
    *stage = (struct nf_stage_input){ .kind = NF_STAGE_NEURONS,
                                      .header = json_incref(run->header),
                                      .things = json_incref(run->weights),
                                      .pairs = json_array(),
                                      .heads = json_array(),
                                      .L = run->L };
    memcpy(stage->name, run->name, sizeof stage->name);
}

void nf_stage_input_clear(struct nf_stage_input *run)
{
    json_decref(run->header);
    json_decref(run->things);
    json_decref(run->pairs);
    json_decref(run->heads);
    *run = (struct nf_stage_input){ 0 };
}
