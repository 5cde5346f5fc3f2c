/*
 * load.h - what the readers of tokenizer.json and of vocab.json + merges.txt hand to nf_tokenizer_open().  Private to lib/token.
 */
#ifndef NF_TOKEN_LOAD_H
#define NF_TOKEN_LOAD_H

#include <jansson.h>

#include "token/tokenizer.h"

enum { NF_TOKEN_ID_MAX = (1 << 24) - 1 };

struct nf_load {
    const char *dir;         /* the directory, or the name that stands for it in messages */
    bool memory;             /* no files: the JSON was handed over */
    json_t *own_config;      /* then what stands for tokenizer_config.json; NULL: none; borrowed */
    struct nf_tokenizer *t;
    json_t *vocab;           /* token as written (byte-level alphabet; U+2581 for blanks) to id */
    const char *pattern;     /* of the pre-tokenizer; borrowed from the JSON, or a constant; NULL: a BPE of characters */
    const char *unk;         /* model.unk_token, borrowed; NULL: none */
    bool byte_fallback;      /* model.byte_fallback; the next two likewise */
    bool fuse_unk, ignore_merges;
    bool split;              /* Metaspace's */
    bool template_bos;       /* tokenizer.json's post-processor puts bos_id in front */
    bool files;              /* read from vocab.json + merges.txt */
    struct nf_err *err;
};

/* nf_load_json - parse dir/name; NULL with err untouched when there is no such file, NULL with err set when it is not a JSON object. */
json_t *nf_load_json(struct nf_load *l, const char *name);

int nf_load_vocab(struct nf_load *l, const char *file, json_t *vocab);   /* checks that it maps texts to ids */
int nf_load_merge(struct nf_load *l, const char *file, size_t rank, const char *left, size_t left_n, const char *right,
                  size_t right_n);

/* nf_load_added - a text, or an object with content and flags; id -1: the one it has in the vocabulary, or else the next. */
int nf_load_added(struct nf_load *l, const char *file, const json_t *token, int64_t id);
int64_t nf_load_id(const struct nf_load *l, const char *text, size_t n);   /* -1: not a token */

int nf_load_tokenizer_json(struct nf_load *l, json_t *root);
int nf_load_vocab_merges(struct nf_load *l);
int nf_load_config(struct nf_load *l);   /* special tokens, BOS, context; after one of the two above */

#endif
