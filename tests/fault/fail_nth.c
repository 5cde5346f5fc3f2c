/*
 * fail_nth.c - an LD_PRELOAD library that makes the n-th read, write or allocation of a program fail.
 *
 *   FAIL_CALL=read|write|malloc   FAIL_N=n (from 1)   FAIL_MARK=file, made when the call has failed
 *
 * read fails with EIO, write with ENOSPC, malloc and its relatives with ENOMEM.  Calls from the OpenMP, C++ and oneDNN run times and from
 * libcrypto are not counted: what they do without memory is not ours to promise (libcrypto crashes).  Nor are jansson's reads: random
 * numbers for its hash, which it can do without.  The calls go to the kernel and to glibc's own entry points, so that
 * nothing here needs dlsym(), which allocates.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

static atomic_long calls;

static bool fails(const char *call)
{
    const char *which = getenv("FAIL_CALL"), *n = getenv("FAIL_N"), *mark = getenv("FAIL_MARK");
    long fd;

    if (!which || !n || !mark || strcmp(which, call) != 0 || atomic_fetch_add(&calls, 1) + 1 != atol(n))
        return false;
    fd = syscall(SYS_openat, AT_FDCWD, mark, O_CREAT | O_WRONLY, 0600);
    if (fd >= 0)
        syscall(SYS_close, fd);
    return true;
}

static bool counted(void *caller, bool reading)
{
    static const char *const not_ours[] = { "libgomp", "libomp", "libdnnl", "libstdc++", "libOpenCL", "libcrypto", "ld-linux" };
    Dl_info at;

    if (!getenv("FAIL_CALL") || !dladdr(caller, &at) || !at.dli_fname)
        return false;
    for (size_t i = 0; i < sizeof not_ours / sizeof *not_ours; i++)
        if (strstr(at.dli_fname, not_ours[i]))
            return false;
    return !reading || !strstr(at.dli_fname, "libjansson");
}

static bool no_memory(void *caller)
{
    if (!counted(caller, false) || !fails("malloc"))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
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

ssize_t read(int fd, void *buf, size_t n)
{
    if (counted(__builtin_return_address(0), true) && fails("read")) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_read, fd, buf, n);
}

ssize_t write(int fd, const void *buf, size_t n)
{
    if (fd != STDERR_FILENO && fails("write")) {   /* the message itself is let through */
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_write, fd, buf, n);
}
