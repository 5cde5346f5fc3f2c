/*
 * intake.h - the windows of a tokens stream in batches, each with its document's domain.
 */
#ifndef NF_RECORD_INTAKE_H
#define NF_RECORD_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/activations.h"
#include "record/tokens.h"
#include "stream/reader.h"
#include "stream/writer.h"

struct nf_intake {
    struct nf_reader *in;      /* of kind tokens, at its first record; the caller's */
    size_t V, context;         /* of the header and the model: ids are below V, windows at most context long */
    size_t most;               /* tokens of a batch; at least one window is taken */
    struct nf_writer *out;     /* vocab and special records are handed on; NULL: not */
    bool docs;                 /* and doc records */
    struct nf_batch batch;     /* after nf_intake_next(); its number counts up */
    size_t *domain;            /* [W] index into domains */
    char **domains;            /* [n] names, in the order of their first document */
    size_t n;
    /* private */
    size_t domain_cap, domains_cap, doc_domain;
    uint64_t doc, batches;
    bool doc_known, held, ended;
    struct nf_window window;   /* held: read, and not yet in a batch */
};

/*
 * nf_intake_next - the next batch of whole windows.
 *
 * Returns NF_OK; NF_EOF at the stream's end; or a failure: nf_reader_next(), nf_window_read(), a window whose document is not the last doc record,
 * a record type that does not belong to tokens.
 */
int nf_intake_next(struct nf_intake *t, struct nf_err *err);
void nf_intake_clear(struct nf_intake *t);

#endif
