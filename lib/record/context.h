/*
 * context.h - the records that travel from tokens onwards: vocab, special, doc.  FORMAT.md section 4.1.
 */
#ifndef NF_RECORD_CONTEXT_H
#define NF_RECORD_CONTEXT_H

#include <msgpack.h>

#include "stream/writer.h"
#include "token/vocab.h"

enum { NF_VOCAB_BYTES = 256 << 20 };   /* all tokens of a vocabulary together */
#define NF_DOC_BYTES_UNKNOWN UINT64_MAX

/* A document.  The strings are borrowed from the record and not NUL-terminated when read. */
struct nf_doc {
    uint64_t doc;
    const char *name, *domain;
    size_t name_len, domain_len;
    uint64_t bytes;      /* of text; NF_DOC_BYTES_UNKNOWN: it began before its end was read, the field is absent */
};

/*
 * nf_context_read - if rec is vocab or special, take it into `v`.
 *
 * Returns NF_OK (taken), NF_EOF (another record type: the caller's turn), or NF_EFORMAT (ids out of order, a special id outside
 * the vocabulary, a vocabulary over its limit).  That all of the header's V arrived is for the caller to check, at the first other record.
 */
int nf_context_read(const msgpack_object *rec, struct nf_vocab *v, struct nf_err *err);

int nf_doc_read(const msgpack_object *rec, struct nf_doc *d, struct nf_err *err);

void nf_vocab_write(struct nf_writer *w, const struct nf_vocab *v);   /* vocab and special records */
void nf_doc_write(struct nf_writer *w, const struct nf_doc *d);       /* name and domain: UTF-8 */

#endif
