/* context.c - vocab, special and doc records. */
#include "record/context.h"

#include <stdlib.h>
#include <string.h>

#include "record/put.h"

enum {
    VOCAB_RECORD_TOKENS = 4096,
    VOCAB_RECORD_BYTES = 1 << 20,   /* soft: a record ends with the token that passes it */
};

static int read_vocab(const msgpack_object *rec, struct nf_vocab *v, struct nf_err *err)
{
    const msgpack_object *t;
    uint64_t first;
    size_t n;

    if (nf_mp_uint(rec, "first", UINT32_MAX, &first, err) < 0 || nf_mp_array(rec, "tokens", &t, &n, err) < 0)
        return NF_EFORMAT;
    if (first != v->V)
        return nf_fail(err, NF_EFORMAT, "vocab: tokens from %llu on, where %zu is next", (unsigned long long)first, v->V);
    if (n > UINT32_MAX - v->V)
        return nf_fail(err, NF_EFORMAT, "vocab: more than %llu tokens", (unsigned long long)UINT32_MAX);
    for (size_t i = 0; i < n; i++) {
        if (t[i].type != MSGPACK_OBJECT_BIN)
            return nf_fail(err, NF_EFORMAT, "vocab: token %zu is not bin", v->V);
        if (t[i].via.bin.size > NF_VOCAB_BYTES - (v->V ? v->offset[v->V] : 0))
            return nf_fail(err, NF_EFORMAT, "vocab: more than %d bytes of tokens", (int)NF_VOCAB_BYTES);
        if (nf_vocab_add(v, t[i].via.bin.ptr, t[i].via.bin.size, err) < 0)
            return NF_ESYS;
    }
    return NF_OK;
}

static int read_special(const msgpack_object *rec, struct nf_vocab *v, struct nf_err *err)
{
    struct nf_tensor ids;
    uint32_t id;

    if (nf_mp_tensor(rec, "ids", NF_U32, 1, &ids, err) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; i < ids.shape[0]; i++) {
        memcpy(&id, (const char *)ids.data + i * sizeof id, sizeof id);
        if (id >= v->V)
            return nf_fail(err, NF_EFORMAT, "special: token id %u is outside the vocabulary of %zu", (unsigned)id, v->V);
        v->special[id] = true;
    }
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

int nf_doc_read(const msgpack_object *rec, struct nf_doc *d, struct nf_err *err)
{
    if (!nf_mp_is(rec, "doc"))
        return nf_fail(err, NF_EFORMAT, "a doc record is wanted");
    if (nf_mp_uint(rec, "doc", UINT32_MAX, &d->doc, err) < 0 || nf_mp_str(rec, "name", &d->name, &d->name_len, err) < 0 ||
        nf_mp_str(rec, "domain", &d->domain, &d->domain_len, err) < 0)
        return NF_EFORMAT;
    d->bytes = NF_DOC_BYTES_UNKNOWN;
    return nf_mp_find(rec, "bytes") ? nf_mp_uint(rec, "bytes", UINT64_MAX, &d->bytes, err) : NF_OK;
}

void nf_vocab_write(struct nf_writer *w, const struct nf_vocab *v)
{
    uint32_t *ids = malloc((v->V + 1) * sizeof *ids);
    struct nf_enc *e;
    size_t n, special = 0;

    for (size_t first = 0; first < v->V; first += n) {
        for (n = 0; n < VOCAB_RECORD_TOKENS && first + n < v->V; n++)
            if (v->offset[first + n] - v->offset[first] > VOCAB_RECORD_BYTES)
                break;
        e = nf_put_record(w, "vocab", 2);
        nf_put_uint(e, "first", first);
        nf_enc_str(e, "tokens");
        nf_enc_array(e, n);
        for (size_t i = first; i < first + n; i++)
            nf_enc_bin(e, v->bytes + v->offset[i], v->offset[i + 1] - v->offset[i]);
        nf_writer_end(w);
    }
    for (size_t i = 0; ids && i < v->V; i++)
        if (v->special[i])
            ids[special++] = (uint32_t)i;
    e = nf_put_record(w, "special", 1);
    e->failed |= !ids;
    nf_put_1d(e, "ids", NF_U32, ids, special);
    nf_writer_end(w);
    free(ids);
}

void nf_doc_write(struct nf_writer *w, const struct nf_doc *d)
{
    bool sized = d->bytes != NF_DOC_BYTES_UNKNOWN;
    struct nf_enc *e = nf_put_record(w, "doc", sized ? 4 : 3);

    nf_put_uint(e, "doc", d->doc);
    nf_enc_str(e, "name");
    nf_enc_strn(e, d->name, d->name_len);
    nf_enc_str(e, "domain");
    nf_enc_strn(e, d->domain, d->domain_len);
    if (sized) {
        nf_put_uint(e, "bytes", d->bytes);
    }
    nf_writer_end(w);
}
