/* test_limits.c - control groups of both versions, made up in a folder, to what a process may take. */
#include "check.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"

static char root[] = "/tmp/test_limits.XXXXXX";

/* A new, empty machine. */
static void begin_machine(void)
{
    char command[80];

    snprintf(command, sizeof command, "rm -rf %s && mkdir -p %s", root, root);
    CHECK(system(command) == 0);
}

static void put_file(const char *path, const char *text)
{
    char name[256], command[320];
    FILE *f;

    snprintf(name, sizeof name, "%s/%s", root, path);
    snprintf(command, sizeof command, "mkdir -p \"$(dirname '%s')\"", name);
    CHECK(system(command) == 0);
    f = fopen(name, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void without_groups_there_is_no_limit(void)
{
    struct nf_limits l;

    begin_machine();
    l = nf_limits_read(root);
    CHECK(isinf(l.cpus) && l.memory == UINT64_MAX);
    put_file("proc/self/cgroup", "0::/a\n");
    l = nf_limits_read(root);
    CHECK(isinf(l.cpus) && l.memory == UINT64_MAX);
}

static void version_2(void)
{
    struct nf_limits l;

    begin_machine();
    put_file("proc/self/cgroup", "0::/job/step\n");
    put_file("sys/fs/cgroup/job/step/cpu.max", "max 100000\n");
    put_file("sys/fs/cgroup/job/step/memory.max", "max\n");
    put_file("sys/fs/cgroup/job/step/memory.high", "max\n");
    l = nf_limits_read(root);
    CHECK(isinf(l.cpus) && l.memory == UINT64_MAX);
    put_file("sys/fs/cgroup/job/step/cpu.max", "150000 100000\n");
    put_file("sys/fs/cgroup/job/step/memory.max", "1000000\n");
    put_file("sys/fs/cgroup/job/step/memory.current", "700000\n");
    put_file("sys/fs/cgroup/job/step/memory.stat", "anon 500000\nfile 200000\ninactive_file 150000\nactive_file 50000\n");
    l = nf_limits_read(root);
    CHECK(l.cpus == 1.5);
    CHECK(l.memory == 1000000 - 700000 + 150000);
    put_file("sys/fs/cgroup/job/step/memory.high", "800000\n");
    CHECK(nf_limits_read(root).memory == 800000 - 700000 + 150000);
}

static void the_tightest_on_the_way_up_counts(void)
{
    struct nf_limits l;

    begin_machine();
    put_file("proc/self/cgroup", "0::/job/step\n");
    put_file("sys/fs/cgroup/job/step/cpu.max", "400000 100000\n");
    put_file("sys/fs/cgroup/job/step/memory.max", "5000\n");
    put_file("sys/fs/cgroup/job/step/memory.current", "1000\n");
    put_file("sys/fs/cgroup/job/cpu.max", "200000 100000\n");
    put_file("sys/fs/cgroup/job/memory.max", "4000\n");
    put_file("sys/fs/cgroup/job/memory.current", "3500\n");
    l = nf_limits_read(root);
    CHECK(l.cpus == 2 && l.memory == 500);
    put_file("sys/fs/cgroup/job/memory.current", "4500\n");   /* over the limit already */
    CHECK(nf_limits_read(root).memory == 0);
}

static void version_1(void)
{
    struct nf_limits l;

    begin_machine();
    put_file("proc/self/cgroup", "9:name=systemd:/\n4:memory:/slurm/job_7\n2:cpu,cpuacct:/slurm/job_7\n3:cpuset:/x\n0::/\n");
    put_file("sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes", "9223372036854771712\n");
    put_file("sys/fs/cgroup/memory/slurm/job_7/memory.usage_in_bytes", "100\n");
    put_file("sys/fs/cgroup/cpu,cpuacct/slurm/job_7/cpu.cfs_quota_us", "-1\n");
    put_file("sys/fs/cgroup/cpu,cpuacct/slurm/job_7/cpu.cfs_period_us", "100000\n");
    l = nf_limits_read(root);
    CHECK(isinf(l.cpus) && l.memory == UINT64_MAX);
    put_file("sys/fs/cgroup/memory/slurm/memory.limit_in_bytes", "3000\n");
    put_file("sys/fs/cgroup/memory/slurm/memory.usage_in_bytes", "1000\n");
    put_file("sys/fs/cgroup/memory/slurm/memory.stat", "inactive_file 1\ntotal_inactive_file 400\n");
    put_file("sys/fs/cgroup/cpu,cpuacct/slurm/job_7/cpu.cfs_quota_us", "50000\n");
    l = nf_limits_read(root);
    CHECK(l.cpus == 0.5 && l.memory == 2400);
}

/* The path is the host's, the mount shows the container's own group at its top. */
static void in_a_container_the_top_counts(void)
{
    struct nf_limits l;

    begin_machine();
    put_file("proc/self/cgroup", "4:memory:/docker/0123\n5:cpu:/docker/0123\n");
    put_file("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000\n");
    put_file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
    put_file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    l = nf_limits_read(root);
    CHECK(l.cpus == 3 && l.memory == 2000);
}

static void nonsense_is_no_limit(void)
{
    struct nf_limits l;

    begin_machine();
    put_file("proc/self/cgroup", "nonsense\n::\n0:\n0::relative\n0::/a/\n");
    put_file("sys/fs/cgroup/a/cpu.max", "x\n");
    put_file("sys/fs/cgroup/a/memory.max", "-5\n");
    put_file("sys/fs/cgroup/cpu.max", "100000\n");
    l = nf_limits_read(root);
    CHECK(isinf(l.cpus) && l.memory == UINT64_MAX);
}

int main(void)
{
    int status;
    char command[80];

    if (!mkdtemp(root))
        return 1;
    status = RUN(without_groups_there_is_no_limit, version_2, the_tightest_on_the_way_up_counts, version_1,
                 in_a_container_the_top_counts, nonsense_is_no_limit);
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command) == 0 ? status : 1;
}
