/*
 * encoder.c - the stages between text and ids.
 *
 *   added tokens -> normalizers -> added tokens in normalised text -> pre-tokenizers -> the model, piece by piece
 *
 * Each stage takes bytes of a sequence and hands on to the next what is certain; it says how many bytes it has done with, and is shown the
 * others again with more behind them.  A stage that only cuts points into the bytes it was given; one that changes them has a buffer.
 */
#include "token/encoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/utf8.h"
#include "token/convert.h"
#include "token/cut.h"

enum {
    CACHE_SLOTS = 1 << 15, /* 2 MiB: most pieces of a text are among few thousand */
    CACHE_KEY = 23, /* longer pieces are merged each time */
    CACHE_IDS = 9,
};

/* One cache line: a piece with its length in the last key byte, and its ids. */
struct cached {
    uint64_t key[3];
    uint32_t n, ids[CACHE_IDS];
};

enum stage_kind { STAGE_ADDED, STAGE_CONVERT, STAGE_CUT };

struct stage {
    enum stage_kind kind;
    struct nf_added_scan scan;
    struct nf_convert convert;
    struct nf_cut cut;
    struct nf_bytes out; /* of STAGE_CONVERT, what the next stage has not done with */
    size_t retry; /* no use to show it to the next stage before it holds this many bytes */
    bool fed; /* something of the sequence has come in */
};

struct nf_encoder {
    const struct nf_tokenizer *t;
    struct nf_added raw_tokens, text_tokens;
    struct stage *stages;
    size_t n_stages;
    struct nf_bytes raw; /* bytes as they came */
    size_t retry; /* as in a stage */
    size_t checked; /* so many of raw are UTF-8 */
    bool invalid; /* some byte of the text is not */
    bool first; /* nothing of the text has reached the model, nor was an added token found */
    bool piece_begun; /* BPE of characters: a part of the piece has been merged */
    bool after_unk; /* BPE of characters: the piece's last token was unk */
    struct nf_bpe_work work;
    struct nf_unigram_work unigram;
    struct nf_bytes scratch;
    struct cached *cache;
    uint64_t specials;
    struct nf_ids *out; /* of the call in progress, like the next */
    struct nf_err *err;
};

void nf_ids_clear(struct nf_ids *a)
{
    free(a->ids);
    *a = (struct nf_ids){ 0 };
}

int nf_ids_add(struct nf_ids *a, const uint32_t *ids, size_t n, struct nf_err *err)
{
    if (nf_grow(&a->ids, &a->cap, a->n + n, sizeof *a->ids, err) < 0)
        return NF_ESYS;
    if (n)
        memcpy(a->ids + a->n, ids, n * sizeof *ids);
    a->n += n;
    return NF_OK;
}

/* ---- open ---- */

/* The text of a token as a sequence of its own, normalised. */
static int normalize_token(const struct nf_tokenizer *t, const struct nf_added_token *a, struct nf_bytes *out, struct nf_err *err)
{
    struct nf_bytes next = { 0 };
    struct nf_convert c;
    size_t used;
    bool moved;
    int rc = nf_bytes_add(out, a->text, a->n, err);

    for (size_t i = 0; i < t->normalizers.n && rc == NF_OK && out->n; i++) {
        struct nf_bytes before = *out;

        next.n = 0;
        rc = nf_convert_open(&c, &t->normalizers.list[i], err);
        if (rc == NF_OK)
            rc = nf_convert_run(&c, before.p, before.n, true, false, false, &next, &used, &moved, err);
        nf_convert_close(&c);
        *out = next;
        next = before;
    }
    nf_bytes_clear(&next);
    return rc;
}

static int choose_tokens(struct nf_encoder *e, struct nf_err *err)
{
    struct nf_bytes text = { 0 };
    int rc = NF_OK;

    for (size_t i = 0; i < e->t->added.n && rc == NF_OK; i++) {
        struct nf_added_token a = e->t->added.tokens[i];

        text.n = 0;
        if (a.normalized && (rc = normalize_token(e->t, &a, &text, err)) == NF_OK) {
            a.text = (char *)text.p;
            a.n = text.n;
        }
        if (rc == NF_OK && a.n)
            rc = nf_added_add(a.normalized ? &e->text_tokens : &e->raw_tokens, &a, err);
    }
    nf_bytes_clear(&text);
    if (rc == NF_OK)
        rc = nf_added_index(&e->raw_tokens, err);
    return rc == NF_OK ? nf_added_index(&e->text_tokens, err) : rc;
}

static void add_scan(struct nf_encoder *e, const struct nf_added *set, bool parse_special)
{
    if (set->n)
        e->stages[e->n_stages++] = (struct stage){ .kind = STAGE_ADDED, .scan = { .set = set, .text_only = !parse_special } };
}

static int add_step_stages(struct nf_encoder *e, const struct nf_text_steps *steps, struct nf_err *err)
{
    int rc = NF_OK;

    for (size_t i = 0; i < steps->n && rc == NF_OK; i++) {
        struct stage *s = &e->stages[e->n_stages++];

        s->kind = steps->list[i].kind == NF_STEP_CUT ? STAGE_CUT : STAGE_CONVERT;
        if (s->kind == STAGE_CUT)
            rc = nf_cut_open(&s->cut, &steps->list[i], err);
        else
            rc = nf_convert_open(&s->convert, &steps->list[i], err);
    }
    return rc;
}

static int add_stages(struct nf_encoder *e, bool parse_special, struct nf_err *err)
{
    const struct nf_tokenizer *t = e->t;
    int rc;

    e->stages = nf_alloc(t->normalizers.n + t->pre_tokenizers.n + 2, sizeof *e->stages, err);
    if (!e->stages)
        return NF_ESYS;
    add_scan(e, &e->raw_tokens, parse_special);
    rc = add_step_stages(e, &t->normalizers, err);
    add_scan(e, &e->text_tokens, parse_special);
    return rc == NF_OK ? add_step_stages(e, &t->pre_tokenizers, err) : rc;
}

static void begin_text(struct nf_encoder *e)
{
    e->first = true;
    e->invalid = e->piece_begun = false;
    e->checked = e->retry = 0;
}

struct nf_encoder *nf_encoder_open(const struct nf_tokenizer *t, bool parse_special, struct nf_err *err)
{
    struct nf_encoder *e = nf_alloc(1, sizeof *e, err);

    if (!e)
        return NULL;
    e->t = t;
    e->cache = nf_alloc(CACHE_SLOTS, sizeof *e->cache, err);
    begin_text(e);
    if (!e->cache || choose_tokens(e, err) < 0 || add_stages(e, parse_special && !t->split_special, err) < 0) {
        nf_encoder_close(e);
        return NULL;
    }
    return e;
}

void nf_encoder_close(struct nf_encoder *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->n_stages; i++) {
        nf_convert_close(&e->stages[i].convert);
        nf_cut_close(&e->stages[i].cut);
        nf_bytes_clear(&e->stages[i].out);
    }
    free(e->stages);
    nf_added_clear(&e->raw_tokens);
    nf_added_clear(&e->text_tokens);
    nf_bytes_clear(&e->raw);
    nf_bytes_clear(&e->scratch);
    nf_bpe_work_clear(&e->work);
    nf_unigram_work_clear(&e->unigram);
    free(e->cache);
    free(e);
}

uint64_t nf_encoder_specials(const struct nf_encoder *e)
{
    return e->specials;
}

/* ---- the model ---- */

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

_Static_assert(CACHE_SLOTS == 1 << (64 - 49), "find_cached() takes the top bits of its product");

/* A BPE of characters; *keep: the cache may hold the result. */
static int merge_chars(struct nf_encoder *e, const unsigned char *p, size_t n, uint32_t *ids, size_t *made, bool *keep)
{
    const struct nf_chars *c = e->t->chars;
    int rc = nf_chars_symbols(c, p, n, ids, made, e->err);

    if (rc == NF_OK && nf_chars_unknown(c, p, n)) {
        *keep = false;
        *made = e->after_unk && c->fuse_unk ? 0 : 1;
        e->after_unk = true;
        return NF_OK;
    }
    e->after_unk = false;
    return rc == NF_OK ? nf_bpe_merge(&e->t->bpe, *made, &e->work, ids, made, e->err) : rc;
}

/* The tokens of a piece that the cache does not hold. */
static int tokenize_piece(struct nf_encoder *e, const unsigned char *p, size_t n, uint32_t *ids, size_t *made, bool *keep)
{
    const struct nf_tokenizer *t = e->t;
    int64_t whole;

    switch (t->model) {
    case NF_MODEL_BPE_CHARS:
        return merge_chars(e, p, n, ids, made, keep);
    case NF_MODEL_UNIGRAM:
        return nf_unigram_encode(t->unigram, p, n, &e->unigram, ids, made, e->err);
    case NF_MODEL_WORDPIECE:
        return nf_wordpiece_encode(&t->wordpiece, p, n, &e->scratch, ids, made, e->err);
    case NF_MODEL_BPE_BYTES:
        break;
    }
    whole = nf_whole_find(&t->whole, p, n);
    *made = 1;
    *ids = (uint32_t)whole;
    return whole >= 0 ? NF_OK : nf_bpe_encode(&t->bpe, p, n, &e->work, ids, made, e->err);
}

/* p may be read up to NF_BYTES_SLACK bytes on. */
static int encode_piece(struct nf_encoder *e, const unsigned char *p, size_t n)
{
    struct nf_ids *out = e->out;
    struct cached *c = NULL;
    uint64_t key[3];
    size_t made = 0;
    bool keep = true;
    int rc;

    if (n > NF_BPE_PIECE_MAX)
        return nf_fail(e->err, NF_EFORMAT, "a run of more than %d bytes that the tokenizer does not cut", NF_BPE_PIECE_MAX);
    if (nf_grow(&out->ids, &out->cap, out->n + nf_max(n, CACHE_IDS), sizeof *out->ids, e->err) < 0)
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
    rc = tokenize_piece(e, p, n, out->ids + out->n, &made, &keep);
    if (rc == NF_OK && c && keep && made <= CACHE_IDS) {
        memcpy(c->key, key, sizeof key);
        memcpy(c->ids, out->ids + out->n, made * sizeof *c->ids);
        c->n = (uint32_t)made;
    }
    out->n += rc == NF_OK ? made : 0;
    return rc;
}

static int put_id(struct nf_encoder *e, uint32_t id)
{
    return nf_ids_add(e->out, &id, 1, e->err);
}

/* A piece of a BPE of characters may be long: it is merged as far as it is certain.  With ignore_merges it may be a token as a whole. */
static int encode_chars(struct nf_encoder *e, const unsigned char *p, size_t n, bool ends, size_t *used)
{
    const struct nf_tokenizer *t = e->t;
    size_t end = 0;
    int rc = NF_OK;

    *used = 0;
    if (!e->piece_begun && n <= t->whole.longest) {
        int64_t id = ends ? nf_whole_find(&t->whole, p, n) : -1;

        if (!ends)
            return NF_OK;
        if (id >= 0) {
            *used = n;
            return put_id(e, (uint32_t)id);
        }
    }
    if (!e->piece_begun)
        e->after_unk = false;
    for (; *used < n && rc == NF_OK; *used = end) {
        rc = nf_chars_next(t->chars, p, n, *used, ends, &end);
        if (rc != NF_OK)
            break;
        rc = encode_piece(e, p + *used, end - *used);
        e->piece_begun = true;
    }
    return rc == NF_EOF ? NF_OK : rc;
}

static int feed_model(struct nf_encoder *e, const unsigned char *p, size_t n, bool ends, size_t *used)
{
    int rc = NF_OK;

    *used = 0;
    if (e->t->model == NF_MODEL_BPE_CHARS) {
        rc = n ? encode_chars(e, p, n, ends, used) : NF_OK;
    } else if (ends && n) {
        rc = encode_piece(e, p, n);
        *used = n;
    }
    if (ends) {
        e->piece_begun = false;
        e->first = false;
    }
    return rc;
}

/* ---- the stages ---- */

static int feed(struct nf_encoder *e, size_t k, const unsigned char *p, size_t n, bool ends, size_t *used);

/* Show the bytes of a buffer to stage k. */
static int feed_buffer(struct nf_encoder *e, size_t k, struct nf_bytes *b, size_t n, bool ends, size_t *retry)
{
    const size_t most = NF_BPE_PIECE_MAX + e->raw_tokens.longest + e->text_tokens.longest + 4; /* what may be uncertain at a time */
    size_t used;
    int rc;

    if (!ends && n < *retry)
        return NF_OK;
    rc = feed(e, k, b->p, n, ends, &used);
    if (rc != NF_OK)
        return rc;
    nf_bytes_drop(b, used);
    *retry = ends ? 0 : nf_min(2 * (n - used), most + 1);
    if (!ends && n - used > most)
        return nf_fail(e->err, NF_EFORMAT, "a run of more than %d bytes that the tokenizer does not cut", NF_BPE_PIECE_MAX);
    return NF_OK;
}

static int feed_convert(struct nf_encoder *e, size_t k, const unsigned char *p, size_t n, bool ends, size_t *used)
{
    struct stage *s = &e->stages[k];
    bool moved;
    int rc = nf_convert_run(&s->convert, p, n, ends, e->first, !e->invalid, &s->out, used, &moved, e->err);

    e->first = e->first && !moved;
    return rc == NF_OK ? feed_buffer(e, k + 1, &s->out, s->out.n, ends, &s->retry) : rc;
}

static int feed_cut(struct nf_encoder *e, size_t k, const unsigned char *p, size_t n, bool ends, size_t *used)
{
    struct nf_cut *c = &e->stages[k].cut;
    struct nf_piece piece;
    int rc;

    while ((rc = nf_cut_next(c, p, n, ends, !e->invalid, &piece, e->err)) == NF_OK) {
        size_t took;

        e->first = e->first && !c->dropped;
        rc = feed(e, k + 1, p + piece.from, piece.n, piece.whole, &took);
        if (rc != NF_OK)
            return rc;
        nf_cut_took(c, took);
    }
    if (rc != NF_EOF)
        return rc;
    *used = ends ? n : nf_cut_used(c, p);
    if (ends)
        nf_cut_reset(c);
    return NF_OK;
}

static int put_token(struct nf_encoder *e, const struct nf_added_token *t)
{
    e->specials += t->special;
    e->first = false;
    return put_id(e, t->id);
}

static int feed_added(struct nf_encoder *e, size_t k, const unsigned char *p, size_t n, bool ends, size_t *used)
{
    struct nf_added_scan *s = &e->stages[k].scan;
    struct nf_added_part part;
    int rc = NF_OK;

    while (rc == NF_OK && nf_added_next(s, p, n, ends, &part) == NF_OK) {
        size_t took;

        if (part.token) {
            rc = put_token(e, part.token);
            continue;
        }
        rc = feed(e, k + 1, p + part.from, part.n, part.whole, &took);
        if (rc == NF_OK)
            nf_added_took(s, took, part.whole);
    }
    if (rc != NF_OK)
        return rc;
    *used = ends ? n : nf_added_used(s, p);
    if (ends)
        nf_added_reset(s);
    return NF_OK;
}

/*
 * Give stage k the bytes p[0..n), whole characters or bytes that are none, of its sequence, from where it left off; ends: the sequence ends
 * there, and all is used.
 */
static int feed(struct nf_encoder *e, size_t k, const unsigned char *p, size_t n, bool ends, size_t *used)
{
    struct stage *s = k < e->n_stages ? &e->stages[k] : NULL;

    *used = 0;
    if (!s)
        return feed_model(e, p, n, ends, used);
    if (!n && !(ends && s->fed)) /* nothing comes of an empty sequence */
        return NF_OK;
    s->fed = !ends;
    switch (s->kind) {
    case STAGE_ADDED:
        return feed_added(e, k, p, n, ends, used);
    case STAGE_CUT:
        return feed_cut(e, k, p, n, ends, used);
    case STAGE_CONVERT:
        break;
    }
    return feed_convert(e, k, p, n, ends, used);
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

/* How many bytes of raw may be shown: whole characters, unless the text ends.  Notes whether all of them are UTF-8. */
static size_t check_raw(struct nf_encoder *e, bool last)
{
    size_t n = last ? e->raw.n : whole_characters(e->raw.p, e->raw.n);

    if (!e->invalid && n > e->checked)
        e->checked += nf_utf8_valid(e->raw.p + e->checked, n - e->checked);
    e->invalid = e->invalid || e->checked < n;
    return n;
}

int nf_encode(struct nf_encoder *e, const void *text, size_t n, bool last, struct nf_ids *out, struct nf_err *err)
{
    size_t before, shown;
    int rc = nf_bytes_add(&e->raw, text, n, err);

    e->out = out;
    e->err = err;
    if (rc != NF_OK)
        return rc;
    shown = check_raw(e, last);
    before = e->raw.n;
    rc = feed_buffer(e, 0, &e->raw, shown, last, &e->retry);
    e->checked -= nf_min(e->checked, before - e->raw.n);
    if (last)
        begin_text(e);
    return rc;
}
