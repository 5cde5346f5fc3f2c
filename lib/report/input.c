/* input.c - read a neurons stream into what a report needs of it. */
#include "report/input.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "record/context.h"
#include "stream/mp.h"
#include "tensor/tensor.h"

enum { TOKEN_SHOWN = 96 }; /* bytes of a token's printable text */

/* ---- access ---- */

const json_t *nf_at(const json_t *j, const char *path)
{
    while (j && *path) {
        size_t n = strcspn(path, ".");
        char key[64];

        snprintf(key, sizeof key, "%.*s", (int)n, path);
        j = json_object_get(j, key);
        path += n + (path[n] == '.');
    }
    return j;
}

double nf_real_at(const json_t *j, const char *path)
{
    j = nf_at(j, path);
    return json_is_number(j) ? json_number_value(j) : NAN;
}

uint64_t nf_whole_at(const json_t *j, const char *path)
{
    j = nf_at(j, path);
    return json_is_integer(j) && json_integer_value(j) > 0 ? (uint64_t)json_integer_value(j) : 0;
}

const char *nf_str_at(const json_t *j, const char *path)
{
    const char *s = json_string_value(nf_at(j, path));

    return s ? s : "";
}

struct nf_share nf_share_at(const json_t *j, const char *path)
{
    j = nf_at(j, path);
    return (struct nf_share){ nf_whole_at(j, "k"), nf_whole_at(j, "n"), nf_real_at(j, "p"), nf_real_at(j, "lo"),
                              nf_real_at(j, "hi") };
}

const char *nf_token(const struct nf_input *run, uint64_t id)
{
    char key[24];
    const char *s;

    snprintf(key, sizeof key, "%llu", (unsigned long long)id);
    s = json_string_value(json_object_get(run->tokens, key));
    return s ? s : "?";
}

/* ---- msgpack to JSON ---- */

/* Numbers of a tensor, flat: bytes of any alignment; element i. */
static json_t *tensor_item(const struct nf_tensor *t, size_t i)
{
    const unsigned char *p = (const unsigned char *)t->data + i * nf_dtype_size(t->dtype);
    uint64_t u = 0;
    double f;

    switch (t->dtype) {
    case NF_F64:
        memcpy(&f, p, 8);
        return isfinite(f) ? json_real(f) : json_null();
    case NF_U8:
    case NF_U16:
    case NF_U32:
    case NF_U64:
        memcpy(&u, p, nf_dtype_size(t->dtype)); /* little-endian machines */
        return json_integer((json_int_t)u);
    default:
        return NULL;
    }
}

static json_t *json_of_map(const msgpack_object *o)
{
    json_t *j = json_object();

    for (size_t i = 0; j && i < o->via.map.size; i++) {
        const msgpack_object_kv *kv = &o->via.map.ptr[i];
        char key[64];

        if (kv->key.type != MSGPACK_OBJECT_STR)
            continue;
        nf_utf8_show(kv->key.via.str.ptr, kv->key.via.str.size, key, sizeof key);
        if (json_object_set_new(j, key, nf_json_of(&kv->val)) < 0) {
            json_decref(j);
            return NULL;
        }
    }
    return j;
}

json_t *nf_json_of(const msgpack_object *o)
{
    struct nf_tensor t;
    json_t *j;
    char s[512];
    size_t n;

    if (o->type == MSGPACK_OBJECT_MAP && nf_mp_tensor_any(o, &t) != NF_OK)
        return json_of_map(o);
    switch (o->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        return json_boolean(o->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer(o->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return isfinite(o->via.f64) ? json_real(o->via.f64) : json_null();
    case MSGPACK_OBJECT_STR:
        return json_string(nf_utf8_show(o->via.str.ptr, o->via.str.size, s, sizeof s));
    case MSGPACK_OBJECT_ARRAY:
        j = json_array();
        for (size_t i = 0; j && i < o->via.array.size; i++)
            json_array_append_new(j, nf_json_of(&o->via.array.ptr[i]));
        return j;
    case MSGPACK_OBJECT_MAP:
        j = nf_tensor_count(&t, &n) ? json_array() : NULL;
        for (size_t i = 0; j && i < n; i++)
            json_array_append_new(j, tensor_item(&t, i));
        return j;
    default:
        return json_null();
    }
}

/* ---- neurons ---- */

/* Keep the first `max` items of the arrays under these keys; false: some array was longer. */
static void cut_arrays(json_t *j, const char *const *keys, size_t max)
{
    for (; *keys; keys++) {
        json_t *a = json_object_get(j, *keys);
        size_t n = json_array_size(a);

        if (n > max && !json_object_get(j, "covered_total") && !strcmp(*keys, "covered"))
            json_object_set_new(j, "covered_total", json_integer((json_int_t)n));
        while (n > max)
            json_array_remove(a, --n);
    }
}

/* A curve as sums over at most NF_PAGE_CURVE_POINTS bins of equal width (the last may be narrower); the width goes to "bin". */
static void bin_curve(json_t *position)
{
    json_t *curve = json_object_get(position, "curve"), *bins = json_array();
    size_t n = json_array_size(curve), width = (n + NF_PAGE_CURVE_POINTS - 1) / NF_PAGE_CURVE_POINTS;

    for (size_t i = 0; width && i < n; i += width) {
        json_int_t sum = 0;

        for (size_t k = i; k < i + width && k < n; k++)
            sum += json_integer_value(json_array_get(curve, k));
        json_array_append_new(bins, json_integer(sum));
    }
    json_object_set_new(position, "T", json_integer((json_int_t)n));
    json_object_set_new(position, "bin", json_integer((json_int_t)width));
    json_object_set_new(position, "curve", bins);
}

static void keep_field(json_t *to, const msgpack_object *rec, const char *key)
{
    static const char *const grams[] = { "covered", "c", "n", "lo", "top", NULL };
    static const char *const values[] = { "promoted", "suppressed", NULL };
    static const char *const projections[] = { "raw", "centred", "ln", "cosine", NULL };
    static const char *const aligned[] = { "values", "percentiles", NULL };
    const msgpack_object *o = nf_mp_find(rec, key);
    json_t *j = o && o->type == MSGPACK_OBJECT_MAP ? nf_json_of(o) : NULL;

    if (!j)
        return;
    cut_arrays(j, grams, NF_PAGE_GRAMS);
    cut_arrays(j, values, NF_PAGE_VALUES);
    for (const char *const *p = projections; *p; p++)
        cut_arrays(json_object_get(j, *p), aligned, NF_PAGE_GRAMS);
    if (json_object_get(j, "curve"))
        bin_curve(j);
    json_object_set_new(to, key, j);
}

static bool is_class(const json_t *rec, const char *name)
{
    size_t i;
    json_t *c;

    json_array_foreach (json_object_get(rec, "classes"), i, c)
        if (!strcmp(json_string_value(c) ? json_string_value(c) : "", name))
            return true;
    return false;
}

/* Few tokens cover the firings, so the stream lists what it fires on; but the token rule does not hold, or is open. */
static bool near_miss(const msgpack_object *rec)
{
    const msgpack_object *token = nf_mp_find(rec, "token");

    return token && nf_mp_find(token, "share");
}

/* The evidence of a neuron that has a class of its own or nearly so, as far as the page has room. */
static void keep_evidence(struct nf_input *run, const msgpack_object *rec, json_t *head)
{
    bool detector = is_class(head, "token-detector") || is_class(head, "bigram-detector") || is_class(head, "trigram-detector");
    bool curve = is_class(head, "positional") || is_class(head, "first-positions"), near = !detector && near_miss(rec);

    if (!detector && !curve && !near)
        return;
    if ((detector && run->detectors >= NF_PAGE_EVIDENCE) || (curve && run->curves >= NF_PAGE_CURVES) ||
        (near && run->near >= NF_PAGE_NEAR)) {
        run->cut++;
        return;
    }
    run->detectors += detector;
    run->curves += curve;
    run->near += near;
    if (near || is_class(head, "token-detector")) {
        keep_field(head, rec, "token");
        keep_field(head, rec, "suppress");
    }
    if (is_class(head, "bigram-detector"))
        keep_field(head, rec, "bigram");
    if (is_class(head, "trigram-detector"))
        keep_field(head, rec, "trigram");
    if (curve)
        keep_field(head, rec, "position");
    json_array_append(run->evidence, head);
}

/* The most frequent triggers of any neuron: [id, c, n, ...], for "which neurons fire on this token". */
static json_t *triggers(const msgpack_object *rec)
{
    const msgpack_object *token = nf_mp_find(rec, "token"), *top = token ? nf_mp_find(token, "top") : NULL;
    json_t *flat = json_array();

    for (size_t i = 0; top && top->type == MSGPACK_OBJECT_ARRAY && i < top->via.array.size && i < NF_PAGE_TRIGGERS; i++) {
        json_t *row = nf_json_of(&top->via.array.ptr[i]), *v;
        size_t k;

        json_array_foreach (row, k, v)
            json_array_append(flat, v);
        json_decref(row);
    }
    return flat;
}

static void add_figure_column(struct nf_input *run, const char *name, json_t *v)
{
    json_array_append_new(json_object_get(run->neurons, name), v ? v : json_null());
}

/* The fields that every neuron record must have, and those that the page lists. */
static int neuron_head(const struct nf_input *run, const msgpack_object *rec, json_t **head, size_t *class, struct nf_err *err)
{
    static const char *const keep[] = { "classes", "undecided", "fires", "fires_bos", "n", "band", "cover", "domain_freq", NULL };
    uint64_t layer, neuron, fires, n;
    const char *name;
    size_t len, c = 0;

    if (nf_mp_uint(rec, "layer", run->L - 1, &layer, err) < 0 || nf_mp_uint(rec, "neuron", run->F - 1, &neuron, err) < 0 ||
        nf_mp_uint(rec, "fires", INT64_MAX, &fires, err) < 0 || nf_mp_uint(rec, "n", INT64_MAX, &n, err) < 0 ||
        nf_mp_str(rec, "class", &name, &len, err) < 0)
        return NF_EFORMAT;
    if (layer * run->F + neuron < run->next)
        return nf_fail(err, NF_EFORMAT, "neuron %zu.%zu comes twice, or out of order", (size_t)layer, (size_t)neuron);
    while (c < NF_CLASSES && (strlen(nf_class_name(c)) != len || memcmp(nf_class_name(c), name, len)))
        c++;
    if (c == NF_CLASSES)
        return nf_fail(err, NF_EFORMAT, "neuron %zu.%zu: unknown class \"%.*s\"", (size_t)layer, (size_t)neuron, (int)len, name);
    *class = c;
    *head = json_pack("{sIsIss}", "layer", (json_int_t)layer, "neuron", (json_int_t)neuron, "class", nf_class_name(c));
    for (const char *const *k = keep; *k; k++) {
        const msgpack_object *o = nf_mp_find(rec, *k);

        if (o)
            json_object_set_new(*head, *k, nf_json_of(o));
    }
    return *head ? NF_OK : nf_fail(err, NF_ESYS, "out of memory");
}

static int take_shown_neuron(struct nf_input *run, const msgpack_object *rec, struct nf_err *err)
{
    json_t *head = NULL;
    size_t class = 0;

    int rc;

    if (run->L == 0 || run->F == 0)
        return nf_fail(err, NF_EFORMAT, "a neuron record in a stream of a model without layers");
    rc = neuron_head(run, rec, &head, &class, err);
    if (rc < 0) {
        json_decref(head);
        return rc;
    }
    run->seen++;
    run->next = (uint64_t)json_integer_value(json_object_get(head, "layer")) * run->F +
                (uint64_t)json_integer_value(json_object_get(head, "neuron")) + 1;
    if (run->all || near_miss(rec) || (class != NF_DEAD && class != NF_OTHER)) {
        const msgpack_object *mi = nf_mp_find(rec, "position") ? nf_mp_find(nf_mp_find(rec, "position"), "mi") : NULL;

        add_figure_column(run, "layer", json_incref(json_object_get(head, "layer")));
        add_figure_column(run, "neuron", json_incref(json_object_get(head, "neuron")));
        add_figure_column(run, "class", json_integer((json_int_t) class));
        add_figure_column(run, "fires", json_incref(json_object_get(head, "fires")));
        add_figure_column(run, "mi", mi ? nf_json_of(mi) : NULL);
        add_figure_column(run, "cover", json_incref(json_array_get(json_array_get(json_object_get(head, "cover"), 0), 0)));
        add_figure_column(run, "undecided", json_boolean(json_array_size(json_object_get(head, "undecided")) > 0));
        add_figure_column(run, "top", triggers(rec));
    }
    if ((class != NF_DEAD && class != NF_OTHER) || near_miss(rec))
        keep_evidence(run, rec, head);
    json_decref(head);
    return NF_OK;
}

/* ---- tokens ---- */

static int mention(struct nf_input *run, const struct nf_vocab *v, const json_t *id, struct nf_err *err)
{
    json_int_t i = json_integer_value(id);
    char key[24], shown[TOKEN_SHOWN];

    if (!json_is_integer(id) || i < 0 || (uint64_t)i >= v->V)
        return nf_fail(err, NF_EFORMAT, "a token id %lld in a vocabulary of %zu", (long long)i, v->V);
    snprintf(key, sizeof key, "%lld", (long long)i);
    if (!json_object_get(run->tokens, key))
        json_object_set_new(run->tokens, key, json_string(nf_vocab_show(v, (uint32_t)i, shown, sizeof shown)));
    return NF_OK;
}

/* ids: an id, or an array of ids. */
static int mention_gram(struct nf_input *run, const struct nf_vocab *v, const json_t *ids, struct nf_err *err)
{
    size_t i;
    json_t *id;
    int rc = NF_OK;

    if (!json_is_array(ids))
        return mention(run, v, ids, err);
    json_array_foreach (ids, i, id)
        rc = rc == NF_OK ? mention(run, v, id, err) : rc;
    return rc;
}

/* Arrays of n-grams ("covered"), or of rows that begin with one ("top", "promoted", "suppressed"). */
static int mention_all(struct nf_input *run, const struct nf_vocab *v, const json_t *grams, bool rows, struct nf_err *err)
{
    size_t i;
    json_t *g;
    int rc = NF_OK;

    json_array_foreach (grams, i, g)
        rc = rc == NF_OK ? mention_gram(run, v, rows ? json_array_get(g, 0) : g, err) : rc;
    return rc;
}

static int mention_tokens(struct nf_input *run, const struct nf_vocab *v, struct nf_err *err)
{
    static const char *const orders[] = { "token", "bigram", "trigram", NULL };
    size_t i, k;
    json_t *e, *flat;
    int rc = NF_OK;

    json_array_foreach (run->evidence, i, e) {
        for (const char *const *o = orders; *o && rc == NF_OK; o++) {
            rc = mention_all(run, v, nf_at(json_object_get(e, *o), "covered"), false, err);
            rc = rc == NF_OK ? mention_all(run, v, nf_at(json_object_get(e, *o), "top"), true, err) : rc;
        }
        rc = rc == NF_OK ? mention_all(run, v, nf_at(e, "suppress.promoted"), true, err) : rc;
        rc = rc == NF_OK ? mention_all(run, v, nf_at(e, "suppress.suppressed"), true, err) : rc;
    }
    json_array_foreach (json_object_get(run->neurons, "top"), i, flat)
        for (k = 0; k < json_array_size(flat) && rc == NF_OK; k += 3)
            rc = mention(run, v, json_array_get(flat, k), err);
    return rc;
}

/* ---- the stream ---- */

static int check_layer(const struct nf_input *run, const msgpack_object *rec, struct nf_err *err)
{
    static const char *const shares[] = { "dead", NULL };
    uint64_t layer, n;

    if (run->L == 0)
        return nf_fail(err, NF_EFORMAT, "a layer record in a stream of a model without layers");
    if (nf_mp_uint(rec, "layer", run->L - 1, &layer, err) < 0 || nf_mp_uint(rec, "neurons", run->F, &n, err) < 0)
        return NF_EFORMAT;
    for (const char *const *s = shares; *s; s++) {
        const msgpack_object *o = nf_mp_find(rec, *s);

        if (!o || o->type != MSGPACK_OBJECT_MAP || nf_mp_uint(o, "k", INT64_MAX, &n, err) < 0 ||
            nf_mp_uint(o, "n", INT64_MAX, &n, err) < 0)
            return nf_fail(err, NF_EFORMAT, "layer record %zu: %s is no share", (size_t)layer, *s);
    }
    return NF_OK;
}

/* What the weights say of a layer: how many neurons of it have each class. */
static int take_weights(struct nf_input *run, const msgpack_object *rec, struct nf_err *err)
{
    const msgpack_object *vocab = nf_mp_find(rec, "vocab");
    uint64_t layer, n;

    if (!vocab || vocab->type != MSGPACK_OBJECT_MAP)
        return NF_OK;
    if (run->L == 0 || nf_mp_uint(rec, "layer", run->L - 1, &layer, err) < 0 || nf_mp_uint(rec, "neurons", run->F, &n, err) < 0)
        return run->L ? NF_EFORMAT : nf_fail(err, NF_EFORMAT, "a layer record in a stream of a model without layers");
    if (json_array_size(run->weights) &&
        nf_whole_at(json_array_get(run->weights, json_array_size(run->weights) - 1), "layer") >= layer)
        return nf_fail(err, NF_EFORMAT, "layer %zu comes twice, or out of order", (size_t)layer);
    json_array_append_new(run->weights,
                          json_pack("{sIsIso}", "layer", (json_int_t)layer, "neurons", (json_int_t)n, "vocab", nf_json_of(vocab)));
    return NF_OK;
}

/* A layer without counts, or a neuron of it: only what the weights say. */
static bool uncounted(const msgpack_object *rec)
{
    return (nf_mp_is(rec, "layer") && nf_mp_find(rec, "vocab") && !nf_mp_find(rec, "dead")) ||
           (nf_mp_is(rec, "neuron") && nf_mp_find(rec, "weights") && !nf_mp_find(rec, "fires"));
}

static int take_neurons_record(struct nf_input *run, const msgpack_object *rec, struct nf_err *err)
{
    json_t *to = nf_mp_is(rec, "layer")         ? run->layers
                 : nf_mp_is(rec, "suppression") ? run->suppression
                 : nf_mp_is(rec, "team")        ? run->teams
                                                : NULL;
    const char *type = "?";
    size_t len = 1;

    if (to == run->layers && take_weights(run, rec, err) < 0)
        return NF_EFORMAT;
    if (nf_mp_is(rec, "activation") || uncounted(rec))
        return NF_OK;
    if (nf_mp_is(rec, "neuron"))
        return take_shown_neuron(run, rec, err);
    if (to == run->layers && check_layer(run, rec, err) < 0)
        return NF_EFORMAT;
    if (to)
        return json_array_append_new(to, nf_json_of(rec)) < 0 ? nf_fail(err, NF_ESYS, "out of memory") : NF_OK;
    if (!nf_mp_is(rec, "run")) {
        nf_mp_str(rec, "r", &type, &len, NULL);
        return nf_fail(err, NF_EFORMAT, "unknown record type \"%.*s\" in a neurons stream", (int)len, type);
    }
    json_decref(run->run);
    run->run = nf_json_of(rec);
    return run->run ? NF_OK : nf_fail(err, NF_ESYS, "out of memory");
}

/* Sizes and name from the header; the containers. */
static int start_input(struct nf_input *run, json_t *header, size_t room, struct nf_err *err)
{
    static const char *const columns[] = { "layer", "neuron", "class", "fires", "mi", "cover", "undecided", "top", NULL };

    *run = (struct nf_input){ .header = json_incref(header),
                              .layers = json_array(),
                              .weights = json_array(),
                              .suppression = json_array(),
                              .teams = json_array(),
                              .neurons = json_object(),
                              .evidence = json_array(),
                              .tokens = json_object(),
                              .run = json_object() };
    for (const char *const *c = columns; *c; c++)
        json_object_set_new(run->neurons, *c, json_array());
    if (!run->layers || !run->weights || !run->suppression || !run->teams || !run->neurons || !run->evidence || !run->tokens ||
        !run->run)
        return nf_fail(err, NF_ESYS, "out of memory");
    run->L = nf_whole_at(header, "model.L");
    run->F = nf_whole_at(header, "model.F");
    if (run->L > NF_REPORT_LAYERS)
        return nf_fail(err, NF_EFORMAT, "a model of %zu layers: a report takes up to %d", run->L, NF_REPORT_LAYERS);
    run->T = nf_whole_at(header, "context");
    run->all = run->F == 0 || run->L <= room / run->F;
    snprintf(run->name, sizeof run->name, "%s", *nf_str_at(header, "model.name") ? nf_str_at(header, "model.name") : "model");
    return NF_OK;
}

int nf_input_read(struct nf_input *run, struct nf_reader *in, size_t room, struct nf_err *err)
{
    struct nf_vocab vocab = { 0 };
    const msgpack_object *rec;
    int rc = start_input(run, nf_reader_header(in), room, err);

    while (rc == NF_OK && (rc = nf_reader_next(in, &rec)) == NF_OK) {
        rc = nf_context_read(rec, &vocab, err);
        if (rc == NF_EOF)
            rc = take_neurons_record(run, rec, err);
    }
    if (rc == NF_EOF)
        rc = mention_tokens(run, &vocab, err);
    nf_vocab_clear(&vocab);
    return rc;
}

void nf_input_clear(struct nf_input *run)
{
    json_t *const owned[] = { run->header, run->run,   run->layers,  run->weights, run->suppression,
                              run->teams,  run->neurons, run->evidence, run->tokens };

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        json_decref(owned[i]);
    *run = (struct nf_input){ 0 };
}
