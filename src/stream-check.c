/*
 * stream-check - is a stream whole, of the right kind, finite and consistent?
 *
 *   in   any kind
 *   out  one line a fault; exit status
 *   doc  src/stream-check.md
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/opt.h"
#include "base/output.h"
#include "base/prog.h"
#include "inspect/check.h"
#include "stream/mp.h"
#include "stream/reader.h"

struct check_options {
    const char *kind;
    uint64_t max_faults;
};

/* One stream being checked. */
struct check {
    const struct check_options *opt;
    struct nf_reader *in;
    const struct nf_check_kind *kind; /* NULL: nothing is known of this kind but that it is a stream */
    void *state;
    uint64_t faults;
};

/* NF_EFORMAT is a fault of the record; anything worse ends the check. */
static int note(struct check *c, const msgpack_object *rec, const struct nf_err *fault, struct nf_err *err)
{
    const msgpack_object *r = nf_mp_find(rec, "r");

    if (fault->code == NF_OK)
        return NF_OK;
    if (fault->code != NF_EFORMAT)
        return nf_fail(err, fault->code, "%s", fault->text);
    if (++c->faults <= c->opt->max_faults)
        printf("%s: record %" PRIu64 " (%.*s): %s\n", nf_reader_what(c->in),
               nf_reader_records(c->in) + (nf_reader_end(c->in) != NULL), r->via.str.size < 40 ? (int)r->via.str.size : 40,
               r->via.str.ptr, fault->text);
    return NF_OK;
}

static int check_record(struct check *c, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_err fault = NF_ERR_INIT;

    nf_check_finite(rec, &fault);
    if (note(c, rec, &fault, err) < 0 || !c->kind)
        return err->code;
    fault = (struct nf_err)NF_ERR_INIT;
    c->kind->record(c->state, rec, &fault);
    return note(c, rec, &fault, err);
}

static int check_end(struct check *c, struct nf_err *err)
{
    struct nf_err fault = NF_ERR_INIT;

    if (c->kind)
        c->kind->end(c->state, nf_reader_end(c->in), &fault);
    return note(c, nf_reader_end(c->in), &fault, err);
}

static int check_stream(struct check *c, struct nf_err *err)
{
    const msgpack_object *rec;
    int rc = NF_OK;

    c->kind = nf_check_find(nf_reader_kind(c->in));
    if (c->kind && !(c->state = c->kind->open(nf_reader_header(c->in), err)))
        rc = err->code;
    while (rc == NF_OK && (rc = nf_reader_next(c->in, &rec)) == NF_OK)
        rc = check_record(c, rec, err);
    if (rc == NF_EOF)
        rc = check_end(c, err);
    if (c->kind)
        c->kind->close(c->state);
    if (rc == NF_OK && c->faults)
        rc = nf_fail(err, NF_EFORMAT, "%s: %" PRIu64 " faults", nf_reader_what(c->in), c->faults);
    return rc;
}

/* Checks one file and prints what is wrong with it; NF_OK, or the code of what is. */
static int check_file(const struct check_options *opt, const char *path)
{
    struct nf_err err = NF_ERR_INIT;
    struct check c = { .opt = opt };
    int rc;

    c.in = nf_reader_open_file(path, opt->kind, &err);
    rc = c.in ? check_stream(&c, &err) : (int)err.code;
    if (rc == NF_OK && nf_common.verbose)
        nf_warn("%s: kind %s, %" PRIu64 " records, no fault", nf_reader_what(c.in), nf_reader_kind(c.in), nf_reader_records(c.in));
    nf_reader_close(c.in);
    fflush(stdout); /* the faults, before the verdict */
    if (rc < 0)
        nf_warn("%s", err.text);
    return rc;
}

/* Every file is checked; the machine's failure is more urgent news than a fault.  The list of faults is whole whatever they are. */
static void check_streams(const struct check_options *opt, char **path, struct nf_err *err)
{
    int verdict = NF_OK;

    for (size_t i = 0; i == 0 || (path[0] && path[i]); i++) {
        int rc = check_file(opt, path[i]);

        if (rc < 0 && verdict != NF_ESYS)
            verdict = rc;
    }
    if (nf_output_close(err) == NF_OK)
        err->code = verdict;
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct check_options opt = { .max_faults = 20 };
    const struct nf_opt opts[] = {
        OPT_STR("kind", &opt.kind, "KIND", "accept only this kind, or these: stats|neurons", .letter = 'k', .local = true),
        OPT_UINT("max-faults", &opt.max_faults, 0, 0, "N", "print at most N faults of a stream; all are counted", .local = true),
        OPT_END,
    };
    const struct nf_cmd cmd = { "stream-check",
                                "check that a stream is whole, of the right kind, finite and consistent",
                                "[FILE...]",
                                "any kind",
                                "one line for each fault; exit status 0 good, 3 faulty",
                                opts };
    int first;

    nf_prog_start(cmd.name, argv);
    first = nf_opt_parse(&cmd, argc, argv, &err);
    if (first > 0 && nf_output_open(false, &err) == NF_OK)
        check_streams(&opt, argv + first, &err);
    return nf_prog_end(&err);
}
