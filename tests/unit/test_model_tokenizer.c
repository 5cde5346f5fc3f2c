/*
 * test_model_tokenizer.c - the tokenizer in a GGUF file cuts text as the original does.
 *
 * The metadata are made here of the tokenizer.json of tests/data/tokenizers as llama.cpp's converter makes them: tokens by id, holes and three
 * more rows as [PADn], control and user-defined tokens by their flags.
 */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/json.h"
#include "checkpoint/gguf.h"
#include "run/model_tokenizer.h"
#include "token/encoder.h"

static struct nf_bytes b;

static void put_bytes(const void *p, size_t n)
{
    CHECK(nf_bytes_add(&b, p, n, NULL) == NF_OK);
}

static void put_number(uint64_t v, size_t bytes)
{
    put_bytes(&v, bytes);
}

static void put_string(const char *s)
{
    put_number(strlen(s), 8);
    put_bytes(s, strlen(s));
}

static void put_key(const char *key, enum nf_gguf_type type)
{
    put_string(key);
    put_number(type, 4);
}

static void put_text(const char *key, const char *s)
{
    put_key(key, NF_GGUF_STRING);
    put_string(s);
}

static void put_list(const char *key, enum nf_gguf_type item, size_t n)
{
    put_key(key, NF_GGUF_ARRAY);
    put_number(item, 4);
    put_number(n, 8);
}

/* ---- tokens by id ---- */

enum { TOKENS_MAX = 4096, FILLERS = 3 };

static const char *text[TOKENS_MAX];
static int type[TOKENS_MAX];
static size_t n_tokens;

static void set_token(const char *s, size_t id, int t)
{
    CHECK(id + FILLERS < TOKENS_MAX);
    if (id + FILLERS >= TOKENS_MAX)
        return;
    text[id] = s;
    type[id] = t;
    n_tokens = id + 1 > n_tokens ? id + 1 : n_tokens;
}

static void list_tokens(json_t *root)
{
    json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab"), *added = json_object_get(root, "added_tokens"), *v;
    const char *s;
    size_t i;

    memset(text, 0, sizeof text);
    n_tokens = 0;
    json_object_foreach (vocab, s, v)
        set_token(s, (size_t)json_integer_value(v), 1);
    json_array_foreach (added, i, v)
        set_token(json_string_value(json_object_get(v, "content")), (size_t)json_integer_value(json_object_get(v, "id")),
                  json_is_true(json_object_get(v, "special")) ? 3 : 4);
    n_tokens += FILLERS;
}

static void put_tokens(void)
{
    char filler[32];

    put_list("tokenizer.ggml.tokens", NF_GGUF_STRING, n_tokens);
    for (size_t i = 0; i < n_tokens; i++) {
        snprintf(filler, sizeof filler, "[PAD%zu]", i);
        put_string(text[i] ? text[i] : filler);
    }
    put_list("tokenizer.ggml.token_type", NF_GGUF_I32, n_tokens);
    for (size_t i = 0; i < n_tokens; i++)
        put_number((uint64_t)(text[i] ? type[i] : 5), 4);
}

static void put_merges(const json_t *merges)
{
    put_list("tokenizer.ggml.merges", NF_GGUF_STRING, json_array_size(merges));
    for (size_t i = 0; i < json_array_size(merges); i++) {
        const json_t *m = json_array_get(merges, i);
        char pair[1024];

        snprintf(pair, sizeof pair, "%s %s", json_string_value(json_array_get(m, 0)), json_string_value(json_array_get(m, 1)));
        put_string(json_is_string(m) ? json_string_value(m) : pair);
    }
}

/* pre NULL: the file has none. */
static void make_file(json_t *root, const char *arch, const char *model, const char *pre)
{
    nf_bytes_clear(&b);
    list_tokens(root);
    put_bytes("GGUF", 4);
    put_number(3, 4);
    put_number(0, 8);
    put_number(pre ? 6 : 5, 8);
    put_text("general.architecture", arch);
    put_text("tokenizer.ggml.model", model);
    if (pre)
        put_text("tokenizer.ggml.pre", pre);
    put_tokens();
    put_merges(json_object_get(json_object_get(root, "model"), "merges"));
}

/* ---- comparison ---- */

static struct nf_tokenizer *open_made(struct nf_err *err)
{
    char path[] = "/tmp/nf-gguf-XXXXXX";
    int fd = mkstemp(path);
    struct nf_tokenizer *t;

    CHECK(fd >= 0 && nf_write_all(fd, b.p, b.n, path, err) == NF_OK && close(fd) == 0);
    t = nf_model_tokenizer(path, err);
    unlink(path);
    return t;
}

static bool encode_file(const struct nf_tokenizer *t, const char *path, struct nf_ids *ids)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_encoder *e = nf_encoder_open(t, true, &err);
    struct nf_map map;
    bool ok = e && nf_map_open(path, &map, &err) == NF_OK && nf_encode(e, map.data, map.size, true, ids, &err) == NF_OK;

    if (!ok)
        printf("# %s\n", err.text);
    nf_map_close(&map);
    nf_encoder_close(e);
    return ok;
}

static void compare_ids(const struct nf_tokenizer *x, const struct nf_tokenizer *y)
{
    static const char *const texts[] = { "tests/data/nasty.txt", "tests/data/nasty-families.txt" };

    for (size_t i = 0; i < 2; i++) {
        struct nf_ids p = { 0 }, q = { 0 };

        CHECK(encode_file(x, texts[i], &p) && encode_file(y, texts[i], &q));
        CHECK(p.n > 1000 && p.n == q.n && memcmp(p.ids, q.ids, p.n * sizeof *p.ids) == 0);
        nf_ids_clear(&p);
        nf_ids_clear(&q);
    }
}

static json_t *load_original(const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "tests/data/tokenizers/%s/tokenizer.json", name);
    return json_load_file(path, 0, NULL);
}

static void ids_are_those_of_the_original(void)
{
    static const struct {
        const char *name, *arch, *model, *pre;
        bool same_digest;
    } all[] = {
        { "gpt2", "gpt2", "gpt2", "gpt-2", true },        { "gpt2", "gpt2", "gpt2", NULL, true },
        { "llama3", "llama", "gpt2", "llama-bpe", true }, { "qwen2", "qwen2", "gpt2", "qwen2", true },
        { "qwen2", "qwen2", "gpt2", "default", true },    { "bloom", "bloom", "gpt2", "bloom", true },
        { "falcon", "falcon", "gpt2", "falcon", true },   { "granite", "granite", "gpt2", "refact", true },
        { "gptoss", "gpt-oss", "gpt2", "gpt-4o", true },  { "olmo2", "olmo2", "gpt2", "dbrx", false },
        { "neox", "gptneox", "gpt2", NULL, false },       { "phi", "phi2", "gpt2", "phi-2", false },
        { "llama2", "llama", "llama", NULL, true },       { "gemma", "gemma2", "llama", NULL, false },
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct nf_err err = NF_ERR_INIT;
        char dir[128];
        json_t *root = load_original(all[i].name);
        struct nf_tokenizer *x, *y;

        printf("# %s\n", all[i].name);
        snprintf(dir, sizeof dir, "tests/data/tokenizers/%s", all[i].name);
        make_file(root, all[i].arch, all[i].model, all[i].pre);
        x = nf_model_tokenizer(dir, &err);
        y = open_made(&err);
        if (err.code != NF_OK)
            printf("# %s\n", err.text);
        CHECK(x && y);
        if (x && y)
            compare_ids(x, y);
        CHECK(!all[i].same_digest || (x && y && strcmp(x->digest, y->digest) == 0));
        nf_tokenizer_close(x);
        nf_tokenizer_close(y);
        json_decref(root);
    }
}

static void refuse_made(const char *arch, const char *model, const char *pre, const char *message)
{
    struct nf_err err = NF_ERR_INIT;
    json_t *root = load_original("gpt2");
    struct nf_tokenizer *t;

    make_file(root, arch, model, pre);
    t = open_made(&err);
    CHECK(!t && err.code == NF_EFORMAT && strstr(err.text, message));
    if (!t && !strstr(err.text, message))
        printf("# %s\n", err.text);
    nf_tokenizer_close(t);
    json_decref(root);
}

static void unknown_names_are_refused(void)
{
    refuse_made("llama", "gpt2", "gpt-5", "metadata tokenizer.ggml.pre: gpt-5: how the model cuts text is not known");
    refuse_made("llama", "gpt2", NULL, "metadata tokenizer.ggml.pre: missing: how the model cuts text is not known");
    refuse_made("llama", "gpt2", "default", "metadata tokenizer.ggml.pre: default: how the model cuts text is not known");
    refuse_made("llama", "rwkv", NULL, "metadata tokenizer.ggml.model: rwkv is not implemented, only gpt2 and llama are");
}

static void a_file_without_tokens_has_no_tokenizer(void)
{
    struct nf_err err = NF_ERR_INIT;

    CHECK(!nf_model_has_tokenizer("tests/data/gguf/llama-bias.gguf", &err) && err.code == NF_OK);
    CHECK(!nf_model_tokenizer("tests/data/gguf/llama-bias.gguf", &err) && strstr(err.text, "no tokenizer"));
    CHECK(nf_model_has_tokenizer("tests/data/tokenizers/gpt2", &err));
    nf_bytes_clear(&b);
}

int main(void)
{
    return RUN(ids_are_those_of_the_original, unknown_names_are_refused, a_file_without_tokens_has_no_tokenizer);
}
