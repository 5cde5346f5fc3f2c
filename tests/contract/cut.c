/*
 * cut.c - is a stream that ends too early refused, wherever it ends?
 *
 *   cut FILE STEP CMD [ARG...]
 *
 * CMD reads, through a pipe, the first 0, STEP, 2 STEP, .. bytes of FILE, and each time must end with status 3 and one line on
 * standard error that starts with its name.  Prints what did otherwise.  Status 0: all were refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void die(const char *what)
{
    fprintf(stderr, "cut: %s: %s\n", what, strerror(errno));
    exit(1);
}

static char *read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *p;
    long size;

    if (!f || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
        die(path);
    rewind(f);
    p = malloc((size_t)size + 1);
    *n = p ? fread(p, 1, (size_t)size, f) : 0;
    if (!p || *n != (size_t)size)
        die(path);
    fclose(f);
    return p;
}

/* Both ends are closed in the programs that are started. */
static void open_pipe(int end[2])
{
    if (pipe2(end, O_CLOEXEC) != 0)
        die("pipe");
}

static pid_t start(char **cmd, int in, int err)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t signals;
    pid_t pid;

    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigdefault(&attr, &signals);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
    errno = posix_spawnp(&pid, cmd[0], &files, &attr, cmd, environ);
    if (errno)
        die(cmd[0]);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return pid;
}

static void write_all(int fd, const char *p, size_t n)
{
    ssize_t put;

    for (; n && (put = write(fd, p, n)) > 0; p += put)
        n -= (size_t)put;
    if (n && errno != EPIPE)   /* a program may refuse before it has read everything */
        die("write");
    close(fd);
}

static size_t read_all(int fd, char *text, size_t room)
{
    size_t n = 0;
    ssize_t got;

    while (n < room && (got = read(fd, text + n, room - n)) > 0)
        n += (size_t)got;
    close(fd);
    return n;
}

static bool is_refusal(int status, const char *name, const char *text, size_t n)
{
    size_t len = strlen(name);

    return WIFEXITED(status) && WEXITSTATUS(status) == 3 && n > len + 2 && memcmp(text, name, len) == 0 &&
           memcmp(text + len, ": ", 2) == 0 && memchr(text, '\n', n) == text + n - 1;
}

/* The first n bytes of p. */
static bool refuses(char **cmd, const char *p, size_t n)
{
    char text[4096];
    int in[2], err[2], status;
    size_t said;
    pid_t pid;

    open_pipe(in);
    open_pipe(err);
    pid = start(cmd, in[0], err[1]);
    close(in[0]);
    close(err[1]);
    write_all(in[1], p, n);
    said = read_all(err[0], text, sizeof text);
    if (waitpid(pid, &status, 0) != pid)
        die("wait");
    if (is_refusal(status, cmd[0], text, said))
        return true;
    printf("%s, cut at %zu: wait status %#x: %.*s\n", cmd[0], n, (unsigned)status, (int)said, text);
    return false;
}

int main(int argc, char **argv)
{
    size_t size, step;
    char *p;

    if (argc < 4 || (step = strtoul(argv[2], NULL, 10)) == 0) {
        fprintf(stderr, "usage: cut FILE STEP CMD [ARG...]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    p = read_file(argv[1], &size);
    if (size == 0)
        return 2;
    for (size_t n = 0; n < size; n += step)
        if (!refuses(argv + 3, p, n))
            return 1;
    free(p);
    return 0;
}
