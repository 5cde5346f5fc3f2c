/*
 * arrays.h - the tensors of a stream as one array file: NumPy's .npy (format version 1.0) or safetensors.
 *
 * Tensors of one name are joined along their first axis in the order of the records; a name is the record type and field, then the record's
 * keys: `ffn.act.3` for site records (site, layer), `fires.all.3`, `counts.bits.3.2.1` (layer, order, planes) for others. Both formats
 * state the size before the data, so the data wait in an unlinked temporary file in $TMPDIR (or /tmp): memory holds one entry a record.
 */
#ifndef NF_INSPECT_ARRAYS_H
#define NF_INSPECT_ARRAYS_H

#include <stddef.h>
#include <stdio.h>

#include <msgpack.h>

#include "base/err.h"

struct nf_arrays;

struct nf_arrays *nf_arrays_open(struct nf_err *err);

/*
 * nf_arrays_add - take the tensors of a record: the one at the path `field`, or with NULL all its fields that are tensors.
 *
 * NF_EFORMAT: a tensor whose type or inner shape differs from those of the same name before.  NF_ESYS: disk, memory.
 */
int nf_arrays_add(struct nf_arrays *a, const msgpack_object *rec, const char *field, struct nf_err *err);

/*
 * nf_arrays_npy          - the only array.  NF_EUSAGE: there are several (named).  NF_EFORMAT: there is none.
 * nf_arrays_safetensors  - all, by name in byte order; none is a valid empty file.
 * Failures of `f` are for the caller to see: ferror().
 */
int nf_arrays_npy(struct nf_arrays *a, FILE *f, struct nf_err *err);
int nf_arrays_safetensors(struct nf_arrays *a, FILE *f, struct nf_err *err);

void nf_arrays_close(struct nf_arrays *a);   /* accepts NULL */

#endif
