/*
 * jsonl.h - members of a JSON line by their path, without building the line's value: memory is that of the line.
 *
 * A path names a member, or members of members with dots between them: "meta.pile_set_name".  A member whose own name has the dots goes
 * first.  Of a member that stands twice the last one counts, as in Python's json.
 */
#ifndef NF_TOKEN_JSONL_H
#define NF_TOKEN_JSONL_H

#include <stdbool.h>
#include <stddef.h>

enum nf_jsonl { NF_JSONL_FOUND, NF_JSONL_BAD, NF_JSONL_NO_OBJECT, NF_JSONL_ABSENT };

/* A string of the line. */
struct nf_jsonl_text {
    const char *text; /* as written, for nf_json_decode() */
    size_t n;
    const char *why; /* NF_JSONL_BAD: what was expected, */
    size_t at; /* and at which byte */
};

/* nf_jsonl_find - the string at `path`; NF_JSONL_ABSENT: there is none, or what is there is no string.  The whole line is checked. */
enum nf_jsonl nf_jsonl_find(const void *line, size_t n, const char *path, struct nf_jsonl_text *out);

#endif
