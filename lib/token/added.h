/*
 * added.h - tokens that are found in the text as they stand, before anything else looks at it: special tokens, runs of spaces.
 *
 * The leftmost match counts, and of those that begin there the longest; the search goes on behind it.  As in Hugging Face tokenizers a
 * match that is turned down (in the middle of a word, or a special token's name that is to be text) still hides what begins inside it.
 */
#ifndef NF_TOKEN_ADDED_H
#define NF_TOKEN_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct nf_added_token {
    char *text; /* owned */
    size_t n; /* > 0 */
    uint32_t id;
    bool special; /* stands for no text of its own */
    bool normalized; /* looked for after normalisation, in its own normalised form */
    bool single_word; /* only where neither neighbour is a word character */
    bool lstrip; /* White_Space before it belongs to it */
    bool rstrip; /* White_Space behind it too */
};

/* A set of tokens to look for. */
struct nf_added {
    struct nf_added_token *tokens;
    size_t n, cap;
    size_t longest; /* bytes */
    bool any_word, any_lstrip; /* some token has single_word; lstrip */
    size_t first[257]; /* tokens that begin with byte b: first[b] .. first[b+1]; made by nf_added_index() */
    unsigned char second[256][32]; /* bit b of row a: some token begins with the bytes a, b, or is a alone; likewise */
};

/* nf_added_add - copies the text.  NF_ESYS. */
int nf_added_add(struct nf_added *a, const struct nf_added_token *t, struct nf_err *err);

/* nf_added_index - after the last add: sorts them.  Of tokens with one text the one added last stays.  NF_ESYS. */
int nf_added_index(struct nf_added *a, struct nf_err *err);
void nf_added_clear(struct nf_added *a);

/* A search in one sequence that arrives in pieces.  Offsets count from the p of the call. */
struct nf_added_scan {
    const struct nf_added *set;
    bool text_only; /* names of special tokens are text */
    size_t at; /* text before it was used */
    size_t from; /* where to look for the next token */
    bool begun; /* a part of the text that is open was given out */
    bool offered; /* it was given out in this call as far as it is certain */
    const struct nf_added_token *token; /* found, to be given out behind the text before it */
    size_t token_end, token_stop; /* its own end; with White_Space behind it */
    bool token_empty; /* nothing is left of it: it counts for nothing */
};

/* A stretch of text, or a token. */
struct nf_added_part {
    const struct nf_added_token *token; /* NULL: text */
    size_t from, n; /* the text p[from .. from + n) */
    bool whole; /* the text ends there */
};

/*
 * nf_added_next - the next part of the sequence; used like nf_cut_next() of cut.h.
 *
 *   p, n   whole characters, or bytes that are none; the sequence from where nf_added_used() said
 *   ends   the sequence ends at n
 *
 * NF_OK; NF_EOF: no more of it is certain, or the end.
 */
int nf_added_next(struct nf_added_scan *s, const unsigned char *p, size_t n, bool ends, struct nf_added_part *part);
void nf_added_took(struct nf_added_scan *s, size_t n, bool whole);
size_t nf_added_used(struct nf_added_scan *s, const unsigned char *p);
void nf_added_reset(struct nf_added_scan *s); /* the next call begins a sequence */

#endif
