/*
 * torchfile.h - the tensors of a pytorch_model.bin: what torch.save(state_dict) wrote.
 *
 * Both layouts: the zip archive (PyTorch 1.6 on) and the sequence of pickles before it.  No code of the file is run: pickle.h.
 */
#ifndef NF_MODEL_TORCHFILE_H
#define NF_MODEL_TORCHFILE_H

#include <stddef.h>

#include "base/err.h"
#include "base/file.h"
#include "model/pickle.h"
#include "model/zip.h"
#include "tensor/tensor.h"

struct nf_torch_tensor {
    const char *name;      /* borrowed from the mapping; not NUL-terminated */
    size_t name_len;
    struct nf_tensor t;    /* data: in the mapping, or in `gathered` */
    void *gathered;        /* a copy in C order of a tensor that is stored with other strides; usually NULL */
};

struct nf_torchfile {
    struct nf_torch_tensor *tensor;   /* in the order of the file */
    size_t n;
    struct nf_pickle *pickle;
    struct nf_zip zip;
};

/*
 * nf_torchfile_open - list the tensors of the file in `map`; values of the state dict that are no tensors are passed over.
 *
 *   map   stays open as long as the tensors are used
 *   what  how messages name the file
 *
 * NF_EFORMAT  neither layout; refused or corrupt pickle; a big-endian file; a tensor that leaves its storage or whose storage is missing
 *             or of another size; more than NF_NDIM_MAX dimensions (named).
 */
int nf_torchfile_open(const struct nf_map *map, const char *what, struct nf_torchfile *f, struct nf_err *err);
void nf_torchfile_close(struct nf_torchfile *f);   /* accepts a zeroed struct */

#endif
