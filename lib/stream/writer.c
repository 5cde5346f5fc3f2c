/* writer.c - header, records, END. */
#include "stream/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "stream/frame.h"
#include "version.h"

struct nf_writer {
    struct nf_sink *sink;
    struct nf_err *err;
    struct nf_enc enc;
    uint64_t records;
};

/* ---- the header ---- */

static json_t *history_entry(const struct nf_cmd *cmd)
{
    return json_pack("{s:s, s:s, s:o, s:[]}", "tool", cmd->name, "version", NF_VERSION, "options", nf_opt_json(cmd), "inputs");
}

/* What a filter knows travels on. */
static int copy_entries(json_t *header, const json_t *in)
{
    const char *key;
    json_t *v;

    json_object_foreach ((json_t *)in, key, v)
        if (!json_object_get(header, key) && json_object_set_new(header, key, json_deep_copy(v)) < 0)
            return -1;
    return 0;
}

json_t *nf_header_new(const char *kind, const json_t *in, const struct nf_cmd *cmd, struct nf_err *err)
{
    json_t *header =
        json_pack("{s:s, s:i, s:s, s:[]}", "format", "neurofilters", "version", NF_STREAM_VERSION, "kind", kind, "history");
    json_t *history = json_object_get(header, "history"), *before = in ? json_object_get(in, "history") : NULL;

    if (!header || (json_is_array(before) && json_array_extend(history, before) < 0) ||
        json_array_append_new(history, history_entry(cmd)) < 0 || (in && copy_entries(header, in) < 0)) {
        json_decref(header);
        nf_fail(err, NF_ESYS, "out of memory");
        return NULL;
    }
    return header;
}

int nf_header_input(json_t *header, const json_t *input_header, const char *digest, struct nf_err *err)
{
    json_t *history = json_object_get(header, "history"), *inputs;
    json_t *kind = json_object_get(input_header, "kind");

    inputs = json_object_get(json_array_get(history, json_array_size(history) - 1), "inputs");
    if (json_array_append_new(inputs, json_pack("{s:O?, s:s?}", "kind", kind, "sha256", digest)) < 0)
        return nf_fail(err, NF_ESYS, "out of memory");
    return NF_OK;
}

/* ---- records ---- */

struct nf_writer *nf_writer_open(int fd, const json_t *header, bool raw, struct nf_err *err)
{
    struct nf_writer *w = calloc(1, sizeof *w);

    if (!w) {
        nf_fail(err, NF_ESYS, "out of memory");
        return NULL;
    }
    w->err = err;
    nf_enc_init(&w->enc);
    w->sink = nf_sink_open(fd, raw, err);
    if (nf_json_starved())
        nf_fail(err, NF_ESYS, "out of memory");
    if (w->sink) {
        nf_enc_json(nf_writer_begin(w), header);
        if (w->enc.buf.size > NF_HEADER_BYTES)
            nf_fail(err, NF_EFORMAT, "the header would be over %d bytes: fewer or shorter options", (int)NF_HEADER_BYTES);
        nf_writer_end(w);
        w->records = 0;
    }
    if (err->code != NF_OK) {
        nf_writer_abort(w);
        return NULL;
    }
    return w;
}

struct nf_enc *nf_writer_begin(struct nf_writer *w)
{
    nf_enc_reset(&w->enc);
    return &w->enc;
}

void nf_writer_end(struct nf_writer *w)
{
    if (w->enc.failed)
        nf_fail(w->err, NF_ESYS, "out of memory");
    nf_writer_copy(w, w->enc.buf.data, w->enc.buf.size);
}

void nf_writer_copy(struct nf_writer *w, const void *bytes, size_t n)
{
    if (w->err->code != NF_OK)
        return;
    if (n > NF_MP_BYTES)
        abort();   /* our own mistake: whoever builds records cuts them */
    w->records++;
    nf_sink_write(w->sink, bytes, n, w->err);
}

void nf_writer_json(struct nf_writer *w, const json_t *rec)
{
    nf_enc_json(nf_writer_begin(w), rec);
    nf_writer_end(w);
}

static void write_end(struct nf_writer *w, const json_t *totals)
{
    struct nf_enc *e = nf_writer_begin(w);

    nf_enc_map(e, 3);
    nf_enc_str(e, "r");
    nf_enc_str(e, "end");
    nf_enc_str(e, "records");
    nf_enc_uint(e, w->records);
    nf_enc_str(e, "totals");
    if (totals)
        nf_enc_json(e, totals);
    else
        nf_enc_map(e, 0);
    nf_writer_end(w);
}

int nf_writer_close(struct nf_writer *w, const json_t *totals)
{
    struct nf_err *err = w->err;

    if (nf_json_starved())
        nf_fail(err, NF_ESYS, "out of memory");
    if (err->code == NF_OK)
        write_end(w, totals);
    if (err->code == NF_OK)
        nf_sink_finish(w->sink, err);
    nf_writer_abort(w);
    return err->code;
}

void nf_writer_abort(struct nf_writer *w)
{
    if (!w)
        return;
    nf_sink_close(w->sink);
    nf_enc_clear(&w->enc);
    free(w);
}
