/* wordpiece.c - greedy matching in a hash of the vocabulary. */
#include "token/wordpiece.h"

void nf_wordpiece_clear(struct nf_wordpiece *w)
{
    nf_whole_clear(&w->vocab);
    nf_bytes_clear(&w->prefix);
}

static size_t last_char_at(const unsigned char *p, size_t end)
{
    do
        end--;
    while (end && (p[end] & 0xc0) == 0x80);
    return end;
}

static size_t count_word_chars(const unsigned char *p, size_t n)
{
    size_t chars = 0;

    for (size_t i = 0; i < n; i++)
        chars += (p[i] & 0xc0) != 0x80;
    return chars;
}

/* The longest token that p[from..n) begins with, and where it ends; -1: none. */
static int64_t find_longest(const struct nf_wordpiece *w, const unsigned char *p, size_t from, size_t n, struct nf_bytes *work,
                            size_t *end)
{
    const size_t before = from ? w->prefix.n : 0;

    for (*end = n; *end > from; *end = last_char_at(p, *end)) {
        const unsigned char *text = from ? work->p : p;
        int64_t id = nf_whole_find(&w->vocab, text, before + (*end - from));

        if (id >= 0)
            return id;
    }
    return -1;
}

int nf_wordpiece_encode(const struct nf_wordpiece *w, const unsigned char *p, size_t n, struct nf_bytes *work, uint32_t *ids,
                        size_t *count, struct nf_err *err)
{
    size_t made = 0, end;

    for (size_t from = 0; from < n && count_word_chars(p, n) <= w->max_chars; from = end) {
        int64_t id;

        work->n = 0;
        if (nf_bytes_add(work, w->prefix.p, w->prefix.n, err) < 0 || nf_bytes_add(work, p + from, n - from, err) < 0)
            return NF_ESYS;
        id = find_longest(w, p, from, n, work, &end);
        if (id < 0) {
            made = 0;
            break;
        }
        ids[made++] = (uint32_t)id;
    }
    if (!made)
        ids[made++] = w->unk;
    *count = made;
    return NF_OK;
}
