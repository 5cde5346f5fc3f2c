/* check_tokens.c - context records, and kind "tokens". */
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "record/tokens.h"
#include "inspect/check.h"
#include "inspect/check_context.h"
#include "stream/mp.h"

int nf_check_context_open(struct nf_check_context *c, const json_t *header, struct nf_err *err)
{
    if (nf_check_size(header, "tokenizer", "vocab", UINT32_MAX, &c->V, err) < 0 ||
        nf_check_size(header, NULL, "context", UINT32_MAX, &c->context, err) < 0)
        return NF_EFORMAT;
    return NF_OK;
}

void nf_check_context_close(struct nf_check_context *c)
{
    nf_vocab_clear(&c->vocab);
}

static int check_doc(struct nf_check_context *c, const msgpack_object *rec, struct nf_err *err)
{
    uint64_t last = c->doc.doc;
    bool first = !c->any_doc;

    if (nf_doc_read(rec, &c->doc, err) < 0)
        return NF_EFORMAT;
    c->any_doc = true;
    c->docs++;
    if (!first && c->doc.doc <= last)
        return nf_fail(err, NF_EFORMAT, "doc %" PRIu64 " after doc %" PRIu64 ": they must count up", c->doc.doc, last);
    return NF_OK;
}

int nf_check_vocab_record(struct nf_check_context *c, const msgpack_object *rec, struct nf_err *err)
{
    int rc = nf_context_read(rec, &c->vocab, err);

    if (rc != NF_EOF)
        return rc == NF_OK && c->started ? nf_fail(err, NF_EFORMAT, "vocab and special must come before all other records") : rc;
    if (!c->started) {
        c->started = true;
        if (c->vocab.V != c->V && !(c->vocab_optional && c->vocab.V == 0))
            return nf_fail(err, NF_EFORMAT, "the vocab records have %zu tokens, the header says %zu", c->vocab.V, c->V);
    }
    return NF_EOF;
}

int nf_check_context_record(struct nf_check_context *c, const msgpack_object *rec, struct nf_err *err)
{
    int rc = nf_check_vocab_record(c, rec, err);

    return rc == NF_EOF && nf_mp_is(rec, "doc") ? check_doc(c, rec, err) : rc;
}

/* ---- tokens ---- */

struct tokens {
    struct nf_check_context context;
    struct nf_window window;
    json_int_t bos_id;             /* -1: none */
    uint64_t next_window, next_start;
    uint64_t tokens, bos, windows, full;
    bool uncounted;                /* a window could not be read: the totals say nothing */
};

static void tokens_close(void *state)
{
    struct tokens *t = state;

    if (!t)
        return;
    nf_check_context_close(&t->context);
    nf_window_clear(&t->window);
    free(t);
}

static void *tokens_open(const json_t *header, struct nf_err *err)
{
    struct tokens *t = nf_alloc(1, sizeof *t, err);
    const json_t *bos = json_object_get(json_object_get(header, "tokenizer"), "bos_id");

    if (!t || nf_check_context_open(&t->context, header, err) < 0) {
        tokens_close(t);
        return NULL;
    }
    t->bos_id = json_is_integer(bos) ? json_integer_value(bos) : -1;
    return t;
}

static int window_order(struct tokens *t, struct nf_err *err)
{
    const struct nf_window *w = &t->window;
    uint64_t next_window = t->next_window, next_start = t->next_start;

    t->next_window = w->window + 1;
    t->next_start = w->start + w->T - w->bos;
    if (!t->context.any_doc || w->doc != t->context.doc.doc)
        return nf_fail(err, NF_EFORMAT, "a window of document %" PRIu64 ", which is not the one that began last", w->doc);
    if (w->window < next_window || w->start < next_start)
        return nf_fail(err, NF_EFORMAT,
                       "document %" PRIu64 ": window %" PRIu64 " from token %" PRIu64 ", at least %" PRIu64 " and %" PRIu64
                       " are next",
                       w->doc, w->window, w->start, next_window, next_start);
    return NF_OK;
}

static int check_window_record(struct tokens *t, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_window *w = &t->window;

    if (nf_window_read(rec, t->context.V, t->context.context, w, err) < 0) {
        t->uncounted = true;
        return err->code;
    }
    t->windows++;
    t->tokens += w->T;
    t->bos += w->bos;
    t->full += w->T == t->context.context;
    if (w->bos && (json_int_t)w->ids[0] != t->bos_id)
        return nf_fail(err, NF_EFORMAT, "document %" PRIu64 ", window %" PRIu64 ": bos, but the first token is %" PRIu32, w->doc,
                       w->window, w->ids[0]);
    return window_order(t, err);
}

static int tokens_record(void *state, const msgpack_object *rec, struct nf_err *err)
{
    struct tokens *t = state;
    int rc = nf_check_context_record(&t->context, rec, err);

    if (nf_mp_is(rec, "doc"))
        t->next_window = t->next_start = 0;
    if (rc != NF_EOF)
        return rc;
    return nf_mp_is(rec, "window") ? check_window_record(t, rec, err) : nf_fail(err, NF_EFORMAT, "not a record of kind tokens");
}

static int tokens_end(void *state, const msgpack_object *end, struct nf_err *err)
{
    const struct tokens *t = state;
    const struct {
        const char *key;
        uint64_t n;
    } totals[] = {
        { "tokens", t->tokens }, { "bos", t->bos }, { "windows", t->windows }, { "full", t->full }, { "docs", t->context.docs }
    };

    for (size_t i = 0; !t->uncounted && i < sizeof totals / sizeof *totals; i++)
        if (nf_check_total(end, totals[i].key, totals[i].n, err) < 0)
            return NF_EFORMAT;
    return NF_OK;
}

const struct nf_check_kind nf_check_tokens = { "tokens", tokens_open, tokens_record, tokens_end, tokens_close };
