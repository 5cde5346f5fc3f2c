/*
 * test_gguf_model.c - a model in a GGUF file is the model it was made of: the same configuration, the same weights bit for bit.
 *
 * The files are what llama.cpp's converter makes of the checkpoints in tests/data (make_gguf.py).
 */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "checkpoint/config.h"
#include "checkpoint/gguf_arch.h"
#include "checkpoint/gguf_model.h"
#include "checkpoint/weights.h"
#include "model/rope.h"

struct model {
    struct nf_config cfg;
    struct nf_weights w;
};

static bool open_model(const char *path, struct model *m)
{
    struct nf_err err = NF_ERR_INIT;

    *m = (struct model){ 0 };
    if (nf_config_read(path, &m->cfg, &err) == NF_OK && nf_weights_open(path, &m->cfg, &m->w, &err) == NF_OK)
        return true;
    printf("# %s\n", err.text);
    return false;
}

/* ---- configurations ---- */

#define FIELD(name)                                                                                                                \
    {                                                                                                                              \
#name, offsetof(struct nf_config, name), sizeof((struct nf_config *)0)->name                                               \
    }

/* All fields but names and digests. */
static const struct {
    const char *name;
    size_t offset, size;
} fields[] = {
    FIELD(family),
    FIELD(architecture),
    FIELD(L),
    FIELD(D),
    FIELD(F),
    FIELD(V),
    FIELD(H),
    FIELD(G),
    FIELD(K),
    FIELD(E),
    FIELD(max_positions),
    FIELD(positions),
    FIELD(position_offset),
    FIELD(rope.kind),
    FIELD(rope.R),
    FIELD(rope.theta),
    FIELD(rope_local.R),
    FIELD(rope_local.theta),
    FIELD(act),
    FIELD(gated),
    FIELD(parallel),
    FIELD(one_norm),
    FIELD(pre_norm),
    FIELD(branch_norm),
    FIELD(final_norm),
    FIELD(norm_affine),
    FIELD(norm),
    FIELD(qk_norm),
    FIELD(qk_norm_wide),
    FIELD(norm_eps),
    FIELD(bias_qkv),
    FIELD(bias_o),
    FIELD(bias_ffn),
    FIELD(bias_head),
    FIELD(scale_scores),
    FIELD(scale_by_layer),
    FIELD(score_scale),
    FIELD(score_cap),
    FIELD(logit_cap),
    FIELD(sinks),
    FIELD(embed_scale),
    FIELD(branch_scale),
    FIELD(logit_divisor),
    FIELD(experts),
    FIELD(experts_used),
    FIELD(window),
    FIELD(layer),
    FIELD(tied),
    FIELD(bos_id),
};

static void compare_configs(const struct nf_config *a, const struct nf_config *b)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (memcmp((const char *)a + fields[i].offset, (const char *)b + fields[i].offset, fields[i].size) != 0) {
            printf("# %s differs\n", fields[i].name);
            CHECK(false);
        }
}

/* The angles: more than one set of parameters may give them. */
static void compare_rope(const struct nf_rope_config *a, const struct nf_rope_config *b)
{
    enum { POSITIONS = 70 };
    struct nf_err err = NF_ERR_INIT;
    struct nf_rope p, q;
    size_t bytes = POSITIONS * (a->R / 2) * sizeof *p.sine;

    if (!a->R || a->R != b->R)
        return;
    CHECK(nf_rope_init(a, POSITIONS, &p, &err) == NF_OK && nf_rope_init(b, POSITIONS, &q, &err) == NF_OK);
    CHECK(memcmp(p.sine, q.sine, bytes) == 0 && memcmp(p.cosine, q.cosine, bytes) == 0);
    nf_rope_clear(&p);
    nf_rope_clear(&q);
}

static void what_is_undone_is_said(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_config cfg;

    CHECK(nf_config_read("tests/data/gguf/llama-rope3.gguf", &cfg, &err) == NF_OK);
    CHECK(strcmp(cfg.taken, "rows of queries and keys lie in pairs: put back; rope_freqs.weight is rope_type llama3, factor 8, "
                            "original_max_position_embeddings 64") == 0);
    CHECK(nf_config_read("tests/data/gguf/qwen2-tied.gguf", &cfg, &err) == NF_OK && !*cfg.taken);
}

/* ---- weights ---- */

enum { FLOATS = 1 << 14 };

static float x[FLOATS], y[FLOATS];

/* As the forward pass has them: rows and columns of the map, whatever the layout in the file. */
static bool same_map(const struct nf_linear *a, const struct nf_linear *b)
{
    size_t n = a->out * a->in;
    bool same;

    if (!a->w.data || !b->w.data)
        return !a->w.data && !b->w.data;
    if (a->out != b->out || a->in != b->in || n > FLOATS)
        return false;
    nf_linear_rows(a, 0, a->out, x);
    nf_linear_rows(b, 0, b->out, y);
    same = memcmp(x, y, n * sizeof *x) == 0;
    nf_linear_rows(a, 1, a->out - 2, x);
    nf_linear_rows(b, 1, b->out - 2, y);
    same = same && memcmp(x, y, (n - 2 * a->in) * sizeof *x) == 0;
    nf_linear_columns(a, 1, a->in - 1, x);
    nf_linear_columns(b, 1, b->in - 1, y);
    same = same && memcmp(x, y, (n - a->out) * sizeof *x) == 0;
    nf_linear_bias(a, x);
    nf_linear_bias(b, y);
    return same && memcmp(x, y, a->out * sizeof *x) == 0;
}

static bool same_tensor(const struct nf_tensor *a, const struct nf_tensor *b)
{
    size_t n = 0, m = 0;

    if (!a->data || !b->data)
        return !a->data && !b->data;
    if (!nf_tensor_count(a, &n) || !nf_tensor_count(b, &m) || n != m || n > FLOATS)
        return false;
    nf_tensor_f32(a, 0, n, x);
    nf_tensor_f32(b, 0, n, y);
    return memcmp(x, y, n * sizeof *x) == 0;
}

static bool same_norm(const struct nf_norm *a, const struct nf_norm *b)
{
    return same_tensor(&a->gain, &b->gain) && same_tensor(&a->bias, &b->bias);
}

static void compare_layers(const struct nf_layer *a, const struct nf_layer *b)
{
    CHECK(same_norm(&a->attn_norm, &b->attn_norm) && same_norm(&a->ffn_norm, &b->ffn_norm));
    CHECK(same_norm(&a->q_norm, &b->q_norm) && same_norm(&a->k_norm, &b->k_norm));
    CHECK(same_norm(&a->attn_out_norm, &b->attn_out_norm) && same_norm(&a->ffn_out_norm, &b->ffn_out_norm));
    CHECK(same_map(&a->q, &b->q));
    CHECK(same_map(&a->k, &b->k));
    CHECK(same_map(&a->v, &b->v));
    CHECK(same_map(&a->o, &b->o));
    CHECK(same_map(&a->ffn_in, &b->ffn_in));
    CHECK(same_map(&a->ffn_up, &b->ffn_up));
    CHECK(same_map(&a->ffn_out, &b->ffn_out));
    CHECK(same_map(&a->router, &b->router) && same_tensor(&a->sinks, &b->sinks));
}

static void compare_weights(const struct model *a, const struct model *b)
{
    CHECK(same_tensor(&a->w.embed, &b->w.embed) && same_tensor(&a->w.unembed, &b->w.unembed));
    CHECK(same_tensor(&a->w.positions, &b->w.positions) && same_tensor(&a->w.unembed_bias, &b->w.unembed_bias));
    CHECK(same_norm(&a->w.final_norm, &b->w.final_norm));
    for (size_t l = 0; l < a->cfg.L; l++)
        compare_layers(&a->w.layer[l], &b->w.layer[l]);
}

static void compare_models(const char *dir, const char *gguf)
{
    struct model a, b;
    char path[2][200];

    snprintf(path[0], sizeof path[0], "tests/data/%s", dir);
    snprintf(path[1], sizeof path[1], "tests/data/gguf/%s.gguf", gguf);
    printf("# %s\n", gguf);
    CHECK(open_model(path[0], &a));
    CHECK(open_model(path[1], &b));
    compare_configs(&a.cfg, &b.cfg);
    compare_rope(&a.cfg.rope, &b.cfg.rope);
    compare_rope(&a.cfg.rope_local, &b.cfg.rope_local);
    if (a.w.file && b.w.file)
        compare_weights(&a, &b);
    nf_weights_close(&a.w);
    nf_weights_close(&b.w);
}

static void every_family_is_its_checkpoint(void)
{
    static const char *const names[] = { "gpt2-plain",  "gpt-neox-parallel", "gpt-neox-sequential", "llama-bias", "llama-linear",
                                         "llama-rope3", "phi-half",          "qwen2-tied",          "qwen3-tied" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        compare_models(names[i], names[i]);
}

static void query_key_and_value_in_one_matrix(void)
{
    compare_models("llama-bias", "llama-bias-qkv");
    compare_models("qwen2-tied", "qwen2-tied-qkv");
}

/* ---- parts ---- */

static void any_part_opens_all(void)
{
    struct model whole, parts;

    compare_models("llama-rope3", "llama-rope3-parts-00001-of-00003");
    compare_models("llama-rope3", "llama-rope3-parts-00003-of-00003");
    CHECK(open_model("tests/data/gguf/llama-rope3.gguf", &whole));
    CHECK(open_model("tests/data/gguf/llama-rope3-parts-00002-of-00003.gguf", &parts));
    CHECK(strcmp(whole.cfg.config_sha256, parts.cfg.config_sha256) == 0);
    CHECK(strcmp(whole.cfg.weights_sha256, parts.cfg.weights_sha256) == 0);
    CHECK(strcmp(whole.cfg.name, "llama-rope3") == 0 && strcmp(parts.cfg.name, "llama-rope3-parts") == 0);
    nf_weights_close(&whole.w);
    nf_weights_close(&parts.w);
}

/* ---- files changed by hand ---- */

/* A copy of a fixture in a temporary folder, under `name`. */
static char *copy_file(const char *from, const char *dir, const char *name, struct nf_map *map)
{
    struct nf_err err = NF_ERR_INIT;
    char *path = nf_path_join(dir, name, &err);
    FILE *f = fopen(path, "wb");

    CHECK(nf_map_open(from, map, &err) == NF_OK && f && fwrite(map->data, 1, map->size, f) == map->size && fclose(f) == 0);
    return path;
}

static void overwrite(const char *path, long at, const void *p, size_t n)
{
    FILE *f = fopen(path, "r+b");

    CHECK(f && fseek(f, at, SEEK_SET) == 0 && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

static bool config_refused(const char *path, const char *ends)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_config cfg;
    size_t n = strlen(ends), m;

    if (nf_config_read(path, &cfg, &err) == NF_OK) {
        printf("# opens\n");
        return false;
    }
    m = strlen(err.text);
    if (err.code == NF_EFORMAT && m >= n && strcmp(err.text + m - n, ends) == 0)
        return true;
    printf("# %s\n# expected: %s\n", err.text, ends);
    return false;
}

/* Writes `to` over the first `from` in the file, both as long, and looks at the message. */
static void refuse_changed(const char *fixture, const char *from, const char *to, size_t n, const char *message)
{
    char dir[] = "/tmp/test_gguf.XXXXXX", source[200];
    struct nf_map map;
    const char *at;
    char *path;

    snprintf(source, sizeof source, "tests/data/gguf/%s.gguf", fixture);
    CHECK(mkdtemp(dir));
    path = copy_file(source, dir, "x.gguf", &map);
    at = memmem(map.data, map.size, from, n);
    CHECK(at);
    if (at)
        overwrite(path, at - (const char *)map.data, to, n);
    CHECK(config_refused(path, message));
    nf_map_close(&map);
    unlink(path);
    rmdir(dir);
    free(path);
}

#define CHANGED(fixture, from, to, message) refuse_changed(fixture, from, to, sizeof(from) - 1, message)

static void what_is_not_known_is_refused_by_name(void)
{
    CHANGED("llama-linear", "\5\0\0\0\0\0\0\0llama", "\5\0\0\0\0\0\0\0ilama",
            "general.architecture: ilama is not implemented, only bloom, falcon, gemma, gemma2, gemma3, gpt-oss, gpt2, gptneox, "
            "granite, llama, "
            "olmo2, phi2, phi3, qwen2, qwen3, qwen3moe, smollm3 are");
    CHANGED("llama-linear", "llama.vocab_size", "llama.vocab_sizf",
            "metadata llama.vocab_sizf: 43: this key is not known, and might change the computation");
    CHANGED("llama-linear", "llama.block_count", "llamo.block_count", "metadata llama.block_count is missing");
    CHANGED("llama-linear", "\6\0\0\0\0\0\0\0linear", "\6\0\0\0\0\0\0\0lineaR",
            "metadata llama.rope.scaling.type: \"lineaR\": not implemented");
    CHANGED("llama-linear", "\5\0\0\0\0\0\0\0model", "\5\0\0\0\0\0\0\0lorax",
            "metadata general.type: lorax is not a language model");
    CHANGED("llama-linear", "token_embd.weight", "tokem_embd.weight", "tensor token_embd.weight is missing");
}

/* The factors of rope_freqs.weight are not guessed at. */
static void factors_of_no_known_scaling_are_refused(void)
{
    struct nf_gguf_model m;
    struct nf_err err = NF_ERR_INIT;
    char dir[] = "/tmp/test_gguf.XXXXXX";
    const struct nf_tf_entry *e;
    struct nf_map map;
    char *path;
    float f;

    CHECK(mkdtemp(dir));
    path = copy_file("tests/data/gguf/llama-rope3.gguf", dir, "x.gguf", &map);
    CHECK(nf_gguf_model_open(path, &m, &err) == NF_OK);
    e = nf_gguf_model_tensor(&m, "rope_freqs.weight");
    CHECK(e);
    memcpy(&f, (const char *)e->t.data + 4, sizeof f);
    f *= 1.001f;
    overwrite(path, (long)((const unsigned char *)e->t.data - m.part[0].tensors.map.data) + 4, &f, sizeof f);
    CHECK(config_refused(path, "tensor rope_freqs.weight: these are not the factors of a known rope_type"));
    nf_gguf_model_close(&m);
    nf_map_close(&map);
    unlink(path);
    rmdir(dir);
    free(path);
}

static void parts_must_fit(void)
{
    char dir[] = "/tmp/test_gguf.XXXXXX";
    struct nf_err err = NF_ERR_INIT;
    struct nf_config cfg;
    struct nf_map map[3];
    char *path[3];

    CHECK(mkdtemp(dir));
    path[0] = copy_file("tests/data/gguf/llama-rope3-parts-00001-of-00003.gguf", dir, "a-00001-of-00003.gguf", &map[0]);
    CHECK(nf_config_read(path[0], &cfg, &err) == NF_ESYS && strstr(err.text, "a-00002-of-00003.gguf: No such file"));
    path[1] = copy_file("tests/data/gguf/llama-rope3-parts-00003-of-00003.gguf", dir, "a-00002-of-00003.gguf", &map[1]);
    CHECK(config_refused(path[0], "a-00002-of-00003.gguf: split.no 2 and split.count 3 do not fit the name"));
    path[2] = copy_file("tests/data/gguf/llama-rope3-parts-00001-of-00003.gguf", dir, "b.gguf", &map[2]);
    CHECK(config_refused(path[2], "b.gguf: one of 3 parts, whose name should end in -00001-of-00003.gguf"));
    for (size_t i = 0; i < 3; i++) {
        nf_map_close(&map[i]);
        unlink(path[i]);
        free(path[i]);
    }
    rmdir(dir);
}

int main(void)
{
    return RUN(every_family_is_its_checkpoint, query_key_and_value_in_one_matrix, what_is_undone_is_said, any_part_opens_all,
               what_is_not_known_is_refused_by_name, factors_of_no_known_scaling_are_refused, parts_must_fit);
}
