/*
 * test_encoder.c - lib/token/encoder against Hugging Face tokenizers on nasty text, and what holds for any bytes.
 *
 * Expected ids: tests/data/make_nasty.py.  The GPT-2, OPT and NeoX vocabularies are not ours to pass on: those tests skip where
 * ../shared/data is absent.
 */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/rng.h"
#include "token/encoder.h"

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

/* `skip`: ids at the start of the file that the encoder does not make (BOS). */
static void gives(const char *dir, const char *text, const char *ids, size_t skip)
{
    static uint32_t want[1 << 16];
    struct nf_err err = NF_ERR_INIT;
    struct nf_tokenizer *t = nf_tokenizer_open(dir, &err);
    struct nf_encoder *e = t ? nf_encoder_open(t, true, &err) : NULL;
    size_t n = read_ids(ids, want, sizeof want / sizeof *want), i;
    struct nf_map map = whole_file(text);
    struct nf_ids got = { 0 };

    CHECK(n > 100);
    if (!e)
        printf("# %s\n", err.text);
    CHECK(e != NULL);
    for (size_t step = 1; e && step < 100000; step = step * 7 + 1) {
        got.n = 0;
        CHECK(encode(e, map.data, map.size, step, &got, &err) == NF_OK);
        for (i = 0; i < got.n && i + skip < n && got.ids[i] == want[i + skip]; i++)
            ;
        if (i != got.n || i + skip != n)
            printf("# %s in steps of %zu: %zu ids, %zu wanted; the first that differs is %zu\n", dir, step, got.n, n - skip, i);
        CHECK(i == got.n && i + skip == n);
    }
    nf_ids_clear(&got);
    nf_map_close(&map);
    nf_encoder_close(e);
    nf_tokenizer_close(t);
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

        if (len > n - at || memcmp(p, text + at, len) != 0)
            return false;
        at += len;
    }
    return at == n;
}

/* Any bytes: the tokens stand for exactly them, and where the text was cut for the calls does not show. */
static void tokens_stand_for_the_bytes(void)
{
    static const char *const bits[] = { " ",    "\n",   "a",  "the",  "'s",       "1",       "\xc3", "\xa9", "\xe2\x82\xac",
                                        "\xff", "</s>", "</", "\r\n", "\xf0\x9f", "\xcc\x81" };
    struct nf_tokenizer *t = nf_tokenizer_open(DEMO, NULL);
    struct nf_encoder *e = nf_encoder_open(t, true, NULL);
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

/* 1 MB that nothing cuts: with a merge that took quadratic time this would run for hours. */
static void a_long_run_without_a_space(void)
{
    enum { N = 1000000 };
    unsigned char *text = malloc(N);
    struct nf_tokenizer *t = nf_tokenizer_open(DEMO, NULL);
    struct nf_encoder *e = nf_encoder_open(t, true, NULL);
    struct nf_ids ids = { 0 };
    struct nf_err err = NF_ERR_INIT;
    struct nf_rng rng = { 3 };

    for (size_t i = 0; i < N; i++)
        text[i] = (unsigned char)('a' + nf_rng_below(&rng, 26));
    CHECK(encode(e, text, N, 65536, &ids, NULL) == NF_OK);
    CHECK(ids.n > N / 8 && stands_for(t, &ids, text, N));
    for (int i = 0; i < 10 && err.code == NF_OK; i++)
        nf_encode(e, text, N, false, &ids, &err);
    CHECK(err.code == NF_EFORMAT && strstr(err.text, "4194304") != NULL);   /* memory would have to grow with it */
    free(text);
    nf_ids_clear(&ids);
    nf_encoder_close(e);
    nf_tokenizer_close(t);
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
    return RUN(demo_ids, gpt2_ids, neox_ids, opt_ids, gpt2_vectors, tokens_stand_for_the_bytes, a_long_run_without_a_space,
               special_tokens_in_text);
}
