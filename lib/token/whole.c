/* whole.c - a hash from the bytes of a piece to its token. */
#include "token/whole.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"

int nf_whole_add(struct nf_whole *w, const void *p, size_t n, uint32_t id, struct nf_err *err)
{
    size_t at = w->bytes.n;

    if (nf_grow(&w->entries, &w->cap, w->n + 1, sizeof *w->entries, err) < 0 || nf_bytes_add(&w->bytes, p, n, err) < 0)
        return NF_ESYS;
    w->entries[w->n++] = (struct nf_whole_entry){ at, n, id };
    w->longest = nf_max(w->longest, n);
    return NF_OK;
}

/* FNV-1a (Fowler, Noll, Vo), 64 bits, its halves folded. */
static size_t hash_bytes(const unsigned char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

static uint32_t *find_whole(const struct nf_whole *w, const void *p, size_t n)
{
    size_t i = hash_bytes(p, n) & w->mask;

    for (; w->slots[i]; i = (i + 1) & w->mask) {
        const struct nf_whole_entry *e = &w->entries[w->slots[i] - 1];

        if (e->n == n && memcmp(w->bytes.p + e->at, p, n) == 0)
            break;
    }
    return &w->slots[i];
}

int nf_whole_index(struct nf_whole *w, struct nf_err *err)
{
    size_t size = 16;

    while (size < 2 * w->n + 1)
        size *= 2;
    free(w->slots);
    w->slots = nf_alloc(size, sizeof *w->slots, err);
    if (!w->slots)
        return NF_ESYS;
    w->mask = size - 1;
    for (size_t i = 0; i < w->n; i++)
        *find_whole(w, w->bytes.p + w->entries[i].at, w->entries[i].n) = (uint32_t)i + 1;
    return NF_OK;
}

int64_t nf_whole_find(const struct nf_whole *w, const void *p, size_t n)
{
    uint32_t slot = n && n <= w->longest ? *find_whole(w, p, n) : 0;

    return slot ? (int64_t)w->entries[slot - 1].id : -1;
}

void nf_whole_clear(struct nf_whole *w)
{
    nf_bytes_clear(&w->bytes);
    free(w->entries);
    free(w->slots);
    *w = (struct nf_whole){ 0 };
}
