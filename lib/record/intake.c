/* intake.c - records of a tokens stream to batches of windows. */
#include "record/intake.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/context.h"
#include "stream/mp.h"

static int find_domain(struct nf_intake *t, const char *name, size_t n, struct nf_err *err)
{
    for (t->doc_domain = 0; t->doc_domain < t->n; t->doc_domain++)
        if (strlen(t->domains[t->doc_domain]) == n && memcmp(t->domains[t->doc_domain], name, n) == 0)
            return NF_OK;
    if (nf_grow(&t->domains, &t->domains_cap, t->n + 1, sizeof *t->domains, err) < 0)
        return NF_ESYS;
    t->domains[t->n] = strndup(name, n);
    if (!t->domains[t->n])
        return nf_fail(err, NF_ESYS, "out of memory");
    t->n++;
    return NF_OK;
}

static void hand_on(const struct nf_intake *t, bool wanted)
{
    const void *bytes;
    size_t n;

    if (!t->out || !wanted)
        return;
    nf_reader_bytes(t->in, &bytes, &n);
    nf_writer_copy(t->out, bytes, n);
}

/* Anything but a window. */
static int take_other(struct nf_intake *t, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_doc d;

    if (nf_mp_is(rec, "vocab") || nf_mp_is(rec, "special")) {
        hand_on(t, true);
        return NF_OK;
    }
    if (!nf_mp_is(rec, "doc"))
        return nf_fail(err, NF_EFORMAT, "%s: a record of a type that does not belong to tokens", nf_reader_what(t->in));
    if (nf_doc_read(rec, &d, err) < 0)
        return NF_EFORMAT;
    t->doc = d.doc;
    t->doc_known = true;
    hand_on(t, t->docs);
    return find_domain(t, d.domain, d.domain_len, err);
}

/* The next window into t->window. */
static int read_window(struct nf_intake *t, struct nf_err *err)
{
    const msgpack_object *rec;
    int rc;

    while ((rc = nf_reader_next(t->in, &rec)) == NF_OK && !nf_mp_is(rec, "window"))
        if ((rc = take_other(t, rec, err)) < 0)
            return rc;
    if (rc == NF_OK)
        rc = nf_window_read(rec, t->V, t->context, &t->window, err);
    if (rc == NF_OK && (!t->doc_known || t->window.doc != t->doc))
        rc = nf_fail(err, NF_EFORMAT, "%s: a window of document %llu, which is not the last that began", nf_reader_what(t->in),
                     (unsigned long long)t->window.doc);
    return rc;
}

static int add_window(struct nf_intake *t, struct nf_err *err)
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

int nf_intake_next(struct nf_intake *t, struct nf_err *err)
{
    int rc = NF_OK;

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

void nf_intake_clear(struct nf_intake *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->domains[i]);
    free(t->domains);
    free(t->domain);
    nf_batch_clear(&t->batch);
    nf_window_clear(&t->window);
    *t = (struct nf_intake){ 0 };
}
