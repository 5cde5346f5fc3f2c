/*
 * tokenizer.h - a model's own tokenizer, read from its directory as Hugging Face stores one.
 *
 *   | type              | models                                      | how a piece becomes tokens                                        |
 *   |-------------------|---------------------------------------------|-------------------------------------------------------------------|
 *   | byte-level-bpe    | GPT-2, OPT, GPT-NeoX, Llama 3, Qwen, BLOOM  | merges from its bytes; the vocabulary is written in GPT-2's alphabet |
 *   | sentencepiece-bpe | Llama 2, Mistral, Phi-3, Gemma              | merges from its characters; blanks are written U+2581; a character |
 *   |                   |                                             | without a token as the tokens <0xNN> of its bytes, or as unk      |
 *   | unigram           | T5, XGLM                                    | the most probable cut                                             |
 *   | wordpiece         | BERT                                        | the longest tokens from left to right                             |
 *
 * What lies in the directory, and what goes first, is as transformers 5 loads it with AutoTokenizer (classes.h):
 *
 *   tokenizer.json             how text is cut and merged, BOS; some classes of transformers take only vocabulary, merges and BOS from it
 *   vocab.json, merges.txt     without tokenizer.json, for the classes that are built from them
 *   tokenizer_config.json, special_tokens_map.json, added_tokens.json
 *                              (each optional) the class, added tokens and their flags, special tokens; BOS without tokenizer.json
 *   config.json                (optional) the family, the longest window, the id of BOS where nothing else names it
 *
 * The bytes of a token (vocab) are the text it stands for: of a sentencepiece-bpe and unigram U+0020 for each U+2581, and the byte for
 * <0xNN>.  The bytes of the tokens of a text are the text, but for what normalizers change, what pre-tokenizers leave out or put in front,
 * unk tokens, and blanks that an added token takes in.  An id that no token has is special, and shown as <id>.
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
#include "token/step.h"
#include "token/unigram.h"
#include "token/vocab.h"
#include "token/whole.h"
#include "token/wordpiece.h"

/* How a piece becomes tokens. */
enum nf_model { NF_MODEL_BPE_BYTES, NF_MODEL_BPE_CHARS, NF_MODEL_UNIGRAM, NF_MODEL_WORDPIECE };

enum { NF_AFTER_MAX = 4 };

struct nf_tokenizer {
    struct nf_vocab vocab;
    struct nf_text_steps normalizers, pre_tokenizers;
    enum nf_model model;
    bool byte_level; /* the vocabulary is written in GPT-2's alphabet */
    struct nf_bpe bpe; /* the first two models */
    struct nf_chars *chars; /* NF_MODEL_BPE_CHARS; NULL otherwise */
    struct nf_whole whole; /* with ignore_merges: pieces that are tokens as they stand; otherwise empty */
    struct nf_unigram *unigram; /* NF_MODEL_UNIGRAM; NULL otherwise */
    struct nf_wordpiece wordpiece;
    struct nf_added added; /* every added token, in the order of their adding */
    bool split_special; /* the model's own tokenizer takes names of special tokens for text */
    int64_t bos_id; /* -1: the tokenizer names none */
    bool bos_auto; /* the model's own tokenizer puts BOS in front of a text */
    uint32_t after[NF_AFTER_MAX]; /* what it puts behind one: EOS */
    size_t n_after;
    size_t context; /* the longest window of the model by its config.json; 0: not known */
    struct nf_bytes notes; /* lines, each ended by \n: where files disagree, and which of them went first.  Ended by NUL */
    char digest[NF_DIGEST_HEX];
};

/*
 * nf_tokenizer_open - read the tokenizer of the model in `dir`.
 *
 *   NF_ESYS     a file cannot be read, memory
 *   NF_EFORMAT  no tokenizer there (with what makes one); not JSON; two tokens with one id; no token for some printable ASCII byte
 *               (byte-level); a merge of or into an unknown token; components that are not implemented (all of them in one message)
 *
 * Returns the tokenizer (caller: nf_tokenizer_close()), or NULL.  It is not changed by use: threads may share it.
 *
 * digest: SHA-256 over tokens, merges, steps and added tokens in a canonical form, so that the same tokenizer has the same digest whichever
 * files it was read from.  The BOS policy is not part of it.
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
void nf_tokenizer_close(struct nf_tokenizer *t); /* accepts NULL */

const char *nf_tokenizer_type(const struct nf_tokenizer *t); /* the name of its kind */

#endif
