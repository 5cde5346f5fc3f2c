/* file.c - paths, inputs, writing all. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool nf_is_lfs_pointer(const void *data, size_t n)
{
    static const char head[] = "version https://git-lfs.github.com/spec/";

    return n >= sizeof head - 1 && memcmp(data, head, sizeof head - 1) == 0;
}

int nf_fail_lfs(struct nf_err *err, const char *path)
{
    return nf_fail(err, NF_EFORMAT, "%s: a Git LFS pointer, not the file itself: run git lfs pull", path);
}

bool nf_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

char *nf_path_join(const char *dir, const char *name, struct nf_err *err)
{
    size_t n = strlen(dir), size = n + strlen(name) + 2;
    char *path = malloc(size);

    if (!path) {
        nf_fail(err, NF_ESYS, "out of memory");
        return NULL;
    }
    snprintf(path, size, "%s%s%s", dir, n && dir[n - 1] != '/' ? "/" : "", name);
    return path;
}

int nf_input_open(const char *path, const char **name, struct nf_err *err)
{
    bool standard = !path || strcmp(path, "-") == 0;
    int fd = STDIN_FILENO;

    *name = standard ? "standard input" : path;
    if (!standard)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? nf_fail_errno(err, "%s", path) : fd;
}

void nf_input_close(int fd)
{
    if (fd > STDIN_FILENO)
        close(fd);
}

int nf_write_all(int fd, const void *data, size_t size, const char *what, struct nf_err *err)
{
    const char *p = data;

    while (size) {
        ssize_t n = write(fd, p, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return nf_fail_errno(err, "%s", what);
        p += n;
        size -= (size_t)n;
    }
    return NF_OK;
}
