/* err.c - the error slot. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void clean(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

__attribute__((format(printf, 3, 0))) static void keep_first(struct nf_err *err, enum nf_code code, const char *fmt, va_list ap)
{
    if (!err || err->code != NF_OK)
        return;
    err->code = code;
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    clean(err->text);
}

int nf_fail(struct nf_err *err, enum nf_code code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    keep_first(err, code, fmt, ap);
    va_end(ap);
    return code;
}

int nf_fail_errno(struct nf_err *err, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;

    if (err && err->code == NF_OK) {
        size_t n;

        va_start(ap, fmt);
        keep_first(err, NF_ESYS, fmt, ap);
        va_end(ap);
        n = strlen(err->text);
        snprintf(err->text + n, sizeof err->text - n, ": %s", strerror(saved));
    }
    return NF_ESYS;
}

void nf_err_name(struct nf_err *err, const char *what)
{
    struct nf_err named = NF_ERR_INIT;

    if (err->code != NF_EFORMAT || strncmp(err->text, what, strlen(what)) == 0)
        return;
    nf_fail(&named, NF_EFORMAT, "%s: %s", what, err->text);
    *err = named;
}
