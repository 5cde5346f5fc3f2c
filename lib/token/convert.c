/* convert.c - steps that change the text. */
#include "token/convert.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/utf8.h"

int nf_convert_open(struct nf_convert *c, const struct nf_text_step *step, struct nf_err *err)
{
    *c = (struct nf_convert){ .step = step };
    if (!step->regex)
        return NF_OK;
    c->match = nf_regex_match_open(step->regex, err);
    return c->match ? NF_OK : NF_ESYS;
}

void nf_convert_close(struct nf_convert *c)
{
    nf_regex_match_close(c->match);
    nf_bytes_clear(&c->valid);
}

bool nf_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

const unsigned char *nf_valid_view(const unsigned char *p, size_t n, struct nf_bytes *copy, struct nf_err *err)
{
    size_t i = nf_utf8_valid(p, n);

    if (i == n)
        return p;
    copy->n = 0;
    if (nf_bytes_add(copy, p, n, err) < 0)
        return NULL;
    for (; i < n; i += 1 + nf_utf8_valid(p + i + 1, n - i - 1))
        copy->p[i] = 1;
    return copy->p;
}

/* ---- character by character ---- */

/* Full lower case as Unicode has it without context: one character, but for U+0130. */
static size_t lower_char(uint32_t c, uint32_t out[3])
{
    if (c == 0x130) {
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    return 1;
}

static bool is_mark(uint32_t c, bool all)
{
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);

    return k == UTF8PROC_CATEGORY_MN || (all && (k == UTF8PROC_CATEGORY_MC || k == UTF8PROC_CATEGORY_ME));
}

/* BERT's control characters: categories C, but for the three that are blanks. */
static bool is_control(uint32_t c)
{
    if (c == '\t' || c == '\n' || c == '\r')
        return false;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CO:
        return true;
    default:
        return false;
    }
}

static size_t clean_char(uint32_t c, uint32_t out[3])
{
    out[0] = nf_is_space(c) ? ' ' : c;
    return c != 0 && c != 0xfffd && !is_control(c);
}

/* Source: tokenizers, normalizers/unicode.rs, do_nmt(), after SentencePiece's nmt_nfkc. */
static size_t nmt_char(uint32_t c, uint32_t out[3])
{
    bool blank = c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 || (c >= 0x200b && c <= 0x200f) || c == 0x2028 ||
                 c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;

    out[0] = blank ? ' ' : c;
    return !((c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f);
}

/* Source: tokenizers, normalizers/bert.rs, is_chinese_char(). */
static bool is_ideograph(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
           (c >= 0x2a700 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0x2f800 && c <= 0x2fa1f);
}

static size_t pad_char(uint32_t c, uint32_t out[3])
{
    bool pad = is_ideograph(c);

    out[0] = out[2] = ' ';
    out[pad] = c;
    return pad ? 3 : 1;
}

static size_t convert_char(const struct nf_text_step *s, uint32_t c, uint32_t out[3])
{
    switch (s->kind) {
    case NF_STEP_LOWERCASE:
        return lower_char(c, out);
    case NF_STEP_CLEAN:
        return clean_char(c, out);
    case NF_STEP_NMT:
        return nmt_char(c, out);
    case NF_STEP_PAD_HAN:
        return pad_char(c, out);
    default:
        out[0] = c;
        return !is_mark(c, s->all_marks);
    }
}

static int convert_chars(struct nf_convert *v, const unsigned char *p, size_t n, struct nf_bytes *out, struct nf_err *err)
{
    uint32_t c, made[3];
    unsigned char text[12];
    int rc = NF_OK;

    for (size_t i = 0, len; i < n && rc == NF_OK; i += len) {
        size_t used = 0, chars;

        len = nf_utf8_decode(p + i, n - i, &c);
        if (!len) { /* a byte that is no UTF-8 stays */
            len = 1;
            v->wrote = true;
            rc = nf_bytes_add(out, p + i, 1, err);
            continue;
        }
        chars = convert_char(v->step, c, made);
        v->moved |= !v->wrote && !chars;
        v->wrote |= chars > 0;
        for (size_t k = 0; k < chars; k++)
            used += nf_utf8_encode(made[k], text + used);
        rc = nf_bytes_add(out, text, used, err);
    }
    return rc;
}

static int convert_bytes(const unsigned char *p, size_t n, struct nf_bytes *out, struct nf_err *err)
{
    unsigned char text[4];
    int rc = NF_OK;

    for (size_t i = 0; i < n && rc == NF_OK; i++)
        rc = nf_bytes_add(out, text, nf_utf8_encode(nf_byte_letter(p[i]), text), err);
    return rc;
}

/* ---- steps that look at more than a character ---- */

/* The blanks that p[from..n) begins with end there. */
static size_t skip_spaces(const unsigned char *p, size_t from, size_t n)
{
    uint32_t c;
    size_t len;

    while (from < n && (len = nf_utf8_decode(p + from, n - from, &c)) && nf_is_space(c))
        from += len;
    return from;
}

/* The blanks that p[from..n) ends with begin there. */
static size_t trim_spaces(const unsigned char *p, size_t from, size_t n)
{
    while (n > from) {
        size_t at = n - 1;
        uint32_t c;

        while (at > from && (p[at] & 0xc0) == 0x80)
            at--;
        if (nf_utf8_decode(p + at, n - at, &c) != n - at || !nf_is_space(c))
            break;
        n = at;
    }
    return n;
}

static int strip_spaces(struct nf_convert *c, const unsigned char *p, size_t n, bool ends, struct nf_bytes *out, size_t *used,
                        struct nf_err *err)
{
    size_t from = c->step->strip_left && !c->begun ? skip_spaces(p, 0, n) : 0;
    size_t to = c->step->strip_right ? trim_spaces(p, from, n) : n;

    c->moved |= !c->begun && from > 0;
    c->begun = c->begun || to > from;
    *used = ends ? n : to;
    return nf_bytes_add(out, p + from, to - from, err);
}

static int replace_char(const struct nf_text_step *s, const unsigned char *p, size_t n, struct nf_bytes *out, struct nf_err *err)
{
    const unsigned char *end = p + n, *next;
    int rc = NF_OK;

    for (; p < end && rc == NF_OK; p = next + 1) {
        next = memchr(p, s->one, (size_t)(end - p));
        if (!next)
            return nf_bytes_add(out, p, (size_t)(end - p), err);
        rc = nf_bytes_add(out, p, (size_t)(next - p), err);
        if (rc == NF_OK)
            rc = nf_bytes_add(out, s->text.p, s->text.n, err);
    }
    return rc;
}

/* Where the character that ends at `at` and `chars` - 1 before it begin. */
static size_t step_back(const unsigned char *p, size_t at, size_t chars)
{
    for (; chars && at; chars--)
        do
            at--;
        while (at && (p[at] & 0xc0) == 0x80);
    return at;
}

static size_t step_on(const unsigned char *p, size_t at, size_t n)
{
    do
        at++;
    while (at < n && (p[at] & 0xc0) == 0x80);
    return at;
}

/*
 * What a match is replaced by stands for its last character, as tokenizers aligns it: with a match of several, or with nothing in its place,
 * what came in first is gone.
 */
static void note_match(struct nf_convert *c, const unsigned char *p, size_t pos, size_t start, size_t end)
{
    c->wrote |= start > pos;
    if (!c->wrote && end > start)
        c->moved |= !c->step->text.n || step_on(p, start, end) < end;
    c->wrote |= c->step->text.n > 0;
}

/* An empty match where the last one ended does not count: the search goes on a character later. */
static int replace_matches(struct nf_convert *c, const unsigned char *p, size_t n, bool ends, bool valid, struct nf_bytes *out,
                           size_t *used, struct nf_err *err)
{
    const unsigned char *seen = valid ? p : nf_valid_view(p, n, &c->valid, err);
    size_t pos = c->context, search = pos, start, end;
    int rc = seen ? NF_OK : NF_ESYS;

    while (rc == NF_OK && (rc = nf_regex_find(c->step->regex, c->match, seen, n, search, ends, &start, &end, err)) == NF_OK) {
        if (start == end && start == pos && c->matched) {
            if (search == n)
                break;
            search = step_on(p, search, n);
            continue;
        }
        rc = nf_bytes_add(out, p + pos, start - pos, err);
        if (rc == NF_OK)
            rc = nf_bytes_add(out, c->step->text.p, c->step->text.n, err);
        note_match(c, p, pos, start, end);
        pos = search = end;
        c->matched = true;
    }
    if (rc == NF_EOF || rc == NF_OK) {
        start = ends ? n : rc == NF_EOF ? start : pos;
        rc = start > pos ? nf_bytes_add(out, p + pos, start - pos, err) : NF_OK;
        c->matched = c->matched && start <= pos;
        c->wrote |= start > pos;
        pos = start > pos ? start : pos;
    }
    *used = ends ? n : step_back(p, pos, nf_regex_behind(c->step->regex));
    c->context = pos - *used;
    return rc;
}

static int put_front(struct nf_convert *c, const unsigned char *p, size_t n, bool first, struct nf_bytes *out, struct nf_err *err)
{
    const struct nf_text_step *s = c->step;
    bool there = n >= s->text.n && memcmp(p, s->text.p, s->text.n) == 0;

    if (c->begun || !n || (s->kind == NF_STEP_FRONT && (there || (s->front == NF_FRONT_FIRST && !first))))
        return NF_OK;
    return nf_bytes_add(out, s->text.p, s->text.n, err);
}

/* Begin the next sequence. */
static void reset_convert(struct nf_convert *c)
{
    c->begun = c->matched = c->wrote = c->moved = false;
    c->context = 0;
}

int nf_convert_run(struct nf_convert *c, const unsigned char *p, size_t n, bool ends, bool first, bool valid, struct nf_bytes *out,
                   size_t *used, bool *moved, struct nf_err *err)
{
    const struct nf_text_step *s = c->step;
    int rc;

    *used = n;
    switch (s->kind) {
    case NF_STEP_FORM:
        rc = nf_unicode_normalize(s->form, p, n, ends, out, used, err);
        break;
    case NF_STEP_CHARSMAP:
        rc = nf_charsmap_apply(s->map, p, n, ends, out, used, err);
        break;
    case NF_STEP_STRIP:
        rc = strip_spaces(c, p, n, ends, out, used, err);
        break;
    case NF_STEP_REPLACE:
        rc = s->regex ? replace_matches(c, p, n, ends, valid, out, used, err) : replace_char(s, p, n, out, err);
        break;
    case NF_STEP_PREPEND:
    case NF_STEP_FRONT:
        rc = put_front(c, p, n, first, out, err);
        c->begun = c->begun || n;
        if (rc == NF_OK)
            rc = nf_bytes_add(out, p, n, err);
        break;
    case NF_STEP_ALPHABET:
        rc = convert_bytes(p, n, out, err);
        break;
    default:
        rc = convert_chars(c, p, n, out, err);
    }
    *moved = c->moved;
    if (ends)
        reset_convert(c);
    return rc;
}
