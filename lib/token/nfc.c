/* nfc.c - streaming NFC over utf8proc. */
#include "token/nfc.h"

#include <stdlib.h>

#include <utf8proc.h>

#include "base/utf8.h"

/*
 * Text may be cut before a character of combining class 0 that never is the second of a canonical composition.  These ranges are: below
 * U+0300, the ideographs and kana (their voicing marks U+3099, U+309A left out), whole Hangul syllables, the pictographs and the planes
 * above.  There are others; a cut less costs only buffer.
 * A byte that is no UTF-8 ends a run too: nothing composes across it.
 */
static bool cut_before(uint32_t c)
{
    return c < 0x300 || (c >= 0x3000 && c < 0x3099) || (c > 0x309a && c < 0xa000) || (c >= 0xac00 && c < 0xd7a4) ||
           (c >= 0x1f000 && c < 0xe0000);
}

/* Below U+0300 every character is its own NFC form: only what follows can change it. */
static bool inert(uint32_t c)
{
    return c < 0x300;
}

static int normalize(const unsigned char *p, size_t n, struct nf_bytes *out, struct nf_err *err)
{
    utf8proc_uint8_t *made = NULL;
    utf8proc_ssize_t len = utf8proc_map(p, (utf8proc_ssize_t)n, &made, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    int rc;

    if (len < 0)
        return nf_fail(err, len == UTF8PROC_ERROR_NOMEM ? NF_ESYS : NF_EFORMAT, "NFC: %s", utf8proc_errmsg(len));
    rc = nf_bytes_add(out, made, (size_t)len, err);
    free(made);
    return rc;
}

/* A run of text that has not been put out: p[run .. ). */
struct nfc_run {
    size_t start, last;   /* its first character; the last one, where it is plain */
    bool plain;           /* all its characters are inert */
};

static int put_out(const unsigned char *p, const struct nfc_run *r, size_t end, struct nf_bytes *out, struct nf_err *err)
{
    if (end == r->start)
        return NF_OK;
    return r->plain ? nf_bytes_add(out, p + r->start, end - r->start, err) : normalize(p + r->start, end - r->start, out, err);
}

/* Where the run is to be cut before character c at i.  An inert one is cut only from what it could change. */
static size_t cut_at(const struct nfc_run *r, uint32_t c, size_t i)
{
    if (inert(c))
        return r->plain ? r->start : i;
    return cut_before(c) ? i : r->plain ? r->last : r->start;
}

int nf_nfc(const unsigned char *text, size_t n, bool last, struct nf_bytes *out, size_t *used, struct nf_err *err)
{
    struct nfc_run r = { 0, 0, true };
    size_t i = 0, len, cut;
    uint32_t c = 0;
    int rc = NF_OK;

    for (; i < n && rc == NF_OK; i += len) {
        len = nf_utf8_decode(text + i, n - i, &c);
        if (!len && !last && n - i < 4)
            break;
        cut = len ? cut_at(&r, c, i) : i;
        if (cut > r.start) {
            rc = put_out(text, &r, cut, out, err);
            r = (struct nfc_run){ cut, cut, true };
        }
        if (!len && rc == NF_OK) {   /* a byte that is no UTF-8 */
            rc = nf_bytes_add(out, text + i, 1, err);
            len = 1;
            r = (struct nfc_run){ i + 1, i + 1, true };
            continue;
        }
        r.last = i;
        r.plain = r.plain && inert(c);
    }
    cut = last ? n : r.plain ? r.last : r.start;
    if (rc == NF_OK)
        rc = put_out(text, &r, cut, out, err);
    *used = cut;
    if (rc == NF_OK && !last && n - cut > NF_NFC_RUN)
        rc = nf_fail(err, NF_EFORMAT, "NFC: a run of more than %d bytes without a character at which it could be cut", NF_NFC_RUN);
    return rc;
}
