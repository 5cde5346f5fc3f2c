/*
 * measure.c - run a command and print what it took.
 *
 *   measure COMMAND...     ->  seconds (wall), processor seconds, peak resident MiB, on standard error after the command's own
 *
 * Exit status: the command's.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

int main(int argc, char **argv)
{
    struct timespec a, b;
    struct rusage use;
    int status;
    pid_t child;

    if (argc < 2)
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &a);
    child = fork();
    if (child == 0) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &use) < 0)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &b);
    fprintf(stderr, "%.3f %.3f %.1f\n", (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9,
            seconds(use.ru_utime) + seconds(use.ru_stime), (double)use.ru_maxrss / 1024);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
