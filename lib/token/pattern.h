/*
 * pattern.h - a regular expression as tokenizers write it, put as PCRE2 reads it.
 *
 * Tokenizers are written for Oniguruma (its own syntax, UTF-8, no options).  What the two engines read differently is spelled out:
 *
 *   | written              | becomes                                                                        |
 *   |----------------------|--------------------------------------------------------------------------------|
 *   | \s \w \b             | Unicode White_Space; letters, marks, decimal digits, connectors; its boundary  |
 *   | \d \h                | \p{Nd}; [0-9A-Fa-f]                                                            |
 *   | . ^ $ \Z             | by \n alone; ^ and $ are those of each line                                    |
 *   | [a[bc]] [a&&[^b]]    | alternatives and looking ahead                                                 |
 *   | x{1,3}+              | (?:x{1,3})+: in Oniguruma an interval is never possessive                      |
 *   | \p{Han} \p{Letter}   | \p{sc:Han}, \p{L}                                                              |
 *
 * Other constructs (back references, recursion, absent operator, \K, \G, \X, extended mode) are refused by name.
 */
#ifndef NF_TOKEN_PATTERN_H
#define NF_TOKEN_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"

/* Unicode property White_Space (PropList.txt); unchanged since Unicode 6.3.  For use in a class. */
#define NF_PATTERN_SPACES "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

/*
 * nf_pattern_translate - append what PCRE2 (UTF, UCP) is to compile, without NUL.
 *
 *   looks_behind   out: the pattern sees what comes before a match, or the start of the text
 *
 * NF_ESYS; NF_EFORMAT: not a pattern, or with something that is refused.
 */
int nf_pattern_translate(const char *pattern, struct nf_bytes *out, bool *looks_behind, struct nf_err *err);

/* nf_pattern_quote - append a pattern that matches these bytes as they stand. */
int nf_pattern_quote(const char *text, size_t n, struct nf_bytes *out, struct nf_err *err);

#endif
