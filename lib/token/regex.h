/*
 * regex.h - where a tokenizer's pattern matches in text that arrives in pieces: PCRE2 with JIT.
 *
 * \p{..} follow the Unicode version of the PCRE2 library; pattern.h says how a pattern is read.
 */
#ifndef NF_TOKEN_REGEX_H
#define NF_TOKEN_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Radford et al. 2019, the encoder of GPT-2: what a ByteLevel pre-tokenizer with use_regex stands for. */
#define NF_REGEX_GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

struct nf_regex;   /* compiled; shared by threads */

/* nf_regex_open - compile `pattern`.  NF_ESYS; NF_EFORMAT: not a pattern, or with something that is not implemented (named). */
struct nf_regex *nf_regex_open(const char *pattern, struct nf_err *err);
struct nf_regex *nf_regex_open_text(const char *text, size_t n, struct nf_err *err);   /* these bytes as they stand; n > 0 */
void nf_regex_close(struct nf_regex *r);                                               /* accepts NULL */

/* nf_regex_behind - how many characters before a match the pattern may look at; of the text before them it sees nothing. */
size_t nf_regex_behind(const struct nf_regex *r);

const char *nf_regex_unicode(void);   /* version of PCRE2's Unicode tables, "14.0.0" */

/* Where a thread keeps one match. */
struct nf_regex_match;
struct nf_regex_match *nf_regex_match_open(const struct nf_regex *r, struct nf_err *err);
void nf_regex_match_close(struct nf_regex_match *m);

/*
 * nf_regex_find - the first match at or after `from`.
 *
 *   text, n   valid UTF-8 (not checked), from the start of the sequence or at least nf_regex_behind() characters before `from`
 *   from      at the start of a character, or n
 *   last      the text ends at n; false: more follows, and a match that more text could change is not given out
 *   start     out: where the match begins; without one, up to where it is certain that none begins
 *   end       out: where it ends; may be `start`
 *
 * Returns NF_OK; NF_EOF: no match, or, when `last` is false, none that is certain; NF_ESYS; NF_EFORMAT (the match needs too much memory).
 */
int nf_regex_find(const struct nf_regex *r, struct nf_regex_match *m, const unsigned char *text, size_t n, size_t from, bool last,
                  size_t *start, size_t *end, struct nf_err *err);

#endif
