/*
 * fail_nth.c - an LD_PRELOAD library that makes the n-th read, write or allocation of a program fail.
 *
 *   FAIL_CALL=read|write|malloc   FAIL_N=n (from 1)   FAIL_MARK=file, made when the call has failed
 *
 * read fails with EIO, write with ENOSPC, malloc and its relatives with ENOMEM.  Calls from the OpenMP, C++ and oneDNN run times and from
 * libcrypto are not counted: what they do without memory is not ours to promise (libcrypto crashes).  Nor are jansson's reads: random
 * numbers for its hash, which it can do without.  The calls go to the kernel and to glibc's own entry points, so that
 * nothing here needs dlsym(), which allocates; and callers are told apart by the addresses of their code, since dladdr() takes longer
 * than the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

enum { RANGES_MAX = 256 };

/* The code of what is loaded. */
static struct range {
    uintptr_t from, to;
    bool ours, jansson;
} range[RANGES_MAX];
static size_t ranges;

static const char *which, *mark;   /* NULL: nothing fails */
static long n;
static atomic_long calls;

static int add_object(struct dl_phdr_info *o, size_t size, void *unused)
{
    static const char *const not_ours[] = { "libgomp", "libomp", "libdnnl", "libstdc++", "libOpenCL", "libcrypto", "ld-linux" };
    bool ours = true;

    (void)size, (void)unused;
    for (size_t i = 0; i < sizeof not_ours / sizeof *not_ours; i++)
        if (strstr(o->dlpi_name, not_ours[i]))
            ours = false;
    for (size_t i = 0; i < o->dlpi_phnum && ranges < RANGES_MAX; i++) {
        const ElfW(Phdr) *p = &o->dlpi_phdr[i];

        if (p->p_type == PT_LOAD && p->p_flags & PF_X)
            range[ranges++] = (struct range){ o->dlpi_addr + p->p_vaddr, o->dlpi_addr + p->p_vaddr + p->p_memsz, ours,
                                              strstr(o->dlpi_name, "libjansson") };
    }
    return 0;
}

/* The first allocation comes before main and before there are threads. */
static void start(void)
{
    static bool started;

    if (started)
        return;
    started = true;
    which = getenv("FAIL_CALL");
    mark = getenv("FAIL_MARK");
    if (!which || !mark || !getenv("FAIL_N"))
        which = NULL;
    else
        n = atol(getenv("FAIL_N"));
    dl_iterate_phdr(add_object, NULL);
}

/* Code that was made at run time (oneDNN's), or loaded later, is not ours. */
static bool counted(const void *caller, bool reading)
{
    for (size_t i = 0; i < ranges; i++)
        if ((uintptr_t)caller >= range[i].from && (uintptr_t)caller < range[i].to)
            return range[i].ours && !(reading && range[i].jansson);
    return false;
}

static bool fails(const char *call, const void *caller)
{
    long fd;

    start();
    if (!which || strcmp(which, call) != 0 || (caller && !counted(caller, strcmp(call, "read") == 0)) ||
        atomic_fetch_add(&calls, 1) + 1 != n)
        return false;
    fd = syscall(SYS_openat, AT_FDCWD, mark, O_CREAT | O_WRONLY, 0600);
    if (fd >= 0)
        syscall(SYS_close, fd);
    return true;
}

static bool no_memory(const void *caller)
{
    if (!fails("malloc", caller))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t members, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_calloc(members, size);
}

void *realloc(void *p, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_memalign(align, size);
}

int posix_memalign(void **p, size_t align, size_t size)
{
    if (no_memory(__builtin_return_address(0)))
        return ENOMEM;
    *p = __libc_memalign(align, size);
    return *p ? 0 : ENOMEM;
}

ssize_t read(int fd, void *buf, size_t size)
{
    if (fails("read", __builtin_return_address(0))) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_read, fd, buf, size);
}

ssize_t write(int fd, const void *buf, size_t size)
{
    if (fd != STDERR_FILENO && fails("write", NULL)) {   /* the message itself is let through */
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_write, fd, buf, size);
}
