/* identity.c - SHA-256 over a tokenizer in a canonical form: every part with its length before it, so that no two have the same bytes. */
#include "token/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"

static void add_u32(struct nf_digest *d, size_t v)
{
    unsigned char b[4] = { (unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16), (unsigned char)(v >> 24) };

    nf_digest_add(d, b, sizeof b);
}

static void add_counted(struct nf_digest *d, const void *p, size_t n)
{
    add_u32(d, n);
    nf_digest_add(d, p, n);
}

static void add_vocab(struct nf_digest *d, const struct nf_vocab *v)
{
    const unsigned char *p;
    size_t n;

    add_u32(d, v->V);
    for (size_t i = 0; i < v->V; i++) {
        p = nf_vocab_bytes(v, (uint32_t)i, &n);
        add_counted(d, p, n);
    }
}

static void add_merges(struct nf_digest *d, const struct nf_bpe *b)
{
    add_u32(d, b->n);
    for (size_t i = 0; i < b->n; i++) {
        add_u32(d, b->merges[i].left);
        add_u32(d, b->merges[i].right);
        add_u32(d, b->merges[i].id);
    }
}

/* The words of steps, the last one without its NUL. */
static void add_steps(struct nf_digest *d, const struct nf_steps *s)
{
    add_counted(d, s->text.p, s->text.n ? s->text.n - 1 : 0);
}

/* By first byte, then the longest first, then by bytes. */
static int compare_texts(const void *pa, const void *pb)
{
    const struct nf_added_token *a = *(const struct nf_added_token *const *)pa, *b = *(const struct nf_added_token *const *)pb;

    if (a->text[0] != b->text[0])
        return (unsigned char)a->text[0] < (unsigned char)b->text[0] ? -1 : 1;
    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    return memcmp(a->text, b->text, a->n);
}

static int add_tokens(struct nf_digest *d, const struct nf_added *added, struct nf_err *err)
{
    const struct nf_added_token **sorted = nf_alloc(added->n, sizeof *sorted, err);

    if (!sorted)
        return NF_ESYS;
    for (size_t i = 0; i < added->n; i++)
        sorted[i] = &added->tokens[i];
    if (added->n)
        qsort(sorted, added->n, sizeof *sorted, compare_texts);
    add_u32(d, added->n);
    for (size_t i = 0; i < added->n; i++) {
        const struct nf_added_token *a = sorted[i];

        add_u32(d, a->id);
        add_u32(d, (size_t)a->special | (size_t)a->normalized << 1 | (size_t)a->single_word << 2 | (size_t)a->lstrip << 3 |
                       (size_t)a->rstrip << 4);
    }
    free(sorted);
    return NF_OK;
}

/* What only some tokenizers have: nothing is added for the others. */
static void add_rest(struct nf_digest *d, const struct nf_load *l)
{
    const struct nf_tokenizer *t = l->t;

    if (l->ignore_merges)
        add_counted(d, "ignore_merges", 13);
    if (t->split_special)
        add_counted(d, "split_special", 13);
    if (t->chars) {
        for (int b = 0; b < 256 && l->byte_fallback; b++)
            add_u32(d, t->chars->byte[b]);
        add_u32(d, t->chars->unk);
        add_u32(d, t->chars->fuse_unk);
    }
    if (t->unigram)
        nf_unigram_identify(t->unigram, d);
    if (t->model == NF_MODEL_WORDPIECE) {
        add_counted(d, t->wordpiece.prefix.p, t->wordpiece.prefix.n);
        add_u32(d, t->wordpiece.max_chars);
        add_u32(d, t->wordpiece.unk);
    }
}

int nf_identity_digest(struct nf_load *l)
{
    const struct nf_tokenizer *t = l->t;
    struct nf_digest *d = nf_digest_open(l->err);
    int rc;

    if (!d)
        return NF_ESYS;
    add_counted(d, nf_tokenizer_type(t), strlen(nf_tokenizer_type(t)));
    add_vocab(d, &t->vocab);
    add_merges(d, &t->bpe);
    add_steps(d, &t->pre_tokenizers);
    add_steps(d, &t->normalizers);
    rc = add_tokens(d, &t->added, l->err);
    add_rest(d, l);
    nf_digest_close(d, l->t->digest);
    return rc;
}
