/*
 * pretok.h - cut text into the pieces within which tokens are merged, by a regular expression (PCRE2 with JIT).
 *
 * The pattern is the tokenizer's own, written for another engine; \s and \S are put as the Unicode property White_Space, which
 * PCRE2's own \s (it also takes U+180E) is not.  \p{..} follow the Unicode version of the PCRE2 library.
 */
#ifndef NF_TOKEN_PRETOK_H
#define NF_TOKEN_PRETOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Radford et al. 2019, the encoder of GPT-2: what a ByteLevel pre-tokenizer with use_regex stands for. */
#define NF_PRETOK_GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

struct nf_pretok;   /* compiled; shared by threads */

/*
 * nf_pretok_open - compile `pattern`.
 *
 * NF_EFORMAT: not a valid pattern, or one with a construct that engines read differently or that sees beyond the piece (anchors, looking
 * behind, \w, set operations in a class): refused by name.
 */
struct nf_pretok *nf_pretok_open(const char *pattern, struct nf_err *err);
void nf_pretok_close(struct nf_pretok *p);   /* accepts NULL */

const char *nf_pretok_unicode(void);         /* version of PCRE2's Unicode tables, "14.0.0" */

/* Where a thread keeps one match. */
struct nf_pretok_match;
struct nf_pretok_match *nf_pretok_match_open(const struct nf_pretok *p, struct nf_err *err);
void nf_pretok_match_close(struct nf_pretok_match *m);

/*
 * nf_pretok_next - the piece that begins at `from`.
 *
 *   text, n   valid UTF-8 (not checked)
 *   from      < n, at the start of a character
 *   last      the text ends at n; false: more follows, and a piece that more text could change is not given out
 *   end       out: the piece is text[from .. end); a stretch that the pattern does not match is a piece of its own
 *
 * Returns NF_OK; NF_EOF when `last` is false and it takes more text to tell; NF_ESYS, NF_EFORMAT (the match needs too much memory).
 */
int nf_pretok_next(const struct nf_pretok *p, struct nf_pretok_match *m, const unsigned char *text, size_t n, size_t from,
                   bool last, size_t *end, struct nf_err *err);

#endif
