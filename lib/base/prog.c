/* prog.c - start, warn, end. */
#include "base/prog.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/output.h"
#include "base/progress.h"

static const char *prog_name = "neurofilters";

/*
 * Before main(), whose own locals need a stack: a limit below this ends in SIGSEGV somewhere.  oneDNN makes its code with 64 KiB on the smallest
 * model; four times as much is asked for.
 */
enum { STACK_MIN = 256 << 10 };

__attribute__((constructor)) static void check_stack(void)
{
    static const char text[] = ": the stack is limited to less than 256 KiB (ulimit -s): 8192 is usual\n";
    char *name = program_invocation_short_name;
    const struct iovec line[] = { { name, strlen(name) }, { (char *)text, sizeof text - 1 } };
    struct rlimit limit;
    ssize_t written;

    if (getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur >= STACK_MIN)
        return;
    written = writev(STDERR_FILENO, line, 2);
    (void)written;   /* nowhere left to report it */
    _exit(NF_EXIT_SYS);
}

static void sleep_while_waiting(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || setenv("OMP_WAIT_POLICY", "PASSIVE", 0) != 0)
        return;
    execv("/proc/self/exe", argv);   /* only returns where /proc is missing: then the threads spin, nothing else changes */
}

static void restore_sigpipe(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    signal(SIGPIPE, SIG_DFL);
}

/* An instruction set that does not exist is refused; one that the processor lacks is named once. */
static void check_cpu(void)
{
    struct nf_err err = NF_ERR_INIT;

    if (nf_cpu_check(&err) == NF_EUSAGE)
        exit(nf_prog_end(&err));
    if (err.code != NF_OK)
        nf_warn("%s", err.text);
}

void nf_prog_start(const char *name, char **argv)
{
    prog_name = name;
    restore_sigpipe();
    sleep_while_waiting(argv);
    prctl(PR_SET_NAME, name);   /* /proc/self/exe would be called "exe" in ps */
    check_cpu();
}

const char *nf_prog_name(void)
{
    return prog_name;
}

__attribute__((format(printf, 1, 0))) static void say(const char *fmt, va_list ap)
{
    char line[1024];
    size_t n = (size_t)snprintf(line, sizeof line, "%s: ", prog_name), i;
    ssize_t written;

    nf_progress_pause();
    vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
    for (i = 0; line[i]; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[i++] = '\n';
    written = write(STDERR_FILENO, line, i);
    (void)written;   /* nowhere left to report it */
}

void nf_warn(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(fmt, ap);
    va_end(ap);
}

static enum nf_exit status_of(enum nf_code code)
{
    switch (code) {
    case NF_OK:
    case NF_EOF:
        return NF_EXIT_OK;
    case NF_EUSAGE:
        return NF_EXIT_USAGE;
    case NF_EFORMAT:
        return NF_EXIT_INPUT;
    case NF_ESYS:
        break;
    }
    return NF_EXIT_SYS;
}

int nf_prog_end(struct nf_err *err)
{
    nf_output_close(err);
    nf_progress_end();
    if (*err->text)
        nf_warn("%s", err->text);
    return status_of(err->code);
}
