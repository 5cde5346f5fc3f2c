/*
 * test_encoder.c - lib/token/encoder against Hugging Face tokenizers on nasty text, and what holds for any bytes.
 *
 * Expected ids: tests/data/make_nasty.py, and tests/data/make_tokenizers.py for small tokenizers made like those of the families.  The
 * vocabularies of GPT-2, OPT and NeoX and the small Llama are not ours to pass on: those tests skip where ../shared/data is absent.
 */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/rng.h"
#include "token/encoder.h"
#include "token/text.h"

#define DEMO "pipelines/demo/model"
#define SHARED "../shared/data/tokenizers/"

static struct nf_map whole_file(const char *path)
{
    struct nf_map map = { NULL, 0 };

    CHECK(nf_map_open(path, &map, NULL) == NF_OK);
    return map;
}

/* The text in steps of `step` bytes. */
static int encode(struct nf_encoder *e, const void *text, size_t n, size_t step, struct nf_ids *out, struct nf_err *err)
{
    const char *p = text;
    int rc = NF_OK;

    for (; n > step && rc == NF_OK; p += step, n -= step)
        rc = nf_encode(e, p, step, false, out, err);
    return rc == NF_OK ? nf_encode(e, p, n, true, out, err) : rc;
}

static size_t read_ids(const char *path, uint32_t *ids, size_t most)
{
    FILE *f = fopen(path, "r");
    unsigned id;
    size_t n = 0;

    CHECK(f != NULL);
    while (f && n < most && fscanf(f, "%u", &id) == 1)
        ids[n++] = id;
    if (f)
        fclose(f);
    return n;
}

/* `text` through the tokenizer in `dir` gives want[0..n), however it is cut for the calls. */
static void gives_ids(const char *dir, const char *text, const uint32_t *want, size_t n)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_tokenizer *t = nf_tokenizer_open(dir, &err);
    struct nf_encoder *e = t ? nf_encoder_open(t, true, &err) : NULL;
    struct nf_map map = whole_file(text);
    struct nf_ids got = { 0 };
    size_t i;

    if (!e)
        printf("# %s\n", err.text);
    CHECK(e != NULL);
    for (size_t step = 1; e && step < 100000; step = step * 7 + 1) {
        got.n = 0;
        CHECK(encode(e, map.data, map.size, step, &got, &err) == NF_OK);
        for (i = 0; i < got.n && i < n && got.ids[i] == want[i]; i++)
            ;
        if (i != got.n || i != n)
            printf("# %s, %s in steps of %zu: %zu ids, %zu wanted; the first that differs is %zu\n", dir, text, step, got.n, n, i);
        CHECK(i == got.n && i == n);
    }
    nf_ids_clear(&got);
    nf_map_close(&map);
    nf_encoder_close(e);
    nf_tokenizer_close(t);
}

/* `skip`: ids at the start of the file that the encoder does not make (BOS). */
static void gives(const char *dir, const char *text, const char *ids, size_t skip)
{
    static uint32_t want[1 << 16];
    size_t n = read_ids(ids, want, sizeof want / sizeof *want);

    CHECK(n > 100);
    gives_ids(dir, text, want + skip, n - skip);
}

static bool absent(const char *dir)
{
    if (nf_file_exists(dir))
        return false;
    printf("# skipped: no %s\n", dir);
    return true;
}

static void demo_ids(void)
{
    gives(DEMO, "tests/data/nasty.txt", "tests/data/nasty.demo.ids", 0);
    gives(DEMO, "tests/data/nasty-bytes.bin", "tests/data/nasty-bytes.demo.ids", 0);
}

static void gpt2_ids(void)
{
    if (absent(SHARED "gpt2"))
        return;
    gives(SHARED "gpt2", "tests/data/nasty.txt", "tests/data/nasty.gpt2.ids", 0);
    gives(SHARED "gpt2", "tests/data/nasty-bytes.bin", "tests/data/nasty-bytes.gpt2.ids", 0);
}

static void neox_ids(void)
{
    if (!absent(SHARED "neox"))
        gives(SHARED "neox", "tests/data/nasty.txt", "tests/data/nasty.neox.ids", 0);
}

/* The next list of ids.zst: one a line, an empty line at the end. */
static size_t next_list(char **p, uint32_t *ids, size_t most)
{
    size_t n = 0;

    for (; **p && **p != '\n' && n < most; (*p)++)
        ids[n++] = (uint32_t)strtoul(*p, p, 10);
    *p += **p == '\n';
    return n;
}

/* The lists of tests/data/tokenizers/NAME/ids.zst: nasty.txt, nasty-families.txt, and where there is a third nasty-bytes.bin. */
static void family(const char *name, bool bytes)
{
    static const char *const texts[] = { "tests/data/nasty.txt", "tests/data/nasty-families.txt", "tests/data/nasty-bytes.bin" };
    static uint32_t want[1 << 16];
    char dir[128], path[160];
    struct nf_bytes lists = { 0 };
    struct nf_text_file *ids;
    const unsigned char *part;
    ssize_t got;
    char *p;

    snprintf(dir, sizeof dir, "tests/data/tokenizers/%s", name);
    snprintf(path, sizeof path, "%s/ids.zst", dir);
    ids = nf_text_file_open(path, NULL, NULL);
    while ((got = nf_text_file_read(ids, &part, NULL)) > 0)
        CHECK(nf_bytes_add(&lists, part, (size_t)got, NULL) == NF_OK);
    CHECK(nf_bytes_add(&lists, "", 1, NULL) == NF_OK);
    nf_text_file_close(ids);
    p = (char *)lists.p;
    for (size_t i = 0; i < (bytes ? 3 : 2); i++) {
        size_t n = next_list(&p, want, sizeof want / sizeof *want);

        CHECK(n > 100 || (i == 0 && n == 0));
        if (n)
            gives_ids(dir, texts[i], want, n);
    }
    CHECK(!*p);
    nf_bytes_clear(&lists);
}

static void byte_level_families(void)
{
    family("gpt2", true);
    family("phi", false);
    family("neox", false);
    family("llama3", false);
    family("qwen2", false);
}

/* Layouts that several families share: lists of cuts, cuts behind ByteLevel, tokens that take blanks, other models. */
static void newer_families(void)
{
    static const char *const names[] = { "gemma",  "phi3",    "gptoss",   "olmo2",   "bloom",
                                         "falcon", "granite", "deepseek", "unigram", "wordpiece" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        family(names[i], false);
}

static void sentencepiece_families(void)
{
    family("llama2", true);
    family("mistral", true);
    family("metaspace", false);
}

/* The first documents of the corpus whose losses are in reference_loss.json came from these ids. */
static void a_real_llama(void)
{
    static const char text[] = "Once upon a time, there was a little girl named Lily.";
    static const uint32_t want[] = { 403, 407, 261, 378 };
    struct nf_tokenizer *t;
    struct nf_encoder *e;
    struct nf_ids ids = { 0 };

    if (absent("../shared/data/models/stories260K-hf"))
        return;
    t = nf_tokenizer_open("../shared/data/models/stories260K-hf", NULL);
    e = nf_encoder_open(t, true, NULL);
    CHECK(t->bos_auto && t->bos_id == 1 && t->context == 512 && t->vocab.V == 512);
    CHECK(nf_encode(e, text, sizeof text - 1, true, &ids, NULL) == NF_OK);
    CHECK(ids.n > 4 && memcmp(ids.ids, want, sizeof want) == 0);
    nf_ids_clear(&ids);
    nf_encoder_close(e);
    nf_tokenizer_close(t);
}

static bool put(const char *dir, const char *name, const char *text)
{
    char *path = nf_path_join(dir, name, NULL);
    FILE *f = path ? fopen(path, "w") : NULL;
    bool ok = f && fputs(text, f) >= 0;

    ok = f && fclose(f) == 0 && ok;
    free(path);
    return ok;
}

/* The OPT vocabulary as it lies on the Hub: with the small files that name its special tokens. */
static void opt_ids(void)
{
    char dir[] = "/tmp/nf-opt-XXXXXX", command[512];
    struct nf_tokenizer *t;

    if (absent(SHARED "opt"))
        return;
    CHECK(mkdtemp(dir) != NULL);
    snprintf(command, sizeof command, "cp " SHARED "opt/vocab.json " SHARED "opt/merges.txt %s", dir);
    CHECK(system(command) == 0);
    CHECK(put(
        dir, "tokenizer_config.json",
        "{\"add_bos_token\": true, \"add_prefix_space\": false, \"errors\": \"replace\", \"unk_token\": "
        "{\"content\": \"</s>\", \"normalized\": true, \"lstrip\": false}, \"bos_token\": {\"content\": \"</s>\"}, \"eos_token\": "
        "{\"content\": \"</s>\"}, \"pad_token\": {\"content\": \"<pad>\"}, \"model_max_length\": 2048}"));
    gives(dir, "tests/data/nasty.txt", "tests/data/nasty.opt.ids", 1);
    t = nf_tokenizer_open(dir, NULL);
    CHECK(t && t->bos_auto && t->bos_id == 2 && t->vocab.V == 50265);
    nf_tokenizer_close(t);
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK(system(command) == 0);
}

/* The published vectors: texts split by a line, the ids of each on a line of the other file. */
static void gpt2_vectors(void)
{
    static const char between[] = "\n__ggml_vocab_test__\n";
    struct nf_tokenizer *t;
    struct nf_encoder *e;
    struct nf_map text, ids;
    struct nf_ids got = { 0 };
    size_t vectors = 0;
    char *want;

    if (absent(SHARED "gpt2/vectors.inp"))
        return;
    t = nf_tokenizer_open(SHARED "gpt2", NULL);
    e = nf_encoder_open(t, true, NULL);
    text = whole_file(SHARED "gpt2/vectors.inp");
    ids = whole_file(SHARED "gpt2/vectors.out");
    want = (char *)ids.data;
    for (const unsigned char *p = text.data, *end = text.data + text.size; p < end && want < (char *)ids.data + ids.size;
         vectors++) {
        const unsigned char *next = memmem(p, (size_t)(end - p), between, sizeof between - 1);
        char line[4096] = "";
        size_t len = strcspn(want, "\n"), at = 0;

        got.n = 0;
        CHECK(nf_encode(e, p, (size_t)((next ? next : end) - p), true, &got, NULL) == NF_OK);
        for (size_t i = 0; i < got.n; i++)
            at += (size_t)snprintf(line + at, sizeof line - at, " %u", (unsigned)got.ids[i]);
        if (strlen(line) != len || memcmp(line, want, len) != 0)
            printf("# vector %zu: [%s], wanted [%.*s]\n", vectors, line, (int)len, want);
        CHECK(strlen(line) == len && memcmp(line, want, len) == 0);
        want += len + 1;
        p = next ? next + sizeof between - 1 : end;
    }
    CHECK(vectors >= 46);
    nf_ids_clear(&got);
    nf_map_close(&text);
    nf_map_close(&ids);
    nf_encoder_close(e);
    nf_tokenizer_close(t);
}

static bool stands_for(const struct nf_tokenizer *t, const struct nf_ids *ids, const unsigned char *text, size_t n)
{
    size_t at = 0, len;

    for (size_t i = 0; i < ids->n; i++) {
        const unsigned char *p = nf_vocab_bytes(&t->vocab, ids->ids[i], &len);
        size_t front = i == 0 && t->chars && n && *text != ' ';   /* the blank that the tokenizer puts before the text */

        if (len < front || len - front > n - at || memcmp(p + front, text + at, len - front) != 0 || (front && *p != ' '))
            return false;
        at += len - front;
    }
    return at == n;
}

/* Any bytes: the tokens stand for exactly them, and where the text was cut for the calls does not show. */
static void stand_for_the_bytes(const char *dir)
{
    static const char *const bits[] = { " ",    "\n",   "a",  "the",  "'s",       "1",       "\xc3", "\xa9", "\xe2\x82\xac",
                                        "\xff", "</s>", "</", "\r\n", "\xf0\x9f", "\xcc\x81" };
    struct nf_tokenizer *t = nf_tokenizer_open(dir, NULL);
    struct nf_encoder *e = nf_encoder_open(t, !t->chars, NULL);   /* a blank is put in front of each segment */
    struct nf_ids whole = { 0 }, steps = { 0 };
    struct nf_rng rng = { 7 };
    unsigned char text[600];
    size_t bad = 0;

    for (int round = 0; round < 3000; round++) {
        size_t n = 0, most = nf_rng_below(&rng, 300);

        while (n < most) {
            if (round % 2) {
                text[n++] = (unsigned char)nf_rng_next(&rng);
            } else {
                const char *bit = bits[nf_rng_below(&rng, sizeof bits / sizeof *bits)];

                memcpy(text + n, bit, strlen(bit));
                n += strlen(bit);
            }
        }
        whole.n = steps.n = 0;
        CHECK(nf_encode(e, text, n, true, &whole, NULL) == NF_OK);
        CHECK(encode(e, text, n, 1 + nf_rng_below(&rng, 9), &steps, NULL) == NF_OK);
        bad += !stands_for(t, &whole, text, n) || whole.n != steps.n ||
               (whole.n && memcmp(whole.ids, steps.ids, whole.n * sizeof *whole.ids) != 0);
    }
    CHECK(bad == 0);
    nf_ids_clear(&whole);
    nf_ids_clear(&steps);
    nf_encoder_close(e);
    nf_tokenizer_close(t);
}

static void tokens_stand_for_the_bytes(void)
{
    stand_for_the_bytes(DEMO);
    stand_for_the_bytes("tests/data/tokenizers/llama3");
    stand_for_the_bytes("tests/data/tokenizers/llama2");
}

/* 1 MB that nothing cuts: with a merge that took quadratic time this would run for hours. */
static void long_run(const char *dir, bool letters)
{
    enum { N = 1000000 };
    unsigned char *text = malloc(N);
    struct nf_tokenizer *t = nf_tokenizer_open(dir, NULL);
    struct nf_encoder *e = nf_encoder_open(t, true, NULL);
    struct nf_ids ids = { 0 };
    struct nf_err err = NF_ERR_INIT;
    struct nf_rng rng = { 3 };

    for (size_t i = 0; i < N; i++)
        text[i] = (unsigned char)(letters ? 'a' + nf_rng_below(&rng, 26) : ' ');
    CHECK(encode(e, text, N, 65536, &ids, NULL) == NF_OK);
    CHECK((ids.n > N / 8 || !letters) && stands_for(t, &ids, text, N));
    for (int i = 0; i < 10 && err.code == NF_OK; i++)
        nf_encode(e, text, N, false, &ids, &err);
    /* memory would have to grow with it, unless some pair of letters never merges and is cut */
    if (!t->chars || !letters)
        CHECK(err.code == NF_EFORMAT && strstr(err.text, "4194304") != NULL);
    free(text);
    nf_ids_clear(&ids);
    nf_encoder_close(e);
    nf_tokenizer_close(t);
}

static void a_long_run_without_a_space(void)
{
    long_run(DEMO, true);
    long_run("tests/data/tokenizers/llama3", true);
    long_run("tests/data/tokenizers/llama2", true);
    long_run("tests/data/tokenizers/llama2", false);
}

static void special_tokens_in_text(void)
{
    static const char text[] = "a</s>";
    struct nf_tokenizer *t = nf_tokenizer_open(DEMO, NULL);
    struct nf_encoder *e = nf_encoder_open(t, true, NULL), *plain = nf_encoder_open(t, false, NULL);
    struct nf_ids ids = { 0 };

    CHECK(nf_encode(e, text, 5, true, &ids, NULL) == NF_OK);
    CHECK(ids.n == 2 && ids.ids[1] == 2 && nf_encoder_specials(e) == 1);
    ids.n = 0;
    CHECK(nf_encode(plain, text, 5, true, &ids, NULL) == NF_OK);
    CHECK(ids.n > 2 && nf_encoder_specials(plain) == 0);
    for (size_t i = 0; i < ids.n; i++)
        CHECK(!t->vocab.special[ids.ids[i]]);
    nf_ids_clear(&ids);
    nf_encoder_close(e);
    nf_encoder_close(plain);
    nf_tokenizer_close(t);
}

int main(void)
{
    return RUN(demo_ids, byte_level_families, sentencepiece_families, newer_families, a_real_llama, gpt2_ids, neox_ids, opt_ids, gpt2_vectors,
               tokens_stand_for_the_bytes, a_long_run_without_a_space, special_tokens_in_text);
}
