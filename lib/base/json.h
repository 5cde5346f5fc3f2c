/*
 * json.h - JSON text by jansson, safe where memory runs out.
 *
 * jansson 2.14 reports a lack of memory as a syntax error, and where its text buffer cannot grow it writes beyond a string.
 */
#ifndef NF_BASE_JSON_H
#define NF_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"

/*
 * nf_json_load - json_loadb() that stops where memory runs out.
 *
 *   why      out: the syntax error
 *   starved  out: NULL was returned for a lack of memory, `why` is not set; what was parsed so far is leaked
 *
 * New reference, or NULL.
 */
json_t *nf_json_load(const void *text, size_t n, size_t flags, json_error_t *why, bool *starved);

/* nf_json_parse - the same with a message: `what` names the text.  NULL: NF_EFORMAT with the line, or NF_ESYS. */
json_t *nf_json_parse(const void *text, size_t n, size_t flags, const char *what, struct nf_err *err);

#endif
