/* neuron_set.c - neurons by name or class, and their mean activations. */
#include "run/neuron_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/at.h"
#include "record/neurons.h"
#include "record/stats.h"
#include "run/loaded_model.h"
#include "stream/mp.h"
#include "stream/reader.h"

/* `code`: of a neuron that the model has not. */
static int add_neuron(struct nf_neuron_set *c, size_t layer, size_t neuron, const struct nf_config *cfg, enum nf_code code,
                      struct nf_err *err)
{
    size_t cap = c->cap, cap2 = c->cap, cap3 = c->cap;

    if (layer >= cfg->L || neuron >= cfg->F)
        return nf_fail(err, code, "neuron %zu.%zu: the model has layers 0 to %zu and neurons 0 to %zu", layer, neuron, cfg->L - 1,
                       cfg->F - 1);
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

int nf_neuron_set_add(struct nf_neuron_set *c, size_t layer, size_t neuron, const struct nf_config *cfg, struct nf_err *err)
{
    return add_neuron(c, layer, neuron, cfg, NF_EUSAGE, err);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Layer and neuron as one number, sorted; values are all 0 so far. */
int nf_neuron_set_sort(struct nf_neuron_set *c, struct nf_err *err)
{
    uint64_t *both = nf_alloc(c->n, sizeof *both, err);

    if (!both)
        return NF_ESYS;
    for (size_t i = 0; i < c->n; i++)
        both[i] = (uint64_t)c->layer[i] << 32 | c->neuron[i];
    qsort(both, c->n, sizeof *both, by_number);
    for (size_t i = 0; i < c->n; i++) {
        c->layer[i] = (uint32_t)(both[i] >> 32);
        c->neuron[i] = (uint32_t)both[i];
    }
    free(both);
    return NF_OK;
}

/* ---- a stream in a file, of the same model ---- */

/* To be read once and hashed. */
static struct nf_reader *open_side_file(const char *path, const char *kind, const struct nf_config *cfg, struct nf_err *err)
{
    struct nf_reader *in = nf_reader_open_file(path, kind, err);

    if (in && nf_reader_hash(in) == NF_OK && nf_model_check_made_with(nf_reader_header(in), cfg, path, err) == NF_OK)
        return in;
    nf_reader_close(in);
    return NULL;
}

/* A failure of its contents does not know the file; those of the reader name it.  What is left: NF_OK at the stream's end. */
static int close_file(struct nf_reader *in, int rc, char digest[NF_DIGEST_HEX], struct nf_err *err)
{
    if (in && rc < 0)
        nf_err_name(err, nf_reader_what(in));
    if (rc == NF_EOF)
        memcpy(digest, nf_reader_digest(in), NF_DIGEST_HEX);
    nf_reader_close(in);
    return rc == NF_EOF ? NF_OK : rc;
}

/* ---- classes ---- */

/* last: of the neurons so far, one more than their number; 0: none yet. */
static int take_classed_neuron(struct nf_neuron_set *of, const struct nf_neuron *n, const struct nf_list *classes,
                               const struct nf_config *cfg, uint64_t *last, struct nf_err *err)
{
    uint64_t number = (uint64_t)n->layer << 32 | n->neuron;

    if (number < *last)
        return nf_fail(err, NF_EFORMAT, "neuron %zu.%zu: twice, or out of order", n->layer, n->neuron);
    *last = number + 1;
    for (size_t k = 0; k < classes->n; k++)
        for (enum nf_class c = 0; c < NF_CLASSES; c++)
            if (n->classes >> c & 1 && strcmp(nf_class_name(c), classes->item[k]) == 0 &&
                add_neuron(&of[k], n->layer, n->neuron, cfg, NF_EFORMAT, err) < 0)
                return (int)err->code;
    return NF_OK;
}

int nf_neuron_set_classes(struct nf_neuron_set *of, const char *path, const struct nf_list *classes, const struct nf_config *cfg,
                          char digest[NF_DIGEST_HEX], struct nf_err *err)
{
    struct nf_reader *in = open_side_file(path, "neurons", cfg, err);
    struct nf_neuron n = { 0 };
    const msgpack_object *rec;
    uint64_t last = 0;
    int rc = in ? NF_OK : (int)err->code;

    while (rc == NF_OK && (rc = nf_reader_next(in, &rec)) == NF_OK) {
        if (!nf_mp_is(rec, "neuron"))
            continue;
        rc = nf_record_read(&nf_neuron_record, rec, NULL, &n, err);
        if (rc == NF_OK)
            rc = take_classed_neuron(of, &n, classes, cfg, &last, err);
    }
    nf_record_clear(&nf_neuron_record, &n);
    for (size_t k = 0; rc == NF_EOF && k < classes->n; k++)
        if (of[k].n == 0)
            rc = nf_fail(err, NF_EUSAGE, "%s: no neuron of class %s", path, classes->item[k]);
    return close_file(in, rc, digest, err);
}

/* ---- means ---- */

static int take_means(struct nf_neuron_set *c, const struct nf_moments_rec *m, struct nf_err *err)
{
    for (size_t i = 0; i < c->n; i++) {
        double v = c->layer[i] == m->layer ? nf_f8_at(m->mean, c->neuron[i]) : 0;

        if (!isfinite(v))
            return nf_fail(err, NF_EFORMAT, "neuron %u.%u has no mean activation", c->layer[i], c->neuron[i]);
        if (c->layer[i] == m->layer)
            c->value[i] = (float)v;
    }
    return NF_OK;
}

static int take_mean_activations(struct nf_neuron_set *of, size_t sets, const msgpack_object *rec, const struct nf_config *cfg,
                                 bool *have, struct nf_err *err)
{
    struct nf_moments_rec m;
    int rc = nf_record_read(&nf_moments_record, rec, NULL, &m, err);

    if (rc < 0 || strcmp(m.site, "ffn.act") != 0 || m.domain != NF_NONE)
        return rc;
    if (m.layer >= cfg->L || m.W != cfg->F)
        return nf_fail(err, NF_EFORMAT,
                       "moments of ffn.act of layer %zu, %zu of them: the model has layers 0 to %zu, %zu neurons each", m.layer,
                       m.W, cfg->L - 1, cfg->F);
    have[m.layer] = true;
    for (size_t k = 0; rc == NF_OK && k < sets; k++)
        rc = take_means(&of[k], &m, err);
    return rc;
}

/* Every layer that has a neuron in the set is there. */
static int check_layers(const struct nf_neuron_set *c, const bool *have, struct nf_err *err)
{
    for (size_t i = 0; i < c->n; i++)
        if (!have[c->layer[i]])
            return nf_fail(err, NF_EFORMAT,
                           "no moments of ffn.act of layer %u: forward-capture --sites ffn.act | reduce-stats makes them",
                           c->layer[i]);
    return NF_OK;
}

int nf_neuron_set_means(struct nf_neuron_set *of, size_t sets, const char *path, const struct nf_config *cfg,
                        char digest[NF_DIGEST_HEX], struct nf_err *err)
{
    bool *have = nf_alloc(cfg->L, sizeof *have, err);
    struct nf_reader *in = have ? open_side_file(path, "stats", cfg, err) : NULL;
    const msgpack_object *rec;
    int rc = in ? NF_OK : (int)err->code;

    while (rc == NF_OK && (rc = nf_reader_next(in, &rec)) == NF_OK)
        if (nf_mp_is(rec, "moments"))
            rc = take_mean_activations(of, sets, rec, cfg, have, err);
    for (size_t k = 0; rc == NF_EOF && k < sets; k++)
        if (check_layers(&of[k], have, err) < 0)
            rc = NF_EFORMAT;
    free(have);
    return close_file(in, rc, digest, err);
}

void nf_neuron_set_clear(struct nf_neuron_set *c)
{
    free(c->layer);
    free(c->neuron);
    free(c->value);
    *c = (struct nf_neuron_set){ 0 };
}
