/* config_rope.c - rotary positions in config.json, as transformers 4 and 5 write them. */
#include <stdio.h>
#include <string.h>

#include "checkpoint/family.h"

/* A type of rotary positions, and the keys of rope_scaling that it uses beside those that all have. */
struct rope_type {
    const char *name;
    const char *const *keys;
};

static const char *const every_type[] = { "partial_rotary_factor", "rope_theta", "rope_type", "type", NULL };
static const char *const of_default[] = { NULL };
static const char *const of_linear[] = { "factor", NULL };
static const char *const of_llama3[] = { "factor", "high_freq_factor", "low_freq_factor", "original_max_position_embeddings", NULL };

static const struct rope_type types[] = {
    [NF_ROPE_DEFAULT] = { "default", of_default },
    [NF_ROPE_LINEAR] = { "linear", of_linear },
    [NF_ROPE_LLAMA3] = { "llama3", of_llama3 },
};

enum { N_TYPES = sizeof types / sizeof *types };

static int read_number(const struct nf_reading *r, const json_t *rope, const char *key, double *out)
{
    const json_t *v = json_object_get(rope, key);
    char where[64];

    snprintf(where, sizeof where, "rope_scaling: %s", key);
    if (!json_is_number(v) || !(json_number_value(v) > 0) || json_number_value(v) > 1e12)
        return nf_config_refuse(r, where, v ? v : json_null(), "a number above 0 is wanted");
    *out = json_number_value(v);
    return NF_OK;
}

/* The same where the key is there. */
static int read_if_there(const struct nf_reading *r, const json_t *rope, const char *key, double *out)
{
    return json_object_get(rope, key) ? read_number(r, rope, key, out) : NF_OK;
}

static bool is_one_of(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names;
}

/* A key that the type does not use would be for a type that we do not have. */
static int check_rope_keys(const struct nf_reading *r, const json_t *rope, const struct rope_type *type)
{
    const char *name;
    char where[96];
    json_t *v;

    json_object_foreach ((json_t *)rope, name, v) {
        snprintf(where, sizeof where, "rope_scaling: %s", name);
        if (!json_is_null(v) && !is_one_of(every_type, name) && !is_one_of(type->keys, name))
            return nf_config_refuse(r, where, v, "this key is not known for this type of rotary positions");
    }
    return NF_OK;
}

static int read_llama3(const struct nf_reading *r, const json_t *rope, struct nf_rope_config *to)
{
    double original = (double)r->cfg->max_positions;

    if (read_number(r, rope, "low_freq_factor", &to->low) < 0 || read_number(r, rope, "high_freq_factor", &to->high) < 0 ||
        read_if_there(r, rope, "original_max_position_embeddings", &original) < 0)
        return NF_EFORMAT;
    if (!(to->high > to->low))
        return nf_fail(r->err, NF_EFORMAT, "%s: rope_scaling: high_freq_factor %g is not above low_freq_factor %g", r->path,
                       to->high, to->low);
    to->original = (size_t)original;
    return NF_OK;
}

/* The object that counts; NULL: neither is there. */
static int find_rope(const struct nf_reading *r, const json_t **rope)
{
    *rope = json_object_get(r->root, "rope_scaling");
    if (!*rope || json_is_null(*rope) || (json_is_object(*rope) && json_object_size(*rope) == 0))
        *rope = json_object_get(r->root, "rope_parameters");
    if (json_is_null(*rope))
        *rope = NULL;
    if (*rope && !json_is_object(*rope))
        return nf_config_refuse(r, "rope_scaling", *rope, "an object is wanted");
    return NF_OK;
}

static int find_rope_type(const struct nf_reading *r, const json_t *rope, enum nf_rope_kind *kind)
{
    const json_t *v = json_object_get(rope, "rope_type");
    const char *name;
    unsigned k = 0;

    if (!v)
        v = json_object_get(rope, "type");
    name = v ? json_string_value(v) : "default";
    while (name && k < N_TYPES && strcmp(types[k].name, name) != 0)
        k++;
    *kind = (enum nf_rope_kind)k;
    return name && k < N_TYPES ? NF_OK
                               : nf_config_refuse(r, "rope_scaling: rope_type", v,
                                                  "not implemented, only \"default\", \"linear\" and \"llama3\" are");
}

int nf_config_rope(const struct nf_reading *r, double share, double theta)
{
    struct nf_config *cfg = r->cfg;
    struct nf_rope_config *to = &cfg->rope;
    const json_t *rope;

    cfg->positions = NF_POS_ROTARY;
    *to = (struct nf_rope_config){ .theta = theta, .factor = 1 };
    if (find_rope(r, &rope) < 0 || find_rope_type(r, rope, &to->kind) < 0 || check_rope_keys(r, rope, &types[to->kind]) < 0 ||
        read_if_there(r, rope, "rope_theta", &to->theta) < 0 || read_if_there(r, rope, "partial_rotary_factor", &share) < 0 ||
        (to->kind != NF_ROPE_DEFAULT && read_number(r, rope, "factor", &to->factor) < 0) ||
        (to->kind == NF_ROPE_LLAMA3 && read_llama3(r, rope, to) < 0))
        return NF_EFORMAT;
    if (share > 1)
        return nf_fail(r->err, NF_EFORMAT, "%s: partial_rotary_factor: %g is above 1", r->path, share);
    to->R = (size_t)((double)cfg->K * share);
    if (to->R < 2 || to->R % 2 != 0)
        return nf_fail(r->err, NF_EFORMAT,
                       "%s: rotary positions turn %zu of the %zu coordinates of a head: an even number is wanted", r->path, to->R,
                       cfg->K);
    return NF_OK;
}
