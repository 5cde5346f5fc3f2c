/* fuzz_tokenizer.c - any bytes as tokenizer.json: refused, or a tokenizer whose tokens stand for exactly the bytes of a text. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "token/encoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] = "It's 12 o'clock\n\n  na\xc3\xafve \xff\xe4\xbd\xa0 </s>\t!!";

/* The tokens of `text` put together again; where neither NFC nor an added token changes it, they are the text. */
static void round_trip(const struct nf_tokenizer *t)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_encoder *e = nf_encoder_open(t, false, &err);
    struct nf_ids ids = { 0 };
    size_t at = 0;
    bool exact = !t->nfc && t->added.n == 0;

    if (e && nf_encode(e, text, sizeof text - 1, true, &ids, &err) == NF_OK && exact)
        for (size_t i = 0; i < ids.n; i++) {
            const void *bytes;
            size_t n;

            if (ids.ids[i] >= t->vocab.V)
                abort();
            bytes = nf_vocab_bytes(&t->vocab, ids.ids[i], &n);
            if (at + n > sizeof text - 1 || memcmp(text + at, bytes, n) != 0)
                abort();
            at += n;
        }
    if (err.code == NF_OK && exact && at != sizeof text - 1)
        abort();
    nf_ids_clear(&ids);
    nf_encoder_close(e);
}

static char dir[] = "/tmp/fuzz_tokenizer.XXXXXX";

static void remove_folder(void)
{
    rmdir(dir);
}

static const char *folder(void)
{
    static bool made;

    if (!made && (!mkdtemp(dir) || atexit(remove_folder) != 0))
        abort();
    made = true;
    return dir;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_tokenizer *t;
    char path[64];
    int fd;

    snprintf(path, sizeof path, "%s/tokenizer.json", folder());
    fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
    t = nf_tokenizer_open(folder(), &err);
    unlink(path);
    if (t)
        round_trip(t);
    nf_tokenizer_close(t);
    return 0;
}
