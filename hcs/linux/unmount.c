/* SPDX-License-Identifier: Apache-2.0 */
/* Takes mounts away, the deepest first. Promises never to detach what is still in use. */
#include "base/clock.h"
#include "base/posix/mountinfo.h"
#include "hcs/linux/mount.h"
#include "hcs/linux/system.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#define BUSY_RETRIES    50
#define BUSY_PAUSE_MS   50
#define MOUNTINFO_BYTES ((size_t)64 * 1024 * 1024)
#define LAYERS_MAX      1024 /* mounts on one folder: an end to a race with a mounter */

int linux_unmount_one(const char *target, struct shim_error *err)
{
    for (int tries = 0;; tries++) {
        if (umount2(target, UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT)
            return 0;
        if (errno == EINTR)
            continue;
        if (errno != EBUSY || tries >= BUSY_RETRIES)
            return shim_fail_os(err, (uint32_t)errno, "unmount %s", target);
        shim_sleep_ms(BUSY_PAUSE_MS);
    }
}

/* The folder's parent as mountinfo spells it, and its own name: a link in its place is not
 * followed. *ret stays NULL where the folder's parent is not there. */
static int spell(const char *path, char **ret, struct shim_error *err)
{
    cleanup_free char *copy = strdup(path), *parent = NULL;
    char *slash;

    if (!copy)
        return shim_fail_memory(err);
    while (strlen(copy) > 1 && shim_ends_with(copy, "/"))
        copy[strlen(copy) - 1] = 0;
    slash = strrchr(copy, '/');
    if (!slash || !slash[1])
        return shim_fail(err, SHIM_E_INVALID, "unmount %s: not the absolute path of a folder",
                         path);
    *slash = 0;
    parent = realpath(*copy ? copy : "/", NULL);
    if (!parent && errno == ENOENT)
        return 0;
    if (!parent)
        return shim_fail_os(err, (uint32_t)errno, "unmount %s", path);
    *ret = shim_strf("%s/%s", strcmp(parent, "/") == 0 ? "" : parent, slash + 1);
    return *ret ? 0 : shim_fail_memory(err);
}

static bool is_at_or_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 && (path[len] == 0 || path[len] == '/');
}

/* The last listed of the longest: what lies deepest, and on top. *ret NULL: none is left. */
static int find_deepest(const char *folder, char **ret, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    struct shim_mountinfo m;
    const char *found = NULL;
    char *at;
    int r = shim_file_read("/proc/self/mountinfo", MOUNTINFO_BYTES, &text, err);

    if (r < 0)
        return r;
    at = (char *)text.data;
    while (shim_mountinfo_next(&at, &m))
        if (is_at_or_below(m.mount_point, folder) &&
            (!found || strlen(m.mount_point) >= strlen(found)))
            found = m.mount_point;
    *ret = found ? strdup(found) : NULL;
    return found && !*ret ? shim_fail_memory(err) : 0;
}

int linux_storage_unmount(const char *rootfs, struct shim_error *err)
{
    cleanup_free char *folder = NULL;
    int r = spell(rootfs, &folder, err);

    if (r < 0 || !folder)
        return r;
    for (int i = 0; i < LAYERS_MAX; i++) {
        cleanup_free char *deepest = NULL;

        r = find_deepest(folder, &deepest, err);
        if (r == 0 && !deepest)
            return 0;
        if (r == 0)
            r = linux_unmount_one(deepest, err);
        if (r < 0)
            return r;
    }
    return shim_fail(err, SHIM_E_STATE, "unmount %s: after %d mounts there are still more", rootfs,
                     LAYERS_MAX);
}
