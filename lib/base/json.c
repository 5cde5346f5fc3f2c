/* json.c - parse JSON text, with all numbers that Python reads; leave jansson's parser where it gets no memory. */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>

static _Thread_local jmp_buf *way_out; /* while a parser runs in this thread */

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

/* ---- numbers that Python's json module reads and jansson does not ---- */

/* Bytes of the number that begins at p, or of the name of one; 0: neither. */
static size_t number_length(const char *p, size_t n)
{
    static const char *const names[] = { "NaN", "Infinity", "-Infinity" };
    size_t k = 0;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (n >= strlen(names[i]) && memcmp(p, names[i], strlen(names[i])) == 0)
            return strlen(names[i]);
    if (n && (*p == '-' || (*p >= '0' && *p <= '9')))
        while (k < n && p[k] && strchr("+-.0123456789eE", p[k]))
            k++;
    return k;
}

/* The number as jansson takes it; returns the end of what was written, at most 12 bytes or n + 2. */
static char *write_number(const char *p, size_t n, char *to)
{
    char *end;
    double x;

    memcpy(to, p, n);
    to[n] = '\0';
    x = strtod(to, &end);
    if (end != to + n) /* no number at all: jansson says so */
        return to + n;
    if (isnan(x))
        return stpcpy(to, "\"NaN\"");
    if (isinf(x))
        return stpcpy(to, x < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    errno = 0;
    strtoll(to, &end, 10);
    return end == to + n && errno == ERANGE ? stpcpy(end, ".0") : to + n;
}

/* A copy of the text with such numbers written otherwise; NULL: memory. */
static char *rewrite_numbers(const char *text, size_t n, size_t *length)
{
    char *copy = malloc(2 * n + 16), *to = copy;
    bool string = false;

    for (size_t i = 0, k; copy && i < n; i += k) {
        k = string ? 0 : number_length(text + i, n - i);
        if (k) {
            to = write_number(text + i, k, to);
            continue;
        }
        k = string && text[i] == '\\' && i + 1 < n ? 2 : 1;
        string ^= text[i] == '"';
        memcpy(to, text + i, k);
        to += k;
    }
    *length = copy ? (size_t)(to - copy) : 0;
    return copy;
}

static json_t *load_once(const void *text, size_t n, size_t flags, json_error_t *why, bool *starved)
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

json_t *nf_json_load(const void *text, size_t n, size_t flags, json_error_t *why, bool *starved)
{
    json_t *root = load_once(text, n, flags, why, starved);
    enum json_error_code code = root || *starved ? json_error_unknown : json_error_code(why);
    size_t length;
    char *copy;

    if (code != json_error_invalid_syntax && code != json_error_numeric_overflow)
        return root;
    copy = rewrite_numbers(text, n, &length);
    *starved = !copy;
    if (copy)
        root = load_once(copy, length, flags, why, starved);
    free(copy);
    return root;
}

json_t *nf_json_parse(const void *text, size_t n, size_t flags, const char *what, struct nf_err *err)
{
    json_error_t why;
    bool starved;
    json_t *root = nf_json_load(text, n, flags, &why, &starved);

    if (starved)
        nf_fail(err, NF_ESYS, "%s: out of memory", what);
    else if (!root)
        nf_fail(err, NF_EFORMAT, "%s: line %d: %s", what, why.line, why.text);
    return root;
}

bool nf_json_starved(void)
{
    return atomic_load(&starved_once);
}
