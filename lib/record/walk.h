/* walk.h - what reading and writing by a table share: where the walk is, and access to members by their rows. */
#ifndef NF_RECORD_WALK_H
#define NF_RECORD_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/field.h"
#include "record/shape.h"

/* The member of a row; where the row is a pointer, what it points to. */
static inline void *nf_member(const struct nf_field *f, const void *rec)
{
    return (char *)rec + f->offset;
}

static inline void *nf_pointed(const struct nf_field *f, const void *rec)
{
    return f->pointer ? *(void **)nf_member(f, rec) : nf_member(f, rec);
}

/* The unsigned value of 1, 4 or 8 bytes; all bits set: NF_NONE. */
size_t nf_member_uint(const struct nf_field *f, const void *at);
void nf_member_set_uint(const struct nf_field *f, void *at, size_t v);

/* Is the value one that stands for none? */
bool nf_member_none(const struct nf_field *f, const void *rec);

/* Names in shapes and limits: of the record's rows, then of the stream. */
struct nf_names {
    const struct nf_record *record;
    const void *rec;
    const struct nf_sizes *sizes;   /* NULL: none */
};
struct nf_lookup nf_names_lookup(const struct nf_names *n);

/* The row of a size that only the struct has; NULL: the name is another's. */
const struct nf_field *nf_size_row(const struct nf_record *r, const char *name);

/* Of the stream; 0: not known. */
size_t nf_sizes_find(const struct nf_sizes *s, const char *name);

/* "f8" of NF_F64, as NumPy has it. */
const char *nf_type_short(enum nf_dtype t);

/* nf_field_expected - what a value of the row must be, in words: "an integer from 2 to 144", "last or all".  holder: NULL, or of NF_INHERIT. */
enum { NF_EXPECTED = 400 };
const char *nf_field_expected(const struct nf_field *f, const struct nf_field *holder, char text[NF_EXPECTED]);

/* The row whose range and unit count. */
static inline const struct nf_field *nf_field_range(const struct nf_field *f, const struct nf_field *holder)
{
    return f->flags & NF_INHERIT && holder ? holder : f;
}

static inline bool nf_field_ranged(const struct nf_field *f)
{
    return f->min != 0 || f->max != 0;
}

#endif
