/* replace.c - temporary name, fsync, rename. */
#include "base/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/signals.h"

enum { TRIES = 100 };

static const char *name_file_type(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a folder";
    case S_IFLNK:
        return "a symbolic link";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

/* What is at the path now; st_nlink 0: nothing. */
static int look_at_old(const char *path, struct stat *st, struct nf_err *err)
{
    memset(st, 0, sizeof *st);
    if (lstat(path, st) < 0)
        return errno == ENOENT ? NF_OK : nf_fail_errno(err, "%s", path);
    if (!S_ISREG(st->st_mode))
        return nf_fail(err, NF_EUSAGE, "%s is %s: only a regular file is replaced", path, name_file_type(st->st_mode));
    return NF_OK;
}

/* A name that no file has yet; a signal removes the file from the moment it exists. */
static int create_temporary(struct nf_replace *r, mode_t mode, struct nf_err *err)
{
    size_t size = strlen(r->path) + sizeof ".12345678";
    uint32_t random;

    for (int i = 0; r->fd < 0 && i < TRIES; i++) {
        if (getrandom(&random, sizeof random, 0) != sizeof random)
            break;
        snprintf(r->tmp, size, "%s.%08x", r->path, random);
        nf_signals_remove(r->tmp);
        r->fd = open(r->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (r->fd < 0 && errno != EEXIST)
            break;
    }
    return r->fd < 0 ? nf_fail_errno(err, "%s", r->path) : NF_OK;
}

static int keep_owner_and_mode(const struct nf_replace *r, const struct stat *old, struct nf_err *err)
{
    struct stat own;

    if (fstat(r->fd, &own) < 0)
        return nf_fail_errno(err, "%s", r->path);
    if ((own.st_uid != old->st_uid || own.st_gid != old->st_gid) && fchown(r->fd, old->st_uid, old->st_gid) < 0)
        return nf_fail_errno(err, "%s: its owner %u and group %u cannot be kept", r->path, (unsigned)old->st_uid,
                             (unsigned)old->st_gid);
    if (fchmod(r->fd, old->st_mode & 07777) < 0)
        return nf_fail_errno(err, "%s", r->path);
    return NF_OK;
}

int nf_replace_open(struct nf_replace *r, const char *path, struct nf_err *err)
{
    struct stat old;
    int rc = look_at_old(path, &old, err);

    *r = (struct nf_replace){ -1, NULL, NULL };
    if (rc < 0)
        return rc;
    r->path = strdup(path);
    r->tmp = malloc(strlen(path) + sizeof ".12345678");
    if (!r->path || !r->tmp)
        rc = nf_fail(err, NF_ESYS, "out of memory");
    else
        rc = create_temporary(r, old.st_nlink ? 0600 : 0666, err);
    if (rc == NF_OK && old.st_nlink)
        rc = keep_owner_and_mode(r, &old, err);
    if (rc < 0)
        nf_replace_abort(r);
    return rc;
}

int nf_replace_commit(struct nf_replace *r, struct nf_err *err)
{
    int rc = NF_OK, fd = r->fd;

    if (fsync(fd) < 0 && errno != EINVAL)
        rc = nf_fail_errno(err, "%s", r->path);
    r->fd = -1;
    if (close(fd) < 0 && rc == NF_OK)
        rc = nf_fail_errno(err, "%s", r->path);
    if (rc == NF_OK && rename(r->tmp, r->path) < 0)
        rc = nf_fail_errno(err, "%s", r->path);
    if (rc < 0)
        unlink(r->tmp);
    nf_replace_abort(r);
    return rc;
}

/* Without a descriptor there is no file: it was never made, or has been renamed or removed. */
void nf_replace_abort(struct nf_replace *r)
{
    if (r->tmp && r->fd >= 0) {
        close(r->fd);
        unlink(r->tmp);
    }
    nf_signals_remove(NULL);
    free(r->tmp);
    free(r->path);
    *r = (struct nf_replace){ -1, NULL, NULL };
}
