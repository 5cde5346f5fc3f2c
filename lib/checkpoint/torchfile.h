/*
 * torchfile.h - the tensors of a pytorch_model.bin: what torch.save(state_dict) wrote.
 *
 * Both layouts: the zip archive (PyTorch 1.6 on) and the sequence of pickles before it.  No code of the file is run: pickle.h.
 */
#ifndef NF_CHECKPOINT_TORCHFILE_H
#define NF_CHECKPOINT_TORCHFILE_H

#include <stddef.h>

#include "base/err.h"
#include "checkpoint/tensorfile.h"

/*
 * nf_torch_open - map a file and list its tensors; values of the state dict that are no tensors are passed over.  A tensor that is stored with
 * other strides than C order is copied; all others lie in the map.  nf_torch_parse - the same for bytes that the caller keeps.
 *
 * NF_EFORMAT  neither layout; refused or corrupt pickle; a big-endian file; a tensor that leaves its storage or whose storage is missing
 *             or of another size; more than NF_NDIM_MAX dimensions (named).
 *
 * Close with nf_tf_close().
 */
int nf_torch_open(const char *path, struct nf_tf *f, struct nf_err *err);
int nf_torch_parse(const unsigned char *p, size_t size, const char *path, struct nf_tf *f, struct nf_err *err);

/* nf_torch_free - what nf_tf_close() calls for its `torch`; accepts NULL. */
void nf_torch_free(struct nf_torch *t);

#endif
