/*
 * text.h - the bytes of one text file or of standard input, as they are or decompressed.
 *
 *   | begins with | read as                                                                                     |
 *   |-------------|---------------------------------------------------------------------------------------------|
 *   | zstd's sign | zstd: one frame or several, skippable ones passed over (pzstd), windows of up to 2 GiB      |
 *   | gzip's sign | gzip: one member or several                                                                 |
 *   | other       | text as it is                                                                               |
 *
 * A byte-order mark of UTF-8 at the start of the text is left out.
 */
#ifndef NF_TOKEN_TEXT_H
#define NF_TOKEN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include "base/err.h"

struct nf_text_file;

enum { NF_TEXT_CHUNK = 64 << 10 }; /* bytes a read */

struct nf_text_rules {
    bool any_bytes; /* other formats, and NUL bytes, are taken for text */
    uint64_t memory; /* limit for what zstd keeps of a frame, bytes; 0: none */
};

/*
 * nf_text_file_open - path "-" is standard input.
 *
 *   rules   copied; NULL: any bytes, no limit
 *
 * NF_ESYS: cannot be opened or read; NF_EFORMAT: the text begins like another format (which is named), or holds NUL bytes in its first
 * NF_TEXT_CHUNK bytes; a corrupt or cut frame or member.
 */
struct nf_text_file *nf_text_file_open(const char *path, const struct nf_text_rules *rules, struct nf_err *err);

/*
 * nf_text_file_read - the next bytes; always NF_TEXT_CHUNK of them but first and last, so that what is made of them does not depend on a pipe.
 *
 * Returns their number, 0 at the end; NF_ESYS; NF_EFORMAT: a corrupt or cut frame or member, or a frame whose window is needed beyond the limit.
 */
ssize_t nf_text_file_read(struct nf_text_file *t, const unsigned char **p, struct nf_err *err);

void nf_text_file_close(struct nf_text_file *t); /* accepts NULL */

#endif
