/* model_tokenizer.c - metadata to the JSON that tokenizer.json would be. */
#include "run/model_tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "checkpoint/gguf_model.h"
#include "token/merges.h"

#define BLANK "\xe2\x96\x81"

/* ---- pre-tokenizers: how the original models cut text ---- */

enum cut_kind { CUT_GPT2, CUT_DIGITS, CUT_PATTERN, CUT_FALCON };

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define REST_SLASH "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WORD_LOW "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
#define WORD_UP "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"

static const char llama3[] = CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" REST;
static const char cl100k[] =
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+";
static const char qwen2[] = CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" REST;
static const char gpt4o[] = WORD_LOW CONTRACTIONS "?|" WORD_UP CONTRACTIONS "?|\\p{N}{1,3}" REST_SLASH;
static const char tekken[] = WORD_LOW "|" WORD_UP "|\\p{N}" REST_SLASH;
static const char bloom[] = " ?[^(\\s|[.,!?\xe2\x80\xa6\xe3\x80\x82\xef\xbc\x8c\xe3\x80\x81\xe0\xa5\xa4\xdb\x94\xd8\x8c])]+";

static const struct pre {
    const char *name;
    enum cut_kind kind;
    const char *pattern; /* CUT_PATTERN */
    bool nfc, ignore_merges, bos; /* bos: the original puts BOS in front */
} pres[] = {
    { "gpt-2", CUT_GPT2, NULL, false, false, false },
    { "phi-2", CUT_GPT2, NULL, false, false, false },
    { "olmo", CUT_GPT2, NULL, true, false, false },
    { "smollm", CUT_DIGITS, NULL, false, false, false },
    { "starcoder", CUT_DIGITS, NULL, false, false, false },
    { "refact", CUT_DIGITS, NULL, false, false, false },
    { "llama-bpe", CUT_PATTERN, llama3, false, true, true },
    { "llama3", CUT_PATTERN, llama3, false, true, true },
    { "llama-v3", CUT_PATTERN, llama3, false, true, true },
    { "smaug-bpe", CUT_PATTERN, llama3, false, true, true },
    { "dbrx", CUT_PATTERN, cl100k, false, false, false },
    { "qwen2", CUT_PATTERN, qwen2, true, false, false },
    { "deepseek-r1-qwen", CUT_PATTERN, qwen2, true, false, true },
    { "gpt-4o", CUT_PATTERN, gpt4o, false, true, false },
    { "tekken", CUT_PATTERN, tekken, false, true, true },
    { "bloom", CUT_PATTERN, bloom, false, false, false },
    { "falcon", CUT_FALCON, NULL, false, false, false },
};

/* Files made before there was tokenizer.ggml.pre, of architectures whose models all cut alike. */
static const char *const by_arch[][2] = {
    { "gpt2", "gpt-2" },  { "gptneox", "olmo" },  { "phi2", "phi-2" },
    { "bloom", "bloom" }, { "falcon", "falcon" }, { "qwen2", "qwen2" },
};

/* ---- metadata ---- */

enum token_type { TYPE_UNKNOWN = 2, TYPE_CONTROL = 3, TYPE_USER = 4, TYPE_UNUSED = 5 };

struct gguf_tokens {
    const struct nf_gguf_model *m;
    json_t *tokens, *types, *merges, *scores; /* arrays; NULL: not there, but for tokens */
    bool gemma;
    struct nf_err *err;
};

static json_t *ggml_value(const struct gguf_tokens *g, const char *name)
{
    char key[80];
    const struct nf_gguf_value *v;

    snprintf(key, sizeof key, "tokenizer.ggml.%s", name);
    v = nf_gguf_find(&g->m->part[0], key);
    return v ? nf_gguf_json(v, g->m->path, g->err) : NULL;
}

/* A string of the metadata in buf; "": not there. */
static void ggml_name(const struct gguf_tokens *g, const char *name, char *buf, size_t size)
{
    json_t *v = ggml_value(g, name);

    snprintf(buf, size, "%s", json_is_string(v) ? json_string_value(v) : "");
    json_decref(v);
}

static bool ggml_flag(const struct gguf_tokens *g, const char *name, bool absent)
{
    json_t *v = ggml_value(g, name);
    bool flag = v ? json_is_true(v) : absent;

    json_decref(v);
    return flag;
}

static int check_list(const struct gguf_tokens *g, const json_t *list, const char *name)
{
    if (list && json_array_size(list) != json_array_size(g->tokens))
        return nf_fail(g->err, NF_EFORMAT, "%s: metadata tokenizer.ggml.%s: %zu entries for %zu tokens", g->m->path, name,
                       json_array_size(list), json_array_size(g->tokens));
    return NF_OK;
}

static int read_lists(struct gguf_tokens *g)
{
    g->tokens = ggml_value(g, "tokens");
    g->types = ggml_value(g, "token_type");
    g->merges = ggml_value(g, "merges");
    g->scores = ggml_value(g, "scores");
    if (g->err->code != NF_OK)
        return (int)g->err->code;
    if (!json_is_string(json_array_get(g->tokens, 0)))
        return nf_fail(g->err, NF_EFORMAT, "%s: no tokenizer: metadata tokenizer.ggml.tokens is missing", g->m->path);
    return check_list(g, g->types, "token_type") < 0 || check_list(g, g->scores, "scores") < 0 ? NF_EFORMAT : NF_OK;
}

static json_int_t type_at(const struct gguf_tokens *g, size_t i)
{
    return g->types ? json_integer_value(json_array_get(g->types, i)) : 1;
}

/* The converter's filling of ids that no token has. */
static bool is_filler(const struct gguf_tokens *g, size_t i)
{
    return type_at(g, i) == TYPE_UNUSED && strncmp(json_string_value(json_array_get(g->tokens, i)), "[PAD", 4) == 0;
}

/* Gemma's tokens of blanks alone stand in the file as blanks, in the vocabulary as U+2581. */
static void respell_blanks(const struct gguf_tokens *g)
{
    for (size_t i = 0; i < json_array_size(g->tokens); i++) {
        const char *s = json_string_value(json_array_get(g->tokens, i));
        size_t n = strlen(s);
        char text[3 * 64 + 1] = "";

        if (n == 0 || n > 64 || strspn(s, " ") != n)
            continue;
        for (size_t k = 0; k < n; k++)
            memcpy(text + 3 * k, BLANK, 4);
        json_array_set_new(g->tokens, i, json_string(text));
    }
}

static bool is_added(const struct gguf_tokens *g, size_t i)
{
    json_int_t type = type_at(g, i);

    return type == TYPE_CONTROL || type == TYPE_USER || type == TYPE_UNKNOWN;
}

static json_t *build_added(const struct gguf_tokens *g)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(g->tokens); i++)
        if (is_added(g, i))
            json_array_append_new(list, json_pack("{s:I, s:O, s:b, s:b, s:b, s:b, s:b}", "id", (json_int_t)i, "content",
                                                  json_array_get(g->tokens, i), "single_word", 0, "lstrip", 0, "rstrip", 0,
                                                  "normalized", 0, "special", type_at(g, i) != TYPE_USER));
    return list;
}

/* With the added tokens, which keep their ids that way. */
static json_t *build_vocab(const struct gguf_tokens *g)
{
    json_t *vocab = json_object();

    for (size_t i = 0; i < json_array_size(g->tokens); i++)
        if (!is_filler(g, i))
            json_object_set_new(vocab, json_string_value(json_array_get(g->tokens, i)), json_integer((json_int_t)i));
    return vocab;
}

/* "left right", cut at the first blank behind the first byte. */
static json_t *split_merges(const struct gguf_tokens *g)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(g->merges); i++) {
        const char *s = json_string_value(json_array_get(g->merges, i)), *space = s && *s ? strchr(s + 1, ' ') : NULL;

        if (!space) {
            json_decref(list);
            nf_fail(g->err, NF_EFORMAT, "%s: metadata tokenizer.ggml.merges: entry %zu is no \"left right\"", g->m->path, i);
            return NULL;
        }
        json_array_append_new(list, json_pack("[s%, s]", s, (size_t)(space - s), space + 1));
    }
    return list;
}

static json_t *merges_of_scores(const struct gguf_tokens *g)
{
    size_t n = json_array_size(g->tokens);
    const char **text = nf_alloc(n, sizeof *text, g->err);
    float *score = nf_alloc(n, sizeof *score, g->err);
    json_t *merges = NULL;

    if (!g->scores && !g->gemma)
        nf_fail(g->err, NF_EFORMAT, "%s: metadata: neither tokenizer.ggml.merges nor tokenizer.ggml.scores", g->m->path);
    else if (text && score) {
        for (size_t i = 0; i < n; i++) {
            text[i] = json_string_value(json_array_get(g->tokens, i));
            score[i] = g->gemma ? -(float)i : (float)json_number_value(json_array_get(g->scores, i));
        }
        merges = nf_merges_from_scores(text, score, n, g->err);
    }
    free(text);
    free(score);
    return merges;
}

/* ---- the parts of tokenizer.json ---- */

static const struct pre *find_pre(const struct gguf_tokens *g)
{
    char name[64];

    ggml_name(g, "pre", name, sizeof name);
    for (size_t i = 0; (!*name || strcmp(name, "default") == 0) && i < sizeof by_arch / sizeof *by_arch; i++)
        if (strcmp(by_arch[i][0], g->m->arch) == 0)
            snprintf(name, sizeof name, "%s", by_arch[i][1]);
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++)
        if (strcmp(pres[i].name, name) == 0)
            return &pres[i];
    nf_fail(g->err, NF_EFORMAT, "%s: metadata tokenizer.ggml.pre: %s: how the model cuts text is not known", g->m->path,
            *name ? name : "missing");
    return NULL;
}

static json_t *byte_level(bool regex)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex", regex);
}

static json_t *split_by(const char *pattern)
{
    return json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex", pattern, "behavior", "Isolated", "invert", 0);
}

static json_t *build_cut(const struct pre *pre)
{
    switch (pre->kind) {
    case CUT_GPT2:
        return byte_level(true);
    case CUT_DIGITS:
        return json_pack("{s:s, s:[{s:s, s:b}, o]}", "type", "Sequence", "pretokenizers", "type", "Digits", "individual_digits", 1,
                         byte_level(true));
    case CUT_PATTERN:
        return json_pack("{s:s, s:[o, o]}", "type", "Sequence", "pretokenizers", split_by(pre->pattern), byte_level(false));
    case CUT_FALCON:
        return json_pack("{s:s, s:[{s:s, s:s}, o, {s:s, s:b}, o]}", "type", "Sequence", "pretokenizers", "type", "Punctuation",
                         "behavior", "Contiguous", byte_level(true), "type", "Digits", "individual_digits", 0,
                         split_by("[0-9][0-9][0-9]"));
    }
    abort();
}

static json_t *build_bytes(const struct gguf_tokens *g, bool *bos)
{
    const struct pre *pre = find_pre(g);
    json_t *merges = pre && g->merges ? split_merges(g) : NULL;

    if (!merges) {
        nf_fail(g->err, NF_EFORMAT, "%s: metadata tokenizer.ggml.merges is missing", g->m->path);
        return NULL;
    }
    *bos = pre->bos;
    return json_pack("{s:o, s:o, s:o, s:{s:s, s:o, s:o, s:b}}", "added_tokens", build_added(g), "normalizer",
                     pre->nfc ? json_pack("{s:s}", "type", "NFC") : json_null(), "pre_tokenizer", build_cut(pre), "model", "type",
                     "BPE", "vocab", build_vocab(g), "merges", merges, "ignore_merges", pre->ignore_merges);
}

static json_t *replace_blank(void)
{
    return json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String", " ", "content", BLANK);
}

/* Phi-3 puts the blank in front of each segment in a normalizer; Gemma puts none. */
static json_t *blank_normalizer(const struct gguf_tokens *g)
{
    if (g->gemma)
        return replace_blank();
    if (strcmp(g->m->arch, "phi3") == 0)
        return json_pack("{s:s, s:[{s:s, s:s}, o]}", "type", "Sequence", "normalizers", "type", "Prepend", "prepend", BLANK,
                         replace_blank());
    return json_null();
}

static json_t *build_chars(const struct gguf_tokens *g)
{
    json_t *merges, *cut = json_null();
    bool front = ggml_flag(g, "add_space_prefix", true);

    if (g->gemma)
        respell_blanks(g);
    else if (strcmp(g->m->arch, "phi3") != 0)
        cut = json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", BLANK, "prepend_scheme",
                        front ? "first" : "never", "split", 0);
    merges = g->merges ? split_merges(g) : merges_of_scores(g);
    if (!merges) {
        json_decref(cut);
        return NULL;
    }
    return json_pack("{s:o, s:o, s:o, s:{s:s, s:o, s:o, s:b, s:b}}", "added_tokens", build_added(g), "normalizer",
                     blank_normalizer(g), "pre_tokenizer", cut, "model", "type", "BPE", "vocab", build_vocab(g), "merges", merges,
                     "byte_fallback", 1, "fuse_unk", 1);
}

/* ---- tokenizer_config.json ---- */

static json_t *build_tokenizer_config(const struct gguf_tokens *g, bool bos)
{
    static const char *const names[][2] = { { "bos_token_id", "bos_token" },
                                            { "eos_token_id", "eos_token" },
                                            { "unknown_token_id", "unk_token" },
                                            { "padding_token_id", "pad_token" } };
    json_t *config = json_pack("{s:b}", "add_bos_token", ggml_flag(g, "add_bos_token", bos));

    if (ggml_flag(g, "add_eos_token", false))
        json_object_set_new(config, "add_eos_token", json_true());
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *id = ggml_value(g, names[i][0]);
        json_t *token =
            json_is_integer(id) && json_integer_value(id) >= 0 ? json_array_get(g->tokens, (size_t)json_integer_value(id)) : NULL;

        if (token)
            json_object_set(config, names[i][1], token);
        json_decref(id);
    }
    return config;
}

static struct nf_tokenizer *tokenizer_of_gguf(struct gguf_tokens *g)
{
    char model[32];
    bool bos = true;
    json_t *json = NULL, *config;
    struct nf_tokenizer *t = NULL;
    int64_t context;

    ggml_name(g, "model", model, sizeof model);
    if (read_lists(g) < 0)
        return NULL;
    if (strcmp(model, "gpt2") == 0)
        json = build_bytes(g, &bos);
    else if (strcmp(model, "llama") == 0)
        json = build_chars(g);
    else
        nf_fail(g->err, NF_EFORMAT, "%s: metadata tokenizer.ggml.model: %s is not implemented, only gpt2 and llama are", g->m->path,
                *model ? model : "a missing model");
    if (!json) {
        nf_fail(g->err, NF_ESYS, "%s: out of memory", g->m->path);
        return NULL;
    }
    config = build_tokenizer_config(g, bos);
    if (nf_json_starved())
        nf_fail(g->err, NF_ESYS, "%s: out of memory", g->m->path);
    else
        t = nf_tokenizer_from_json(g->m->path, json, config, g->err);
    if (t && nf_gguf_int(nf_gguf_model_key(g->m, "context_length"), &context) && context > 0)
        t->context = (size_t)context;
    json_decref(json);
    json_decref(config);
    return t;
}

static struct nf_tokenizer *open_gguf_tokenizer(const char *path, struct nf_err *err)
{
    struct nf_gguf_model m;
    struct gguf_tokens g = { .m = &m, .err = err };
    struct nf_tokenizer *t;

    if (nf_gguf_model_open(path, &m, err) < 0)
        return NULL;
    g.gemma = strcmp(m.arch, "gemma") == 0 || strcmp(m.arch, "gemma2") == 0 || strcmp(m.arch, "gemma3") == 0;
    t = tokenizer_of_gguf(&g);
    json_decref(g.tokens);
    json_decref(g.types);
    json_decref(g.merges);
    json_decref(g.scores);
    nf_gguf_model_close(&m);
    return t;
}

struct nf_tokenizer *nf_model_tokenizer(const char *dir, struct nf_err *err)
{
    return nf_gguf_is_file(dir) ? open_gguf_tokenizer(dir, err) : nf_tokenizer_open(dir, err);
}

static bool gguf_has_tokens(const char *path, struct nf_err *err)
{
    struct nf_gguf_model m;
    bool has = nf_gguf_model_open(path, &m, err) == NF_OK && nf_gguf_find(&m.part[0], "tokenizer.ggml.tokens");

    nf_gguf_model_close(&m);
    return has;
}

bool nf_model_has_tokenizer(const char *dir, struct nf_err *err)
{
    static const char *const files[] = { "tokenizer.json", "vocab.json" };
    bool has = false;

    if (nf_gguf_is_file(dir))
        return gguf_has_tokens(dir, err);
    for (size_t i = 0; i < sizeof files / sizeof *files && !has; i++) {
        char *path = nf_path_join(dir, files[i], err);

        has = path && nf_file_exists(path);
        free(path);
    }
    return has;
}
