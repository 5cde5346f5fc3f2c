/* loaded_model.c - a model and the tokens that it is to see. */
#include "run/loaded_model.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hub.h"
#include "base/par.h"
#include "run/model_tokenizer.h"

enum { CONTEXT_MAX = 1 << 24 };

static int read_model_size(const struct nf_reader *in, const json_t *map, const char *key, size_t *size, struct nf_err *err)
{
    const json_t *v = json_object_get(map, key);

    if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > CONTEXT_MAX)
        return nf_fail(err, NF_EFORMAT, "%s: header: %s: a whole number from 1 to %d is expected", nf_reader_what(in), key,
                       CONTEXT_MAX);
    *size = (size_t)json_integer_value(v);
    return NF_OK;
}

/* The tokens were made by the model's own tokenizer; a directory without one cannot be asked. */
static int check_stream_tokenizer(struct nf_loaded_model *s, const struct nf_reader *in, struct nf_err *err)
{
    const char *digest = json_string_value(json_object_get(json_object_get(nf_reader_header(in), "tokenizer"), "digest"));
    struct nf_tokenizer *t;
    int rc = NF_OK;

    s->unchecked = !nf_model_has_tokenizer(s->dir, err);
    if (err->code < 0)
        return (int)err->code;
    if (!digest)
        return nf_fail(err, NF_EFORMAT, "%s: header: tokenizer.digest is missing", nf_reader_what(in));
    if (s->unchecked)
        return NF_OK;
    t = nf_model_tokenizer(s->dir, err);
    if (!t)
        return (int)err->code;
    if (strcmp(t->digest, digest) != 0)
        rc = nf_fail(err, NF_EFORMAT, "%s: the tokens were made by a tokenizer (%.12s...) that is not that of %s (%.12s...)",
                     nf_reader_what(in), digest, s->dir, t->digest);
    nf_tokenizer_close(t);
    return rc;
}

int nf_loaded_model_open(const char *dir, const struct nf_reader *in, struct nf_loaded_model *s, struct nf_err *err)
{
    const json_t *header = nf_reader_header(in);
    int rc;

    *s = (struct nf_loaded_model){ .dir = dir };
    if ((rc = read_model_size(in, json_object_get(header, "tokenizer"), "vocab", &s->V, err)) < 0 ||
        (rc = read_model_size(in, header, "context", &s->context, err)) < 0 || (rc = nf_config_read(dir, &s->cfg, err)) < 0)
        return rc;
    s->V = nf_min(s->V, s->cfg.V);
    if (s->context > s->cfg.max_positions)
        return nf_fail(err, NF_EFORMAT, "%s: windows of up to %zu tokens, %s has %zu positions", nf_reader_what(in), s->context,
                       dir, s->cfg.max_positions);
    return check_stream_tokenizer(s, in, err);
}

struct nf_reader *nf_loaded_model_reader(const char *model, const char *revision, const char *kinds, struct nf_loaded_model *s,
                                         struct nf_err *err)
{
    char *dir = nf_model_dir(model, revision, err);
    struct nf_reader *in = dir ? nf_reader_open_file(NULL, kinds, err) : NULL;
    int rc = in ? nf_loaded_model_open(dir, in, s, err) : NF_ESYS;

    if (rc < 0) {
        nf_reader_close(in);
        free(dir);
        *s = (struct nf_loaded_model){ 0 };
        return NULL;
    }
    s->found = dir;
    return in;
}

int nf_loaded_model_weights(struct nf_loaded_model *s, struct nf_err *err)
{
    int rc = nf_weights_open(s->dir, &s->cfg, &s->weights, err);

    if (rc == NF_OK)
        nf_differences(&s->cfg, &s->weights, s->differs, sizeof s->differs);
    return rc;
}

int nf_model_check_made_with(const json_t *header, const struct nf_config *cfg, const char *what, struct nf_err *err)
{
    const struct {
        const char *key, *name, *own;
    } digests[] = { { "config_sha256", "config.json", cfg->config_sha256 }, { "weights_sha256", "weights", cfg->weights_sha256 } };
    const json_t *model = json_object_get(header, "model");

    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
        const char *have = json_string_value(json_object_get(model, digests[i].key));

        if (!*digests[i].own)
            continue;
        if (!have)
            return nf_fail(err, NF_EFORMAT, "%s: header: model.%s is missing", what, digests[i].key);
        if (strcmp(have, digests[i].own) != 0)
            return nf_fail(err, NF_EFORMAT, "%s: made with another model than %s: %s %.12s.., not %.12s..", what, cfg->name,
                           digests[i].name, have, digests[i].own);
    }
    return NF_OK;
}

json_t *nf_loaded_model_json(const struct nf_loaded_model *s, enum nf_dtype dtype)
{
    static const char *const positions[] = { [NF_POS_NONE] = "none", [NF_POS_LEARNED] = "learned", [NF_POS_ROTARY] = "rotary" };
    const struct nf_config *c = &s->cfg;
    json_t *m;

    m = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b, s:b, s:s, s:s, s:s}", "name", c->name,
                  "family", nf_family_name(c->family), "architecture", c->architecture, "config_sha256", c->config_sha256,
                  "weights_sha256", c->weights_sha256, "L", (json_int_t)c->L, "D", (json_int_t)c->D, "H", (json_int_t)c->H, "G",
                  (json_int_t)c->G, "K", (json_int_t)c->K, "F", (json_int_t)c->F, "V", (json_int_t)c->V, "activation",
                  nf_act_name(c->act), "gated", c->gated, "parallel", c->parallel, "positions", positions[c->positions], "norm",
                  c->pre_norm ? "pre" : "post", "dtype", nf_dtype_name(dtype));
    if (*c->revision && json_object_set_new(m, "revision", json_string(c->revision)) < 0) {
        json_decref(m);
        return NULL;
    }
    return m;
}

void nf_loaded_model_close(struct nf_loaded_model *s)
{
    nf_weights_close(&s->weights);
    free(s->found);
    *s = (struct nf_loaded_model){ 0 };
}
