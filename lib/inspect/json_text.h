/*
 * json_text.h - any msgpack object as JSON text (RFC 8259), straight to a file: the ndjson form of stream-dump.
 *
 *   tensor        nested lists, as deep as its shape; NaN and infinities null
 *   bytes (bin)   a string: UTF-8 as it is, control characters, backslash and bytes that are no UTF-8 escaped as nf_utf8_show() does
 *   str           a string, the same characters; bytes that are no UTF-8 escaped as above
 *   map           an object; keys that are no text as the text of their value
 */
#ifndef NF_INSPECT_JSON_TEXT_H
#define NF_INSPECT_JSON_TEXT_H

#include <stdio.h>

#include <msgpack.h>

/* Failures of `f` are for the caller to see: ferror(). */
void nf_json_text(FILE *f, const msgpack_object *o);

#endif
