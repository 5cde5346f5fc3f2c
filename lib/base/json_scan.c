/* json_scan.c - a scanner of JSON text: tokens, and a bit for each open object or array. */
#include "base/json_scan.h"

#include <string.h>

#include "base/utf8.h"

void nf_json_scan_init(struct nf_json_scan *s, const void *text, size_t n)
{
    *s = (struct nf_json_scan){ .p = text, .end = (const char *)text + n };
}

static enum nf_json_event fail_scan(struct nf_json_scan *s, const char *why)
{
    s->why = why;
    s->text = s->p;
    s->n = 0;
    return NF_JSON_BAD;
}

static bool in_object(const struct nf_json_scan *s)
{
    return s->depth && s->object[(s->depth - 1) / 64] >> (s->depth - 1) % 64 & 1;
}

static void skip_blanks(struct nf_json_scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static enum nf_json_event begin_level(struct nf_json_scan *s, bool object)
{
    uint64_t bit = (uint64_t)1 << s->depth % 64;

    if (s->depth == NF_JSON_DEPTH)
        return fail_scan(s, "less nesting");
    s->object[s->depth / 64] = object ? s->object[s->depth / 64] | bit : s->object[s->depth / 64] & ~bit;
    s->depth++;
    s->p++;
    s->after_value = s->after_key = false;
    return object ? NF_JSON_BEGIN_OBJECT : NF_JSON_BEGIN_ARRAY;
}

static enum nf_json_event end_level(struct nf_json_scan *s)
{
    bool object = in_object(s);

    if (!s->depth || (*s->p == '}') != object || s->after_key)
        return fail_scan(s, "a value");
    s->p++;
    s->depth--;
    s->after_value = true;
    return object ? NF_JSON_END_OBJECT : NF_JSON_END_ARRAY;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_escape(const char *p, const char *end, size_t *n)
{
    *n = 2;
    if (end - p < 2)
        return false;
    if (p[1] != 'u')
        return p[1] && strchr("\"\\/bfnrt", p[1]);
    *n = 6;
    return end - p >= 6 && is_hex(p[2]) && is_hex(p[3]) && is_hex(p[4]) && is_hex(p[5]);
}

/* A string from its quote on. */
static enum nf_json_event scan_string(struct nf_json_scan *s, enum nf_json_event kind)
{
    const char *p = s->p + 1;
    size_t n, valid;

    for (;;) {
        const char *from = p;

        while (p < s->end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
            p++;
        valid = nf_utf8_valid((const unsigned char *)from, (size_t)(p - from));
        if (from + valid < p) {
            s->p = from + valid;
            return fail_scan(s, "UTF-8");
        }
        if (p == s->end || (unsigned char)*p < 0x20) {
            s->p = p;
            return fail_scan(s, p == s->end ? "the end of a string" : "an escape for a control character");
        }
        if (*p == '"')
            break;
        if (!is_escape(p, s->end, &n)) {
            s->p = p;
            return fail_scan(s, "an escape");
        }
        p += n;
    }
    s->text = s->p + 1;
    s->n = (size_t)(p - s->text);
    s->p = p + 1;
    return kind;
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static enum nf_json_event scan_number(struct nf_json_scan *s)
{
    const char *p = s->p + (*s->p == '-'), *digits = p, *tail;

    p = p < s->end && *p == '0' ? p + 1 : skip_digits(p, s->end);
    if (p == digits)
        return fail_scan(s, "a value");
    if (p < s->end && *p == '.' && (tail = skip_digits(p + 1, s->end)) > p + 1)
        p = tail;
    if (p < s->end && (*p == 'e' || *p == 'E')) {
        tail = p + 1 + (p + 1 < s->end && (p[1] == '-' || p[1] == '+'));
        if (skip_digits(tail, s->end) > tail)
            p = skip_digits(tail, s->end);
    }
    s->text = s->p;
    s->n = (size_t)(p - s->p);
    s->p = p;
    return NF_JSON_NUMBER;
}

static enum nf_json_event scan_word(struct nf_json_scan *s)
{
    static const struct {
        const char *word;
        enum nf_json_event event;
    } words[] = {
        { "true", NF_JSON_CONSTANT }, { "false", NF_JSON_CONSTANT },      { "null", NF_JSON_CONSTANT },
        { "NaN", NF_JSON_NO_NUMBER }, { "Infinity", NF_JSON_NO_NUMBER }, { "-Infinity", NF_JSON_NO_NUMBER },
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i].word);

        if ((size_t)(s->end - s->p) >= n && memcmp(s->p, words[i].word, n) == 0) {
            s->text = s->p;
            s->n = n;
            s->p += n;
            return words[i].event;
        }
    }
    return scan_number(s);
}

static enum nf_json_event scan_value(struct nf_json_scan *s)
{
    enum nf_json_event e;

    if (s->p == s->end)
        return fail_scan(s, "a value");
    if (*s->p == '{' || *s->p == '[')
        return begin_level(s, *s->p == '{');
    e = *s->p == '"' ? scan_string(s, NF_JSON_STRING) : scan_word(s);
    s->after_key = e == NF_JSON_BAD;
    s->after_value = e != NF_JSON_BAD;
    return e;
}

static enum nf_json_event scan_key(struct nf_json_scan *s)
{
    enum nf_json_event e = *s->p == '"' ? scan_string(s, NF_JSON_KEY) : fail_scan(s, "a key");

    if (e != NF_JSON_KEY)
        return e;
    skip_blanks(s);
    if (s->p == s->end || *s->p != ':')
        return fail_scan(s, "a colon");
    s->p++;
    s->after_key = true;
    return NF_JSON_KEY;
}

enum nf_json_event nf_json_next(struct nf_json_scan *s)
{
    if (s->why)
        return NF_JSON_BAD;
    skip_blanks(s);
    if (s->after_value && !s->depth)
        return s->p == s->end ? NF_JSON_END : fail_scan(s, "the end");
    if (!s->depth || s->after_key)
        return scan_value(s);
    if (s->p == s->end)
        return fail_scan(s, "a comma or the end of an object or array");
    if (!s->after_value || *s->p == '}' || *s->p == ']') {
        if (*s->p == '}' || *s->p == ']')
            return end_level(s);
        return in_object(s) ? scan_key(s) : scan_value(s);
    }
    if (*s->p != ',')
        return fail_scan(s, "a comma");
    s->p++;
    skip_blanks(s);
    if (s->p == s->end)
        return fail_scan(s, "a value");
    return in_object(s) ? scan_key(s) : scan_value(s);
}

enum nf_json_event nf_json_skip(struct nf_json_scan *s)
{
    size_t depth = s->depth;
    enum nf_json_event e;

    do
        e = nf_json_next(s);
    while (e != NF_JSON_BAD && (s->depth > depth || e == NF_JSON_KEY));
    return e;
}

static uint32_t hex_unit(const char *p)
{
    uint32_t u = 0;

    for (int i = 0; i < 4; i++)
        u = u << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    return u;
}

/* The character of an escape at p, and the bytes it takes. */
static uint32_t decode_escape(const char *p, const char *end, size_t *n, size_t *lone)
{
    static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    uint32_t u, low;

    *n = 2;
    if (p[1] != 'u')
        return (unsigned char)values[strchr(letters, p[1]) - letters];
    *n = 6;
    u = hex_unit(p + 2);
    if (u >= 0xd800 && u < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
        low = hex_unit(p + 8);
        if (low >= 0xdc00 && low < 0xe000) {
            *n = 12;
            return 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    if (u >= 0xd800 && u < 0xe000) {
        ++*lone;
        return 0xfffd;
    }
    return u;
}

int nf_json_decode(const char *text, size_t n, struct nf_bytes *out, size_t *lone, struct nf_err *err)
{
    const char *p = text, *end = text + n;
    unsigned char made[4];
    int rc = NF_OK;

    *lone = 0;
    while (p < end && rc == NF_OK) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        size_t used;

        if (!escape)
            escape = end;
        rc = nf_bytes_add(out, p, (size_t)(escape - p), err);
        p = escape;
        if (rc == NF_OK && p < end) {
            rc = nf_bytes_add(out, made, nf_utf8_encode(decode_escape(p, end, &used, lone), made), err);
            p += used;
        }
    }
    return rc;
}
