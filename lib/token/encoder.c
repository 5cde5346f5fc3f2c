/*
 * encoder.c - the stages between text and ids: added tokens, NFC, added tokens once more, pieces, merges.
 *
 *   raw   bytes as they came; added tokens that are looked for before normalisation
 *   text  normalised bytes (the same bytes without a normaliser); the other added tokens, then pieces
 *
 * What lies between two added tokens of a stage, or an end of the text, is a segment there: a blank in front of a text is one in front of
 * each segment.  Where the normaliser puts U+2581 for U+0020, text holds U+0020 for both: nothing behind it tells them apart.
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
    struct nf_bytes shadow;   /* text with bytes that are no UTF-8 replaced */
    size_t retry;             /* no use to look for pieces before text holds this many bytes */
    struct nf_pretok_match *match;
    struct nf_bpe_work work;
    struct cached *cache;
    bool raw_begins;          /* nothing of the segment in raw has reached text */
    bool text_begins;         /* nothing of the segment in text has been cut into pieces */
    bool first;               /* no added token has been found in this text */
    bool after_unk;           /* chars: the last piece was an unk token, in the same piece of the tokenizer's own */
    uint64_t specials;
    struct nf_ids *out;       /* of the call in progress */
};

void nf_ids_clear(struct nf_ids *a)
{
    free(a->ids);
    *a = (struct nf_ids){ 0 };
}

/* p[0..n) with every U+2581 as U+0020.  A character must not be cut at n. */
static int add_replaced(struct nf_bytes *out, const unsigned char *p, size_t n, struct nf_err *err)
{
    static const char blank[] = "\xe2\x96\x81";
    const unsigned char *end = p + n, *next;
    int rc = NF_OK;

    for (; p < end && rc == NF_OK; p = next + 3) {
        next = memmem(p, (size_t)(end - p), blank, 3);
        if (!next)
            return nf_bytes_add(out, p, (size_t)(end - p), err);
        rc = nf_bytes_add(out, p, (size_t)(next - p), err);
        if (rc == NF_OK)
            rc = nf_bytes_add(out, " ", 1, err);
    }
    return rc;
}

/* The form in which the token is looked for in normalised text: a segment of its own, normalised. */
static int normalized_text(const struct nf_tokenizer *t, const struct nf_added_token *a, struct nf_bytes *out, struct nf_err *err)
{
    struct nf_bytes blanks = { 0 };
    size_t used;
    int rc = t->prepend ? nf_bytes_add(&blanks, " ", 1, err) : NF_OK;

    if (rc == NF_OK && t->replace)
        rc = add_replaced(&blanks, (const unsigned char *)a->text, a->n, err);
    else if (rc == NF_OK)
        rc = nf_bytes_add(&blanks, a->text, a->n, err);
    if (rc == NF_OK)
        rc = t->nfc ? nf_nfc(blanks.p, blanks.n, true, out, &used, err) : nf_bytes_add(out, blanks.p, blanks.n, err);
    nf_bytes_clear(&blanks);
    return rc;
}

static int choose_tokens(struct nf_encoder *e, bool parse_special, struct nf_err *err)
{
    struct nf_bytes text = { 0 };
    int rc = NF_OK;

    for (size_t i = 0; i < e->t->added.n && rc == NF_OK; i++) {
        struct nf_added_token a = e->t->added.tokens[i];

        if (a.special && !parse_special)
            continue;
        text.n = 0;
        if (a.normalized && (rc = normalized_text(e->t, &a, &text, err)) == NF_OK) {
            a.text = (char *)text.p;
            a.n = text.n;
        }
        if (rc == NF_OK)
            rc = nf_added_add(a.normalized ? &e->text_tokens : &e->raw_tokens, &a, err);
    }
    nf_bytes_clear(&text);
    nf_added_index(&e->raw_tokens);
    nf_added_index(&e->text_tokens);
    return rc;
}

static void begin_text(struct nf_encoder *e)
{
    e->raw_begins = e->text_begins = e->first = true;
    e->after_unk = false;
}

struct nf_encoder *nf_encoder_open(const struct nf_tokenizer *t, bool parse_special, struct nf_err *err)
{
    struct nf_encoder *e = nf_alloc(1, sizeof *e, err);

    if (!e)
        return NULL;
    e->t = t;
    e->match = t->pretok ? nf_pretok_match_open(t->pretok, err) : NULL;
    e->cache = nf_alloc(CACHE_SLOTS, sizeof *e->cache, err);
    begin_text(e);
    if ((t->pretok && !e->match) || !e->cache || choose_tokens(e, parse_special, err) < 0) {
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

static struct cached *find_cached(struct nf_encoder *e, const uint64_t key[3])
{
    uint64_t h = key[0] * 0x9e3779b97f4a7c15u ^ key[1] * 0xbf58476d1ce4e5b9u ^ key[2] * 0x94d049bb133111ebu;

    return &e->cache[(h ^ h >> 29) * 0x9e3779b97f4a7c15u >> 49];
}

_Static_assert(CACHE_SLOTS == 1 << (64 - 49), "slot_of() takes the top bits of its product");

/* The tokens of a piece that the cache does not hold; *keep: it may. */
static int merge_piece(struct nf_encoder *e, const unsigned char *p, size_t n, uint32_t *ids, size_t *made, bool *keep,
                       struct nf_err *err)
{
    const struct nf_tokenizer *t = e->t;
    int64_t whole;
    int rc;

    *keep = true;
    if (!t->chars) {
        whole = nf_whole_find(&t->whole, p, n);
        *made = 1;
        *ids = (uint32_t)whole;
        return whole >= 0 ? NF_OK : nf_bpe_encode(&t->bpe, p, n, &e->work, ids, made, err);
    }
    rc = nf_chars_symbols(t->chars, p, n, ids, made, err);
    if (rc == NF_OK && nf_chars_unknown(t->chars, p, n)) {
        *keep = false;
        *made = e->after_unk && t->chars->fuse_unk ? 0 : 1;
        e->after_unk = true;
        return NF_OK;
    }
    e->after_unk = false;
    return rc == NF_OK ? nf_bpe_merge(&t->bpe, *made, &e->work, ids, made, err) : rc;
}

static int encode_piece(struct nf_encoder *e, const unsigned char *p, size_t n, struct nf_err *err)
{
    struct nf_ids *out = e->out;
    struct cached *c = NULL;
    uint64_t key[3];
    size_t made;
    bool keep;
    int rc;

    if (n > NF_BPE_PIECE_MAX)
        return nf_fail(err, NF_EFORMAT, "a run of more than %d bytes that the tokenizer does not cut", NF_BPE_PIECE_MAX);
    if (nf_grow(&out->ids, &out->cap, out->n + nf_max(n, CACHE_IDS), sizeof *out->ids, err) < 0)
        return NF_ESYS;
    if (n <= CACHE_KEY) {
        make_key(p, n, key);
        c = find_cached(e, key);
        if (c->key[0] == key[0] && c->key[1] == key[1] && c->key[2] == key[2]) {
            memcpy(out->ids + out->n, c->ids, sizeof c->ids);
            out->n += c->n;
            e->after_unk = false;
            return NF_OK;
        }
    }
    rc = merge_piece(e, p, n, out->ids + out->n, &made, &keep, err);
    if (rc == NF_OK && c && keep && made <= CACHE_IDS) {
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
        rc = encode_piece(e, p + *used, end - *used, err);
    }
    return rc == NF_EOF ? NF_OK : rc;
}

/* Does a blank go in front of the segment that begins with p[0..n)? */
static bool wants_blank(const struct nf_encoder *e, const unsigned char *p, size_t n)
{
    return e->text_begins && (e->t->front == NF_FRONT_ALWAYS || (e->t->front == NF_FRONT_FIRST && e->first)) &&
           !nf_chars_blank(p, n);
}

static int encode_with_blank(struct nf_encoder *e, const unsigned char *p, size_t n, struct nf_err *err)
{
    e->shadow.n = 0;
    if (nf_bytes_add(&e->shadow, " ", 1, err) < 0 || nf_bytes_add(&e->shadow, p, n, err) < 0)
        return NF_ESYS;
    return encode_piece(e, e->shadow.p, n + 1, err);
}

/* encode_pieces() for a BPE that starts from characters. */
static int encode_chars(struct nf_encoder *e, const unsigned char *p, size_t n, bool last, size_t *used, struct nf_err *err)
{
    const struct nf_chars *c = e->t->chars;
    bool blank = wants_blank(e, p, n);
    size_t end = 0;
    int rc = NF_OK;

    for (*used = 0; *used < n && rc == NF_OK; *used = end) {
        rc = nf_chars_next(c, p, n, *used, blank, last, &end);
        if (rc != NF_OK)
            break;
        if (e->text_begins || (c->split && nf_chars_blank(p + *used, n - *used)))
            e->after_unk = false;
        rc = blank ? encode_with_blank(e, p, end, err) : encode_piece(e, p + *used, end - *used, err);
        blank = e->text_begins = false;
    }
    return rc == NF_EOF ? NF_OK : rc;
}

static int put_added_token(struct nf_encoder *e, const struct nf_added_token *t, struct nf_err *err)
{
    if (nf_grow(&e->out->ids, &e->out->cap, e->out->n + 1, sizeof *e->out->ids, err) < 0)
        return NF_ESYS;
    e->out->ids[e->out->n++] = t->id;
    e->specials += t->special;
    e->text_begins = true;
    e->first = false;
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
            rc = e->t->chars ? encode_chars(e, e->text.p + pos, at - pos, ends, &used, err)
                             : encode_pieces(e, e->text.p + pos, at - pos, ends, &used, err);
            pos += used;
        }
        if (!t)
            break;
        if (rc == NF_OK)
            rc = put_added_token(e, t, err);
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
    const struct nf_tokenizer *t = e->t;
    int rc = NF_OK;

    if (t->replace && !ends)
        at = nf_max(pos, whole_characters(e->raw.p, at));
    if (t->prepend && e->raw_begins && at > pos)
        rc = nf_bytes_add(&e->text, " ", 1, err);
    e->raw_begins = e->raw_begins && at == pos;
    *used = at - pos;
    if (rc == NF_OK && t->nfc)
        rc = nf_nfc(e->raw.p + pos, at - pos, ends, &e->text, used, err);
    else if (rc == NF_OK && t->replace)
        rc = add_replaced(&e->text, e->raw.p + pos, at - pos, err);
    else if (rc == NF_OK)
        rc = nf_bytes_add(&e->text, e->raw.p + pos, at - pos, err);
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
            rc = put_added_token(e, t, err);
        e->raw_begins = true;
        pos = at + t->n;
    }
    nf_bytes_drop(&e->raw, pos);
    if (last)
        begin_text(e);
    return rc;
}
