/* json.c - parse JSON text; leave jansson's parser where it gets no memory. */
#include "base/json.h"

#include <errno.h>
#include <float.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_scan.h"

static _Thread_local jmp_buf *way_out;   /* while a parser runs in this thread */

static atomic_bool starved_once;

static void *watched_malloc(size_t n)
{
    void *p = malloc(n);

    if (!p)
        atomic_store(&starved_once, true);
    if (!p && way_out)
        longjmp(*way_out, 1);
    return p;
}

/* Before main(), so that no block is given out by one allocator and freed by another. */
__attribute__((constructor)) static void watch(void)
{
    json_set_alloc_funcs(watched_malloc, free);
}

json_t *nf_json_load(const void *text, size_t n, size_t flags, json_error_t *why, bool *starved)
{
    jmp_buf here;
    json_t *root;

    *starved = false;
    if (setjmp(here)) {
        way_out = NULL;
        *starved = true;
        return NULL;
    }
    way_out = &here;
    root = json_loadb(text, n, flags, why);
    way_out = NULL;
    return root;
}

/* An integer beyond 64 bits as a real; a real beyond a double as the largest. */
static int add_number(struct nf_bytes *out, const char *text, size_t n, struct nf_err *err)
{
    bool whole = !memchr(text, '.', n) && !memchr(text, 'e', n) && !memchr(text, 'E', n), fits;
    char copy[1024], *end;
    double value;
    int rc;

    if (n >= sizeof copy)
        return nf_bytes_add(out, *text == '-' ? "-1.7976931348623157e308" : "1.7976931348623157e308", *text == '-' ? 23 : 22, err);
    memcpy(copy, text, n);
    copy[n] = '\0';
    errno = 0;
    fits = whole && (strtoll(copy, &end, 10), errno != ERANGE);
    value = strtod(copy, &end);
    if (value > DBL_MAX || value < -DBL_MAX)
        return nf_bytes_add(out, value < 0 ? "-1.7976931348623157e308" : "1.7976931348623157e308", value < 0 ? 23 : 22, err);
    rc = nf_bytes_add(out, text, n, err);
    return rc == NF_OK && whole && !fits ? nf_bytes_add(out, ".0", 2, err) : rc;
}

/* A string or key with surrogates that lack their other half, and of a key NUL, as U+FFFD. */
static int add_string(struct nf_bytes *out, const char *text, size_t n, bool key, struct nf_err *err)
{
    struct nf_bytes made = { 0 };
    char escape[8];
    size_t lone;
    int rc = nf_json_decode(text, n, &made, &lone, err);

    if (rc == NF_OK)
        rc = nf_bytes_add(out, "\"", 1, err);
    for (size_t i = 0; i < made.n && rc == NF_OK; i++) {
        if (key && !made.p[i]) {
            rc = nf_bytes_add(out, "\xef\xbf\xbd", 3, err);
        } else if (made.p[i] < 0x20 || made.p[i] == '"' || made.p[i] == '\\') {
            snprintf(escape, sizeof escape, "\\u%04x", made.p[i]);
            rc = nf_bytes_add(out, escape, 6, err);
        } else {
            rc = nf_bytes_add(out, made.p + i, 1, err);
        }
    }
    nf_bytes_clear(&made);
    return rc == NF_OK ? nf_bytes_add(out, key ? "\":" : "\"", key ? 2 : 1, err) : rc;
}

/* One event of the scan as text; a value or key behind another gets a comma. */
static int add_event(struct nf_bytes *out, enum nf_json_event e, const struct nf_json_scan *s, bool comma, struct nf_err *err)
{
    static const char *const marks[] = {
        [NF_JSON_BEGIN_OBJECT] = "{", [NF_JSON_END_OBJECT] = "}", [NF_JSON_BEGIN_ARRAY] = "[", [NF_JSON_END_ARRAY] = "]"
    };
    int rc = comma ? nf_bytes_add(out, ",", 1, err) : NF_OK;

    if (rc != NF_OK)
        return rc;
    switch (e) {
    case NF_JSON_KEY:
    case NF_JSON_STRING:
    case NF_JSON_NO_NUMBER:   /* no JSON value is NaN: who looks at it sees that it is no number */
        return add_string(out, s->text, s->n, e == NF_JSON_KEY, err);
    case NF_JSON_NUMBER:
        return add_number(out, s->text, s->n, err);
    case NF_JSON_CONSTANT:
        return nf_bytes_add(out, s->text, s->n, err);
    default:
        return nf_bytes_add(out, marks[e], 1, err);
    }
}

/* What Python's json reads, in words that jansson reads.  NF_EFORMAT without a message: Python does not read it either. */
static int rewrite(const void *text, size_t n, struct nf_bytes *out, struct nf_err *err)
{
    struct nf_json_scan s;
    enum nf_json_event e, before = NF_JSON_KEY;
    int rc = NF_OK;

    nf_json_scan_init(&s, text, n);
    while (rc == NF_OK && (e = nf_json_next(&s)) != NF_JSON_END && e != NF_JSON_BAD) {
        bool opens = before == NF_JSON_KEY || before == NF_JSON_BEGIN_OBJECT || before == NF_JSON_BEGIN_ARRAY;

        rc = add_event(out, e, &s, !opens && e != NF_JSON_END_OBJECT && e != NF_JSON_END_ARRAY, err);
        before = e;
    }
    return rc == NF_OK && s.why ? NF_EFORMAT : rc;
}

static json_t *parse_rewritten(const void *text, size_t n, size_t flags, bool *starved)
{
    struct nf_bytes plain = { 0 };
    json_error_t why;
    json_t *root = NULL;
    int rc = rewrite(text, n, &plain, NULL);

    *starved = rc == NF_ESYS;
    if (rc == NF_OK)
        root = nf_json_load(plain.p, plain.n, flags, &why, starved);
    nf_bytes_clear(&plain);
    return root;
}

json_t *nf_json_parse(const void *text, size_t n, size_t flags, const char *what, struct nf_err *err)
{
    json_error_t why;
    bool starved;
    json_t *root = nf_json_load(text, n, flags, &why, &starved);

    if (!root && !starved)
        root = parse_rewritten(text, n, flags, &starved);
    if (starved)
        nf_fail(err, NF_ESYS, "%s: out of memory", what);
    else if (!root && nf_is_lfs_pointer(text, n))
        nf_fail_lfs(err, what);
    else if (!root)
        nf_fail(err, NF_EFORMAT, "%s: line %d: %s", what, why.line, why.text);
    return root;
}

bool nf_json_starved(void)
{
    return atomic_load(&starved_once);
}
