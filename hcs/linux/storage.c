/* SPDX-License-Identifier: Apache-2.0 */
/* A list of mounts onto a root file system: all of them, or none. */
#include "hcs/hcs.h"
#include "hcs/linux/mount.h"
#include "hcs/linux/system.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOTFS_MODE 0711

/* What was mounted so far, to be undone from the end. */
struct done_mount {
    char *target; /* owned */
    unsigned layers;
};
struct done {
    struct done_mount *mounts; /* owned */
    size_t n;
};

static void done_free(struct done *d)
{
    for (size_t i = 0; i < d->n; i++)
        free(d->mounts[i].target);
    free(d->mounts);
}

static int done_reserve(struct done *d, struct shim_error *err)
{
    struct done_mount *more = reallocarray(d->mounts, d->n + 1, sizeof(*more));

    if (!more)
        return shim_fail_memory(err);
    d->mounts = more;
    return 0;
}

static void undo(const struct done *d, struct shim_error *err)
{
    for (size_t i = d->n; i-- > 0;) {
        struct shim_error why = {0};
        int r = 0;

        for (unsigned layer = 0; layer < d->mounts[i].layers && r == 0; layer++)
            r = linux_unmount_one(d->mounts[i].target, &why);
        if (r < 0 && err)
            shim_wrap(err, err->code, "(left behind: %s)", why.msg);
    }
}

/* The folder a mount goes to, by its real path: links in `target` end inside of rootfs. */
static int resolve(const char *rootfs, const char *target, char **ret, struct shim_error *err)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    cleanup_handle intptr_t root = SHIM_NO_HANDLE, fd = SHIM_NO_HANDLE;
    char link[64];

    root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return shim_fail_os(err, (uint32_t)errno, "open %s", rootfs);
    if (shim_str_empty(target))
        target = ".";
    do
        fd = syscall(SYS_openat2, (int)root, target, &how, sizeof(how));
    while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    if (fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "find the target \"%s\" below %s", target,
                            rootfs);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", (int)fd);
    *ret = realpath(link, NULL);
    return *ret ? 0 : shim_fail_os(err, (uint32_t)errno, "name the target \"%s\"", target);
}

static int mount_next(const struct hcs_mount *m, const char *rootfs, struct done *done,
                      struct shim_error *err)
{
    cleanup_free char *target = NULL;
    unsigned layers;
    int r = done_reserve(done, err);

    if (r == 0)
        r = resolve(rootfs, m->target, &target, err);
    if (r < 0)
        return shim_wrap(err, r, "mount type \"%s\" source \"%s\"", m->type, m->source);
    r = linux_mount_one(m, target, &layers, err);
    if (r == 0)
        done->mounts[done->n++] = (struct done_mount){shim_take(target), layers};
    return r;
}

int linux_storage_mount(const struct hcs_mount *mounts, size_t n_mounts, const char *rootfs,
                        struct shim_error *err)
{
    __attribute__((cleanup(done_free))) struct done done = {0};
    bool made = mkdir(rootfs, ROOTFS_MODE) == 0;
    int r = 0;

    if (!made && errno != EEXIST)
        return shim_fail_os(err, (uint32_t)errno, "make the folder %s", rootfs);
    for (size_t i = 0; i < n_mounts && r == 0; i++)
        r = mount_next(&mounts[i], rootfs, &done, err);
    if (r < 0) {
        undo(&done, err);
        if (made)
            rmdir(rootfs); /* not empty only where something was left behind, which was told */
    }
    return r;
}
