/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a control group: listing, signalling, killing all of them. */
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "hcs/hcs.h"
#include "hcs/linux/cgroup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCS_LIMIT_BYTES ((size_t)64 * 1024 * 1024)
#define KILL_PAUSE_MS     5
#define DEPTH_MAX         64 /* of groups within groups; the kernel's own limits are far below */

static int add_pids(const char *dir, struct hcs_pids *pids, struct shim_error *err)
{
    cleanup_free char *path = shim_strf("%s/cgroup.procs", dir);
    cleanup_buf struct shim_buf text = {0};

    if (!path)
        return shim_fail_memory(err);
    /* A group that went meanwhile, or a threaded one that has no such list, adds nobody. */
    if (shim_file_read(path, PROCS_LIMIT_BYTES, &text, NULL) < 0)
        return 0;
    for (char *at = (char *)text.data, *end; at && *at; at = end) {
        unsigned long pid = strtoul(at, &end, 10);
        uint32_t *more;

        if (end == at)
            break;
        while (*end == '\n')
            end++;
        if (pid == 0)
            continue; /* of another pid namespace than ours */
        more = reallocarray(pids->pid, pids->n + 1, sizeof(*more));
        if (!more)
            return shim_fail_memory(err);
        pids->pid = more;
        pids->pid[pids->n++] = (uint32_t)pid;
    }
    return 0;
}

static int add_tree(const char *dir, unsigned depth, struct hcs_pids *pids, struct shim_error *err)
{
    DIR *d = opendir(dir);
    int r = add_pids(dir, pids, err);

    for (struct dirent *e; r == 0 && d && depth < DEPTH_MAX && (e = readdir(d));) {
        cleanup_free char *sub = NULL;

        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        sub = shim_strf("%s/%s", dir, e->d_name);
        r = sub ? add_tree(sub, depth + 1, pids, err) : shim_fail_memory(err);
    }
    if (d)
        closedir(d);
    return r;
}

int linux_cgroup_pids(const struct linux_cgroup *cg, struct hcs_pids *ret, struct shim_error *err)
{
    cleanup_hcs_pids struct hcs_pids pids = {0};
    int r = add_tree(cg->dir, 0, &pids, err);

    if (r < 0)
        return r;
    *ret = pids;
    pids = (struct hcs_pids){0};
    return 0;
}

unsigned linux_cgroup_signal(const struct linux_cgroup *cg, int signal)
{
    cleanup_hcs_pids struct hcs_pids pids = {0};
    unsigned reached = 0;

    if (linux_cgroup_pids(cg, &pids, NULL) < 0)
        return 0;
    for (size_t i = 0; i < pids.n; i++)
        reached += kill((pid_t)pids.pid[i], signal) == 0;
    return reached;
}

static bool write_control(const char *dir, const char *name, const char *value)
{
    cleanup_free char *path = shim_strf("%s/%s", dir, name);
    cleanup_handle intptr_t fd = SHIM_NO_HANDLE;

    if (!path)
        return false;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write((int)fd, value, strlen(value)) == (ssize_t)strlen(value);
}

void linux_cgroup_thaw(const struct linux_cgroup *cg)
{
    if (cg->dirs[LINUX_FREEZER])
        (void)write_control(cg->dirs[LINUX_FREEZER], "freezer.state", "THAWED");
}

bool linux_cgroup_kill(const struct linux_cgroup *cg, int64_t timeout_ms)
{
    int64_t deadline_ns = shim_monotonic_ns() + timeout_ms * SHIM_NS_PER_MS;

    for (;;) {
        cleanup_hcs_pids struct hcs_pids pids = {0};

        /* cgroup.kill also gets what forks meanwhile; kernels before 5.14 and v1 have none. */
        if (!cg->unified || !write_control(cg->dir, "cgroup.kill", "1"))
            linux_cgroup_signal(cg, SIGKILL);
        linux_cgroup_thaw(cg);
        if (linux_cgroup_pids(cg, &pids, NULL) == 0 && pids.n == 0)
            return true;
        if (shim_monotonic_ns() >= deadline_ns)
            return false;
        shim_sleep_ms(KILL_PAUSE_MS);
    }
}
