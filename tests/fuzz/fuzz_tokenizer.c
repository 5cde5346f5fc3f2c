/*
 * fuzz_tokenizer.c - a tokenizer directory and a text from the input: up to the first NUL tokenizer.json (or, after "V", vocab.json, and up
 * to the second merges.txt; after "C", tokenizer.json, and up to the second tokenizer_config.json), the rest text.
 *
 * What is accepted must encode any text, give the same ids when the text arrives byte by byte, and the tokens must stand for exactly the
 * bytes of the text, where nothing in the tokenizer changes or leaves out any; but for blanks, where it starts from characters: these are put
 * in front, and U+2581 is one.  Without a text in the input one of ours is taken.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/replace.h"
#include "token/encoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/nf-fuzz-XXXXXX";

static void leave(void)
{
    rmdir(dir);
}

/* data up to the first NUL into dir/name; returns what follows. */
static const uint8_t *put(const uint8_t *data, const uint8_t *end, const char *name)
{
    const uint8_t *nul = memchr(data, 0, (size_t)(end - data));
    struct nf_replace f;
    char *path = nf_path_join(dir, name, NULL);

    if (!nul)
        nul = end;
    if (path && nf_replace_open(&f, path, NULL) == NF_OK) {
        nf_write_all(f.fd, data, (size_t)(nul - data), path, NULL);
        nf_replace_commit(&f, NULL);
    }
    free(path);
    return nul < end ? nul + 1 : end;
}

static void drop(const char *name)
{
    char *path = nf_path_join(dir, name, NULL);

    if (path)
        unlink(path);
    free(path);
}

static const char own_text[] = "It's 12 o'clock\n\n  na\xc3\xafve \xff\xe4\xbd\xa0 </s>\t!!\xe2\x96\x81";

/* Takes U+0020 and U+2581 out of p[0..n); returns what is left. */
static size_t without_blanks(unsigned char *p, size_t n)
{
    size_t left = 0;

    for (size_t i = 0; i < n; i++)
        if (n - i >= 3 && memcmp(p + i, "\xe2\x96\x81", 3) == 0)
            i += 2;
        else if (p[i] != ' ')
            p[left++] = p[i];
    return left;
}

/* Are the tokens of a text to stand for it? */
static bool keeps_text(const struct nf_tokenizer *t)
{
    bool keeps = !t->normalizers.n && (t->model == NF_MODEL_BPE_BYTES || (t->chars && !t->byte_level));

    for (size_t i = 0; i < t->pre_tokenizers.n; i++) {
        const struct nf_text_step *s = &t->pre_tokenizers.list[i];
        bool blanks = t->chars && s->text.n == 3 && memcmp(s->text.p, "\u2581", 3) == 0;   /* Metaspace */

        keeps = keeps && (s->kind == NF_STEP_CUT ? s->mode != NF_CUT_REMOVED : blanks);
    }
    for (size_t i = 0; i < t->added.n; i++)
        keeps = keeps && !t->added.tokens[i].lstrip && !t->added.tokens[i].rstrip;
    for (int b = 0; b < 256 && t->chars; b++)
        keeps = keeps && t->chars->byte[b] != NF_CHARS_NONE;
    return keeps;
}

/* Aborts where the tokens do not stand for the text. */
static void compare(const struct nf_tokenizer *t, const struct nf_ids *ids, const uint8_t *text, size_t n)
{
    struct nf_bytes said = { 0 }, want = { 0 };
    size_t len;

    for (size_t i = 0; i < ids->n; i++) {
        const unsigned char *p;

        if (ids->ids[i] >= t->vocab.V)
            abort();
        p = nf_vocab_bytes(&t->vocab, ids->ids[i], &len);
        if (nf_bytes_add(&said, p, len, NULL) < 0)
            abort();
    }
    if (nf_bytes_add(&said, "", 0, NULL) < 0 || nf_bytes_add(&want, text, n, NULL) < 0)
        abort();
    if (t->chars) {
        said.n = without_blanks(said.p, said.n);
        want.n = without_blanks(want.p, want.n);
    }
    if (keeps_text(t) && (said.n != want.n || memcmp(said.p, want.p, want.n) != 0))
        abort();
    nf_bytes_clear(&said);
    nf_bytes_clear(&want);
}

static void encode(const struct nf_tokenizer *t, const uint8_t *text, size_t n)
{
    struct nf_encoder *a = nf_encoder_open(t, true, NULL), *b = nf_encoder_open(t, true, NULL);
    struct nf_ids whole = { 0 }, bytes = { 0 };
    int rc = nf_encode(a, text, n, true, &whole, NULL), rc_bytes = NF_OK;

    for (size_t i = 0; i < n && rc_bytes == NF_OK; i++)
        rc_bytes = nf_encode(b, text + i, 1, false, &bytes, NULL);
    if (rc_bytes == NF_OK)
        rc_bytes = nf_encode(b, NULL, 0, true, &bytes, NULL);
    if (rc != rc_bytes ||
        (rc == NF_OK && (whole.n != bytes.n || (whole.n && memcmp(whole.ids, bytes.ids, whole.n * sizeof *whole.ids) != 0))))
        abort();
    if (rc == NF_OK)
        compare(t, &whole, text, n);
    nf_ids_clear(&whole);
    nf_ids_clear(&bytes);
    nf_encoder_close(a);
    nf_encoder_close(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    const uint8_t *end = data + size, *text = data;
    struct nf_tokenizer *t;

    if (!made && !mkdtemp(dir))
        abort();
    if (!made)
        atexit(leave);
    made = true;
    if (size && *data == 'V')
        text = put(put(data + 1, end, "vocab.json"), end, "merges.txt");
    else if (size && *data == 'C')
        text = put(put(data + 1, end, "tokenizer.json"), end, "tokenizer_config.json");
    else
        text = put(data, end, "tokenizer.json");
    t = nf_tokenizer_open(dir, NULL);
    if (t && text < end)
        encode(t, text, (size_t)(end - text));
    else if (t)
        encode(t, (const uint8_t *)own_text, sizeof own_text - 1);
    nf_tokenizer_close(t);
    drop("vocab.json");
    drop("merges.txt");
    drop("tokenizer.json");
    drop("tokenizer_config.json");
    return 0;
}
