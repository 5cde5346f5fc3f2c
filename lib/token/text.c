/* text.c - read a text file, plain or zstd. */
#include "token/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "base/alloc.h"

struct nf_text_file {
    int fd;
    char *name;
    unsigned char in[NF_TEXT_CHUNK], out[NF_TEXT_CHUNK];
    size_t in_n, in_pos;
    bool eof;
    ZSTD_DStream *zstd;      /* NULL: plain */
    size_t frame;            /* what ZSTD_decompressStream() said last; 0: between frames */
};

/* Fill `in` with what is left in it and more, up to its size or the end of the file. */
static int fill_input(struct nf_text_file *t, struct nf_err *err)
{
    memmove(t->in, t->in + t->in_pos, t->in_n - t->in_pos);
    t->in_n -= t->in_pos;
    t->in_pos = 0;
    while (!t->eof && t->in_n < sizeof t->in) {
        ssize_t n = read(t->fd, t->in + t->in_n, sizeof t->in - t->in_n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return nf_fail_errno(err, "%s", t->name);
        t->eof = n == 0;
        t->in_n += (size_t)n;
    }
    return NF_OK;
}

static bool begins(const struct nf_text_file *t, const char *magic, size_t n)
{
    return t->in_n >= n && memcmp(t->in, magic, n) == 0;
}

static int detect_compression(struct nf_text_file *t, struct nf_err *err)
{
    if (fill_input(t, err) < 0)
        return NF_ESYS;
    if (begins(t, "\x1f\x8b\x08", 3) || begins(t, "BZh", 3) ||
        begins(t,
               "\xfd"
               "7zXZ",
               5))
        return nf_fail(err, NF_EFORMAT, "%s: compressed other than by zstd: not text", t->name);
    if (begins(t, "\x28\xb5\x2f\xfd", 4)) {
        t->zstd = ZSTD_createDStream();
        if (!t->zstd)
            return nf_fail(err, NF_ESYS, "out of memory");
    }
    return NF_OK;
}

struct nf_text_file *nf_text_file_open(const char *path, struct nf_err *err)
{
    struct nf_text_file *t = nf_alloc(1, sizeof *t, err);
    bool standard = strcmp(path, "-") == 0;

    if (!t)
        return NULL;
    t->fd = -1;
    t->name = strdup(standard ? "standard input" : path);
    if (!t->name) {
        nf_fail(err, NF_ESYS, "out of memory");
        goto fail;
    }
    t->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (t->fd < 0) {
        nf_fail_errno(err, "%s", path);
        goto fail;
    }
    if (detect_compression(t, err) == NF_OK)
        return t;
fail:
    nf_text_file_close(t);
    return NULL;
}

static ssize_t read_zstd_text(struct nf_text_file *t, struct nf_err *err)
{
    ZSTD_outBuffer out = { t->out, sizeof t->out, 0 };

    while (out.pos < out.size) {
        ZSTD_inBuffer in;
        size_t before;

        if (t->in_pos == t->in_n && fill_input(t, err) < 0)
            return NF_ESYS;
        if (t->in_n == 0 && t->frame == 0)
            break;
        before = out.pos;
        in = (ZSTD_inBuffer){ t->in, t->in_n, t->in_pos };
        t->frame = ZSTD_decompressStream(t->zstd, &out, &in);
        if (ZSTD_isError(t->frame))
            return nf_fail(err, ZSTD_getErrorCode(t->frame) == ZSTD_error_memory_allocation ? NF_ESYS : NF_EFORMAT, "%s: zstd: %s",
                           t->name, ZSTD_getErrorName(t->frame));
        if (t->frame && t->in_n == 0 && out.pos == before)
            return nf_fail(err, NF_EFORMAT, "%s: ends inside its zstd frame", t->name);
        t->in_pos = in.pos;
    }
    return (ssize_t)out.pos;
}

ssize_t nf_text_file_read(struct nf_text_file *t, const unsigned char **p, struct nf_err *err)
{
    size_t n;

    if (t->zstd) {
        *p = t->out;
        return read_zstd_text(t, err);
    }
    if (t->in_pos == t->in_n && fill_input(t, err) < 0)
        return NF_ESYS;
    *p = t->in;
    n = t->in_n - t->in_pos;
    t->in_pos = t->in_n;
    return (ssize_t)n;
}

void nf_text_file_close(struct nf_text_file *t)
{
    if (!t)
        return;
    if (t->fd > STDIN_FILENO)
        close(t->fd);
    ZSTD_freeDStream(t->zstd);
    free(t->name);
    free(t);
}
