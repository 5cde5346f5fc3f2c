/*
 * encoder.c - the stages between text and ids: added tokens, NFC, added tokens once more, pieces, merges.
 *
 *   raw   bytes as they came; added tokens that are looked for before normalisation
 *   text  normalised bytes (the same bytes without a normaliser); the other added tokens, then pieces
 *
 * Each stage holds back what bytes yet to come could change.
 */
#include "token/encoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/utf8.h"
#include "token/nfc.h"

enum {
    CACHE_SLOTS = 1 << 15,   /* 2 MiB: most pieces of a text are among few thousand */
    CACHE_KEY = 23,          /* longer pieces are merged each time */
    CACHE_IDS = 9,
};

/* One cache line: a piece with its length in the last key byte, and its ids. */
struct cached {
    uint64_t key[3];
    uint32_t n, ids[CACHE_IDS];
};

struct nf_encoder {
    const struct nf_tokenizer *t;
    struct nf_added raw_tokens, text_tokens;
    struct nf_bytes raw, text;
    struct nf_bytes shadow;           /* text with bytes that are no UTF-8 replaced */
    size_t retry;                     /* no use to look for pieces before text holds this many bytes */
    struct nf_pretok_match *match;
    struct nf_bpe_work work;
    struct cached *cache;
    uint64_t specials;
    struct nf_ids *out;               /* of the call in progress */
};

void nf_ids_clear(struct nf_ids *a)
{
    free(a->ids);
    *a = (struct nf_ids){ 0 };
}

static int choose_tokens(struct nf_encoder *e, bool parse_special, struct nf_err *err)
{
    for (size_t i = 0; i < e->t->added.n; i++) {
        const struct nf_added_token *a = &e->t->added.tokens[i];
        bool after = a->normalized && e->t->nfc;

        if (a->special && !parse_special)
            continue;
        if (nf_added_add(after ? &e->text_tokens : &e->raw_tokens, a, err) < 0)
            return NF_ESYS;
    }
    nf_added_index(&e->raw_tokens);
    nf_added_index(&e->text_tokens);
    return NF_OK;
}

struct nf_encoder *nf_encoder_open(const struct nf_tokenizer *t, bool parse_special, struct nf_err *err)
{
    struct nf_encoder *e = nf_alloc(1, sizeof *e, err);

    if (!e)
        return NULL;
    e->t = t;
    e->match = nf_pretok_match_open(t->pretok, err);
    e->cache = nf_alloc(CACHE_SLOTS, sizeof *e->cache, err);
    if (!e->match || !e->cache || choose_tokens(e, parse_special, err) < 0) {
        nf_encoder_close(e);
        return NULL;
    }
    return e;
}

void nf_encoder_close(struct nf_encoder *e)
{
    if (!e)
        return;
    nf_added_clear(&e->raw_tokens);
    nf_added_clear(&e->text_tokens);
    nf_bytes_clear(&e->raw);
    nf_bytes_clear(&e->text);
    nf_bytes_clear(&e->shadow);
    nf_pretok_match_close(e->match);
    nf_bpe_work_clear(&e->work);
    free(e->cache);
    free(e);
}

uint64_t nf_encoder_specials(const struct nf_encoder *e)
{
    return e->specials;
}

/* The piece as 23 bytes, zero-padded, and its length.  p may be read up to NF_BYTES_SLACK bytes on. */
static void make_key(const unsigned char *p, size_t n, uint64_t key[3])
{
    memcpy(key, p, 24);
    for (size_t w = 0; w < 3; w++) {
        size_t have = n > 8 * w ? nf_min(n - 8 * w, 8) : 0;

        key[w] = have == 8 ? key[w] : key[w] & (((uint64_t)1 << 8 * have) - 1);
    }
    key[2] |= (uint64_t)n << 56;
}

static struct cached *slot_of(struct nf_encoder *e, const uint64_t key[3])
{
    uint64_t h = key[0] * 0x9e3779b97f4a7c15u ^ key[1] * 0xbf58476d1ce4e5b9u ^ key[2] * 0x94d049bb133111ebu;

    return &e->cache[(h ^ h >> 29) * 0x9e3779b97f4a7c15u >> 49];
}

_Static_assert(CACHE_SLOTS == 1 << (64 - 49), "slot_of() takes the top bits of its product");

static int encode_piece(struct nf_encoder *e, const unsigned char *p, size_t n, struct nf_err *err)
{
    struct nf_ids *out = e->out;
    struct cached *c = NULL;
    uint64_t key[3];
    size_t made;
    int rc;

    if (nf_grow(&out->ids, &out->cap, out->n + nf_max(n, CACHE_IDS), sizeof *out->ids, err) < 0)
        return NF_ESYS;
    if (n <= CACHE_KEY) {
        make_key(p, n, key);
        c = slot_of(e, key);
        if (c->key[0] == key[0] && c->key[1] == key[1] && c->key[2] == key[2]) {
            memcpy(out->ids + out->n, c->ids, sizeof c->ids);
            out->n += c->n;
            return NF_OK;
        }
    }
    rc = nf_bpe_encode(&e->t->bpe, p, n, &e->work, out->ids + out->n, &made, err);
    if (rc == NF_OK && c && made <= CACHE_IDS) {
        memcpy(c->key, key, sizeof key);
        memcpy(c->ids, out->ids + out->n, made * sizeof *c->ids);
        c->n = (uint32_t)made;
    }
    out->n += rc == NF_OK ? made : 0;
    return rc;
}

/* What the pre-tokenizer sees: p itself, or a copy in which bytes that are no UTF-8 are U+0001.  NULL: no memory. */
static const unsigned char *valid_copy(struct nf_encoder *e, const unsigned char *p, size_t n, struct nf_err *err)
{
    size_t i = nf_utf8_valid(p, n);

    if (i == n)
        return p;
    e->shadow.n = 0;
    if (nf_bytes_add(&e->shadow, p, n, err) < 0)
        return NULL;
    for (; i < n; i += 1 + nf_utf8_valid(p + i + 1, n - i - 1))
        e->shadow.p[i] = 1;
    return e->shadow.p;
}

/* The pieces of p[0..n); *used: where the first piece begins that is not certain yet. */
static int encode_pieces(struct nf_encoder *e, const unsigned char *p, size_t n, bool last, size_t *used, struct nf_err *err)
{
    const unsigned char *seen = valid_copy(e, p, n, err);
    size_t end = 0;
    int rc = seen ? NF_OK : NF_ESYS;

    for (*used = 0; *used < n && rc == NF_OK; *used = end) {
        rc = nf_pretok_next(e->t->pretok, e->match, seen, n, *used, last, &end, err);
        if (rc != NF_OK)
            break;
        if (end - *used > NF_BPE_PIECE_MAX)
            rc = nf_fail(err, NF_EFORMAT, "a run of more than %d bytes that the tokenizer does not cut", NF_BPE_PIECE_MAX);
        else
            rc = encode_piece(e, p + *used, end - *used, err);
    }
    return rc == NF_EOF ? NF_OK : rc;
}

static int put_token(struct nf_encoder *e, const struct nf_added_token *t, struct nf_err *err)
{
    if (nf_grow(&e->out->ids, &e->out->cap, e->out->n + 1, sizeof *e->out->ids, err) < 0)
        return NF_ESYS;
    e->out->ids[e->out->n++] = t->id;
    e->specials += t->special;
    return NF_OK;
}

/* Where the last, unfinished character of p[0..n) begins; n when it is whole, or no character. */
static size_t whole_characters(const unsigned char *p, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char b = p[n - back];
        size_t len = b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : b >= 0xc0 ? 2 : 1;

        if ((b & 0xc0) != 0x80)
            return len > back ? n - back : n;
    }
    return n;
}

/* text -> ids, as far as certain. */
static int run_text(struct nf_encoder *e, bool last, struct nf_err *err)
{
    const size_t most = NF_BPE_PIECE_MAX + e->text_tokens.longest + 4;   /* one uncertain piece, token and character */
    size_t pos = 0, at, used;
    int rc = NF_OK;

    if (!last && e->text.n < e->retry)
        return NF_OK;
    while (rc == NF_OK && pos < e->text.n) {
        const struct nf_added_token *t = nf_added_find(&e->text_tokens, e->text.p, e->text.n, pos, last, &at);
        bool ends = t || last;

        if (!ends)
            at = nf_max(pos, whole_characters(e->text.p, at));
        if (at > pos) {
            rc = encode_pieces(e, e->text.p + pos, at - pos, ends, &used, err);
            pos += used;
        }
        if (!t)
            break;
        if (rc == NF_OK)
            rc = put_token(e, t, err);
        pos = at + t->n;
    }
    nf_bytes_drop(&e->text, pos);
    e->retry = last ? 0 : nf_min(2 * e->text.n, most + 1);
    if (rc == NF_OK && !last && e->text.n > most)
        rc = nf_fail(err, NF_EFORMAT, "a run of more than %d bytes that the tokenizer does not cut", NF_BPE_PIECE_MAX);
    return rc;
}

/* raw[pos .. at) -> text, as far as certain; *used counts raw bytes. */
static int run_normalizer(struct nf_encoder *e, size_t pos, size_t at, bool ends, size_t *used, struct nf_err *err)
{
    int rc;

    if (e->t->nfc) {
        rc = nf_nfc(e->raw.p + pos, at - pos, ends, &e->text, used, err);
    } else {
        rc = nf_bytes_add(&e->text, e->raw.p + pos, at - pos, err);
        *used = at - pos;
    }
    return rc == NF_OK ? run_text(e, ends, err) : rc;
}

int nf_encode(struct nf_encoder *e, const void *text, size_t n, bool last, struct nf_ids *out, struct nf_err *err)
{
    size_t pos = 0, at, used;
    int rc = nf_bytes_add(&e->raw, text, n, err);

    e->out = out;
    while (rc == NF_OK) {
        const struct nf_added_token *t = nf_added_find(&e->raw_tokens, e->raw.p, e->raw.n, pos, last, &at);

        rc = run_normalizer(e, pos, at, t || last, &used, err);
        pos += used;
        if (!t)
            break;
        if (rc == NF_OK)
            rc = put_token(e, t, err);
        pos = at + t->n;
    }
    nf_bytes_drop(&e->raw, pos);
    return rc;
}
