/* test_tokenizer.c - lib/token/tokenizer: what is read from a model's directory, what is refused and how it is named. */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "token/encoder.h"

#define DEMO "pipelines/demo/model"

static char dir[] = "/tmp/nf-tokenizer-XXXXXX";

static void put(const char *name, const char *text)
{
    char *path = nf_path_join(dir, name, NULL);
    FILE *f = fopen(path, "w");

    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
    free(path);
}

static void clear(void)
{
    static const char *const names[] = { "tokenizer.json",          "vocab.json",        "merges.txt",  "tokenizer_config.json",
                                         "special_tokens_map.json", "added_tokens.json", "config.json", "tokenizer.model" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = nf_path_join(dir, names[i], NULL);

        unlink(path);
        free(path);
    }
}

/* The 94 printable ASCII characters with ids 0 to 93, then `more`. */
static const char *vocab(const char *more)
{
    static char text[4096];
    size_t n = 1;

    text[0] = '{';
    for (int c = '!'; c <= '~'; c++)
        n += (size_t)snprintf(text + n, sizeof text - n, "\"%s%c\": %d, ", c == '"' || c == '\\' ? "\\" : "", c, c - '!');
    snprintf(text + n - 2, sizeof text - n + 2, "%s}", more);
    return text;
}

static const char *json(const char *model_more, const char *vocab_more, const char *merges, const char *rest)
{
    static char text[8192];

    snprintf(text, sizeof text, "{\"model\": {\"type\": \"BPE\", \"vocab\": %s, \"merges\": %s%s}%s}", vocab(vocab_more), merges,
             model_more, rest);
    return text;
}

#define REPLACE "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"\u2581\"}"
#define META(more) "{\"type\": \"Metaspace\", \"replacement\": \"\u2581\", " more "}"
#define LEVEL ", \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}"

/* The directory as it is now is refused, and the message holds `says`. */
static void refused(const char *says)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_tokenizer *t = nf_tokenizer_open(dir, &err);

    if (t || err.code != NF_EFORMAT || !strstr(err.text, says))
        printf("# wanted [%s], got [%s]\n", says, err.text);
    CHECK(t == NULL && err.code == NF_EFORMAT && strstr(err.text, says) != NULL);
    nf_tokenizer_close(t);
}

static struct nf_tokenizer *accepted(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_tokenizer *t = nf_tokenizer_open(dir, &err);

    if (!t)
        printf("# %s\n", err.text);
    CHECK(t != NULL);
    return t;
}

static void unknown_components_are_named(void)
{
    static const char *const cases[][2] = {
        { ", \"normalizer\": {\"type\": \"Odd\"}" LEVEL, "normalizer Odd" },
        { ", \"normalizer\": {\"type\": \"Prepend\"}" LEVEL, "normalizer Prepend without a text" },
        { ", \"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"(a\"}, \"content\": \"\"}" LEVEL,
          "normalizer Replace: pattern: a ( without )" },
        { ", \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"ByteLevel\"}]}" LEVEL,
          "pre_tokenizer: a second ByteLevel" },
        { ", \"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAA\"}" LEVEL, "not a table" },
        { ", \"pre_tokenizer\": {\"type\": \"Metaspace\"}", "pre_tokenizer Metaspace without a replacement" },
        { ", \"pre_tokenizer\": " META("\"prepend_scheme\": \"last\""), "prepend_scheme last" },
        { ", \"pre_tokenizer\": " META("\"add_prefix_space\": false"), "Metaspace: add_prefix_space false" },
        { ", \"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}", "pre_tokenizer UnicodeScripts" },
        { ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"Odd\"}", "behavior Odd" },
        { ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a)\\\\1\"}, \"behavior\": \"Isolated\"}",
          "Split: pattern: \\1 is not implemented" },
        { LEVEL ", \"post_processor\": {\"type\": \"Odd\"}", "post_processor Odd" },
        { LEVEL ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {}}, {\"Sequence\": {}}]}",
          "a text that comes twice" },
        { LEVEL
          ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {}}, {\"Sequence\": {}}]}",
          "has no id" },
    };

    clear();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("tokenizer.json", json("", "", "[]", cases[i][0]));
        refused(cases[i][1]);
    }
    put("tokenizer.json",
        json(", \"dropout\": 0.1", "", "[]", ", \"normalizer\": {\"type\": \"Odd\"}, \"pre_tokenizer\": {\"type\": \"Strange\"}"));
    refused("not implemented: model BPE: dropout; normalizer Odd; pre_tokenizer Strange"); /* all at once */
    put("tokenizer.json",
        json(", \"unk_token\": \"?\"", ", \"?a\": 94", "[\"? a\"]", ", \"pre_tokenizer\": " META("\"split\": true")));
    refused("merge 0 of the unk token");
    put("tokenizer.json", json(", \"byte_fallback\": true", ", \"<0x41>\": 94, \"<0x41>a\": 95", "[\"<0x41> a\"]",
                               ", \"pre_tokenizer\": " META("\"split\": true")));
    refused("merge 0 of or into a byte");
    put("tokenizer.json", json("", ", \"ab\": 94", "[\"a b b\"]", LEVEL));
    refused("merge 0: neither");
    put("tokenizer.json", "{\"model\": {\"type\": \"WordLevel\"}}");
    refused("model WordLevel");
    put("tokenizer.json", "[1]");
    refused("not a JSON object");
    put("tokenizer.json", "{\"model\":");
    refused("line 1");
    put("tokenizer.json", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
    refused("git lfs pull");
}

static void broken_vocabularies_are_named(void)
{
    clear();
    put("merges.txt", "#version: 0.2\n");
    refused("no tokenizer there");
    put("tokenizer.model", "");
    refused("only tokenizer.model, and no tokenizer.json; tokenizer.json is made by: python3 -c");
    put("vocab.json", vocab(", \"ab\": 5"));
    refused("the same id 5");
    put("vocab.json", vocab(", \"ab\": -1"));
    refused("\"ab\"");
    put("vocab.json", vocab(", \"ab\": 1e3"));
    refused("\"ab\"");
    put("vocab.json", "{\"a\": 0}");
    refused("byte 0x21 has no token");
    put("vocab.json", vocab(""));
    put("merges.txt", "#version: 0.2\na b\n");
    refused("merge 0: \"ab\" is not in the vocabulary");
    put("vocab.json", vocab(", \"ab\": 94"));
    put("merges.txt", "a b\n\xc4\xa0 b\n");
    refused("merge 1: \"\xc4\xa0\" is not in the vocabulary");
    put("merges.txt", "a b\nab\n");
    refused("merge 1");
}

static void what_is_bos(void)
{
    struct nf_tokenizer *t;

    clear();
    put("merges.txt", "a b\n");
    put("vocab.json", vocab(", \"ab\": 94, \"</s>\": 95, \"<|endoftext|>\": 96"));
    t = accepted();
    CHECK(t->bos_id == 96 && !t->bos_auto && t->vocab.special[96] && !t->vocab.special[95] && t->context == 0); /* as GPT-2 */
    nf_tokenizer_close(t);
    put("config.json", "{\"model_type\": \"opt\", \"max_position_embeddings\": 512}");
    t = accepted();
    CHECK(t->bos_id == 95 && t->bos_auto && t->vocab.special[95] && !t->vocab.special[96] && t->context == 512); /* as OPT */
    nf_tokenizer_close(t);
    put("tokenizer_config.json", "{\"add_bos_token\": false, \"bos_token\": {\"content\": \"ab\"}}");
    t = accepted();
    CHECK(t->bos_id == 94 && !t->bos_auto);
    nf_tokenizer_close(t);
    put("tokenizer_config.json", "{\"add_eos_token\": true}");
    t = accepted();
    CHECK(t && !t->bos_auto && t->n_after == 1 && t->after[0] == 96);
    nf_tokenizer_close(t);
    clear();
    put("tokenizer.json",
        json("", ", \"<s>\": 94", "[]",
             LEVEL ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": "
                   "[{\"SpecialToken\": {\"id\": \"<s>\"}}, {\"Sequence\": {}}], \"special_tokens\": {\"<s>\": {\"ids\": [94]}}}"));
    t = accepted();
    CHECK(t->bos_id == 94 && t->bos_auto);
    nf_tokenizer_close(t);
    put("tokenizer_config.json", "{\"add_bos_token\": false, \"add_eos_token\": true}"); /* the template goes first */
    t = accepted();
    CHECK(t->bos_id == 94 && t->bos_auto && !t->n_after);
    CHECK(strstr((char *)t->notes.p, "add_bos_token of tokenizer_config.json: post_processor of tokenizer.json goes first"));
    nf_tokenizer_close(t);
    put("config.json", "{\"model_type\": \"gpt_neox\"}"); /* whose class has none */
    t = accepted();
    CHECK(!t->bos_auto && strstr((char *)t->notes.p, "add_eos_token of tokenizer_config.json"));
    nf_tokenizer_close(t);
}

/* What is put behind a text, and before it by other words. */
static void what_comes_behind(void)
{
    struct nf_tokenizer *t;

    clear();
    put("tokenizer.json", json("", ", \"<s>\": 94, \"</s>\": 95", "[]",
                               LEVEL ", \"post_processor\": {\"type\": \"RobertaProcessing\", \"cls\": [\"<s>\", 94], \"sep\": "
                                     "[\"</s>\", 95]}"));
    t = accepted();
    CHECK(t && t->bos_auto && t->bos_id == 94 && t->n_after == 1 && t->after[0] == 95);
    nf_tokenizer_close(t);
}

/* Ids without token are holes, special and never made; a new token comes where tokenizers puts it. */
static void holes_and_extras(void)
{
    struct nf_tokenizer *t;
    size_t n;

    clear();
    put("tokenizer.json", json("", ", \"ab\": 99", "[]",
                               LEVEL ", \"added_tokens\": [{\"id\": 120, \"content\": \"<m>\", \"normalized\": false, \"special\": "
                                     "true}]"));
    t = accepted();
    CHECK(t && t->vocab.V == 100 && t->vocab.special[94] && memcmp(nf_vocab_bytes(&t->vocab, 94, &n), "<94>", 4) == 0);
    CHECK(t && t->added.tokens[0].id == 95); /* tokenizers 0.23: behind the 95 entries, not at 120 */
    nf_tokenizer_close(t);
}

/* Two files do not say how text is cut: the class does, and where none is named it is GPT-2's. */
static void classes_from_two_files(void)
{
    struct nf_tokenizer *t;

    clear();
    put("merges.txt", "a b\n");
    put("vocab.json", vocab(", \"ab\": 94"));
    put("config.json", "{\"model_type\": \"qwen2\"}");
    t = accepted();
    CHECK(t && t->normalizers.n == 1 && strstr((char *)t->pre_tokenizers.text.p, "(?i:'s") != NULL);
    nf_tokenizer_close(t);
    put("config.json", "{\"model_type\": \"llama\"}");
    put("tokenizer_config.json", "{\"tokenizer_class\": \"LlamaTokenizer\"}");
    refused("a LlamaTokenizer from vocab.json and merges.txt is not implemented; tokenizer.json is made by");
    put("tokenizer_config.json", "{\"tokenizer_class\": \"BertTokenizerFast\"}");
    refused("tokenizer_class BertTokenizer: transformers builds its tokenizer anew");
    put("tokenizer_config.json", "{\"tokenizer_class\": \"CodeGenTokenizer\"}");
    nf_tokenizer_close(accepted());
    put("config.json", "{\"model_type\": \"gpt_neo\"}");
    put("tokenizer_config.json", "{}");
    nf_tokenizer_close(accepted());
    put("tokenizer_config.json", "{\"tokenizer_class\": \"MyTokenizer\", \"auto_map\": {\"AutoTokenizer\": [\"a.B\", null]}}");
    put("config.json", "{}");
    refused("auto_map: a tokenizer in Python code, MyTokenizer");
}

/* A link to a file that is not there is no absent file. */
static void a_dangling_link(void)
{
    char *path = nf_path_join(dir, "tokenizer.json", NULL);
    struct nf_err err = NF_ERR_INIT;

    clear();
    put("merges.txt", "a b\n");
    put("vocab.json", vocab(", \"ab\": 94"));
    CHECK(symlink("/nowhere/tokenizer.json", path) == 0);
    CHECK(!nf_tokenizer_open(dir, &err) && err.code == NF_ESYS && strstr(err.text, "tokenizer.json: a link to a file that is not"));
    free(path);
}

static void a_token_the_vocabulary_lacks_is_appended(void)
{
    struct nf_tokenizer *t;
    size_t n;

    clear();
    put("merges.txt", "");
    put("vocab.json", vocab(""));
    put("special_tokens_map.json", "{\"pad_token\": \"[PAD]\"}");
    put("added_tokens.json", "{\"<x>\": 94}");
    t = accepted();
    CHECK(t && t->vocab.V == 97 && memcmp(nf_vocab_bytes(&t->vocab, 95, &n), "<|endoftext|>", 13) == 0 && n == 13);   /* GPT-2's */
    CHECK(t && memcmp(nf_vocab_bytes(&t->vocab, 96, &n), "[PAD]", 5) == 0 && n == 5);
    CHECK(t && t->vocab.special[95] && t->vocab.special[96] && !t->vocab.special[94]);
    nf_tokenizer_close(t);
}

/* The same tokenizer from its two forms has the same digest; another merge, token, pattern or added token has another. */
static void digest_is_of_the_tokenizer(void)
{
    static const char *const others[][2] = {
        { "[\"a c\"]", LEVEL },
        { "[\"a b\"]",
          ", \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": "
          "\"a+\"}, \"behavior\": \"Isolated\"}, {\"type\": \"ByteLevel\", \"use_regex\": false}]}" },
        { "[\"a b\"]", LEVEL ", \"normalizer\": {\"type\": \"NFC\"}" },
        { "[\"a b\"]", LEVEL ", \"added_tokens\": [{\"id\": 95, \"content\": \"ac\", \"special\": true}]" },
    };
    char digest[NF_DIGEST_HEX];
    struct nf_tokenizer *t;

    clear();
    put("config.json", "{\"model_type\": \"gpt2\"}");
    put("vocab.json", vocab(", \"ab\": 94, \"ac\": 95"));
    put("merges.txt", "#version: 0.2\na b\n");
    t = accepted();
    memcpy(digest, t->digest, sizeof digest);
    nf_tokenizer_close(t);
    put("tokenizer.json", json("", ", \"ac\": 95, \"ab\": 94", "[[\"a\", \"b\"]]", LEVEL));
    t = accepted();
    CHECK(strcmp(digest, t->digest) == 0);
    nf_tokenizer_close(t);
    put("config.json", "{}");   /* no class that would put its own steps in place of the file's */
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        put("tokenizer.json", json("", ", \"ab\": 94, \"ac\": 95", others[i][0], others[i][1]));
        t = accepted();
        CHECK(t && strcmp(digest, t->digest) != 0);
        nf_tokenizer_close(t);
    }
}

static void encodes(const char *text, const char *want)
{
    struct nf_tokenizer *t = accepted();
    struct nf_encoder *e = nf_encoder_open(t, true, NULL);
    struct nf_ids ids = { 0 };
    char got[256] = "";
    size_t at = 0;

    CHECK(nf_encode(e, text, strlen(text), true, &ids, NULL) == NF_OK);
    for (size_t i = 0; i < ids.n; i++)
        at += (size_t)snprintf(got + at, sizeof got - at, "%u ", (unsigned)ids.ids[i]);
    if (strcmp(got, want) != 0)
        printf("# %s: [%s], wanted [%s]\n", text, got, want);
    CHECK(strcmp(got, want) == 0);
    nf_ids_clear(&ids);
    nf_encoder_close(e);
    nf_tokenizer_close(t);
}

/* A BPE of characters: the sign for a blank, a to c, and what merges make of them. */
#define SIGN "\"\xe2\x96\x81\": 94, \"\xe2\x96\x81"
#define CHARS_VOCAB ", " SIGN "a\": 95, \"ab\": 96, \"bc\": 97, \"\xe2\x96\x81\xe2\x96\x81\": 98"
#define CHARS_MERGES "[\"\xe2\x96\x81 \xe2\x96\x81\", \"\xe2\x96\x81 a\", \"a b\", \"b c\"]"

static void where_a_blank_is_put_in_front(void)
{
    static const char *const cases[][3] = {
        { META("\"prepend_scheme\": \"always\", \"split\": false"), "ab  a</s>ab", "95 65 98 64 27 14 82 29 96 " },
        { META("\"prepend_scheme\": \"never\", \"split\": false"), "ab  a", "96 98 64 " },
        { META("\"split\": true"), "ab  a", "95 65 94 95 " },
        { META("\"prepend_scheme\": \"first\", \"split\": false"), " ab<m>ab", "95 65 99 96 " },
        { META("\"prepend_scheme\": \"always\", \"split\": false"), " ab<m>ab", "95 65 99 95 65 " },
        { META("\"prepend_scheme\": \"first\", \"split\": false"), "<m>ab", "99 96 " },
        { "null, \"normalizer\": " REPLACE, "ab\xe2\x96\x81 a<m>ab", "96 98 64 99 96 " },
        { "null, \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": "
          "\"\u2581\"}, " REPLACE "]}",
          " ab<m>ab", "98 96 99 95 65 " },
    };
    char rest[512];

    clear();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(rest, sizeof rest,
                 ", \"added_tokens\": [{\"id\": 99, \"content\": \"<m>\", \"normalized\": false}], \"pre_tokenizer\": %s",
                 cases[i][0]);
        put("tokenizer.json", json("", CHARS_VOCAB, CHARS_MERGES, rest));
        encodes(cases[i][1], cases[i][2]);
    }
}

/* An added token that is looked for after normalisation is so in its own normalised form: here with a blank in front. */
static void added_tokens_in_normalized_text(void)
{
    clear();
    put("tokenizer.json",
        json("", CHARS_VOCAB, CHARS_MERGES,
             ", \"added_tokens\": [{\"id\": 99, \"content\": \"<m>\", \"normalized\": true}, {\"id\": 100, \"content\": \"<n>\", "
             "\"normalized\": false}], "
             "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": \"\u2581\"}, " REPLACE
             "]}"));
    encodes("<m>a", "99 64 ");
    encodes("a<m>", "95 27 76 29 ");
    encodes("a <m><n><m>", "95 99 100 99 ");
}

/* Without a normaliser the tokens for after it come second all the same, which shows where two overlap. */
static void added_tokens_in_two_passes(void)
{
    static const char rest[] = LEVEL ", \"added_tokens\": [{\"id\": 94, \"content\": \"ya\", \"normalized\": %s}, {\"id\": 95, "
                                     "\"content\": \"ab\", \"normalized\": false}]";
    char text[512];

    clear();
    snprintf(text, sizeof text, rest, "true");
    put("tokenizer.json", json("", "", "[]", text));
    encodes("yab", "88 95 ");
    snprintf(text, sizeof text, rest, "false");
    put("tokenizer.json", json("", "", "[]", text));
    encodes("yab", "94 65 ");
}

/* added_tokens_decoder goes before tokenizer.json, which goes before added_tokens.json; a name only makes a token special. */
static void flags_that_files_disagree_about(void)
{
    static const char listed[] = LEVEL ", \"added_tokens\": [{\"id\": 94, \"content\": \"<m>\", \"normalized\": false}]";
    struct nf_tokenizer *t;

    clear();
    put("tokenizer.json", json("", "", "[]", listed));
    put("added_tokens.json", "{\"<m>\": 94}");
    put("tokenizer_config.json", "{\"bos_token\": {\"content\": \"<m>\", \"lstrip\": true}, "
                                 "\"extra_special_tokens\": {\"more_token\": \"<more>\"}}");
    t = accepted();
    CHECK(t && t->added.n == 2 && !t->added.tokens[0].normalized && !t->added.tokens[0].lstrip && !t->added.tokens[0].special);
    CHECK(t && t->added.tokens[1].id == 95 && t->added.tokens[1].special && t->bos_id == 94);
    nf_tokenizer_close(t);
    put("tokenizer_config.json",
        "{\"bos_token\": \"<m>\", \"added_tokens_decoder\": {\"94\": {\"content\": \"<m>\", \"rstrip\": true}}}");
    t = accepted();
    CHECK(t && t->added.n == 1 && t->added.tokens[0].rstrip && t->added.tokens[0].special && !t->added.tokens[0].lstrip);
    nf_tokenizer_close(t);
    put("tokenizer_config.json", "{\"split_special_tokens\": true, \"model_max_length\": 1e30, \"pad_token\": \"<m>\"}");
    t = accepted();
    CHECK(t && t->split_special);
    nf_tokenizer_close(t);
}

/* A class that builds its tokenizer anew says so where the file has another; one that only names what the file has does not. */
static void classes_that_build_anew(void)
{
    struct nf_tokenizer *t;

    clear();
    put("config.json", "{\"model_type\": \"llama\"}");
    put("tokenizer.json", json("", CHARS_VOCAB, CHARS_MERGES, ", \"pre_tokenizer\": " META("\"split\": true")));
    put("tokenizer_config.json", "{\"tokenizer_class\": \"LlamaTokenizer\", \"add_prefix_space\": false}");
    t = accepted();
    CHECK(t && strstr((char *)t->notes.p, "tokenizer_class LlamaTokenizer go first"));
    CHECK(t && t->pre_tokenizers.n == 1); /* no blank in front, no cut */
    nf_tokenizer_close(t);
    put("tokenizer_config.json", "{\"tokenizer_class\": \"LlamaTokenizer\", \"legacy\": true}");
    encodes("ab<unk>ab", "95 65 101 95 65 ");
    put("tokenizer.json", json("", ", \"ab\": 94", "[\"a b\"]", LEVEL ", \"decoder\": {\"type\": \"ByteLevel\"}"));
    t = accepted();
    CHECK(t && !t->notes.n && t->byte_level); /* a LlamaTokenizer with ByteLevel is taken as the file has it */
    nf_tokenizer_close(t);
    put("tokenizer_config.json", "{\"tokenizer_class\": \"GPT2TokenizerFast\"}");
    t = accepted();
    CHECK(t && !t->notes.n);
    nf_tokenizer_close(t);
}

/* The families' own: BOS in front or not, or none, and the longest window. */
static void families(void)
{
    static const struct {
        const char *name;
        int64_t bos;
        bool in_front;
        size_t context;
        const char *type;
    } all[] = {
        { "gpt2", 639, false, 1024, "byte-level-bpe" },     { "phi", 639, false, 2048, "byte-level-bpe" },
        { "neox", 0, false, 2048, "byte-level-bpe" },       { "llama3", 800, true, 8192, "byte-level-bpe" },
        { "qwen2", -1, false, 32768, "byte-level-bpe" },    { "llama2", 1, true, 4096, "sentencepiece-bpe" },
        { "mistral", 1, true, 4096, "sentencepiece-bpe" },  { "metaspace", 1, false, 4096, "sentencepiece-bpe" },
        { "gemma", 1, true, 8192, "sentencepiece-bpe" },    { "phi3", 1, true, 4096, "sentencepiece-bpe" },
        { "gptoss", 560, false, 131072, "byte-level-bpe" }, { "olmo2", 520, false, 4096, "byte-level-bpe" },
        { "bloom", 1, false, 2048, "byte-level-bpe" },      { "falcon", 522, false, 2048, "byte-level-bpe" },
        { "granite", 0, false, 4096, "byte-level-bpe" },    { "deepseek", 520, true, 4096, "byte-level-bpe" },
        { "unigram", -1, false, 512, "unigram" },           { "wordpiece", -1, false, 512, "wordpiece" },
    };
    char path[128];

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct nf_err err = NF_ERR_INIT;
        struct nf_tokenizer *t;

        snprintf(path, sizeof path, "tests/data/tokenizers/%s", all[i].name);
        t = nf_tokenizer_open(path, &err);
        if (!t || t->bos_id != all[i].bos || t->bos_auto != all[i].in_front || t->context != all[i].context)
            printf("# %s: %s\n", path, t ? "BOS or context" : err.text);
        CHECK(t && t->bos_id == all[i].bos && t->bos_auto == all[i].in_front && t->context == all[i].context);
        CHECK(strcmp(nf_tokenizer_type(t), all[i].type) == 0);
        nf_tokenizer_close(t);
    }
}

static void bytes_of_a_sentencepiece_token(void)
{
    struct nf_tokenizer *t = nf_tokenizer_open("tests/data/tokenizers/llama2", NULL);
    const unsigned char *p;
    size_t n, blanks = 0;

    for (uint32_t b = 0; b < 256; b++) {
        p = nf_vocab_bytes(&t->vocab, 3 + b, &n);
        CHECK(n == 1 && *p == b && t->chars->byte[b] == 3 + b);
    }
    for (uint32_t id = 259; id < t->vocab.V; id++) {
        p = nf_vocab_bytes(&t->vocab, id, &n);
        blanks += *p == ' ';
        CHECK(!memmem(p, n, "\xe2\x96\x81", 3));
    }
    CHECK(blanks > 100);
    CHECK(t->vocab.special[1] && memcmp(nf_vocab_bytes(&t->vocab, 1, &n), "<s>", 3) == 0);
    nf_tokenizer_close(t);
}

/* Splits by a pattern of its own, as Llama 3 and Qwen: here between every two letters, so that "ab" is merged only from the start. */
static void a_pattern_of_its_own(void)
{
    clear();
    put("tokenizer.json",
        json("", ", \"ab\": 94", "[\"a b\"]",
             ", \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": "
             "\"Split\", \"pattern\": {\"Regex\": \"\\\\p{N}|..?\"}, \"behavior\": \"Isolated\", \"invert\": false}, {\"type\": "
             "\"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]}"));
    encodes("abab", "94 94 ");
    encodes("cabab", "66 64 65 64 65 ");
    encodes("1ab", "16 94 ");
}

/* The leftmost added token counts, and the longest of those. */
static void added_tokens_leftmost_longest(void)
{
    clear();
    put("tokenizer.json", json("", "", "[]",
                               LEVEL ", \"added_tokens\": [{\"id\": 94, \"content\": \"<a\"}, {\"id\": 95, \"content\": \"<a><\"}, "
                                     "{\"id\": 96, \"content\": \"><b\"}]"));
    encodes("<a><b", "95 65 ");
    encodes("<a>", "94 29 ");
    encodes("<<a><b><b", "27 95 65 96 ");
}

int main(void)
{
    int status;

    if (!mkdtemp(dir))
        return 1;
    status = RUN(unknown_components_are_named, broken_vocabularies_are_named, what_is_bos, what_comes_behind, holes_and_extras,
                 classes_from_two_files, a_dangling_link, a_token_the_vocabulary_lacks_is_appended, digest_is_of_the_tokenizer,
                 a_pattern_of_its_own, added_tokens_leftmost_longest, where_a_blank_is_put_in_front,
                 added_tokens_in_normalized_text, added_tokens_in_two_passes, flags_that_files_disagree_about,
                 classes_that_build_anew, families, bytes_of_a_sentencepiece_token);
    clear();
    rmdir(dir);
    return status;
}
