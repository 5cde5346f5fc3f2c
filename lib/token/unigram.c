/* unigram.c - Viterbi over a trie of the vocabulary. */
#include "token/unigram.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

/* An edge of the trie: from a node by a byte to a node.  key 0: free. */
struct edge {
    uint64_t key; /* (node + 1) << 8 | byte */
    uint32_t child;
};

struct nf_unigram {
    struct edge *edges; /* hash */
    size_t n_edges, mask;
    uint32_t *token; /* [n_nodes] the token that ends at each node, or NONE; node 0 is the root */
    size_t n_nodes, token_cap;
    double *score; /* [V] */
    size_t V, score_cap;
    double lowest;
    uint32_t unk;
    uint32_t byte[256]; /* <0xNN>, or NONE; all NONE without byte_fallback */
};

static const double UNK_PENALTY = 10;

static int grow_nodes(struct nf_unigram *u, struct nf_err *err)
{
    if (nf_grow(&u->token, &u->token_cap, u->n_nodes + 1, sizeof *u->token, err) < 0)
        return NF_ESYS;
    u->token[u->n_nodes++] = NF_UNIGRAM_NONE;
    return NF_OK;
}

struct nf_unigram *nf_unigram_open(struct nf_err *err)
{
    struct nf_unigram *u = nf_alloc(1, sizeof *u, err);

    if (!u)
        return NULL;
    u->lowest = INFINITY;
    u->mask = 1023;
    u->edges = nf_alloc(u->mask + 1, sizeof *u->edges, err);
    nf_unigram_set(u, NF_UNIGRAM_NONE, false);
    if (!u->edges || grow_nodes(u, err) < 0) {
        nf_unigram_close(u);
        return NULL;
    }
    return u;
}

void nf_unigram_close(struct nf_unigram *u)
{
    if (!u)
        return;
    free(u->edges);
    free(u->token);
    free(u->score);
    free(u);
}

/* As in bpe.c: the high bits of a product with 2^64 / golden ratio. */
static struct edge *find_edge(const struct nf_unigram *u, uint64_t key)
{
    size_t i = (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & u->mask;

    while (u->edges[i].key && u->edges[i].key != key)
        i = (i + 1) & u->mask;
    return &u->edges[i];
}

static int grow_edges(struct nf_unigram *u, struct nf_err *err)
{
    struct nf_unigram old = *u;

    u->edges = nf_alloc(2 * (old.mask + 1), sizeof *u->edges, err);
    if (!u->edges) {
        u->edges = old.edges;
        return NF_ESYS;
    }
    u->mask = 2 * (old.mask + 1) - 1;
    for (size_t i = 0; i <= old.mask; i++)
        if (old.edges[i].key)
            *find_edge(u, old.edges[i].key) = old.edges[i];
    free(old.edges);
    return NF_OK;
}

static uint64_t edge_key(uint32_t node, unsigned char byte)
{
    return ((uint64_t)node + 1) << 8 | byte;
}

/* The node behind a text, made where it is not there. */
static int make_path(struct nf_unigram *u, const unsigned char *p, size_t n, uint32_t *node, struct nf_err *err)
{
    *node = 0;
    for (size_t i = 0; i < n; i++) {
        struct edge *e;

        if (2 * (u->n_edges + 1) > u->mask && grow_edges(u, err) < 0)
            return NF_ESYS;
        e = find_edge(u, edge_key(*node, p[i]));
        if (!e->key) {
            if (grow_nodes(u, err) < 0)
                return NF_ESYS;
            *e = (struct edge){ edge_key(*node, p[i]), (uint32_t)(u->n_nodes - 1) };
            u->n_edges++;
        }
        *node = e->child;
    }
    return NF_OK;
}

int nf_unigram_add(struct nf_unigram *u, const char *text, size_t n, double score, struct nf_err *err)
{
    uint32_t node;

    if (nf_grow(&u->score, &u->score_cap, u->V + 1, sizeof *u->score, err) < 0 ||
        make_path(u, (const unsigned char *)text, n, &node, err) < 0)
        return NF_ESYS;
    if (n)
        u->token[node] = (uint32_t)u->V;
    u->score[u->V++] = score;
    if (score < u->lowest)
        u->lowest = score;
    return NF_OK;
}

/* The token that is this text, or NONE. */
static uint32_t find_token_text(const struct nf_unigram *u, const unsigned char *p, size_t n)
{
    uint32_t node = 0;

    for (size_t i = 0; i < n; i++) {
        const struct edge *e = find_edge(u, edge_key(node, p[i]));

        if (!e->key)
            return NF_UNIGRAM_NONE;
        node = e->child;
    }
    return u->token[node];
}

void nf_unigram_set(struct nf_unigram *u, uint32_t unk, bool byte_fallback)
{
    char name[8];

    u->unk = unk;
    for (unsigned b = 0; b < 256; b++) {
        snprintf(name, sizeof name, "<0x%02X>", b);
        u->byte[b] = byte_fallback ? find_token_text(u, (const unsigned char *)name, 6) : NF_UNIGRAM_NONE;
    }
}

void nf_unigram_work_clear(struct nf_unigram_work *w)
{
    free(w->mem);
    *w = (struct nf_unigram_work){ 0 };
}

/* The best path that ends at a byte. */
struct best {
    double score;
    uint32_t from; /* where its last token begins; NONE: no path yet */
    uint32_t id;
};

static void offer_path(struct best *b, double score, size_t from, uint32_t id)
{
    if (b->from == NF_UNIGRAM_NONE || score > b->score)
        *b = (struct best){ score, (uint32_t)from, id };
}

/* All tokens that begin at p[from]; returns whether the character there, of `len` bytes, is one. */
static bool offer_tokens(const struct nf_unigram *u, const unsigned char *p, size_t n, size_t from, size_t len, struct best *best)
{
    bool single = false;
    uint32_t node = 0;

    for (size_t i = from; i < n; i++) {
        const struct edge *e = find_edge(u, edge_key(node, p[i]));

        if (!e->key)
            break;
        node = e->child;
        if (u->token[node] == NF_UNIGRAM_NONE)
            continue;
        offer_path(&best[i + 1], u->score[u->token[node]] + best[from].score, from, u->token[node]);
        single |= i + 1 - from == len;
    }
    return single;
}

static int find_paths(const struct nf_unigram *u, const unsigned char *p, size_t n, struct best *best, struct nf_err *err)
{
    size_t len;
    uint32_t c;

    for (size_t i = 0; i <= n; i++)
        best[i] = (struct best){ 0, NF_UNIGRAM_NONE, 0 };
    for (size_t i = 0; i < n; i += len) {
        len = nf_utf8_decode(p + i, n - i, &c);
        len = len ? len : 1;
        if (offer_tokens(u, p, n, i, len, best))
            continue;
        if (u->unk == NF_UNIGRAM_NONE)
            return nf_fail(err, NF_EFORMAT, "the character that begins with byte 0x%02x has no token in this vocabulary", p[i]);
        offer_path(&best[i + len], u->lowest - UNK_PENALTY + best[i].score, i, u->unk);
    }
    return NF_OK;
}

/* The tokens of p[0..n), which is unk as a whole, in reverse order into ids; returns how many. */
static size_t put_unknown(const struct nf_unigram *u, const unsigned char *p, size_t n, uint32_t *ids)
{
    uint32_t whole = find_token_text(u, p, n);
    bool bytes = true;

    for (size_t i = 0; i < n; i++)
        bytes &= u->byte[p[i]] != NF_UNIGRAM_NONE;
    if (whole != NF_UNIGRAM_NONE || !bytes) {
        ids[0] = whole != NF_UNIGRAM_NONE ? whole : u->unk;
        return 1;
    }
    for (size_t i = 0; i < n; i++)
        ids[i] = u->byte[p[n - 1 - i]];
    return n;
}

int nf_unigram_encode(const struct nf_unigram *u, const unsigned char *p, size_t n, struct nf_unigram_work *w, uint32_t *ids,
                      size_t *count, struct nf_err *err)
{
    struct best *best;
    size_t made = 0;
    int rc;

    if (nf_grow(&w->mem, &w->cap, (n + 1) * sizeof *best, 1, err) < 0)
        return NF_ESYS;
    best = w->mem;
    if ((rc = find_paths(u, p, n, best, err)) < 0)
        return rc;
    for (size_t end = n, from; end; end = from) {
        from = best[end].from;
        if (best[end].id != u->unk) {
            ids[made++] = best[end].id;
            continue;
        }
        while (from && best[from].id == u->unk)
            from = best[from].from;
        made += put_unknown(u, p + from, end - from, ids + made);
    }
    for (size_t i = 0; i < made / 2; i++) {
        uint32_t id = ids[i];

        ids[i] = ids[made - 1 - i];
        ids[made - 1 - i] = id;
    }
    *count = made;
    return NF_OK;
}

void nf_unigram_identify(const struct nf_unigram *u, struct nf_digest *d)
{
    nf_digest_add(d, u->score, u->V * sizeof *u->score);
    nf_digest_add(d, &u->unk, sizeof u->unk);
    nf_digest_add(d, u->byte, sizeof u->byte);
}
