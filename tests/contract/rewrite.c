/*
 * rewrite.c - a stream with every record read and written by its table.
 *
 *   in   any kind
 *   out  the same, raw: the bytes of a raw stream must not change
 */
#include <unistd.h>

#include "base/prog.h"
#include "record/kind.h"
#include "stream/reader.h"
#include "stream/writer.h"

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_any_record any = { 0 };
    struct nf_sizes sizes = { 0 };
    const msgpack_object *rec;
    const struct nf_kind *kind;
    struct nf_reader *in;
    struct nf_writer *out;
    json_t *totals;
    int rc = NF_OK;

    (void)argc;
    nf_prog_start("rewrite", argv);
    in = nf_reader_open(STDIN_FILENO, "standard input", NULL, &err);
    if (!in || nf_sizes_read(nf_reader_header(in), &sizes, &err) < 0)
        return nf_prog_end(&err);
    kind = nf_kind_find(nf_reader_kind(in));
    out = nf_writer_open(STDOUT_FILENO, nf_reader_header(in), true, &err);
    while (out && (rc = nf_reader_next(in, &rec)) == NF_OK && (rc = nf_any_read(&any, kind, rec, &sizes, &err)) == NF_OK)
        nf_record_write(any.type, out, any.rec);
    totals = rc == NF_EOF ? nf_mp_json(nf_mp_find(nf_reader_end(in), "totals"), &err) : NULL;
    if (totals)
        nf_writer_close(out, totals);
    else
        nf_writer_abort(out);
    json_decref(totals);
    nf_any_clear(&any);
    nf_reader_close(in);
    return nf_prog_end(&err);
}
