/*
 * encoder.h - text in, token ids out, in pieces of any size: the ids do not depend on how the text was cut for the calls.
 *
 * Valid UTF-8 gives the ids of Hugging Face tokenizers.  A byte that is no part of a valid character keeps its own value and is cut from
 * its neighbours, in a byte-level BPE as the control character U+0001 would be (neither letter, digit nor space), in one of characters
 * as its token <0xNN>, or the unk token: tokens stand for exactly the bytes of the text, with the exceptions in tokenizer.h.
 */
#ifndef NF_TOKEN_ENCODER_H
#define NF_TOKEN_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "token/tokenizer.h"

/* Growing array of ids; the caller empties it with n = 0. */
struct nf_ids {
    uint32_t *ids;
    size_t n, cap;
};
int nf_ids_add(struct nf_ids *a, const uint32_t *ids, size_t n, struct nf_err *err); /* NF_OK or NF_ESYS */
void nf_ids_clear(struct nf_ids *a);

struct nf_encoder;

/*
 * nf_encoder_open - an encoder of one thread; several may share a tokenizer, which must outlive them.
 *
 *   parse_special  a special token's name in the text is that token (the default of Hugging Face tokenizers); false: it is text.
 *                  Added tokens that are not special are found either way.
 */
struct nf_encoder *nf_encoder_open(const struct nf_tokenizer *t, bool parse_special, struct nf_err *err);

/*
 * nf_encode - take the next n bytes of a text and append the ids that are certain.
 *
 *   last   the text ends with these bytes (n may be 0): all ids are put out, and the next call begins another text
 *
 * NF_ESYS     memory
 * NF_EFORMAT  a run of more than NF_BPE_PIECE_MAX bytes that the pre-tokenizer does not cut: its exact tokens would need memory that
 *             grows with it
 * After a failure the encoder can only be closed.
 */
int nf_encode(struct nf_encoder *e, const void *text, size_t n, bool last, struct nf_ids *out, struct nf_err *err);

/* nf_encoder_specials - how many special tokens were found in texts so far. */
uint64_t nf_encoder_specials(const struct nf_encoder *e);

void nf_encoder_close(struct nf_encoder *e); /* accepts NULL */

#endif
