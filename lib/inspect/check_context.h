/*
 * check_context.h - the records that travel from tokens onwards: vocab first and whole, special, then the rest; documents upwards.
 */
#ifndef NF_INSPECT_CHECK_CONTEXT_H
#define NF_INSPECT_CHECK_CONTEXT_H

#include "record/context.h"
#include "inspect/check.h"

struct nf_check_context {
    size_t V, context;         /* of the header */
    struct nf_vocab vocab;
    bool vocab_optional;       /* set after opening: a stream without any vocab record is whole */
    bool started;              /* a record after vocab and special was seen */
    bool any_doc;
    struct nf_doc doc;         /* the last; its names are not valid */
    uint64_t docs;
};

int nf_check_context_open(struct nf_check_context *c, const json_t *header, struct nf_err *err);
void nf_check_context_close(struct nf_check_context *c);

/*
 * nf_check_vocab_record - vocab and special only.  NF_OK: it was one; NF_EOF: another type; or the fault.  That vocab records are missing is
 * found at the first record of another type, which is the caller's all the same.
 */
int nf_check_vocab_record(struct nf_check_context *c, const msgpack_object *rec, struct nf_err *err);

/* NF_OK: it was vocab, special or doc; NF_EOF: another type; or the fault. */
int nf_check_context_record(struct nf_check_context *c, const msgpack_object *rec, struct nf_err *err);

#endif
