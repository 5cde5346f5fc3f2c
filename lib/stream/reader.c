/* reader.c - header first, END last, nothing after it. */
#include "stream/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/file.h"
#include "stream/frame.h"
#include "stream/mp.h"

enum {
    READ_AHEAD = 256 << 10,      /* bytes asked for beyond what the object at hand is known to need */
    ZONE_CHUNK = 64 << 10,
};

struct nf_reader {
    struct nf_source *source;
    int fd;                      /* to be closed; -1: the caller's */
    struct nf_err *err;
    char *what;
    json_t *header;
    struct nf_digest *digest;    /* NULL: not asked for */
    char hex[NF_DIGEST_HEX];     /* after the end */
    unsigned char *buf;          /* buf[pos..len) is not used yet */
    size_t pos, len, cap;
    size_t last;                 /* the object at hand is buf[last..pos) */
    msgpack_zone zone;           /* memory of the object at hand */
    bool zone_made;
    msgpack_object obj;
    uint64_t records;
    bool ended;
};

/* Room for `need` bytes from pos on, and read some.  0 at the end of the input. */
static ssize_t read_ahead(struct nf_reader *r, size_t need)
{
    size_t have = r->len - r->pos;
    ssize_t got;

    if (r->cap - r->pos < need + READ_AHEAD) {
        memmove(r->buf, r->buf + r->pos, have);
        r->pos = 0;
        r->len = have;
        if (nf_grow(&r->buf, &r->cap, need + READ_AHEAD, 1, r->err) < 0)
            return NF_ESYS;
    }
    got = nf_source_read(r->source, r->buf + r->len, need + READ_AHEAD - have, r->err);
    if (got > 0)
        r->len += (size_t)got;
    return got;
}

static int cut(struct nf_reader *r)
{
    if (!r->header)
        return nf_fail(r->err, NF_EFORMAT, "%s ends inside its header", r->what);
    return nf_fail(r->err, NF_EFORMAT, "%s ends before its END record (%" PRIu64 " records read)", r->what, r->records);
}

static int refuse_stream(struct nf_reader *r, const char *why)
{
    if (!r->header)
        return nf_fail(r->err, NF_EFORMAT, "%s is not a neurofilters stream: %s", r->what, why);
    return nf_fail(r->err, NF_EFORMAT, "%s: corrupt after %" PRIu64 " records: %s", r->what, r->records, why);
}

static int unpack(struct nf_reader *r)
{
    size_t off = 0;

    msgpack_zone_clear(&r->zone);
    switch (msgpack_unpack((const char *)r->buf + r->last, r->pos - r->last, &off, &r->zone, &r->obj)) {
    case MSGPACK_UNPACK_SUCCESS:
    case MSGPACK_UNPACK_EXTRA_BYTES:
        break;
    case MSGPACK_UNPACK_NOMEM_ERROR:
        return nf_fail(r->err, NF_ESYS, "%s: out of memory", r->what);
    default:
        return refuse_stream(r, "not msgpack");
    }
    return off == r->pos - r->last ? NF_OK : refuse_stream(r, "not msgpack");
}

/* The next object, whole, into r->obj. */
static int next_object(struct nf_reader *r, size_t limit)
{
    struct nf_err why = NF_ERR_INIT;
    struct nf_scan scan;
    ssize_t got;
    int rc;

    nf_scan_init(&scan, limit);
    while ((rc = nf_scan_more(&scan, r->buf + r->pos, r->len - r->pos, &why)) == NF_EOF) {
        got = read_ahead(r, scan.want);
        if (got < 0)
            return (int)got;
        if (got == 0)
            return cut(r);
    }
    if (rc < 0)
        return refuse_stream(r, why.text);
    r->last = r->pos;
    r->pos += scan.at;
    if (r->digest)
        nf_digest_add(r->digest, r->buf + r->last, scan.at);
    return unpack(r);
}

static bool str_is(const msgpack_object *o, const char *s)
{
    return o->type == MSGPACK_OBJECT_STR && o->via.str.size == strlen(s) && memcmp(o->via.str.ptr, s, o->via.str.size) == 0;
}

/* Is `kind` one of `wanted`, alternatives separated by '|'? */
static bool kind_is(const char *kind, const char *wanted)
{
    size_t n = strlen(kind);

    for (const char *p = wanted; p; p = strchr(p, '|')) {
        p += *p == '|';
        if (strncmp(p, kind, n) == 0 && (p[n] == '|' || p[n] == '\0'))
            return true;
    }
    return false;
}

static int read_stream_header(struct nf_reader *r, const char *wanted)
{
    struct nf_err why = NF_ERR_INIT;
    const msgpack_object_map *m = &r->obj.via.map;
    json_t *header, *version;

    if (next_object(r, NF_HEADER_BYTES) < 0)
        return r->err->code;
    if (r->obj.type != MSGPACK_OBJECT_MAP || m->size == 0 || !str_is(&m->ptr[0].key, "format") ||
        !str_is(&m->ptr[0].val, "neurofilters"))
        return refuse_stream(r, "it does not begin with the header");
    header = nf_mp_json(&r->obj, &why);
    if (!header)
        return nf_fail(r->err, why.code, "%s: header: %s", r->what, why.text);
    r->header = header;
    version = json_object_get(header, "version");
    if (!json_is_integer(version) || json_integer_value(version) != NF_STREAM_VERSION)
        return nf_fail(r->err, NF_EFORMAT, "%s: stream version %" JSON_INTEGER_FORMAT ", only version %d is known", r->what,
                       json_integer_value(version), NF_STREAM_VERSION);
    if (!json_is_string(json_object_get(header, "kind")))
        return nf_fail(r->err, NF_EFORMAT, "%s: header: kind is missing", r->what);
    if (wanted && !kind_is(nf_reader_kind(r), wanted))
        return nf_fail(r->err, NF_EFORMAT, "%s is a stream of kind '%.40s'; '%s' is expected", r->what, nf_reader_kind(r), wanted);
    return NF_OK;
}

struct nf_reader *nf_reader_open(int fd, const char *what, const char *kind, struct nf_err *err)
{
    struct nf_reader *r;

    if (err->code != NF_OK)
        return NULL;
    r = calloc(1, sizeof *r);
    if (r) {
        r->fd = -1;
        r->err = err;
        r->what = strdup(what);
        r->zone_made = msgpack_zone_init(&r->zone, ZONE_CHUNK);
    }
    if (!r || !r->what || !r->zone_made || nf_grow(&r->buf, &r->cap, READ_AHEAD, 1, err) < 0) {
        nf_fail(err, NF_ESYS, "out of memory");
        nf_reader_close(r);
        return NULL;
    }
    r->source = nf_source_open(fd, r->what, err);
    if (!r->source || read_stream_header(r, kind) < 0) {
        nf_reader_close(r);
        return NULL;
    }
    return r;
}

struct nf_reader *nf_reader_open_file(const char *path, const char *kind, struct nf_err *err)
{
    const char *name;
    int fd = nf_input_open(path, &name, err);
    struct nf_reader *r;

    if (fd == STDIN_FILENO && isatty(fd))
        nf_fail(err, NF_EUSAGE, "standard input is a terminal: a stream is expected from a pipe or a file");
    r = fd < 0 ? NULL : nf_reader_open(fd, name, kind, err);
    if (r)
        r->fd = fd;
    else
        nf_input_close(fd);
    return r;
}

json_t *nf_reader_header(const struct nf_reader *r)
{
    return r->header;
}

const char *nf_reader_kind(const struct nf_reader *r)
{
    return json_string_value(json_object_get(r->header, "kind"));
}

const char *nf_reader_what(const struct nf_reader *r)
{
    return r->what;
}

/* After END: the frame must close and the input must end. */
static int read_stream_end(struct nf_reader *r)
{
    struct nf_err why = NF_ERR_INIT;
    unsigned char byte;
    uint64_t n;
    ssize_t got = 0;

    if (nf_mp_uint(&r->obj, "records", UINT64_MAX, &n, &why) < 0)
        return refuse_stream(r, why.text);
    if (n != r->records)
        return nf_fail(r->err, NF_EFORMAT, "%s: END counts %" PRIu64 " records, %" PRIu64 " were read", r->what, n, r->records);
    if (r->pos == r->len)
        got = nf_source_read(r->source, &byte, 1, r->err);
    if (got < 0)
        return (int)got;
    if (got > 0 || r->pos < r->len)
        return nf_fail(r->err, NF_EFORMAT, "%s goes on after its END record (%" PRIu64 " records)", r->what, r->records);
    if (!nf_source_whole(r->source))
        return nf_fail(r->err, NF_EFORMAT, "%s is cut off after its END record: the zstd frame is not complete", r->what);
    r->ended = true;
    nf_digest_close(r->digest, r->hex);
    r->digest = NULL;
    return NF_EOF;
}

int nf_reader_next(struct nf_reader *r, const msgpack_object **rec)
{
    if (r->err->code != NF_OK)
        return r->err->code;
    if (r->ended)
        return NF_EOF;
    if (next_object(r, NF_MP_BYTES) < 0)
        return r->err->code;
    if (r->obj.type != MSGPACK_OBJECT_MAP || r->obj.via.map.size == 0 || !str_is(&r->obj.via.map.ptr[0].key, "r") ||
        r->obj.via.map.ptr[0].val.type != MSGPACK_OBJECT_STR)
        return refuse_stream(r, "an object that is no record");
    if (nf_mp_is(&r->obj, "end"))
        return read_stream_end(r);
    r->records++;
    *rec = &r->obj;
    return NF_OK;
}

void nf_reader_bytes(const struct nf_reader *r, const void **p, size_t *n)
{
    *p = r->buf + r->last;
    *n = r->pos - r->last;
}

const msgpack_object *nf_reader_end(const struct nf_reader *r)
{
    return r->ended ? &r->obj : NULL;
}

uint64_t nf_reader_records(const struct nf_reader *r)
{
    return r->records;
}

int nf_reader_hash(struct nf_reader *r)
{
    r->digest = nf_digest_open(r->err);
    if (!r->digest)
        return NF_ESYS;
    nf_digest_add(r->digest, r->buf + r->last, r->pos - r->last);
    return NF_OK;
}

const char *nf_reader_digest(const struct nf_reader *r)
{
    return r->ended && *r->hex ? r->hex : NULL;
}

void nf_reader_close(struct nf_reader *r)
{
    if (!r)
        return;
    nf_source_close(r->source);
    nf_input_close(r->fd);
    nf_digest_close(r->digest, NULL);
    json_decref(r->header);
    if (r->zone_made)
        msgpack_zone_destroy(&r->zone);
    free(r->buf);
    free(r->what);
    free(r);
}
