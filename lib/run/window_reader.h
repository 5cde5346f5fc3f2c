/*
 * window_reader.h - reads the windows of a stream of tokens, or of activations, in batches, each
 * window with the domain of its document.
 */
#ifndef NF_RUN_WINDOW_READER_H
#define NF_RUN_WINDOW_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/activations.h"
#include "record/tokens.h"
#include "stream/reader.h"
#include "stream/writer.h"

struct nf_window_reader {
    struct nf_reader *in;      /* of kind tokens or activations, at its first record; the caller's */
    bool captured;             /* activations: batches are the stream's own, and their rows come from nf_window_reader_rows() */
    size_t V, context;         /* of the header and the model: ids are below V, windows at most context long */
    size_t most;               /* tokens of a batch; at least one window is taken */
    struct nf_writer *out;     /* vocab and special records are handed on; NULL: not */
    bool docs;                 /* and doc records */
    struct nf_batch batch;     /* after nf_window_reader_next(); its number counts up */
    size_t *domain;            /* [W] index into domains */
    char **domains;            /* [n] names, in the order of their first document */
    size_t n;
    /* private */
    size_t domain_cap, domains_cap, doc_domain;
    struct nf_window_reader_doc {
        uint64_t doc;
        size_t domain;
    } * seen;   /* captured: documents since the last batch, and the last before it */
    size_t n_seen, seen_cap;
    const msgpack_object *next;   /* captured: a record that was read and is still to be taken */
    uint64_t doc, batches;
    bool doc_known, held, ended;
    struct nf_window window;   /* held: read, and not yet in a batch */
};

/*
 * nf_window_reader_next - the next batch of whole windows.
 *
 * Returns NF_OK; NF_EOF at the stream's end; or a failure: nf_reader_next(), nf_window_read(), a window whose document is not the last doc record,
 * a record type that does not belong to tokens.
 */
int nf_window_reader_next(struct nf_window_reader *t, struct nf_err *err);

/*
 * nf_window_reader_rows - captured: the next rows of a site, of the batch at hand; data borrowed until the next call.
 *
 * Returns NF_OK; NF_EOF when the batch has no more; NF_EFORMAT: nf_site_rows_read(), rows of another batch; or nf_reader_next()'s failure.
 */
int nf_window_reader_rows(struct nf_window_reader *t, struct nf_site_rows *rows, struct nf_err *err);
void nf_window_reader_clear(struct nf_window_reader *t);

#endif
