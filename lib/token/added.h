/*
 * added.h - tokens that are found in the text as they stand, before anything else looks at it: special tokens, runs of spaces.
 *
 * The leftmost match counts, and of those that begin there the longest, as in Hugging Face tokenizers.
 */
#ifndef NF_TOKEN_ADDED_H
#define NF_TOKEN_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct nf_added_token {
    char *text;        /* owned */
    size_t n;          /* > 0 */
    uint32_t id;
    bool special;      /* stands for no text of its own */
    bool normalized;   /* looked for after normalisation, in its own normalised form */
};

/* A set of tokens to look for. */
struct nf_added {
    struct nf_added_token *tokens;
    size_t n, cap;
    size_t longest;              /* bytes */
    size_t first[257];           /* tokens that begin with byte b: first[b] .. first[b+1]; made by nf_added_index() */
    unsigned char second[256][32];   /* bit b of row a: some token begins with the bytes a, b, or is a alone; likewise */
};

/* nf_added_add - copies the text.  A text that is there already keeps its id and takes the flags of the later one. */
int nf_added_add(struct nf_added *a, const struct nf_added_token *t, struct nf_err *err);
void nf_added_index(struct nf_added *a);   /* after the last add */
void nf_added_clear(struct nf_added *a);

/*
 * nf_added_find - the first token at or after text[from].
 *
 *   last   the text ends at n; false: a match that more text could make longer, or a start near the end, is left for later
 *   at     out: where the token begins; without a token, how far the text is known to hold none (at = n when last)
 *
 * Returns the token, or NULL.
 */
const struct nf_added_token *nf_added_find(const struct nf_added *a, const unsigned char *text, size_t n, size_t from, bool last,
                                           size_t *at);

#endif
