/* check_neurons.c - kind "neurons". */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/neurons.h"
#include "inspect/check.h"
#include "inspect/check_context.h"
#include "stream/mp.h"

struct neurons {
    struct nf_check_context context;
    bool any;
    uint64_t layer, neuron;        /* of the last neuron record */
    uint64_t neurons, classes[NF_CLASSES];
    bool uncounted;                /* a class is unknown: the totals of the classes say nothing */
};

static void neurons_close(void *state)
{
    struct neurons *n = state;

    if (n)
        nf_check_context_close(&n->context);
    free(n);
}

static void *neurons_open(const json_t *header, struct nf_err *err)
{
    struct neurons *n = nf_alloc(1, sizeof *n, err);

    if (!n || nf_check_context_open(&n->context, header, err) < 0) {
        neurons_close(n);
        return NULL;
    }
    return n;
}

/* Is it a share, and if so: k <= n, lo <= p <= hi, all in [0, 1]? */
static int check_share(const msgpack_object *key, const msgpack_object *v, struct nf_err *err)
{
    uint64_t k, n;
    double p, lo, hi;
    bool ok;

    if (v->via.map.size != 5 || nf_mp_uint(v, "k", UINT64_MAX, &k, NULL) < 0 || nf_mp_uint(v, "n", UINT64_MAX, &n, NULL) < 0 ||
        !nf_mp_find(v, "lo"))
        return NF_OK;
    if (n == 0)
        ok = k == 0 && nf_mp_find(v, "lo")->type == MSGPACK_OBJECT_NIL;
    else
        ok = k <= n && nf_mp_real(v, "p", &p, NULL) == NF_OK && nf_mp_real(v, "lo", &lo, NULL) == NF_OK &&
             nf_mp_real(v, "hi", &hi, NULL) == NF_OK && lo >= 0 && lo <= p && p <= hi && hi <= 1;
    return ok ? NF_OK
              : nf_fail(err, NF_EFORMAT, "%.*s: not a share: k of n with 0 <= lo <= p <= hi <= 1",
                        key->type == MSGPACK_OBJECT_STR && key->via.str.size < 80 ? (int)key->via.str.size : 1,
                        key->type == MSGPACK_OBJECT_STR ? key->via.str.ptr : "?");
}

static int check_shares(const msgpack_object *key, const msgpack_object *v, struct nf_err *err)
{
    int rc = NF_OK;

    if (v->type == MSGPACK_OBJECT_MAP) {
        rc = check_share(key, v, err);
        for (uint32_t i = 0; rc == NF_OK && i < v->via.map.size; i++)
            rc = check_shares(&v->via.map.ptr[i].key, &v->via.map.ptr[i].val, err);
    }
    return rc;
}

/* The class is one that FORMAT.md names and, but for `other`, among `classes`. */
static int check_class(struct neurons *n, const msgpack_object *rec, struct nf_err *err)
{
    const msgpack_object *class = nf_mp_find(rec, "class"), *list;
    size_t count, c = 0;
    bool uncounted = n->uncounted;

    n->uncounted = true;
    if (!class || class->type != MSGPACK_OBJECT_STR)
        return nf_fail(err, NF_EFORMAT, "class is missing");
    while (c < NF_CLASSES && (strlen(nf_class_name((enum nf_class)c)) != class->via.str.size ||
                              memcmp(nf_class_name((enum nf_class)c), class->via.str.ptr, class->via.str.size) != 0))
        c++;
    if (c == NF_CLASSES)
        return nf_fail(err, NF_EFORMAT, "unknown class '%.*s'", class->via.str.size < 80 ? (int)class->via.str.size : 80,
                       class->via.str.ptr);
    n->uncounted = uncounted;
    n->classes[c]++;
    if (nf_mp_array(rec, "classes", &list, &count, err) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; i < count; i++)
        if (msgpack_object_equal(list[i], *class))
            return NF_OK;
    return c == NF_OTHER ? NF_OK : nf_fail(err, NF_EFORMAT, "class '%s' is not among its classes", nf_class_name((enum nf_class)c));
}

static int check_neuron(struct neurons *n, const msgpack_object *rec, struct nf_err *err)
{
    uint64_t layer, neuron, last_layer = n->layer, last = n->neuron;
    bool first = !n->any;
    int rc;

    if (nf_mp_uint(rec, "layer", UINT32_MAX, &layer, err) < 0 || nf_mp_uint(rec, "neuron", UINT32_MAX, &neuron, err) < 0)
        return NF_EFORMAT;
    n->any = true;
    n->layer = layer;
    n->neuron = neuron;
    n->neurons++;
    rc = check_class(n, rec, err);
    if (!first && (layer < last_layer || (layer == last_layer && neuron <= last)))
        return nf_fail(err, NF_EFORMAT, "layer %" PRIu64 ", neuron %" PRIu64 " after layer %" PRIu64 ", neuron %" PRIu64, layer,
                       neuron, last_layer, last);
    return rc;
}

static int neurons_record(void *state, const msgpack_object *rec, struct nf_err *err)
{
    static const char *const others[] = { "run", "layer", "suppression", "team", "activation" };
    struct neurons *n = state;
    int rc = nf_check_context_record(&n->context, rec, err);
    bool known = nf_mp_is(rec, "neuron");

    if (rc != NF_EOF)
        return rc == NF_OK && nf_mp_is(rec, "doc") ? nf_fail(err, NF_EFORMAT, "doc is not a record of kind neurons") : rc;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        known = known || nf_mp_is(rec, others[i]);
    if (!known)
        return nf_fail(err, NF_EFORMAT, "not a record of kind neurons");
    if (nf_mp_is(rec, "neuron") && check_neuron(n, rec, err) < 0)
        return NF_EFORMAT;
    return check_shares(&rec->via.map.ptr[0].key, rec, err);
}

/* Streams of the time before a class was known have no total of it. */
static bool has_total(const msgpack_object *end, enum nf_class c)
{
    const msgpack_object *totals = nf_mp_find(end, "totals");

    return totals && totals->type == MSGPACK_OBJECT_MAP && nf_mp_find(totals, nf_class_name(c));
}

static int neurons_end(void *state, const msgpack_object *end, struct nf_err *err)
{
    const struct neurons *n = state;

    if (nf_check_total(end, "neurons", n->neurons, err) < 0)
        return NF_EFORMAT;
    for (size_t c = 0; !n->uncounted && c < NF_CLASSES; c++)
        if ((n->classes[c] > 0 || !(NF_WEIGHT_CLASSES >> c & 1) || has_total(end, c)) &&
            nf_check_total(end, nf_class_name((enum nf_class)c), n->classes[c], err) < 0)
            return NF_EFORMAT;
    return NF_OK;
}

const struct nf_check_kind nf_check_neurons = { "neurons", neurons_open, neurons_record, neurons_end, neurons_close };
