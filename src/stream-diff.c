/*
 * stream-diff - compare two streams record by record, within a tolerance.
 *
 *   in   two streams of any kind
 *   out  exit status; the worst element when they differ
 *   doc  src/stream-diff.md
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/opt.h"
#include "base/output.h"
#include "base/prog.h"
#include "inspect/compare.h"
#include "stream/mp.h"
#include "stream/reader.h"

/* A header as a msgpack object in memory of its own. */
static int header_object(struct nf_reader *r, struct nf_enc *e, msgpack_zone *zone, msgpack_object *o)
{
    size_t off = 0;

    nf_enc_json(e, nf_reader_header(r));
    return !e->failed && msgpack_unpack(e->buf.data, e->buf.size, &off, zone, o) == MSGPACK_UNPACK_SUCCESS ? 0 : -1;
}

static int compare_headers(struct nf_compare *c, struct nf_reader *a, struct nf_reader *b, struct nf_err *err)
{
    struct nf_enc x, y;
    msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    msgpack_object ha, hb;
    int rc = NF_OK;

    if (!zone)
        return nf_fail(err, NF_ESYS, "out of memory");
    nf_enc_init(&x);
    nf_enc_init(&y);
    if (header_object(a, &x, zone, &ha) < 0 || header_object(b, &y, zone, &hb) < 0)
        rc = nf_fail(err, NF_ESYS, "out of memory");
    else {
        strcpy(c->where, "header");
        nf_compare(c, &ha, &hb);
    }
    nf_enc_clear(&x);
    nf_enc_clear(&y);
    msgpack_zone_free(zone);
    return rc;
}

/* The place begins with the type of the record: "site.data[4,2]". */
static void compare_records(struct nf_compare *c, uint64_t number, const msgpack_object *a, const msgpack_object *b)
{
    const msgpack_object *r = nf_mp_find(a, "r");

    c->record = number;
    snprintf(c->where, sizeof c->where, "%.*s", r->via.str.size > 40 ? 40 : (int)r->via.str.size, r->via.str.ptr);
    nf_compare(c, a, b);
}

/* All records of both; NF_EOF: both ended together. */
static int compare_streams(struct nf_compare *c, struct nf_reader *a, struct nf_reader *b)
{
    const msgpack_object *x, *y;
    int ra, rb;

    for (;;) {
        ra = nf_reader_next(a, &x);
        rb = nf_reader_next(b, &y);
        if (ra < 0 || rb < 0)
            return ra < 0 ? ra : rb;
        if (ra == NF_EOF || rb == NF_EOF)
            return ra == rb ? NF_EOF : NF_OK;
        compare_records(c, nf_reader_records(a), x, y);
    }
}

static void print_worst(const struct nf_compare *c)
{
    const struct nf_difference *w = &c->worst;

    printf("%" PRIu64 " of %" PRIu64 " values differ\n", c->different, c->values);
    printf("worst: record %" PRIu64 ", %s", w->record, w->where);
    if (*w->a)
        printf(": %s and %s", w->a, w->b);
    if (isfinite(w->size))
        printf(" differ by %g, %g allowed", w->size, w->allowed);
    putchar('\n');
}

/* Both are whole, and what was compared is printed: are they the same?  rc: of compare_streams(). */
static int say_difference(const struct nf_compare *c, int rc, const struct nf_reader *a, const struct nf_reader *b,
                          struct nf_err *err)
{
    if (c->different)
        print_worst(c);
    if (nf_output_close(err) < 0)
        return (int)err->code;
    if (rc != NF_EOF)
        return nf_fail(err, NF_EFORMAT, "%s ends after %" PRIu64 " records, %s after %" PRIu64 " or more", nf_reader_what(a),
                       nf_reader_records(a), nf_reader_what(b), nf_reader_records(b));
    if (c->different)
        return nf_fail(err, NF_EFORMAT, "%s and %s differ", nf_reader_what(a), nf_reader_what(b));
    if (nf_common.verbose)
        nf_warn("%" PRIu64 " records, %" PRIu64 " values; largest difference %g", nf_reader_records(a), c->values, c->largest);
    return NF_OK;
}

static int compare_stream_files(struct nf_compare *c, bool header, struct nf_reader *a, struct nf_reader *b, struct nf_err *err)
{
    int rc;

    if (strcmp(nf_reader_kind(a), nf_reader_kind(b)) != 0)
        return nf_fail(err, NF_EFORMAT, "%s is of kind '%.40s', %s of kind '%.40s'", nf_reader_what(a), nf_reader_kind(a),
                       nf_reader_what(b), nf_reader_kind(b));
    if (header && compare_headers(c, a, b, err) < 0)
        return (int)err->code;
    rc = compare_streams(c, a, b);
    if (rc < 0)
        return rc;
    if (rc == NF_EOF)
        compare_records(c, nf_reader_records(a) + 1, nf_reader_end(a), nf_reader_end(b));
    return say_difference(c, rc, a, b, err);
}

static int diff(struct nf_compare *c, bool header, char **path, int n, struct nf_err *err)
{
    struct nf_reader *a, *b = NULL;

    if (n != 2)
        return nf_fail(err, NF_EUSAGE, "two files are expected (- is standard input), %d were given", n);
    if (strcmp(path[0], "-") == 0 && strcmp(path[1], "-") == 0)
        return nf_fail(err, NF_EUSAGE, "standard input can be only one of the two streams");
    if (nf_output_open(false, err) < 0)
        return (int)err->code;
    a = nf_reader_open_file(path[0], NULL, err);
    if (a)
        b = nf_reader_open_file(path[1], NULL, err);
    if (b)
        compare_stream_files(c, header, a, b, err);
    nf_reader_close(a);
    nf_reader_close(b);
    return (int)err->code;
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_compare c = { .rtol = 0 };
    bool header = false;
    const struct nf_opt opts[] = {
        OPT_REAL("rtol", &c.rtol, 0, 1, "X", "relative tolerance: reals may differ by X times the second value", .local = true),
        OPT_REAL("atol", &c.atol, 0, 1e300, "X", "absolute tolerance: reals may differ by X more", .local = true),
        OPT_FLAG("nan-equal", &c.nan_equal, "treat NaN in the same place of both as equal", .local = true),
        OPT_FLAG("header", &header, "also compare the headers, history included", .local = true),
        OPT_END,
    };
    const struct nf_cmd cmd = { "stream-diff",     "compare two streams record by record, within a tolerance", "FILE FILE",
                                "any kind, twice", "the worst element; exit status 0 same, 3 different",       opts };
    int first;

    nf_prog_start(cmd.name, argv);
    first = nf_opt_parse(&cmd, argc, argv, &err);
    if (first > 0)
        diff(&c, header, argv + first, argc - first, &err);
    return nf_prog_end(&err);
}
