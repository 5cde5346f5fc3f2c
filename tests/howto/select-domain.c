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
#include "record/tokens.h"
#include "stream/reader.h"

struct run {
    const char *domain;
    size_t V, context; /* vocabulary and window length, from the header of the input */
    struct nf_vocab vocab;
    struct nf_window window; /* the last one read */
    bool chosen; /* the last document is of the domain */
    uint64_t tokens, bos, windows, full, docs, bytes; /* END totals: FORMAT.md section 4.2 */
};

static int read_header(struct run *r, const json_t *header, struct nf_err *err)
{
    json_int_t V = json_integer_value(json_object_get(json_object_get(header, "tokenizer"), "vocab"));
    json_int_t context = json_integer_value(json_object_get(header, "context"));

    if (V < 1 || context < 1)
        return nf_fail(err, NF_EFORMAT, "header: tokenizer.vocab or context is missing");
    r->V = (size_t)V;
    r->context = (size_t)context;
    return NF_OK;
}

/* take_doc, take_window - read a record and count it.  They return NF_OK, or the code in err. */
static int take_doc(struct run *r, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_doc doc;

    if (nf_doc_read(rec, &doc, err) < 0)
        return err->code;
    r->chosen = doc.domain_len == strlen(r->domain) && memcmp(doc.domain, r->domain, doc.domain_len) == 0;
    r->docs += r->chosen;
    return NF_OK;
}

static int take_window(struct run *r, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_window *w = &r->window;
    size_t n;

    if (nf_window_read(rec, r->vocab.V, r->context, w, err) < 0)
        return err->code;
    if (!r->chosen)
        return NF_OK;
    r->windows++;
    r->tokens += w->T;
    r->bos += w->bos;
    r->full += w->T == r->context;
    for (size_t i = w->bos; i < w->T; i++) {
        nf_vocab_bytes(&r->vocab, w->ids[i], &n);
        r->bytes += n;
    }
    return NF_OK;
}

/* take_record - one record of the input.  keep: out, whether it belongs to the output. */
static int take_record(struct run *r, const msgpack_object *rec, bool *keep, struct nf_err *err)
{
    int rc = nf_context_read(rec, &r->vocab, err);

    *keep = true;
    if (rc != NF_EOF) /* vocab or special, or a failure */
        return rc;
    rc = nf_mp_is(rec, "doc") ? take_doc(r, rec, err) : take_window(r, rec, err);
    *keep = r->chosen;
    return rc;
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
    nf_window_clear(&r->window);
    nf_vocab_clear(&r->vocab);
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
