/*
 * tokens.h - kind "tokens": windows of token ids.  FORMAT.md section 4.2.
 */
#ifndef NF_RECORD_TOKENS_H
#define NF_RECORD_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "stream/writer.h"

/* One sequence for the model. */
struct nf_window {
    uint64_t doc, window;
    uint64_t start;        /* index of its first text token in the document's tokens */
    bool bos;              /* ids[0] is the BOS token */
    size_t T;              /* 1 .. header context */
    const uint32_t *ids;   /* [T]; when read: valid until nf_window_clear() or the next read into the same struct */
    uint32_t *own;         /* aligned copy made by reading; NULL when the caller fills the struct to write it */
    size_t own_cap;
};

/* nf_window_read - rec must be "window".  Ids are checked against V, T against context (both from the header). */
int nf_window_read(const msgpack_object *rec, size_t V, size_t context, struct nf_window *w, struct nf_err *err);
void nf_window_write(struct nf_writer *out, const struct nf_window *w);
void nf_window_clear(struct nf_window *w);

#endif
