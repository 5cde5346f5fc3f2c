/* window_reader.c - records of a stream to batches of windows. */
#include "run/window_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "stream/mp.h"

static int find_window_domain(struct nf_window_reader *t, const char *name, struct nf_err *err)
{
    for (t->doc_domain = 0; t->doc_domain < t->n; t->doc_domain++)
        if (strcmp(t->domains[t->doc_domain], name) == 0)
            return NF_OK;
    if (nf_grow(&t->domains, &t->domains_cap, t->n + 1, sizeof *t->domains, err) < 0)
        return NF_ESYS;
    t->domains[t->n] = strdup(name);
    if (!t->domains[t->n])
        return nf_fail(err, NF_ESYS, "out of memory");
    t->n++;
    return NF_OK;
}

static void hand_on(const struct nf_window_reader *t, bool wanted)
{
    const void *bytes;
    size_t n;

    if (!t->out || !wanted)
        return;
    nf_reader_bytes(t->in, &bytes, &n);
    nf_writer_copy(t->out, bytes, n);
}

/* The sizes of the stream, before its first record. */
static int open_sizes(struct nf_window_reader *t, struct nf_err *err)
{
    if (t->opened)
        return NF_OK;
    t->opened = true;
    if (nf_sizes_read(nf_reader_header(t->in), &t->sizes, err) < 0)
        return NF_EFORMAT;
    t->head = (struct nf_vocab_head){ .V = t->sizes.V, .optional = true };
    t->sizes.V = t->V;
    t->sizes.context = t->context;
    return NF_OK;
}

/* vocab, special and doc are taken here; NF_EOF: another type. */
static int take_context(struct nf_window_reader *t, const msgpack_object *rec, struct nf_err *err)
{
    int rc = nf_vocab_head_take(&t->head, rec, err);

    if (rc != NF_EOF) {
        hand_on(t, rc == NF_OK);
        return rc;
    }
    if (!nf_mp_is(rec, "doc"))
        return NF_EOF;
    if (nf_record_read(&nf_doc_record, rec, &t->sizes, &t->doc_record, err) < 0)
        return err->code;
    t->doc = t->doc_record.doc;
    t->doc_known = true;
    hand_on(t, t->docs);
    return find_window_domain(t, t->doc_record.domain, err);
}

/* Anything but windows and batches. */
static int take_other(struct nf_window_reader *t, const msgpack_object *rec, struct nf_err *err)
{
    int rc = take_context(t, rec, err);

    return rc == NF_EOF ? nf_fail(err, NF_EFORMAT, "%s: a record of a type that does not belong to %s", nf_reader_what(t->in),
                                  t->captured ? "activations, or not there" : "tokens")
                        : rc;
}

/* The next window into t->window. */
static int read_window(struct nf_window_reader *t, struct nf_err *err)
{
    const msgpack_object *rec;
    int rc;

    while ((rc = nf_reader_next(t->in, &rec)) == NF_OK && !nf_mp_is(rec, "window"))
        if ((rc = take_other(t, rec, err)) < 0)
            return rc;
    if (rc == NF_OK && (rc = take_context(t, rec, err)) == NF_EOF)
        rc = nf_record_read(&nf_window_record, rec, &t->sizes, &t->window, err);
    if (rc == NF_OK && (!t->doc_known || t->window.doc != t->doc))
        rc = nf_fail(err, NF_EFORMAT, "%s: a window of document %zu, which is not the last that began", nf_reader_what(t->in),
                     t->window.doc);
    return rc;
}

static int add_window(struct nf_window_reader *t, struct nf_err *err)
{
    const struct nf_window *w = &t->window;
    struct nf_batch *b = &t->batch;

    if (nf_batch_reserve(b, b->W + 1, b->T + w->T, err) < 0 ||
        nf_grow(&t->domain, &t->domain_cap, b->W + 1, sizeof *t->domain, err) < 0)
        return NF_ESYS;
    t->domain[b->W] = t->doc_domain;
    b->doc[b->W] = (uint32_t)w->doc;
    b->window[b->W] = (uint32_t)w->window;
    b->start[b->W] = (uint32_t)w->start;
    b->length[b->W] = (uint32_t)w->T;
    b->bos[b->W++] = w->bos;
    memcpy(b->ids + b->T, w->ids, w->T * sizeof *b->ids);
    b->T += w->T;
    return NF_OK;
}

/* ---- activations ---- */

static int next_record(struct nf_window_reader *t, const msgpack_object **rec)
{
    int rc = NF_OK;

    *rec = t->next;
    t->next = NULL;
    if (t->ended)
        return NF_EOF;
    if (!*rec)
        rc = nf_reader_next(t->in, rec);
    t->ended = rc == NF_EOF;
    return rc;
}

static int see_doc(struct nf_window_reader *t, struct nf_err *err)
{
    if (nf_grow(&t->seen, &t->seen_cap, t->n_seen + 1, sizeof *t->seen, err) < 0)
        return NF_ESYS;
    t->seen[t->n_seen++] = (struct nf_window_reader_doc){ t->doc, t->doc_domain };
    return NF_OK;
}

/* The domain of each window of the batch; only the last document can go on in the next batch. */
static int find_domains(struct nf_window_reader *t, struct nf_err *err)
{
    size_t i = 0;

    if (nf_grow(&t->domain, &t->domain_cap, t->batch.W, sizeof *t->domain, err) < 0)
        return NF_ESYS;
    for (size_t w = 0; w < t->batch.W; w++) {
        while (i < t->n_seen && t->seen[i].doc != t->batch.doc[w])
            i++;
        if (i == t->n_seen)
            return nf_fail(err, NF_EFORMAT, "%s: batch %zu: document %u did not begin before it, or is out of order",
                           nf_reader_what(t->in), t->batch.batch, (unsigned)t->batch.doc[w]);
        t->domain[w] = t->seen[i].domain;
    }
    t->seen[0] = t->seen[t->n_seen - 1];
    t->n_seen = 1;
    return NF_OK;
}

static int next_captured(struct nf_window_reader *t, struct nf_err *err)
{
    const msgpack_object *rec;
    int rc;

    while ((rc = next_record(t, &rec)) == NF_OK && !nf_mp_is(rec, "batch")) {
        rc = take_other(t, rec, err);
        if (rc == NF_OK && nf_mp_is(rec, "doc"))
            rc = see_doc(t, err);
        if (rc < 0)
            return rc;
    }
    if (rc == NF_OK && (rc = take_context(t, rec, err)) == NF_EOF)
        rc = nf_record_read(&nf_batch_record, rec, &t->sizes, &t->batch, err);
    return rc == NF_OK ? find_domains(t, err) : rc;
}

int nf_window_reader_rows(struct nf_window_reader *t, struct nf_site_rows *rows, struct nf_err *err)
{
    const msgpack_object *rec;
    int rc = next_record(t, &rec);

    if (rc != NF_OK)
        return rc;
    if (!nf_mp_is(rec, "site")) {
        t->next = rec;
        return NF_EOF;
    }
    if (nf_record_read(&nf_site_record, rec, &t->sizes, rows, err) < 0)
        return NF_EFORMAT;
    if (rows->batch != t->batch.batch)
        return nf_fail(err, NF_EFORMAT, "%s: rows of batch %zu after batch %zu", nf_reader_what(t->in), rows->batch,
                       t->batch.batch);
    return NF_OK;
}

/* ---- both ---- */

int nf_window_reader_next(struct nf_window_reader *t, struct nf_err *err)
{
    int rc = NF_OK;

    if (open_sizes(t, err) < 0)
        return NF_EFORMAT;
    if (t->captured)
        return next_captured(t, err);
    t->batch.W = t->batch.T = 0;
    while (rc == NF_OK && !t->ended) {
        if (!t->held && (rc = read_window(t, err)) != NF_OK)
            break;
        t->held = true;
        if (t->batch.W && t->batch.T + t->window.T > t->most)
            break;
        rc = add_window(t, err);
        t->held = false;
    }
    t->ended = t->ended || rc == NF_EOF;
    if (rc < 0)
        return rc;
    t->batch.batch = t->batches;
    t->batches += t->batch.W > 0;
    return t->batch.W ? NF_OK : NF_EOF;
}

void nf_window_reader_clear(struct nf_window_reader *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->domains[i]);
    free(t->domains);
    free(t->domain);
    free(t->seen);
    nf_vocab_clear(&t->head.vocab);
    nf_record_clear(&nf_doc_record, &t->doc_record);
    nf_record_clear(&nf_batch_record, &t->batch);
    nf_record_clear(&nf_window_record, &t->window);
    *t = (struct nf_window_reader){ 0 };
}
