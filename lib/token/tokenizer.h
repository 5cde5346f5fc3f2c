/*
 * tokenizer.h - a model's own tokenizer, read from its directory as Hugging Face stores one.
 *
 *   tokenizer.json                     where present, alone decides how text is cut and merged; otherwise
 *   vocab.json, merges.txt             byte-level BPE with GPT-2's pattern
 *   tokenizer_config.json, special_tokens_map.json, added_tokens.json
 *                                      (each optional) which tokens are special, which is BOS, whether it is put in front
 *   config.json                        (optional) the family, the longest window, the id of BOS where nothing else names it
 *
 * Byte-level BPE: any bytes have tokens, and the bytes of the tokens of a text are the text (after NFC where the tokenizer
 * normalises).  A component of tokenizer.json that is not implemented is refused by name.
 */
#ifndef NF_TOKEN_TOKENIZER_H
#define NF_TOKEN_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "token/added.h"
#include "token/bpe.h"
#include "token/pretok.h"
#include "token/vocab.h"

struct nf_tokenizer {
    struct nf_vocab vocab;       /* every id has a token; added tokens hold their text */
    struct nf_bpe bpe;
    struct nf_pretok *pretok;
    bool nfc;                    /* text is put into NFC first */
    struct nf_added added;       /* every added token */
    int64_t bos_id;              /* -1: the tokenizer names none */
    bool bos_auto;               /* the model's own tokenizer puts BOS in front of a text */
    size_t context;              /* the longest window of the model by its config.json; 0: not known */
    char digest[NF_DIGEST_HEX];
};

/*
 * nf_tokenizer_open - read the tokenizer of the model in `dir`.
 *
 *   NF_ESYS     a file cannot be read, memory
 *   NF_EFORMAT  no tokenizer there; not JSON; two tokens with one id, an id without token, no token for some printable ASCII byte,
 *               a merge of or into an unknown token; a component that is not implemented
 *
 * Returns the tokenizer (caller: nf_tokenizer_close()), or NULL.  It is not changed by use: threads may share it.
 *
 * digest: SHA-256 over tokens, merges, pattern, normalisation and added tokens in a canonical form, so that the same tokenizer has the
 * same digest whichever files it was read from.  The BOS policy is not part of it.
 */
struct nf_tokenizer *nf_tokenizer_open(const char *dir, struct nf_err *err);
void nf_tokenizer_close(struct nf_tokenizer *t);   /* accepts NULL */

#endif
