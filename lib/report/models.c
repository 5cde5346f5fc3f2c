/* models.c - streams by model, and the ends of its stages. */
#include "report/models.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/means.h"

/* Equal digests; or equal names, where a digest is missing. */
static bool same_model(const struct nf_stage_input *a, const struct nf_stage_input *b)
{
    static const char *const digests[] = { "model.config_sha256", "model.weights_sha256" };

    if (a->L != b->L)
        return false;
    for (size_t i = 0; i < 2; i++) {
        const char *x = nf_str_at(a->header, digests[i]), *y = nf_str_at(b->header, digests[i]);

        if (!*x || !*y)
            return !strcmp(a->name, b->name);
        if (strcmp(x, y))
            return false;
    }
    return true;
}

/* The model of a stream among the n that there are; NULL: it is a new one. */
static struct nf_model_streams *model_of(struct nf_model_streams *models, size_t n, const struct nf_stage_input *s)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < NF_STAGE_KINDS; k++)
            if (models[i].of[k] && !models[i].of[s->kind] && same_model(models[i].of[k], s))
                return &models[i];
    return NULL;
}

void nf_layer_reals(const struct nf_stage_input *run, const char *kind, const char *measure, double *x, size_t n)
{
    size_t i;
    json_t *thing;

    for (i = 0; i < n; i++)
        x[i] = NAN;
    json_array_foreach (run->things, i, thing) {
        uint64_t layer = nf_whole_at(thing, "layer");

        if (nf_item_is(thing, kind) && layer < n && isnan(x[layer]))
            x[layer] = nf_mean_of(thing, measure).mean;
    }
}

/* The counts of a class in each layer; false: of some layer they are not known. */
static bool read_class_counts(const struct nf_stage_input *run, const char *class, uint64_t *x, size_t L)
{
    size_t i, known = 0;
    json_t *layer;

    json_array_foreach (run->things, i, layer) {
        const json_t *n = json_object_get(nf_at(layer, "vocab"), class);

        if (json_is_integer(n) && nf_whole_at(layer, "layer") < L) {
            x[nf_whole_at(layer, "layer")] = (uint64_t)json_integer_value(n);
            known++;
        }
    }
    return known == L;
}

static int find_ends(struct nf_model_streams *m)
{
    double *kl = calloc(m->L + 1, sizeof *kl);
    uint64_t *prediction = calloc(m->L + 1, sizeof *prediction), *suppression = calloc(m->L + 1, sizeof *suppression);
    const struct nf_stage_input *lesions = m->of[NF_STAGE_EFFECTS], *neurons = m->of[NF_STAGE_NEURONS];
    bool memory = kl && prediction && suppression;
    size_t last = 0;

    for (size_t i = 0; i < NF_BOUNDARIES; i++)
        m->end[i] = (struct nf_boundary){ SIZE_MAX, NAN, 0 };
    if (memory && lesions) {
        nf_layer_reals(lesions, "drop", "kl", kl, m->L);
        m->end[0] = nf_boundary_sensitive(kl, m->L);
    }
    if (memory && neurons && read_class_counts(neurons, "prediction", prediction, m->L) &&
        read_class_counts(neurons, "suppression", suppression, m->L)) {
        m->end[1] = nf_boundary_predicting(prediction, m->L);
        m->end[2] = nf_boundary_suppressing(prediction, suppression, m->L);
    }
    m->ordered = true;
    for (size_t i = 0; i < NF_BOUNDARIES; i++)
        if (m->end[i].block != SIZE_MAX) {
            m->ordered &= m->end[i].block >= last;
            last = m->end[i].block;
        }
    free(kl);
    free(prediction);
    free(suppression);
    return memory ? 0 : -1;
}

long nf_models_of(const struct nf_stage_input *streams, size_t n, struct nf_model_streams *models)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        struct nf_model_streams *m = model_of(models, found, &streams[i]);

        if (!m) {
            m = &models[found++];
            *m = (struct nf_model_streams){ .name = streams[i].name, .L = streams[i].L };
        }
        m->of[streams[i].kind] = &streams[i];
    }
    for (size_t i = 0; i < found; i++)
        if (find_ends(&models[i]) < 0)
            return -1;
    return (long)found;
}
