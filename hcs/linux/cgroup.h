/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control group of a container, found once through its init process and kept, because
 * statistics and killing must work after init has gone. A group that holds this process too (the
 * root, or one above our own) is never the container's: its figures say nothing about it, and
 * killing it would be suicide. Machines with both versions mounted count as version 1.
 * Threads: any; a struct linux_cgroup does not change once found.
 */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

struct hcs_pids;

/* Of version 1. */
enum linux_controller {
    LINUX_CPU,
    LINUX_CPUACCT,
    LINUX_MEMORY,
    LINUX_PIDS,
    LINUX_BLKIO,
    LINUX_FREEZER,
    LINUX_DEVICES,
    LINUX_HUGETLB,
    LINUX_RDMA,
    LINUX_CONTROLLERS
};

struct linux_cgroup {
    bool unified;                  /* version 2 */
    char *dir;                     /* v2: the group; v1: the one that lists its processes */
    char *dirs[LINUX_CONTROLLERS]; /* v1; NULL: no such controller, or not the container's own */
};

/* SHIM_E_NOT_FOUND: no such process, or it is in no group of its own. */
SHIM_MUST_USE int linux_cgroup_find(int64_t pid, struct linux_cgroup *ret, struct shim_error *err);
/* The pure half: texts of /proc/PID/cgroup, /proc/self/cgroup and /proc/self/mountinfo. */
SHIM_MUST_USE int linux_cgroup_parse(const char *of_pid, const char *of_self, const char *mountinfo,
                                     struct linux_cgroup *ret, struct shim_error *err);
void linux_cgroup_done(struct linux_cgroup *cg);
#define cleanup_cgroup SHIM_CLEANUP(linux_cgroup_done)

/* All processes of the group and of those below it; none where the group has gone. */
SHIM_MUST_USE int linux_cgroup_pids(const struct linux_cgroup *cg, struct hcs_pids *ret,
                                    struct shim_error *err);
/* Sends a signal to each of them; the number of those it reached. */
unsigned linux_cgroup_signal(const struct linux_cgroup *cg, int signal);
/* Kills and thaws until nobody is left; false when somebody still is after timeout_ms. */
bool linux_cgroup_kill(const struct linux_cgroup *cg, int64_t timeout_ms);
/* Lets killed processes of a frozen group of version 1 die. */
void linux_cgroup_thaw(const struct linux_cgroup *cg);
