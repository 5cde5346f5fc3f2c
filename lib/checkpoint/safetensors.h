/*
 * safetensors.h - a safetensors file, mapped: 8 bytes n (little-endian), n bytes of JSON that name each tensor's type, shape and
 * offsets, then the tensors.  https://github.com/huggingface/safetensors, "Format".
 */
#ifndef NF_CHECKPOINT_SAFETENSORS_H
#define NF_CHECKPOINT_SAFETENSORS_H

#include <stddef.h>

#include "base/err.h"
#include "checkpoint/tensorfile.h"

/* As safetensors has it; more is refused. */
enum { NF_ST_HEADER_BYTES = 100 * 1000 * 1000 };

/*
 * nf_st_open - map a file and check its header.  nf_st_parse - the same for bytes that the caller keeps; `path` is for messages.
 *
 * NF_EFORMAT  shorter than its header says; no JSON; a name twice; an unknown type; a size that is not the shape's; offsets that leave
 *             the file, overlap, or leave a hole.  The message names the file and the tensor.
 *
 * Close with nf_tf_close().
 */
int nf_st_open(const char *path, struct nf_tf *f, struct nf_err *err);
int nf_st_parse(const unsigned char *p, size_t size, const char *path, struct nf_tf *f, struct nf_err *err);

#endif
