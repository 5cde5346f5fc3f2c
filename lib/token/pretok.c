/* pretok.c - pre-tokenisation by PCRE2. */
#include "token/pretok.h"

#include <stdlib.h>
#include <string.h>

#include <pcre2.h>

#include "base/alloc.h"

/* Unicode property White_Space (PropList.txt); unchanged since Unicode 6.3. */
#define SPACES "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

enum { JIT_STACK_MIN = 32 << 10, JIT_STACK_MAX = 8 << 20, PATTERN_MAX = 16 << 10 };

struct nf_pretok {
    pcre2_code *code;
};

struct nf_pretok_match {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

/* The escapes that mean the same in PCRE2 and in the engines that tokenizers are written for. */
static bool known_escape(char c)
{
    return c && (strchr("pPrntd", c) || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", c));
}

/* Constructs that the engines read differently (set operations in a class), or that see beyond the piece (anchors). */
static bool known_char(const char *p, bool in_class)
{
    if (in_class)
        return p[0] != '[' && !(p[0] == '&' && p[1] == '&');
    return p[0] != '^' && p[0] != '$';
}

/* Copies pattern to out, \s and \S spelled out; what is not known to mean the same elsewhere is refused. */
static int spell_spaces(const char *pattern, char *out, struct nf_err *err)
{
    bool in_class = false;

    for (const char *p = pattern; *p; p++) {
        if (p[0] == '\\' && (p[1] == 's' || (p[1] == 'S' && !in_class))) {
            out = stpcpy(out, *++p == 'S' ? "[^" SPACES "]" : in_class ? SPACES : "[" SPACES "]");
            continue;
        }
        if (p[0] == '\\' ? !known_escape(p[1]) : !known_char(p, in_class))
            return nf_fail(err, NF_EFORMAT, "pre-tokenizer pattern: %.2s%s is not implemented", p, in_class ? " in a class" : "");
        *out++ = *p;
        if (p[0] == '\\') {
            *out++ = *++p;
        } else if (p[0] == '[') {
            in_class = true;
            if (p[1] == '^')
                *out++ = *++p;
        } else if (p[0] == ']') {
            in_class = false;
        }
    }
    *out = '\0';
    return NF_OK;
}

struct nf_pretok *nf_pretok_open(const char *pattern, struct nf_err *err)
{
    struct nf_pretok *p = NULL;
    PCRE2_UCHAR why[128];
    PCRE2_SIZE at;
    uint32_t behind = 0;
    char *spelled = NULL;
    int code;

    if (strlen(pattern) > PATTERN_MAX) {
        nf_fail(err, NF_EFORMAT, "pre-tokenizer pattern: longer than %d bytes", PATTERN_MAX);
        return NULL;
    }
    spelled = nf_alloc(strlen(pattern) / 2 + 2, sizeof "[^" SPACES "]", err);
    p = nf_alloc(1, sizeof *p, err);
    if (!spelled || !p || spell_spaces(pattern, spelled, err) < 0)
        goto fail;
    p->code =
        pcre2_compile((PCRE2_SPTR)spelled, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK, &code, &at, NULL);
    if (!p->code) {
        pcre2_get_error_message(code, why, sizeof why);
        nf_fail(err, code == PCRE2_ERROR_HEAP_FAILED ? NF_ESYS : NF_EFORMAT, "pre-tokenizer pattern: %s", (const char *)why);
        goto fail;
    }
    pcre2_pattern_info(p->code, PCRE2_INFO_MAXLOOKBEHIND, &behind);
    if (behind) {
        nf_fail(err, NF_EFORMAT, "pre-tokenizer pattern: looking behind is not implemented");
        goto fail;
    }
    /* Without a JIT for this machine pcre2_match() interprets: the same pieces, more slowly. */
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
    free(spelled);
    return p;

fail:
    free(spelled);
    nf_pretok_close(p);
    return NULL;
}

void nf_pretok_close(struct nf_pretok *p)
{
    if (p)
        pcre2_code_free(p->code);
    free(p);
}

const char *nf_pretok_unicode(void)
{
    static char version[64];

    if (!version[0] && pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, NULL) <= (int)sizeof version)
        pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, version);
    return version;
}

struct nf_pretok_match *nf_pretok_match_open(const struct nf_pretok *p, struct nf_err *err)
{
    struct nf_pretok_match *m = nf_alloc(1, sizeof *m, err);

    if (!m)
        return NULL;
    m->data = pcre2_match_data_create_from_pattern(p->code, NULL);
    m->context = pcre2_match_context_create(NULL);
    m->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
    if (!m->data || !m->context || !m->stack) {
        nf_fail(err, NF_ESYS, "out of memory");
        nf_pretok_match_close(m);
        return NULL;
    }
    pcre2_jit_stack_assign(m->context, NULL, m->stack);
    return m;
}

void nf_pretok_match_close(struct nf_pretok_match *m)
{
    if (!m)
        return;
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    pcre2_jit_stack_free(m->stack);
    free(m);
}

int nf_pretok_next(const struct nf_pretok *p, struct nf_pretok_match *m, const unsigned char *text, size_t n, size_t from,
                   bool last, size_t *end, struct nf_err *err)
{
    const uint32_t options = PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY | (last ? 0 : PCRE2_PARTIAL_HARD);
    int rc = pcre2_match(p->code, text, n, from, options, m->data, m->context);
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(m->data);

    if (rc >= 0 && v[0] == from && v[1] > from) {
        *end = v[1];
        return NF_OK;
    }
    if (rc >= 0 || (rc == PCRE2_ERROR_PARTIAL && v[0] > from)) {
        *end = v[0];      /* what comes before the match is a piece of its own */
        return NF_OK;
    }
    if (rc == PCRE2_ERROR_PARTIAL)
        return NF_EOF;
    if (rc == PCRE2_ERROR_NOMATCH) {
        if (!last)
            return NF_EOF;
        *end = n;
        return NF_OK;
    }
    if (rc == PCRE2_ERROR_NOMEMORY)
        return nf_fail(err, NF_ESYS, "pre-tokenizer: out of memory");
    return nf_fail(err, NF_EFORMAT, "pre-tokenizer: the pattern cannot be matched within its limits (PCRE2 error %d)", rc);
}
