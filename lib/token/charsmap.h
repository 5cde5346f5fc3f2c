/*
 * charsmap.h - SentencePiece's precompiled table of replacements, as tokenizer.json carries it ("Precompiled").
 *
 * A double-array trie from UTF-8 texts to replacements.  Looked up as Hugging Face tokenizers looks: a grapheme cluster of less than 6 bytes
 * as a whole, then its characters one by one; of the entries that are a prefix of what is looked up the shortest counts, and replaces all of
 * it.  Source: tokenizers, normalizers/precompiled.rs, and its crate spm_precompiled.
 */
#ifndef NF_TOKEN_CHARSMAP_H
#define NF_TOKEN_CHARSMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"

struct nf_charsmap;

/* nf_charsmap_open - from base64.  NF_ESYS; NF_EFORMAT: not base64, or not such a table. */
struct nf_charsmap *nf_charsmap_open(const char *base64, struct nf_err *err);
void nf_charsmap_close(struct nf_charsmap *m); /* accepts NULL */

/*
 * nf_charsmap_apply - text[0..n) with its replacements onto `out`.
 *
 *   last   the text ends here; false: a grapheme cluster that may go on is left
 *   used   out: bytes of `text` that were taken
 */
int nf_charsmap_apply(const struct nf_charsmap *m, const unsigned char *text, size_t n, bool last, struct nf_bytes *out,
                      size_t *used, struct nf_err *err);

#endif
