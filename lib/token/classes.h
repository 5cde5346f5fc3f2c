/*
 * classes.h - how transformers 5 builds a tokenizer that AutoTokenizer loads.
 *
 * The class comes from tokenizer_config.json, config.json and the family.  Most are plain: tokenizer.json is taken as it is.  Some build
 * their tokenizer anew, from the vocabulary and merges of tokenizer.json (or of vocab.json and merges.txt) with a normalizer and a
 * pre-tokenizer of their own; of the rest of tokenizer.json only the post_processor is used.
 *
 * Source: transformers 5.24, models/auto/tokenization_auto.py, and the tokenization_*.py of each class.
 */
#ifndef NF_TOKEN_CLASSES_H
#define NF_TOKEN_CLASSES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

/* A class that builds its tokenizer anew. */
struct nf_class {
    const char *name;
    const char *model; /* flags of the model in tokenizer.json's words, an object */
    const char *normalizer; /* likewise; "null" */
    const char *pre_tokenizer; /* "%s" stands for add_prefix_space or for prepend_scheme */
    const char *specials; /* special tokens that it has unless tokenizer_config.json says otherwise, an object */
    bool scheme; /* %s is Metaspace's prepend_scheme */
    bool legacy; /* which "legacy" makes "always" of; otherwise it is "first" */
    bool space; /* add_prefix_space unless it is said */
    bool unk; /* the model has the unk token */
    bool own_bos; /* BOS is not taken from tokenizer.json: there is none, */
    bool always_bos; /* or there always is */
    bool again; /* every special token is added again, with plain flags */
    bool files; /* it is also built from vocab.json and merges.txt */
};

/* What decides. */
struct nf_class_choice {
    const json_t *config; /* tokenizer_config.json; NULL: none */
    const json_t *model; /* config.json; NULL: none */
    bool byte_level; /* "ByteLevel" stands somewhere in tokenizer.json */
};

/*
 * nf_class_choose - the class that AutoTokenizer takes.
 *
 *   name   out [size]: its name, for messages; "": a plain one without a name
 *
 * Returns it, or NULL: a plain one; *foreign: one that builds its tokenizer anew and is not in the table.
 */
const struct nf_class *nf_class_choose(const struct nf_class_choice *c, char *name, size_t size, bool *foreign);

/* nf_class_named - the class by its name, or NULL. */
const struct nf_class *nf_class_named(const char *name);

/* nf_class_parts - normalizer, pre_tokenizer and the flags of the model as this class has them; new reference; NULL: out of memory. */
json_t *nf_class_parts(const struct nf_class *c, const json_t *config);

#endif
