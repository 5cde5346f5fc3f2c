/* read_impl.h - what the parts of reading share. */
#ifndef NF_RECORD_READ_IMPL_H
#define NF_RECORD_READ_IMPL_H

#include <msgpack.h>

#include "record/walk.h"

enum { NF_READ_DEPTH = 12 };

/* A record being read. */
struct nf_read_walk {
    const struct nf_sizes *sizes;
    struct nf_mem *mem;
    struct nf_err *err;
    struct nf_read_step {
        const char *key;
        size_t index;         /* in the list; SIZE_MAX: none */
    } step[NF_READ_DEPTH];    /* from the record to the value at hand */
    size_t depth;
};

/* A struct being filled in: the record's, or one inside of it. */
struct nf_read_frame {
    struct nf_read_walk *w;
    const struct nf_record *record;
    void *rec;
    const struct nf_field *holder;   /* the row that holds this map; NULL: the record */
};

/* ---- read.c ---- */

void nf_read_enter(struct nf_read_walk *w, const char *key);   /* messages are about this field, until nf_read_leave() */
void nf_read_leave(struct nf_read_walk *w);

/* nf_read_fail - NF_EFORMAT: "record.field: " and the text;  nf_read_refuse - the same as "found, what the row says expected". */
int nf_read_fail(struct nf_read_walk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int nf_read_refuse(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *found);
const char *nf_read_describe(const msgpack_object *o, char text[NF_EXPECTED]);

/* nf_read_record - nf_record_read() with what is not borrowed in `mem`, which the struct does not know of. */
int nf_read_record(const struct nf_record *r, const msgpack_object *o, const struct nf_sizes *sizes, void *rec, struct nf_mem *mem,
                   struct nf_err *err);

/* nf_read_fields - the fields of a map, or of a tuple (by_key false), with all checks. */
int nf_read_fields(struct nf_read_frame *s, const msgpack_object *o, bool by_key);

/* ---- read_value.c ---- */

/* nf_read_value - anything but a list, into the member at `to`. */
int nf_read_value(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o, void *to);

/* nf_read_limits - is an integer in the range of its row, and below its `below`? */
int nf_read_limits(struct nf_read_frame *s, const struct nf_field *f, uint64_t v);
size_t nf_read_below(const struct nf_read_frame *s, const struct nf_field *f);   /* SIZE_MAX: not known */
bool nf_read_in_range(const struct nf_field *f, double v);

bool nf_read_is(const msgpack_object *o, const char *name);   /* a str of these bytes */

/* ---- read_tensor.c ---- */

int nf_read_tensor(struct nf_read_frame *s, const struct nf_field *f, const msgpack_object *o);

/* nf_read_shape - do the dimensions fit the row?  Sizes of the struct that were not known become known. */
int nf_read_shape(struct nf_read_frame *s, const struct nf_field *f, const size_t *shape, size_t ndim, bool *fits);
int nf_read_refuse_shape(struct nf_read_frame *s, const struct nf_field *f, const char *found);
struct nf_names nf_read_names(const struct nf_read_frame *s);

#endif
