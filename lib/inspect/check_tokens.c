/* check_tokens.c - kind "tokens": windows follow each other in their documents. */
#include <inttypes.h>

#include "inspect/check_rules.h"
#include "record/context.h"
#include "record/tokens.h"

struct tokens {
    json_int_t bos_id; /* -1: none */
    size_t next_window, next_start;
    uint64_t tokens, bos, windows, full;
};

static int tokens_open(void *state, struct nf_check_stream *s, struct nf_err *err)
{
    struct tokens *t = state;
    const json_t *bos = json_object_get(json_object_get(s->header, "tokenizer"), "bos_id");

    (void)err;
    t->bos_id = json_is_integer(bos) ? json_integer_value(bos) : -1;
    return NF_OK;
}

static int window_order(struct tokens *t, const struct nf_check_stream *s, const struct nf_window *w, struct nf_err *err)
{
    size_t next_window = t->next_window, next_start = t->next_start;

    t->next_window = w->window + 1;
    t->next_start = w->start + w->T - w->bos;
    if (!s->any_doc || w->doc != s->doc)
        return nf_fail(err, NF_EFORMAT, "a window of document %zu, which is not the one that began last", w->doc);
    if (w->window < next_window || w->start < next_start)
        return nf_fail(err, NF_EFORMAT, "document %zu: window %zu from token %zu, at least %zu and %zu are next", w->doc, w->window,
                       w->start, next_window, next_start);
    return NF_OK;
}

static int check_window_record(struct tokens *t, const struct nf_check_stream *s, const struct nf_window *w, struct nf_err *err)
{
    t->windows++;
    t->tokens += w->T;
    t->bos += w->bos;
    t->full += w->T == s->sizes.context;
    if (w->bos && (json_int_t)w->ids[0] != t->bos_id)
        return nf_fail(err, NF_EFORMAT, "document %zu, window %zu: bos, but the first token is %" PRIu32, w->doc, w->window,
                       w->ids[0]);
    return window_order(t, s, w, err);
}

static int tokens_record(void *state, struct nf_check_stream *s, const struct nf_any_record *in, struct nf_err *err)
{
    struct tokens *t = state;

    if (in->type == &nf_window_record)
        return check_window_record(t, s, in->rec, err);
    t->next_window = t->next_start = 0; /* a document */
    return NF_OK;
}

static int tokens_end(void *state, const struct nf_check_stream *s, const msgpack_object *end, struct nf_err *err)
{
    const struct tokens *t = state;
    const struct {
        const char *key;
        uint64_t n;
    } totals[] = {
        { "tokens", t->tokens }, { "bos", t->bos }, { "windows", t->windows }, { "full", t->full }, { "docs", s->docs }
    };

    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
        if (nf_check_total(end, totals[i].key, totals[i].n, err) < 0)
            return NF_EFORMAT;
    return NF_OK;
}

const struct nf_check_rules nf_check_tokens = {
    .kind = "tokens", .size = sizeof(struct tokens), .open = tokens_open, .record = tokens_record, .end = tokens_end
};
