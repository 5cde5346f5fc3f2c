/*
 * json.h - JSON text by jansson, with a defined failure when memory runs out.
 *
 * jansson 2.14 reports a lack of memory as a syntax error, and where its text buffer cannot grow it writes beyond a string.
 */
#ifndef NF_BASE_JSON_H
#define NF_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

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

/*
 * nf_json_parse - the same with a message, and of what Python's json reads.
 *
 *   what   names the text in the message
 *
 * An integer beyond 64 bits becomes a real, a real beyond a double the largest; NaN and Infinity become strings of that name, so that only
 * who needs the number finds that it is none; half a surrogate pair, or NUL in a key, U+FFFD.
 *
 * NULL: NF_EFORMAT with the line; NF_EFORMAT: a Git LFS pointer; NF_ESYS.
 */
json_t *nf_json_parse(const void *text, size_t n, size_t flags, const char *what, struct nf_err *err);

/*
 * nf_json_starved - whether any value lacked memory since the program began, and may be incomplete.  Who builds a value need not look at
 * every step; who writes it out asks here first, as the stream's writer does.
 */
bool nf_json_starved(void);

#if JANSSON_VERSION_HEX < 0x020e00   /* Ubuntu 22.04: keys end with NUL */
static inline json_t *json_object_getn(const json_t *object, const char *key, size_t n)
{
    char *k = strndup(key, n);
    json_t *v = k ? json_object_get(object, k) : NULL;

    free(k);
    return v;
}

static inline int json_object_setn_new(json_t *object, const char *key, size_t n, json_t *v)
{
    char *k = strndup(key, n);
    int rc = k ? json_object_set_new(object, k, v) : -1;

    if (!k)
        json_decref(v);
    free(k);
    return rc;
}
#endif

#endif
