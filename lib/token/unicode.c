/* unicode.c - normalisation forms over utf8proc's tables. */
#include "token/unicode.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/alloc.h"
#include "base/utf8.h"

static bool is_compatible(enum nf_unicode_form form)
{
    return form == NF_UNICODE_NFKC || form == NF_UNICODE_NFKD;
}

/*
 * Text may be cut before a character whose decomposition begins with one of combining class 0 that never is the second of a canonical
 * composition.  These ranges are: below U+0300, the ideographs and kana (their voicing marks U+3099, U+309A left out, and where letters
 * are decomposed for compatibility the single Hangul letters), whole Hangul syllables, the pictographs and the planes above.  There are
 * others; a cut less costs only buffer.  A byte that is no UTF-8 ends a run too: nothing composes across it.
 */
static bool can_cut_before(enum nf_unicode_form form, uint32_t c)
{
    if (is_compatible(form) && c >= 0x3130 && c < 0x3190)
        return false;
    return c < 0x300 || (c >= 0x3000 && c < 0x3099) || (c > 0x309a && c < 0xa000) || (c >= 0xac00 && c < 0xd7a4) ||
           (c >= 0x1f000 && c < 0xe0000);
}

/* Below this every character is its own normalised form: only what follows can change it. */
static uint32_t first_changing(enum nf_unicode_form form)
{
    if (is_compatible(form))
        return 0xa0;
    return form == NF_UNICODE_NFD ? 0xc0 : 0x300;
}

/* Code points, growing. */
struct points {
    int32_t *c;
    size_t n, cap;
};

static int decompose(enum nf_unicode_form form, const unsigned char *p, size_t n, struct points *out, struct nf_err *err)
{
    const int options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (is_compatible(form) ? UTF8PROC_COMPAT : 0);
    enum { LONGEST = 32 }; /* the longest decomposition has 18 */
    uint32_t c = 0;
    int boundary = 0;

    for (size_t i = 0; i < n;) {
        utf8proc_ssize_t made;

        if (nf_grow(&out->c, &out->cap, out->n + LONGEST, sizeof *out->c, err) < 0)
            return NF_ESYS;
        i += nf_utf8_decode(p + i, n - i, &c);
        made = utf8proc_decompose_char((utf8proc_int32_t)c, out->c + out->n, LONGEST, options, &boundary);
        if (made < 0 || made > LONGEST)
            return nf_fail(err, NF_EFORMAT, "normalisation: %s", made < 0 ? utf8proc_errmsg(made) : "a character too long");
        out->n += (size_t)made;
    }
    return NF_OK;
}

static unsigned combining_class(int32_t c)
{
    return (unsigned)utf8proc_get_property(c)->combining_class;
}

/* c[0..n), none of class 0, by class; equal ones stay in their order. */
static void sort_few_marks(int32_t *c, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        int32_t mark = c[i];
        size_t k = i;

        for (; k && combining_class(c[k - 1]) > combining_class(mark); k--)
            c[k] = c[k - 1];
        c[k] = mark;
    }
}

static void sort_marks(int32_t *c, int32_t *copy, size_t n)
{
    enum { FEW = 16 };
    size_t first[257] = { 0 };

    if (n <= FEW) {
        sort_few_marks(c, n);
        return;
    }
    memcpy(copy, c, n * sizeof *c);
    for (size_t i = 0; i < n; i++)
        first[(combining_class(copy[i]) & 255) + 1]++;
    for (size_t k = 1; k <= 256; k++)
        first[k] += first[k - 1];
    for (size_t i = 0; i < n; i++)
        c[first[combining_class(copy[i]) & 255]++] = copy[i];
}

/* Canonical ordering: marks between two characters of class 0. */
static int order_marks(struct points *p, struct nf_err *err)
{
    int32_t *copy = NULL;
    size_t from = 0;

    for (size_t i = 0; i <= p->n; i++) {
        if (i < p->n && combining_class(p->c[i]) != 0)
            continue;
        if (i > from + 1) {
            if (!copy && !(copy = nf_alloc(p->n, sizeof *copy, err)))
                return NF_ESYS;
            sort_marks(p->c + from, copy, i - from);
        }
        from = i + 1;
    }
    free(copy);
    return NF_OK;
}

static int normalize_run(enum nf_unicode_form form, const unsigned char *p, size_t n, struct nf_bytes *out, struct nf_err *err)
{
    struct points points = { 0 };
    unsigned char text[4];
    int rc = decompose(form, p, n, &points, err);

    if (rc == NF_OK)
        rc = order_marks(&points, err);
    if (rc == NF_OK && (form == NF_UNICODE_NFC || form == NF_UNICODE_NFKC))
        points.n = (size_t)utf8proc_normalize_utf32(points.c, (utf8proc_ssize_t)points.n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    for (size_t i = 0; rc == NF_OK && i < points.n; i++)
        rc = nf_bytes_add(out, text, nf_utf8_encode((uint32_t)points.c[i], text), err);
    free(points.c);
    return rc;
}

/* A run of text that has not been put out: p[start .. ). */
struct run {
    size_t start, last; /* its first character; the last one, where it is plain */
    bool plain; /* all its characters are their own form */
};

static int put_run(enum nf_unicode_form form, const unsigned char *p, const struct run *r, size_t end, struct nf_bytes *out,
                   struct nf_err *err)
{
    if (end == r->start)
        return NF_OK;
    return r->plain ? nf_bytes_add(out, p + r->start, end - r->start, err)
                    : normalize_run(form, p + r->start, end - r->start, out, err);
}

/* Where the run is to be cut before character c at i.  A plain one is cut only from what it could change. */
static size_t cut_run(enum nf_unicode_form form, const struct run *r, uint32_t c, size_t i)
{
    if (c < first_changing(form))
        return r->plain ? r->start : i;
    if (can_cut_before(form, c))
        return i;
    return r->plain ? r->last : r->start;
}

int nf_unicode_normalize(enum nf_unicode_form form, const unsigned char *text, size_t n, bool last, struct nf_bytes *out,
                         size_t *used, struct nf_err *err)
{
    struct run r = { 0, 0, true };
    size_t i = 0, len, cut;
    uint32_t c = 0;
    int rc = NF_OK;

    for (; i < n && rc == NF_OK; i += len) {
        len = nf_utf8_decode(text + i, n - i, &c);
        if (!len && !last && n - i < 4)
            break;
        cut = len ? cut_run(form, &r, c, i) : i;
        if (cut > r.start) {
            rc = put_run(form, text, &r, cut, out, err);
            r = (struct run){ cut, cut, true };
        }
        if (!len && rc == NF_OK) { /* a byte that is no UTF-8 */
            rc = nf_bytes_add(out, text + i, 1, err);
            len = 1;
            r = (struct run){ i + 1, i + 1, true };
            continue;
        }
        r.last = i;
        r.plain = r.plain && c < first_changing(form);
    }
    cut = last ? n : r.plain ? r.last : r.start;
    if (rc == NF_OK)
        rc = put_run(form, text, &r, cut, out, err);
    *used = cut;
    if (rc == NF_OK && !last && n - cut > NF_UNICODE_RUN)
        rc = nf_fail(err, NF_EFORMAT, "normalisation: a run of more than %d bytes without a character at which it could be cut",
                     NF_UNICODE_RUN);
    return rc;
}
