/*
 * signals.h - what must not stay behind when a signal ends the process.
 */
#ifndef NF_BASE_SIGNALS_H
#define NF_BASE_SIGNALS_H

/*
 * nf_signals_remove - from now on a signal that ends the process (HUP INT QUIT TERM PIPE XCPU XFSZ) removes this file first.  The process
 * then ends by the signal, as it would have.  Signals that the caller of the program ignores stay ignored.
 *
 *   path  borrowed until the next call; NULL: nothing is removed.  To be set before the file is made.
 *
 * One file at a time.  SIGKILL leaves it: it has a temporary name.
 */
void nf_signals_remove(const char *path);

/* nf_signals_clean - remove that file now; may be called in a signal handler. */
void nf_signals_clean(void);

#endif
