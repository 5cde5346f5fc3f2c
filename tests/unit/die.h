/*
 * die.h - for tools of the tests, which may end anywhere: a message on standard error, and an exit status as of prog.h.
 */
#ifndef NF_TESTS_DIE_H
#define NF_TESTS_DIE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/prog.h"

static inline _Noreturn void nf_die_err(const struct nf_err *err)
{
    struct nf_err copy = *err;

    exit(nf_prog_end(&copy));
}

__attribute__((format(printf, 2, 3))) static inline _Noreturn void nf_die(enum nf_exit status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit((int)status);
}

#endif
