/* frame.c - file descriptor <-> raw bytes or one zstd frame. */
#include "stream/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "base/file.h"
#include "base/output.h"

enum {
    IN_BYTES = 256 << 10,        /* compressed bytes read at a time: two zstd blocks */
    OUT_BYTES = 256 << 10,       /* bytes gathered before a write */
    ZSTD_LEVEL = 1,
    ZSTD_HEAD = 5,               /* magic number and frame header descriptor */
    ZSTD_HAS_CHECKSUM = 1 << 2,  /* of the descriptor: RFC 8878 section 3.1.1.1.1 */
};

static const unsigned char zstd_magic[4] = { 0x28, 0xb5, 0x2f, 0xfd };

/* A smaller pipe is slower, nothing else: every failure is ignored (EBADF: no pipe; EPERM: over the user's limit). */
static void enlarge_pipe(int fd)
{
    (void)fcntl(fd, F_SETPIPE_SZ, NF_PIPE_BYTES);
}

static int zstd_fail(struct nf_err *err, size_t code, const char *what)
{
    switch (ZSTD_getErrorCode(code)) {
    case ZSTD_error_memory_allocation:
        return nf_fail(err, NF_ESYS, "%s: out of memory in zstd", what);
    case ZSTD_error_frameParameter_windowTooLarge:
        return nf_fail(err, NF_EFORMAT, "%s: the zstd frame needs a window over %d MiB", what, 1 << (NF_ZSTD_WINDOW_LOG - 20));
    case ZSTD_error_checksum_wrong:
        return nf_fail(err, NF_EFORMAT, "%s: corrupt: the zstd checksum does not match", what);
    default:
        return nf_fail(err, NF_EFORMAT, "%s: corrupt: zstd says: %s", what, ZSTD_getErrorName(code));
    }
}

/* ---- reading ---- */

struct nf_source {
    int fd;
    const char *what;
    ZSTD_DCtx *zstd;             /* NULL: raw */
    bool ended;                  /* the zstd frame is complete */
    unsigned char *in;           /* [IN_BYTES] */
    size_t pos, len;             /* in[pos..len) is not used yet */
};

static ssize_t read_some(int fd, void *p, size_t n, const char *what, struct nf_err *err)
{
    ssize_t got;

    do
        got = read(fd, p, n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? nf_fail_errno(err, "%s", what) : got;
}

/* Enough bytes to tell zstd from raw, unless the input ends before. */
static int read_head(struct nf_source *s, struct nf_err *err)
{
    while (s->len < ZSTD_HEAD) {
        ssize_t got = read_some(s->fd, s->in + s->len, IN_BYTES - s->len, s->what, err);

        if (got < 0)
            return (int)got;
        if (got == 0)
            break;
        s->len += (size_t)got;
    }
    return s->len ? NF_OK : nf_fail(err, NF_EFORMAT, "%s is empty: not even a header", s->what);
}

static int start_zstd(struct nf_source *s, struct nf_err *err)
{
    size_t rc;

    if (s->len < sizeof zstd_magic || memcmp(s->in, zstd_magic, sizeof zstd_magic) != 0)
        return NF_OK;
    if (s->len >= ZSTD_HEAD && !(s->in[ZSTD_HEAD - 1] & ZSTD_HAS_CHECKSUM))
        return nf_fail(err, NF_EFORMAT, "%s: the zstd frame has no content checksum", s->what);
    s->zstd = ZSTD_createDCtx();
    if (!s->zstd)
        return nf_fail(err, NF_ESYS, "%s: out of memory in zstd", s->what);
    rc = ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, NF_ZSTD_WINDOW_LOG);
    return ZSTD_isError(rc) ? zstd_fail(err, rc, s->what) : NF_OK;
}

struct nf_source *nf_source_open(int fd, const char *what, struct nf_err *err)
{
    struct nf_source *s = calloc(1, sizeof *s);

    if (s)
        s->in = malloc(IN_BYTES);
    if (!s || !s->in) {
        nf_fail(err, NF_ESYS, "out of memory");
        nf_source_close(s);
        return NULL;
    }
    s->fd = fd;
    s->what = what;
    enlarge_pipe(fd);
    if (read_head(s, err) < 0 || start_zstd(s, err) < 0) {
        nf_source_close(s);
        return NULL;
    }
    return s;
}

static ssize_t read_raw(struct nf_source *s, void *p, size_t n, struct nf_err *err)
{
    size_t left = s->len - s->pos;

    if (!left)
        return read_some(s->fd, p, n, s->what, err);
    n = n < left ? n : left;
    memcpy(p, s->in + s->pos, n);
    s->pos += n;
    return (ssize_t)n;
}

/* in[] is used up: fill it.  0 at the end of the input. */
static ssize_t refill(struct nf_source *s, struct nf_err *err)
{
    ssize_t got = read_some(s->fd, s->in, IN_BYTES, s->what, err);

    s->pos = 0;
    s->len = got > 0 ? (size_t)got : 0;
    return got;
}

static ssize_t read_zstd_frame(struct nf_source *s, void *p, size_t n, struct nf_err *err)
{
    ZSTD_outBuffer out = { p, n, 0 };

    while (out.pos == 0) {
        ZSTD_inBuffer in = { s->in, s->len, s->pos };
        size_t rc;

        if (s->ended) {
            ssize_t got = s->pos < s->len ? 1 : refill(s, err);

            return got > 0 ? nf_fail(err, NF_EFORMAT, "%s goes on after the end of its zstd frame", s->what) : got;
        }
        rc = ZSTD_decompressStream(s->zstd, &out, &in);
        s->pos = in.pos;
        if (ZSTD_isError(rc))
            return zstd_fail(err, rc, s->what);
        s->ended = rc == 0;
        /* Nothing came out and all went in: zstd waits for more. */
        if (!s->ended && out.pos == 0 && s->pos == s->len) {
            ssize_t got = refill(s, err);

            if (got <= 0)
                return got;
        }
    }
    return (ssize_t)out.pos;
}

ssize_t nf_source_read(struct nf_source *s, void *p, size_t n, struct nf_err *err)
{
    return s->zstd ? read_zstd_frame(s, p, n, err) : read_raw(s, p, n, err);
}

bool nf_source_whole(const struct nf_source *s)
{
    return !s->zstd || s->ended;
}

void nf_source_close(struct nf_source *s)
{
    if (!s)
        return;
    ZSTD_freeDCtx(s->zstd);
    free(s->in);
    free(s);
}

/* ---- writing ---- */

struct nf_sink {
    int fd;
    ZSTD_CCtx *zstd;             /* NULL: raw */
    unsigned char *out;          /* [OUT_BYTES] */
    size_t len;                  /* out[0..len) is not written yet */
};

struct nf_sink *nf_sink_open(int fd, bool raw, struct nf_err *err)
{
    struct nf_sink *s = calloc(1, sizeof *s);

    if (s) {
        s->fd = fd;
        s->out = malloc(OUT_BYTES);
        s->zstd = raw ? NULL : ZSTD_createCCtx();
    }
    if (!s || !s->out || (!raw && !s->zstd) ||
        (s->zstd && (ZSTD_isError(ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) ||
                     ZSTD_isError(ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_checksumFlag, 1))))) {
        nf_fail(err, NF_ESYS, "out of memory");
        nf_sink_close(s);
        return NULL;
    }
    enlarge_pipe(fd);
    return s;
}

static int flush(struct nf_sink *s, struct nf_err *err)
{
    int rc = nf_write_all(s->fd, s->out, s->len, nf_output_name(), err);

    s->len = 0;
    return rc;
}

static int write_raw(struct nf_sink *s, const void *p, size_t n, struct nf_err *err)
{
    if (n > OUT_BYTES - s->len && flush(s, err) < 0)
        return NF_ESYS;
    if (n > OUT_BYTES)           /* large enough for a write of its own */
        return nf_write_all(s->fd, p, n, nf_output_name(), err);
    if (n)
        memcpy(s->out + s->len, p, n);
    s->len += n;
    return NF_OK;
}

static int write_zstd(struct nf_sink *s, const void *p, size_t n, ZSTD_EndDirective end, struct nf_err *err)
{
    ZSTD_inBuffer in = { p, n, 0 };
    size_t left;

    do {
        ZSTD_outBuffer out = { s->out, OUT_BYTES, s->len };

        left = ZSTD_compressStream2(s->zstd, &out, &in, end);
        s->len = out.pos;
        if (ZSTD_isError(left))  /* not the input's fault, whatever it is */
            return nf_fail(err, NF_ESYS, "%s: zstd says: %s", nf_output_name(), ZSTD_getErrorName(left));
        if (s->len == OUT_BYTES && flush(s, err) < 0)
            return NF_ESYS;
    } while (end == ZSTD_e_continue ? in.pos < in.size : left != 0);
    return NF_OK;
}

int nf_sink_write(struct nf_sink *s, const void *p, size_t n, struct nf_err *err)
{
    return s->zstd ? write_zstd(s, p, n, ZSTD_e_continue, err) : write_raw(s, p, n, err);
}

int nf_sink_finish(struct nf_sink *s, struct nf_err *err)
{
    if (s->zstd && write_zstd(s, NULL, 0, ZSTD_e_end, err) < 0)
        return NF_ESYS;
    return flush(s, err);
}

void nf_sink_close(struct nf_sink *s)
{
    if (!s)
        return;
    ZSTD_freeCCtx(s->zstd);
    free(s->out);
    free(s);
}
