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
        { ", \"normalizer\": {\"type\": \"Lowercase\"}" LEVEL, "normalizer Lowercase" },
        { ", \"normalizer\": {\"type\": \"Prepend\"}" LEVEL, "normalizer Prepend: anything but" },
        { ", \"normalizer\": " REPLACE LEVEL, "pre_tokenizer ByteLevel with normalizer" },
        { ", \"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \" \"}, \"content\": \"\u2581\"}",
          "normalizer Replace: anything but" },
        { ", \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [" REPLACE ", " REPLACE "]}", "a second Replace" },
        { ", \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [" REPLACE ", {\"type\": \"NFC\"}]}",
          "NFC without ByteLevel" },
        { ", \"normalizer\": {\"type\": \"Prepend\", \"prepend\": \"\u2581\"}, \"pre_tokenizer\": " META("\"split\": false"),
          "Prepend without Replace" },
        { ", \"pre_tokenizer\": {\"type\": \"Metaspace\"}", "pre_tokenizer Metaspace: a replacement" },
        { ", \"pre_tokenizer\": " META("\"prepend_scheme\": \"last\""), "prepend_scheme last" },
        { ", \"pre_tokenizer\": " META("\"add_prefix_space\": false"), "Metaspace: add_prefix_space false" },
        { ", \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [" META("\"split\": true") ", {\"type\": \"Digits\"}]}",
          "after Metaspace: Digits" },
        { ", \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}", "pre_tokenizer BertPreTokenizer" },
        { ", \"pre_tokenizer\": null", "pre_tokenizer without" },
        { ", \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true}", "add_prefix_space" },
        { ", \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"use_regex\": false}", "without a pattern" },
        { ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"Removed\"}",
          "behavior Removed" },
        { LEVEL ", \"post_processor\": {\"type\": \"RobertaProcessing\"}", "post_processor RobertaProcessing" },
        { LEVEL
          ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {}}, {\"SpecialToken\": {}}]}",
          "before the text" },
        { LEVEL ", \"added_tokens\": [{\"id\": 94, \"content\": \"<m>\", \"lstrip\": true}]", "<m>\": lstrip" },
        { LEVEL ", \"added_tokens\": [{\"id\": 95, \"content\": \"<m>\"}]", "no token has id 94" },
        { LEVEL ", \"added_tokens\": [{\"id\": 5, \"content\": \"<m>\"}]", "the same id 5" },
    };

    clear();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("tokenizer.json", json("", "", "[]", cases[i][0]));
        refused(cases[i][1]);
    }
    put("tokenizer.json", json(", \"byte_fallback\": true", "", "[]", LEVEL));
    refused("byte_fallback");
    put("tokenizer.json", json(", \"byte_fallback\": true", "", "[]", ", \"pre_tokenizer\": " META("\"split\": true")));
    refused("no token <0x00>");
    put("tokenizer.json", json(", \"ignore_merges\": true", "", "[]", ", \"pre_tokenizer\": " META("\"split\": true")));
    refused("ignore_merges without ByteLevel");
    put("tokenizer.json",
        json(", \"unk_token\": \"?\"", ", \"?a\": 94", "[\"? a\"]", ", \"pre_tokenizer\": " META("\"split\": true")));
    refused("merge 0 of the unk token");
    put("tokenizer.json", json("", ", \"ab\": 94", "[\"a b b\"]", LEVEL));
    refused("merge 0: neither");
    put("tokenizer.json", "{\"model\": {\"type\": \"Unigram\"}}");
    refused("model Unigram");
    put("tokenizer.json", "[1]");
    refused("not a JSON object");
    put("tokenizer.json", "{\"model\":");
    refused("line 1");
}

static void broken_vocabularies_are_named(void)
{
    clear();
    put("merges.txt", "#version: 0.2\n");
    refused("no tokenizer there");
    put("tokenizer.model", "");
    refused("only tokenizer.model, SentencePiece's own file");
    put("vocab.json", vocab(", \"ab\": 96"));
    refused("no token has id 94");
    put("vocab.json", vocab(", \"ab\": 5"));
    refused("the same id 5");
    put("vocab.json", vocab(", \"ab\": -1"));
    refused("\"ab\"");
    put("vocab.json", vocab(", \"ab\": 1e3"));
    refused("\"ab\"");
    put("vocab.json", "{\"a\": 0}");
    refused("byte 0x21 has no token");
    put("vocab.json", "{\"a\": 0, \"a\": 1}");
    refused("duplicate");
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
    CHECK(t->bos_id == 96 && !t->bos_auto && t->vocab.special[96] && !t->vocab.special[95] && t->context == 0);   /* as GPT-2 */
    nf_tokenizer_close(t);
    put("config.json", "{\"model_type\": \"opt\", \"max_position_embeddings\": 512}");
    t = accepted();
    CHECK(t->bos_id == 95 && t->bos_auto && t->vocab.special[95] && !t->vocab.special[96] && t->context == 512);   /* as OPT */
    nf_tokenizer_close(t);
    put("tokenizer_config.json", "{\"add_bos_token\": false, \"bos_token\": {\"content\": \"ab\"}}");
    t = accepted();
    CHECK(t->bos_id == 94 && !t->bos_auto);
    nf_tokenizer_close(t);
    put("tokenizer_config.json", "{\"add_eos_token\": true}");
    refused("add_eos_token");
    clear();
    put("tokenizer.json",
        json("", ", \"<s>\": 94", "[]",
             LEVEL ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": "
                   "[{\"SpecialToken\": {\"id\": \"<s>\"}}, {\"Sequence\": {}}], \"special_tokens\": {\"<s>\": {\"ids\": [94]}}}"));
    t = accepted();
    CHECK(t->bos_id == 94 && t->bos_auto);
    nf_tokenizer_close(t);
    put("tokenizer_config.json", "{\"add_bos_token\": false}");   /* goes before the template */
    t = accepted();
    CHECK(t->bos_id == 94 && !t->bos_auto);
    nf_tokenizer_close(t);
}

/* Two files that do not say how text is cut: only GPT-2's way, and never where the family is known to have another. */
static void families_that_two_files_do_not_describe(void)
{
    clear();
    put("merges.txt", "a b\n");
    put("vocab.json", vocab(", \"ab\": 94"));
    put("config.json", "{\"model_type\": \"qwen2\"}");
    refused("config.json: the tokenizer of qwen2 from vocab.json and merges.txt");
    put("tokenizer_config.json", "{\"tokenizer_class\": \"Qwen2Tokenizer\"}");
    refused("tokenizer_config.json: a Qwen2Tokenizer from vocab.json and merges.txt");
    put("tokenizer_config.json", "{\"tokenizer_class\": \"CodeGenTokenizer\"}");
    nf_tokenizer_close(accepted());
    put("config.json", "{\"model_type\": \"gpt_neo\"}");
    put("tokenizer_config.json", "{}");
    nf_tokenizer_close(accepted());
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
    CHECK(t && t->vocab.V == 96 && memcmp(nf_vocab_bytes(&t->vocab, 95, &n), "[PAD]", 5) == 0 && n == 5);
    CHECK(t && t->vocab.special[95] && !t->vocab.special[94]);
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
    put("vocab.json", vocab(", \"ab\": 94, \"ac\": 95"));
    put("merges.txt", "#version: 0.2\na b\n");
    t = accepted();
    memcpy(digest, t->digest, sizeof digest);
    nf_tokenizer_close(t);
    put("tokenizer.json", json("", ", \"ac\": 95, \"ab\": 94", "[[\"a\", \"b\"]]", LEVEL));
    t = accepted();
    CHECK(strcmp(digest, t->digest) == 0);
    nf_tokenizer_close(t);
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
        snprintf(rest, sizeof rest, ", \"added_tokens\": [{\"id\": 99, \"content\": \"<m>\"}], \"pre_tokenizer\": %s", cases[i][0]);
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
             ", \"added_tokens\": [{\"id\": 99, \"content\": \"<m>\", \"normalized\": true}, {\"id\": 100, \"content\": \"<n>\"}], "
             "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": \"\u2581\"}, " REPLACE
             "]}"));
    encodes("<m>a", "99 64 ");
    encodes("a<m>", "95 27 76 29 ");
    encodes("a <m><n><m>", "95 99 100 99 ");
}

/* Without a normaliser the tokens for after it come second all the same, which shows where two overlap; and only then in the digest. */
static void added_tokens_in_two_passes(void)
{
    static const char *const second[] = { "xy", "ya" };
    char rest[512], digest[2][2][NF_DIGEST_HEX];

    clear();
    for (int overlaps = 0; overlaps < 2; overlaps++)
        for (int normalized = 0; normalized < 2; normalized++) {
            struct nf_tokenizer *t;

            snprintf(
                rest, sizeof rest,
                LEVEL
                ", \"added_tokens\": [{\"id\": 94, \"content\": \"%s\", \"normalized\": %s}, {\"id\": 95, \"content\": \"ab\"}]",
                second[overlaps], normalized ? "true" : "false");
            put("tokenizer.json", json("", "", "[]", rest));
            t = accepted();
            memcpy(digest[overlaps][normalized], t->digest, NF_DIGEST_HEX);
            nf_tokenizer_close(t);
            if (overlaps)
                encodes("yab", normalized ? "88 95 " : "94 65 ");
        }
    CHECK(strcmp(digest[0][0], digest[0][1]) == 0);
    CHECK(strcmp(digest[1][0], digest[1][1]) != 0);
}

/* What the small files beside tokenizer.json say of its tokens: that they are special, not how they are looked for. */
static void tokenizer_json_says_how_tokens_are_found(void)
{
    struct nf_tokenizer *t;

    clear();
    put("tokenizer.json",
        json("", CHARS_VOCAB, CHARS_MERGES, ", \"added_tokens\": [{\"id\": 99, \"content\": \"<m>\"}], \"normalizer\": " REPLACE));
    put("tokenizer_config.json", "{\"bos_token\": {\"content\": \"<m>\", \"normalized\": true, \"lstrip\": true}, "
                                 "\"added_tokens_decoder\": {\"99\": {\"content\": \"<m>\", \"normalized\": true}}, "
                                 "\"extra_special_tokens\": {\"more_token\": \"<more>\"}}");
    put("added_tokens.json", "{\"<m>\": 99}");   /* as beside Qwen's */
    t = accepted();
    /* the longer one comes first */
    CHECK(t->added.n == 2 && t->added.tokens[1].id == 99 && !t->added.tokens[1].normalized && t->added.tokens[1].special);
    CHECK(t->added.tokens[0].id == 100 && t->added.tokens[0].special && t->bos_id == 99 && !t->bos_auto);
    nf_tokenizer_close(t);
}

static void a_blank_in_front_that_the_files_disagree_about(void)
{
    clear();
    put("tokenizer.json", json("", CHARS_VOCAB, CHARS_MERGES, ", \"pre_tokenizer\": " META("\"split\": false")));
    put("tokenizer_config.json", "{\"add_prefix_space\": true, \"legacy\": true, \"clean_up_tokenization_spaces\": true}");
    nf_tokenizer_close(accepted());
    put("tokenizer_config.json", "{\"add_prefix_space\": null}");
    nf_tokenizer_close(accepted());
    put("tokenizer_config.json", "{\"add_prefix_space\": false}");
    refused("add_prefix_space: false");
    put("tokenizer.json", json("", "", "[]", LEVEL));
    nf_tokenizer_close(accepted());
    put("tokenizer_config.json", "{\"add_prefix_space\": true}");
    refused("add_prefix_space: true");
    put("tokenizer_config.json", "{\"split_special_tokens\": true}");
    refused("split_special_tokens");
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
        { "gpt2", 639, false, 1024, "byte-level-bpe" },    { "phi", 639, false, 2048, "byte-level-bpe" },
        { "neox", 0, false, 2048, "byte-level-bpe" },      { "llama3", 800, true, 8192, "byte-level-bpe" },
        { "qwen2", -1, false, 32768, "byte-level-bpe" },   { "llama2", 1, true, 4096, "sentencepiece-bpe" },
        { "mistral", 1, true, 4096, "sentencepiece-bpe" }, { "metaspace", 1, false, 4096, "sentencepiece-bpe" },
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
    status = RUN(unknown_components_are_named, broken_vocabularies_are_named, what_is_bos, families_that_two_files_do_not_describe,
                 a_token_the_vocabulary_lacks_is_appended, digest_is_of_the_tokenizer, a_pattern_of_its_own,
                 added_tokens_leftmost_longest, where_a_blank_is_put_in_front, added_tokens_in_normalized_text,
                 added_tokens_in_two_passes, tokenizer_json_says_how_tokens_are_found,
                 a_blank_in_front_that_the_files_disagree_about, families, bytes_of_a_sentencepiece_token);
    clear();
    rmdir(dir);
    return status;
}
