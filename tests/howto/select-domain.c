/*
 * select-domain - keep the documents of one domain.  The example of CONTRIBUTING.md, "Add a filter".
 *
 *   in   tokens
 *   out  tokens: the documents of the domain with their windows, unchanged
 *   doc  tests/howto/select-domain.md
 */
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/output.h"
#include "base/prog.h"
#include "record/context.h"
#include "record/kind.h"
#include "record/tokens.h"
#include "stream/reader.h"

struct run {
    const char *domain;
    struct nf_sizes sizes; /* vocabulary and window length, from the header of the input */
    struct nf_vocab_head head;
    struct nf_any_record in; /* the last record */
    bool chosen; /* the last document is of the domain */
    uint64_t tokens, bos, windows, full, docs, bytes; /* END totals: FORMAT.md section 4.2 */
};

static int read_header(struct run *r, const json_t *header, struct nf_err *err)
{
    if (nf_sizes_read(header, &r->sizes, err) < 0)
        return NF_EFORMAT;
    r->head.V = r->sizes.V;
    return NF_OK;
}

/* take_doc, take_window - count a record. */
static void take_doc(struct run *r, const struct nf_doc *doc)
{
    r->chosen = strcmp(doc->domain, r->domain) == 0;
    r->docs += r->chosen;
}

static void take_window(struct run *r, const struct nf_window *w)
{
    size_t n;

    if (!r->chosen)
        return;
    r->windows++;
    r->tokens += w->T;
    r->bos += w->bos;
    r->full += w->T == r->sizes.context;
    for (size_t i = w->bos; i < w->T; i++) {
        nf_vocab_bytes(&r->head.vocab, w->ids[i], &n);
        r->bytes += n;
    }
}

/* take_record - one record of the input, checked by its table.  keep: out, whether it belongs to the output. */
static int take_record(struct run *r, const msgpack_object *rec, bool *keep, struct nf_err *err)
{
    int rc = nf_vocab_head_take(&r->head, rec, err);

    *keep = true;
    if (rc != NF_EOF) /* vocab or special, or a failure */
        return rc;
    if (nf_any_read(&r->in, nf_kind_find("tokens"), rec, &r->sizes, err) < 0)
        return err->code;
    if (r->in.type == &nf_doc_record)
        take_doc(r, r->in.rec);
    else
        take_window(r, r->in.rec);
    *keep = r->chosen;
    return NF_OK;
}

static int pass(struct run *r, struct nf_reader *in, struct nf_writer *out, struct nf_err *err)
{
    const msgpack_object *rec;
    const void *bytes;
    size_t n;
    bool keep;
    int rc;

    while ((rc = nf_reader_next(in, &rec)) == NF_OK) {
        if (take_record(r, rec, &keep, err) < 0)
            return err->code;
        if (keep) {
            nf_reader_bytes(in, &bytes, &n);
            nf_writer_copy(out, bytes, n);
        }
    }
    return rc; /* NF_EOF: the input has its END */
}

static struct nf_writer *open_output(struct run *r, struct nf_reader *in, const struct nf_cmd *cmd, struct nf_err *err)
{
    json_t *header = nf_header_new("tokens", nf_reader_header(in), cmd, err);
    struct nf_writer *out = NULL;

    if (header && read_header(r, header, err) == NF_OK)
        out = nf_writer_open(STDOUT_FILENO, header, nf_common.raw, err);
    json_decref(header);
    return out;
}

/* Only here does the output get its END.  A failure is in the slot that the writer was opened with. */
static void close_output(const struct run *r, struct nf_writer *out)
{
    json_t *totals =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "tokens", (json_int_t)r->tokens, "bos", (json_int_t)r->bos, "windows",
                  (json_int_t)r->windows, "full", (json_int_t)r->full, "docs", (json_int_t)r->docs, "bytes", (json_int_t)r->bytes);

    nf_writer_close(out, totals);
    json_decref(totals);
}

static void select_domain(struct run *r, const struct nf_cmd *cmd, struct nf_err *err)
{
    struct nf_reader *in = nf_reader_open_file(NULL, "tokens", err);
    struct nf_writer *out = in ? open_output(r, in, cmd, err) : NULL;

    if (out && pass(r, in, out, err) == NF_EOF)
        close_output(r, out);
    else
        nf_writer_abort(out);
    nf_any_clear(&r->in);
    nf_vocab_clear(&r->head.vocab);
    nf_reader_close(in);
}

static int check_options(const struct run *r, struct nf_err *err)
{
    return r->domain ? NF_OK : nf_fail(err, NF_EUSAGE, "--domain NAME is missing");
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct run r = { .domain = NULL };
    const struct nf_opt opts[] = {
        OPT_STR("domain", &r.domain, "NAME", "keep the documents of this domain", .letter = 'd'),
        OPT_END,
    };
    const struct nf_cmd cmd = { "select-domain", "keep the documents of one domain", "", "tokens", "tokens", opts };

    nf_prog_start(cmd.name, argv);
    if (nf_opt_parse(&cmd, argc, argv, &err) > 0 && check_options(&r, &err) == NF_OK && nf_output_open(true, &err) == NF_OK)
        select_domain(&r, &cmd, &err);
    return nf_prog_end(&err);
}
