/*
 * format.h - what a file is, by its first bytes, where it is no text.
 */
#ifndef NF_TOKEN_FORMAT_H
#define NF_TOKEN_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * nf_format_name - the format of a file that begins with p[0..n).
 *
 * Returns "a Parquet file" and the like, NULL: none that is known.  Letters alone are no evidence: where a format begins with some, what
 * follows them must be no text.
 */
const char *nf_format_name(const unsigned char *p, size_t n);

/* nf_format_has_nul - some byte is 0, which no text has. */
bool nf_format_has_nul(const unsigned char *p, size_t n);

#endif
