/*
 * field.h - the one place where a record is spelled: a struct, and a table with a row for each of its fields.
 *
 * From the table come reading, writing, checking (record.h), the columns of tables and the JSON Schema (describe.h), and the tables of
 * FORMAT.md.  README.md here shows how to add a field or a record.  Only files that hold tables include this header.
 *
 *     #define REC struct nf_influence_rec
 *     static const struct nf_field influence[] = {
 *         UINT(layer, "block", .below = "L"),
 *         UINT(n, "positions"),
 *         REAL(se, "standard error", .flags = NF_NIL),
 *         TENSOR(sums, U64, "7,5", "exact sums"),
 *     };
 *     const struct nf_record nf_influence_record = RECORD("influence", influence, "what a block changes");
 *     #undef REC
 *
 * A row names a member of REC; its name is the key in the record.  The compiler refuses a member that is not there, or that has another type
 * than the row says.  Behind the help text a row may have, in any order:
 *
 *   .min .max      what the value, or each element, may be; .max 0: no upper limit
 *   .below         the same as a size: a value must be less, "L" or "L+1"; not checked where the size is not known
 *   .flags         NF_OPT | NF_NIL | ... below
 *   .group         WHEN(member): the field is there when this bool is set; reading sets it
 *   .nil           WHEN(member): the field is nil unless this bool is set; reading sets it
 *   .unit          "nats", "bits"
 *   .column        name in csv and tsv instead of the key
 *   REFERS(r, "layer,kind")   the value is the number of a record r before it, whose first field is that number under the same key; csv and
 *                  tsv have these of its fields beside it
 *
 * Rows are written in the order of the table.  A size that a shape speaks of is a row above it: of the record itself (UINT), of the struct
 * alone (SIZE), or it comes from the header (struct nf_sizes).
 */
#ifndef NF_RECORD_FIELD_H
#define NF_RECORD_FIELD_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "record/record.h"
#include "tensor/tensor.h"

enum nf_field_type {
    NF_FIELD_SIZE,      /* of the struct only; read: from the header, else from the first shape that has it, or computed from other sizes */
    NF_FIELD_UINT,
    NF_FIELD_REAL,
    NF_FIELD_BOOL,
    NF_FIELD_VERDICT,   /* enum nf_verdict: false, true, or nil */
    NF_FIELD_TEXT,      /* const char *: str, UTF-8 without NUL; a copy */
    NF_FIELD_NAME,      /* char[N]: str of 1 to N - 1 bytes */
    NF_FIELD_CHOICE,    /* an index: one of `names` as str */
    NF_FIELD_SET,       /* a mask of indices: array of `names` */
    NF_FIELD_NUMBERS,   /* bool[]: array of those of the numbers 1, 2, .. whose flag is set */
    NF_FIELD_COUNTS,    /* uint64_t[]: map with the keys `names` */
    NF_FIELD_BYTES,     /* struct nf_blob: bin; borrowed */
    NF_FIELD_GRAM,      /* struct nf_gram: one id, or an array of several */
    NF_FIELD_MAP,       /* a struct with a table of its own: map */
    NF_FIELD_TUPLE,     /* the same as array, in the order of the table */
    NF_FIELD_TENSOR,    /* const void *: borrowed and not aligned */
    NF_FIELD_ARRAY,     /* a tensor as a typed pointer: an aligned copy */
    NF_FIELD_ANY,       /* struct nf_tensor: of any type and shape; borrowed */
};

/* What stands for "none" in the struct: all bits of an integer, NaN, a NULL pointer. */
enum nf_field_flags {
    NF_OPT = 1,          /* none: absent */
    NF_NIL = 2,          /* none: nil; together with NF_OPT both are read, and nil is written */
    NF_NAN = 4,          /* elements of the tensor may be NaN */
    NF_ITEM_NIL = 8,     /* an item of the list may be nil */
    NF_ASCENDING = 16,   /* the items of the list ascend, none is there twice */
    NF_ALL = 32,         /* UINT: none is the str "all" */
    NF_ASIDE = 64,       /* not among the usual columns of csv and tsv */
    NF_INHERIT = 128,    /* of a nested map: range and unit are those of the row that holds the map */
    NF_LATER = 512,      /* programs before this field left it out, read as 0, false or NULL; it is always written */
    NF_IDS = 1024,       /* token ids, though no .below = "V": a model may have more than its tokenizer */
    NF_LOOSE = 256,      /* what the elements of the tensor are is not looked at */
};

struct nf_field {
    const char *key;
    enum nf_field_type type;
    unsigned flags;
    bool list;                 /* an array of such values, as many as `shape` says */
    bool pointer;              /* the member points to the struct, or to the items */
    size_t offset;             /* of the member in the struct */
    size_t width;              /* bytes of the value, or of one item */
    size_t stride, inner;      /* lists: from one item to the next; where in it the value is */
    size_t room;               /* a list or array inside the struct: the items that it has room for */
    size_t group, nil;         /* 0, or WHEN() */
    enum nf_dtype dtype;
    const char *shape;
    double min, max;
    const char *below;
    const char *const *names;
    size_t n_names;
    const struct nf_record *of;
    const struct nf_record *refers;
    const char *beside;        /* fields of `refers`, separated by commas */
    const char *unit, *column, *help;
};

/*
 * ---- rows ----
 *
 * NAME_AS() takes the key, where it is not the name of the member.  Plurals are lists: of a pointer member, or with _IN of an array in the
 * struct, or with _OF of one member of the structs that a pointer member points to, so that several lists are the columns of one array.
 */

/* clang-format off */
#define NF_MEMBER(m) (((REC *)0)->m)
#define NF_ROW(k, m) .key = k, .offset = offsetof(REC, m)
#define NF_ROWS(k, m, s) NF_ROW(k, m), .list = true, .shape = s
#define NF_ROOM(m) .room = sizeof NF_MEMBER(m) / sizeof *NF_MEMBER(m)
#define NF_PART(m, part) .pointer = true, .stride = sizeof *NF_MEMBER(m), .inner = offsetof(__typeof__(*NF_MEMBER(m)), part)
#define NF_NAMES(n) .names = n, .n_names = sizeof n / sizeof *n
#define WHEN(m) 1 + offsetof(REC, m)

/* The width of a member; an error of the compiler where its type is not that of the row. */
#define NF_UINT(x) _Generic((x), _Bool: 1, unsigned: 4, unsigned long: sizeof(long), unsigned long long: 8)
#define NF_REAL(x) _Generic((x), float: 4, double: 8)
#define NF_MASK(x) _Generic((x), unsigned: 4)
#define NF_TEXT(x) _Generic((x), char *: sizeof(char *), const char *: sizeof(char *))
#define NF_IS(x, type) _Generic((x), type: sizeof(type))
#define NF_TO(x, type) _Generic((x), type *: sizeof(type), const type *: sizeof(type))
#define NF_VOID(x) _Generic((x), void *: 1, const void *: 1, const unsigned char *: 1)
#define NF_TO_U8(x) NF_TO(x, unsigned char)
#define NF_TO_U32(x) NF_TO(x, uint32_t)
#define NF_TO_U64(x) NF_TO(x, uint64_t)
#define NF_TO_F32(x) NF_TO(x, float)
#define NF_TO_F64(x) NF_TO(x, double)

#define SIZE_AS(k, m, ...)      { NF_ROW(k, m), .type = NF_FIELD_SIZE, .width = NF_UINT(NF_MEMBER(m)), .help = __VA_ARGS__ }
#define SIZE_IS(k, m, s, ...)   { NF_ROW(k, m), .type = NF_FIELD_SIZE, .shape = s, .width = NF_UINT(NF_MEMBER(m)), .help = __VA_ARGS__ }
#define UINT_AS(k, m, ...)      { NF_ROW(k, m), .type = NF_FIELD_UINT, .width = NF_UINT(NF_MEMBER(m)), .help = __VA_ARGS__ }
#define REAL_AS(k, m, ...)      { NF_ROW(k, m), .type = NF_FIELD_REAL, .width = NF_REAL(NF_MEMBER(m)), .help = __VA_ARGS__ }
#define BOOL_AS(k, m, ...)      { NF_ROW(k, m), .type = NF_FIELD_BOOL, .width = NF_IS(NF_MEMBER(m), _Bool), .help = __VA_ARGS__ }
#define VERDICT_AS(k, m, ...)   { NF_ROW(k, m), .type = NF_FIELD_VERDICT, .width = NF_IS(NF_MEMBER(m), enum nf_verdict), .help = __VA_ARGS__ }
#define TEXT_AS(k, m, ...)      { NF_ROW(k, m), .type = NF_FIELD_TEXT, .width = NF_TEXT(NF_MEMBER(m)), .help = __VA_ARGS__ }
#define NAME_AS(k, m, ...)      { NF_ROW(k, m), .type = NF_FIELD_NAME, .width = sizeof NF_MEMBER(m), .help = __VA_ARGS__ }
#define CHOICE_AS(k, m, n, ...) { NF_ROW(k, m), .type = NF_FIELD_CHOICE, .width = NF_UINT(NF_MEMBER(m)), NF_NAMES(n), .help = __VA_ARGS__ }
#define SET_AS(k, m, n, ...)    { NF_ROW(k, m), .type = NF_FIELD_SET, .width = NF_MASK(NF_MEMBER(m)), NF_NAMES(n), .help = __VA_ARGS__ }
#define NUMBERS(k, m, ...)      { NF_ROW(k, m), .type = NF_FIELD_NUMBERS, .width = NF_TO(NF_MEMBER(m), _Bool), .n_names = sizeof NF_MEMBER(m), .help = __VA_ARGS__ }
#define COUNTS_AS(k, m, n, ...) { NF_ROW(k, m), .type = NF_FIELD_COUNTS, .width = NF_TO(NF_MEMBER(m), uint64_t), NF_ROOM(m), NF_NAMES(n), \
                                  .help = __VA_ARGS__ }
#define COUNTS_AT(k, m, n, ...) { NF_ROW(k, m), .type = NF_FIELD_COUNTS, .width = NF_TO(NF_MEMBER(m), uint64_t), .pointer = true, NF_NAMES(n), \
                                  .help = __VA_ARGS__ }
#define GRAM_AS(k, m, ...)      { NF_ROW(k, m), .type = NF_FIELD_GRAM, .width = NF_IS(NF_MEMBER(m), struct nf_gram), .help = __VA_ARGS__ }

/* A struct with a table of its own: in the struct, or pointed to by it. */
#define MAP_AS(k, m, r, ...)    { NF_ROW(k, m), .type = NF_FIELD_MAP, .width = sizeof NF_MEMBER(m), .of = &r, .help = __VA_ARGS__ }
#define MAP_AT(k, m, r, ...)    { NF_ROW(k, m), .type = NF_FIELD_MAP, .width = sizeof *NF_MEMBER(m), .pointer = true, .of = &r, .help = __VA_ARGS__ }

#define NF_POINTED(m, w) .pointer = true, .width = w, .stride = w
#define UINTS_AS(k, m, s, ...)  { NF_ROWS(k, m, s), .type = NF_FIELD_UINT, NF_POINTED(m, NF_UINT(*NF_MEMBER(m))), .help = __VA_ARGS__ }
#define REALS_AS(k, m, s, ...)  { NF_ROWS(k, m, s), .type = NF_FIELD_REAL, NF_POINTED(m, NF_REAL(*NF_MEMBER(m))), .help = __VA_ARGS__ }
#define TEXTS_AS(k, m, s, ...)  { NF_ROWS(k, m, s), .type = NF_FIELD_TEXT, NF_POINTED(m, NF_TEXT(*NF_MEMBER(m))), .help = __VA_ARGS__ }
#define BYTES_AS(k, m, s, ...)  { NF_ROWS(k, m, s), .type = NF_FIELD_BYTES, NF_POINTED(m, NF_TO(NF_MEMBER(m), struct nf_blob)), .help = __VA_ARGS__ }
#define MAPS_AS(k, m, r, s, ...)   { NF_ROWS(k, m, s), .type = NF_FIELD_MAP, NF_POINTED(m, sizeof *NF_MEMBER(m)), .of = &r, .help = __VA_ARGS__ }
#define TUPLES_AS(k, m, r, s, ...) { NF_ROWS(k, m, s), .type = NF_FIELD_TUPLE, NF_POINTED(m, sizeof *NF_MEMBER(m)), .of = &r, .help = __VA_ARGS__ }

#define UINTS_IN(k, m, s, ...)  { NF_ROWS(k, m, s), .type = NF_FIELD_UINT, NF_ROOM(m), .width = NF_UINT(*NF_MEMBER(m)), \
                                  .stride = sizeof *NF_MEMBER(m), .help = __VA_ARGS__ }
#define TEXTS_IN(k, m, s, ...)  { NF_ROWS(k, m, s), .type = NF_FIELD_TEXT, NF_ROOM(m), .width = NF_TEXT(*NF_MEMBER(m)), \
                                  .stride = sizeof *NF_MEMBER(m), .help = __VA_ARGS__ }

#define MAPS_IN(k, m, r, s, ...)   { NF_ROWS(k, m, s), .type = NF_FIELD_MAP, NF_ROOM(m), .width = sizeof *NF_MEMBER(m), \
                                     .stride = sizeof *NF_MEMBER(m), .of = &r, .help = __VA_ARGS__ }
#define TUPLES_IN(k, m, r, s, ...) { NF_ROWS(k, m, s), .type = NF_FIELD_TUPLE, NF_ROOM(m), .width = sizeof *NF_MEMBER(m), \
                                     .stride = sizeof *NF_MEMBER(m), .of = &r, .help = __VA_ARGS__ }

#define UINTS_OF(k, m, part, s, ...) { NF_ROWS(k, m, s), .type = NF_FIELD_UINT, NF_PART(m, part), .width = NF_UINT(NF_MEMBER(m)->part), \
                                       .help = __VA_ARGS__ }
#define REALS_OF(k, m, part, s, ...) { NF_ROWS(k, m, s), .type = NF_FIELD_REAL, NF_PART(m, part), .width = NF_REAL(NF_MEMBER(m)->part), \
                                       .help = __VA_ARGS__ }
#define GRAMS_OF(k, m, part, s, ...) { NF_ROWS(k, m, s), .type = NF_FIELD_GRAM, NF_PART(m, part), \
                                       .width = NF_IS(NF_MEMBER(m)->part, struct nf_gram), .help = __VA_ARGS__ }

#define TENSOR_AS(k, m, t, s, ...) { NF_ROW(k, m), .type = NF_FIELD_TENSOR, .dtype = NF_##t, .pointer = NF_VOID(NF_MEMBER(m)), .shape = s, \
                                     .help = __VA_ARGS__ }
#define ARRAY_AS(k, m, t, s, ...)  { NF_ROW(k, m), .type = NF_FIELD_ARRAY, .dtype = NF_##t, .pointer = true, .width = NF_TO_##t(NF_MEMBER(m)), \
                                     .shape = s, .help = __VA_ARGS__ }
#define ARRAY_IN(k, m, t, s, ...)  { NF_ROW(k, m), .type = NF_FIELD_ARRAY, .dtype = NF_##t, NF_ROOM(m), .width = NF_TO_##t(NF_MEMBER(m)), \
                                     .shape = s, .help = __VA_ARGS__ }
#define ANY(m, ...)                { NF_ROW(#m, m), .type = NF_FIELD_ANY, .width = NF_IS(NF_MEMBER(m), struct nf_tensor), .help = __VA_ARGS__ }

/* Limits that many rows share; computed cosines may be off by rounding. */
#define COSINE_RANGE .min = -1 - 1e-6, .max = 1 + 1e-6
#define IN_U32 .max = UINT32_MAX
#define REFERS(r, fields) .refers = &r, .beside = fields
#define LAYER UINT(layer, "layer, from 0", .below = "L", IN_U32)

#define SIZE(m, ...)         SIZE_AS(#m, m, __VA_ARGS__)
#define UINT(m, ...)         UINT_AS(#m, m, __VA_ARGS__)
#define REAL(m, ...)         REAL_AS(#m, m, __VA_ARGS__)
#define BOOL(m, ...)         BOOL_AS(#m, m, __VA_ARGS__)
#define VERDICT(m, ...)      VERDICT_AS(#m, m, __VA_ARGS__)
#define TEXT(m, ...)         TEXT_AS(#m, m, __VA_ARGS__)
#define NAME(m, ...)         NAME_AS(#m, m, __VA_ARGS__)
#define CHOICE(m, n, ...)    CHOICE_AS(#m, m, n, __VA_ARGS__)
#define SET(m, n, ...)       SET_AS(#m, m, n, __VA_ARGS__)
#define COUNTS(m, n, ...)    COUNTS_AS(#m, m, n, __VA_ARGS__)
#define GRAM(m, ...)         GRAM_AS(#m, m, __VA_ARGS__)
#define MAP(m, r, ...)       MAP_AS(#m, m, r, __VA_ARGS__)
#define UINTS(m, s, ...)     UINTS_AS(#m, m, s, __VA_ARGS__)
#define REALS(m, s, ...)     REALS_AS(#m, m, s, __VA_ARGS__)
#define TEXTS(m, s, ...)     TEXTS_AS(#m, m, s, __VA_ARGS__)
#define BYTES(m, s, ...)     BYTES_AS(#m, m, s, __VA_ARGS__)
#define MAPS(m, r, s, ...)   MAPS_AS(#m, m, r, s, __VA_ARGS__)
#define TUPLES(m, r, s, ...) TUPLES_AS(#m, m, r, s, __VA_ARGS__)
#define TENSOR(m, t, s, ...) TENSOR_AS(#m, m, t, s, __VA_ARGS__)
#define ARRAY(m, t, s, ...)  ARRAY_AS(#m, m, t, s, __VA_ARGS__)
/* clang-format on */

/* The rest of a record's table, behind RECORD("type", rows, "help"): .check and, where the struct has one, .mem = NF_MEM. */
#define NF_MEM 1 + offsetof(REC, mem)
#define RECORD(t, rows, ...)                                                                                                       \
    {                                                                                                                              \
        .type = t, .field = rows, .n = sizeof rows / sizeof *rows, .size = sizeof(REC), .help = __VA_ARGS__                        \
    }

#endif
