/*
 * record.h - records in memory: read, written and checked by their tables (field.h).
 *
 * What a read fills in: text, lists and nested structs lie in `mem` of the struct, which the struct owns; tensors are borrowed from the
 * object and not aligned (base/at.h), but those whose member has a type, which are copies in `mem` too.  All of it holds until the next read into
 * the same struct.  A struct with `mem` is zeroed before its first read, and given to nf_record_clear() in the end; one without owns nothing.
 */
#ifndef NF_RECORD_RECORD_H
#define NF_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <msgpack.h>

#include "base/err.h"
#include "base/mem.h"
#include "stream/writer.h"

#define NF_NONE SIZE_MAX /* an integer that is absent or nil */

enum { NF_CONTEXT_MAX = 1 << 20 }; /* tokens of a window: FORMAT.md section 5 */

struct nf_field;

/* A type of record, or of a map inside of records. */
struct nf_record {
    const char *type; /* of its "r"; of a nested map: what it is called */
    const struct nf_field *field;
    size_t n;
    size_t size; /* of the struct */
    size_t mem; /* 0, or 1 + where its struct nf_mem is */
    int (*check)(const void *rec,
                 struct nf_err *err); /* what no field says alone; the message follows "type.field: "; NULL: nothing */
    const char *help;
};

/* The answer of a rule.  OPEN: lost counts allow both. */
enum nf_verdict { NF_NO, NF_YES, NF_OPEN };

struct nf_blob {
    const void *p;
    size_t n;
};

/* One to three token ids, the oldest first. */
enum { NF_ORDERS = 3 };
struct nf_gram {
    uint32_t n, id[NF_ORDERS];
};

/* Sizes that are the same in a whole stream; 0: not known, and then not checked. */
struct nf_sizes {
    size_t V; /* ids are below it: tokenizer.vocab of the header */
    size_t context; /* most tokens of a window */
    size_t L, D, H, G, K, F; /* of the header's model */
    size_t Q; /* domains: of the record `totals` */
};

/*
 * nf_sizes_read - the sizes that a header gives.  Every kind has V and context; the others are 0 where the header has no model.
 * NF_EFORMAT: one of them is missing, or not from 1 to 2^32 - 1 (named).
 */
int nf_sizes_read(const json_t *header, struct nf_sizes *s, struct nf_err *err);

/*
 * nf_record_read - the object into the struct `rec`, of type r->size.
 *
 *   sizes  NULL: none are known
 *
 * Checked: the type of the record; that fields are there, of the right type, in range, finite, and of the right shape; what the record's own check
 * says.  NF_EFORMAT names the field, what was found, and what is expected: "cka.P: 200, from 2 to 144 expected".  NF_ESYS: memory.
 * Memory is bounded by what the object holds, of which a reader has at most NF_MP_BYTES and NF_MP_ITEMS.
 */
int nf_record_read(const struct nf_record *r, const msgpack_object *o, const struct nf_sizes *sizes, void *rec, struct nf_err *err);

/* nf_record_check - nf_record_read() for the sake of its checks. */
int nf_record_check(const struct nf_record *r, const msgpack_object *o, const struct nf_sizes *sizes, struct nf_err *err);

/* nf_record_write - one record.  Failures go to the writer's slot. */
void nf_record_write(const struct nf_record *r, struct nf_writer *w, const void *rec);

/* nf_record_clear - gives back what reads took; the struct is as before its first read. */
void nf_record_clear(const struct nf_record *r, void *rec);

#endif
