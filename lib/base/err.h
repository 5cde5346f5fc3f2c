/*
 * err.h - one error slot: the first failure stays, the rest of the program looks at it once.
 *
 * Library functions return NF_OK, NF_EOF, or one of the negative codes, and write one line into the slot with
 * nf_fail(). They never print and never exit. main() maps the slot to an exit status at its end: nf_prog_end().
 */
#ifndef NF_BASE_ERR_H
#define NF_BASE_ERR_H

enum nf_code {
    NF_OK = 0,
    NF_EOF = 1,       /* no more records; not a failure */
    NF_ESYS = -1,     /* the machine: read, write, disk full, memory        -> exit status 1 */
    NF_EUSAGE = -2,   /* the command line                                   -> exit status 2 */
    NF_EFORMAT = -3,  /* the input: corrupt, wrong kind, unknown, over a limit -> exit status 3 */
};

struct nf_err {
    enum nf_code code;   /* NF_OK until the first failure */
    char text[960];      /* one line, no newline: what, where, which value */
};

/* clang-format off */
#define NF_ERR_INIT { NF_OK, "" }
/* clang-format on */

/*
 * nf_fail - record a failure and return its code, so that a caller can write `return nf_fail(...)`.
 *
 *   err   may be NULL (the caller does not want the text); keeps an earlier failure
 *   code  negative
 *   fmt   printf format; control characters in the result are replaced by '?'
 *
 * Returns code.
 */
int nf_fail(struct nf_err *err, enum nf_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* nf_fail_errno - nf_fail(NF_ESYS) with ": " and the text of errno appended. */
int nf_fail_errno(struct nf_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* nf_err_name - bad input (NF_EFORMAT) whose message does not begin with `what`, the input's name: now it does. */
void nf_err_name(struct nf_err *err, const char *what);

#endif
