/*
 * sources.h - the JSON that a tokenizer is made of.  Private to lib/token.
 */
#ifndef NF_TOKEN_SOURCES_H
#define NF_TOKEN_SOURCES_H

#include "token/load.h"

/* NULL: absent.  From memory only root and config. */
struct nf_sources {
    json_t *root; /* tokenizer.json; without one {"model": {"vocab", "merges"}} of vocab.json and merges.txt */
    json_t *config; /* tokenizer_config.json */
    json_t *special; /* special_tokens_map.json */
    json_t *added; /* added_tokens.json */
    json_t *model; /* config.json */
    const struct nf_class *class; /* that builds the tokenizer anew; NULL: root is taken as it is */
};

/* nf_load_directory - find the files in l->dir, and load what they hold.  nf_load_sources - load what was found. */
int nf_load_directory(struct nf_load *l);
int nf_load_sources(struct nf_load *l, const struct nf_sources *s);

#endif
