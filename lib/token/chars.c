/* chars.c - characters to symbols by a table of pages, joined pairs by a table for near ones and a hash for the others. */
#include "token/chars.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/utf8.h"

struct nf_chars *nf_chars_open(struct nf_err *err)
{
    struct nf_chars *c = nf_alloc(1, sizeof *c, err);

    if (!c)
        return NULL;
    for (int b = 0; b < 256; b++)
        c->byte[b] = NF_CHARS_NONE;
    c->unk = NF_CHARS_NONE;
    return c;
}

void nf_chars_close(struct nf_chars *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < NF_CHARS_PAGES; i++)
        free(c->page[i]);
    free(c->far);
    free(c);
}

int nf_chars_add(struct nf_chars *c, uint32_t u, uint32_t id, struct nf_err *err)
{
    uint32_t **page;

    page = &c->page[u / NF_CHARS_PAGE];
    if (!*page) {
        *page = nf_alloc(NF_CHARS_PAGE, sizeof **page, err);
        if (!*page)
            return NF_ESYS;
        for (size_t i = 0; i < NF_CHARS_PAGE; i++)
            (*page)[i] = NF_CHARS_NONE;
    }
    (*page)[u % NF_CHARS_PAGE] = id;
    return NF_OK;
}

uint32_t nf_chars_id(const struct nf_chars *c, uint32_t u)
{
    const uint32_t *page = c->page[u / NF_CHARS_PAGE];

    return page ? page[u % NF_CHARS_PAGE] : NF_CHARS_NONE;
}

/* As in bpe.c: the high bits of a product with 2^64 / golden ratio. */
static uint64_t *far_slot(const struct nf_chars *c, uint64_t pair)
{
    size_t i = (size_t)((pair * 0x9e3779b97f4a7c15u) >> 32) & c->far_mask;

    while (c->far[i] && c->far[i] != pair)
        i = (i + 1) & c->far_mask;
    return &c->far[i];
}

/* Never 0: the bit above the two characters is set. */
static uint64_t pair_of(uint32_t u, uint32_t v)
{
    return (uint64_t)1 << 42 | (uint64_t)u << 21 | v;
}

static int grow_far(struct nf_chars *c, struct nf_err *err)
{
    struct nf_chars old = *c;
    size_t size = c->far ? 2 * (c->far_mask + 1) : 256;

    c->far = nf_alloc(size, sizeof *c->far, err);
    if (!c->far) {
        c->far = old.far;
        return NF_ESYS;
    }
    c->far_mask = size - 1;
    for (size_t i = 0; old.far && i <= old.far_mask; i++)
        if (old.far[i])
            *far_slot(c, old.far[i]) = old.far[i];
    free(old.far);
    return NF_OK;
}

/* The place of a character in the table of near ones; NF_CHARS_NEAR and more: none. */
static uint32_t near_index(uint32_t u)
{
    return u == NF_CHARS_BLANK ? NF_CHARS_NEAR - 1 : u < 0x80 ? u : NF_CHARS_NEAR;
}

int nf_chars_join(struct nf_chars *c, uint32_t u, uint32_t v, struct nf_err *err)
{
    uint32_t near_u = near_index(u), near_v = near_index(v);
    uint64_t *slot;

    if (nf_chars_id(c, u) == NF_CHARS_NONE || nf_chars_id(c, v) == NF_CHARS_NONE)
        return NF_OK;
    if (near_u < NF_CHARS_NEAR && near_v < NF_CHARS_NEAR) {
        c->near[near_u][near_v] = 1;
        return NF_OK;
    }
    if ((!c->far || 2 * (c->far_n + 1) > c->far_mask) && grow_far(c, err) < 0)
        return NF_ESYS;
    slot = far_slot(c, pair_of(u, v));
    c->far_n += !*slot;
    *slot = pair_of(u, v);
    return NF_OK;
}

/* NF_CHARS_NONE, what is no character, is joined to nothing. */
static bool are_joined(const struct nf_chars *c, uint32_t u, uint32_t v)
{
    uint32_t near_u = near_index(u), near_v = near_index(v);

    if (near_u < NF_CHARS_NEAR && near_v < NF_CHARS_NEAR)
        return c->near[near_u][near_v];
    return u != NF_CHARS_NONE && v != NF_CHARS_NONE && c->far && *far_slot(c, pair_of(u, v));
}

/* The character at p[0..n), n >= 1, NF_CHARS_NONE for a byte that begins none; returns the bytes it takes. */
static size_t decode_char(const unsigned char *p, size_t n, uint32_t *u)
{
    size_t len;

    *u = *p;
    if (*p < 0x80)
        return 1;
    len = nf_utf8_decode(p, n, u);
    if (!len)
        *u = NF_CHARS_NONE;
    return len ? len : 1;
}

int nf_chars_next(const struct nf_chars *c, const unsigned char *text, size_t n, size_t from, bool last, size_t *end)
{
    uint32_t before, u;
    size_t i = from + decode_char(text + from, n - from, &before);

    for (size_t len; i < n; i += len, before = u) {
        len = decode_char(text + i, n - i, &u);
        if (!are_joined(c, before, u)) {
            *end = i;
            return NF_OK;
        }
    }
    *end = n;
    return last ? NF_OK : NF_EOF;
}

/* Does every byte of a character have a token? */
static bool has_bytes(const struct nf_chars *c, const unsigned char *p, size_t n)
{
    bool all = true;

    for (size_t i = 0; i < n; i++)
        all &= c->byte[p[i]] != NF_CHARS_NONE;
    return all;
}

int nf_chars_symbols(const struct nf_chars *c, const unsigned char *p, size_t n, uint32_t *ids, size_t *count, struct nf_err *err)
{
    size_t made = 0, len;
    uint32_t u, id;

    for (size_t i = 0; i < n; i += len) {
        len = decode_char(p + i, n - i, &u);
        id = u == NF_CHARS_NONE ? NF_CHARS_NONE : nf_chars_id(c, u);
        if (id != NF_CHARS_NONE) {
            ids[made++] = id;
        } else if (has_bytes(c, p + i, len)) {
            for (size_t k = 0; k < len; k++)
                ids[made++] = c->byte[p[i + k]];
        } else if (c->unk != NF_CHARS_NONE) {
            ids[made++] = c->unk;
        } else {
            return nf_fail(err, NF_EFORMAT, "the character that begins with byte 0x%02x has no token in this vocabulary", p[i]);
        }
    }
    *count = made;
    return NF_OK;
}

bool nf_chars_unknown(const struct nf_chars *c, const unsigned char *p, size_t n)
{
    uint32_t u;
    size_t len = decode_char(p, n, &u);

    return !has_bytes(c, p, len) && (u == NF_CHARS_NONE || nf_chars_id(c, u) == NF_CHARS_NONE);
}
