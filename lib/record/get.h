/*
 * get.h - fields that records are read from, checked: what put.h writes.  All fail with NF_EFORMAT and name the field.
 */
#ifndef NF_RECORD_GET_H
#define NF_RECORD_GET_H

#include <stddef.h>

#include <msgpack.h>

#include "base/err.h"
#include "tensor/tensor.h"

/* nf_get_type - the record must be of this type. */
int nf_get_type(const msgpack_object *rec, const char *type, struct nf_err *err);

int nf_get_size(const msgpack_object *rec, const char *key, size_t min, size_t max, size_t *v, struct nf_err *err);
int nf_get_layer(const msgpack_object *rec, size_t *layer, struct nf_err *err);

/* nf_get_name - a str without NUL, of less than `size` bytes, into name. */
int nf_get_name(const msgpack_object *rec, const char *key, char *name, size_t size, struct nf_err *err);

/*
 * nf_get_array - the tensor under key, of one to three dimensions (b, c NULL: fewer).  Each must be what *a, *b, *c say; SIZE_MAX stands
 * for any and is filled in.  *data is borrowed and unaligned.
 */
int nf_get_array(const msgpack_object *rec, const char *key, enum nf_dtype type, size_t *a, size_t *b, size_t *c, const void **data,
                 struct nf_err *err);

#endif
