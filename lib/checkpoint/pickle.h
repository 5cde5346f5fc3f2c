/*
 * pickle.h - the part of Python's pickle that a PyTorch state dict is made of, and nothing else.
 *
 * A pickle is a program for a small stack machine; the full machine can call any Python function.  This one knows the opcodes that
 * torch.save() writes (protocols 2 to 5), calls nothing, and knows globals by name only: those that make tensors and dicts, and those of things that
 * may lie beside weights and have no role (NumPy numbers, argparse.Namespace, torch.Size, sets, ..: about what torch.load(weights_only=True) allows),
 * which become objects without contents.  Everything else is refused by name.
 */
#ifndef NF_CHECKPOINT_PICKLE_H
#define NF_CHECKPOINT_PICKLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tensor/tensor.h"

enum nf_pickle_type {
    NF_PICKLE_NONE,
    NF_PICKLE_BOOL,      /* i */
    NF_PICKLE_INT,       /* i */
    NF_PICKLE_FLOAT,     /* f */
    NF_PICKLE_STR,       /* s, n: borrowed from the input, UTF-8 as the file has it */
    NF_PICKLE_TUPLE,     /* item, n */
    NF_PICKLE_LIST,      /* item, n */
    NF_PICKLE_DICT,      /* item: key, value, key, value, ..; n: 2 * pairs, in the order of the file */
    NF_PICKLE_GLOBAL,    /* s, n: "module name" */
    NF_PICKLE_STORAGE,   /* dtype, key, numel */
    NF_PICKLE_TENSOR,    /* storage, offset, shape, stride */
    NF_PICKLE_OBJECT,    /* something else: its contents are not kept */
};

struct nf_pickle_value {
    enum nf_pickle_type type;
    int64_t i;                           /* BOOL, INT; STORAGE: numel; TENSOR: offset in elements */
    double f;
    const char *s;                       /* STR, GLOBAL; STORAGE: its key */
    size_t n;
    struct nf_pickle_value **item;
    size_t cap;
    int dtype;                           /* STORAGE: enum nf_dtype; bool and int8 as NF_U8, int16 as NF_U16: only their size is used */
    struct nf_pickle_value *storage;     /* TENSOR */
    struct nf_pickle_value *shape, *stride;   /* TENSOR: TUPLE of INT, same length */
};

struct nf_pickle;   /* owns all values of the programs that it ran */

struct nf_pickle *nf_pickle_open(struct nf_err *err);
void nf_pickle_close(struct nf_pickle *p);   /* accepts NULL */

/*
 * nf_pickle_run - run one pickle that begins at data[0].
 *
 *   data, size   kept by the caller as long as the values are used; size at most NF_PICKLE_BYTES
 *   what         how messages name the file
 *   used         out: bytes up to and with STOP
 *
 * Returns the value, or NULL: NF_EFORMAT (an opcode or a global outside the list above, named; a truncated or inconsistent program; nesting or
 * sizes over the limits) or NF_ESYS.  Memory is bounded by a fixed multiple of size.
 */
struct nf_pickle_value *nf_pickle_run(struct nf_pickle *p, const unsigned char *data, size_t size, const char *what, size_t *used,
                                      struct nf_err *err);

/*
 * nf_pickle_storage_dtype - the dtype of the storage with this key among all values so far; NF_EFORMAT when there is none.  The legacy layout writes the elements without their type.
 */
int nf_pickle_storage_dtype(const struct nf_pickle *p, const char *key, size_t n, enum nf_dtype *dtype);

/* The header of a 100-billion-parameter state dict is below 1 MB. */
enum { NF_PICKLE_BYTES = 64 << 20 };

#endif
