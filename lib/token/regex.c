/* regex.c - patterns by PCRE2. */
#include "token/regex.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pcre2.h>

#include "base/alloc.h"
#include "token/pattern.h"

enum { JIT_STACK_MIN = 32 << 10, JIT_STACK_MAX = 8 << 20, PATTERN_MAX = 1 << 20 };

struct nf_regex {
    pcre2_code *code;
    size_t behind;
};

struct nf_regex_match {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static pcre2_code *compile_pattern(const struct nf_bytes *spelled, struct nf_err *err)
{
    PCRE2_UCHAR why[128];
    PCRE2_SIZE at;
    int code;
    pcre2_code *made = pcre2_compile(spelled->p, spelled->n, PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK, &code, &at, NULL);

    if (!made) {
        pcre2_get_error_message(code, why, sizeof why);
        nf_fail(err, code == PCRE2_ERROR_HEAP_FAILED ? NF_ESYS : NF_EFORMAT, "pattern: %s", (const char *)why);
        return NULL;
    }
    /* Without a JIT for this machine pcre2_match() interprets: the same matches, more slowly. */
    pcre2_jit_compile(made, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
    return made;
}

/* pattern NULL: the n bytes of `text` as they stand. */
static struct nf_regex *open_regex(const char *pattern, const char *text, size_t n, struct nf_err *err)
{
    struct nf_bytes spelled = { 0 };
    struct nf_regex *r = nf_alloc(1, sizeof *r, err);
    bool looks_behind = false;
    uint32_t behind = 0;
    int rc = r ? NF_OK : NF_ESYS;

    if (rc == NF_OK && n > PATTERN_MAX)
        rc = nf_fail(err, NF_EFORMAT, "pattern: longer than %d bytes", PATTERN_MAX);
    if (rc == NF_OK)
        rc = pattern ? nf_pattern_translate(pattern, &spelled, &looks_behind, err) : nf_pattern_quote(text, n, &spelled, err);
    if (rc == NF_OK && (r->code = compile_pattern(&spelled, err)))
        pcre2_pattern_info(r->code, PCRE2_INFO_MAXLOOKBEHIND, &behind);
    nf_bytes_clear(&spelled);
    if (rc != NF_OK || !r->code) {
        nf_regex_close(r);
        return NULL;
    }
    r->behind = looks_behind && !behind ? 1 : behind;   /* \A is true only where nothing was cut off */
    return r;
}

struct nf_regex *nf_regex_open(const char *pattern, struct nf_err *err)
{
    return open_regex(pattern, NULL, strlen(pattern), err);
}

struct nf_regex *nf_regex_open_text(const char *text, size_t n, struct nf_err *err)
{
    return open_regex(NULL, text, n, err);
}

void nf_regex_close(struct nf_regex *r)
{
    if (r)
        pcre2_code_free(r->code);
    free(r);
}

size_t nf_regex_behind(const struct nf_regex *r)
{
    return r->behind;
}

const char *nf_regex_unicode(void)
{
    static char version[64];

    if (!version[0] && pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, NULL) <= (int)sizeof version)
        pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, version);
    return version;
}

struct nf_regex_match *nf_regex_match_open(const struct nf_regex *r, struct nf_err *err)
{
    struct nf_regex_match *m = nf_alloc(1, sizeof *m, err);

    if (!m)
        return NULL;
    m->data = pcre2_match_data_create_from_pattern(r->code, NULL);
    m->context = pcre2_match_context_create(NULL);
    m->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
    if (!m->data || !m->context || !m->stack) {
        nf_fail(err, NF_ESYS, "out of memory");
        nf_regex_match_close(m);
        return NULL;
    }
    pcre2_jit_stack_assign(m->context, NULL, m->stack);
    return m;
}

void nf_regex_match_close(struct nf_regex_match *m)
{
    if (!m)
        return;
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    pcre2_jit_stack_free(m->stack);
    free(m);
}

int nf_regex_find(const struct nf_regex *r, struct nf_regex_match *m, const unsigned char *text, size_t n, size_t from, bool last,
                  size_t *start, size_t *end, struct nf_err *err)
{
    int rc = pcre2_match(r->code, text, n, from, PCRE2_NO_UTF_CHECK | (last ? 0 : PCRE2_PARTIAL_HARD), m->data, m->context);
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(m->data);

    if (rc >= 0) {
        *start = v[0];
        *end = v[1];
        return NF_OK;
    }
    if (rc == PCRE2_ERROR_PARTIAL || rc == PCRE2_ERROR_NOMATCH) {
        *start = rc == PCRE2_ERROR_PARTIAL ? v[0] : n;
        return NF_EOF;
    }
    if (rc == PCRE2_ERROR_NOMEMORY)
        return nf_fail(err, NF_ESYS, "pattern: out of memory");
    return nf_fail(err, NF_EFORMAT, "pattern: it cannot be matched within its limits (PCRE2 error %d)", rc);
}
