/*
 * vocab.h - the bytes of every token, by id.
 */
#ifndef NF_TOKEN_VOCAB_H
#define NF_TOKEN_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Append-only; ids are 0, 1, .. in the order of nf_vocab_add(). */
struct nf_vocab {
    size_t V;
    unsigned char *bytes; /* all tokens, one after the other */
    size_t *offset; /* [V+1] into bytes */
    bool *special; /* [V] stands for no bytes of text; its bytes are its name */
    size_t bytes_cap, offset_cap, special_cap;
};

int nf_vocab_add(struct nf_vocab *v, const void *bytes, size_t n, struct nf_err *err);

/* The bytes of token id < V; borrowed. */
const unsigned char *nf_vocab_bytes(const struct nf_vocab *v, uint32_t id, size_t *n);

/*
 * nf_vocab_show - the token as printable UTF-8 in buf, NUL-terminated, cut at size: control characters and bytes that are no UTF-8 as
 * \n, \t, \xNN; a backslash as \\.  An id >= V is shown as <id>.  Returns buf.
 */
char *nf_vocab_show(const struct nf_vocab *v, uint32_t id, char *buf, size_t size);

void nf_vocab_clear(struct nf_vocab *v); /* a zeroed struct is an empty vocabulary */

#endif
