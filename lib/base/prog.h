/*
 * prog.h - what every program does at its edges: start, warn, end.  The only code that prints messages or exits.
 *
 * Messages are one line on stderr, one write(): "program: what, where, which value".
 */
#ifndef NF_BASE_PROG_H
#define NF_BASE_PROG_H

#include "base/err.h"

enum nf_exit {
    NF_EXIT_OK = 0,
    NF_EXIT_SYS = 1,     /* the machine */
    NF_EXIT_USAGE = 2,   /* the command line; nothing was read */
    NF_EXIT_INPUT = 3,   /* the input */
};

/*
 * nf_prog_start - first call of every main(): remember the program's name, restore SIGPIPE to its default (a reader
 * that leaves ends us silently, status 141), make OpenMP threads sleep while they wait instead of spinning, and look at
 * NF_ISA (base/cpu.h): status 2 when it names no instruction set, a warning when this processor does not have it.
 *
 * libgomp reads its environment before main(), so to make threads sleep the program runs itself once more with
 * OMP_WAIT_POLICY=PASSIVE where the variable is not set; a value the user set is kept.
 */
void nf_prog_start(const char *name, char **argv);

const char *nf_prog_name(void);

void nf_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * nf_prog_end - last call of every main(), `return nf_prog_end(&err);`: close the output (nf_output_close()), print the slot, and return the
 * exit status that belongs to its code.  A failure without a text has been printed.
 */
int nf_prog_end(struct nf_err *err);

#endif
