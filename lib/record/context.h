/*
 * context.h - the records that travel from tokens onwards: vocab, special, doc.  FORMAT.md section 4.1.
 */
#ifndef NF_RECORD_CONTEXT_H
#define NF_RECORD_CONTEXT_H

#include <msgpack.h>

#include "record/record.h"
#include "token/vocab.h"

enum { NF_VOCAB_BYTES = 256 << 20 };   /* all tokens of a vocabulary together */

/* "vocab": tokens first .. first + n - 1. */
struct nf_vocab_rec {
    size_t first, n;
    const struct nf_blob *tokens;   /* [n] */
    struct nf_mem mem;
};
extern const struct nf_record nf_vocab_record;

/* "special" */
struct nf_special_rec {
    size_t n;
    const void *ids;                 /* u4[n] */
};
extern const struct nf_record nf_special_record;

/* "doc": a document begins. */
struct nf_doc {
    size_t doc;
    const char *name, *domain;       /* UTF-8 */
    uint64_t bytes;                  /* of text; NF_NONE: it began before its end was read */
    struct nf_mem mem;
};
extern const struct nf_record nf_doc_record;

/*
 * nf_context_read - if rec is vocab or special, take it into `v`.
 *
 * Returns NF_OK (taken), NF_EOF (another record type: the caller's turn), or NF_EFORMAT (ids out of order, a special id outside
 * the vocabulary, a vocabulary over its limit).  That all of the header's V arrived is for the caller to check, at the first other record.
 */
int nf_context_read(const msgpack_object *rec, struct nf_vocab *v, struct nf_err *err);

/*
 * The vocabulary at the head of a stream, as it comes in: every id once, in order, before any other record.
 *
 *   V         of the header: so many tokens there must be
 *   optional  a stream without any vocab record is whole too
 */
struct nf_vocab_head {
    size_t V;
    bool optional;
    struct nf_vocab vocab;
    bool ended;              /* another record was seen */
};

/* nf_vocab_head_take - NF_OK: rec was vocab or special; NF_EOF: another type, the caller's turn; NF_EFORMAT: as above, missing, or late.  NF_ESYS. */
int nf_vocab_head_take(struct nf_vocab_head *h, const msgpack_object *rec, struct nf_err *err);

void nf_vocab_write(struct nf_writer *w, const struct nf_vocab *v);   /* vocab and special records */

#endif
