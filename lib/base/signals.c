/* signals.c - remove the unfinished file, then let the signal do what it does. */
#include "base/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static const char *volatile unfinished;

void nf_signals_clean(void)
{
    if (unfinished)
        unlink(unfinished);
}

static void remove_and_end(int sig)
{
    nf_signals_clean();
    signal(sig, SIG_DFL);
    raise(sig);   /* delivered when this handler returns */
}

static void catch_signal(int sig)
{
    struct sigaction old, own = { .sa_handler = remove_and_end };

    if (sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        sigaction(sig, &own, NULL);
}

void nf_signals_remove(const char *path)
{
    static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXCPU, SIGXFSZ };

    unfinished = path;
    for (size_t i = 0; path && i < sizeof ending / sizeof *ending; i++)
        catch_signal(ending[i]);
}
