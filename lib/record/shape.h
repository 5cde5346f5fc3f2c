/* shape.h - shapes as tables have them: "k,order", "P*(P+1)/2,32,5", "(F+7)/8". */
#ifndef NF_RECORD_SHAPE_H
#define NF_RECORD_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

enum { NF_SIZE_NAME = 16 }; /* bytes of a name in a shape, with NUL */

/* nf_size_lookup - the value of a name in *v; false: it has none. */
struct nf_lookup {
    bool (*find)(const void *context, const char *name, size_t *v);
    const void *context;
};

/* What became of one dimension. */
struct nf_dim {
    bool known;
    size_t value; /* when known */
    char
        unknown[NF_SIZE_NAME]; /* when not: the name without a value, if the dimension is that name, or that name + plus; else "" */
    size_t plus;
};

/* nf_shape_next - the first dimension of `shape`, and behind its comma the rest of it, "" at the end.  A mistake in a shape: abort(). */
const char *nf_shape_next(const char *shape, struct nf_lookup names, struct nf_dim *d);

#endif
