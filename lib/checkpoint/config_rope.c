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
static const char *const of_llama3[] = { "factor", "high_freq_factor", "low_freq_factor", "original_max_position_embeddings",
                                         NULL };

static const struct rope_type types[] = {
    [NF_ROPE_DEFAULT] = { "default", of_default },
    [NF_ROPE_LINEAR] = { "linear", of_linear },
    [NF_ROPE_LLAMA3] = { "llama3", of_llama3 },
};

enum { N_TYPES = sizeof types / sizeof *types };

static const double number_max = 1e12;

const struct nf_rope_keys nf_rope_whole = { "rope_theta", "partial_rotary_factor", 10000, 1, true };

static int read_number(const struct nf_reading *r, const json_t *rope, const char *key, double *out)
{
    const json_t *v = json_object_get(rope, key);
    char where[64];

    snprintf(where, sizeof where, "rope_scaling: %s", key);
    if (!json_is_number(v) || !(json_number_value(v) > 0) || json_number_value(v) > number_max)
        return nf_config_refuse(r, where, v ? v : json_null(), "a number above 0 is expected");
    *out = json_number_value(v);
    return NF_OK;
}

/* A value that may stand in the object or beside it, under another name: the one in the object counts. */
static int read_either(const struct nf_reading *r, const json_t *rope, const char *key, const char *beside, double absent,
                       double *out)
{
    const json_t *v = json_object_get(rope, key);

    if (nf_config_real(r, beside, absent, number_max, out) < 0)
        return NF_EFORMAT;
    if (!v || json_is_null(v))
        return NF_OK;
    absent = *out;
    if (read_number(r, rope, key, out) < 0)
        return NF_EFORMAT;
    if (*out != absent && nf_config_get(r, beside))
        nf_config_take(r, "%s %g of the rotary object counts, not %s %g beside it", key, *out, beside, absent);
    return NF_OK;
}

static bool is_one_of(const char *const *names, const char *name)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names;
}

/* Keys that the type does not use are not read by transformers either; but an object in the object is of a kind of layers. */
static int pass_rope_keys(const struct nf_reading *r, const json_t *rope, const struct rope_type *type)
{
    const char *name;
    json_t *v;

    json_object_foreach ((json_t *)rope, name, v) {
        if (json_is_null(v) || is_one_of(every_type, name) || is_one_of(type->keys, name))
            continue;
        if (json_is_object(v))
            return nf_config_refuse(r, name, v, "rotary positions of one kind of layers are not implemented for this family");
        nf_config_take(r, "%.40s plays no part in rotary positions of type %s", name, type->name);
    }
    return NF_OK;
}

/* original_max_position_embeddings: the one beside the object counts, as of transformers 5 (Phi-3 writes it there). */
static int read_original(const struct nf_reading *r, const json_t *rope, size_t *original)
{
    static const char key[] = "original_max_position_embeddings";
    const json_t *v = json_object_get(rope, key);
    double inside = (double)r->cfg->max_positions;

    if (v && !json_is_null(v) && read_number(r, rope, key, &inside) < 0)
        return NF_EFORMAT;
    if (nf_config_size(r, key, (size_t)inside, NF_POSITIONS_MAX, original) < 0)
        return NF_EFORMAT;
    if (v && *original != (size_t)inside)
        nf_config_take(r, "%s %zu beside the rotary object counts, not %zu in it", key, *original, (size_t)inside);
    return NF_OK;
}

static int read_llama3(const struct nf_reading *r, const json_t *rope, struct nf_rope_config *to)
{
    if (read_number(r, rope, "low_freq_factor", &to->low) < 0 || read_number(r, rope, "high_freq_factor", &to->high) < 0 ||
        read_original(r, rope, &to->original) < 0)
        return NF_EFORMAT;
    if (!(to->high > to->low))
        return nf_config_refuse_text(r, "rope_scaling: high_freq_factor %g is not above low_freq_factor %g", to->high, to->low);
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

/* Coordinates of a head that turn, of `share` of them. */
static int set_turning(const struct nf_reading *r, const struct nf_rope_keys *keys, double share, struct nf_rope_config *to)
{
    if (share > 1)
        return nf_config_refuse_text(r, "partial_rotary_factor: %g is above 1", share);
    if (keys->whole && share < 1 && to->kind != NF_ROPE_DEFAULT)
        return nf_config_refuse_text(
            r, "partial_rotary_factor: %g: not implemented with rotary positions of type %s (nor in transformers)", share,
            types[to->kind].name);
    if (keys->whole && share < 1)
        nf_config_take(r, "partial_rotary_factor %g plays no part: heads of %s turn whole", share, r->family->name);
    to->R = (size_t)((double)r->cfg->K * (keys->whole ? 1 : share));
    if (to->R < 2 || to->R % 2 != 0)
        return nf_config_refuse_text(r, "rotary positions turn %zu of the %zu coordinates of a head: an even number is expected",
                                     to->R, r->cfg->K);
    return NF_OK;
}

int nf_config_rope_object(const struct nf_reading *r, const json_t *rope, const struct nf_rope_keys *keys,
                          struct nf_rope_config *to)
{
    double share;

    *to = (struct nf_rope_config){ .factor = 1 };
    if (find_rope_type(r, rope, &to->kind) < 0 ||
        read_either(r, rope, "rope_theta", keys->theta, keys->default_theta, &to->theta) < 0 ||
        read_either(r, rope, "partial_rotary_factor", keys->share, keys->default_share, &share) < 0 ||
        (to->kind != NF_ROPE_DEFAULT && read_number(r, rope, "factor", &to->factor) < 0) ||
        (to->kind == NF_ROPE_LLAMA3 && read_llama3(r, rope, to) < 0) || pass_rope_keys(r, rope, &types[to->kind]) < 0)
        return NF_EFORMAT;
    return set_turning(r, keys, share, to);
}

/* An object under `name` that is not empty; NULL: none. */
static const json_t *find_object(const struct nf_reading *r, const char *name, int *rc)
{
    const json_t *v = nf_config_get(r, name);

    if (v && !json_is_object(v))
        *rc = nf_config_refuse(r, name, v, "an object is expected");
    return json_object_size(v) ? v : NULL;
}

int nf_config_rope(const struct nf_reading *r, const struct nf_rope_keys *keys)
{
    int rc = NF_OK;
    const json_t *old = find_object(r, "rope_scaling", &rc), *parameters = find_object(r, "rope_parameters", &rc);

    r->cfg->positions = NF_POS_ROTARY;
    if (rc < 0)
        return rc;
    if (old && parameters && !json_equal(old, parameters))
        nf_config_take(r, "rope_scaling counts, not rope_parameters beside it");
    return nf_config_rope_object(r, old ? old : parameters, keys, &r->cfg->rope);
}
