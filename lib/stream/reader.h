/*
 * reader.h - a stream, record by record: header first, END last, nothing after it.  FORMAT.md sections 1 and 2.
 */
#ifndef NF_STREAM_READER_H
#define NF_STREAM_READER_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <msgpack.h>

#include "base/err.h"

struct nf_reader;

/*
 * nf_reader_open - read and check the header of the stream on `fd`.
 *
 *   fd    zstd or raw msgpack, told apart by the first bytes; a pipe is enlarged to 1 MiB
 *   what  how messages name it: "standard input" or the path; copied
 *   kind  the expected kind, e.g. "tokens"; alternatives separated by '|'; NULL: any
 *   err   NF_EFORMAT  not a neurofilters stream, another version, another kind, truncated, corrupt
 *         NF_ESYS     read error, memory
 *
 * Returns the reader (caller: nf_reader_close()) or NULL.
 */
struct nf_reader *nf_reader_open(int fd, const char *what, const char *kind, struct nf_err *err);

/*
 * nf_reader_open_file - the same of a file, or of standard input where `path` is NULL or "-"; the reader closes it.
 * NF_EUSAGE: standard input is a terminal.
 */
struct nf_reader *nf_reader_open_file(const char *path, const char *kind, struct nf_err *err);

/* nf_reader_header - the header as JSON; borrowed, valid until close.  nf_reader_kind - its "kind". */
json_t *nf_reader_header(const struct nf_reader *r);
const char *nf_reader_kind(const struct nf_reader *r);
const char *nf_reader_what(const struct nf_reader *r);

/*
 * nf_reader_next - the next record, a map with a str "r" naming its type.
 *
 *   rec   out: borrowed, valid until the next call
 *
 * Returns NF_OK; NF_EOF after a correct END (count compared, checksum verified, end of input seen); or the negative code of the
 * failure in `err` as given to open.  When that slot already holds a failure (of the writer, say), its code is returned at once.
 */
int nf_reader_next(struct nf_reader *r, const msgpack_object **rec);

/* The bytes of the record last returned, for passing it on unchanged: nf_writer_copy(). */
void nf_reader_bytes(const struct nf_reader *r, const void **p, size_t *n);

/* nf_reader_end - the END record, after NF_EOF; NULL before. */
const msgpack_object *nf_reader_end(const struct nf_reader *r);

/* nf_reader_records - how many records were returned so far. */
uint64_t nf_reader_records(const struct nf_reader *r);

/*
 * nf_reader_hash - compute the stream's digest. Call it before the first nf_reader_next(). NF_ESYS:
 * memory.
 *
 * nf_reader_digest - after NF_EOF: SHA-256, lower-case hex, of the whole stream from header to END as
 * msgpack. Compression does not change it (`zstd -dc x.nf | sha256sum`). Borrowed. NULL before NF_EOF,
 * or without nf_reader_hash().
 */
int nf_reader_hash(struct nf_reader *r);
const char *nf_reader_digest(const struct nf_reader *r);

void nf_reader_close(struct nf_reader *r);   /* accepts NULL */

#endif
