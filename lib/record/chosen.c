/* chosen.c - neurons by name or class, and their mean activations. */
#include "record/chosen.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "stream/mp.h"
#include "stream/reader.h"

int nf_chosen_add(struct nf_chosen *c, size_t layer, size_t neuron, const struct nf_config *cfg, struct nf_err *err)
{
    size_t cap = c->cap, cap2 = c->cap, cap3 = c->cap;

    if (layer >= cfg->L || neuron >= cfg->F)
        return nf_fail(err, NF_EUSAGE, "neuron %zu.%zu: the model has layers 0 to %zu and neurons 0 to %zu", layer, neuron,
                       cfg->L - 1, cfg->F - 1);
    if (nf_grow(&c->layer, &cap, c->n + 1, sizeof *c->layer, err) < 0 ||
        nf_grow(&c->neuron, &cap2, c->n + 1, sizeof *c->neuron, err) < 0 ||
        nf_grow(&c->value, &cap3, c->n + 1, sizeof *c->value, err) < 0)
        return NF_ESYS;
    c->cap = cap;
    c->layer[c->n] = (uint32_t)layer;
    c->neuron[c->n] = (uint32_t)neuron;
    c->value[c->n++] = 0;
    return NF_OK;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Layer and neuron as one number, sorted; values are all 0 so far. */
void nf_chosen_sort(struct nf_chosen *c)
{
    uint64_t *both = nf_alloc(c->n, sizeof *both, NULL);
    size_t n = 0;

    for (size_t i = 0; both && i < c->n; i++)
        both[i] = (uint64_t)c->layer[i] << 32 | c->neuron[i];
    if (both && c->n)
        qsort(both, c->n, sizeof *both, by_number);
    for (size_t i = 0; both && i < c->n; i++)
        if (i == 0 || both[i] != both[i - 1]) {
            c->layer[n] = (uint32_t)(both[i] >> 32);
            c->neuron[n++] = (uint32_t)both[i];
        }
    if (both)
        c->n = n;
    free(both);
}

static struct nf_reader *open_stream(const char *path, const char *kind, const struct nf_config *cfg, struct nf_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct nf_reader *in = fd < 0 ? NULL : nf_reader_open(fd, path, kind, err);
    const json_t *model = in ? json_object_get(nf_reader_header(in), "model") : NULL;
    const char *config = json_string_value(json_object_get(model, "config_sha256")),
               *weights = json_string_value(json_object_get(model, "weights_sha256"));

    if (fd < 0)
        nf_fail_errno(err, "%s", path);
    if (in && (!config || !weights || strcmp(config, cfg->config_sha256) != 0 || strcmp(weights, cfg->weights_sha256) != 0)) {
        nf_fail(err, NF_EFORMAT, "%s: made with another model than %s: weights %.12s.., not %.12s..", path, cfg->name,
                weights ? weights : "unknown", cfg->weights_sha256);
        nf_reader_close(in);
        in = NULL;
    }
    return in;
}

/* Which of the names the neuron's `classes` holds, as bits. */
static uint64_t classes_of(const msgpack_object *rec, const struct nf_list *names)
{
    const msgpack_object *first;
    uint64_t bits = 0;
    size_t n;

    if (nf_mp_array(rec, "classes", &first, &n, NULL) < 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < names->n && k < 64; k++)
            if (first[i].type == MSGPACK_OBJECT_STR && first[i].via.str.size == strlen(names->item[k]) &&
                memcmp(first[i].via.str.ptr, names->item[k], first[i].via.str.size) == 0)
                bits |= (uint64_t)1 << k;
    return bits;
}

int nf_chosen_classes(struct nf_chosen *c, const char *path, const struct nf_list *classes, const struct nf_config *cfg,
                      struct nf_err *err)
{
    struct nf_reader *in = open_stream(path, "neurons", cfg, err);
    const msgpack_object *rec;
    uint64_t seen = 0, bits, layer, neuron;
    int rc = in ? NF_OK : (int)err->code;

    while (rc == NF_OK && (rc = nf_reader_next(in, &rec)) == NF_OK) {
        if (!nf_mp_is(rec, "neuron") || !(bits = classes_of(rec, classes)))
            continue;
        seen |= bits;
        if (nf_mp_uint(rec, "layer", UINT32_MAX, &layer, err) < 0 || nf_mp_uint(rec, "neuron", UINT32_MAX, &neuron, err) < 0)
            rc = NF_EFORMAT;
        else
            rc = nf_chosen_add(c, layer, neuron, cfg, err);
    }
    nf_reader_close(in);
    if (rc < 0)
        return rc;
    for (size_t k = 0; k < classes->n; k++)
        if (!(seen >> k & 1))
            return nf_fail(err, NF_EUSAGE, "%s: no neuron of class %s", path, classes->item[k]);
    return NF_OK;
}

/* Is it the moments of ffn.act over all domains? */
static bool is_activation(const msgpack_object *rec)
{
    const char *site;
    size_t n;

    return nf_mp_is(rec, "moments") && nf_mp_str(rec, "site", &site, &n, NULL) == NF_OK && n == 7 &&
           memcmp(site, "ffn.act", 7) == 0 && !nf_mp_find(rec, "domain");
}

static int take_means(struct nf_chosen *c, const msgpack_object *rec, const char *path, const struct nf_config *cfg, bool *have,
                      struct nf_err *err)
{
    struct nf_tensor mean;
    uint64_t layer;

    if (nf_mp_uint(rec, "layer", UINT32_MAX, &layer, err) < 0 || nf_mp_tensor(rec, "mean", NF_F64, 1, &mean, err) < 0)
        return NF_EFORMAT;
    if (layer >= cfg->L || mean.shape[0] != cfg->F)
        return nf_fail(err, NF_EFORMAT, "%s: moments of ffn.act that are not the model's", path);
    have[layer] = true;
    for (size_t i = 0; i < c->n; i++)
        if (c->layer[i] == layer)
            c->value[i] = (float)nf_tensor_real(&mean, c->neuron[i]);
    return NF_OK;
}

int nf_chosen_means(struct nf_chosen *c, const char *path, const struct nf_config *cfg, struct nf_err *err)
{
    struct nf_reader *in = open_stream(path, "stats", cfg, err);
    bool *have = nf_alloc(cfg->L, sizeof *have, err);
    const msgpack_object *rec;
    int rc = in && have ? NF_OK : (int)err->code;

    while (rc == NF_OK && (rc = nf_reader_next(in, &rec)) == NF_OK)
        if (is_activation(rec))
            rc = take_means(c, rec, path, cfg, have, err);
    for (size_t i = 0; rc == NF_EOF && i < c->n; i++)
        if (!have[c->layer[i]])
            rc = nf_fail(err, NF_EFORMAT,
                         "%s: no moments of ffn.act of layer %u: forward-capture --sites ffn.act | reduce-stats makes them", path,
                         c->layer[i]);
    nf_reader_close(in);
    free(have);
    return rc < 0 ? rc : NF_OK;
}

void nf_chosen_clear(struct nf_chosen *c)
{
    free(c->layer);
    free(c->neuron);
    free(c->value);
    *c = (struct nf_chosen){ 0 };
}
