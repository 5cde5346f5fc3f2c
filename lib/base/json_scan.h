/*
 * json_scan.h - JSON text read from front to back as Python's json reads it; nothing is built, memory does not grow with it.
 *
 * Accepted beyond RFC 8259, as there: NaN, Infinity, -Infinity, numbers of any size, lone surrogates (\ud83d), a member that stands twice.
 */
#ifndef NF_BASE_JSON_SCAN_H
#define NF_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum nf_json_event {
    NF_JSON_BEGIN_OBJECT,
    NF_JSON_END_OBJECT,
    NF_JSON_BEGIN_ARRAY,
    NF_JSON_END_ARRAY,
    NF_JSON_KEY,        /* text: between its quotes, as written; the value comes next */
    NF_JSON_STRING,     /* likewise */
    NF_JSON_NUMBER,     /* text: the number */
    NF_JSON_NO_NUMBER,  /* text: NaN, Infinity or -Infinity */
    NF_JSON_CONSTANT,   /* text: true, false or null */
    NF_JSON_END,        /* the value is complete, and nothing but blanks follows */
    NF_JSON_BAD,        /* text: where; `why` says what was expected */
};

enum { NF_JSON_DEPTH = 2048 };

struct nf_json_scan {
    const char *p, *end;        /* what has not been read */
    const char *text;           /* of the last event */
    size_t n;
    const char *why;
    size_t depth;               /* objects and arrays that are open */
    uint64_t object[NF_JSON_DEPTH / 64];   /* a bit a level: it is an object */
    bool after_value, after_key;
};

void nf_json_scan_init(struct nf_json_scan *s, const void *text, size_t n);

/* nf_json_next - the next event.  After NF_JSON_END and NF_JSON_BAD the same again. */
enum nf_json_event nf_json_next(struct nf_json_scan *s);

/* nf_json_skip - after NF_JSON_KEY: the whole value behind it.  Returns its last event, or NF_JSON_BAD. */
enum nf_json_event nf_json_skip(struct nf_json_scan *s);

/*
 * nf_json_decode - append the characters that a string of the scan stands for.
 *
 *   lone   out: how many surrogates without their other half; each becomes U+FFFD
 */
int nf_json_decode(const char *text, size_t n, struct nf_bytes *out, size_t *lone, struct nf_err *err);

#endif
