/* subword_merge.c - which positions end a word, and where heads look from there. */
#include "stages/subword_merge.h"

enum { PIECES = 4, EARLIEST = NF_BACK_OFFSETS - 1 };

/* Bytes of the token are letters a-z only, `skip` bytes left out; there is one at least. */
static bool is_letters(const struct nf_vocab *v, uint32_t id, size_t skip)
{
    size_t n;
    const unsigned char *p = nf_vocab_bytes(v, id, &n);

    if (v->special[id] || n <= skip)
        return false;
    for (size_t i = skip; i < n; i++)
        if (p[i] < 'a' || p[i] > 'z')
            return false;
    return true;
}

static bool begins_word(const struct nf_vocab *v, uint32_t id)
{
    size_t n;
    const unsigned char *p = nf_vocab_bytes(v, id, &n);

    return n && p[0] == ' ' && is_letters(v, id, 1);
}

static bool begins_with_space(const struct nf_vocab *v, uint32_t id)
{
    size_t n;
    const unsigned char *p = nf_vocab_bytes(v, id, &n);

    return !v->special[id] && n && (p[0] == ' ' || (p[0] >= '\t' && p[0] <= '\r'));
}

enum nf_word nf_word_at(const struct nf_vocab *v, const uint32_t *ids, size_t n, size_t pos)
{
    if (pos < EARLIEST || pos + 1 >= n || !begins_with_space(v, ids[pos + 1]))
        return NF_WORD_NONE;
    if (begins_word(v, ids[pos]))
        return NF_WORD_SINGLE;
    for (size_t i = 0; i < PIECES - 1; i++)
        if (!is_letters(v, ids[pos - i], 0))
            return NF_WORD_NONE;
    return begins_word(v, ids[pos - (PIECES - 1)]) ? NF_WORD_MULTI : NF_WORD_NONE;
}

void nf_subword_merge_row(const float *a, size_t H, enum nf_word class, struct nf_mergeable_means *m)
{
    size_t n = H * NF_BACK_OFFSETS, first = class * n;

    for (size_t i = 0; i < n; i++) {
        m->x[first + i] += a[i];
        m->w[first + i] += 1;
    }
}
