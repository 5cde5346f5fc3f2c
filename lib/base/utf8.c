/* utf8.c - decode, encode, check and show UTF-8. */
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* Bytes of a character, by its first, which is not ASCII. */
static size_t sequence_length(unsigned char first)
{
    if (first >= 0xf0)
        return 4;
    return first >= 0xe0 ? 3 : 2;
}

size_t nf_utf8_decode(const unsigned char *p, size_t n, uint32_t *c)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len;

    if (!n)
        return 0;
    if (p[0] < 0x80) {
        *c = p[0];
        return 1;
    }
    len = sequence_length(p[0]);
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < len)
        return 0;
    *c = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *c = *c << 6 | (p[i] & 0x3f);
    }
    if (*c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
        return 0;
    return len;
}

size_t nf_utf8_encode(uint32_t c, unsigned char out[4])
{
    if (c < 0x80) {
        out[0] = (unsigned char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (unsigned char)(0xc0 | c >> 6);
        out[1] = (unsigned char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (unsigned char)(0xe0 | c >> 12);
        out[1] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (unsigned char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (unsigned char)(0xf0 | c >> 18);
    out[1] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (unsigned char)(0x80 | (c & 0x3f));
    return 4;
}

/* The next eight bytes are ASCII: most text is. */
static bool ascii8(const unsigned char *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof w);
    return !(w & 0x8080808080808080u);
}

size_t nf_utf8_valid(const unsigned char *p, size_t n)
{
    size_t i = 0, len;
    uint32_t c;

    while (i < n) {
        if (n - i >= 8 && ascii8(p + i)) {
            i += 8;
            continue;
        }
        len = nf_utf8_decode(p + i, n - i, &c);
        if (!len)
            return i;
        i += len;
    }
    return n;
}

/* Characters that a terminal or a page would act on, or not show at all: C0, DEL, C1, separators, zero-width and direction marks. */
static bool hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c < 0x2010) || (c >= 0x2028 && c < 0x202f) ||
           (c >= 0x2060 && c < 0x2070) || c == 0xfeff || (c >= 0xfff9 && c < 0xfffc);
}

/* NULL: it has none of its own. */
static const char *escape_of(uint32_t c)
{
    switch (c) {
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '\\':
        return "\\\\";
    default:
        return NULL;
    }
}

/* One character, or one bad byte, in printable form; returns the bytes taken. */
static size_t show_one(const unsigned char *p, size_t n, char out[20])
{
    uint32_t c = 0;
    size_t len = nf_utf8_decode(p, n, &c), taken = len ? len : 1;
    const char *name = escape_of(c);

    if (len && name) {
        memcpy(out, name, 3);
    } else if (len && !hidden(c)) {
        memcpy(out, p, len);
        out[len] = '\0';
    } else {
        for (size_t i = 0; i < taken; i++)
            snprintf(out + 4 * i, 5, "\\x%02x", p[i]);
    }
    return taken;
}

char *nf_utf8_show(const void *bytes, size_t n, char *buf, size_t size)
{
    const unsigned char *p = bytes;
    size_t used = 0, i = 0, len;
    char one[20];

    while (i < n) {
        i += show_one(p + i, n - i, one);
        len = strlen(one);
        if (used + len >= size)
            break;
        memcpy(buf + used, one, len);
        used += len;
    }
    buf[used] = '\0';
    return buf;
}
