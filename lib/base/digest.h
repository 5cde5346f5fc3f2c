/*
 * digest.h - SHA-256 as lower-case hex. It ties a stream to its tokenizer, model and inputs.
 */
#ifndef NF_BASE_DIGEST_H
#define NF_BASE_DIGEST_H

#include <stddef.h>

#include "base/err.h"

enum { NF_DIGEST_HEX = 65 };   /* 64 digits and the NUL */

struct nf_digest;

/* Incremental.  open: NULL only when out of memory.  close writes the hex digest and frees; hex may be NULL. */
struct nf_digest *nf_digest_open(struct nf_err *err);
void nf_digest_add(struct nf_digest *d, const void *data, size_t size);
void nf_digest_close(struct nf_digest *d, char hex[NF_DIGEST_HEX]);

/* nf_digest_bytes - the digest of one buffer. */
int nf_digest_bytes(const void *data, size_t size, char hex[NF_DIGEST_HEX], struct nf_err *err);

#endif
