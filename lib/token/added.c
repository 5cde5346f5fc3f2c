/* added.c - find added tokens in text. */
#include "token/added.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

int nf_added_add(struct nf_added *a, const struct nf_added_token *t, struct nf_err *err)
{
    char *text;

    for (size_t i = 0; i < a->n; i++)
        if (a->tokens[i].n == t->n && memcmp(a->tokens[i].text, t->text, t->n) == 0) {
            a->tokens[i].special = t->special;
            a->tokens[i].normalized = t->normalized;
            return NF_OK;
        }
    text = nf_alloc(t->n + 1, 1, err);
    if (!text || nf_grow(&a->tokens, &a->cap, a->n + 1, sizeof *a->tokens, err) < 0) {
        free(text);
        return NF_ESYS;
    }
    memcpy(text, t->text, t->n);
    a->tokens[a->n] = *t;
    a->tokens[a->n++].text = text;
    a->longest = t->n > a->longest ? t->n : a->longest;
    return NF_OK;
}

/* By first byte, then the longest first, then by bytes: a total order. */
static int order(const void *pa, const void *pb)
{
    const struct nf_added_token *a = pa, *b = pb;

    if (a->text[0] != b->text[0])
        return (unsigned char)a->text[0] < (unsigned char)b->text[0] ? -1 : 1;
    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    return memcmp(a->text, b->text, a->n);
}

void nf_added_index(struct nf_added *a)
{
    size_t i = 0;

    if (a->n)
        qsort(a->tokens, a->n, sizeof *a->tokens, order);
    for (size_t b = 0; b <= 256; b++) {
        while (i < a->n && (unsigned char)a->tokens[i].text[0] < b)
            i++;
        a->first[b] = i;
    }
    memset(a->second, 0, sizeof a->second);
    for (i = 0; i < a->n; i++) {
        const unsigned char *p = (const unsigned char *)a->tokens[i].text;

        if (a->tokens[i].n == 1)
            memset(a->second[p[0]], 0xff, sizeof a->second[0]);
        else
            a->second[p[0]][p[1] / 8] |= (unsigned char)(1 << p[1] % 8);
    }
}

void nf_added_clear(struct nf_added *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->tokens[i].text);
    free(a->tokens);
    *a = (struct nf_added){ 0 };
}

static const struct nf_added_token *match(const struct nf_added *a, const unsigned char *p, size_t n)
{
    for (size_t i = a->first[*p]; i < a->first[*p + 1]; i++)
        if (a->tokens[i].n <= n && memcmp(a->tokens[i].text, p, a->tokens[i].n) == 0)
            return &a->tokens[i];
    return NULL;
}

const struct nf_added_token *nf_added_find(const struct nf_added *a, const unsigned char *text, size_t n, size_t from, bool last,
                                           size_t *at)
{
    const struct nf_added_token *t;
    size_t i = from, stop = n;

    if (!a->n) {
        *at = n;
        return NULL;
    }
    if (!last)   /* from here on the longest token might not be whole */
        stop = n > a->longest - 1 ? n - (a->longest - 1) : 0;
    for (; i < stop; i++) {
        if (a->first[text[i]] == a->first[text[i] + 1] ||
            (i + 1 < n && !(a->second[text[i]][text[i + 1] / 8] >> text[i + 1] % 8 & 1)))
            continue;
        t = match(a, text + i, n - i);
        if (t) {
            *at = i;
            return t;
        }
    }
    *at = i;
    return NULL;
}
