/*
 * frame.h - reads and writes the bytes of a stream on a file descriptor: raw, or inside one zstd
 * frame. FORMAT.md section 1.
 */
#ifndef NF_STREAM_FRAME_H
#define NF_STREAM_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/types.h>

#include "base/err.h"

enum {
    NF_PIPE_BYTES = 1 << 20,     /* asked of the kernel for both ends of a pipe: what an ordinary user may have */
    NF_ZSTD_WINDOW_LOG = 23,     /* 8 MiB, what RFC 8878 section 3.1.1.1.2 asks of every decoder; a frame that needs more is refused */
};

/* ---- reading ---- */

struct nf_source;

/*
 * nf_source_open - begin to read `fd`.
 *
 *   what  how messages name it; borrowed for the life of the source
 *   err   NF_ESYS     read error, memory
 *         NF_EFORMAT  no bytes at all; a zstd frame without content checksum
 */
struct nf_source *nf_source_open(int fd, const char *what, struct nf_err *err);

/*
 * nf_source_read - from 1 to n decoded bytes into p; waits until there are some.
 *
 * Returns their number; 0 at the end of the input; NF_ESYS (read, memory inside zstd too); NF_EFORMAT: a corrupt frame, a window over
 * NF_ZSTD_WINDOW_LOG, bytes after the end of the frame.
 */
ssize_t nf_source_read(struct nf_source *s, void *p, size_t n, struct nf_err *err);

/*
 * nf_source_whole - after 0 from nf_source_read(): true when the frame is complete and its checksum
 * is right. Always true of raw input.
 */
bool nf_source_whole(const struct nf_source *s);

void nf_source_close(struct nf_source *s);   /* does not close fd; accepts NULL */

/* ---- writing ---- */

struct nf_sink;

/* nf_sink_open - begin to write to `fd`; raw: without zstd.  NF_ESYS: memory. */
struct nf_sink *nf_sink_open(int fd, bool raw, struct nf_err *err);

/* nf_sink_write - write all n bytes. Small pieces are collected into large writes. */
int nf_sink_write(struct nf_sink *s, const void *p, size_t n, struct nf_err *err);

/* nf_sink_finish - end the frame and write what is left. */
int nf_sink_finish(struct nf_sink *s, struct nf_err *err);

void nf_sink_close(struct nf_sink *s);   /* frees, writes nothing; does not close fd; accepts NULL */

#endif
