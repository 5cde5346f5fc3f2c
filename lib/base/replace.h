/*
 * replace.h - a file that appears only when it is whole: written under a temporary name in the same folder, then renamed.
 *
 * A failed or interrupted run leaves the old file as it was, and no temporary one (SIGKILL: the temporary one).
 */
#ifndef NF_BASE_REPLACE_H
#define NF_BASE_REPLACE_H

#include "base/err.h"

struct nf_replace {
    int fd;              /* write here */
    char *path, *tmp;
};

/*
 * nf_replace_open - start to write what `path` will be; one at a time in a process (nf_signals_remove()).
 *
 * A regular file at `path` hands mode, owner and group to the new one.
 *
 * NF_EUSAGE  `path` is something else: a folder, a device, a FIFO, a socket, a symbolic link (named).  It is never replaced nor written through
 * NF_ESYS    the folder cannot be written; owner and group cannot be kept
 */
int nf_replace_open(struct nf_replace *r, const char *path, struct nf_err *err);

/* nf_replace_commit - fsync, close, rename.  On failure nothing is left but the old file. */
int nf_replace_commit(struct nf_replace *r, struct nf_err *err);

void nf_replace_abort(struct nf_replace *r);   /* close and remove; accepts a zeroed struct */

#endif
