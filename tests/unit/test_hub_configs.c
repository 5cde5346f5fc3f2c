/* test_hub_configs.c - config.json of public models, as they are published and as versions of transformers save them: what transformers makes of each. */
#include "check.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "checkpoint/config.h"
#include "checkpoint/parameters.h"
#include "model/rope.h"

static struct nf_err err;
static struct nf_config cfg;

static int parse(const json_t *config)
{
    char *text = json_dumps(config, JSON_COMPACT);
    int rc;

    err = (struct nf_err)NF_ERR_INIT;
    cfg = (struct nf_config){ 0 };
    rc = nf_config_parse(text, strlen(text), "config.json", &cfg, &err);
    free(text);
    return rc;
}

static size_t count_windows(void)
{
    size_t n = 0;

    for (size_t l = 0; l < cfg.L; l++)
        n += (cfg.layer[l] & NF_LAYER_WINDOW) != 0;
    return n;
}

static bool is_size(const json_t *expect, const char *key, size_t value)
{
    const json_t *v = json_object_get(expect, key);
    bool same = json_is_integer(v) && (size_t)json_integer_value(v) == value;

    if (!same)
        printf("# %s: %zu, transformers has %lld\n", key, value, (long long)json_integer_value(v));
    return same;
}

/* The angle by which pair i turns from one position to the next; a float of transformers, from a float of ours: 2^-23 each. */
static bool turns_by(const struct nf_rope *r, size_t i, const json_t *expect)
{
    double angle = atan2((double)r->sine[r->half + i], (double)r->cosine[r->half + i]), want = json_number_value(expect);
    bool same = fabs(angle - want) <= 4 * 0x1p-23 * want;

    if (!same)
        printf("# pair %zu turns by %.9g, by %.9g in transformers\n", i, angle, want);
    return same;
}

static bool rope_is(const json_t *expect)
{
    struct nf_rope r = { 0 };
    bool same;

    if (!expect)
        return cfg.positions != NF_POS_ROTARY;
    same = cfg.positions == NF_POS_ROTARY && is_size(expect, "R", cfg.rope.R) && nf_rope_init(&cfg.rope, 2, &r, NULL) == NF_OK &&
           turns_by(&r, 1, json_object_get(expect, "second")) && turns_by(&r, r.half - 1, json_object_get(expect, "slowest"));
    nf_rope_clear(&r);
    return same;
}

static bool is_read_right(const json_t *expect)
{
    size_t n = count_windows();

    return is_size(expect, "parameters", nf_parameters_count(&cfg).all) && is_size(expect, "L", cfg.L) &&
           is_size(expect, "D", cfg.D) && is_size(expect, "H", cfg.H) && is_size(expect, "K", cfg.K) &&
           is_size(expect, "V", cfg.V) && is_size(expect, "positions", cfg.max_positions) && is_size(expect, "windowed", n) &&
           is_size(expect, "window", n ? cfg.window : 0) && json_is_true(json_object_get(expect, "tied")) == cfg.tied &&
           rope_is(json_object_get(expect, "rope"));
}

static void every_configuration_is_read_as_transformers_reads_it(void)
{
    FILE *f = fopen("tests/data/hub-configs.ndjson", "r");
    size_t n = 0, refused = 0;
    json_t *line;

    CHECK(f);
    while (f && (line = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL))) {
        const json_t *expect = json_object_get(line, "expect"), *config = json_object_get(line, "config");
        const char *why = json_string_value(json_object_get(line, "refused"));
        int rc = parse(config);
        bool ok = why ? rc == NF_EFORMAT && strstr(err.text, why) : rc == NF_OK && is_read_right(expect);

        if (!ok)
            printf("# %s: %s\n", json_string_value(json_object_get(line, "name")), err.text);
        CHECK(ok);
        refused += why != NULL;
        n++;
        json_decref(line);
    }
    CHECK(n >= 120 && refused >= 8);
    if (f)
        fclose(f);
}

int main(void)
{
    return RUN(every_configuration_is_read_as_transformers_reads_it);
}
