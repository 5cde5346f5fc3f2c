/*
 * tokenizer.h - a model's own tokenizer, read from its directory as Hugging Face stores one.
 *
 * Two kinds, both byte-pair encodings:
 *
 *   byte-level-bpe      GPT-2, OPT, GPT-NeoX, CodeGen, Llama 3, Qwen: from bytes, within the pieces into which a pattern cuts the text
 *   sentencepiece-bpe   Llama 2, Mistral: from characters, over the whole text, blanks written as U+2581; a character without a token as
 *                       the tokens <0xNN> of its bytes (byte_fallback), or as the unk token
 *
 *   tokenizer.json                     where present, alone decides how text is cut and merged; otherwise
 *   vocab.json, merges.txt             byte-level BPE with GPT-2's pattern
 *   tokenizer_config.json, special_tokens_map.json, added_tokens.json
 *                                      (each optional) which tokens are special, which is BOS, whether it is put in front
 *   config.json                        (optional) the family, the longest window, the id of BOS where nothing else names it
 *
 * The bytes of a token (vocab) are the text it stands for: of a sentencepiece-bpe U+0020 for each U+2581, and the byte for <0xNN>.  The
 * bytes of the tokens of a text are the text, but for NFC where the tokenizer normalises, and in a sentencepiece-bpe for U+2581 in the
 * text, which comes out as the blank it is taken for, unk tokens, and the blank in front: one that such a tokenizer puts before the text,
 * or each segment between added tokens, belongs to the token that it is part of like any other.
 *
 * A component of tokenizer.json that is not implemented is refused by name.
 */
#ifndef NF_TOKEN_TOKENIZER_H
#define NF_TOKEN_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"
#include "token/added.h"
#include "token/bpe.h"
#include "token/chars.h"
#include "token/pretok.h"
#include "token/vocab.h"
#include "token/whole.h"

/* Metaspace's prepend_scheme: a segment that begins with no blank gets one in front. */
enum nf_front { NF_FRONT_NEVER, NF_FRONT_FIRST, NF_FRONT_ALWAYS };   /* FIRST: only where the segment begins the text */

struct nf_tokenizer {
    struct nf_vocab vocab;      /* every id has a token; added tokens hold their text */
    struct nf_bpe bpe;
    struct nf_pretok *pretok;   /* byte-level-bpe; NULL otherwise */
    struct nf_whole whole;      /* byte-level-bpe with ignore_merges: the pieces that are tokens; otherwise empty */
    struct nf_chars *chars;     /* sentencepiece-bpe; NULL otherwise */
    enum nf_front front;        /* of sentencepiece-bpe, in the pre-tokenizer */
    bool nfc;                   /* normaliser: text is put into NFC */
    bool prepend, replace;      /* normaliser of sentencepiece-bpe: a blank before each segment; U+2581 for U+0020 */
    struct nf_added added;      /* every added token */
    int64_t bos_id;             /* -1: the tokenizer names none */
    bool bos_auto;              /* the model's own tokenizer puts BOS in front of a text */
    size_t context;             /* the longest window of the model by its config.json; 0: not known */
    char digest[NF_DIGEST_HEX];
};

/*
 * nf_tokenizer_open - read the tokenizer of the model in `dir`.
 *
 *   NF_ESYS     a file cannot be read, memory
 *   NF_EFORMAT  no tokenizer there; not JSON; two tokens with one id, an id without token, no token for some printable ASCII byte
 *               (byte-level) or some byte (byte_fallback), a merge of or into an unknown token; a component that is not implemented
 *
 * Returns the tokenizer (caller: nf_tokenizer_close()), or NULL.  It is not changed by use: threads may share it.
 *
 * digest: SHA-256 over tokens, merges, pattern, normalisation and added tokens in a canonical form, so that the same tokenizer has the
 * same digest whichever files it was read from.  The BOS policy is not part of it.
 */
struct nf_tokenizer *nf_tokenizer_open(const char *dir, struct nf_err *err);

/*
 * nf_tokenizer_from_json - the same from memory, for a model whose tokenizer is not in files of its own (GGUF).
 *
 *   name    stands in messages where the directory would
 *   json    an object as in tokenizer.json: model, added_tokens, normalizer, pre_tokenizer, post_processor.  It decides how text is cut;
 *           a BPE by SentencePiece's scores takes its merges from nf_merges_from_scores()
 *   config  an object as in tokenizer_config.json, NULL: none.  bos_token names BOS; add_bos_token, where present, goes before the
 *           template in json.post_processor
 *
 * Both stay the caller's and are not changed.  context is 0: no config.json is read.  Failures as above.
 */
struct nf_tokenizer *nf_tokenizer_from_json(const char *name, json_t *json, json_t *config, struct nf_err *err);
void nf_tokenizer_close(struct nf_tokenizer *t);   /* accepts NULL */

const char *nf_tokenizer_type(const struct nf_tokenizer *t);   /* the name of its kind */

#endif
