/*
 * directory.c - the files of a tokenizer, put together as transformers 5 puts them together: which class builds it, which tokens are added,
 * which are special, what is BOS.
 *
 * Source: transformers 5.24, tokenization_utils_base.py, _from_pretrained(), and tokenization_utils_tokenizers.py, TokenizersBackend.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "base/file.h"
#include "token/load.h"
#include "token/sources.h"

static const char CONFIG[] = "tokenizer_config.json", MERGES[] = "merges.txt";

/* ---- vocab.json and merges.txt ---- */

/* One merge a line, "left right"; the first line may be "#version: ..". */
static int read_merges(struct nf_load *l, const char *p, size_t n, json_t *merges)
{
    const char *end = p + n, *eol;

    for (const char *line = p; line < end; line = eol + 1) {
        eol = memchr(line, '\n', (size_t)(end - line));
        if (!eol)
            eol = end;
        n = (size_t)(eol - line);
        if (n && line[n - 1] == '\r')
            n--;
        if (!n || (line == p && n >= 9 && memcmp(line, "#version:", 9) == 0))
            continue;
        if (!memchr(line, ' ', n) || json_array_append_new(merges, json_stringn(line, n)) < 0)
            return nf_fail(l->err, NF_EFORMAT, "%s/%s: merge %zu: two tokens with a space between them are expected", l->dir,
                           MERGES, json_array_size(merges));
    }
    return NF_OK;
}

static json_t *load_merges(struct nf_load *l)
{
    char *path = nf_path_join(l->dir, MERGES, l->err);
    struct nf_map map = { NULL, 0 };
    json_t *merges = json_array();
    int rc = path ? nf_map_open(path, &map, l->err) : NF_ESYS;

    if (rc == NF_OK && nf_is_lfs_pointer(map.data, map.size))
        rc = nf_fail_lfs(l->err, path);
    if (rc == NF_OK)
        rc = read_merges(l, (const char *)map.data, map.size, merges);
    nf_map_close(&map);
    free(path);
    if (rc == NF_OK)
        return merges;
    json_decref(merges);
    return NULL;
}

static bool has_file(const struct nf_load *l, const char *name)
{
    char *path = nf_path_join(l->dir, name, NULL);
    bool there = path && nf_file_exists(path);

    free(path);
    return there;
}

/* What makes a tokenizer.json of the files that are there. */
#define MAKE                                                                                                                       \
    "tokenizer.json is made by: python3 -c \"from transformers import AutoTokenizer as A; "                                        \
    "A.from_pretrained('%s').save_pretrained('%s')\""

static int refuse_no_tokenizer(struct nf_load *l)
{
    static const char *const others[] = { "tokenizer.model", "spiece.model", "tekken.json", "vocab.txt", "tiktoken.model", NULL };

    for (const char *const *f = others; *f; f++)
        if (has_file(l, *f))
            return nf_fail(l->err, NF_EFORMAT, "%s: only %s, and no tokenizer.json; " MAKE, l->dir, *f, l->dir, l->dir);
    return nf_fail(l->err, NF_EFORMAT, "%s: no tokenizer there: neither tokenizer.json nor vocab.json with merges.txt", l->dir);
}

/* model.vocab and model.merges of what would be tokenizer.json. */
static json_t *load_vocab_merges(struct nf_load *l)
{
    json_t *vocab = nf_load_json(l, "vocab.json"), *merges = NULL, *root = NULL;

    if (l->err->code == NF_OK && (!vocab || !has_file(l, MERGES)))
        refuse_no_tokenizer(l);
    if (l->err->code == NF_OK)
        merges = load_merges(l);
    if (merges)
        root = json_pack("{s:{s:O, s:O}}", "model", "vocab", vocab, "merges", merges);
    json_decref(vocab);
    json_decref(merges);
    return root;
}

/* ---- open the files ---- */

/* What every OPT model is set up as, for a directory without tokenizer_config.json. */
static const char OPT_CONFIG[] = "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":true,\"bos_token\":\"</s>\","
                                 "\"eos_token\":\"</s>\",\"unk_token\":\"</s>\",\"pad_token\":\"<pad>\"}";

static bool says_byte_level(const struct nf_load *l)
{
    static const char text[] = "\"ByteLevel\"";
    char *path = nf_path_join(l->dir, "tokenizer.json", l->err);
    struct nf_map map = { NULL, 0 };
    bool found = path && nf_map_open(path, &map, l->err) == NF_OK && memmem(map.data, map.size, text, sizeof text - 1);

    nf_map_close(&map);
    free(path);
    return found;
}

static int open_json(struct nf_load *l, struct nf_sources *s)
{
    s->root = nf_load_json(l, "tokenizer.json");
    if (!s->root && l->err->code == NF_OK && access(l->dir, X_OK) < 0)
        return nf_fail_errno(l->err, "%s", l->dir);
    if (l->err->code == NF_OK) {
        s->config = nf_load_json(l, CONFIG);
        s->special = nf_load_json(l, "special_tokens_map.json");
        s->added = nf_load_json(l, "added_tokens.json");
        s->model = nf_load_json(l, "config.json");
    }
    l->files = !s->root;
    if (l->err->code == NF_OK && l->files)
        s->root = load_vocab_merges(l);
    if (l->err->code == NF_OK && l->files && !s->config && nf_load_is_text(json_object_get(s->model, "model_type"), "opt"))
        s->config = json_loads(OPT_CONFIG, 0, NULL);
    return (int)l->err->code;
}

/* vocab.json and merges.txt do not say how text is cut: a class does; where nothing names one it is GPT-2's. */
static int choose_class(struct nf_load *l, struct nf_sources *s)
{
    struct nf_class_choice c = { s->config, s->model, !l->files && says_byte_level(l) };
    const json_t *map = json_object_get(json_object_get(s->config, "auto_map"), "AutoTokenizer");
    char name[64];
    bool foreign;

    s->class = nf_class_choose(&c, name, sizeof name, &foreign);
    if (l->files && !*name)
        s->class = nf_class_named("GPT2Tokenizer");
    if (foreign)
        return nf_fail(l->err, NF_EFORMAT,
                       "%s: tokenizer_class %s: transformers builds its tokenizer anew, which is not implemented", l->dir, name);
    if (map && !s->class && *name)
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: auto_map: a tokenizer in Python code, %s, is not implemented", l->dir, CONFIG,
                       name);
    if (l->files && (!s->class || !s->class->files))
        return nf_fail(l->err, NF_EFORMAT, "%s: a %s from vocab.json and merges.txt is not implemented; " MAKE, l->dir,
                       *name ? name : "tokenizer of this family", l->dir, l->dir);
    if (!json_is_false(json_object_get(s->config, "fix_mistral_regex")) && json_object_get(s->config, "fix_mistral_regex"))
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: fix_mistral_regex is not implemented", l->dir, CONFIG);
    return NF_OK;
}

static void close_sources(struct nf_sources *s)
{
    json_decref(s->root);
    json_decref(s->config);
    json_decref(s->special);
    json_decref(s->added);
    json_decref(s->model);
}

int nf_load_directory(struct nf_load *l)
{
    struct nf_sources s = { 0 };
    int rc = open_json(l, &s);

    if (rc == NF_OK)
        rc = choose_class(l, &s);
    if (rc == NF_OK)
        rc = nf_load_sources(l, &s);
    close_sources(&s);
    return rc;
}
