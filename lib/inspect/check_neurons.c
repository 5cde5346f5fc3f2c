/* check_neurons.c - kind "neurons": order, and the counts of classes. */
#include "inspect/check_rules.h"
#include "record/neurons.h"

struct neurons {
    bool any;
    size_t layer, neuron; /* of the last neuron record */
    uint64_t neurons, classes[NF_CLASSES];
};

static int neurons_record(void *state, struct nf_check_stream *s, const struct nf_any_record *in, struct nf_err *err)
{
    struct neurons *n = state;
    const struct nf_neuron *rec = in->rec;
    size_t last_layer = n->layer, last = n->neuron;
    bool first = !n->any;

    (void)s;
    if (in->type != &nf_neuron_record)
        return NF_OK;
    n->any = true;
    n->layer = rec->layer;
    n->neuron = rec->neuron;
    n->neurons++;
    n->classes[rec->class]++;
    if (!first && (rec->layer < last_layer || (rec->layer == last_layer && rec->neuron <= last)))
        return nf_fail(err, NF_EFORMAT, "layer %zu, neuron %zu after layer %zu, neuron %zu", rec->layer, rec->neuron, last_layer,
                       last);
    return NF_OK;
}

static int neurons_end(void *state, const struct nf_check_stream *s, const msgpack_object *end, struct nf_err *err)
{
    const struct neurons *n = state;

    (void)s;
    if (nf_check_total(end, "neurons", n->neurons, err) < 0)
        return NF_EFORMAT;
    for (size_t c = 0; c < NF_CLASSES; c++)
        if (nf_check_total(end, nf_class_name((enum nf_class)c), n->classes[c], err) < 0)
            return NF_EFORMAT;
    return NF_OK;
}

const struct nf_check_rules nf_check_neurons = {
    .kind = "neurons", .size = sizeof(struct neurons), .record = neurons_record, .end = neurons_end
};
