/*
 * compare.h - compares two records value by value. stream-diff and many tests use it.
 *
 *   integers, text, bytes, bools   equal
 *   reals                          |a - b| <= atol + rtol * |b|; NaN is within no tolerance (unless nan_equal, and both are NaN);
 *                                  an infinity only equals itself
 *   tensors                        the same shape; integers of the same type; reals of any real type
 *   maps                           the same keys in any order
 *
 * A real against an integer outside a tensor is compared as two reals: 1 and 1.0 are the same number.
 */
#ifndef NF_INSPECT_COMPARE_H
#define NF_INSPECT_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include <msgpack.h>

#include "inspect/value.h"

enum { NF_WHERE = 160 };

/* One difference. */
struct nf_difference {
    uint64_t record;           /* as in struct nf_compare when it was found */
    char where[NF_WHERE];      /* "data[4,2]", "token.covered[1]"; what differs when it is not a value: "field x: missing in b" */
    char a[NF_VALUE_TEXT], b[NF_VALUE_TEXT];   /* empty when it is not a number */
    double size, allowed;      /* |a - b| (infinite when that is no number) and what was allowed */
};

struct nf_compare {
    double rtol, atol;
    bool nan_equal;
    uint64_t record;           /* set by the caller: the number of the record at hand */
    uint64_t values;           /* compared so far */
    uint64_t different;        /* of them, beyond the tolerance */
    double largest;            /* |a - b| among the values within the tolerance */
    struct nf_difference worst;   /* valid when different > 0: the largest size / allowed, then size, then the first */
    char where[NF_WHERE];      /* the place at hand, while comparing */
};

/* nf_compare - compare a with b and add what is found. */
void nf_compare(struct nf_compare *c, const msgpack_object *a, const msgpack_object *b);

#endif
