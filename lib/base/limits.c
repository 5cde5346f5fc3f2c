/* limits.c - files of control groups to numbers. */
#include "base/limits.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 8192 };

static const uint64_t NONE = UINT64_MAX;

/* The beginning of a file as a string; false: it cannot be read. */
static bool read_text(const char *dir, const char *name, char text[TEXT_BYTES])
{
    char path[PATH_MAX];
    int fd, written = snprintf(path, sizeof path, "%s/%s", dir, name);
    ssize_t n;

    if (written < 0 || (size_t)written >= sizeof path)
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, TEXT_BYTES - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* A file that is one number; "max", and numbers that no machine has, are none. */
static uint64_t read_bytes(const char *dir, const char *name)
{
    char text[TEXT_BYTES];
    unsigned long long v;

    if (!read_text(dir, name, text) || sscanf(text, "%llu", &v) != 1 || v >= 1ull << 60)
        return NONE;
    return v;
}

/* The number behind `key` in memory.stat; 0: not there. */
static uint64_t read_stat(const char *dir, const char *key)
{
    char text[TEXT_BYTES];

    if (!read_text(dir, "memory.stat", text))
        return 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ' ')
            return strtoull(line + strlen(key), NULL, 10);
    }
    return 0;
}

/* limit NONE: nothing to say.  Pages of files that nobody uses are given back when memory is needed. */
static void limit_memory(struct nf_limits *l, uint64_t limit, uint64_t usage, uint64_t given_back)
{
    uint64_t used = usage == NONE ? 0 : usage - (given_back < usage ? given_back : usage);
    uint64_t left = limit > used ? limit - used : 0;

    if (limit != NONE && left < l->memory)
        l->memory = left;
}

static void limit_cpus(struct nf_limits *l, double quota, double period)
{
    if (quota > 0 && period > 0)
        l->cpus = fmin(l->cpus, quota / period);
}

/* ---- one group ---- */

static void read_group_v2(const char *dir, struct nf_limits *l)
{
    uint64_t used = read_bytes(dir, "memory.current"), unused = read_stat(dir, "inactive_file");
    char text[TEXT_BYTES];
    double quota, period;

    limit_memory(l, read_bytes(dir, "memory.max"), used, unused);
    limit_memory(l, read_bytes(dir, "memory.high"), used, unused);
    if (read_text(dir, "cpu.max", text) && sscanf(text, "%lf %lf", &quota, &period) == 2)
        limit_cpus(l, quota, period);
}

static void read_memory_v1(const char *dir, struct nf_limits *l)
{
    limit_memory(l, read_bytes(dir, "memory.limit_in_bytes"), read_bytes(dir, "memory.usage_in_bytes"),
                 read_stat(dir, "total_inactive_file"));
}

static void read_cpu_v1(const char *dir, struct nf_limits *l)
{
    uint64_t quota = read_bytes(dir, "cpu.cfs_quota_us"), period = read_bytes(dir, "cpu.cfs_period_us");

    if (quota != NONE && period != NONE)   /* -1: none */
        limit_cpus(l, (double)quota, (double)period);
}

/* ---- all on the way up ---- */

/* In a container the path may be the host's, which is not there; the top is, and is the container's own. */
static void read_up(const char *root, const char *mount, const char *path, void (*read_group)(const char *, struct nf_limits *),
                    struct nf_limits *l)
{
    char dir[PATH_MAX];
    int top = snprintf(dir, sizeof dir, "%s/sys/fs/cgroup%s", root, mount), n;

    n = snprintf(dir + top, sizeof dir - (size_t)top, "%s", path);
    if (n < 0 || (size_t)(top + n) >= sizeof dir)
        return;
    for (;;) {
        read_group(dir, l);
        if (!dir[top])
            return;
        *strrchr(dir + top, '/') = '\0';
    }
}

/* Is `name` among "cpu,cpuacct"? */
static bool has_controller(const char *list, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = list; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (strncmp(p, name, n) == 0 && (p[n] == ',' || !p[n]))
            return true;
    }
    return false;
}

/* "4:memory:/a/b"; version 2: "0::/a/b". */
static void read_line(const char *root, char *line, struct nf_limits *l)
{
    char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

    if (!path || path[1] != '/')
        return;
    *path++ = '\0';
    controllers++;
    if (!path[1])
        path = (char *)"";   /* "/": the top itself */
    if (!*controllers) {
        read_up(root, "", path, read_group_v2, l);
        read_up(root, "/unified", path, read_group_v2, l);
    }
    if (has_controller(controllers, "memory"))
        read_up(root, "/memory", path, read_memory_v1, l);
    if (has_controller(controllers, "cpu")) {
        read_up(root, "/cpu", path, read_cpu_v1, l);
        read_up(root, "/cpu,cpuacct", path, read_cpu_v1, l);
    }
}

struct nf_limits nf_limits_read(const char *root)
{
    struct nf_limits l = { INFINITY, NONE };
    char dir[PATH_MAX], text[TEXT_BYTES];

    snprintf(dir, sizeof dir, "%s/proc/self", root);
    if (read_text(dir, "cgroup", text))
        for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
            read_line(root, line, &l);
    return l;
}
