/* progress.c - one line, redrawn, repeated or as JSON. */
#include "base/progress.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/prog.h"

static const double REDRAW = 0.25, LOG_EVERY = 30, JSON_EVERY = 1;   /* seconds */

static struct {
    bool started, drawn;
    struct timespec start;
    double last;                /* seconds from the start when a line was written */
    struct nf_progress state;   /* the last one; note is not kept */
} progress;

static double seconds_from_start(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - progress.start.tv_sec) + (double)(now.tv_nsec - progress.start.tv_nsec) * 1e-9;
}

double nf_share_read(void)
{
    struct stat st;
    off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);

    if (at <= 0 || fstat(STDIN_FILENO, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return 0;
    return (double)at / (double)st.st_size;
}

static long peak_memory(void)   /* KiB */
{
    struct rusage use;

    return getrusage(RUSAGE_SELF, &use) == 0 ? use.ru_maxrss : 0;
}

/* Where the share is not known, the time that has passed stands for the time left. */
static void format_text(const struct nf_progress *p, double s, char *line, size_t size)
{
    double rate = s > 0 ? (double)p->done / s : 0;
    int n = snprintf(line, size, "%" PRIu64, p->done);

    if (p->share > 0)
        n += snprintf(line + n, size - (size_t)n, " of about %.0f", (double)p->done / p->share);
    n += snprintf(line + n, size - (size_t)n, " %s", p->unit);
    if (p->note)
        n += snprintf(line + n, size - (size_t)n, ", %.60s", p->note);
    n += snprintf(line + n, size - (size_t)n, ", %.0f %s/s, %.0f s", rate, p->unit, s);
    if (p->share > 0)
        n += snprintf(line + n, size - (size_t)n, ", about %.0f s left", s / p->share - s);
    snprintf(line + n, size - (size_t)n, ", %ld MiB", peak_memory() >> 10);
}

/* Names and units are ours: no character of them needs an escape. */
static void write_json(const struct nf_progress *p, double s, bool ended)
{
    char line[320];
    int n = snprintf(line, sizeof line,
                     "{\"program\": \"%s\", \"done\": %" PRIu64 ", \"unit\": \"%s\", \"seconds\": %.3f, \"rate\": %.3f",
                     nf_prog_name(), p->done, p->unit, s, s > 0 ? (double)p->done / s : 0);
    ssize_t written;

    if (p->share > 0)
        n += snprintf(line + n, sizeof line - (size_t)n, ", \"share\": %.6f, \"left\": %.3f", p->share, s / p->share - s);
    n += snprintf(line + n, sizeof line - (size_t)n, ", \"peak_kib\": %ld, \"ended\": %s}\n", peak_memory(),
                  ended ? "true" : "false");
    written = write(STDERR_FILENO, line, (size_t)n);
    (void)written;   /* nowhere left to report it */
}

static void redraw(const char *text)
{
    fprintf(stderr, "\r%s: %s\033[K", nf_prog_name(), text);
    fflush(stderr);
    progress.drawn = true;
}

static double seconds_between(bool terminal)
{
    if (!terminal)
        return LOG_EVERY;
    return nf_common.json_progress ? JSON_EVERY : REDRAW;
}

void nf_progress(const struct nf_progress *p)
{
    bool terminal = isatty(STDERR_FILENO);
    char text[320];
    double s;

    if (nf_common.quiet)
        return;
    if (!progress.started)
        clock_gettime(CLOCK_MONOTONIC, &progress.start);
    progress.started = true;
    progress.state = *p;
    s = seconds_from_start();
    if (s - progress.last < seconds_between(terminal))
        return;
    progress.last = s;
    if (nf_common.json_progress) {
        write_json(p, s, false);
        return;
    }
    format_text(p, s, text, sizeof text);
    if (terminal)
        redraw(text);
    else
        nf_warn("%s", text);
}

void nf_progress_pause(void)
{
    if (!progress.drawn)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress.drawn = false;
}

void nf_progress_end(void)
{
    nf_progress_pause();
    if (progress.started && nf_common.json_progress)
        write_json(&progress.state, seconds_from_start(), true);
    progress.started = false;
}
