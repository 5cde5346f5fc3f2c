/* check.c - one stream: each record by its table, then by the rules of the kind. */
#include "inspect/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "inspect/check_rules.h"
#include "record/context.h"
#include "stream/mp.h"

struct nf_check {
    const struct nf_kind *kind;
    const struct nf_check_rules *rules;
    void *state;
    struct nf_check_stream stream;
    struct nf_vocab_head vocab;
    struct nf_any_record in;
};

static const struct nf_check_rules *find_rules(const char *kind)
{
    static const struct nf_check_rules *const rules[NF_KINDS] = { &nf_check_tokens,  &nf_check_activations, &nf_check_stats,
                                                                  &nf_check_neurons, &nf_check_effects,     &nf_check_lens };

    for (size_t i = 0; i < NF_KINDS; i++)
        if (strcmp(rules[i]->kind, kind) == 0)
            return rules[i];
    return NULL;
}

static int open_check(struct nf_check *c, const json_t *header, struct nf_err *err)
{
    const char *kind = json_string_value(json_object_get(header, "kind"));

    c->kind = kind ? nf_kind_find(kind) : NULL;
    c->rules = kind ? find_rules(kind) : NULL;
    if (!c->kind || !c->rules)
        return nf_fail(err, NF_EFORMAT, "a stream of kind '%.40s': not known", kind ? kind : "");
    c->stream.header = header;
    if (nf_sizes_read(header, &c->stream.sizes, err) < 0)
        return NF_EFORMAT;
    c->vocab = (struct nf_vocab_head){ .V = c->stream.sizes.V, .optional = c->rules->vocab_optional };
    c->state = nf_alloc(1, c->rules->size, err);
    if (!c->state)
        return NF_ESYS;
    return c->rules->open ? c->rules->open(c->state, &c->stream, err) : NF_OK;
}

struct nf_check *nf_check_open(const json_t *header, struct nf_err *err)
{
    struct nf_check *c = nf_alloc(1, sizeof *c, err);

    if (c && open_check(c, header, err) < 0) {
        nf_check_close(c);
        return NULL;
    }
    return c;
}

void nf_check_close(struct nf_check *c)
{
    if (!c)
        return;
    if (c->state && c->rules->close)
        c->rules->close(c->state);
    free(c->state);
    nf_vocab_clear(&c->vocab.vocab);
    nf_any_clear(&c->in);
    free(c);
}

static int check_doc(struct nf_check_stream *s, const struct nf_doc *d, struct nf_err *err)
{
    size_t last = s->doc;
    bool first = !s->any_doc;

    s->any_doc = true;
    s->doc = d->doc;
    s->docs++;
    return first || d->doc > last ? NF_OK : nf_fail(err, NF_EFORMAT, "doc %zu after doc %zu: they must count up", d->doc, last);
}

/* Two faults may be found at once; the first is told. */
int nf_check_record(struct nf_check *c, const msgpack_object *rec, struct nf_err *err)
{
    int rc = nf_vocab_head_take(&c->vocab, rec, err), fault;

    if (nf_mp_is(rec, "vocab") || nf_mp_is(rec, "special"))
        return rc;
    fault = nf_any_read(&c->in, c->kind, rec, &c->stream.sizes, err);
    if (fault < 0)
        c->stream.unreadable = true;
    else if (c->in.type == &nf_doc_record)
        fault = check_doc(&c->stream, c->in.rec, err);
    if (fault == NF_OK)
        fault = c->rules->record(c->state, &c->stream, &c->in, err);
    return rc == NF_EOF ? fault : rc;
}

int nf_check_end(struct nf_check *c, const msgpack_object *end, struct nf_err *err)
{
    int rc = nf_record_check(c->kind->end, end, &c->stream.sizes, err);

    return rc == NF_OK && !c->stream.unreadable ? c->rules->end(c->state, &c->stream, end, err) : rc;
}

int nf_check_total(const msgpack_object *end, const char *key, uint64_t n, struct nf_err *err)
{
    const msgpack_object *totals = nf_mp_find(end, "totals"), *v = totals ? nf_mp_find(totals, key) : NULL;

    return !v || v->via.u64 == n
               ? NF_OK
               : nf_fail(err, NF_EFORMAT, "END: total '%s' is %" PRIu64 ", the records have %" PRIu64, key, v->via.u64, n);
}
