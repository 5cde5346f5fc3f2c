/*
 * text.h - a stream as text for people: the default form of stream-dump. Programs should not parse
 * it.
 *
 * A record is one line, `type field=value ...`; maps inside it are lines of their own, indented. Numbers are rounded to six digits, tensors are
 * shown as type[shape](first values), shares as k/n=p [lo..hi], and token ids also as the text they stand for.
 */
#ifndef NF_INSPECT_TEXT_H
#define NF_INSPECT_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include <jansson.h>
#include <msgpack.h>

#include "record/context.h"

/* nf_text_header - the header, one line an entry, one line a tool of the history. */
void nf_text_header(FILE *f, const json_t *header);

/*
 * nf_text_record - one record.
 *
 *   vocab   to show ids as text; may be empty
 *   values  how many values of an array or tensor are shown, and four times as many tokens of running text; 0: all
 */
void nf_text_record(FILE *f, const msgpack_object *rec, const struct nf_vocab *vocab, size_t values);

#endif
