/* bpe.c - byte-pair merging: repeated scans for short pieces, a heap over a linked list for long ones. */
#include "token/bpe.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct nf_bpe_slot {
    uint64_t pair;      /* left << 32 | right */
    uint32_t rank, id;  /* rank NONE: the slot is free */
};

static const uint32_t NONE = UINT32_MAX;

int nf_bpe_add(struct nf_bpe *b, struct nf_merge m, struct nf_err *err)
{
    if (b->n == NONE - 1)
        return nf_fail(err, NF_EFORMAT, "more than %u merges", (unsigned)NONE - 1);
    if (nf_grow(&b->merges, &b->cap, b->n + 1, sizeof *b->merges, err) < 0)
        return NF_ESYS;
    b->merges[b->n++] = m;
    return NF_OK;
}

/* The high bits of a product with an odd constant (2^64 / golden ratio) are well mixed: Knuth, TAOCP 3, section 6.4. */
static size_t hash_pair(uint64_t pair, size_t mask)
{
    return (size_t)((pair * 0x9e3779b97f4a7c15u) >> 32) & mask;
}

static struct nf_bpe_slot *find_merge(const struct nf_bpe *b, uint32_t left, uint32_t right)
{
    uint64_t pair = (uint64_t)left << 32 | right;
    size_t i = hash_pair(pair, b->mask);

    while (b->slots[i].rank != NONE && b->slots[i].pair != pair)
        i = (i + 1) & b->mask;
    return &b->slots[i];
}

int nf_bpe_index(struct nf_bpe *b, struct nf_err *err)
{
    size_t size = 16;

    while (size < 2 * b->n + 1)
        size *= 2;
    free(b->slots);
    b->slots = nf_alloc(size, sizeof *b->slots, err);
    if (!b->slots)
        return NF_ESYS;
    b->mask = size - 1;
    for (size_t i = 0; i < size; i++)
        b->slots[i].rank = NONE;
    for (size_t rank = 0; rank < b->n; rank++) {
        const struct nf_merge *m = &b->merges[rank];

        *find_merge(b, m->left, m->right) = (struct nf_bpe_slot){ (uint64_t)m->left << 32 | m->right, (uint32_t)rank, m->id };
    }
    return NF_OK;
}

void nf_bpe_clear(struct nf_bpe *b)
{
    free(b->merges);
    free(b->slots);
    *b = (struct nf_bpe){ 0 };
}

/* rank[i] and made[i] belong to the pair ids[i], ids[i+1]. */
static size_t merge_short(const struct nf_bpe *b, size_t n, uint32_t *ids)
{
    uint32_t rank[NF_BPE_SHORT], made[NF_BPE_SHORT];
    const struct nf_bpe_slot *s;

    for (size_t i = 0; i + 1 < n; i++) {
        s = find_merge(b, ids[i], ids[i + 1]);
        rank[i] = s->rank;
        made[i] = s->id;
    }
    while (n > 1) {
        size_t best = 0;

        for (size_t i = 1; i + 1 < n; i++)
            if (rank[i] < rank[best])
                best = i;
        if (rank[best] == NONE)
            break;
        ids[best] = made[best];
        n--;
        memmove(ids + best + 1, ids + best + 2, (n - best - 1) * sizeof *ids);
        memmove(rank + best, rank + best + 1, (n - best - 1) * sizeof *rank);
        memmove(made + best, made + best + 1, (n - best - 1) * sizeof *made);
        for (size_t i = best ? best - 1 : 0; i <= best && i + 1 < n; i++) {
            s = find_merge(b, ids[i], ids[i + 1]);
            rank[i] = s->rank;
            made[i] = s->id;
        }
    }
    return n;
}

/* A symbol of a long piece, linked to its living neighbours; not alive: merged into the one before. */
struct symbol {
    uint32_t id, prev, next, alive;
};

/* A candidate: the pair that begins at symbol `at`; stale once the pair there has another rank. */
struct candidate {
    uint32_t rank, at;
};

struct heap {
    struct candidate *c;
    size_t n;
};

static bool merges_before(const struct candidate *a, const struct candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push_candidate(struct heap *h, struct candidate c)
{
    size_t i = h->n++;

    for (; i && merges_before(&c, &h->c[(i - 1) / 2]); i = (i - 1) / 2)
        h->c[i] = h->c[(i - 1) / 2];
    h->c[i] = c;
}

static struct candidate pop_candidate(struct heap *h)
{
    struct candidate top = h->c[0], last = h->c[--h->n];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < h->n) {
        if (child + 1 < h->n && merges_before(&h->c[child + 1], &h->c[child]))
            child++;
        if (!merges_before(&h->c[child], &last))
            break;
        h->c[i] = h->c[child];
        i = child;
    }
    h->c[i] = last;
    return top;
}

static void consider(const struct nf_bpe *b, struct heap *h, const struct symbol *s, uint32_t at)
{
    const struct nf_bpe_slot *slot;

    if (at == NONE || s[at].next == NONE)
        return;
    slot = find_merge(b, s[at].id, s[s[at].next].id);
    if (slot->rank != NONE)
        push_candidate(h, (struct candidate){ slot->rank, at });
}

static size_t merge_long(const struct nf_bpe *b, uint32_t n, struct symbol *s, struct heap *h, uint32_t *ids)
{
    size_t count = 0;

    for (uint32_t i = 0; i < n; i++)
        s[i] = (struct symbol){ ids[i], i ? i - 1 : NONE, i + 1 < n ? i + 1 : NONE, 1 };
    for (uint32_t i = 0; i < n; i++)
        consider(b, h, s, i);
    while (h->n) {
        struct candidate c = pop_candidate(h);
        struct symbol *left = &s[c.at], *right = &s[left->next == NONE ? c.at : left->next];
        const struct nf_bpe_slot *slot;

        if (!left->alive || left->next == NONE)
            continue;
        slot = find_merge(b, left->id, right->id);
        if (slot->rank != c.rank)
            continue;
        left->id = slot->id;
        right->alive = 0;
        left->next = right->next;
        if (left->next != NONE)
            s[left->next].prev = c.at;
        consider(b, h, s, left->prev);
        consider(b, h, s, c.at);
    }
    for (uint32_t i = 0; i != NONE; i = s[i].next)
        ids[count++] = s[i].id;
    return count;
}

int nf_bpe_merge(const struct nf_bpe *b, size_t n, struct nf_bpe_work *w, uint32_t *ids, size_t *count, struct nf_err *err)
{
    struct heap h = { NULL, 0 };
    size_t want;

    if (n <= NF_BPE_SHORT) {
        *count = merge_short(b, n, ids);
        return NF_OK;
    }
    /* Every pair is pushed once at the start, and each of the at most n-1 merges pushes two more. */
    want = n * sizeof(struct symbol) + 3 * n * sizeof(struct candidate);
    if (nf_grow(&w->mem, &w->cap, want, 1, err) < 0)
        return NF_ESYS;
    h.c = (struct candidate *)((struct symbol *)w->mem + n);
    *count = merge_long(b, (uint32_t)n, w->mem, &h, ids);
    return NF_OK;
}

int nf_bpe_encode(const struct nf_bpe *b, const unsigned char *p, size_t n, struct nf_bpe_work *w, uint32_t *ids, size_t *count,
                  struct nf_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (b->byte[p[i]] == NF_BPE_NO_BYTE)
            return nf_fail(err, NF_EFORMAT, "byte 0x%02x has no token in this vocabulary", p[i]);
        ids[i] = b->byte[p[i]];
    }
    return nf_bpe_merge(b, n, w, ids, count, err);
}

void nf_bpe_work_clear(struct nf_bpe_work *w)
{
    free(w->mem);
    *w = (struct nf_bpe_work){ 0 };
}
