/* tokenizer.c - open and close a tokenizer. */
#include "token/tokenizer.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "token/sources.h"

/* from NULL: what lies in the directory. */
static struct nf_tokenizer *build_tokenizer(struct nf_load *l, const struct nf_sources *from, struct nf_err *err)
{
    struct nf_err own = NF_ERR_INIT; /* the readers look at the slot; the caller's may be NULL or hold a failure already */
    bool starved;
    int rc;

    l->err = &own;
    l->highest = -1;
    l->known = json_object();
    l->t = nf_alloc(1, sizeof *l->t, &own);
    if (l->t)
        l->t->bos_id = -1;
    rc = !l->t || !l->known ? NF_ESYS : from ? nf_load_sources(l, from) : nf_load_directory(l);
    starved = nf_json_starved();   /* a value that lacked memory may have left something out, which a later check then missed */
    if (rc < 0 || starved) {
        if (starved || own.code == NF_OK)
            nf_fail(err, NF_ESYS, "out of memory");
        else
            nf_fail(err, own.code, "%s", own.text);
        nf_tokenizer_close(l->t);
        l->t = NULL;
    }
    json_decref(l->vocab);
    json_decref(l->known);
    nf_bytes_clear(&l->refused);
    free(l->own_unk);
    return l->t;
}

struct nf_tokenizer *nf_tokenizer_open(const char *dir, struct nf_err *err)
{
    struct nf_load l = { .dir = dir };

    return build_tokenizer(&l, NULL, err);
}

struct nf_tokenizer *nf_tokenizer_from_json(const char *name, json_t *json, json_t *config, struct nf_err *err)
{
    struct nf_load l = { .dir = name, .memory = true };
    struct nf_sources from = { .root = json, .config = config };

    return build_tokenizer(&l, &from, err);
}

void nf_tokenizer_close(struct nf_tokenizer *t)
{
    if (!t)
        return;
    nf_vocab_clear(&t->vocab);
    nf_text_steps_clear(&t->normalizers);
    nf_text_steps_clear(&t->pre_tokenizers);
    nf_bpe_clear(&t->bpe);
    nf_chars_close(t->chars);
    nf_whole_clear(&t->whole);
    nf_unigram_close(t->unigram);
    nf_wordpiece_clear(&t->wordpiece);
    nf_added_clear(&t->added);
    nf_bytes_clear(&t->notes);
    free(t);
}

const char *nf_tokenizer_type(const struct nf_tokenizer *t)
{
    if (t->model == NF_MODEL_UNIGRAM)
        return "unigram";
    if (t->model == NF_MODEL_WORDPIECE)
        return "wordpiece";
    return t->byte_level ? "byte-level-bpe" : "sentencepiece-bpe";
}
