/* tokenizer.c - open a model's tokenizer: gather its parts, check that they are whole, give them a digest. */
#include "token/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/par.h"
#include "base/utf8.h"
#include "token/load.h"

json_t *nf_load_json(struct nf_load *l, const char *name)
{
    char *path = nf_path_join(l->dir, name, l->err);
    struct nf_map map = { NULL, 0 };
    json_t *root = NULL;

    if (path && nf_file_exists(path) && nf_map_open(path, &map, l->err) == NF_OK) {
        root = nf_json_parse(map.data, map.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, path, l->err);
        if (root && !json_is_object(root))
            nf_fail(l->err, NF_EFORMAT, "%s: not a JSON object", path);
        if (!json_is_object(root)) {
            json_decref(root);
            root = NULL;
        }
        nf_map_close(&map);
    }
    free(path);
    return root;
}

int nf_load_vocab(struct nf_load *l, const char *file, json_t *vocab)
{
    const char *token;
    json_t *id;

    if (!json_is_object(vocab))
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: the vocabulary is not an object", l->dir, file);
    json_object_foreach (vocab, token, id)
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > NF_TOKEN_ID_MAX)
            return nf_fail(l->err, NF_EFORMAT, "%s/%s: token \"%s\": its id is not an integer from 0 to %d", l->dir, file, token,
                           (int)NF_TOKEN_ID_MAX);
    l->vocab = json_incref(vocab);
    return NF_OK;
}

int64_t nf_load_id(const struct nf_load *l, const char *text, size_t n)
{
    const json_t *id;

    for (size_t i = 0; i < l->t->added.n; i++)
        if (l->t->added.tokens[i].n == n && memcmp(l->t->added.tokens[i].text, text, n) == 0)
            return l->t->added.tokens[i].id;
    id = memchr(text, 0, n) ? NULL : json_object_getn(l->vocab, text, n);
    return id ? json_integer_value(id) : -1;
}

static const json_t *merge_side(struct nf_load *l, const char *file, size_t rank, const char *text, size_t n)
{
    const json_t *id = json_object_getn(l->vocab, text, n);

    if (!id)
        nf_fail(l->err, NF_EFORMAT, "%s/%s: merge %zu: \"%.*s\" is not in the vocabulary", l->dir, file, rank, (int)nf_min(n, 100),
                text);
    return id;
}

int nf_load_merge(struct nf_load *l, const char *file, size_t rank, const char *left, size_t left_n, const char *right,
                  size_t right_n)
{
    char both[4096];
    const json_t *a, *b, *ab;
    struct nf_merge m;

    if (!left_n || !right_n || left_n + right_n > sizeof both)
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: merge %zu: two tokens of together at most %zu bytes are expected", l->dir, file,
                       rank, sizeof both);
    memcpy(both, left, left_n);
    memcpy(both + left_n, right, right_n);
    a = merge_side(l, file, rank, left, left_n);
    b = a ? merge_side(l, file, rank, right, right_n) : NULL;
    ab = b ? merge_side(l, file, rank, both, left_n + right_n) : NULL;
    if (!ab)
        return NF_EFORMAT;
    m = (struct nf_merge){ (uint32_t)json_integer_value(a), (uint32_t)json_integer_value(b), (uint32_t)json_integer_value(ab) };
    return nf_bpe_add(&l->t->bpe, m, l->err);
}

/* One past the highest id so far. */
static int64_t next_id(const struct nf_load *l)
{
    int64_t next = 0;
    const char *token;
    json_t *id;

    json_object_foreach (l->vocab, token, id)
        if (json_integer_value(id) >= next)
            next = json_integer_value(id) + 1;
    for (size_t i = 0; i < l->t->added.n; i++)
        if (l->t->added.tokens[i].id >= next)
            next = (int64_t)l->t->added.tokens[i].id + 1;
    return next;
}

static bool flag(const json_t *token, const char *key)
{
    return json_is_true(json_object_get(token, key));
}

int nf_load_added(struct nf_load *l, const char *file, const json_t *token, int64_t id)
{
    const json_t *content = json_is_string(token) ? token : json_object_get(token, "content");
    const char *text = json_string_value(content);
    size_t n = json_string_length(content);
    struct nf_added_token t = { (char *)text, n, 0, json_is_string(token) || flag(token, "special"), flag(token, "normalized") };
    int64_t known;

    if (!text || !n)
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: an added token without text", l->dir, file);
    known = nf_load_id(l, text, n);
    if (id > NF_TOKEN_ID_MAX || (id >= 0 && known >= 0 && id != known))
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: added token \"%s\" has id %lld, elsewhere %lld", l->dir, file, text,
                       (long long)id, (long long)known);
    for (const char *const *f = (const char *const[]){ "lstrip", "rstrip", "single_word", NULL }; *f; f++)
        if (flag(token, *f))
            return nf_fail(l->err, NF_EFORMAT, "%s/%s: added token \"%s\": %s is not implemented", l->dir, file, text, *f);
    t.id = (uint32_t)(known >= 0 ? known : id >= 0 ? id : next_id(l));
    return nf_added_add(&l->t->added, &t, l->err);
}

/*
 * The byte a character of GPT-2's byte-level alphabet stands for, or -1.  Printable Latin-1 stands for itself; the other 68 bytes, in
 * order, are U+0100, U+0101, ..  Source: Radford et al. 2019, encoder.py, bytes_to_unicode.
 */
static int byte_of(uint32_t c)
{
    if ((c > 0x20 && c < 0x7f) || (c > 0xa0 && c < 0x100 && c != 0xad))
        return (int)c;
    if (c < 0x100 || c >= 0x100 + 68)
        return -1;
    c -= 0x100;
    return (int)(c < 33 ? c : c < 33 + 34 ? c - 33 + 0x7f : 0xad);
}

/*
 * The bytes of a vocabulary entry into out [strlen]; returns their number.  An entry with characters outside the alphabet (*spelled is
 * false) stands for itself; no text is merged into it.
 */
static size_t entry_bytes(const char *entry, unsigned char *out, bool *spelled)
{
    const unsigned char *p = (const unsigned char *)entry;
    size_t n = strlen(entry), used = 0, len;
    uint32_t c = 0;

    for (size_t i = 0; i < n; i += len) {
        len = nf_utf8_decode(p + i, n - i, &c);
        *spelled = len && byte_of(c) >= 0;
        if (!*spelled) {
            memcpy(out, entry, n);
            return n;
        }
        out[used++] = (unsigned char)byte_of(c);
    }
    return used;
}

/* The byte of an entry "<0xNN>", or -1.  The digits are upper-case: "<0x0a>" is a text like any other. */
static int fallback_byte(const char *entry)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *high, *low;

    if (strlen(entry) != 6 || strncmp(entry, "<0x", 3) != 0 || entry[5] != '>')
        return -1;
    high = strchr(digits, entry[3]);
    low = strchr(digits, entry[4]);
    return high && low ? (int)((high - digits) * 16 + (low - digits)) : -1;
}

/* An entry of a BPE of characters into out [strlen], blanks as U+0020; returns the bytes.  A single character becomes a symbol. */
static int char_entry(struct nf_load *l, const char *entry, uint32_t id, unsigned char *out, size_t *used)
{
    struct nf_chars *c = l->t->chars;
    const unsigned char *p = (const unsigned char *)entry;
    int byte = l->byte_fallback ? fallback_byte(entry) : -1;
    size_t n = strlen(entry), len;
    uint32_t u;

    *used = 0;
    if (byte >= 0) {
        out[(*used)++] = (unsigned char)byte;
        c->byte[byte] = id;
        return NF_OK;
    }
    for (size_t i = 0; i < n; i += len) {
        len = nf_utf8_decode(p + i, n - i, &u);
        if (!len)
            return nf_fail(l->err, NF_EFORMAT, "%s: token %u is no UTF-8", l->dir, (unsigned)id);
        if (len == n && nf_chars_add(c, u, id, l->err) < 0)
            return NF_ESYS;
        *used += nf_utf8_encode(u == NF_CHARS_BLANK ? ' ' : u, out + *used);
    }
    if (l->unk && strcmp(entry, l->unk) == 0)
        c->unk = id;
    return NF_OK;
}

/* An entry of a byte-level BPE, the same way. */
static int byte_entry(struct nf_load *l, const char *entry, uint32_t id, unsigned char *out, size_t *used)
{
    bool spelled = false;

    *used = entry_bytes(entry, out, &spelled);
    if (*used == 1 && spelled)
        l->t->bpe.byte[out[0]] = id;
    return spelled && l->ignore_merges ? nf_whole_add(&l->t->whole, out, *used, id, l->err) : NF_OK;
}

/* entries[id] is the vocabulary entry, or added[id] the added token, of every id. */
static int order_by_id(struct nf_load *l, size_t V, const char **entries, const struct nf_added_token **added)
{
    const char *token;
    json_t *id;

    json_object_foreach (l->vocab, token, id) {
        const char **slot = &entries[json_integer_value(id)];

        if (*slot)
            return nf_fail(l->err, NF_EFORMAT, "%s: tokens \"%s\" and \"%s\" have the same id %lld", l->dir, *slot, token,
                           (long long)json_integer_value(id));
        *slot = token;
    }
    for (size_t i = 0; i < l->t->added.n; i++) {
        const struct nf_added_token *a = &l->t->added.tokens[i];

        if (added[a->id] || (entries[a->id] && strcmp(entries[a->id], a->text) != 0))
            return nf_fail(l->err, NF_EFORMAT, "%s: added token \"%s\" and another token have the same id %u", l->dir, a->text,
                           (unsigned)a->id);
        added[a->id] = a;
    }
    for (size_t i = 0; i < V; i++)
        if (!entries[i] && !added[i])
            return nf_fail(l->err, NF_EFORMAT, "%s: the vocabulary has a hole: no token has id %zu (of %zu)", l->dir, i, V);
    return NF_OK;
}

static int fill_vocab(struct nf_load *l, size_t V, const char **entries, const struct nf_added_token **added)
{
    struct nf_tokenizer *t = l->t;
    unsigned char *buf;
    size_t n, longest = 0;
    int rc = NF_OK;

    for (size_t i = 0; i < V; i++)
        longest = nf_max(longest, entries[i] ? strlen(entries[i]) : 0);
    buf = nf_alloc(longest + 1, 1, l->err);
    for (int b = 0; b < 256; b++)
        t->bpe.byte[b] = NF_BPE_NO_BYTE;
    for (size_t i = 0; buf && i < V && rc == NF_OK; i++) {
        n = 0;
        if (entries[i])
            rc = t->chars ? char_entry(l, entries[i], (uint32_t)i, buf, &n) : byte_entry(l, entries[i], (uint32_t)i, buf, &n);
        if (rc == NF_OK)
            rc = added[i] ? nf_vocab_add(&t->vocab, added[i]->text, added[i]->n, l->err) : nf_vocab_add(&t->vocab, buf, n, l->err);
        if (rc == NF_OK)
            t->vocab.special[i] = added[i] && added[i]->special;
    }
    free(buf);
    return buf ? rc : NF_ESYS;
}

static int check_byte_tokens(struct nf_load *l)
{
    const struct nf_tokenizer *t = l->t;

    for (unsigned b = '!'; b <= '~' && !t->chars; b++)
        if (t->bpe.byte[b] == NF_BPE_NO_BYTE)
            return nf_fail(l->err, NF_EFORMAT, "%s: not a byte-level vocabulary: byte 0x%02x has no token", l->dir, b);
    for (unsigned b = 0; b < 256 && t->chars && l->byte_fallback; b++)
        if (t->chars->byte[b] == NF_CHARS_NONE)
            return nf_fail(l->err, NF_EFORMAT, "%s: byte_fallback: the vocabulary has no token <0x%02X>", l->dir, b);
    return NF_OK;
}

static uint32_t first_char(const char *text)
{
    uint32_t u = ' '; /* of no text: joined to nothing */

    nf_utf8_decode((const unsigned char *)text, strlen(text), &u);
    return u;
}

static uint32_t last_char(const char *text)
{
    size_t n = strlen(text), at = n ? n - 1 : 0;

    while (at && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return first_char(text + at);
}

/* What chars.h rests on: which characters merges join, and that none has what stands for an unknown character as a side. */
static int join_chars(struct nf_load *l, const char **entries)
{
    struct nf_chars *c = l->t->chars;
    int rc = NF_OK;

    for (size_t i = 0; i < l->t->bpe.n && rc == NF_OK; i++) {
        const struct nf_merge *m = &l->t->bpe.merges[i];
        const char *const texts[] = { entries[m->left], entries[m->right], entries[m->id] };

        for (size_t k = 0; k < 3 && l->byte_fallback; k++)
            if (fallback_byte(texts[k]) >= 0)
                return nf_fail(l->err, NF_EFORMAT, "%s: merge %zu of or into a byte, %s, is not implemented", l->dir, i, texts[k]);
        if (!l->byte_fallback && (m->left == c->unk || m->right == c->unk))
            return nf_fail(l->err, NF_EFORMAT, "%s: merge %zu of the unk token is not implemented", l->dir, i);
        rc = nf_chars_join(c, last_char(entries[m->left]), first_char(entries[m->right]), l->err);
    }
    return rc;
}

static int make_vocab(struct nf_load *l)
{
    size_t V = (size_t)next_id(l);
    const char **entries = nf_alloc(V, sizeof *entries, l->err);
    const struct nf_added_token **added = nf_alloc(V, sizeof *added, l->err);
    int rc = entries && added ? order_by_id(l, V, entries, added) : NF_ESYS;

    if (rc == NF_OK)
        rc = fill_vocab(l, V, entries, added);
    if (rc == NF_OK)
        rc = check_byte_tokens(l);
    if (rc == NF_OK && l->t->chars)
        rc = join_chars(l, entries);
    free(entries);
    free(added);
    return rc;
}

static void add_u32(struct nf_digest *d, size_t v)
{
    unsigned char b[4] = { (unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16), (unsigned char)(v >> 24) };

    nf_digest_add(d, b, sizeof b);
}

static void add_text(struct nf_digest *d, const void *p, size_t n)
{
    add_u32(d, n);
    nf_digest_add(d, p, n);
}

/* What only some tokenizers have: nothing is added for the others. */
static void add_rest(struct nf_digest *d, const struct nf_load *l)
{
    const struct nf_tokenizer *t = l->t;

    if (l->ignore_merges)
        add_text(d, "ignore_merges", 13);
    if (!t->chars)
        return;
    add_u32(d, (size_t)t->prepend | (size_t)t->replace << 1 | (size_t)t->chars->split << 2 | (size_t)t->front << 3);
    add_u32(d, l->byte_fallback);
    for (int b = 0; b < 256 && l->byte_fallback; b++)
        add_u32(d, t->chars->byte[b]);
    if (!l->byte_fallback) {
        add_u32(d, t->chars->unk);
        add_u32(d, t->chars->fuse_unk);
    }
}

/* Every part with its length before it, so that no two tokenizers have the same bytes. */
static int make_digest(struct nf_load *l, const char *pattern, struct nf_err *err)
{
    struct nf_tokenizer *t = l->t;
    struct nf_digest *d = nf_digest_open(err);
    const unsigned char *p;
    size_t n;

    if (!d)
        return NF_ESYS;
    add_text(d, nf_tokenizer_type(t), strlen(nf_tokenizer_type(t)));
    add_u32(d, t->vocab.V);
    for (size_t i = 0; i < t->vocab.V; i++) {
        p = nf_vocab_bytes(&t->vocab, (uint32_t)i, &n);
        add_text(d, p, n);
    }
    add_u32(d, t->bpe.n);
    for (size_t i = 0; i < t->bpe.n; i++) {
        add_u32(d, t->bpe.merges[i].left);
        add_u32(d, t->bpe.merges[i].right);
        add_u32(d, t->bpe.merges[i].id);
    }
    add_text(d, pattern, strlen(pattern));
    add_text(d, t->nfc ? "NFC" : "", t->nfc ? 3 : 0);
    add_u32(d, t->added.n);
    for (size_t i = 0; i < t->added.n; i++) {
        const struct nf_added_token *a = &t->added.tokens[i];

        add_u32(d, a->id);
        add_u32(d, (size_t)a->special | (size_t)a->normalized << 1);
    }
    add_rest(d, l);
    nf_digest_close(d, t->digest);
    return NF_OK;
}

/* Could an occurrence of one text share a byte with one of the other? */
static bool overlap(const struct nf_added_token *a, const struct nf_added_token *b)
{
    for (size_t at = 0; at < a->n; at++)
        if (memcmp(a->text + at, b->text, nf_min(a->n - at, b->n)) == 0)
            return true;
    for (size_t at = 1; at < b->n; at++)
        if (memcmp(b->text + at, a->text, nf_min(b->n - at, a->n)) == 0)
            return true;
    return false;
}

/*
 * Without a normaliser the tokens for "after normalisation" are looked for in the same text, only later.  Where none of them can overlap one
 * of the others that makes no difference, and the flag is cleared, so that it does not tell apart tokenizers that are the same.
 */
static void settle_normalized(struct nf_tokenizer *t)
{
    if (t->nfc || t->prepend || t->replace)
        return;
    for (size_t i = 0; i < t->added.n; i++)
        for (size_t k = 0; k < t->added.n; k++)
            if (t->added.tokens[i].normalized && !t->added.tokens[k].normalized &&
                overlap(&t->added.tokens[i], &t->added.tokens[k]))
                return;
    for (size_t i = 0; i < t->added.n; i++)
        t->added.tokens[i].normalized = false;
}

static int finish_tokenizer(struct nf_load *l)
{
    struct nf_tokenizer *t = l->t;
    int rc;

    if (!l->pattern && !(t->chars = nf_chars_open(l->err)))
        return NF_ESYS;
    if ((rc = nf_load_config(l)) < 0 || (rc = make_vocab(l)) < 0 || (rc = nf_bpe_index(&t->bpe, l->err)) < 0 ||
        (rc = nf_whole_index(&t->whole, l->err)) < 0)
        return rc;
    settle_normalized(t);
    nf_added_index(&t->added);
    if (t->chars) {
        t->chars->fuse_unk = l->fuse_unk;
        t->chars->split = l->split;
        return make_digest(l, "", l->err);
    }
    t->pretok = nf_pretok_open(l->pattern, l->err);
    return t->pretok ? make_digest(l, l->pattern, l->err) : (int)l->err->code;
}

static int load_parts(struct nf_load *l, json_t *root)
{
    int rc = root ? nf_load_tokenizer_json(l, root) : nf_load_vocab_merges(l);

    return rc == NF_OK ? finish_tokenizer(l) : rc;
}

static int load_directory(struct nf_load *l)
{
    json_t *root = nf_load_json(l, "tokenizer.json");
    int rc;

    if (!root && l->err->code == NF_OK && access(l->dir, X_OK) < 0)
        nf_fail_errno(l->err, "%s", l->dir);
    if (!root && l->err->code != NF_OK)
        return l->err->code;
    l->files = !root;
    rc = load_parts(l, root);
    json_decref(root);
    return rc;
}

/* json NULL: what lies in the directory. */
static struct nf_tokenizer *build_tokenizer(struct nf_load *l, json_t *json, struct nf_err *err)
{
    struct nf_err own = NF_ERR_INIT;   /* the readers look at the slot; the caller's may be NULL or hold a failure already */

    l->err = &own;
    l->t = nf_alloc(1, sizeof *l->t, err);
    if (!l->t)
        return NULL;
    l->t->bos_id = -1;
    if ((json ? load_parts(l, json) : load_directory(l)) < 0) {
        nf_fail(err, own.code, "%s", own.text);
        nf_tokenizer_close(l->t);
        l->t = NULL;
    }
    json_decref(l->vocab);
    return l->t;
}

struct nf_tokenizer *nf_tokenizer_open(const char *dir, struct nf_err *err)
{
    struct nf_load l = { .dir = dir };

    return build_tokenizer(&l, NULL, err);
}

struct nf_tokenizer *nf_tokenizer_from_json(const char *name, json_t *json, json_t *config, struct nf_err *err)
{
    struct nf_load l = { .dir = name, .memory = true, .own_config = config };

    return build_tokenizer(&l, json, err);
}

void nf_tokenizer_close(struct nf_tokenizer *t)
{
    if (!t)
        return;
    nf_vocab_clear(&t->vocab);
    nf_bpe_clear(&t->bpe);
    nf_pretok_close(t->pretok);
    nf_whole_clear(&t->whole);
    nf_chars_close(t->chars);
    nf_added_clear(&t->added);
    free(t);
}

const char *nf_tokenizer_type(const struct nf_tokenizer *t)
{
    return t->chars ? "sentencepiece-bpe" : "byte-level-bpe";
}
