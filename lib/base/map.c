/* map.c - mapped files, and a list of them for when one is changed under our hands. */
#include "base/map.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/prog.h"
#include "base/signals.h"

/* A mapping as it was when it was made. */
struct mapping {
    struct mapping *next;
    const unsigned char *data;
    size_t size;
    struct stat st;
    char path[];
};

static struct mapping *mappings;

static const char *find_path(const unsigned char *at)
{
    for (const struct mapping *m = mappings; m; m = m->next)
        if (at >= m->data && at < m->data + m->size)
            return m->path;
    return NULL;
}

static void write_text(const char *s)
{
    ssize_t written = write(STDERR_FILENO, s, strlen(s));

    (void)written;   /* nowhere left to report it */
}

/* Only calls that are allowed in a handler.  A fault elsewhere is our own mistake: it happens again, and ends the process. */
static void end_by_lost_page(int sig, siginfo_t *info, void *context)
{
    const char *path = find_path(info->si_addr);

    (void)context;
    if (!path) {
        signal(sig, SIG_DFL);
        return;
    }
    write_text(nf_prog_name());
    write_text(": ");
    write_text(path);
    write_text(": a page cannot be read: the file became shorter, or its disk failed\n");
    nf_signals_clean();
    _exit(NF_EXIT_SYS);
}

/* The mapping is known before its first page is read. */
static int remember_mapping(const char *path, const struct stat *st, const unsigned char *data, struct nf_err *err)
{
    const struct sigaction own = { .sa_sigaction = end_by_lost_page, .sa_flags = SA_SIGINFO };
    struct mapping *m = malloc(sizeof *m + strlen(path) + 1);

    if (!m)
        return nf_fail(err, NF_ESYS, "out of memory");
    *m = (struct mapping){ .next = mappings, .data = data, .size = (size_t)st->st_size, .st = *st };
    strcpy(m->path, path);
    mappings = m;
    sigaction(SIGBUS, &own, NULL);
    return NF_OK;
}

static void forget_mapping(const unsigned char *data)
{
    for (struct mapping **m = &mappings; *m; m = &(*m)->next)
        if ((*m)->data == data) {
            struct mapping *gone = *m;

            *m = gone->next;
            free(gone);
            return;
        }
}

static int map_regular(int fd, const char *path, const struct stat *st, struct nf_map *map, struct nf_err *err)
{
    void *p = mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED)
        return nf_fail_errno(err, "%s", path);
    if (remember_mapping(path, st, p, err) < 0) {
        munmap(p, (size_t)st->st_size);
        return NF_ESYS;
    }
    *map = (struct nf_map){ p, (size_t)st->st_size };
    return NF_OK;
}

int nf_map_open(const char *path, struct nf_map *map, struct nf_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = NF_OK;

    *map = (struct nf_map){ (const unsigned char *)"", 0 };
    if (fd < 0)
        return nf_fail_errno(err, "%s", path);
    if (fstat(fd, &st) < 0)
        rc = nf_fail_errno(err, "%s", path);
    else if (!S_ISREG(st.st_mode))
        rc = nf_fail(err, NF_ESYS, "%s: not a regular file", path);
    else if (st.st_size > 0)
        rc = map_regular(fd, path, &st, map, err);
    close(fd);
    return rc;
}

static bool is_changed(const struct stat *was, const struct stat *is)
{
    return was->st_size != is->st_size || was->st_mtim.tv_sec != is->st_mtim.tv_sec || was->st_mtim.tv_nsec != is->st_mtim.tv_nsec;
}

int nf_maps_check(struct nf_err *err)
{
    struct stat st;

    for (const struct mapping *m = mappings; m; m = m->next)
        if (stat(m->path, &st) == 0 && st.st_dev == m->st.st_dev && st.st_ino == m->st.st_ino && is_changed(&m->st, &st))
            return nf_fail(err, NF_ESYS, "%s: was changed while it was read", m->path);
    return NF_OK;
}

void nf_map_drop(const void *data, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)data + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)data + n) / page * page;

    if (from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

void nf_map_close(struct nf_map *map)
{
    if (map->size) {
        forget_mapping(map->data);
        munmap((void *)map->data, map->size);
    }
    *map = (struct nf_map){ NULL, 0 };
}
