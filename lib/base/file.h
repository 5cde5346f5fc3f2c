/*
 * file.h - paths, inputs, writing all of a buffer.  Mapped files: map.h.
 */
#ifndef NF_BASE_FILE_H
#define NF_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/map.h"

bool nf_file_exists(const char *path);

/*
 * nf_is_lfs_pointer - whether these bytes are what Git LFS leaves in place of a file that was not fetched.
 * nf_fail_lfs       - NF_EFORMAT: `path` is one, with the command that fetches it.
 */
bool nf_is_lfs_pointer(const void *data, size_t n);
int nf_fail_lfs(struct nf_err *err, const char *path);

/* nf_path_join - "dir/name" in fresh memory (free()); NULL: out of memory. */
char *nf_path_join(const char *dir, const char *name, struct nf_err *err);

/*
 * nf_input_open - a file for reading, or standard input: where `path` is NULL or "-".  NF_ESYS: names the file.
 *
 *   name  out: for messages, "standard input" or `path`
 *
 * Returns the descriptor (nf_input_close()).
 */
int nf_input_open(const char *path, const char **name, struct nf_err *err);
void nf_input_close(int fd);   /* standard input stays open; accepts -1 */

/* nf_write_all - all bytes, whatever write() takes at a time; EINTR is retried. */
int nf_write_all(int fd, const void *data, size_t size, const char *what, struct nf_err *err);

#endif
