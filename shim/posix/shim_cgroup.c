/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the daemon into the cgroup that option ShimCgroup names. */
#include "base/file.h"
#include "base/posix/mountinfo.h"
#include "base/str.h"
#include "shim/daemon.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MOUNTINFO_BYTES ((size_t)4 << 20)

static int write_text(const char *path, const char *text, struct shim_error *err)
{
    cleanup_handle intptr_t fd = open(path, O_WRONLY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "open %s", path);
    r = shim_handle_write(fd, text, strlen(text), err);
    return r < 0 ? shim_wrap(err, r, "%s", path) : 0;
}

/* A new v1 cpuset takes no process until it has cpus and memory nodes: they are its parent's. */
static void inherit_cpuset(const char *folder)
{
    static const char *const names[] = {"cpuset.cpus", "cpuset.mems"};

    for (size_t i = 0; i < SHIM_ARRAY_LEN(names); i++) {
        cleanup_free char *from = shim_strf("%s/../%s", folder, names[i]);
        cleanup_free char *to = shim_strf("%s/%s", folder, names[i]);
        cleanup_buf struct shim_buf now = {0}, parent = {0};

        if (!from || !to || shim_file_read(to, 4096, &now, NULL) < 0 || now.len > 1 ||
            shim_file_read(from, 4096, &parent, NULL) < 0)
            continue;
        if (write_text(to, shim_buf_str(&parent), NULL) < 0)
            return; /* joining then says what is wrong */
    }
}

static int join(const char *mount, const char *cgroup, int64_t pid, struct shim_error *err)
{
    cleanup_free char *folder = shim_strf("%s/%s", mount, cgroup);
    cleanup_free char *procs = folder ? shim_strf("%s/cgroup.procs", folder) : NULL;
    char text[24];
    int r;

    if (!procs)
        return shim_fail_memory(err);
    r = shim_dir_make_all(folder, 0755, err);
    if (r < 0)
        return r;
    inherit_cpuset(folder);
    snprintf(text, sizeof(text), "%lld", (long long)pid);
    return write_text(procs, text, err);
}

int shim_daemon_move_to_cgroup(int64_t pid, const char *cgroup, struct shim_error *err)
{
    cleanup_buf struct shim_buf mounts = {0};
    struct shim_mountinfo m;
    const char *unified = NULL;
    unsigned joined = 0;
    char *at;
    int r = shim_file_read("/proc/self/mountinfo", MOUNTINFO_BYTES, &mounts, err);

    at = (char *)mounts.data;
    while (r == 0 && shim_mountinfo_next(&at, &m)) {
        if (strcmp(m.type, "cgroup2") == 0)
            unified = m.mount_point;
        if (strcmp(m.type, "cgroup") != 0)
            continue;
        r = join(m.mount_point, cgroup, pid, err);
        joined++;
    }
    if (r == 0 && joined == 0 && unified)
        r = join(unified, cgroup, pid, err);
    else if (r == 0 && joined == 0)
        r = shim_fail(err, SHIM_E_NOT_FOUND, "no cgroup file system is mounted");
    return r < 0 ? shim_wrap(err, r, "shim cgroup %s", cgroup) : 0;
}
