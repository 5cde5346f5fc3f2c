/* activation_cache.c - rows of residual sites to streams. */
#include "run/activation_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/ops.h"
#include "run/loaded_model.h"

/* What a site's rows become. */
enum slot { POINT, MID, ATTN, FFN, SLOTS };

static const char *const slot_sites[SLOTS] = { "resid", "resid.mid", "attn.out", "ffn.out" };

/* ---- header ---- */

static bool captured(const json_t *header, const char *site, size_t layer)
{
    const json_t *sites = json_object_get(header, "sites"), *layers;

    for (size_t i = 0; i < json_array_size(sites); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(sites, i), "site"));

        layers = json_object_get(json_array_get(sites, i), "layers");
        for (size_t k = 0; name && strcmp(name, site) == 0 && k < json_array_size(layers); k++)
            if (json_integer_value(json_array_get(layers, k)) == (json_int_t)layer)
                return true;
    }
    return false;
}

static int check_positions(const json_t *header, struct nf_err *err)
{
    const json_t *p = json_object_get(json_object_get(header, "capture"), "positions");

    if (json_integer_value(json_array_get(p, 0)) != 0 || !json_is_null(json_array_get(p, 1)))
        return nf_fail(err, NF_EFORMAT, "header: capture.positions: a lens needs all positions");
    return NF_OK;
}

static int find_points(struct nf_activation_cache *k, const json_t *header, struct nf_err *err)
{
    size_t L = k->cfg->L;

    for (size_t l = 0; l <= L; l++) {
        k->post[l] = l > 0 && captured(header, "resid.post", l - 1);
        if (k->post[l] || (l < L && captured(header, "resid.pre", l)))
            continue;
        if (l == 0)
            return nf_fail(err, NF_EFORMAT, "the activations lack point 0: site resid.pre of layer 0");
        return nf_fail(err, NF_EFORMAT, "the activations lack point %zu: site resid.post of layer %zu%s", l, l - 1,
                       l < L ? ", or resid.pre of the next" : "");
    }
    return NF_OK;
}

int nf_activation_cache_open(struct nf_activation_cache *k, const struct nf_reader *in, const struct nf_config *cfg, bool mid,
                             bool attribute, struct nf_err *err)
{
    const json_t *header = nf_reader_header(in);
    const bool wanted[SLOTS] = { true, mid, attribute, attribute };

    *k = (struct nf_activation_cache){ .cfg = cfg };
    k->post = nf_alloc(cfg->L + 1, sizeof *k->post, err);
    k->rows = nf_alloc(SLOTS * (cfg->L + 1), sizeof *k->rows, err);
    if (!k->post || !k->rows)
        return NF_ESYS;
    if (nf_model_check_made_with(header, cfg, nf_reader_what(in), err) < 0 || check_positions(header, err) < 0 ||
        find_points(k, header, err) < 0)
        return NF_EFORMAT;
    for (size_t s = MID; s < SLOTS; s++)
        for (size_t l = 0; wanted[s] && l < cfg->L; l++)
            if (!captured(header, slot_sites[s], l))
                return nf_fail(err, NF_EFORMAT, "the activations lack site %s of layer %zu", slot_sites[s], l);
    return NF_OK;
}

void nf_activation_cache_close(struct nf_activation_cache *k)
{
    free(k->post);
    free(k->rows);
    free(k->wide);
    *k = (struct nf_activation_cache){ 0 };
}

/* ---- rows ---- */

/* Which slot and number the rows are for; false: for none. */
static bool find_cache_slot(const struct nf_activation_cache *k, const struct nf_site_rows *s, enum slot *slot, size_t *number)
{
    *number = s->layer;
    if (strcmp(s->site, "resid.post") == 0) {
        *slot = POINT;
        return k->post[++*number];
    }
    if (strcmp(s->site, "resid.pre") == 0) {
        *slot = POINT;
        return !k->post[*number];
    }
    for (*slot = MID; *slot < SLOTS; ++*slot)
        if (strcmp(s->site, slot_sites[*slot]) == 0)
            return *slot == MID ? k->mid != NULL : k->attribute != NULL;
    return false;
}

/* Where the rows go: a stream, or room for the attribution to read them from. */
static float *place_rows(struct nf_activation_cache *k, enum slot slot, size_t number, size_t row, size_t floats,
                         struct nf_err *err)
{
    if (slot == POINT)
        return k->h[number] + row * k->cfg->D;
    if (slot == MID)
        return k->mid[number] + row * k->cfg->D;
    return nf_grow(&k->wide, &k->wide_cap, floats, sizeof *k->wide, err) < 0 ? NULL : k->wide;
}

static int take_cached_rows(struct nf_activation_cache *k, const struct nf_site_rows *s, size_t T, struct nf_err *err)
{
    size_t D = k->cfg->D, R = s->data.shape[0], number, *came;
    enum slot slot;
    float *to;

    if (s->layer >= k->cfg->L || !find_cache_slot(k, s, &slot, &number))
        return NF_OK;
    came = &k->rows[slot * (k->cfg->L + 1) + number];
    if (s->data.ndim != 2 || s->data.shape[1] != D || s->row != *came || R > T - *came)
        return nf_fail(err, NF_EFORMAT, "batch %llu: site %s, layer %zu: rows of %zu from %zu on are expected, at most %zu in all",
                       (unsigned long long)s->batch, s->site, s->layer, D, *came, T);
    to = place_rows(k, slot, number, s->row, R * D, err);
    if (!to)
        return NF_ESYS;
    nf_to_f32(s->data.dtype, s->data.data, R * D, to);
    if (!k->allow_nonfinite && nf_first_nonfinite(to, R, D) < R)
        return nf_fail(err, NF_EFORMAT, "batch %llu: site %s, layer %zu: row %zu holds NaN or Inf", (unsigned long long)s->batch,
                       s->site, s->layer, s->row + nf_first_nonfinite(to, R, D));
    if (slot >= ATTN)
        nf_attribute_rows(k->attribute, slot == ATTN ? NF_PART_ATTN : NF_PART_FFN, number, s->row, R, to);
    *came += R;
    return NF_OK;
}

static int check_whole(const struct nf_activation_cache *k, const struct nf_batch *b, struct nf_err *err)
{
    size_t L = k->cfg->L;

    for (size_t s = 0; s < SLOTS; s++)
        for (size_t l = 0; l < L + (s == POINT); l++)
            if ((s == POINT || (s == MID && k->mid) || (s >= ATTN && k->attribute)) && k->rows[s * (L + 1) + l] != b->T)
                return nf_fail(err, NF_EFORMAT, "batch %llu: %s %zu has %zu of %zu rows", (unsigned long long)b->batch,
                               s == POINT ? "point" : slot_sites[s], l, k->rows[s * (L + 1) + l], b->T);
    return NF_OK;
}

int nf_activation_cache_read(struct nf_activation_cache *k, struct nf_window_reader *t, struct nf_err *err)
{
    struct nf_site_rows rows;
    int rc;

    memset(k->rows, 0, SLOTS * (k->cfg->L + 1) * sizeof *k->rows);
    while ((rc = nf_window_reader_rows(t, &rows, err)) == NF_OK)
        if ((rc = take_cached_rows(k, &rows, t->batch.T, err)) < 0)
            break;
    return rc < 0 ? rc : check_whole(k, &t->batch, err);
}
