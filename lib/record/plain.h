/*
 * plain.h - a record as other programs like it: one type a field, and token ids with their text.
 *
 * A list [[id, id], c, n] of an n-gram becomes [id, id, c, n]; an integer that may also be a word becomes a str.  With a vocabulary the field
 * `ids` gets a neighbour `ids_text`: the text of each id; of n-grams, and of the last axis of a tensor, as one.
 */
#ifndef NF_RECORD_PLAIN_H
#define NF_RECORD_PLAIN_H

#include "record/context.h"

#define NF_BESIDE "_text"   /* behind the name of a field of ids */

/*
 * nf_plain_record - `rec` of type r, made plain.
 *
 *   vocab  NULL or empty: no text
 *   zone   holds what is new in `plain`; the rest is borrowed from `rec`.  NF_ESYS: memory
 */
int nf_plain_record(const struct nf_record *r, const msgpack_object *rec, const struct nf_vocab *vocab, msgpack_zone *zone,
                    msgpack_object *plain, struct nf_err *err);

/* nf_record_has_ids - does the field there hold token ids? */
bool nf_record_has_ids(const struct nf_record *r, const char *path);

#endif
