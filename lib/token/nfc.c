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

int nf_nfc(const unsigned char *text, size_t n, bool last, struct nf_bytes *out, size_t *used, struct nf_err *err)
{
    size_t run = 0, i = 0, len;   /* text[run .. i) has not been put out; it may be normalised as a whole up to the next cut */
    bool plain = true;            /* that run is one inert character or bad bytes */
    uint32_t c = 0;
    int rc = NF_OK;

    while (i < n && rc == NF_OK) {
        len = nf_utf8_decode(text + i, n - i, &c);
        if (!len && !last && n - i < 4)
            break;
        if (!len || cut_before(c)) {
            if (i > run)
                rc = plain ? nf_bytes_add(out, text + run, i - run, err) : normalize(text + run, i - run, out, err);
            run = i;
            plain = true;
        }
        if (len && !inert(c))
            plain = false;
        i += len ? len : 1;
        if (!len && rc == NF_OK) {
            rc = nf_bytes_add(out, text + i - 1, 1, err);
            run = i;
        }
    }
    if (rc == NF_OK && last && i > run)
        rc = plain ? nf_bytes_add(out, text + run, i - run, err) : normalize(text + run, i - run, out, err);
    *used = last ? n : run;
    if (rc == NF_OK && !last && n - run > NF_NFC_RUN)
        rc = nf_fail(err, NF_EFORMAT, "NFC: a run of more than %d bytes without a character at which it could be cut", NF_NFC_RUN);
    return rc;
}
