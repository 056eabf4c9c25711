/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts whose owners are mapped (Linux 5.12). The map is carried by a user namespace; one is made
 * by a program that enters a new one and waits, since a process with threads cannot try that
 * itself.
 */
#include "base/child.h"
#include "hcs/linux/mount.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* "C:H:S,C:H:S" as the kernel reads it: a line each, fields by spaces. */
static int write_map(int64_t pid, const char *file, const char *map, struct shim_error *err)
{
    cleanup_free char *path = shim_strf("/proc/%lld/%s", (long long)pid, file);
    cleanup_free char *lines = strdup(map);
    cleanup_handle intptr_t fd = SHIM_NO_HANDLE;

    if (!path || !lines)
        return shim_fail_memory(err);
    for (char *c = lines; *c; c++)
        *c = (char)(*c == ':' ? ' ' : *c == ',' ? '\n' : *c);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    /* The kernel takes a map in one write or not at all. */
    if (fd < 0 || write((int)fd, lines, strlen(lines)) < 0)
        return shim_fail_os(err, (uint32_t)errno, "write %s to %s", map, path);
    return 0;
}

/* The program echoes what it reads once it is in its namespace; its end of file ends it. */
static int wait_until_inside(intptr_t ours, struct shim_error *err)
{
    char echo = 'x';

    if (write((int)ours, &echo, 1) != 1 || read((int)ours, &echo, 1) != 1)
        return shim_fail(err, SHIM_E_UNIMPLEMENTED,
                         "id-mapped mounts: `unshare --user` could not make a user namespace");
    return 0;
}

static int open_namespace(int64_t pid, const char *uidmap, const char *gidmap, intptr_t *ret,
                          struct shim_error *err)
{
    cleanup_free char *path = shim_strf("/proc/%lld/ns/user", (long long)pid);
    int r = write_map(pid, "uid_map", uidmap, err), fd;

    if (r == 0)
        r = write_map(pid, "gid_map", gidmap, err);
    if (r < 0)
        return r;
    fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "open the user namespace of process %lld",
                            (long long)pid);
    *ret = fd;
    return 0;
}

int linux_userns_open(const char *uidmap, const char *gidmap, intptr_t *ret, struct shim_error *err)
{
    const char *const argv[] = {"unshare", "--user", "cat", NULL};
    cleanup_handle intptr_t ours = SHIM_NO_HANDLE, theirs = SHIM_NO_HANDLE;
    struct shim_child_fd fds[2];
    struct shim_spawn spawn = {.argv = argv, .fds = fds, .n_fds = 2, .die_with_thread = true};
    int64_t pid;
    int pair[2], r;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return shim_fail_os(err, (uint32_t)errno, "make a socket pair");
    ours = pair[0];
    theirs = pair[1];
    fds[0] = (struct shim_child_fd){.from = theirs, .to = 0};
    fds[1] = (struct shim_child_fd){.from = theirs, .to = 1};
    r = shim_child_spawn(&spawn, NULL, NULL, &pid, err);
    if (r < 0)
        return shim_wrap(err, r == SHIM_E_NOT_FOUND ? SHIM_E_UNIMPLEMENTED : r,
                         "id-mapped mounts need it");
    shim_handle_close(&theirs);
    r = wait_until_inside(ours, err);
    return r < 0 ? r : open_namespace(pid, uidmap, gidmap, ret, err);
}

int linux_idmap_bind(const char *source, const char *target, bool recursive, bool read_only,
                     intptr_t userns, struct shim_error *err)
{
    unsigned recurse = recursive ? AT_RECURSIVE : 0;
    struct mount_attr attr = {
        .attr_set = MOUNT_ATTR_IDMAP | (read_only ? MOUNT_ATTR_RDONLY : 0),
        .userns_fd = (uint64_t)userns,
    };
    cleanup_handle intptr_t tree = SHIM_NO_HANDLE;

    tree = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recurse);
    if (tree < 0)
        return shim_fail_os(err, (uint32_t)errno, "clone the mount of %s", source);
    if (mount_setattr((int)tree, "", AT_EMPTY_PATH | recurse, &attr, sizeof(attr)) != 0) {
        if (errno == EINVAL || errno == ENOSYS)
            return shim_fail(err, SHIM_E_UNIMPLEMENTED,
                             "map the owners of %s: this kernel cannot do that for its file system",
                             source);
        return shim_fail_os(err, (uint32_t)errno, "map the owners of %s", source);
    }
    if (move_mount((int)tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) != 0)
        return shim_fail_os(err, (uint32_t)errno, "move the mapped mount to %s", target);
    return 0;
}
