/*
 * model_tokenizer.h - the tokenizer of a model: that of its directory, or the one in the metadata of a GGUF file.
 *
 * tokenizer.ggml.model  gpt2: byte-level-bpe; tokenizer.ggml.pre names the model whose pattern and normalizer cut the text
 *                       llama: sentencepiece-bpe; without merges, they are those of the scores, of Gemma those of the order of the tokens
 * tokenizer.ggml.token_type   3 control and 2 unknown: a special added token; 4 user-defined: an added token; 5 unused, named [PADn]: no token
 *
 * What the file does not say is as the original model has it, not as transformers reads GGUF: digits one by one for smollm, NFC for qwen2 and
 * olmo.  Flags of added tokens (lstrip, rstrip) are in no GGUF file.
 */
#ifndef NF_RUN_MODEL_TOKENIZER_H
#define NF_RUN_MODEL_TOKENIZER_H

#include <stdbool.h>

#include "base/err.h"
#include "token/tokenizer.h"

/* nf_model_has_tokenizer - whether the directory has tokenizer files; a GGUF file: whether it names one. */
bool nf_model_has_tokenizer(const char *dir, struct nf_err *err);

/*
 * nf_model_tokenizer - nf_tokenizer_open(), or the tokenizer of the GGUF file `dir`.
 *
 * NF_EFORMAT  besides: no tokenizer in the file; a model or a pre-tokenizer that is not known, or is not named and cannot be told from the
 *             architecture (named); lists of different lengths
 */
struct nf_tokenizer *nf_model_tokenizer(const char *dir, struct nf_err *err);

#endif
