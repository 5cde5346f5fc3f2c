/*
 * value.h - single values of a record as text: what the forms of stream-dump share.
 */
#ifndef NF_INSPECT_VALUE_H
#define NF_INSPECT_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include <msgpack.h>

#include "tensor/tensor.h"

enum { NF_VALUE_TEXT = 40 };   /* room for any number and its NUL */

/* The shortest decimal that reads back as the same double (float); NaN, Inf, -Inf.  All return buf. */
char *nf_show_double(double v, char buf[NF_VALUE_TEXT]);
char *nf_show_float(float v, char buf[NF_VALUE_TEXT]);

/* nf_show_element - element i of a tensor, exact. */
char *nf_show_element(const struct nf_tensor *t, size_t i, char buf[NF_VALUE_TEXT]);

/* nf_show_scalar - a bool or a number; nil as "".  Anything else: NULL. */
char *nf_show_scalar(const msgpack_object *o, char buf[NF_VALUE_TEXT]);

/* The bytes of a str or bin; false: o is neither. */
bool nf_value_bytes(const msgpack_object *o, const char **p, size_t *n);

#endif
