/*
 * text.h - the bytes of one text file or of standard input, plain or zstd (told apart by the first four bytes).
 */
#ifndef NF_TOKEN_TEXT_H
#define NF_TOKEN_TEXT_H

#include <stddef.h>

#include <sys/types.h>

#include "base/err.h"

struct nf_text_file;

enum { NF_TEXT_CHUNK = 64 << 10 };   /* bytes a read */

/*
 * nf_text_file_open - path "-" is standard input.
 *
 * NF_ESYS: cannot be opened or read; NF_EFORMAT: gzip, bzip2 or xz, which would otherwise pass for text.
 */
struct nf_text_file *nf_text_file_open(const char *path, struct nf_err *err);

/*
 * nf_text_file_read - the next bytes; always NF_TEXT_CHUNK of them but at the end, so that what is made of them does not depend on a pipe.
 *
 * Returns their number, 0 at the end; NF_ESYS; NF_EFORMAT: a corrupt or cut zstd frame.
 */
ssize_t nf_text_file_read(struct nf_text_file *t, const unsigned char **p, struct nf_err *err);

void nf_text_file_close(struct nf_text_file *t);   /* accepts NULL */

#endif
