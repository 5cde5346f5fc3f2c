/* test_weights.c - lib/model/{safetensors,checkpoint,weights}: what is found, what is refused and how it is named. */
#include "check.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "checkpoint/family.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/weights.h"

/* ---- a checkpoint of one layer, made here: L 1, D 4, H 2, F 6, V 5, 3 positions ---- */

enum { MOST = 40 };

struct item {
    char name[96];
    const char *type;   /* "F32": element i is value + i / 64 */
    size_t shape[3], ndim;
    float value;
};

static struct item item[MOST];
static size_t n_items;
static const char *config =
    "{\"model_type\": \"opt\", \"num_hidden_layers\": 1, \"hidden_size\": 4, \"num_attention_heads\": 2, \"ffn_dim\": 6,"
    " \"vocab_size\": 5, \"max_position_embeddings\": 3";
static char more[256];   /* of config.json */
static char dir[] = "/tmp/nf-weights-XXXXXX";
static struct nf_err err;
static struct nf_config cfg;
static struct nf_weights w;

static struct item *add(const char *prefix, const char *name, size_t rows, size_t cols)
{
    struct item *it = &item[n_items++];

    *it = (struct item){ .type = "F32", .shape = { rows, cols }, .ndim = cols ? 2 : 1, .value = (float)n_items };
    snprintf(it->name, sizeof it->name, "%s%s", prefix, name);
    return it;
}

static void whole(const char *p)
{
    static const char *const linear[] = {
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "fc1", "fc2"
    };
    static const char *const norm[] = { "layers.0.self_attn_layer_norm", "layers.0.final_layer_norm", "final_layer_norm" };
    char name[96];

    n_items = 0;
    *more = '\0';
    add(p, "embed_tokens.weight", 5, 4);
    add(p, "embed_positions.weight", 5, 4);
    for (size_t i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "layers.0.%s.weight", linear[i]);
        add(p, name, i == 4 ? 6 : 4, i == 5 ? 6 : 4);
        snprintf(name, sizeof name, "layers.0.%s.bias", linear[i]);
        add(p, name, i == 4 ? 6 : 4, 0);
    }
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 2; k++) {
            snprintf(name, sizeof name, "%s.%s", norm[i], k ? "bias" : "weight");
            add(p, name, 4, 0);
        }
}

static struct item *find(const char *end)
{
    for (size_t i = 0; i < n_items; i++) {
        size_t n = strlen(item[i].name), m = strlen(end);

        if (n >= m && strcmp(item[i].name + n - m, end) == 0)
            return &item[i];
    }
    abort();
}

static void drop(const char *end)
{
    struct item *it = find(end);

    *it = item[--n_items];
}

static size_t count(const struct item *it)
{
    size_t n = 1;

    for (size_t i = 0; i < it->ndim; i++)
        n *= it->shape[i];
    return n;
}

static size_t size(const struct item *it)
{
    return strcmp(it->type, "F32") == 0 ? 4 : 2;
}

static FILE *create(const char *name)
{
    char *path = nf_path_join(dir, name, NULL);
    FILE *f = fopen(path, "wb");

    free(path);
    return f;
}

static void put_item(FILE *f, const struct item *it)
{
    for (size_t i = 0; i < count(it); i++) {
        float x = it->value + (float)i / 64;
        uint16_t half = strcmp(it->type, "F16") == 0 ? nf_f32_to_f16(x) : nf_f32_to_bf16(x);

        fwrite(size(it) == 4 ? (const void *)&x : &half, size(it), 1, f);
    }
}

/* Items from, from + step, ... as a safetensors file. */
static void put_file(const char *name, size_t from, size_t step)
{
    FILE *f = create(name);
    char *text;
    size_t n, at = 0;
    FILE *header = open_memstream(&text, &n);

    for (size_t i = from; i < n_items; at += count(&item[i]) * size(&item[i]), i += step) {
        fprintf(header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i == from ? "{" : ",", item[i].name, item[i].type);
        for (size_t k = 0; k < item[i].ndim; k++)
            fprintf(header, "%s%zu", k ? "," : "", item[i].shape[k]);
        fprintf(header, "],\"data_offsets\":[%zu,%zu]}", at, at + count(&item[i]) * size(&item[i]));
    }
    fputs("}", header);
    fclose(header);
    for (size_t i = 0; i < 8; i++)
        fputc((int)((uint64_t)n >> (8 * i) & 255), f);
    fwrite(text, 1, n, f);
    free(text);
    for (size_t i = from; i < n_items; i += step)
        put_item(f, &item[i]);
    CHECK(fclose(f) == 0);
}

static void clear(void)
{
    static const char *const names[] = { "config.json", "model.safetensors", "model.safetensors.index.json", "a.safetensors",
                                         "b.safetensors" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = nf_path_join(dir, names[i], NULL);

        unlink(path);
        free(path);
    }
}

static int open_dir(const char *path)
{
    err = (struct nf_err)NF_ERR_INIT;
    if (nf_config_read(path, &cfg, &err) < 0)
        return err.code;
    return nf_weights_open(path, &cfg, &w, &err);
}

static void put_config(void)
{
    FILE *f = create("config.json");

    fprintf(f, "%s%s}", config, more);
    fclose(f);
}

static int open_items(void)
{
    clear();
    put_config();
    put_file("model.safetensors", 0, 1);
    return open_dir(dir);
}

/* Bad input, and the message has both parts. */
static bool refused(const char *what, const char *why)
{
    bool ok = open_items() == NF_EFORMAT && strstr(err.text, what) && strstr(err.text, why);

    if (!ok)
        printf("# %s\n", err.text);
    nf_weights_close(&w);
    return ok;
}

/* ---- what is found ---- */

static void every_tensor_has_its_role(void)
{
    static const char *const prefixes[] = { "model.decoder.", "decoder." };
    char digest[65] = "";

    for (size_t i = 0; i < 2; i++) {
        whole(prefixes[i]);
        CHECK(open_items() == NF_OK);
        CHECK(cfg.tied && w.unembed.data == w.embed.data);
        CHECK(w.embed.shape[0] == 5 && w.positions.shape[0] == 5 && w.layer[0].ffn_in.w.shape[0] == 6 &&
              w.layer[0].ffn_out.w.shape[1] == 6);
        CHECK(!w.project_in.w.data && !w.project_out.w.data && w.final_norm.gain.data);
        float x[6];
        nf_to_f32(NF_F32, w.layer[0].ffn_in.b.data, 6, x);
        CHECK(x[0] == find("fc1.bias")->value && x[5] == x[0] + 5.0f / 64);
        CHECK(!*digest || strcmp(digest, cfg.weights_sha256) == 0);   /* the prefix does not matter */
        strcpy(digest, cfg.weights_sha256);
        nf_weights_close(&w);
    }
}

/* One byte of one tensor, or the type of one, is another digest. */
static void the_digest_is_of_every_byte(void)
{
    char digest[65];

    whole("decoder.");
    CHECK(open_items() == NF_OK);
    strcpy(digest, cfg.weights_sha256);
    nf_weights_close(&w);
    find("fc2.bias")->value += 1;
    CHECK(open_items() == NF_OK && strcmp(digest, cfg.weights_sha256) != 0);
    nf_weights_close(&w);
    find("fc2.bias")->value -= 1;
    CHECK(open_items() == NF_OK && strcmp(digest, cfg.weights_sha256) == 0);
    nf_weights_close(&w);
}

static void put_index(const char *json)
{
    FILE *f = create("model.safetensors.index.json");

    fputs("{\"weight_map\": {", f);
    for (size_t i = 0; i < n_items; i++)
        fprintf(f, "%s\"%s\": \"%c.safetensors\"", i ? ", " : "", item[i].name, i % 2 ? 'b' : 'a');
    fprintf(f, "%s}}", json);
    fclose(f);
}

static void shards_are_the_single_file(void)
{
    char digest[65];

    whole("model.decoder.");
    CHECK(open_items() == NF_OK);
    strcpy(digest, cfg.weights_sha256);
    nf_weights_close(&w);
    clear();
    put_config();
    put_file("a.safetensors", 0, 2);
    put_file("b.safetensors", 1, 2);
    put_index("");
    CHECK(open_dir(dir) == NF_OK && strcmp(digest, cfg.weights_sha256) == 0);
    nf_weights_close(&w);
    put_index(", \"decoder.x\": \"a.safetensors\"");
    CHECK(open_dir(dir) == NF_OK && strcmp(digest, cfg.weights_sha256) == 0);   /* nobody needs it */
    nf_weights_close(&w);
    put_index(", \"decoder.x\": \"../a.safetensors\"");
    CHECK(open_dir(dir) == NF_EFORMAT && strstr(err.text, "decoder.x"));
    put_index("");
    put_file("b.safetensors", 0, 1);   /* all of them, those of a.safetensors once more */
    CHECK(open_dir(dir) == NF_OK && strcmp(digest, cfg.weights_sha256) == 0 && !w.n_passed);
    nf_weights_close(&w);
    item[2].value += 1;
    put_file("b.safetensors", 0, 1);
    CHECK(open_dir(dir) == NF_EFORMAT && strstr(err.text, item[2].name) && strstr(err.text, "two shards"));
    item[2].value -= 1;
    add("model.decoder.", "embed_positions._float_tensor", 1, 0);   /* in a shard, not in the index */
    put_file("b.safetensors", 1, 2);
    n_items--;
    put_index("");
    CHECK(open_dir(dir) == NF_OK && strcmp(digest, cfg.weights_sha256) == 0);
    nf_weights_close(&w);
    clear();
    put_config();
    put_index("");
    put_file("a.safetensors", 0, 2);
    CHECK(open_dir(dir) == NF_ESYS && strstr(err.text, "b.safetensors"));
}

static void half_types(void)
{
    float x;

    whole("decoder.");
    find("fc1.weight")->type = "F16";
    find("fc2.weight")->type = "BF16";
    CHECK(open_items() == NF_OK);
    CHECK(w.layer[0].ffn_in.w.dtype == NF_F16 && w.layer[0].ffn_out.w.dtype == NF_BF16);
    nf_to_f32(NF_F16, w.layer[0].ffn_in.w.data, 1, &x);
    CHECK(x == find("fc1.weight")->value);
    nf_weights_close(&w);
}

static void lm_head_tied_or_not(void)
{
    struct item *head;

    whole("model.decoder.");
    head = add("", "lm_head.weight", 5, 4);
    head->value = item[0].value;
    CHECK(open_items() == NF_OK && cfg.tied && w.unembed.data == w.embed.data);
    nf_weights_close(&w);
    head->value = 100;
    CHECK(refused("lm_head.weight", "tie_word_embeddings"));
    strcpy(more, ", \"tie_word_embeddings\": false");
    CHECK(open_items() == NF_OK && !cfg.tied && w.unembed.data != w.embed.data);
    nf_weights_close(&w);
    n_items--;
    CHECK(open_items() == NF_OK && !w.unembed.data);   /* as AutoModel saves it */
    err = (struct nf_err)NF_ERR_INIT;
    CHECK(nf_weights_need_unembed(&cfg, &w, &err) == NF_EFORMAT && strstr(err.text, "AutoModelForCausalLM"));
    nf_weights_close(&w);
    strcpy(more, "");
    CHECK(open_items() == NF_OK && w.unembed.data == w.embed.data && nf_weights_need_unembed(&cfg, &w, NULL) == NF_OK);
    nf_weights_close(&w);
}

/* Each of another version or program; the numbers are those of a file without it. */
static void tensors_without_a_role_are_passed_over(void)
{
    static const char *const names[] = {
        "model.decoder.version",
        "model.decoder.embed_positions._float_tensor",
        "model.rotary_emb.inv_freq",
        "model.decoder.layers.0.self_attn.rotary_emb.inv_freq",
        "model.decoder.layers.7.self_attn.rotary_emb.cos_cached",
        "model.decoder.position_ids",
        "decoder.position_ids",
        "model.decoder.layers.0._extra_state",
        "score.weight",
        "classifier.bias",
        "v_head.summary.weight",
        "vision_tower.x.weight",
        "model.norm.weight",
    };
    static const char *const bare[] = { "score.weight", "version", "qa_outputs.bias" };
    char digest[65];

    whole("model.decoder.");
    CHECK(open_items() == NF_OK && !w.n_passed);
    strcpy(digest, cfg.weights_sha256);
    nf_weights_close(&w);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        whole("model.decoder.");
        add("", names[i], 2, 0);
        CHECK(open_items() == NF_OK && w.n_passed == 1 && strcmp(w.passed, names[i]) == 0 &&
              strcmp(digest, cfg.weights_sha256) == 0);
        nf_weights_close(&w);
    }
    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++) {
        whole("decoder.");
        add("", bare[i], 2, 0);
        CHECK(open_items() == NF_OK && w.n_passed == 1);
        nf_weights_close(&w);
    }
    whole("decoder.");
    add("decoder.", "layers.0.self_attn.causal", 2, 0);
    CHECK(refused("layers.0.self_attn.causal", "not part"));
    add("decoder.", "layers.0.self_attn.other", 2, 0);
    CHECK(refused("layers.0.self_attn.causal", "and 1 more"));
}

/* As versions of transformers have wrapped a text model; the digest is that of the model alone. */
static void a_multimodal_model_is_its_text_model(void)
{
    static const char *const wrappings[] = { "language_model.model.decoder.", "model.language_model.decoder.",
                                             "model.text_model.decoder.", "text_model.model.decoder." };
    const char *plain = config;
    char digest[65];

    whole("decoder.");
    CHECK(open_items() == NF_OK);
    strcpy(digest, cfg.weights_sha256);
    nf_weights_close(&w);
    config = "{\"model_type\": \"blip-2\", \"projector\": 3, \"text_config\": {\"model_type\": \"opt\", \"num_hidden_layers\": 1,"
             " \"hidden_size\": 4, \"num_attention_heads\": 2, \"ffn_dim\": 6, \"vocab_size\": 5, \"max_position_embeddings\": 3}";
    for (size_t i = 0; i < sizeof wrappings / sizeof *wrappings; i++) {
        whole(wrappings[i]);
        add("model.vision_tower.", "layers.0.fc1.weight", 2, 2);
        CHECK(open_items() == NF_OK && strcmp(digest, cfg.weights_sha256) == 0 && w.n_passed == 1);
        CHECK(cfg.wrapped && strstr(cfg.taken, "opt") && strstr(cfg.taken, "blip-2"));
        nf_weights_close(&w);
        add("language_model.", "lm_head.weight", 5, 4)->value = 100;   /* one of its own, whatever a default says of ties */
        CHECK(open_items() == NF_OK && !cfg.tied && w.unembed.data != w.embed.data);
        nf_weights_close(&w);
    }
    add(wrappings[3], "layers.0.fc3.weight", 2, 2);
    CHECK(refused("layers.0.fc3.weight", "not part"));
    whole(wrappings[0]);
    strcpy(more, ", \"quantization_config\": {\"quant_method\": \"awq\"}");
    CHECK(refused("quantised", "awq"));
    strcpy(more, ", \"auto_map\": {\"AutoConfig\": \"m.C\"}");
    CHECK(refused("auto_map", "own"));
    *more = '\0';
    config = "{\"model_type\": \"paligemma\", \"text_config\": {\"model_type\": \"opt\"}";
    CHECK(refused("paligemma", "not implemented"));
    config = plain;
}

static void many_missing_are_one_message(void)
{
    whole("decoder.");
    drop("q_proj.weight");
    drop("fc1.weight");
    drop("fc1.bias");
    CHECK(refused("decoder.layers.0.self_attn.q_proj.weight is missing", "and 2 more"));
    add("decoder.", "layers.0.self_attn.q_proj.qweight", 4, 4);
    CHECK(refused("q_proj.weight is missing", "quantised"));
}

static void weights_in_another_form_are_named(void)
{
    static const char *const names[][2] = { { "adapter_model.safetensors", "adapter" },
                                            { "tf_model.h5", "TensorFlow" },
                                            { "flax_model.msgpack", "Flax" },
                                            { "consolidated.00.pth", "authors' own" } };

    clear();
    *more = '\0';
    put_config();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = nf_path_join(dir, names[i][0], NULL);

        CHECK(fclose(create(names[i][0])) == 0);
        CHECK(open_dir(dir) == NF_EFORMAT && strstr(err.text, names[i][0]) && strstr(err.text, names[i][1]));
        unlink(path);
        free(path);
    }
    FILE *f = create("model.safetensors");
    fputs("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", f);
    fclose(f);
    CHECK(open_dir(dir) == NF_EFORMAT && strstr(err.text, "git lfs pull"));
}

/* ---- what is refused ---- */

static void missing(void)
{
    static const char *const names[] = {
        "embed_tokens.weight", "embed_positions.weight", "q_proj.weight", "fc1.bias", "layers.0.final_layer_norm.bias", "fc2.weight"
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        whole("model.decoder.");
        drop(names[i]);
        CHECK(refused(names[i], "missing"));
    }
}

static void doubled(void)
{
    whole("model.decoder.");
    add("model.decoder.", "layers.0.fc1.bias", 6, 0);
    CHECK(refused("model.decoder.layers.0.fc1.bias", "twice"));
    whole("model.decoder.");
    add("decoder.", "embed_tokens.weight", 5, 4);
    CHECK(refused("embed_tokens.weight", "twice"));
}

static void misshapen(void)
{
    whole("model.decoder.");
    find("fc1.weight")->shape[0] = 7;
    CHECK(refused("layers.0.fc1.weight", "[7,4]") && refused("layers.0.fc1.weight", "[6,4]"));
    whole("model.decoder.");
    find("fc1.bias")->ndim = 3;
    find("fc1.bias")->shape[1] = find("fc1.bias")->shape[2] = 1;
    CHECK(refused("layers.0.fc1.bias", "[6,1,1]"));
    whole("model.decoder.");
    strcpy(more, ", \"word_embed_proj_dim\": 2");
    CHECK(refused("embed_tokens.weight", "[5,2]"));
}

static void not_finite(void)
{
    static const char *const types[] = { "F32", "F16", "BF16" };

    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 2; k++) {
            whole("model.decoder.");
            find("out_proj.weight")->type = types[i];
            find("out_proj.weight")->value = k ? NAN : -INFINITY;
            CHECK(refused("self_attn.out_proj.weight", "NaN or Inf at element 0"));
        }
}

static void unknown(void)
{
    whole("model.decoder.");
    add("model.decoder.", "layers.0.fc3.weight", 4, 4);
    CHECK(refused("layers.0.fc3.weight", "not part of the model"));
    whole("model.decoder.");
    add("model.decoder.", "layers.1.fc1.weight", 6, 4);
    CHECK(refused("layers.1.fc1.weight", "not part of the model"));
    whole("model.decoder.");
    add("", "lm_head.bias", 5, 0);
    CHECK(refused("lm_head.bias", "not part of the model"));
    whole("model.decoder.");
    strcpy(more, ", \"position_embedding_type\": \"none\"");
    CHECK(refused("embed_positions.weight", "not part of the model"));
    whole("model.decoder.");
    find("fc1.bias")->type = "I16";
    CHECK(refused("layers.0.fc1.bias", "I16"));
    whole("model.decoder.");
    add("", "score.weight", 2, 4);   /* a head for another task: outside the decoder */
    CHECK(open_items() == NF_OK);
    nf_weights_close(&w);
}

static void no_weights(void)
{
    whole("decoder.");
    clear();
    put_config();
    CHECK(open_dir(dir) == NF_EFORMAT && strstr(err.text, dir) && strstr(err.text, "model.safetensors"));
}

/* ---- bytes of a safetensors file ---- */

static bool no_file(const char *header, size_t data, const char *why)
{
    static unsigned char bytes[4096];
    size_t n = strlen(header);
    struct nf_tf f = { 0 };
    bool ok;

    memset(bytes, 0, sizeof bytes);
    bytes[0] = (unsigned char)n;
    bytes[1] = (unsigned char)(n >> 8);
    memcpy(bytes + 8, header, n);
    err = (struct nf_err)NF_ERR_INIT;
    ok = nf_st_parse(bytes, 8 + n + data, "f", &f, &err) == NF_EFORMAT && strstr(err.text, why);
    if (!ok)
        printf("# %s: %s\n", header, err.text);
    nf_tf_close(&f);
    return ok;
}

#define T(offsets) "\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[" offsets "]"

static void headers(void)
{
    struct nf_tf f = { 0 };

    CHECK(no_file("{\"a\":{" T("0,8") "},\"b\":{" T("4,12") "}}", 12, "overlap"));
    CHECK(no_file("{\"a\":{" T("0,8") "},\"b\":{" T("12,20") "}}", 20, "belong to no tensor"));
    CHECK(no_file("{\"a\":{" T("0,8") "}}", 12, "last 4 bytes"));
    CHECK(no_file("{\"a\":{" T("0,8") "}}", 4, "leave the 4 bytes"));
    CHECK(no_file("{\"a\":{" T("8,0") "}}", 8, "offsets 8 to 0"));
    CHECK(no_file("{\"a\":{" T("-8,0") "}}", 8, "offsets -8"));
    CHECK(no_file("{\"a\":{" T("0,4") "}}", 4, "its shape asks for 8"));
    CHECK(no_file("{\"a\":{" T("0,8") "},\"a\":{" T("0,8") "}}", 8, "tensor a is there twice"));
    CHECK(no_file("{\"a\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "dtype"));
    CHECK(no_file("{\"a\":{\"dtype\":\"C64\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "its shape asks for 16"));
    CHECK(no_file("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,8]}}", 8, "too large"));
    CHECK(no_file("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "whole numbers"));
    CHECK(no_file("{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, "an array"));
    CHECK(no_file("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets"));
    CHECK(no_file("{\"a\":7}", 0, "tensor a"));
    CHECK(no_file("[]", 0, "not a JSON object"));
    CHECK(no_file("{", 0, "header"));
    CHECK(nf_st_parse((const unsigned char *)"\xff\xff\xff\xff\0\0\0\0", 8, "f", &f, NULL) == NF_EFORMAT);
    CHECK(nf_st_parse((const unsigned char *)"\x05\0\0\0\0\0\0\0{}", 10, "f", &f, NULL) == NF_EFORMAT);
    CHECK(nf_st_parse((const unsigned char *)"\x02\0\0", 3, "f", &f, NULL) == NF_EFORMAT);
}

/* Beside the model any type may stand, one that a later version of the format brings too; in it only those that are computed with. */
static void types_that_stand_beside_the_model(void)
{
    static const struct {
        const char *type;
        size_t elements;   /* in 12 bytes */
    } types[] = { { "C64", 0 },      { "F4", 24 },      { "F6_E2M3", 16 }, { "F8_E8M0", 12 }, { "F8_E4M3FNUZ", 12 },
                  { "F8_E5M2", 12 }, { "BOOL", 12 },    { "I16", 6 },      { "U32", 3 },      { "F64", 0 },
                  { "F31", 1000 },   { "F8_E4M3", 12 }, { "I64", 0 } };
    unsigned char bytes[200] = { 0 };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t data = types[i].elements ? 12 : 0;
        struct nf_tf f = { 0 };
        int n = snprintf((char *)bytes + 8, sizeof bytes - 8, "{\"a\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}",
                         types[i].type, types[i].elements, data);

        bytes[0] = (unsigned char)n;
        CHECK(nf_st_parse(bytes, 8 + (size_t)n + data, "f", &f, NULL) == NF_OK && f.n == 1 && !f.entry->weight);
        nf_tf_close(&f);
    }
    whole("decoder.");
    find("fc1.bias")->type = "F31";
    CHECK(refused("layers.0.fc1.bias", "F32, F16 or BF16"));
}

static void cut_anywhere(void)
{
    char *path = nf_path_join(dir, "model.safetensors", NULL);
    struct nf_map map;
    size_t refusals = 0;

    whole("decoder.");
    CHECK(open_items() == NF_OK);
    nf_weights_close(&w);
    CHECK(nf_map_open(path, &map, &err) == NF_OK);
    for (size_t n = 0; n < map.size; n++) {
        struct nf_tf f = { 0 };

        refusals += nf_st_parse(map.data, n, "f", &f, NULL) == NF_EFORMAT;
    }
    CHECK(refusals == map.size);
    nf_map_close(&map);
    free(path);
}

/* ---- layouts, in families made up here: D 4, H 4, G 2, K 2, F 6, V 5, 3 experts ---- */

static const char *const no_prefix[] = { "", NULL };
static const char *const no_stale[] = { NULL };
static const struct nf_slot made_model[] = { SLOT_MODEL("e", embed, "VD", NF_ALWAYS), SLOT_END };

static const struct nf_slot grouped_layer[] = {
    SLOT_FUSED("qkv", q, "XD", NF_ALWAYS, NF_BY_GROUP),
    SLOT_LAYER("qkv_bias", q.b, "X", NF_ALWAYS),
    SLOT_LAYER("old_o|new_o", o.w, "QD", NF_ALWAYS),
    SLOT_FUSED("gate_up", ffn_in, "DY", NF_IF_DENSE, NF_INTERLEAVED),
    SLOT_LAYER("down", ffn_out.w, "DF", NF_IF_DENSE),
    SLOT_LAYER("router", router.w, "ND", NF_IF_EXPERTS),
    SLOT_END,
};
static const struct nf_slot stacked_expert[] = {
    { "experts.gate_up", offsetof(struct nf_expert, in.w), "NDY", NF_IF_EXPERTS, NF_STACKED },
    SLOT_EXPERT("experts.down", out.w, "NDF", NF_IF_EXPERTS),
    SLOT_END,
};
static const struct nf_slot single_expert[] = {
    SLOT_EXPERT("experts.%.gate", in.w, "FD", NF_IF_EXPERTS),
    SLOT_EXPERT("experts.%.up", up.w, "FD", NF_IF_EXPERTS),
    SLOT_EXPERT("experts.%.down", out.w, "DF", NF_IF_EXPERTS),
    SLOT_END,
};
static const struct nf_tensors grouped = { no_prefix, "l.", "head", no_stale, made_model, grouped_layer, stacked_expert };
static const struct nf_tensors singles = { no_prefix, "l.", "head", no_stale, made_model, grouped_layer, single_expert };

static int open_made(const struct nf_tensors *t, bool experts)
{
    static struct nf_family made;

    made = (struct nf_family){ .name = "made", .tensors = t };
    err = (struct nf_err)NF_ERR_INIT;
    cfg = (struct nf_config){ .family = &made,
                              .L = 1,
                              .D = 4,
                              .E = 4,
                              .H = 4,
                              .G = 2,
                              .K = 2,
                              .F = 6,
                              .V = 5,
                              .gated = true,
                              .tied = true,
                              .experts = experts ? 3 : 0 };
    cfg.layer[0] = experts ? NF_LAYER_EXPERTS : 0;
    clear();
    put_file("model.safetensors", 0, 1);
    return nf_weights_open(dir, &cfg, &w, &err);
}

static void put_attention(const char *o)
{
    n_items = 0;
    add("", "e", 5, 4);
    add("l.0.", "qkv", 16, 4);
    add("l.0.", "qkv_bias", 16, 0);
    add("l.0.", o, 8, 4);
}

/* Row `row` of the map is row (column) `stored` of the item, matrix `matrix` of it, [in, width] or [out, in]. */
static bool row_is(const struct nf_linear *m, size_t row, const struct item *it, size_t matrix, size_t width, size_t stored)
{
    float x[8];
    bool same = true;

    nf_linear_rows(m, row, 1, x);
    for (size_t i = 0; i < m->in; i++) {
        size_t at = matrix * m->in * width + (m->transposed ? i * width + stored : stored * m->in + i);

        same = same && x[i] == it->value + (float)at / 64;
    }
    return same;
}

/* A group is two queries, a key, a value, of two rows each. */
static void query_key_value_group_by_group(void)
{
    const struct item *qkv;
    float b[8];

    put_attention("new_o");
    add("l.0.", "gate_up", 4, 12);
    add("l.0.", "down", 4, 6);
    CHECK(open_made(&grouped, false) == NF_OK);
    qkv = find("qkv");
    CHECK(row_is(&w.layer[0].q, 0, qkv, 0, 0, 0) && row_is(&w.layer[0].q, 3, qkv, 0, 0, 3) &&
          row_is(&w.layer[0].q, 4, qkv, 0, 0, 8));
    CHECK(row_is(&w.layer[0].k, 1, qkv, 0, 0, 5) && row_is(&w.layer[0].k, 2, qkv, 0, 0, 12));
    CHECK(row_is(&w.layer[0].v, 1, qkv, 0, 0, 7) && row_is(&w.layer[0].v, 3, qkv, 0, 0, 15));
    nf_linear_bias(&w.layer[0].v, b);
    CHECK(b[0] == find("qkv_bias")->value + 6.0f / 64 && b[3] == find("qkv_bias")->value + 15.0f / 64);
    CHECK(w.layer[0].o.transposed && w.layer[0].o.out == 4 && row_is(&w.layer[0].o, 3, find("new_o"), 0, 4, 3));
    CHECK(row_is(&w.layer[0].ffn_in, 5, find("gate_up"), 0, 12, 10) && row_is(&w.layer[0].ffn_up, 5, find("gate_up"), 0, 12, 11));
    CHECK(!w.layer[0].ffn_out.transposed && !w.layer[0].expert && !w.layer[0].router.w.data);
    nf_weights_close(&w);
    drop("new_o");
    CHECK(open_made(&grouped, false) == NF_EFORMAT && strstr(err.text, "l.0.old_o is missing"));
}

static void experts_in_one_tensor(void)
{
    struct item *it;

    put_attention("old_o");
    add("l.0.", "router", 3, 4);
    it = add("l.0.", "experts.gate_up", 3, 4);
    it->shape[2] = 12;
    it->ndim = 3;
    it = add("l.0.", "experts.down", 3, 4);
    it->shape[2] = 6;
    it->ndim = 3;
    CHECK(open_made(&grouped, true) == NF_OK);
    CHECK(w.layer[0].router.out == 3 && row_is(&w.layer[0].router, 2, find("router"), 0, 0, 2) && !w.layer[0].ffn_in.w.data);
    for (size_t i = 0; i < 3; i++) {
        const struct nf_expert *e = &w.layer[0].expert[i];

        CHECK(row_is(&e->in, 5, find("experts.gate_up"), i, 12, 5) && row_is(&e->up, 5, find("experts.gate_up"), i, 12, 11));
        CHECK(e->out.out == 4 && row_is(&e->out, 3, find("experts.down"), 0, 0, 4 * i + 3));
    }
    nf_weights_close(&w);
}

static void experts_with_a_tensor_each(void)
{
    char name[32];

    put_attention("old_o");
    add("l.0.", "router", 3, 4);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "experts.%d.gate", i);
        add("l.0.", name, 6, 4);
        snprintf(name, sizeof name, "experts.%d.up", i);
        add("l.0.", name, 6, 4);
        snprintf(name, sizeof name, "experts.%d.down", i);
        add("l.0.", name, 4, 6);
    }
    CHECK(open_made(&singles, true) == NF_OK);
    CHECK(row_is(&w.layer[0].expert[2].up, 5, find("experts.2.up"), 0, 0, 5) &&
          row_is(&w.layer[0].expert[1].out, 3, find("experts.1.down"), 0, 0, 3));
    nf_weights_close(&w);
    drop("experts.1.up");
    CHECK(open_made(&singles, true) == NF_EFORMAT && strstr(err.text, "l.0.experts.1.up is missing"));
    put_attention("old_o");
    CHECK(open_made(&singles, true) == NF_EFORMAT && strstr(err.text, "l.0.router is missing"));
}

int main(void)
{
    int status;

    if (!mkdtemp(dir))
        return 1;
    status = RUN(every_tensor_has_its_role, the_digest_is_of_every_byte, shards_are_the_single_file, half_types,
                 lm_head_tied_or_not, tensors_without_a_role_are_passed_over, a_multimodal_model_is_its_text_model,
                 many_missing_are_one_message, weights_in_another_form_are_named, missing, doubled, misshapen, not_finite, unknown,
                 no_weights, headers, types_that_stand_beside_the_model, cut_anywhere, query_key_value_group_by_group,
                 experts_in_one_tensor, experts_with_a_tensor_each);
    clear();
    rmdir(dir);
    return status;
}
