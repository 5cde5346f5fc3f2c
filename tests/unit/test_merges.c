/* test_merges.c - lib/token/merges, and a tokenizer from memory. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "token/encoder.h"
#include "token/merges.h"

static const char *const tokens[] = { "<unk>", "a",    "b",        "\u00e9", "\u2581", "ab",       "\u2581a", "\u00e9b",
                                      "abab",  "aba",  "bab",      "\u2581ab", "ba",   "\u2581aba", "b\u00e9", "ab\u00e9" };
static const float scores[] = { 0, -1, -1, -1, -1, -2, -2, -3, -4, -4, -4, -3, -2, -4, -9, -8 };
enum { N = sizeof tokens / sizeof *tokens };

/* Equal scores at every turn. */
static void same_order_as_transformers(void)
{
    /* transformers 5.24, generate_merges({token: id}, {token: score}) */
    static const char *const want[][2] = {
        { "a", "b" },        { "\u2581", "a" },  { "b", "a" },        { "\u2581a", "b" },   { "\u2581", "ab" },
        { "\u00e9", "b" },   { "aba", "b" },     { "\u2581ab", "a" }, { "ab", "ab" },       { "\u2581a", "ba" },
        { "ab", "a" },       { "ba", "b" },      { "a", "bab" },      { "\u2581", "aba" },  { "a", "ba" },
        { "b", "ab" },       { "ab", "\u00e9" }, { "a", "b\u00e9" },  { "b", "\u00e9" },
    };
    struct nf_err err = NF_ERR_INIT;
    json_t *merges = nf_merges_from_scores(tokens, scores, N, &err);

    CHECK(json_array_size(merges) == sizeof want / sizeof *want);
    for (size_t i = 0; i < json_array_size(merges); i++) {
        const json_t *m = json_array_get(merges, i);

        CHECK(strcmp(json_string_value(json_array_get(m, 0)), want[i][0]) == 0 &&
              strcmp(json_string_value(json_array_get(m, 1)), want[i][1]) == 0);
    }
    json_decref(merges);
}

static void what_cannot_be_sorted(void)
{
    static const char *const bad[] = { "a", "\xff" };
    struct nf_err err = NF_ERR_INIT, nan = NF_ERR_INIT;

    CHECK(!nf_merges_from_scores(bad, scores, 2, &err) && err.code == NF_EFORMAT && strstr(err.text, "token 1 is no UTF-8"));
    CHECK(!nf_merges_from_scores(tokens, (const float[]){ 0, NAN }, 2, &nan) && nan.code == NF_EFORMAT);
}

/* As GGUF describes a Llama 2: tokens, scores, BOS. */
static void a_tokenizer_from_memory(void)
{
    struct nf_err err = NF_ERR_INIT;
    json_t *vocab = json_object(), *merges = nf_merges_from_scores(tokens, scores, N, &err), *json, *config;
    struct nf_encoder *e;
    struct nf_tokenizer *t;
    struct nf_ids ids = { 0 };

    for (size_t i = 0; i < N; i++)
        json_object_set_new(vocab, tokens[i], json_integer((json_int_t)i));
    json = json_pack("{s:{s:s, s:s, s:b, s:o, s:o}, s:{s:s, s:s, s:s, s:b}, s:[{s:i, s:s, s:b}]}", "model", "type", "BPE",
                     "unk_token", "<unk>", "fuse_unk", 1, "vocab", vocab, "merges", merges, "pre_tokenizer", "type", "Metaspace",
                     "replacement", "\u2581", "prepend_scheme", "first", "split", 0, "added_tokens", "id", 0, "content", "<unk>",
                     "special", 1);
    config = json_pack("{s:s, s:b}", "bos_token", "<unk>", "add_bos_token", 1);
    t = nf_tokenizer_from_json("model.gguf", json, config, &err);
    if (!t)
        printf("# %s\n", err.text);
    CHECK(t && t->bos_id == 0 && t->bos_auto && t->context == 0 && t->vocab.V == N);
    e = t ? nf_encoder_open(t, true, &err) : NULL;
    CHECK(e && nf_encode(e, "aba bab", 7, true, &ids, &err) == NF_OK);
    CHECK(ids.n == 3 && ids.ids[0] == 13 && ids.ids[1] == 4 && ids.ids[2] == 10);   /* tokenizers 0.23 with these parts */
    nf_ids_clear(&ids);
    nf_encoder_close(e);
    nf_tokenizer_close(t);
    json_decref(json);
    json_decref(config);

    json = json_pack("{s:{s:s}}", "model", "type", "Odd");
    CHECK(!nf_tokenizer_from_json("model.gguf", json, NULL, &err) && strstr(err.text, "model.gguf") && strstr(err.text, "Odd"));
    json_decref(json);
}

int main(void)
{
    return RUN(same_order_as_transformers, what_cannot_be_sorted, a_tokenizer_from_memory);
}
