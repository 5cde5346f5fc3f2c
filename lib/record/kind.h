/*
 * kind.h - the kinds of streams, and which records they hold: FORMAT.md section 4.
 */
#ifndef NF_RECORD_KIND_H
#define NF_RECORD_KIND_H

#include <stddef.h>

#include "record/record.h"

struct nf_kind {
    const char *name;
    const struct nf_record *const *record;   /* in the order of FORMAT.md, those that travel from tokens onwards first */
    size_t n;
    const struct nf_record *end;             /* END: its struct begins with `records`, then the totals */
    const struct nf_record *usual;           /* the record that a table of the kind is usually about */
};

extern const struct nf_kind nf_kinds[];      /* in the order of FORMAT.md */
enum { NF_KINDS = 6, NF_RECORD_TYPES = 32 };   /* of a kind at most */

/* nf_kind_find - NULL: no such kind. */
const struct nf_kind *nf_kind_find(const char *name);

/* nf_kind_record - the table of a record type.  NULL: the kind has none of that name.  n: bytes of `type`, which need not end with NUL. */
const struct nf_record *nf_kind_record(const struct nf_kind *k, const char *type, size_t n);

/* Any record of a kind, in memory of its own.  A zeroed struct is empty. */
struct nf_any_record {
    const struct nf_record *type;    /* of the record last read: &nf_fires_record */
    void *rec;                       /* its struct, until the next read */
    const msgpack_object *object;    /* what was read; borrowed */
    size_t room;
    struct nf_mem mem;
};

/*
 * nf_any_read - the record `o` of the kind.  As nf_record_read(); NF_EFORMAT also for a type that the kind has not (named, with those it has).
 * What is in it holds until the next read.
 */
int nf_any_read(struct nf_any_record *a, const struct nf_kind *k, const msgpack_object *o, const struct nf_sizes *sizes,
                struct nf_err *err);
void nf_any_clear(struct nf_any_record *a);

#endif
