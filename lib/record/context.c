/* context.c - vocab, special and doc records. */
#include "record/context.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/at.h"
#include "record/field.h"
#include "stream/mp.h"

enum {
    VOCAB_RECORD_TOKENS = 4096,
    VOCAB_RECORD_BYTES = 1 << 20,   /* soft: a record ends with the token that passes it */
};

#define REC struct nf_vocab_rec
static const struct nf_field vocab[] = {
    SIZE(n, "tokens"),
    UINT(first, "id of the first token", IN_U32),
    BYTES(tokens, "n", "bytes of the tokens first, first + 1, ..; of a token that stands for no bytes of text (special) its name"),
};
const struct nf_record nf_vocab_record =
    RECORD("vocab", vocab, "all vocab records together hold every id once, in order, before any other record", .mem = NF_MEM);
#undef REC

#define REC struct nf_special_rec
static const struct nf_field special[] = {
    SIZE(n, "ids"),
    TENSOR(ids, U32, "n", "ids of special tokens", .below = "V"),
};
const struct nf_record nf_special_record = RECORD("special", special, "comes after vocab");
#undef REC

#define REC struct nf_doc
static const struct nf_field doc[] = {
    UINT(doc, "counts up from 0 over the whole corpus, also when only one shard or sample of it is in the stream", IN_U32),
    TEXT(name, "bytes that are no UTF-8, control characters and the backslash are escaped: `\\xNN`, `\\n`, `\\\\`"),
    TEXT(domain, "\"\": none"),
    UINT(bytes, "of text; absent when the first windows are written before the end of the document is read", .flags = NF_OPT),
};
const struct nf_record nf_doc_record = RECORD("doc", doc, "a document begins; one without windows has no record", .mem = NF_MEM);
#undef REC

static int add_tokens(const struct nf_vocab_rec *r, struct nf_vocab *v, struct nf_err *err)
{
    if (r->first != v->V)
        return nf_fail(err, NF_EFORMAT, "vocab: tokens from %zu on, where %zu is next", r->first, v->V);
    if (r->n > UINT32_MAX - v->V)
        return nf_fail(err, NF_EFORMAT, "vocab: more than %llu tokens", (unsigned long long)UINT32_MAX);
    for (size_t i = 0; i < r->n; i++) {
        if (r->tokens[i].n > NF_VOCAB_BYTES - (v->V ? v->offset[v->V] : 0))
            return nf_fail(err, NF_EFORMAT, "vocab: more than %d bytes of tokens", (int)NF_VOCAB_BYTES);
        if (nf_vocab_add(v, r->tokens[i].p, r->tokens[i].n, err) < 0)
            return NF_ESYS;
    }
    return NF_OK;
}

static int read_vocab(const msgpack_object *rec, struct nf_vocab *v, struct nf_err *err)
{
    struct nf_vocab_rec r = { 0 };
    int rc = nf_record_read(&nf_vocab_record, rec, NULL, &r, err);

    if (rc == NF_OK)
        rc = add_tokens(&r, v, err);
    nf_record_clear(&nf_vocab_record, &r);
    return rc;
}

static int read_special(const msgpack_object *rec, struct nf_vocab *v, struct nf_err *err)
{
    const struct nf_sizes sizes = { .V = v->V };
    struct nf_special_rec r;

    if (nf_record_read(&nf_special_record, rec, &sizes, &r, err) < 0)
        return NF_EFORMAT;
    if (r.n && !v->V)
        return nf_fail(err, NF_EFORMAT, "special: before vocab");
    for (size_t i = 0; i < r.n; i++)
        v->special[nf_u4_at(r.ids, i)] = true;
    return NF_OK;
}

int nf_context_read(const msgpack_object *rec, struct nf_vocab *v, struct nf_err *err)
{
    if (nf_mp_is(rec, "vocab"))
        return read_vocab(rec, v, err);
    if (nf_mp_is(rec, "special"))
        return read_special(rec, v, err);
    return NF_EOF;
}

int nf_vocab_head_take(struct nf_vocab_head *h, const msgpack_object *rec, struct nf_err *err)
{
    size_t V = h->vocab.V;

    if (nf_mp_is(rec, "vocab") || nf_mp_is(rec, "special"))
        return h->ended ? nf_fail(err, NF_EFORMAT, "vocab and special must come before all other records")
                        : nf_context_read(rec, &h->vocab, err);
    if (!h->ended && V != h->V && !(h->optional && V == 0)) {
        h->ended = true;
        return nf_fail(err, NF_EFORMAT, "the vocab records have %zu tokens, the header says %zu", V, h->V);
    }
    h->ended = true;
    return NF_EOF;
}

void nf_vocab_write(struct nf_writer *w, const struct nf_vocab *v)
{
    struct nf_blob *tokens = malloc(VOCAB_RECORD_TOKENS * sizeof *tokens);
    uint32_t *ids = malloc((v->V + 1) * sizeof *ids);
    size_t n, special_ids = 0;

    if (!tokens || !ids)
        nf_writer_begin(w)->failed = true;
    for (size_t first = 0; tokens && ids && first < v->V; first += n) {
        for (n = 0; n < VOCAB_RECORD_TOKENS && first + n < v->V; n++) {
            if (v->offset[first + n] - v->offset[first] > VOCAB_RECORD_BYTES)
                break;
            tokens[n] = (struct nf_blob){ v->bytes + v->offset[first + n], v->offset[first + n + 1] - v->offset[first + n] };
            if (v->special[first + n])
                ids[special_ids++] = (uint32_t)(first + n);
        }
        nf_record_write(&nf_vocab_record, w, &(struct nf_vocab_rec){ .first = first, .n = n, .tokens = tokens });
    }
    if (tokens && ids)
        nf_record_write(&nf_special_record, w, &(struct nf_special_rec){ special_ids, ids });
    else
        nf_writer_end(w);
    free(tokens);
    free(ids);
}
