/* charsmap.c - the double-array trie of SentencePiece's normalisation tables. */
#include "token/charsmap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/alloc.h"
#include "base/utf8.h"

struct nf_charsmap {
    uint32_t *units; /* [n_units] of the trie */
    size_t n_units;
    const char *texts; /* replacements, each ended by NUL; in `bytes` */
    size_t n_texts;
    struct nf_bytes bytes; /* as decoded */
};

static int decode_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static int decode_base64(const char *text, struct nf_bytes *out, struct nf_err *err)
{
    size_t n = strlen(text);
    uint32_t bits = 0;
    unsigned have = 0;

    while (n && text[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        int digit = decode_digit(text[i]);
        unsigned char byte;

        if (digit < 0)
            return nf_fail(err, NF_EFORMAT, "precompiled_charsmap: not base64");
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        byte = (unsigned char)(bits >> have);
        if (nf_bytes_add(out, &byte, 1, err) < 0)
            return NF_ESYS;
    }
    return NF_OK;
}

static uint32_t read_unit(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Bytes of the trie, the trie, the texts. */
static int read_table(struct nf_charsmap *m, struct nf_err *err)
{
    const unsigned char *p = m->bytes.p;
    size_t n = m->bytes.n, size = n >= 4 ? read_unit(p) : 0;

    if (n < 4 || size % 4 || size < 4 || size > n - 4)
        return nf_fail(err, NF_EFORMAT, "precompiled_charsmap: not a table of SentencePiece");
    m->n_units = size / 4;
    m->units = nf_alloc(m->n_units, sizeof *m->units, err);
    if (!m->units)
        return NF_ESYS;
    for (size_t i = 0; i < m->n_units; i++)
        m->units[i] = read_unit(p + 4 + 4 * i);
    m->texts = (const char *)p + 4 + size;
    m->n_texts = n - 4 - size;
    return NF_OK;
}

struct nf_charsmap *nf_charsmap_open(const char *base64, struct nf_err *err)
{
    struct nf_charsmap *m = nf_alloc(1, sizeof *m, err);

    if (m && (decode_base64(base64, &m->bytes, err) < 0 || read_table(m, err) < 0)) {
        nf_charsmap_close(m);
        return NULL;
    }
    return m;
}

void nf_charsmap_close(struct nf_charsmap *m)
{
    if (!m)
        return;
    free(m->units);
    nf_bytes_clear(&m->bytes);
    free(m);
}

static size_t unit_offset(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

/* The replacement of p[0..n), by the shortest entry that it begins with; false: none. */
static bool find_replacement(const struct nf_charsmap *m, const unsigned char *p, size_t n, const char **text, size_t *text_n)
{
    size_t at = unit_offset(m->units[0]);

    for (size_t i = 0; i < n && p[i]; i++) {
        uint32_t unit;
        size_t value;

        at ^= p[i];
        if (at >= m->n_units)
            return false;
        unit = m->units[at];
        if ((unit & (1u << 31 | 0xff)) != p[i])
            return false;
        at ^= unit_offset(unit);
        if (!(unit >> 8 & 1))
            continue;
        value = at < m->n_units ? m->units[at] & ~(1u << 31) : SIZE_MAX;
        if (value >= m->n_texts)
            return false;
        *text = m->texts + value;
        *text_n = strnlen(*text, m->n_texts - value);
        return true;
    }
    return false;
}

static int apply_cluster(const struct nf_charsmap *m, const unsigned char *p, size_t n, struct nf_bytes *out, struct nf_err *err)
{
    enum { WHOLE = 6 };
    const char *text;
    size_t text_n, len;
    uint32_t c;
    int rc = NF_OK;

    if (n < WHOLE && find_replacement(m, p, n, &text, &text_n))
        return nf_bytes_add(out, text, text_n, err);
    for (size_t i = 0; i < n && rc == NF_OK; i += len) {
        len = nf_utf8_decode(p + i, n - i, &c);
        len = len ? len : 1;
        if (find_replacement(m, p + i, len, &text, &text_n))
            rc = nf_bytes_add(out, text, text_n, err);
        else
            rc = nf_bytes_add(out, p + i, len, err);
    }
    return rc;
}

int nf_charsmap_apply(const struct nf_charsmap *m, const unsigned char *text, size_t n, bool last, struct nf_bytes *out,
                      size_t *used, struct nf_err *err)
{
    utf8proc_int32_t state = 0;
    uint32_t before = 0, c = 0;
    size_t from = 0, len;
    int rc = NF_OK;

    for (size_t i = 0; i < n && rc == NF_OK; i += len, before = c) {
        len = nf_utf8_decode(text + i, n - i, &c);
        if (!len) { /* a byte that is no UTF-8: a control character, and no entry */
            len = 1;
            c = 1;
        }
        if (i == from || !utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)c, &state))
            continue;
        rc = apply_cluster(m, text + from, i - from, out, err);
        from = i;
    }
    if (rc == NF_OK && last && from < n) {
        rc = apply_cluster(m, text + from, n - from, out, err);
        from = n;
    }
    *used = from;
    return rc;
}
