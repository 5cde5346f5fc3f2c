/* tuned.c - translators out of their checkpoint, and the map. */
#include "model/tuned.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/par.h"
#include "model/ops.h"
#include "checkpoint/torchfile.h"
#include "tensor/gemm.h"

struct nf_tuned {
    struct nf_gemm *gemm;
    size_t L, D;
    void **packed;   /* [L] */
    float *bias;     /* [L, D] */
    bool biased;     /* config.json has not said that there are no biases */
    char made_for[128];
};

static int check_number(const json_t *root, const char *path, const char *key, size_t want, struct nf_err *err)
{
    const json_t *v = json_object_get(root, key);

    if (!json_is_integer(v) || json_integer_value(v) != (json_int_t)want)
        return nf_fail(err, NF_EFORMAT, "%s: %s: %lld, the model has %zu", path, key, (long long)json_integer_value(v), want);
    return NF_OK;
}

static void keep_name(struct nf_tuned *t, const json_t *root)
{
    const char *name = json_string_value(json_object_get(root, "base_model_name_or_path")), *slash;

    if (!name)
        name = "";
    slash = strrchr(name, '/');
    snprintf(t->made_for, sizeof t->made_for, "%s", slash ? slash + 1 : name);
}

static int read_tuned_config(struct nf_tuned *t, const char *dir, const struct nf_config *cfg, struct nf_err *err)
{
    char *path = nf_path_join(dir, "config.json", err);
    struct nf_map map = { NULL, 0 };
    const char *type;
    json_t *root = NULL;
    int rc = path ? nf_map_open(path, &map, err) : NF_ESYS;

    if (rc == NF_OK && !(root = nf_json_parse(map.data, map.size, JSON_REJECT_DUPLICATES, path, err)))
        rc = (int)err->code;
    if (rc == NF_OK) {
        type = json_string_value(json_object_get(root, "lens_type"));
        rc = type && strcmp(type, "linear_tuned_lens") != 0
                 ? nf_fail(err, NF_EFORMAT, "%s: lens_type %.40s is not implemented, only linear_tuned_lens is", path, type)
                 : check_number(root, path, "d_model", cfg->D, err);
        if (rc == NF_OK)
            rc = check_number(root, path, "num_hidden_layers", cfg->L, err);
        t->biased = !json_is_false(json_object_get(root, "bias"));
        keep_name(t, root);
    }
    json_decref(root);
    nf_map_close(&map);
    free(path);
    return rc;
}

/* Tensor l.weight or l.bias, widened into y [n]. */
static int read_translator(struct nf_tf *f, const char *path, size_t layer, const char *part, size_t rows, size_t cols, float *y,
                           struct nf_err *err)
{
    struct nf_tf_entry *e;
    char name[32];
    size_t n = rows * cols;

    snprintf(name, sizeof name, "%zu.%s", layer, part);
    e = nf_tf_find(f, name);
    if (!e || !e->weight)
        return nf_fail(err, NF_EFORMAT, "%s: tensor %s is missing, or of a type that is no weight's", path, name);
    if (e->t.ndim != (rows == 1 ? 1 : 2) || e->t.shape[0] != (rows == 1 ? cols : rows) || (rows > 1 && e->t.shape[1] != cols))
        return nf_fail(err, NF_EFORMAT, "%s: tensor %s has another shape than the model's width asks for", path, name);
    e->used = true;
    nf_to_f32(e->t.dtype, e->t.data, n, y);
    if (e->mapped)
        nf_map_drop(e->t.data, e->bytes);
    if (nf_first_nonfinite(y, 1, n) == 0)
        return nf_fail(err, NF_EFORMAT, "%s: tensor %s: NaN or Inf", path, name);
    return NF_OK;
}

static int read_lenses(struct nf_tuned *t, const char *dir, struct nf_err *err)
{
    char *path = nf_path_join(dir, "params.pt", err);
    float *w = nf_alloc(t->D * t->D, sizeof *w, err);
    struct nf_tf f = { 0 };
    int rc = path && w ? nf_torch_open(path, &f, err) : NF_ESYS;

    for (size_t l = 0; rc == NF_OK && l < t->L; l++) {
        t->packed[l] = nf_alloc(nf_gemm_packed_size(t->gemm), 1, err);
        rc = t->packed[l] ? read_translator(&f, path, l, "weight", t->D, t->D, w, err) : NF_ESYS;
        if (rc == NF_OK && t->biased)
            rc = read_translator(&f, path, l, "bias", 1, t->D, t->bias + l * t->D, err);
        if (rc == NF_OK)
            rc = nf_gemm_pack(t->gemm, w, t->packed[l], err);
    }
    for (size_t i = 0; rc == NF_OK && i < f.n; i++)
        if (!f.entry[i].used)
            rc = nf_fail(err, NF_EFORMAT, "%s: tensor %s has no role in a tuned lens of %zu layers", path, f.entry[i].name, t->L);
    nf_tf_close(&f);
    free(w);
    free(path);
    return rc;
}

struct nf_tuned *nf_tuned_open(const char *dir, const struct nf_config *cfg, struct nf_err *err)
{
    const struct nf_gemm_shape shape = { cfg->D, cfg->D, NF_F32, NF_F32, false };
    struct nf_tuned *t = nf_alloc(1, sizeof *t, err);

    if (!t)
        return NULL;
    t->L = cfg->L;
    t->D = cfg->D;
    t->packed = nf_alloc(t->L, sizeof *t->packed, err);
    t->bias = nf_alloc(t->L * t->D, sizeof *t->bias, err);
    t->gemm = nf_gemm_open(&shape, err);
    if (t->packed && t->bias && t->gemm && read_tuned_config(t, dir, cfg, err) == NF_OK && read_lenses(t, dir, err) == NF_OK)
        return t;
    nf_tuned_close(t);
    return NULL;
}

const char *nf_tuned_made_for(const struct nf_tuned *t)
{
    return t->made_for;
}

uint64_t nf_tuned_bytes(const struct nf_config *cfg)
{
    uint64_t D = cfg->D;

    return (uint64_t)cfg->L * D * (nf_blocks(cfg->D, 64) * 64 + 1) * sizeof(float);   /* the library rounds columns up to 64 */
}

void nf_tuned_close(struct nf_tuned *t)
{
    for (size_t l = 0; t && t->packed && l < t->L; l++)
        free(t->packed[l]);
    if (t) {
        free(t->packed);
        free(t->bias);
        nf_gemm_close(t->gemm);
    }
    free(t);
}

int nf_tuned_apply(struct nf_tuned *t, size_t layer, const float *x, size_t T, float *y, struct nf_err *err)
{
    int rc = nf_gemm_run(t->gemm, t->packed[layer], t->bias + layer * t->D, x, T, y, err);

    if (rc == NF_OK)
        nf_add(x, T * t->D, y);
    return rc;
}
