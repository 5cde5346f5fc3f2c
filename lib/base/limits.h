/*
 * limits.h - what the process may take of the machine: the quotas of its control groups (containers, Slurm, systemd).
 *
 * Both hierarchies of Linux are read: version 2 (cpu.max, memory.max and memory.high) and version 1 (cpu.cfs_quota_us, memory.limit_in_bytes).
 * The limits of a group hold for those inside it, so the tightest on the way up counts.  Source: Documentation/admin-guide/cgroup-v2.rst and
 * cgroup-v1/memory.rst of the kernel.
 */
#ifndef NF_BASE_LIMITS_H
#define NF_BASE_LIMITS_H

#include <stdint.h>

struct nf_limits {
    double cpus;       /* processor seconds a second; INFINITY: no quota */
    uint64_t memory;   /* bytes left: the limit less what is used and cannot be given back; UINT64_MAX: no limit */
};

/* nf_limits_read - what cannot be read is no limit.  root: "" is the machine's; of a folder with proc/self/cgroup and sys/fs/cgroup, for tests. */
struct nf_limits nf_limits_read(const char *root);

#endif
