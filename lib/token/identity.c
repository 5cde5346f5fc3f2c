/* identity.c - SHA-256 over a tokenizer in a canonical form: every part with its length before it, so that no two have the same bytes. */
#include "token/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"

static void digest_u32(struct nf_digest *d, size_t v)
{
    unsigned char b[4] = { (unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16), (unsigned char)(v >> 24) };

    nf_digest_add(d, b, sizeof b);
}

static void digest_counted(struct nf_digest *d, const void *p, size_t n)
{
    digest_u32(d, n);
    nf_digest_add(d, p, n);
}

static void digest_vocab(struct nf_digest *d, const struct nf_vocab *v)
{
    const unsigned char *p;
    size_t n;

    digest_u32(d, v->V);
    for (size_t i = 0; i < v->V; i++) {
        p = nf_vocab_bytes(v, (uint32_t)i, &n);
        digest_counted(d, p, n);
    }
}

static void digest_merges(struct nf_digest *d, const struct nf_bpe *b)
{
    digest_u32(d, b->n);
    for (size_t i = 0; i < b->n; i++) {
        digest_u32(d, b->merges[i].left);
        digest_u32(d, b->merges[i].right);
        digest_u32(d, b->merges[i].id);
    }
}

/* The words of steps, the last one without its NUL. */
static void digest_steps(struct nf_digest *d, const struct nf_text_steps *s)
{
    digest_counted(d, s->text.p, s->text.n ? s->text.n - 1 : 0);
}

/* By first byte, then the longest first, then by bytes. */
static int compare_added_texts(const void *pa, const void *pb)
{
    const struct nf_added_token *a = *(const struct nf_added_token *const *)pa, *b = *(const struct nf_added_token *const *)pb;

    if (a->text[0] != b->text[0])
        return (unsigned char)a->text[0] < (unsigned char)b->text[0] ? -1 : 1;
    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    return memcmp(a->text, b->text, a->n);
}

static int digest_added(struct nf_digest *d, const struct nf_added *added, struct nf_err *err)
{
    const struct nf_added_token **sorted = nf_alloc(added->n, sizeof *sorted, err);

    if (!sorted)
        return NF_ESYS;
    for (size_t i = 0; i < added->n; i++)
        sorted[i] = &added->tokens[i];
    if (added->n)
        qsort(sorted, added->n, sizeof *sorted, compare_added_texts);
    digest_u32(d, added->n);
    for (size_t i = 0; i < added->n; i++) {
        const struct nf_added_token *a = sorted[i];

        digest_u32(d, a->id);
        digest_u32(d, (size_t)a->special | (size_t)a->normalized << 1 | (size_t)a->single_word << 2 | (size_t)a->lstrip << 3 |
                          (size_t)a->rstrip << 4);
    }
    free(sorted);
    return NF_OK;
}

/* What only some tokenizers have: nothing is added for the others. */
static void digest_rest(struct nf_digest *d, const struct nf_load *l)
{
    const struct nf_tokenizer *t = l->t;

    if (l->ignore_merges)
        digest_counted(d, "ignore_merges", 13);
    if (t->split_special)
        digest_counted(d, "split_special", 13);
    if (t->chars) {
        for (int b = 0; b < 256 && l->byte_fallback; b++)
            digest_u32(d, t->chars->byte[b]);
        digest_u32(d, t->chars->unk);
        digest_u32(d, t->chars->fuse_unk);
    }
    if (t->unigram)
        nf_unigram_identify(t->unigram, d);
    if (t->model == NF_MODEL_WORDPIECE) {
        digest_counted(d, t->wordpiece.prefix.p, t->wordpiece.prefix.n);
        digest_u32(d, t->wordpiece.max_chars);
        digest_u32(d, t->wordpiece.unk);
    }
}

int nf_identity_digest(struct nf_load *l)
{
    const struct nf_tokenizer *t = l->t;
    struct nf_digest *d = nf_digest_open(l->err);
    int rc;

    if (!d)
        return NF_ESYS;
    digest_counted(d, nf_tokenizer_type(t), strlen(nf_tokenizer_type(t)));
    digest_vocab(d, &t->vocab);
    digest_merges(d, &t->bpe);
    digest_steps(d, &t->pre_tokenizers);
    digest_steps(d, &t->normalizers);
    rc = digest_added(d, &t->added, l->err);
    digest_rest(d, l);
    nf_digest_close(d, l->t->digest);
    return rc;
}
