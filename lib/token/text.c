/* text.c - read a text file, plain, zstd or gzip. */
#include "token/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/alloc.h"
#include "token/format.h"

struct nf_text_file {
    int fd;
    char *name;
    struct nf_text_rules rules;
    unsigned char in[NF_TEXT_CHUNK], out[NF_TEXT_CHUNK];
    size_t in_n, in_pos;
    bool eof;
    ZSTD_DStream *zstd; /* NULL: not zstd */
    size_t frame; /* what ZSTD_decompressStream() said last; 0: between frames */
    uint64_t produced; /* bytes of the frame in progress */
    z_stream *gzip; /* NULL: not gzip */
    bool member; /* inside a gzip member */
    const unsigned char *first; /* the first chunk, read to see what it is, and its bytes; NULL: given out */
    size_t first_n;
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
    return t->in_n - t->in_pos >= n && memcmp(t->in + t->in_pos, magic, n) == 0;
}

/* A frame, or a skippable one: 0x184D2A50 to 0x184D2A5F. */
static bool begins_zstd(const struct nf_text_file *t)
{
    return begins(t, "\x28\xb5\x2f\xfd", 4) ||
           (t->in_n >= 4 && (t->in[0] & 0xf0) == 0x50 && memcmp(t->in + 1, "\x2a\x4d\x18", 3) == 0);
}

static int open_zstd(struct nf_text_file *t, struct nf_err *err)
{
    enum { WINDOW_LOG = 31 }; /* zstd --long=31 */

    t->zstd = ZSTD_createDStream();
    if (!t->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(t->zstd, ZSTD_d_windowLogMax, WINDOW_LOG)))
        return nf_fail(err, NF_ESYS, "out of memory");
    return NF_OK;
}

static int open_gzip(struct nf_text_file *t, struct nf_err *err)
{
    t->gzip = nf_alloc(1, sizeof *t->gzip, err);
    if (!t->gzip)
        return NF_ESYS;
    if (inflateInit2(t->gzip, MAX_WBITS + 16) != Z_OK) {
        free(t->gzip);
        t->gzip = NULL;
        return nf_fail(err, NF_ESYS, "out of memory");
    }
    t->member = true;
    return NF_OK;
}

/* More of a frame than the limit, and its window is larger: zstd has to keep it all. */
static int check_window(struct nf_text_file *t, struct nf_err *err)
{
    if (!t->rules.memory || t->produced <= t->rules.memory || ZSTD_sizeof_DStream(t->zstd) <= t->rules.memory)
        return NF_OK;
    return nf_fail(err, NF_EFORMAT, "%s: its zstd window takes more than --memory %llu: raise it, or pipe from zstd -dc --long=31",
                   t->name, (unsigned long long)t->rules.memory);
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
        t->produced = t->frame ? t->produced + (out.pos - before) : 0;
        if (check_window(t, err) < 0)
            return NF_EFORMAT;
    }
    return (ssize_t)out.pos;
}

/* Behind a member: another one, the end, or the zeros that tapes leave. */
static int next_member(struct nf_text_file *t, struct nf_err *err)
{
    if (fill_input(t, err) < 0)
        return NF_ESYS;
    while (t->in_pos < t->in_n && !t->in[t->in_pos])
        t->in_pos++;
    if (t->in_pos == t->in_n)
        return t->eof ? NF_EOF : next_member(t, err);
    if (!begins(t, "\x1f\x8b", 2))
        return nf_fail(err, NF_EFORMAT, "%s: gzip: something else follows", t->name);
    inflateReset(t->gzip);
    t->member = true;
    return NF_OK;
}

static ssize_t read_gzip_text(struct nf_text_file *t, struct nf_err *err)
{
    z_stream *z = t->gzip;
    int rc;

    z->next_out = t->out;
    z->avail_out = sizeof t->out;
    while (z->avail_out) {
        if (!t->member && (rc = next_member(t, err)) != NF_OK) {
            if (rc < 0)
                return rc;
            break;
        }
        if (t->in_pos == t->in_n && fill_input(t, err) < 0)
            return NF_ESYS;
        if (t->in_pos == t->in_n)
            return nf_fail(err, NF_EFORMAT, "%s: ends inside its gzip member", t->name);
        z->next_in = t->in + t->in_pos;
        z->avail_in = (unsigned)(t->in_n - t->in_pos);
        rc = inflate(z, Z_NO_FLUSH);
        t->in_pos = t->in_n - z->avail_in;
        if (rc == Z_MEM_ERROR)
            return nf_fail(err, NF_ESYS, "out of memory");
        if (rc != Z_OK && rc != Z_STREAM_END)
            return nf_fail(err, NF_EFORMAT, "%s: gzip: %s", t->name, z->msg ? z->msg : "corrupt");
        t->member = rc != Z_STREAM_END;
    }
    return (ssize_t)(sizeof t->out - z->avail_out);
}

static ssize_t read_plain_text(struct nf_text_file *t, const unsigned char **p, struct nf_err *err)
{
    if (t->in_pos == t->in_n && fill_input(t, err) < 0)
        return NF_ESYS;
    *p = t->in + t->in_pos;
    t->in_pos = t->in_n;
    return (ssize_t)(t->in + t->in_n - *p);
}

static ssize_t read_decoded(struct nf_text_file *t, const unsigned char **p, struct nf_err *err)
{
    *p = t->out;
    if (t->zstd)
        return read_zstd_text(t, err);
    return t->gzip ? read_gzip_text(t, err) : read_plain_text(t, p, err);
}

/* Is it text, and where does it begin behind a byte-order mark? */
static int look_at_first(struct nf_text_file *t, struct nf_err *err)
{
    ssize_t n = read_decoded(t, &t->first, err);
    const char *format;

    if (n < 0)
        return (int)n;
    t->first_n = (size_t)n;
    format = t->rules.any_bytes ? NULL : nf_format_name(t->first, t->first_n);
    if (format)
        return nf_fail(err, NF_EFORMAT, "%s: %s, not text in UTF-8", t->name, format);
    if (!t->rules.any_bytes && nf_format_has_nul(t->first, t->first_n))
        return nf_fail(err, NF_EFORMAT, "%s: holds NUL bytes, which no text has: --bytes takes any bytes", t->name);
    if (!t->rules.any_bytes && n >= 3 && memcmp(t->first, "\xef\xbb\xbf", 3) == 0) {
        t->first += 3;
        t->first_n -= 3;
    }
    return NF_OK;
}

static int open_decoder(struct nf_text_file *t, struct nf_err *err)
{
    int rc = fill_input(t, err);

    if (rc == NF_OK && begins_zstd(t))
        rc = open_zstd(t, err);
    else if (rc == NF_OK && begins(t, "\x1f\x8b\x08", 3))
        rc = open_gzip(t, err);
    return rc == NF_OK ? look_at_first(t, err) : rc;
}

struct nf_text_file *nf_text_file_open(const char *path, const struct nf_text_rules *rules, struct nf_err *err)
{
    struct nf_text_file *t = nf_alloc(1, sizeof *t, err);
    bool standard = strcmp(path, "-") == 0;

    if (!t)
        return NULL;
    t->fd = -1;
    t->rules = rules ? *rules : (struct nf_text_rules){ .any_bytes = true };
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
    if (open_decoder(t, err) == NF_OK)
        return t;
fail:
    nf_text_file_close(t);
    return NULL;
}

ssize_t nf_text_file_read(struct nf_text_file *t, const unsigned char **p, struct nf_err *err)
{
    size_t n = t->first_n;

    if (n) {
        *p = t->first;
        t->first_n = 0;
        return (ssize_t)n;
    }
    return read_decoded(t, p, err);
}

void nf_text_file_close(struct nf_text_file *t)
{
    if (!t)
        return;
    if (t->fd > STDIN_FILENO)
        close(t->fd);
    ZSTD_freeDStream(t->zstd);
    if (t->gzip)
        inflateEnd(t->gzip);
    free(t->gzip);
    free(t->name);
    free(t);
}
