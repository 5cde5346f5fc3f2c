/*
 * writer.h - write a stream: header, records, END.
 */
#ifndef NF_STREAM_WRITER_H
#define NF_STREAM_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"
#include "base/opt.h"
#include "stream/mp.h"

struct nf_writer;

/*
 * nf_header_new - the header of a new stream: format, version, kind, and the history of `in` with this command appended.
 *
 *   kind    of the stream to be written
 *   in      header of the input stream, NULL when the input is text.  All its entries but "kind" and "history" are copied, so what a
 *           filter knows (model, tokenizer, dims, units, excluded) travels on; the caller then adds or replaces entries.
 *   cmd     name and options for the history (nf_opt_json)
 *
 * Returns a new reference, or NULL (memory).
 */
json_t *nf_header_new(const char *kind, const json_t *in, const struct nf_cmd *cmd, struct nf_err *err);

/*
 * nf_header_input - name an input that was read to its end before the output began (shards to merge, files): {kind, sha256} is added to
 * "inputs" of the last history entry.
 *
 *   digest  nf_reader_digest() of that input; NULL: it was not hashed, written as nil
 */
int nf_header_input(json_t *header, const json_t *input_header, const char *digest, struct nf_err *err);

/*
 * nf_writer_open - start a stream on `fd`: writes the header.
 *
 *   header  borrowed; not kept
 *   raw     no zstd (option -u)
 *   err     the slot that later failures go to as well; must outlive the writer
 *
 * Returns the writer, or NULL.  A terminal is refused by nf_output_open().
 */
struct nf_writer *nf_writer_open(int fd, const json_t *header, bool raw, struct nf_err *err);

/*
 * nf_writer_begin - the encoder for the next record, empty.  Fill it with one map whose first pair is "r", then nf_writer_end().
 * nf_writer_end returns nothing: the writer remembers its first failure in the slot, and the next read sees it.
 * A record over NF_MP_BYTES is our own mistake: abort().
 */
struct nf_enc *nf_writer_begin(struct nf_writer *w);
void nf_writer_end(struct nf_writer *w);

/* nf_writer_json - one record from JSON; nf_writer_copy - one record's encoded bytes, from nf_reader_bytes(). */
void nf_writer_json(struct nf_writer *w, const json_t *rec);
void nf_writer_copy(struct nf_writer *w, const void *bytes, size_t n);

/*
 * nf_writer_close - write END with the number of records and `totals` (a JSON object, may be NULL, borrowed), finish the frame, flush, free.
 * The only code that writes END.  Returns NF_OK or the code in the slot.
 * nf_writer_abort - free without END, after a failure; accepts NULL.
 */
int nf_writer_close(struct nf_writer *w, const json_t *totals);
void nf_writer_abort(struct nf_writer *w);

#endif
