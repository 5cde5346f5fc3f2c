/*
 * load.h - what the readers of a tokenizer's files share.  Private to lib/token.
 */
#ifndef NF_TOKEN_LOAD_H
#define NF_TOKEN_LOAD_H

#include "token/classes.h"
#include "token/tokenizer.h"

enum { NF_TOKEN_ID_MAX = (1 << 24) - 1 };

struct nf_load {
    const char *dir; /* the directory, or the name that stands for it in messages */
    struct nf_tokenizer *t;
    json_t *vocab; /* token as written (byte-level alphabet; U+2581 for blanks) to id */
    size_t model_size; /* what tokenizers calls the size of the vocabulary: new tokens come behind it */
    const char *unk; /* model.unk_token, borrowed; NULL: none */
    bool byte_fallback; /* model.byte_fallback; the next two likewise */
    bool fuse_unk, ignore_merges;
    char *own_unk; /* unk's memory */
    bool files; /* there is no tokenizer.json: vocab.json and merges.txt */
    bool memory; /* no files: the JSON was handed over */
    bool post_processor; /* tokenizer.json has one */
    bool template_bos; /* it puts bos_id in front */
    json_t *known; /* text of an added token to its place in t->added */
    int64_t highest; /* id of an added token; -1: none yet */
    size_t listed; /* added tokens before those that only have a name */
    struct nf_bytes refused; /* what is not implemented, "a; b"; ended by NUL */
    struct nf_err *err;
};

/*
 * nf_load_json - parse dir/name.
 *
 * NULL with err untouched when there is no such file; with err set when it is a link to nothing (NF_ESYS), a Git LFS pointer, or no JSON
 * object (NF_EFORMAT).
 */
json_t *nf_load_json(struct nf_load *l, const char *name);

/* nf_load_refuse - note that "part name" is not implemented and go on: NF_OK, so that all refusals come in one message; or NF_ESYS. */
int nf_load_refuse(struct nf_load *l, const char *part, const char *name);
int nf_load_refusals(struct nf_load *l, const char *file); /* NF_EFORMAT with all of them, if there were any */

/* nf_load_note - one line for t->notes. */
int nf_load_note(struct nf_load *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* JSON of tokenizers: NULL, false, 0 and "" switch a field off; the "type" of a component ("without a type"); a text and nothing else. */
bool nf_load_is_off(const json_t *v);
const char *nf_load_type(const json_t *component);
bool nf_load_is_text(const json_t *v, const char *text);

/*
 * nf_load_id    - the id of a token by its text: an added token's, or the vocabulary's; -1: not a token
 * nf_load_knows - whether the text is one of the first `among` added tokens
 * nf_load_has   - whether this object is an added token with the same flags
 */
int64_t nf_load_id(const struct nf_load *l, const char *text, size_t n);
bool nf_load_knows(const struct nf_load *l, const char *text, size_t n, size_t among);
bool nf_load_has(const struct nf_load *l, const json_t *token);

/*
 * nf_load_added - add a token as tokenizers does: by its text, which keeps the id it has or gets the next; the flags of the later one hold.
 *
 *   token     an object with content and flags, or a text, which is a special token
 *   special   it is special whatever it says
 */
int nf_load_added(struct nf_load *l, const char *file, const json_t *token, bool special);

/* nf_load_parts - from an object as in tokenizer.json: the model, the steps, BOS and what comes behind a text; not the added tokens. */
int nf_load_parts(struct nf_load *l, const json_t *root);
int nf_load_steps(struct nf_load *l, const json_t *root); /* of these, normalizer and pre_tokenizer */

/* nf_load_finish - the vocabulary by id, indices, digest: when all tokens are added. */
int nf_load_finish(struct nf_load *l);

#endif
