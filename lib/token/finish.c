/* finish.c - the tokens of a vocabulary by id, as bytes and as what the model starts from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/utf8.h"
#include "token/identity.h"
#include "token/load.h"

/* What stands at each id: an entry of the vocabulary, an added token, both, or neither. */
struct by_id {
    const char **entries;
    const struct nf_added_token **added;
    size_t V;
};

/* One past the highest id. */
static size_t count_ids(const struct nf_load *l)
{
    json_int_t next = 0;
    const char *token;
    json_t *id;

    json_object_foreach (l->vocab, token, id)
        if (json_integer_value(id) >= next)
            next = json_integer_value(id) + 1;
    for (size_t i = 0; i < l->t->added.n; i++)
        if (l->t->added.tokens[i].id >= next)
            next = (json_int_t)l->t->added.tokens[i].id + 1;
    return nf_max((size_t)next, l->t->model == NF_MODEL_UNIGRAM ? l->model_size : 0);
}

static int order_by_id(struct nf_load *l, struct by_id *b)
{
    const char *token;
    json_t *id;

    json_object_foreach (l->vocab, token, id) {
        const char **slot = &b->entries[json_integer_value(id)];

        if (*slot)
            return nf_fail(l->err, NF_EFORMAT, "%s: tokens \"%s\" and \"%s\" have the same id %lld", l->dir, *slot, token,
                           (long long)json_integer_value(id));
        *slot = token;
    }
    for (size_t i = 0; i < l->t->added.n; i++) {
        const struct nf_added_token *a = &l->t->added.tokens[i];

        if (b->added[a->id] || (b->entries[a->id] && strcmp(b->entries[a->id], a->text) != 0))
            return nf_fail(l->err, NF_EFORMAT, "%s: added token \"%s\" and another token have the same id %u", l->dir, a->text,
                           (unsigned)a->id);
        b->added[a->id] = a;
    }
    return NF_OK;
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

/*
 * The bytes of an entry that is written in GPT-2's alphabet into out [strlen]; returns their number.  An entry with other characters
 * (*spelled is false) stands for itself; no text is merged into it.
 */
static size_t spell_bytes(const char *entry, unsigned char *out, bool *spelled)
{
    const unsigned char *p = (const unsigned char *)entry;
    size_t n = strlen(entry), used = 0, len;
    uint32_t c = 0;

    *spelled = true;
    for (size_t i = 0; i < n; i += len) {
        len = nf_utf8_decode(p + i, n - i, &c);
        *spelled = len && nf_letter_byte(c) >= 0;
        if (!*spelled) {
            memcpy(out, entry, n);
            return n;
        }
        out[used++] = (unsigned char)nf_letter_byte(c);
    }
    return used;
}

/* The text of another entry: a blank for each U+2581, the byte of <0xNN>, no prefix that marks the inside of a word. */
static size_t spell_text(const struct nf_load *l, const char *entry, unsigned char *out)
{
    const struct nf_bytes *prefix = &l->t->wordpiece.prefix;
    int byte = l->byte_fallback ? fallback_byte(entry) : -1;
    const char *blank;
    size_t used = 0;

    if (byte >= 0) {
        *out = (unsigned char)byte;
        return 1;
    }
    if (prefix->n && strncmp(entry, (const char *)prefix->p, prefix->n) == 0)
        entry += prefix->n;
    while ((blank = strstr(entry, "\u2581"))) {
        memcpy(out + used, entry, (size_t)(blank - entry));
        used += (size_t)(blank - entry);
        out[used++] = ' ';
        entry = blank + 3;
    }
    memcpy(out + used, entry, strlen(entry));
    return used + strlen(entry);
}

/* What a BPE of characters starts from: a token that is one character, or one byte. */
static int add_symbol(struct nf_load *l, const char *entry, uint32_t id)
{
    struct nf_chars *c = l->t->chars;
    size_t n = strlen(entry);
    uint32_t u;
    int byte = l->byte_fallback ? fallback_byte(entry) : -1;

    if (byte >= 0)
        c->byte[byte] = id;
    if (l->unk && strcmp(entry, l->unk) == 0)
        c->unk = id;
    if (n && byte < 0 && nf_utf8_decode((const unsigned char *)entry, n, &u) == n)
        return nf_chars_add(c, u, id, l->err);
    return NF_OK;
}

/* The bytes of a token into out; what the model starts from is noted. */
static int add_entry(struct nf_load *l, const char *entry, uint32_t id, unsigned char *out, size_t *used)
{
    struct nf_tokenizer *t = l->t;
    bool spelled = true;
    int rc = NF_OK;

    *used = t->byte_level ? spell_bytes(entry, out, &spelled) : spell_text(l, entry, out);
    if (t->model == NF_MODEL_BPE_BYTES) {
        if (*used == 1 && spelled)
            t->bpe.byte[out[0]] = id;
        if (spelled && l->ignore_merges && *used)
            rc = nf_whole_add(&t->whole, out, *used, id, l->err);
    } else if (t->model == NF_MODEL_BPE_CHARS) {
        rc = add_symbol(l, entry, id);
        if (rc == NF_OK && l->ignore_merges && *entry)
            rc = nf_whole_add(&t->whole, entry, strlen(entry), id, l->err);
    }
    return rc;
}

/* An id without token: special, by a name. */
static int add_hole(struct nf_load *l, size_t id)
{
    char name[32];

    snprintf(name, sizeof name, "<%zu>", id);
    return nf_vocab_add(&l->t->vocab, name, strlen(name), l->err);
}

static int fill_vocab(struct nf_load *l, const struct by_id *b)
{
    struct nf_tokenizer *t = l->t;
    unsigned char *buf;
    size_t n, longest = 0;
    int rc = NF_OK;

    for (size_t i = 0; i < b->V; i++)
        longest = nf_max(longest, b->entries[i] ? strlen(b->entries[i]) : 0);
    buf = nf_alloc(longest + 1, 1, l->err);
    for (size_t i = 0; buf && i < b->V && rc == NF_OK; i++) {
        const struct nf_added_token *a = b->added[i];

        n = 0;
        if (b->entries[i])
            rc = add_entry(l, b->entries[i], (uint32_t)i, buf, &n);
        if (rc == NF_OK && a)
            rc = nf_vocab_add(&t->vocab, a->text, a->n, l->err);
        else if (rc == NF_OK)
            rc = b->entries[i] ? nf_vocab_add(&t->vocab, buf, n, l->err) : add_hole(l, i);
        if (rc == NF_OK)
            t->vocab.special[i] = a ? a->special : !b->entries[i];
    }
    free(buf);
    return buf ? rc : NF_ESYS;
}

static int check_byte_tokens(struct nf_load *l)
{
    const struct nf_tokenizer *t = l->t;

    for (unsigned b = '!'; b <= '~' && t->model == NF_MODEL_BPE_BYTES; b++)
        if (t->bpe.byte[b] == NF_BPE_NO_BYTE)
            return nf_fail(l->err, NF_EFORMAT, "%s: not a byte-level vocabulary: byte 0x%02x has no token", l->dir, b);
    return NF_OK;
}

static uint32_t first_char(const char *text)
{
    uint32_t u = 0x10ffff; /* of no text: a noncharacter, which has no token */

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
        if (c->unk != NF_CHARS_NONE && (m->left == c->unk || m->right == c->unk))
            return nf_fail(l->err, NF_EFORMAT, "%s: merge %zu of the unk token is not implemented", l->dir, i);
        rc = nf_chars_join(c, last_char(entries[m->left]), first_char(entries[m->right]), l->err);
    }
    return rc;
}

static int make_vocab(struct nf_load *l)
{
    struct by_id b = { .V = count_ids(l) };
    int rc;

    b.entries = nf_alloc(b.V, sizeof *b.entries, l->err);
    b.added = nf_alloc(b.V, sizeof *b.added, l->err);
    rc = b.entries && b.added ? order_by_id(l, &b) : NF_ESYS;
    if (rc == NF_OK)
        rc = fill_vocab(l, &b);
    if (rc == NF_OK)
        rc = check_byte_tokens(l);
    if (rc == NF_OK && l->t->chars)
        rc = join_chars(l, b.entries);
    free(b.entries);
    free(b.added);
    return rc;
}

/*
 * Without a normalizer the tokens for "after normalisation" are looked for in the same text, only later.  Where all of them are of one kind
 * that makes no difference, and the flag is cleared, so that it does not tell apart tokenizers that are the same.
 */
static void settle_normalized(struct nf_tokenizer *t)
{
    size_t normalized = 0;

    for (size_t i = 0; i < t->added.n; i++)
        normalized += t->added.tokens[i].normalized;
    for (size_t i = 0; !t->normalizers.n && normalized == t->added.n && i < t->added.n; i++)
        t->added.tokens[i].normalized = false;
}

int nf_load_finish(struct nf_load *l)
{
    struct nf_tokenizer *t = l->t;
    int rc;

    for (int b = 0; b < 256; b++)
        t->bpe.byte[b] = NF_BPE_NO_BYTE;
    if (t->model == NF_MODEL_BPE_CHARS) {
        t->chars = nf_chars_open(l->err);
        if (!t->chars)
            return NF_ESYS;
        t->chars->fuse_unk = l->fuse_unk;
    }
    if ((rc = make_vocab(l)) < 0 || (rc = nf_bpe_index(&t->bpe, l->err)) < 0 || (rc = nf_whole_index(&t->whole, l->err)) < 0)
        return rc;
    settle_normalized(t);
    return nf_identity_digest(l);
}
