/*
 * context.h - the records that travel from tokens onwards: vocab, special, doc.  FORMAT.md section 4.1.
 */
#ifndef NF_RECORD_CONTEXT_H
#define NF_RECORD_CONTEXT_H

#include <msgpack.h>

#include "stream/writer.h"
#include "token/vocab.h"

/* A document.  The strings are borrowed from the record and not NUL-terminated when read. */
struct nf_doc {
    uint64_t doc;
    const char *name, *domain;
    size_t name_len, domain_len;
    uint64_t bytes;
};

/*
 * nf_context_read - if rec is vocab or special, take it into `v`.
 *
 * Returns NF_OK (taken), NF_EOF (another record type: the caller's turn), or NF_EFORMAT (ids out of order, over the header's V).
 */
int nf_context_read(const msgpack_object *rec, struct nf_vocab *v, struct nf_err *err);

int nf_doc_read(const msgpack_object *rec, struct nf_doc *d, struct nf_err *err);

void nf_vocab_write(struct nf_writer *w, const struct nf_vocab *v);   /* vocab and special records */
void nf_doc_write(struct nf_writer *w, const struct nf_doc *d);

#endif
